//! Parsing of a page of jobs that mostly have the same configuration.

use std::fmt;
use std::sync::Arc;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Configuration, Job};
use crate::page::Page;
use crate::text::response_object::{ConfigInterner, LenientCount};

/// Parses a page. Jobs whose configuration has the same bytes as that of the job before them share it.
///
/// Comparing bytes is cheaper than parsing: a configuration is most of a job's bytes, and all jobs of a bulk run have
/// the same one. In a short page the bytes of the first configuration are not kept, since finding their end takes a
/// pass of its own and there may be no other job; the second configuration is compared by value.
pub(super) fn read(body: &str) -> Result<Page<Job>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let is_short = body.len() <= SHORT_PAGE;
    let page = deserializer.deserialize_map(PageVisitor { is_short })?;
    deserializer.end()?;
    Ok(page)
}

/// A page of at most this many bytes has few jobs.
const SHORT_PAGE: usize = 4 * 1024;

/// How many jobs in a row may fail the comparison before the remaining jobs of the page are parsed without comparing.
///
/// A failed comparison costs a tenth of parsing a job, and a successful one saves half of it. So one success makes up
/// for this many failures, and a page of unrelated jobs costs about the same as without comparing.
const COMPARISON_CREDIT: u8 = 4;

/// The last parsed configuration, and its bytes unless it was the first of a short page.
struct LastConfig<'de> {
    read: Option<(Option<&'de str>, Arc<Configuration>)>,
    is_short: bool,
    /// How many more comparisons may fail.
    comparisons_left: u8,
}

impl LastConfig<'_> {
    fn new(is_short: bool) -> Self {
        Self {
            read: None,
            is_short,
            comparisons_left: COMPARISON_CREDIT,
        }
    }
}

impl<'de> ConfigInterner<'de> for &mut LastConfig<'de> {
    fn configuration<A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
    ) -> Result<Option<Arc<Configuration>>, A::Error> {
        if self.comparisons_left == 0 {
            return map.next_value();
        }
        if self.is_short && self.read.is_none() {
            let first: Option<Arc<Configuration>> = map.next_value()?;
            self.read = first.clone().map(|first| (None, first));
            return Ok(first);
        }
        let Some(raw) = map.next_value::<Option<&'de RawValue>>()? else {
            return Ok(None);
        };
        let text = Some(raw.get());
        if let Some((last_text, last)) = &self.read {
            if *last_text == text {
                self.comparisons_left = self.comparisons_left.saturating_add(COMPARISON_CREDIT);
                return Ok(Some(Arc::clone(last)));
            }
        }
        let read: Configuration = serde_json::from_str(raw.get()).map_err(A::Error::custom)?;
        let configuration = match self.read.take() {
            Some((None, first)) if *first == read => first,
            Some(_) => {
                self.comparisons_left -= 1;
                Arc::new(read)
            }
            None => Arc::new(read),
        };
        self.read = Some((text, Arc::clone(&configuration)));
        Ok(Some(configuration))
    }
}

struct JobSeed<'a, 'de>(&'a mut LastConfig<'de>);

impl<'de> DeserializeSeed<'de> for JobSeed<'_, 'de> {
    type Value = Job;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Job, D::Error> {
        Job::deserialize_interning(deserializer, self.0)
    }
}

/// An array of jobs, or null for none.
struct ItemsVisitor {
    is_short: bool,
}

impl<'de> DeserializeSeed<'de> for ItemsVisitor {
    type Value = Vec<Job>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Job>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Vec<Job>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of jobs")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Vec<Job>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Job>, A::Error> {
        let mut interner = LastConfig::new(self.is_short);
        // `push` would reserve space for four jobs.
        let mut jobs = Vec::with_capacity(usize::from(self.is_short));
        while let Some(job) = items.next_element_seed(JobSeed(&mut interner))? {
            jobs.push(job);
        }
        Ok(jobs)
    }
}

struct PageVisitor {
    is_short: bool,
}

