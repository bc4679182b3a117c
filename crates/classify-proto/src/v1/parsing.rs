//! The pages that v1 parses, and the language.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Language;
use crate::error::Error;
use crate::page_ranges::PageRanges;
use crate::validation::ValidationErrors;

/// Number of pages that v1 parses by default.
pub(crate) const DEFAULT_MAX_PAGES: u32 = 5;
/// Maximum number of pages that ranges are expanded to: a request lists every page as a number.
const MAX_TARGET_PAGES: usize = 10_000;

/// Maximum number of pages to parse per file.
///
/// Omitting the field and sending `null` are different requests, which an `Option` could not distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "JSON has these three ways to say it and no fourth"
)]
pub enum MaxPages {
    /// The field is not sent, and the service parses five pages.
    #[default]
    Default,
    /// `null`: no limit. The published schema allows it without describing it.
    Unlimited,
    /// This many pages. The schema has no minimum, and does not describe zero.
    Limit(u32),
}

impl MaxPages {
    /// Returns `true` for [`Default`](Self::Default).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        *self == Self::Default
    }
}

/// Converts `Some` to a limit, and `None` to [`MaxPages::Unlimited`].
impl From<Option<u32>> for MaxPages {
    fn from(pages: Option<u32>) -> Self {
        pages.map_or(Self::Unlimited, Self::Limit)
    }
}

impl Serialize for MaxPages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default | Self::Unlimited => serializer.serialize_none(),
            Self::Limit(pages) => serializer.serialize_some(pages),
        }
    }
}

impl<'de> Deserialize<'de> for MaxPages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

/// The pages of the documents that are parsed, and their language.
///
/// If it is part of a job from a response, only these fields are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParsingConfiguration {
    /// The language of the documents. English if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Language>,
    /// Maximum number of pages to parse. **Five** if absent.
    #[serde(default, skip_serializing_if = "MaxPages::is_absent")]
    pub max_pages: MaxPages,
    /// Pages to parse, **0-based**; [`PageRanges`] converts them. An old example of the service warns that it cannot be
    /// combined with `max_pages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_pages: Option<Vec<u32>>,
}

impl ParsingConfiguration {
    /// Creates a value with the service's defaults: English, and five pages at most.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the language of the documents.
    #[must_use]
    pub fn lang(mut self, language: impl Into<Language>) -> Self {
        self.lang = Some(language.into());
        self
    }

