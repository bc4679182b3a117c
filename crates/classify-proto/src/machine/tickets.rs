//! One machine's tickets, handed out for the requests of the machines it holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step::Ticket;

/// Numbers that are never used twice, each status for a ticket of the machine at `place`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tickets {
    next: u64,
    /// Not saved: in a new process no reply is owed.
    #[serde(skip)]
    out: BTreeMap<Ticket, (usize, Ticket)>,
}

impl Tickets {
    /// A ticket of our own for the request of the machine at `place`.
    pub(crate) fn issue(&mut self, place: usize, theirs: Ticket) -> Ticket {
        let ours = Ticket(self.next);
        self.next += 1;
        self.out.insert(ours, (place, theirs));
        ours
    }

    /// Whose ticket it was, once.
    pub(crate) fn redeem(&mut self, ours: Ticket) -> Option<(usize, Ticket)> {
        self.out.remove(&ours)
    }

    /// Forgets the tickets of a machine that has ended.
    pub(crate) fn forget(&mut self, place: usize) {
        self.out.retain(|_, (owner, _)| *owner != place);
    }

    /// How many are out.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn forget_all(&mut self) {
        self.out.clear();
    }
}
