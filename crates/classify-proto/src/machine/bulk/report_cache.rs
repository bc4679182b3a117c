//! What a run remembers of the documents it is through with, for others of the same content.

use std::collections::{BTreeMap, VecDeque};

use super::report::DocumentReport;
use crate::content_key::ContentKey;

/// The reports of the documents finished last, and of the earlier ones what money hangs on.
///
/// The number of reports is bounded, so memory does not grow with the run. A duplicate whose report was evicted is not
/// paid for again: if its job is retained, the run polls it; otherwise it uploads the document and sends the same create,
/// which returns the first job.
pub(super) struct ReportCache {
    reports: BTreeMap<ContentKey, (DocumentReport, bool)>,
    order: VecDeque<ContentKey>,
    max_reports: usize,
    payment: BTreeMap<ContentKey, PaymentState>,
}

/// What a create of the same content must know that comes after the report is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PaymentState {
    /// The number of the last paid run.
    pub(super) run_number: u32,
    /// The job of that run. A duplicate polls it and sends no create, which the service might refuse, or answer with
    /// a new job if this one was deleted.
    pub(super) job_id: Option<String>,
    /// There may be a job of it.
    pub(super) job_may_exist: bool,
    /// The job of that run was created in this pass, so that its failure is the result and not a reason for another.
    pub(super) is_of_this_pass: bool,
}

impl ReportCache {
    pub(super) fn new(max_reports: usize) -> Self {
        Self {
            reports: BTreeMap::new(),
            order: VecDeque::new(),
            max_reports,
            payment: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, key: ContentKey) -> Option<(&DocumentReport, bool)> {
        self.reports
            .get(&key)
            .map(|(report, restored)| (report, *restored))
    }

    pub(super) fn payment_state(&self, key: ContentKey) -> PaymentState {
        self.payment.get(&key).cloned().unwrap_or_default()
    }

    pub(super) fn insert(&mut self, key: ContentKey, report: DocumentReport, restored: bool) {
        while self.order.len() >= self.max_reports {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.reports.remove(&oldest);
        }
        if self.reports.insert(key, (report, restored)).is_none() {
            self.order.push_back(key);
        }
    }

    /// Marks a content, for as long as the run goes; one that there is nothing to say of takes no place.
    pub(super) fn set_payment_state(&mut self, key: ContentKey, payment: PaymentState) {
        if payment == PaymentState::default() {
            self.payment.remove(&key);
        } else {
            self.payment.insert(key, payment);
        }
    }

    /// How many reports and how many payment states there are.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        assert_eq!(self.reports.len(), self.order.len());
        (self.reports.len(), self.payment.len())
    }
}
