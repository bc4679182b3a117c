//! The journal: what a run must know after a crash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::report::DocumentReport;
use crate::content_key::{ContentHasher, ContentKey};
use crate::error::Error;
use crate::text::error_body::short;
use crate::text::json::describe;
use crate::v2::Configuration;

/// The format version. It is raised by any change that older versions could not read.
const VERSION: u32 = 1;
/// The first bytes of every journal.
const MAGIC: &[u8] = br#"{"record":"run""#;

/// One line of the journal: a fact that must survive a crash.
///
/// Append it before polling the machine again. Losing a journal costs requests and no money, because the transaction id
/// of a create is derived from the document's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// The first line: identifies the run.
    Run(JournalHeader),
    /// The content of a source with a version was hashed, so that a resumed run need not read it. The driver writes this
    /// record, and no request depends on it.
    Hashed {
        /// The hash of the content.
        key: ContentKey,
        /// The name of the [`ContentSource`](crate::ContentSource).
        name: String,
        /// The version of the content that was hashed.
        version: String,
    },
    /// The document was added to the run.
    Planned {
        /// The hash of the document's content.
        key: ContentKey,
        /// The document's name.
        name: String,
        /// Number of paid runs of the document before this one.
        #[serde(rename = "attempt")]
        run_number: u32,
    },
    /// The document was uploaded.
    Uploaded {
        /// The hash of the document's content.
        key: ContentKey,
        /// The id of the file (`dfl-…`).
        file_id: String,
    },
    /// The job was created. From here on, the document is charged.
    Created {
        /// The hash of the document's content.
        key: ContentKey,
        /// The id of the job (`clj-…`).
        job_id: String,
        /// The transaction id of the create.
        transaction_id: String,
    },
    /// The document has its final report of this run.
    #[serde(rename = "settled")]
    Finished {
        /// The hash of the document's content.
        key: ContentKey,
        /// The status, the result and the ids of the document.
        report: DocumentReport,
    },
    /// The run ended without having been stopped. Documents classified again after this belong to the next pass.
    Ended,
}

impl Record {
    /// Returns the record as one line of JSON, including the line break.
    #[must_use]
    pub fn to_line(&self) -> String {
        // No record contains a value that JSON cannot represent.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// The settings that identify a run. A journal can only be resumed with equal settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JournalHeader {
    pub(in crate::machine) v: u32,
    /// The base URL of the service; `None` in journals of versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The organization; `None` if none was set, and in journals of versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The project; `None` if the project is the key's default.
    #[serde(default)]
    pub project: Option<String>,
    /// The rules; `None` if the run uses a saved configuration.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// The id of the saved configuration (`cfg-…`), in place of rules.
    #[serde(default)]
    pub configuration_id: Option<String>,
    /// Distinguishes the jobs of a [fresh](crate::v2::JobOptions::fresh) run from those of other runs over the same
    /// documents; `None` for other runs.
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

    /// Describes the first difference between the journal's run and another.
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

/// The service behind a base URL. All services on this machine are equal: an emulator takes any free port.
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
                    "rules: {:?} has another description now",
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
        "rules" => "rules: the order differs".to_owned(),
        field => format!("{field} differs"),
    })
}

/// The content of a journal, for [`Bulk::with_journal`](super::Bulk::with_journal).
///
/// ```
/// use classify_proto::machine::Journal;
///
/// // Bytes, because a crash may have cut the last line inside a character.
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
    /// No record follows the end of the run.
    pub(super) is_ended: bool,
    known_keys: KnownKeys,
    lines: u64,
}

/// The hashes of sources, by name and version, from the [`Hashed`](Record::Hashed) records of a journal.
///
/// ```
/// use classify_proto::machine::{ContentKey, KnownKeys};
///
/// let mut known = KnownKeys::default();
/// let key = ContentKey::of(b"a document");
/// known.insert("s3://bucket/a.pdf", "etag 10", key);
/// assert_eq!(known.get("s3://bucket/a.pdf", "etag 10"), Some(key));
/// assert_eq!(known.get("s3://bucket/a.pdf", "other 10"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct KnownKeys(BTreeMap<ContentKey, ContentKey>);

impl KnownKeys {
    /// Adds the hash of a source.
    pub fn insert(&mut self, name: &str, version: &str, key: ContentKey) {
        self.0.insert(Self::index(name, version), key);
    }

    /// Returns the hash of a source; `None` if this version was not read before.
    #[must_use]
    pub fn get(&self, name: &str, version: &str) -> Option<ContentKey> {
        self.0.get(&Self::index(name, version)).copied()
    }

