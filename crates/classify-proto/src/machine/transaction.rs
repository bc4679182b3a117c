//! Transaction ids: derived from the content of a create, so that equal creates are one job.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::bulk::JournalHeader;
use crate::content_key::ContentKey;
use crate::v2::{Configuration, JobOptions, Mode};

/// Returns the transaction id of the create of a document's job. `classify`, bulk runs, pools and the command line use
/// it, so the same classification is created and charged once: in a retry, after a crash, in another program, on
/// another machine.
///
/// The id is a hash of
///
/// - the project (`None` is the key's own project),
/// - the configuration, or the id of a saved one, as given in `options`,
/// - the content, by its key,
/// - the run number: the number of earlier paid runs of the document, from 0.
///
/// The webhooks, headers, the document's name, the organization and the base URL are not part of it. Consequences:
///
/// - A second create with another webhook returns the first job, and the second webhook is not notified.
/// - A file that was renamed or moved is the same document. A changed byte makes it another document.
/// - A reworded rule leads to a new job, even if the result is the same. The order of rules counts.
/// - A saved configuration is identified by its id. If it was edited, earlier jobs have the earlier rules.
///
/// The function is frozen: every release returns the same id for the same arguments. The service's documentation does
/// not say how long an id is remembered; after that time the same create makes a new job.
///
/// ```
/// use classify_proto::machine::{ContentKey, transaction_id};
/// use classify_proto::v2::{Configuration, JobOptions, Rule};
///
/// let options = JobOptions::from(Configuration::new([Rule::new("invoice", "has an invoice number")]));
/// let id = transaction_id(None, &options, ContentKey::of(b"a document"), 0);
/// assert_eq!(id, "cr1-499e6013e382c4b15e62bc2a044653cced25f8cbbe4155a5599f4e2e3152f774");
/// ```
#[must_use]
pub fn transaction_id(
    project: Option<&str>,
    options: &JobOptions,
    content: ContentKey,
    run_number: u32,
) -> String {
    Fingerprint::new(project, options, None).transaction_id(content, run_number)
}

