//! What a run remembers of the documents it is through with, for others of the same content.

use std::collections::{BTreeMap, VecDeque};

use super::document::ContentKey;
use super::report::Report;

/// The reports of the documents settled last, for those of the same content that come later.
///
/// Bounded, so that a run's memory does not grow with it. A duplicate that comes after its report is forgotten costs
/// an upload and a create that is answered with the first job; it is never paid for twice.
pub(super) struct Memory {
    reports: BTreeMap<ContentKey, (Report, bool)>,
    order: VecDeque<ContentKey>,
    most: usize,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self {
            reports: BTreeMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    pub(super) fn get(&self, key: ContentKey) -> Option<(&Report, bool)> {
        self.reports
            .get(&key)
            .map(|(report, restored)| (report, *restored))
    }

    pub(super) fn keep(&mut self, key: ContentKey, report: Report, restored: bool) {
        while self.order.len() >= self.most {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.reports.remove(&oldest);
        }
        if self.reports.insert(key, (report, restored)).is_none() {
            self.order.push_back(key);
        }
    }
}
