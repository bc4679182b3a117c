//! A folder of documents in virtual time, and the processes that classify it one after another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use classify_proto::Seed;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, DocumentReport, DocumentStatus, HashedDocument, Journal, Record,
    Summary,
};
use classify_proto::v2::{Configuration, JobOptions, Rerun, Rule};

use super::{Fault, Service, Simulation};

pub(crate) fn job_options() -> JobOptions {
    JobOptions::from(Configuration::new([Rule::new(
        "invoice",
        "has an invoice number",
    )]))
}

/// A folder of documents, a journal, and the process that classifies the one and writes the other.
pub(crate) struct BulkHarness {
    pub(crate) simulation: Simulation,
    pub(crate) job_options: JobOptions,
    pub(crate) documents: Vec<HashedDocument>,
    pub(crate) options: BulkOptions,
    pub(crate) journal: Vec<u8>,
    /// By name, every report of the process under way.
    pub(crate) reports: BTreeMap<String, Vec<DocumentReport>>,
    pub(crate) restored: usize,
    pub(crate) notices: Vec<String>,
    pub(crate) most_in_flight: usize,
    /// The most names in one event of a finished document.
    pub(crate) most_names: usize,
    /// The number of `NeedDocuments` events.
    pub(crate) document_requests: usize,
    pub(crate) process: u8,
}

impl BulkHarness {
    pub(crate) fn new(contents: impl IntoIterator<Item = u32>, service: Service) -> Self {
        let documents = contents.into_iter().enumerate().map(|(name, content)| {
            HashedDocument::bytes(format!("{name}.txt"), format!("document {content}"))
        });
        Self {
            simulation: Simulation::new(service),
            job_options: job_options(),
            documents: documents.collect(),
            options: BulkOptions::default(),
            journal: Vec::new(),
            reports: BTreeMap::new(),
            restored: 0,
            notices: Vec::new(),
            most_in_flight: 0,
            most_names: 0,
            document_requests: 0,
            process: 0,
        }
    }

    /// Sets whether documents without a result are paid for again.
    pub(crate) fn retry_failed(&mut self, retry: bool) {
        self.job_options.rerun = if retry { Rerun::Failed } else { Rerun::Never };
    }

    /// Runs one process to its end, or until it is killed at a step.
    pub(crate) fn run(&mut self, killed_at: Option<u32>) -> Option<Summary> {
        self.run_with(killed_at, |_, _| {})
    }

    pub(crate) fn run_with(
        &mut self,
        killed_at: Option<u32>,
        mut each: impl FnMut(&mut Bulk, u32),
    ) -> Option<Summary> {
        self.reports.clear();
        self.restored = 0;
        self.process += 1;
        self.simulation.crash();
        let (journal, complete_bytes) = Journal::read(&self.journal).unwrap();
        self.journal.truncate(complete_bytes);
        let bulk = Bulk::new(
            &self.simulation.api,
            self.job_options.clone(),
            self.options.clone(),
            Seed::new([self.process; 16]),
        )
        .unwrap();
        let mut bulk = bulk.with_journal(journal).unwrap();
        let mut source = self.documents.clone().into_iter();
        let mut events = Vec::new();
        for step in 0.. {
            if killed_at == Some(step) {
                return None;
            }
            each(&mut bulk, step);
            if let Some(summary) = self.simulation.step(&mut bulk, &mut events) {
                return Some(summary);
            }
            for event in events.drain(..) {
                match event {
                    BulkEvent::NeedDocuments(capacity) => {
                        assert!(capacity > 0 && capacity == bulk.capacity());
                        self.document_requests += 1;
                        source
                            .by_ref()
                            .take(capacity)
                            .for_each(|document| bulk.push(document));
                    }
                    BulkEvent::Record(record) => {
                        let line = record.to_line();
                        assert!(
                            !line.contains("document "),
                            "a document's text is in the journal"
                        );
                        // Killed while it writes, a process leaves half a line.
                        let whole = killed_at != Some(step + 1);
                        let written = if whole { line.len() } else { line.len() / 2 };
                        self.journal.extend_from_slice(&line.as_bytes()[..written]);
                    }
                    BulkEvent::Finished(settled) => {
                        self.restored += usize::from(settled.restored);
                        self.most_names = self.most_names.max(settled.names.len());
                        for name in settled.names {
                            self.reports
                                .entry(name)
                                .or_default()
                                .push(settled.report.clone());
                        }
                    }
                    BulkEvent::Notice(notice) => self.notices.push(notice),
                    other => panic!("unexpected: {other:?}"),
                }
            }
            self.most_in_flight = self.most_in_flight.max(bulk.in_flight().0);
        }
        None
    }