/// The part of every transaction id that comes from the run: project, rules, and the nonce of a fresh run.
///
/// Hashed field by field with lengths, and not as the journal's JSON: if the format of the journal changed, all
/// documents would be charged again. The tests below compare the ids with those of the first release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(header: &JournalHeader) -> Self {
        Self::of_parts(
            header.project.as_deref(),
            header.configuration.as_ref(),
            header.configuration_id.as_deref(),
            header.nonce.as_deref(),
        )
    }

    pub(super) fn new(project: Option<&str>, options: &JobOptions, nonce: Option<&str>) -> Self {
        let (configuration, id) = (&options.configuration, &options.configuration_id);
        Self::of_parts(project, configuration.as_deref(), id.as_deref(), nonce)
    }

    fn of_parts(
        project: Option<&str>,
        configuration: Option<&Configuration>,
        configuration_id: Option<&str>,
        nonce: Option<&str>,
    ) -> Self {
        let mut hash = FingerprintHasher(Sha256::new());
        hash.text(Some("classify-rs 1"));
        hash.text(project);
        hash.text(configuration_id);
        hash.text(nonce);
        hash.configuration(configuration);
        hash.unknown(configuration);
        Self(hash.0.finalize().into())
    }

    /// The transaction id of the create of a document's paid run with this number, from 0.
    pub(super) fn transaction_id(self, key: ContentKey, run_number: u32) -> String {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update(key.as_bytes())
            .chain_update(run_number.to_be_bytes())
            .finalize();
        let mut id = String::with_capacity(68);
        id.push_str("cr1-");
        for byte in digest {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

/// Hashes fields with their lengths. An absent field differs from an empty one.
struct FingerprintHasher(Sha256);

impl FingerprintHasher {
    fn text(&mut self, text: Option<&str>) {
        match text {
            None => self.0.update([0]),
            Some(text) => {
                self.0.update([1]);
                self.number(text.len());
                self.0.update(text);
            }
        }
    }

    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_be_bytes());
    }

    fn configuration(&mut self, configuration: Option<&Configuration>) {
        let Some(configuration) = configuration else {
            return self.0.update([0]);
        };
        self.0.update([1]);
        self.number(configuration.rules.len());
        for rule in &configuration.rules {
            self.text(Some(&rule.r#type));
            self.text(Some(&rule.description));
        }
        self.text(configuration.mode.as_ref().map(Mode::as_str));
        let parsing = configuration.parsing_configuration.as_ref();
        self.text(parsing.and_then(|parsing| parsing.lang.as_deref()));
        let max_pages = parsing.and_then(|parsing| parsing.max_pages);
        self.text(max_pages.map(|pages| pages.to_string()).as_deref());
        self.text(parsing.and_then(|parsing| parsing.target_pages.as_deref()));
    }

    /// Adds the fields of a configuration that this version does not know. Adds nothing if there are none.
    fn unknown(&mut self, configuration: Option<&Configuration>) {
        let Some(configuration) = configuration else {
            return;
        };
        self.extras("", configuration.extras());
        for (index, rule) in configuration.rules.iter().enumerate() {
            self.extras(&format!("rules[{index}]"), rule.extras());
        }
        if let Some(parsing) = &configuration.parsing_configuration {
            self.extras("parsing_configuration", parsing.extras());
        }
    }

    fn extras<'a>(&mut self, path: &str, extras: impl Iterator<Item = (&'a str, &'a Value)>) {
        for (name, value) in extras {
            self.text(Some(path));
            self.text(Some(name));
            self.text(Some(&value.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::{ParsingConfiguration, Rule};
    use std::collections::BTreeSet;

    fn rules() -> Configuration {
        Configuration::new([Rule::new("invoice", "has an invoice number")])
    }

    fn header(configuration: Option<Configuration>) -> JournalHeader {
        JournalHeader::new(None, configuration, None)
    }

    /// These ids are in use. If this test fails, every user who upgrades pays for every document again.
    #[test]
    fn idempotency_transaction_ids_are_stable_across_releases() {
        let key = ContentKey::of(b"a document");
        let full = JournalHeader {
            project: Some("p".into()),
            nonce: Some("n".into()),
            ..header(Some(
                rules().mode("FAST".into()).parsing_configuration(
                    ParsingConfiguration::new()
                        .lang("de")
                        .max_pages(5)
                        .target_pages("1-3"),
                ),
            ))
        };
        let saved = JournalHeader::new(Some("p".into()), None, Some("cfg-1".into()));
        for (header, run_number, id) in [
            (
                header(Some(rules())),
                0,
                "cr1-499e6013e382c4b15e62bc2a044653cced25f8cbbe4155a5599f4e2e3152f774",
            ),
            (
                header(Some(rules())),
                1,
                "cr1-7416e1334ea4014ab09c5af693478fb3214cd49408afe7015f19eb9ea693c66f",
            ),
            (
                full,
                0,
                "cr1-4d3eae0f9318d91b02697e44ac12a7a8f98ef151e239ce8e7420b2f49942ba30",
            ),
            (
                saved,
                0,
                "cr1-c944503e0f7217d4c254b92af0f47b27603262330803ef9a52aa5af29c15ad17",
            ),
        ] {
            assert_eq!(Fingerprint::of(&header).transaction_id(key, run_number), id);
        }
    }

    #[test]
    fn idempotency_transaction_id_depends_on_every_input() {
        let parsing = |parsing| Some(rules().parsing_configuration(parsing));
        let new = ParsingConfiguration::new;
        let headers = [
            header(Some(rules())),
            header(None),
            header(Some(Configuration::new([]))),
            header(Some(Configuration::new([Rule::new(
                "invoic",
                "ehas an invoice number",
            )]))),
            header(Some(rules().mode("FAST".into()))),
            header(parsing(new().lang("5"))),
            header(parsing(new().max_pages(5))),
            header(parsing(new().target_pages("5"))),
            JournalHeader {
                project: Some(String::new()),
                ..header(Some(rules()))
            },
            JournalHeader {
                project: Some("x".into()),
                ..header(Some(rules()))
            },
            JournalHeader {
                configuration_id: Some("x".into()),
                ..header(Some(rules()))
            },
            JournalHeader {
                nonce: Some("x".into()),
                ..header(Some(rules()))
            },
        ];
        let mut ids = BTreeSet::new();
        for header in &headers {
            for run_number in 0..2 {
                for content in ["a", "b"] {
                    let id = Fingerprint::of(header)
                        .transaction_id(ContentKey::of(content.as_bytes()), run_number);
                    assert_eq!(id.len(), 68);
                    assert!(ids.insert(id));
                }
            }
        }
    }

    #[test]
    fn idempotency_transaction_id_depends_on_unknown_fields() {
        let key = ContentKey::of(b"a document");
        let of = |text: &str| {
            let configuration = serde_json::from_str(text).unwrap();
            Fingerprint::of(&header(Some(configuration))).transaction_id(key, 0)
        };
        let ids = [
            r#"{"rules": [{"type": "a", "description": "b"}]}"#,
            r#"{"rules": [{"type": "a", "description": "b"}], "new": 1}"#,
            r#"{"rules": [{"type": "a", "description": "b"}], "new": 2}"#,
            r#"{"rules": [{"type": "a", "description": "b", "new": 1}]}"#,
            r#"{"rules": [{"type": "a", "description": "b"}], "parsing_configuration": {}}"#,
            r#"{"rules": [{"type": "a", "description": "b"}], "parsing_configuration": {"new": 1}}"#,
        ];
        let found: BTreeSet<_> = ids.map(of).into();
        // An empty object is equal to an absent one.
        assert_eq!(found.len(), ids.len() - 1, "{found:?}");
    }
}
