//! Tickets of a machine that contains machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step::Ticket;

/// Maps unique tickets to the machine at index `owner` and its own ticket.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tickets {
    next: u64,
    /// Not saved: in a new process no reply is outstanding.
    #[serde(skip)]
    outstanding: BTreeMap<Ticket, (usize, Ticket)>,
}

impl Tickets {
    /// Issues a ticket for the request of the machine at `owner`.
    pub(crate) fn issue(&mut self, owner: usize, inner: Ticket) -> Ticket {
        let outer = Ticket(self.next);
        self.next += 1;
        self.outstanding.insert(outer, (owner, inner));
        outer
    }

    /// Returns the owner of a ticket and its own ticket, once.
    pub(crate) fn redeem(&mut self, outer: Ticket) -> Option<(usize, Ticket)> {
        self.outstanding.remove(&outer)
    }

    /// Forgets the tickets of a machine that has ended.
    pub(crate) fn forget(&mut self, owner: usize) {
        self.outstanding.retain(|_, (other, _)| *other != owner);
    }

    /// The number of outstanding tickets.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.outstanding.len()
    }

    pub(crate) fn forget_all(&mut self) {
        self.outstanding.clear();
    }
}
