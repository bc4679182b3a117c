//! What a run must remember over a crash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::DocumentReport;
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::text::error_body::short;
use crate::text::json::describe;
use crate::v2::Configuration;

/// The version of the journal. A change that an older version could not read raises it.
const VERSION: u32 = 1;
/// The start of every journal.
const MAGIC: &[u8] = br#"{"record":"run""#;

/// One fact that must survive a crash: one line of the journal.
///
/// A driver appends it before it polls the machine again. A lost journal costs requests and never money, because
/// what a create is repeated under is made from the document's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// What run this is: the first line.
    Run(JournalHeader),
    /// The document was taken in.
    Planned {
        /// The document.
        key: ContentKey,
        /// What it is called.
        name: String,
        /// How many earlier runs of the document have been paid for.
        #[serde(rename = "attempt")]
        run_number: u32,
    },
    /// The document was uploaded.
    Uploaded {
        /// The document.
        key: ContentKey,
        /// The file.
        file_id: String,
    },
    /// The job was created: from here on the document is paid for.
    Created {
        /// The document.
        key: ContentKey,
        /// The job.
        job_id: String,
        /// What the create can be repeated under.
        transaction_id: String,
    },
    /// The run is through with the document.
    #[serde(rename = "settled")]
    Finished {
        /// The document.
        key: ContentKey,
        /// What became of it.
        report: DocumentReport,
    },
    /// The run came to its end and was not stopped before. What is asked for anew after this is another round.
    Ended,
}

impl Record {
    /// The record as one line of JSON, with its line break.
    #[must_use]
    pub fn to_line(&self) -> String {
        // No record holds what JSON cannot.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// What makes a run this run and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JournalHeader {
    pub(in crate::machine) v: u32,
    /// The service that jobs are created with; `None` in journals of versions that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The organization that jobs are created in, where one was named; `None` too in journals of versions that did not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The project that jobs are created in; `None` is the key's own.
    #[serde(default)]
    pub project: Option<String>,
    /// The rules.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// The saved configuration, in place of rules.
    #[serde(default)]
    pub configuration_id: Option<String>,
    /// What sets the run's jobs apart from those of other runs over the same documents; only of a fresh run.
    #[serde(default)]
    pub nonce: Option<String>,
}

impl JournalHeader {
    pub(in crate::machine) fn new(
        project: Option<String>,
        configuration: Option<Configuration>,
        configuration_id: Option<String>,
    ) -> Self {
        Self {
            v: VERSION,
            base_url: None,
            organization: None,
            project,
            configuration,
            configuration_id,
            nonce: None,
        }
    }