    /// Returns the number of sources, in all their versions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if no source is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A hash instead of both texts, which keeps a million sources below 100 MB.
    fn index(name: &str, version: &str) -> ContentKey {
        let mut hasher = ContentHasher::new();
        hasher.update(&(name.len() as u64).to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update(version.as_bytes());
        hasher.finish()
    }
}

/// The journal's records of one document.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct JournalEntry {
    pub(super) run_number: u32,
    pub(super) file_id: Option<String>,
    pub(super) job_id: Option<String>,
    pub(super) report: Option<DocumentReport>,
    /// The run has not ended since the document finished, or since its next paid run was planned.
    pub(super) is_of_this_pass: bool,
}

impl JournalEntry {
    /// Removes a report without a job: a duplicate was sent after it, and may have a paid job.
    fn reopen(&mut self) {
        self.report = self
            .report
            .take()
            .filter(|report| report.status.has_result() || report.job_id.is_some());
    }
}

impl Journal {
    /// Creates an empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a whole journal. Returns it with the length in bytes of its complete lines.
    ///
    /// A last line without a line break was cut by a crash and is ignored. Truncate the file to the returned length
    /// before appending to it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if the text is not a journal, or if any other line cannot be
    /// parsed; the error names the line.
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

    /// Checks the end of a journal that is read line by line. `rest` is the text after the last line break; it is
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) if there was no line and `rest` cannot be the start of a journal:
    /// the file is something else and must not be truncated.
    pub fn end(&self, rest: &[u8]) -> Result<(), Error> {
        let may_be_journal = MAGIC.starts_with(rest) || rest.starts_with(MAGIC);
        if self.lines > 0 || may_be_journal {
            return Ok(());
        }
        Err(Error::state(
            "the file is not a journal; it was not changed",
        ))
    }

    /// Parses the next complete line, without its line break.
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
                    "is not the header of a run; the file is not a journal".to_owned(),
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
        // The run may have ended although a source was hashed since.
        if !matches!(record, Record::Hashed { .. }) {
            self.is_ended = record == Record::Ended;
        }
        match record {
            Record::Run(_) => {}
            Record::Hashed { key, name, version } => self.known_keys.insert(&name, &version, key),
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
                // A report with a job is not replaced by one without a job: a duplicate may be unreadable, or its
                // create rejected. If a failed job of this pass were taken for an earlier one, the document would be
                // charged again.
                let rank =
                    |report: &DocumentReport| (report.status.has_result(), report.job_id.is_some());
                if entry.report.as_ref().map(rank) <= Some(rank(&report)) {
                    entry.report = Some(report);
                }
                entry.is_of_this_pass = true;
            }
        }
    }

    /// Returns `true` if there is a run to resume.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.header.is_some()
    }

    /// Returns `true` if the run ended and nothing was recorded since: it was not stopped, and no process crashed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Returns the settings of the run; `None` if the journal is empty.
    #[must_use]
    pub fn header(&self) -> Option<&JournalHeader> {
        self.header.as_ref()
    }

    /// Returns the report of a document; `None` if the document has no final report.
    #[must_use]
    pub fn report(&self, key: ContentKey) -> Option<&DocumentReport> {
        self.entries
            .get(&key)
            .and_then(|entry| entry.report.as_ref())
    }

    /// Returns the hashes of sources that earlier processes have read, and removes them from the journal. A driver looks
    /// a source up before it reads it.
    #[must_use]
    pub fn take_known_keys(&mut self) -> KnownKeys {
        std::mem::take(&mut self.known_keys)
    }

    /// Returns the number of documents in the journal, and how many of them have a final report.
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
    fn journal_hashed_sources_are_known_by_name_and_version_and_leave_run_ended() {
        let key = ContentKey::of(b"a");
        let hashed = |name: &str, version: &str| Record::Hashed {
            key,
            name: name.into(),
            version: version.into(),
        };
        let mut records = records();
        records.insert(1, hashed("s3://b/a", "1 5"));
        records.push(Record::Ended);
        records.push(hashed("s3://b/copy", "2 5"));
        let text: String = records.iter().map(Record::to_line).collect();
        let (mut journal, _) = Journal::read(text.as_bytes()).unwrap();
        assert!(journal.is_ended());
        assert_eq!(journal.counts(), (1, 1));
        let known = journal.take_known_keys();
        assert_eq!(known.len(), 2);
        assert_eq!(known.get("s3://b/a", "1 5"), Some(key));
        assert_eq!(known.get("s3://b/copy", "2 5"), Some(key));
        for (name, version) in [
            ("s3://b/a", "2 5"),
            ("s3://b/a1", " 5"),
            ("s3://b/other", "1 5"),
        ] {
            assert_eq!(known.get(name, version), None, "{name} {version}");
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
        // A duplicate was sent after the rejection.
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
                "\"b\" has another description",
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
        // Journals without a base URL can be read, and an absent base URL is not written.
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