    /// Sets the maximum number of pages to parse.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = MaxPages::Limit(pages);
        self
    }

    /// Parses all pages: sends `null`. See [`MaxPages::Unlimited`].
    #[must_use]
    pub fn all_pages(mut self) -> Self {
        self.max_pages = MaxPages::Unlimited;
        self
    }

    /// Sets the pages to parse, 0-based: `[0, 2]` is the first and the third.
    #[must_use]
    pub fn target_pages(mut self, pages: impl IntoIterator<Item = u32>) -> Self {
        self.target_pages = Some(pages.into_iter().collect());
        self
    }

    /// Sets the pages to parse, 1-based as in v2.
    ///
    /// ```
    /// use classify_proto::v1::ParsingConfiguration;
    ///
    /// let parsing = ParsingConfiguration::new().page_ranges(&"1,3-5".parse()?)?;
    /// assert_eq!(parsing.target_pages, Some(vec![0, 2, 3, 4]));
    /// assert_eq!(parsing.target_page_ranges().unwrap()?.to_string(), "1,3-5");
    /// # Ok::<(), classify_proto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) if there are more than 10,000 pages.
    pub fn page_ranges(self, pages: &PageRanges) -> Result<Self, Error> {
        Ok(self.target_pages(pages.to_zero_based(MAX_TARGET_PAGES)?))
    }

    /// Returns the pages to parse, 1-based; `None` if none are set.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the list is empty or a number is too large.
    #[must_use]
    pub fn target_page_ranges(&self) -> Option<Result<PageRanges, Error>> {
        let pages = self.target_pages.as_ref()?;
        Some(PageRanges::from_zero_based(pages.iter().copied()))
    }

    pub(crate) fn collect_errors(&self, path: &str, errors: &mut ValidationErrors) {
        if let Some(Err(error)) = self.target_page_ranges() {
            for found in error.field_errors() {
                errors.add(format!("{path}.{}", found.field), &*found.message);
            }
        }
    }

    /// Whether a job with the other configuration may belong to a create with this one, after the service filled in its
    /// defaults.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        use MaxPages::{Default, Limit, Unlimited};

        let lang = |parsing: &Self| parsing.lang.clone().unwrap_or(Language::English);
        let max_pages_agree = match (self.max_pages, other.max_pages) {
            (requested, created) if requested == created => true,
            // If nothing was requested, the job may show the default or nothing.
            (Default, created) => matches!(created, Unlimited | Limit(DEFAULT_MAX_PAGES)),
            // If the job shows nothing, the default or no limit may have been requested.
            (requested, Default) => matches!(requested, Unlimited | Limit(DEFAULT_MAX_PAGES)),
            _ => false,
        };
        let pages = |parsing: &Self| {
            let mut pages = parsing.target_pages.clone().unwrap_or_default();
            pages.sort_unstable();
            pages.dedup();
            pages
        };
        max_pages_agree && lang(self) == lang(other) && pages(self) == pages(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_ranges_are_serialized_zero_based_in_v1() {
        let parsing = ParsingConfiguration::new()
            .lang("rs_latin")
            .max_pages(9)
            .page_ranges(&"1,3-4".parse().unwrap())
            .unwrap();
        assert_eq!(
            serde_json::to_string(&parsing).unwrap(),
            r#"{"lang":"rs_latin","max_pages":9,"target_pages":[0,2,3]}"#
        );
        let huge: PageRanges = "1-4294967295".parse().unwrap();
        assert!(ParsingConfiguration::new().page_ranges(&huge).is_err());
    }

    #[test]
    fn max_pages_absent_null_and_number_round_trip() {
        for (parsing, json) in [
            (ParsingConfiguration::new(), "{}"),
            (
                ParsingConfiguration::new().all_pages(),
                r#"{"max_pages":null}"#,
            ),
            (
                ParsingConfiguration::new().max_pages(0),
                r#"{"max_pages":0}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&parsing).unwrap(), json);
            let read: ParsingConfiguration = serde_json::from_str(json).unwrap();
            assert_eq!(read, parsing);
            let mut errors = ValidationErrors::default();
            parsing.collect_errors("", &mut errors);
            errors.finish().unwrap();
        }
    }

    #[test]
    fn max_pages_default_five_equals_absent_but_not_null() {
        let absent = ParsingConfiguration::new;
        let unlimited = || absent().all_pages();
        let limit = |pages| absent().max_pages(pages);
        for (requested, created, agree) in [
            (absent(), absent(), true),
            (absent(), limit(5), true),
            (absent(), unlimited(), true),
            (absent(), limit(6), false),
            (unlimited(), unlimited(), true),
            (unlimited(), absent(), true),
            (unlimited(), limit(5), false),
            (limit(5), limit(5), true),
            (limit(5), absent(), true),
            (limit(5), unlimited(), false),
            (limit(6), limit(6), true),
            (limit(6), absent(), false),
            (limit(6), unlimited(), false),
        ] {
            assert_eq!(
                requested.agrees_with(&created),
                agree,
                "{requested:?} {created:?}"
            );
        }
    }

    #[test]
    fn parsing_configuration_server_defaults_are_not_a_difference() {
        let nothing = ParsingConfiguration::new();
        assert!(nothing.agrees_with(&ParsingConfiguration::new().lang("en").max_pages(5)));
        assert!(
            ParsingConfiguration::new()
                .target_pages([2, 0, 2])
                .agrees_with(&ParsingConfiguration::new().target_pages([0, 2]))
        );
        for other in [
            ParsingConfiguration::new().lang("de"),
            ParsingConfiguration::new().max_pages(6),
            ParsingConfiguration::new().target_pages([0]),
        ] {
            assert!(!nothing.agrees_with(&other), "{other:?}");
        }
    }
}
