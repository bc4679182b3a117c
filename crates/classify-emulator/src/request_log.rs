//! The request log and its counters.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::route::Route;

/// A request that the emulator received.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// The number of the request, from 1. A reset does not restart the numbering.
    pub number: u64,
    /// The HTTP method.
    pub method: String,
    /// The path, as received.
    pub path: String,
    /// The decoded query parameters, in their order.
    pub query: Vec<(String, String)>,
    /// The operation of the request.
    pub route: Route,
    /// The headers in their order. The value of the authorization header is redacted.
    pub headers: Vec<(String, String)>,
    /// Whether the request had an authorization header.
    pub authorized: bool,
    /// The JSON body, if it was valid and at most 16 KiB.
    pub body: Option<Value>,
    /// The status of the response; `None` while there is none, or if a fault removed it.
    pub status: Option<u16>,
    /// The fault that was applied, if any. A fault that did not change the response counts as not applied.
    pub fault: Option<Fault>,
}

impl LoggedRequest {
    /// Returns the first value of a header, by its lower-case name; `None` if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the first value of a query parameter; `None` if it is absent.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
pub(crate) struct RequestLog {
    entries: VecDeque<LoggedRequest>,
    limit: usize,
    next_number: u64,
    /// The first number since the last reset.
    first_number: u64,
    counts: BTreeMap<Route, u64>,
    faults: BTreeMap<Fault, u64>,
}

impl RequestLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            limit,
            next_number: 1,
            first_number: 1,
            counts: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Logs a received request. The returned number is for [`update`](Self::update).
    pub(crate) fn record(&mut self, mut record: LoggedRequest) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        *self.counts.entry(record.route).or_default() += 1;
        if let Some(fault) = record.fault {
            *self.faults.entry(fault).or_default() += 1;
        }
        record.number = number;
        if self.limit > 0 {
            if self.entries.len() >= self.limit {
                self.entries.pop_front();
            }
            self.entries.push_back(record);
        }
        number
    }

    /// Changes an entry, if it is still kept.
    pub(crate) fn update(&mut self, number: u64, change: impl FnOnce(&mut LoggedRequest)) {
        let Some(first_number) = self.entries.front().map(|record| record.number) else {
            return;
        };
        let Some(index) = number
            .checked_sub(first_number)
            .and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if let Some(record) = self.entries.get_mut(index) {
            change(record);
        }
    }

    /// Removes a fault from an entry, because it had no effect.
    pub(crate) fn retract_fault(&mut self, number: u64, fault: Fault) {
        self.update(number, |record| record.fault = None);
        if number < self.first_number {
            return;
        }
        if let Some(count) = self.faults.get_mut(&fault) {
            *count -= 1;
            if *count == 0 {
                self.faults.remove(&fault);
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn count(&self, route: Route) -> u64 {
        self.counts.get(&route).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(crate) fn counts(&self) -> &BTreeMap<Route, u64> {
        &self.counts
    }

    pub(crate) fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    /// Clears everything except the next number: a request in progress must not update the entry of another request.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            next_number: self.next_number,
            first_number: self.next_number,
            ..Self::new(self.limit)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LoggedRequest {
        LoggedRequest {
            number: 0,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query: Vec::new(),
            route: Route::ClassifyList,
            headers: Vec::new(),
            authorized: true,
            body: None,
            status: None,
            fault: None,
        }
    }

    #[test]
    fn request_log_ignores_responses_to_requests_before_reset() {
        let mut request_log = RequestLog::new(10);
        let before = request_log.record(record());
        request_log.clear();
        request_log.record(record());
        request_log.update(before, |record| record.status = Some(500));
        assert_eq!(request_log.all()[0].status, None);
    }

    #[test]
    fn request_log_withdraws_fault_without_effect() {
        let with_fault = || LoggedRequest {
            fault: Some(Fault::Gzip),
            ..record()
        };
        let mut request_log = RequestLog::new(10);
        let before = request_log.record(with_fault());
        request_log.clear();
        let first = request_log.record(with_fault());
        let second = request_log.record(with_fault());
        request_log.retract_fault(before, Fault::Gzip);
        assert_eq!(request_log.faults().get(&Fault::Gzip), Some(&2));
        request_log.retract_fault(second, Fault::Gzip);
        assert_eq!(request_log.faults().get(&Fault::Gzip), Some(&1));
        request_log.retract_fault(first, Fault::Gzip);
        assert!(request_log.faults().is_empty());
        assert!(
            request_log
                .all()
                .iter()
                .all(|record| record.fault.is_none())
        );
    }
}
