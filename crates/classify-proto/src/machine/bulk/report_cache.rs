//! Cache of finished documents, for duplicates.

use std::collections::{BTreeMap, VecDeque};

use super::report::DocumentReport;
use crate::content_key::ContentKey;

/// The reports of the documents finished last, and the payment states of earlier ones.
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

/// State that prevents a second charge for the same content. It is kept after the report was evicted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PaymentState {
    /// The number of the last paid run.
    pub(super) run_number: u32,
    /// The job of that run. A duplicate polls it and sends no create: the service might reject the create, or create a
    /// new job if this one was deleted.
    pub(super) job_id: Option<String>,
    /// A job of that run may exist.
    pub(super) job_may_exist: bool,
    /// The job of that run was created in this pass, so its failure is the result and not a reason for another paid
    /// run.
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

    /// Stores the state of a content until the run ends. A default state is not stored.
    pub(super) fn set_payment_state(&mut self, key: ContentKey, payment: PaymentState) {
        if payment == PaymentState::default() {
            self.payment.remove(&key);
        } else {
            self.payment.insert(key, payment);
        }
    }

    /// Number of reports and of payment states.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        assert_eq!(self.reports.len(), self.order.len());
        (self.reports.len(), self.payment.len())
    }
}
