//! The request journal and the counters.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::route::Route;

/// One request that the emulator has seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Recorded {
    /// The request's place in the sequence, from 1; a reset does not begin it anew.
    pub number: u64,
    /// The method.
    pub method: String,
    /// The path, as it came.
    pub path: String,
    /// The query's pairs in their order, decoded.
    pub query: Vec<(String, String)>,
    /// The operation that the request was for.
    pub route: Route,
    /// The headers in their order; the authorization header's value is replaced.
    pub headers: Vec<(String, String)>,
    /// Whether an authorization header came with it.
    pub authorized: bool,
    /// The JSON body, if it was one of at most 16 KiB.
    pub body: Option<Value>,
    /// The status that was answered; none while there is no answer, or if a fault took it away.
    pub status: Option<u16>,
    /// The fault that struck, if any. One that made no difference to the reply has not struck.
    pub fault: Option<Fault>,
}

impl Recorded {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    kept: VecDeque<Recorded>,
    limit: usize,
    next: u64,
    /// The first number since everything was forgotten.
    first: u64,
    counts: BTreeMap<Route, u64>,
    faults: BTreeMap<Fault, u64>,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            limit,
            next: 1,
            first: 1,
            counts: BTreeMap::new(),
            faults: BTreeMap::new(),
        }
    }

    /// Notes a request as it comes; its number is for [`settle`](Self::settle).
    pub(crate) fn open(&mut self, mut record: Recorded) -> u64 {
        let number = self.next;
        self.next += 1;
        *self.counts.entry(record.route).or_default() += 1;
        if let Some(fault) = record.fault {
            *self.faults.entry(fault).or_default() += 1;
        }
        record.number = number;
        if self.limit > 0 {
            if self.kept.len() >= self.limit {
                self.kept.pop_front();
            }
            self.kept.push_back(record);
        }
        number
    }

    /// Changes what was noted, if it is still kept.
    pub(crate) fn settle(&mut self, number: u64, change: impl FnOnce(&mut Recorded)) {
        let Some(first) = self.kept.front().map(|record| record.number) else {
            return;
        };
        let Some(index) = number
            .checked_sub(first)
            .and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if let Some(record) = self.kept.get_mut(index) {
            change(record);
        }
    }

    /// Takes back a fault that was noted and came to nothing.
    pub(crate) fn withdraw(&mut self, number: u64, fault: Fault) {
        self.settle(number, |record| record.fault = None);
        if number < self.first {
            return;
        }
        if let Some(count) = self.faults.get_mut(&fault) {
            *count -= 1;
            if *count == 0 {
                self.faults.remove(&fault);
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
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

    /// Forgets all but where the numbers stand: a request that is under way must not settle another one's record.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            next: self.next,
            first: self.next,
            ..Self::new(self.limit)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Recorded {
        Recorded {
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
    fn a_request_from_before_a_reset_settles_nothing_after_it() {
        let mut journal = Journal::new(10);
        let before = journal.open(record());
        journal.clear();
        journal.open(record());
        journal.settle(before, |record| record.status = Some(500));
        assert_eq!(journal.all()[0].status, None);
    }

    #[test]
    fn a_fault_that_came_to_nothing_is_taken_back() {
        let struck = || Recorded {
            fault: Some(Fault::Gzip),
            ..record()
        };
        let mut journal = Journal::new(10);
        let before = journal.open(struck());
        journal.clear();
        let first = journal.open(struck());
        let second = journal.open(struck());
        journal.withdraw(before, Fault::Gzip);
        assert_eq!(journal.faults().get(&Fault::Gzip), Some(&2));
        journal.withdraw(second, Fault::Gzip);
        assert_eq!(journal.faults().get(&Fault::Gzip), Some(&1));
        journal.withdraw(first, Fault::Gzip);
        assert!(journal.faults().is_empty());
        assert!(journal.all().iter().all(|record| record.fault.is_none()));
    }
}
