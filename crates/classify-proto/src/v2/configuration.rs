//! Rules and other settings of a classification.

use crate::error::Error;
use crate::page_ranges::PageRanges;
use crate::text::open_enum::open_enum;
use crate::text::quoted;
use crate::text::response_object::response_object;
use crate::validation::ValidationErrors;

open_enum! {
    /// How documents are parsed.
    pub enum Mode {
        /// Fast parsing: the only mode of v2, and the default.
        Fast = "FAST",
    }
}

response_object! {
    /// A document type and how to recognize it.
    #[derive(Eq, Hash, Default)]
    pub struct Rule {
        /// The type assigned to a document that matches: 1 to 50 letters, digits, spaces, `-` and `_`, different from
        /// the types of the other rules.
        defaulted r#type: String,
        /// A description in natural language of documents of this type: 10 to 2000 characters.
        defaulted description: String,
    }
}

impl Rule {
    /// Creates a rule that assigns `type` to documents that match `description`. [`Configuration::validate`] checks
    /// both.
    #[must_use]
    pub fn new(r#type: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            r#type: r#type.into(),
            description: description.into(),
            ..Self::default()
        }
    }
}

// The fields of this type and of `Configuration` are strict: they are compared with the request, and a value that could
// not be parsed must not pass for an absent one.
response_object! {
    /// The pages of a document that are parsed, and its language.
    #[derive(Eq, Hash, Default)]
    pub struct ParsingConfiguration {
        /// The document's language as an ISO 639-1 code. `en` if absent.
        strict lang: String,
        /// Maximum number of pages to parse, at least 1. All pages if absent.
        strict max_pages: u32,
        /// Pages to parse, 1-based, such as `1,3,5-7`. All pages if absent. [`PageRanges`] parses and formats it.
        strict target_pages: String,
    }
}

impl ParsingConfiguration {
    /// Creates a value without any field: the service uses its defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the document's language, an ISO 639-1 code such as `de`.
    #[must_use]
    pub fn lang(mut self, code: impl Into<String>) -> Self {
        self.lang = Some(code.into());
        self
    }

    /// Sets the maximum number of pages to parse, at least 1.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }

    /// Sets the pages to parse, 1-based, such as `1,3,5-7`.
    #[must_use]
    pub fn target_pages(mut self, pages: impl Into<String>) -> Self {
        self.target_pages = Some(pages.into());
        self
    }
}

response_object! {
    /// The rules of a classification and how documents are parsed.
    ///
    /// Responses repeat it in every job, so equal ones share one `Arc`. If a configuration from a response is sent
    /// again or saved, fields that this version does not know are sent as well.
    ///
    /// ```
    /// use classify_proto::v2::{Configuration, ParsingConfiguration, Rule};
    ///
    /// let rules = Configuration::new([
    ///     Rule::new("invoice", "has an invoice number, line items and a total amount"),
    ///     Rule::new("contract", "is an agreement that two parties sign"),
    /// ])
    /// .parsing_configuration(ParsingConfiguration::new().max_pages(3));
    /// rules.validate()?;
    /// # Ok::<(), classify_proto::Error>(())
    /// ```
    #[derive(Eq, Hash, Default)]
    pub struct Configuration {
        /// The rules, at least one. The best match decides.
        defaulted rules: Vec<Rule>,
        /// How documents are parsed. FAST if absent.
        strict mode: Mode,
        /// The pages to parse and the language. All pages and `en` if absent.
        strict parsing_configuration: ParsingConfiguration,
    }
}

impl Configuration {
    /// Creates a configuration with these rules and the service's defaults.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Sets how documents are parsed.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Sets the pages to parse and the language.
    #[must_use]
    pub fn parsing_configuration(mut self, parsing: ParsingConfiguration) -> Self {
        self.parsing_configuration = Some(parsing);
        self
    }

