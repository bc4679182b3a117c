//! One machine's tickets, handed out for the requests of the machines it holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step::Ticket;

/// Numbers that are never used twice, each standing for a ticket of the machine at `owner`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tickets {
    next: u64,
    /// Not saved: in a new process no reply is owed.
    #[serde(skip)]
    outstanding: BTreeMap<Ticket, (usize, Ticket)>,
}

impl Tickets {
    /// A ticket of our own for the request of the machine at `owner`.
    pub(crate) fn issue(&mut self, owner: usize, inner: Ticket) -> Ticket {
        let outer = Ticket(self.next);
        self.next += 1;
        self.outstanding.insert(outer, (owner, inner));
        outer
    }

    /// Whose ticket it was, once.
    pub(crate) fn redeem(&mut self, outer: Ticket) -> Option<(usize, Ticket)> {
        self.outstanding.remove(&outer)
    }

    /// Forgets the tickets of a machine that has ended.
    pub(crate) fn forget(&mut self, owner: usize) {
        self.outstanding.retain(|_, (other, _)| *other != owner);
    }

    /// How many are out.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.outstanding.len()
    }

    pub(crate) fn forget_all(&mut self) {
        self.outstanding.clear();
    }
}