impl<'de> Visitor<'de> for PageVisitor {
    type Value = Page<Job>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of jobs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<Job>, A::Error> {
        let mut page = Page {
            items: Vec::new(),
            next_page_token: None,
            total_size: None,
        };
        while let Some(name) = map.next_key::<&str>()? {
            match name {
                "items" => {
                    let is_short = self.is_short;
                    page.items = map.next_value_seed(ItemsVisitor { is_short })?;
                }
                "next_page_token" => {
                    // An empty token ends a list, like an absent one.
                    page.next_page_token = map
                        .next_value::<Option<String>>()?
                        .filter(|token| !token.is_empty());
                }
                "total_size" => page.total_size = map.next_value::<LenientCount>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(configurations: &[&str]) -> String {
        let jobs: Vec<_> = configurations
            .iter()
            .enumerate()
            .map(|(n, configuration)| {
                format!(r#"{{"id":"{n}","status":"PENDING","configuration":{configuration}}}"#)
            })
            .collect();
        format!(
            r#"{{"items":[{}],"next_page_token":"t","new":[1]}}"#,
            jobs.join(",")
        )
    }

    /// The same page, long enough not to count as short.
    fn long(page: &str) -> String {
        let padding = "x".repeat(SHORT_PAGE);
        page.replace(r#""new":[1]"#, &format!(r#""new":["{padding}"]"#))
    }

    #[test]
    fn interning_shares_equal_configurations_of_a_page() {
        let (a, b) = (
            r#"{"rules":[{"type":"a","description":"x"}]}"#,
            r#"{"rules":[{"type":"b","description":"x"}]}"#,
        );
        let short = page(&[a, a, b, "null", b, a]);
        for text in [&short, &long(&short)] {
            let read = read(text).unwrap();
            let of = |place: usize| read.items[place].configuration.as_ref();
            assert!(Arc::ptr_eq(of(0).unwrap(), of(1).unwrap()));
            assert!(Arc::ptr_eq(of(2).unwrap(), of(4).unwrap()));
            assert_eq!(of(3), None);
            let types: Vec<_> = [0, 1, 2, 4, 5]
                .map(|place| of(place).unwrap().rules[0].r#type.clone())
                .into();
            assert_eq!(types, ["a", "a", "b", "b", "a"]);
            assert_eq!(read.next_page_token.as_deref(), Some("t"));
        }
    }

    #[test]
    fn interning_stops_on_page_of_distinct_configurations() {
        let own: Vec<_> = (0..20)
            .map(|n| format!(r#"{{"rules":[{{"type":"t{n}","description":"x"}}]}}"#))
            .collect();
        let shared = |configurations: &[&str]| {
            let read = read(&page(configurations)).unwrap();
            for (job, given) in read.items.iter().zip(configurations) {
                let alone: Configuration = serde_json::from_str(given).unwrap();
                assert_eq!(**job.configuration.as_ref().unwrap(), alone);
            }
            let [.., before, last] = &*read.items else {
                panic!("two jobs")
            };
            Arc::ptr_eq(
                before.configuration.as_ref().unwrap(),
                last.configuration.as_ref().unwrap(),
            )
        };
        let mut given: Vec<&str> = own.iter().map(String::as_str).collect();
        given.push(&own[19]);
        assert!(!shared(&given), "it was compared to the end");
        let in_pairs: Vec<_> = own.iter().flat_map(|text| [text.as_str(); 2]).collect();
        assert!(shared(&in_pairs), "half of them repeat");
    }

    #[test]
    fn job_page_malformed_json_is_an_error() {
        for text in [
            "",
            "[]",
            "{",
            "{}x",
            r#"{"items":{}}"#,
            r#"{"items":[{}]}"#,
            &page(&["7"]),
            &page(&[r#"{"rules":7}"#]),
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("{}").unwrap().items.is_empty());
    }

    proptest! {
        #[test]
        fn job_page_parses_like_separate_jobs(picks in proptest::collection::vec(0usize..5, 0..12)) {
            let texts = [
                "null",
                "{}",
                r#"{"rules":[{"type":"ä","description":"x"}],"mode":"FAST"}"#,
                r#"{ "rules": [{"type":"ä","description":"x"}], "mode": "FAST"}"#,
                r#"{"parsing_configuration":{"max_pages":3}}"#,
            ];
            let short = page(&picks.iter().map(|pick| texts[*pick]).collect::<Vec<_>>());
            for text in [&short, &long(&short)] {
                let plain: Page<Job> = serde_json::from_str(text).unwrap();
                prop_assert_eq!(read(text).unwrap(), plain);
            }
        }
    }
}