    /// Validates the configuration against the service's published limits.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming each invalid field: no rule, a type that is not 1 to 50 letters,
    /// digits, spaces, `-` and `_` or occurs twice, a description that is not 10 to 2000 characters, invalid pages.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        self.collect_errors("configuration", &mut errors);
        errors.finish()
    }

    pub(crate) fn collect_errors(&self, path: &str, errors: &mut ValidationErrors) {
        if self.rules.is_empty() {
            errors.add(
                format!("{path}.rules"),
                "is empty; at least one rule is required",
            );
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let kind = &rule.r#type;
            errors.length(format_args!("{path}.rules[{index}].type"), kind, 1, 50);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_".contains(&byte);
            let stray = (!kind.bytes().all(is_plain)).then(|| {
                kind.chars()
                    .find(|c| !(c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')))
            });
            if let Some(stray) = stray.flatten() {
                errors.add(
                    format_args!("{path}.rules[{index}].type"),
                    format!(
                        "contains {stray:?}; only letters, digits, spaces, - and _ are allowed"
                    ),
                );
            }
            if let Some(first) = self.rules[..index]
                .iter()
                .position(|other| other.r#type == *kind)
            {
                errors.add(
                    format_args!("{path}.rules[{index}].type"),
                    format!(
                        "is {}, as in rules[{first}]; types must differ",
                        quoted(kind)
                    ),
                );
            }
            errors.length(
                format_args!("{path}.rules[{index}].description"),
                &rule.description,
                10,
                2000,
            );
        }
        let Some(parsing) = &self.parsing_configuration else {
            return;
        };
        let path = format!("{path}.parsing_configuration");
        if parsing.max_pages == Some(0) {
            errors.add(
                format!("{path}.max_pages"),
                "is 0; omit it to read all pages",
            );
        }
        if let Some(Err(error)) = parsing
            .target_pages
            .as_deref()
            .map(str::parse::<PageRanges>)
        {
            for found in error.field_errors() {
                errors.add(format!("{path}.{}", found.field), &*found.message);
            }
        }
    }

    /// The first difference between this requested configuration and that of a job.
    ///
    /// A value that was not requested cannot differ: the service fills in defaults, and may change them.
    pub(crate) fn difference(&self, made_with: &Configuration) -> Option<&'static str> {
        let same = |left: &str, right: &str| left.trim() == right.trim();
        let rules_agree = self.rules.len() == made_with.rules.len()
            && self
                .rules
                .iter()
                .zip(&made_with.rules)
                .all(|(asked, made)| {
                    same(&asked.r#type, &made.r#type) && same(&asked.description, &made.description)
                });
        if !rules_agree {
            return Some("rules");
        }
        let other_mode = |asked: &Mode| *asked != *made_with.mode.as_ref().unwrap_or(&Mode::Fast);
        if self.mode.as_ref().is_some_and(other_mode) {
            return Some("mode");
        }
        let asked = self.parsing_configuration.as_ref()?;
        let default_parsing = ParsingConfiguration::default();
        let made = made_with
            .parsing_configuration
            .as_ref()
            .unwrap_or(&default_parsing);
        let other_lang = |asked: &str| asked != made.lang.as_deref().unwrap_or("en");
        if asked.lang.as_deref().is_some_and(other_lang) {
            return Some("lang");
        }
        if asked.max_pages.is_some() && asked.max_pages != made.max_pages {
            return Some("max_pages");
        }
        let other_pages = |asked: &str| {
            !made
                .target_pages
                .as_deref()
                .is_some_and(|made| same_pages(asked, made))
        };
        asked
            .target_pages
            .as_deref()
            .is_some_and(other_pages)
            .then_some("target_pages")
    }
}

/// Whether two texts select the same pages, even if they are written differently.
fn same_pages(asked: &str, made: &str) -> bool {
    let read = |text: &str| text.parse::<PageRanges>().map(|pages| pages.normalized());
    asked == made || matches!((read(asked), read(made)), (Ok(asked), Ok(made)) if asked == made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(r#type: &str) -> Rule {
        Rule::new(r#type, "contains an invoice number")
    }

    fn errors(configuration: &Configuration) -> Vec<String> {
        configuration
            .validate()
            .unwrap_err()
            .field_errors()
            .iter()
            .map(|found| found.field.clone())
            .collect()
    }

    #[test]
    fn validation_configuration_errors_name_field() {
        assert_eq!(errors(&Configuration::new([])), ["configuration.rules"]);
        let configuration = Configuration::new([
            rule(""),
            rule("a/b"),
            rule(&"x".repeat(51)),
            rule("same"),
            rule("same"),
            Rule::new("short", "too short"),
            Rule::new("long", "x".repeat(2001)),
        ])
        .parsing_configuration(ParsingConfiguration::new().max_pages(0).target_pages("3-1"));
        assert_eq!(
            errors(&configuration),
            [
                "configuration.rules[0].type",
                "configuration.rules[1].type",
                "configuration.rules[2].type",
                "configuration.rules[4].type",
                "configuration.rules[5].description",
                "configuration.rules[6].description",
                "configuration.parsing_configuration.max_pages",
                "configuration.parsing_configuration.target_pages",
            ]
        );
    }

    #[test]
    fn validation_configuration_accepts_limit_boundaries() {
        Configuration::new([
            Rule::new("a", "x".repeat(10)),
            Rule::new("Z9 -_".repeat(10), "ü".repeat(2000)),
            Rule::new("résumé", "a curriculum vitae"),
        ])
        .parsing_configuration(
            ParsingConfiguration::new()
                .max_pages(1)
                .target_pages("1,3,5-7"),
        )
        .validate()
        .unwrap();
    }

    #[test]
    fn configuration_server_defaults_are_not_a_difference() {
        let asked = Configuration::new([rule("invoice")]);
        let made: Configuration = serde_json::from_str(
            r#"{"rules": [{"type": "invoice", "description": "contains an invoice number "}], "mode": "FAST", "parsing_configuration": {"lang": "en"}}"#,
        )
        .unwrap();
        assert_eq!(asked.difference(&made), None);
        // So is a future default: values that were not requested are chosen by the service.
        let defaults = made.clone().mode("AUTO".into()).parsing_configuration(
            ParsingConfiguration::new()
                .lang("auto")
                .max_pages(50)
                .target_pages("1-50"),
        );
        assert_eq!(asked.difference(&defaults), None);
        let asked = asked.parsing_configuration(ParsingConfiguration::new().target_pages("2,1"));
        let made = made.parsing_configuration(ParsingConfiguration::new().target_pages("1-2"));
        assert_eq!(asked.difference(&made), None);
    }

    #[test]
    fn configuration_difference_names_field() {
        let asked = Configuration::new([rule("invoice")])
            .mode(Mode::Fast)
            .parsing_configuration(
                ParsingConfiguration::new()
                    .lang("en")
                    .max_pages(3)
                    .target_pages("2"),
            );
        let parsing = |parsing| asked.clone().parsing_configuration(parsing);
        let same = || asked.parsing_configuration.clone().unwrap();
        let mut all = same();
        all.max_pages = None;
        for (made, difference) in [
            (Configuration::new([rule("receipt")]), "rules"),
            (
                Configuration::new([rule("invoice"), rule("receipt")]),
                "rules",
            ),
            (asked.clone().mode("MULTIMODAL".into()), "mode"),
            (parsing(same().lang("de")), "lang"),
            (parsing(same().max_pages(5)), "max_pages"),
            (parsing(all), "max_pages"),
            (parsing(same().target_pages("1")), "target_pages"),
        ] {
            assert_eq!(asked.difference(&made), Some(difference));
        }
    }

    /// Reading, editing and saving a configuration keeps the fields that this version does not know.
    #[test]
    fn configuration_unknown_fields_round_trip_at_every_depth() {
        let given = serde_json::json!({
            "rules": [{"type": "a", "description": "b", "examples": ["x"]}, {"type": "c", "description": "d"}],
            "mode": "FAST",
            "parsing_configuration": {"lang": "en", "tier": {"of": "tomorrow"}},
            "version": 3,
        });
        let read: Configuration = serde_json::from_value(given.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), given);
        let read = read.parsing_configuration.unwrap();
        assert_eq!(read.extra("tier").unwrap()["of"], "tomorrow");
    }

    #[test]
    fn configuration_required_fields_may_be_null_in_response() {
        for text in ["{}", r#"{"rules":null}"#] {
            let read: Configuration = serde_json::from_str(text).unwrap();
            assert_eq!(read, Configuration::default());
        }
        let read: Rule = serde_json::from_str(r#"{"type":null}"#).unwrap();
        assert_eq!(read, Rule::default());
        // It is compared with the request, so it is parsed completely or not at all.
        for text in [
            r#"{"rules":7}"#,
            r#"{"rules":[{"type":7}]}"#,
            r#"{"mode":7}"#,
            r#"{"parsing_configuration":{"max_pages":"x"}}"#,
        ] {
            let job = format!(r#"{{"id":"1","status":"PENDING","configuration":{text}}}"#);
            let job: crate::v2::Job = crate::text::lenient::read(job.as_bytes()).unwrap();
            assert_eq!(job.configuration, None, "{text}");
            assert!(job.extra("configuration").is_some(), "{text}");
        }
    }
}
