//! Page ranges such as `1,3,5-7`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::text::quoted;

/// The field named by errors.
const FIELD: &str = "target_pages";

/// Pages of a document in v2's notation: 1-based numbers and ranges, separated by commas.
///
/// The notation is kept as parsed; [`normalized`](Self::normalized) sorts it and joins ranges that overlap or touch. A
/// range takes eight bytes whatever its length, such as `1-4294967295`; [`to_zero_based`](Self::to_zero_based)
/// therefore has a limit.
///
/// ```
/// use classify_proto::PageRanges;
///
/// let pages: PageRanges = "7, 1,3,5-7".parse()?;
/// assert!(pages.contains(6) && !pages.contains(2));
/// assert_eq!(pages.normalized().to_string(), "1,3,5-7");
/// assert_eq!(pages.to_zero_based(100)?, [0, 2, 4, 5, 6]);
/// assert_eq!(PageRanges::from_zero_based([0, 2, 3, 4])?.to_string(), "1,3-5");
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageRanges(Vec<Span>);

/// First and last page, both inclusive; the first is at least 1 and at most the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Span {
    first: u32,
    last: u32,
}

impl Span {
    fn len(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }
}

impl PageRanges {
    /// Creates ranges from 0-based page numbers, v1's notation. They are sorted and joined.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if there are none, or if a number has no 1-based equivalent in 32 bits.
    pub fn from_zero_based(pages: impl IntoIterator<Item = u32>) -> Result<Self, Error> {
        let mut spans = Vec::new();
        for page in pages {
            let Some(page) = page.checked_add(1) else {
                return Err(Error::invalid(
                    FIELD,
                    format!("page {page} (0-based) is too large"),
                ));
            };
            spans.push(Span {
                first: page,
                last: page,
            });
        }
        if spans.is_empty() {
            return Err(Error::invalid(
                FIELD,
                "contains no page; omit it to read all pages",
            ));
        }
        Ok(Self(spans).normalized())
    }

    /// Returns the pages as sorted 0-based numbers without duplicates, v1's notation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if there are more than `limit` pages.
    pub fn to_zero_based(&self, limit: usize) -> Result<Vec<u32>, Error> {
        let normal = self.normalized();
        let count = normal.count();
        if usize::try_from(count).map_or(true, |count| count > limit) {
            return Err(Error::too_large(format!(
                "{FIELD} contains {count} pages; the limit is {limit}"
            )));
        }
        Ok(normal
            .0
            .iter()
            .flat_map(|span| span.first - 1..=span.last - 1)
            .collect())
    }

    /// Returns `true` if the page with this 1-based number is included.
    #[must_use]
    pub fn contains(&self, page: u32) -> bool {
        self.0
            .iter()
            .any(|span| (span.first..=span.last).contains(&page))
    }

    /// Returns the number of distinct pages.
    #[must_use]
    pub fn count(&self) -> u64 {
        joined(&self.0).iter().map(|span| span.len()).sum()
    }

    /// Returns the same pages sorted, without duplicates, with adjacent ranges joined. Equal sets of pages have equal
    /// results.
    #[must_use]
    pub fn normalized(&self) -> Self {
        Self(joined(&self.0))
    }
}

fn joined(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match joined.last_mut() {
            Some(previous) if span.first <= previous.last.saturating_add(1) => {
                previous.last = previous.last.max(span.last);
            }
            _ => joined.push(span),
        }
    }
    joined
}

impl FromStr for PageRanges {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut spans = Vec::new();
        for (index, item) in text.split(',').enumerate() {
            let refuse = |what: String| {
                Err(Error::invalid(
                    FIELD,
                    format!("{}: item {}: {what}", quoted(text), index + 1),
                ))
            };
            let trimmed = item.trim();
            if trimmed.is_empty() {
                return refuse(
                    "is empty; write page numbers and ranges such as 1,3,5-7".to_owned(),
                );
            }
            let (first, last) = match trimmed.split_once('-') {
                Some((first, last)) => (page(first), page(last)),
                None => (page(trimmed), page(trimmed)),
            };
            match (first, last) {
                (Ok(first), Ok(last)) if first > last => {
                    return refuse(format!(
                        "{} runs backwards; write {last}-{first}",
                        quoted(trimmed)
                    ));
                }
                (Ok(first), Ok(last)) => spans.push(Span { first, last }),
                (Err(what), _) | (_, Err(what)) => {
                    return refuse(format!("{} {what}", quoted(trimmed)));
                }
            }
        }
        Ok(Self(spans))
    }
}

fn page(text: &str) -> Result<u32, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is a range without a first or last page");
    }
    // Stricter than `parse`, which accepts a sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is neither a page number nor a range such as 5-7");
    }
    match text.parse() {
        Ok(0) => Err("contains page 0; pages are counted from 1"),
        Ok(page) => Ok(page),
        Err(_) => Err("contains a number that is too large"),
    }
}