    /// What differs between the journal's run and another.
    pub(super) fn difference(&self, other: &JournalHeader) -> Option<String> {
        let differ = |what: &str, ours: &Option<String>, theirs: &Option<String>| {
            let name = |text: &Option<String>| {
                text.as_deref()
                    .map_or_else(|| "none".to_owned(), |text| format!("{:?}", short(text)))
            };
            (ours != theirs).then(|| {
                format!(
                    "{what}: {} in the journal, {} now",
                    name(ours),
                    name(theirs)
                )
            })
        };
        if let (Some(ours), Some(theirs)) = (&self.base_url, &other.base_url) {
            if service_of(ours) != service_of(theirs) {
                return Some(format!(
                    "base URL: {} in the journal, {} now",
                    short(ours),
                    short(theirs)
                ));
            }
        }
        if self.organization.is_some() {
            let (ours, theirs) = (&self.organization, &other.organization);
            if let Some(difference) = differ("organization", ours, theirs) {
                return Some(difference);
            }
        }
        if let Some(difference) = differ("project", &self.project, &other.project).or_else(|| {
            differ(
                "configuration_id",
                &self.configuration_id,
                &other.configuration_id,
            )
        }) {
            return Some(difference);
        }
        match (&self.configuration, &other.configuration) {
            (Some(ours), Some(theirs)) => rules_difference(ours, theirs),
            (None, None) => None,
            (Some(_), None) => Some("rules: given in the journal, not now".to_owned()),
            (None, Some(_)) => Some("rules: given now, not in the journal".to_owned()),
        }
    }
}

/// Returns the service behind a base URL. Services on this machine are the same: an emulator takes any free port.
fn service_of(base_url: &str) -> &str {
    if crate::api::is_local(base_url) {
        "this machine"
    } else {
        base_url
    }
}

fn rules_difference(ours: &Configuration, theirs: &Configuration) -> Option<String> {
    let find = |configuration: &Configuration, kind: &str| {
        configuration
            .rules
            .iter()
            .find(|rule| rule.r#type == kind)
            .map(|rule| rule.description.clone())
    };
    for rule in &ours.rules {
        match find(theirs, &rule.r#type) {
            None => {
                return Some(format!(
                    "rules: {:?} is in the journal and not in the rules now",
                    short(&rule.r#type)
                ));
            }
            Some(description) if description != rule.description => {
                return Some(format!(
                    "rules: {:?} is described otherwise now",
                    short(&rule.r#type)
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(new) = theirs
        .rules
        .iter()
        .find(|rule| find(ours, &rule.r#type).is_none())
    {
        return Some(format!(
            "rules: {:?} is in the rules now and not in the journal",
            short(&new.r#type)
        ));
    }
    ours.difference(theirs).map(|field| match field {
        "rules" => "rules: their order is another".to_owned(),
        field => format!("{field} is another"),
    })
}

/// What a journal says of a run, read back.
///
/// ```
/// use classify_proto::machine::Journal;
///
/// // Read as bytes, because a crash may have torn the last line in the middle of a character.
/// let text = br#"{"record":"run","v":1,"project":null}
/// {"record":"planned","key":"0000000000000000000000000000000000000000000000000000000000000000","na"#;
/// let (journal, complete_bytes) = Journal::read(text)?;
/// assert!(journal.is_begun());
/// assert_eq!(complete_bytes, 38); // cut the file here before appending to it
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub(super) header: Option<JournalHeader>,
    pub(super) entries: BTreeMap<ContentKey, JournalEntry>,
    /// Nothing was recorded since the run came to its end.
    pub(super) is_ended: bool,
    lines: u64,
}

/// What is known of one document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct JournalEntry {
    pub(super) run_number: u32,
    pub(super) file_id: Option<String>,
    pub(super) job_id: Option<String>,
    pub(super) report: Option<DocumentReport>,
    /// The run has not come to its end since it finished, or since its next run was planned.
    pub(super) is_of_this_pass: bool,
}

impl JournalEntry {
    /// Removes a report without a job: a copy of the document was sent after it, and may have a paid job.
    fn reopen(&mut self) {
        self.report = self
            .report
            .take()
            .filter(|report| report.status.has_result() || report.job_id.is_some());
    }
}

impl Journal {
    /// A journal without a line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a whole journal, and says how many of its bytes are sound.
    ///
    /// A last line without its line break was torn by a crash and does not count; the file is to be cut before
    /// anything is appended to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State), naming the line, if any other line cannot be read, or if the text is
    /// not a journal.
    pub fn read(text: &[u8]) -> Result<(Self, usize), Error> {
        let mut journal = Self::new();
        let mut complete_bytes = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                journal.end(line)?;
                break;
            };
            journal.push_line(line)?;
            complete_bytes += line.len() + 1;
        }
        Ok((journal, complete_bytes))
    }

    /// Ends a journal that is read line by line with what follows the last line break, which is not taken in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if there was no line and `rest` cannot be the start of a journal: the
    /// file is something else, and must not be cut.
    pub fn end(&self, rest: &[u8]) -> Result<(), Error> {
        let may_be_journal = MAGIC.starts_with(rest) || rest.starts_with(MAGIC);
        if self.lines > 0 || may_be_journal {
            return Ok(());
        }
        Err(Error::state(
            "the file is not a journal; it was not changed",
        ))
    }

    /// Takes in the next whole line, without its line break.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn push_line(&mut self, line: &[u8]) -> Result<(), Error> {
        self.lines += 1;
        let invalid_line =
            |what: String| Error::state(format!("line {} of the journal {what}", self.lines));
        let record: Record = serde_json::from_slice(line)
            .map_err(|error| invalid_line(format!("cannot be read: {}", describe(&error))))?;
        match (&self.header, record) {
            (None, Record::Run(header)) if header.v == VERSION => self.header = Some(header),
            (None, Record::Run(header)) => {
                return Err(invalid_line(format!(
                    "has version {}; this program reads version {VERSION}",
                    header.v
                )));
            }
            (None, _) => {
                return Err(invalid_line(
                    "should say what run it is of; the file is not a journal".to_owned(),
                ));
            }
            (Some(_), Record::Run(_)) => {
                return Err(invalid_line(
                    "begins another run; two runs share one file".to_owned(),
                ));
            }
            (Some(_), record) => self.apply(record),
        }
        Ok(())
    }

    fn apply(&mut self, record: Record) {
        self.is_ended = record == Record::Ended;
        match record {
            Record::Run(_) => {}
            Record::Ended => {
                for entry in self.entries.values_mut() {
                    entry.is_of_this_pass = false;
                }
            }
            Record::Planned {
                key, run_number, ..
            } => {
                let entry = self.entries.entry(key).or_default();
                if run_number > entry.run_number {
                    *entry = JournalEntry {
                        run_number,
                        is_of_this_pass: true,
                        ..JournalEntry::default()
                    };
                }
                entry.reopen();
            }
            Record::Uploaded { key, file_id } => {
                let entry = self.entries.entry(key).or_default();
                entry.file_id = Some(file_id);
                entry.reopen();
            }
            Record::Created { key, job_id, .. } => {
                let entry = self.entries.entry(key).or_default();
                entry.job_id = Some(job_id);
                entry.reopen();
            }
            Record::Finished { key, report } => {
                let entry = self.entries.entry(key).or_default();
                // A report of a job is not replaced by one without: a copy may be unreadable, or its create refused.
                // The document would be paid for again if a failed job of this round were taken for an earlier one.
                let rank =
                    |report: &DocumentReport| (report.status.has_result(), report.job_id.is_some());
                if entry.report.as_ref().map(rank) <= Some(rank(&report)) {
                    entry.report = Some(report);
                }
                entry.is_of_this_pass = true;
            }
        }
    }

    /// Whether there is a run to go on with.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.header.is_some()
    }

    /// Whether the run has come to its end, with nothing recorded since: it was not stopped, and no process died.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// What run it is of; `None` of a journal without a line.
    #[must_use]
    pub fn header(&self) -> Option<&JournalHeader> {
        self.header.as_ref()
    }

    /// What became of a document; `None` of one that is not settled.
    #[must_use]
    pub fn report(&self, key: ContentKey) -> Option<&DocumentReport> {
        self.entries
            .get(&key)
            .and_then(|entry| entry.report.as_ref())
    }

    /// How many documents it knows, and how many of them are settled.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (
            self.entries.len(),
            self.entries
                .values()
                .filter(|entry| entry.report.is_some())
                .count(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::bulk::report::DocumentStatus;
    use crate::v2::Rule;
    use proptest::prelude::*;

    fn header(rules: &[(&str, &str)]) -> JournalHeader {
        let rules = rules
            .iter()
            .map(|(kind, description)| Rule::new(*kind, *description));
        JournalHeader::new(Some("p".into()), Some(Configuration::new(rules)), None)
    }

    fn records() -> Vec<Record> {
        let key = ContentKey::of(b"a");
        vec![
            Record::Run(header(&[("a", "description")])),
            Record::Planned {
                key,
                name: "ä.txt".into(),
                run_number: 0,
            },
            Record::Uploaded {
                key,
                file_id: "dfl-1".into(),
            },
            Record::Created {
                key,
                job_id: "clj-1".into(),
                transaction_id: "t".into(),
            },
            Record::Finished {
                key,
                report: DocumentReport::new(DocumentStatus::Completed),
            },
        ]
    }

    #[test]
    fn journal_records_round_trip() {
        let text: String = records().iter().map(Record::to_line).collect();
        let (journal, complete_bytes) = Journal::read(text.as_bytes()).unwrap();
        assert_eq!(complete_bytes, text.len());
        assert_eq!(journal.counts(), (1, 1));
        assert_eq!(journal.header(), Some(&header(&[("a", "description")])));
        let report = journal.report(ContentKey::of(b"a")).unwrap();
        assert_eq!(report.status, DocumentStatus::Completed);
        assert!(journal.report(ContentKey::of(b"b")).is_none());
        let entry = &journal.entries[&ContentKey::of(b"a")];
        assert_eq!(
            (entry.file_id.as_deref(), entry.job_id.as_deref()),
            (Some("dfl-1"), Some("clj-1"))
        );
        for record in records() {
            assert_eq!(
                serde_json::from_str::<Record>(&record.to_line()).unwrap(),
                record
            );
        }
    }

    #[test]
    fn journal_result_is_replaced_only_by_next_run_number() {
        let key = ContentKey::of(b"a");
        let settled = |status| Record::Finished {
            key,
            report: DocumentReport::new(status),
        };
        let mut records = records();
        records.push(settled(DocumentStatus::Error));
        let status = |records: &[Record]| {
            let text: String = records.iter().map(Record::to_line).collect();
            let (journal, _) = Journal::read(text.as_bytes()).unwrap();
            journal.report(key).map(|report| report.status.clone())
        };
        assert_eq!(status(&records), Some(DocumentStatus::Completed));
        records.push(Record::Planned {
            key,
            name: "a".into(),
            run_number: 1,
        });
        assert_eq!(status(&records), None);
        records.push(settled(DocumentStatus::Failed));
        assert_eq!(status(&records), Some(DocumentStatus::Failed));
    }

    #[test]
    fn journal_error_without_job_is_replaced_by_job_but_not_vice_versa() {
        let key = ContentKey::of(b"a");
        let refused = || Record::Finished {
            key,
            report: DocumentReport::new(DocumentStatus::Error),
        };
        let failed = || Record::Finished {
            key,
            report: DocumentReport {
                job_id: Some("clj-1".into()),
                ..DocumentReport::new(DocumentStatus::Failed)
            },
        };
        // The header, planned, uploaded and created.
        let records = |last: &[Record]| [&records()[..4], last].concat();
        let status = |records: &[Record]| {
            let text: String = records.iter().map(Record::to_line).collect();
            let (journal, _) = Journal::read(text.as_bytes()).unwrap();
            journal.report(key).map(|report| report.status.clone())
        };
        let job = records(&[failed(), refused()]);
        assert_eq!(status(&job), Some(DocumentStatus::Failed));
        let job = records(&[refused(), failed()]);
        assert_eq!(status(&job), Some(DocumentStatus::Failed));
        // A copy of the document was sent after the refusal.
        for sent in &records(&[])[1..] {
            let open = records(&[refused(), sent.clone()]);
            assert_eq!(status(&open), None, "{sent:?}");
            let job = records(&[failed(), sent.clone()]);
            assert_eq!(status(&job), Some(DocumentStatus::Failed), "{sent:?}");
        }
    }

    #[test]
    fn journal_torn_last_line_is_ignored() {
        let text: String = records().iter().map(Record::to_line).collect();
        let ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        for cut in 0..text.len() {
            let (_, complete_bytes) = Journal::read(&text.as_bytes()[..cut]).unwrap();
            assert_eq!(
                complete_bytes,
                ends.iter()
                    .copied()
                    .filter(|end| *end <= cut)
                    .max()
                    .unwrap_or(0)
            );
        }
    }

    #[test]
    fn journal_error_names_line_version_or_second_header() {
        let mut lines: Vec<_> = records().iter().map(Record::to_line).collect();
        lines.insert(2, "{\"record\":\"plan\n".to_owned());
        let error = Journal::read(lines.concat().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        for (text, word) in [
            ("{\"record\":\"uploaded\",\"key\":\"x\"}\n", "line 1"),
            ("{\"record\":\"run\",\"v\":9}\n", "version 9"),
            ("hello\n", "line 1"),
        ] {
            assert!(
                Journal::read(text.as_bytes())
                    .unwrap_err()
                    .to_string()
                    .contains(word)
            );
        }
        let twice = records()[0].to_line().repeat(2);
        assert!(
            Journal::read(twice.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("another run")
        );
    }

    #[test]
    fn journal_header_difference_names_changed_setting() {
        let ours = header(&[("a", "one"), ("b", "two")]);
        for (theirs, word) in [
            (header(&[("a", "one")]), "\"b\" is in the journal"),
            (
                header(&[("a", "one"), ("b", "three")]),
                "\"b\" is described otherwise",
            ),
            (
                header(&[("a", "one"), ("b", "two"), ("c", "x")]),
                "\"c\" is in the rules now",
            ),
            (header(&[("b", "two"), ("a", "one")]), "order"),
            (
                JournalHeader {
                    project: None,
                    ..ours.clone()
                },
                "project: \"p\" in the journal, none now",
            ),
            (
                JournalHeader {
                    configuration_id: Some("cfg-1".into()),
                    ..ours.clone()
                },
                "configuration_id",
            ),
            (
                JournalHeader {
                    configuration: None,
                    ..ours.clone()
                },
                "not now",
            ),
        ] {
            let difference = ours.difference(&theirs).unwrap();
            assert!(difference.contains(word), "{difference}");
        }
        assert_eq!(
            ours.difference(&JournalHeader {
                nonce: Some("n".into()),
                ..ours.clone()
            }),
            None
        );
    }

    #[test]
    fn journal_header_organization_is_compared_if_recorded() {
        let of = |organization: Option<&str>| JournalHeader {
            organization: organization.map(str::to_owned),
            ..header(&[("a", "one")])
        };
        for (ours, theirs) in [(Some("o"), Some("o")), (None, Some("o")), (None, None)] {
            assert_eq!(of(ours).difference(&of(theirs)), None);
        }
        for theirs in [Some("p"), None] {
            let difference = of(Some("o")).difference(&of(theirs)).unwrap();
            assert!(difference.contains("organization"), "{difference}");
        }
        let old: JournalHeader = serde_json::from_str(r#"{"v":1,"project":"p"}"#).unwrap();
        assert_eq!(old.organization, None);
        assert!(
            !serde_json::to_string(&old)
                .unwrap()
                .contains("organization")
        );
    }

    #[test]
    fn journal_header_base_url_is_compared_but_loopback_port_ignored() {
        let at = |base_url: Option<&str>| JournalHeader {
            base_url: base_url.map(str::to_owned),
            ..header(&[("a", "one")])
        };
        let (na, eu) = (Some("https://na.example"), Some("https://eu.example"));
        let local = Some("http://127.0.0.1:1234");
        for (ours, theirs) in [
            (na, na),
            (None, na),
            (na, None),
            (local, Some("http://localhost:99")),
            (local, Some("http://[::1]")),
            (local, Some("http://127.1:99")),
        ] {
            assert_eq!(
                at(ours).difference(&at(theirs)),
                None,
                "{ours:?} {theirs:?}"
            );
        }
        for (ours, theirs) in [
            (na, eu),
            (local, na),
            (na, Some("https://na.example/other")),
        ] {
            let difference = at(ours).difference(&at(theirs)).unwrap();
            assert!(difference.contains("base URL"), "{difference}");
            assert!(difference.contains(theirs.unwrap()), "{difference}");
        }
        // A journal that does not tell is read, and none tells where there is nothing to tell.
        let old: JournalHeader = serde_json::from_str(r#"{"v":1,"project":"p"}"#).unwrap();
        assert_eq!(old.base_url, None);
        assert!(!serde_json::to_string(&old).unwrap().contains("base_url"));
    }

    proptest! {
        #[test]
        fn journal_read_of_any_bytes_does_not_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Journal::read(&text);
        }
    }
}