    pub(crate) fn distinct(&self) -> usize {
        self.documents
            .iter()
            .map(HashedDocument::key)
            .collect::<BTreeSet<_>>()
            .len()
    }

    pub(crate) fn requests(&self, what: &str) -> usize {
        self.simulation
            .sent
            .iter()
            .filter(|(_, request)| request == what)
            .count()
    }

    /// Counts the journal records that plan this run of a document.
    pub(crate) fn planned(&self, expected: u32) -> usize {
        // The last line may be torn.
        let (_, complete_bytes) = Journal::read(&self.journal).unwrap();
        let lines = self.journal[..complete_bytes].split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .filter(|record| {
                matches!(record, Record::Planned { run_number, .. } if *run_number == expected)
            })
            .count()
    }

    /// The journal's last word on a document.
    pub(crate) fn settled(&self, document: usize) -> Option<DocumentStatus> {
        let (journal, _) = Journal::read(&self.journal).unwrap();
        let report = journal.report(self.documents[document].key());
        report.map(|report| report.status.clone())
    }

    /// Every name was reported exactly once, as completed.
    pub(crate) fn assert_all_completed(&self) {
        assert_eq!(self.reports.len(), self.documents.len());
        for (name, reports) in &self.reports {
            assert_eq!(reports.len(), 1, "{name}");
            assert_eq!(
                reports[0].status,
                DocumentStatus::Completed,
                "{name}: {:?}",
                reports[0]
            );
        }
    }
}

/// Documents that have all failed, and a run that creates their jobs again.
pub(crate) fn retried(contents: impl IntoIterator<Item = u32>) -> BulkHarness {
    let failing = Service {
        failing: true,
        ..service(1_000)
    };
    let mut bench = BulkHarness::new(contents, failing);
    bench.run(None).unwrap();
    assert_eq!(bench.simulation.service.jobs.len(), bench.distinct());
    bench.options = BulkOptions::default().max_in_flight(2).max_requests(2);
    bench.retry_failed(true);
    bench
}

pub(crate) fn service(duration: u64) -> Service {
    Service {
        duration,
        ..Service::default()
    }
}

pub(crate) fn faulty(duration: u64, faults: impl Into<VecDeque<Fault>>) -> Service {
    Service {
        faults: faults.into(),
        ..service(duration)
    }
}

pub(crate) const LIST: &str = "GET /api/v2/classify";
pub(crate) const CREATE: &str = "POST /api/v2/classify";
pub(crate) const UPLOAD: &str = "POST /api/v1/beta/files";
pub(crate) const GET: &str = "GET /api/v2/classify/*";
pub(crate) const CANCEL: &str = "POST /api/v2/classify/*/cancel";

impl BulkHarness {
    pub(crate) fn assert_all_completed_by_id(&self) {
        assert_eq!(self.reports.len(), self.documents.len());
        assert!(
            self.reports
                .values()
                .all(|reports| reports.len() == 1 && reports[0].status == DocumentStatus::Completed)
        );
    }
}

impl BulkHarness {
    pub(crate) fn header() -> String {
        let mut other = BulkHarness::new([], Service::default());
        other.run(None);
        String::from_utf8(other.journal).unwrap()
    }
}