impl fmt::Display for PageRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, span) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if span.first == span.last {
                write!(f, "{}", span.first)?;
            } else {
                write!(f, "{}-{}", span.first, span.last)?;
            }
        }
        Ok(())
    }
}

impl From<PageRanges> for String {
    fn from(pages: PageRanges) -> Self {
        pages.to_string()
    }
}

impl Serialize for PageRanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PageRanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn refused(text: &str) -> String {
        text.parse::<PageRanges>().unwrap_err().to_string()
    }

    #[test]
    fn page_ranges_match_documented_example() {
        let pages: PageRanges = "1,3,5-7".parse().unwrap();
        assert_eq!(pages.to_string(), "1,3,5-7");
        assert_eq!(pages.to_zero_based(10).unwrap(), [0, 2, 4, 5, 6]);
        assert_eq!(serde_json::to_string(&pages).unwrap(), "\"1,3,5-7\"");
        assert_eq!(
            PageRanges::from_zero_based([0, 2, 3, 4])
                .unwrap()
                .to_string(),
            "1,3-5"
        );
    }

    #[test]
    fn page_ranges_keep_input_order_until_normalized() {
        let pages: PageRanges = "10, 1-3 ,2-4,5".parse().unwrap();
        assert_eq!(pages.to_string(), "10,1-3,2-4,5");
        assert_eq!(pages.normalized().to_string(), "1-5,10");
        assert_eq!(pages.count(), 6);
    }

    #[test]
    fn page_ranges_parse_error_names_item() {
        for (text, words) in [
            ("", ["item 1", "empty"]),
            ("1,,3", ["item 2", "empty"]),
            ("1,2,", ["item 3", "empty"]),
            ("0", ["item 1", "from 1"]),
            ("1,0-3", ["item 2", "from 1"]),
            ("7-5", ["item 1", "5-7"]),
            ("2,x", ["item 2", "\"x\""]),
            ("+1", ["item 1", "neither"]),
            ("1 2", ["item 1", "neither"]),
            ("1-2-3", ["item 1", "neither"]),
            ("5-", ["item 1", "first or last"]),
            ("-5", ["item 1", "first or last"]),
            ("3,4294967296", ["item 2", "too large"]),
        ] {
            let message = refused(text);
            assert!(
                message.contains(FIELD) && words.iter().all(|word| message.contains(word)),
                "{text}: {message}"
            );
        }
    }

    #[test]
    fn page_ranges_huge_range_is_stored_compactly() {
        let pages: PageRanges = "1-4294967295".parse().unwrap();
        assert_eq!(pages.0.len(), 1);
        assert_eq!(pages.count(), 4_294_967_295);
        assert!(pages.contains(u32::MAX) && !pages.contains(0));
        let error = pages.to_zero_based(10_000).unwrap_err();
        assert!(error.to_string().contains("4294967295 pages"), "{error}");
        assert_eq!(
            "4294967295,4294967294-4294967295"
                .parse::<PageRanges>()
                .unwrap()
                .normalized()
                .to_string(),
            "4294967294-4294967295"
        );
        assert!(PageRanges::from_zero_based([u32::MAX]).is_err());
        assert!(PageRanges::from_zero_based([]).is_err());
    }

    proptest! {
        #[test]
        fn page_ranges_agree_with_set_model(items in proptest::collection::vec((1u32..60, 0u32..12), 1..12)) {
            let text = items.iter().map(|(first, more)| if *more == 0 { first.to_string() } else { format!("{first}-{}", first + more) }).collect::<Vec<_>>().join(",");
            let model: BTreeSet<u32> = items.iter().flat_map(|(first, more)| *first..=first + more).collect();
            let pages: PageRanges = text.parse().unwrap();
            prop_assert_eq!(pages.to_string(), &text[..]);
            prop_assert_eq!(pages.count(), model.len() as u64);
            for page in 0..80 {
                prop_assert_eq!(pages.contains(page), model.contains(&page));
            }
            let zero_based: Vec<u32> = model.iter().map(|page| page - 1).collect();
            prop_assert_eq!(&pages.to_zero_based(1000).unwrap(), &zero_based);
            prop_assert!(pages.to_zero_based(model.len() - 1).is_err());
            let normal = pages.normalized();
            prop_assert_eq!(&PageRanges::from_zero_based(zero_based.into_iter().rev()).unwrap(), &normal);
            prop_assert_eq!(normal.to_string().parse::<PageRanges>().unwrap(), normal);
        }

        #[test]
        fn page_ranges_parse_of_any_text_round_trips_or_errors(text in "[0-9,\\- x]{0,20}") {
            if let Ok(pages) = text.parse::<PageRanges>() {
                prop_assert_eq!(pages.to_string().parse::<PageRanges>().unwrap(), pages);
            }
        }
    }
}
