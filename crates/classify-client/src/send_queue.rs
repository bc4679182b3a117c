//! The order in which requests are sent.

use std::collections::{BTreeSet, VecDeque};

use classify_proto::machine::Ticket;
use classify_proto::{Body, http};

type Queued = (Ticket, http::Request<Body>);

/// Requests of one machine that wait to be sent, and the tickets of those in flight. Pure: no IO and no clock.
///
/// At most `max_concurrency` requests are in flight. An upload, which may take hours, leaves one slot to requests that are
/// not uploads.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    waiting: VecDeque<Queued>,
    in_flight: BTreeSet<Ticket>,
    uploads: BTreeSet<Ticket>,
}

impl SendQueue {
    pub(crate) fn push(&mut self, ticket: Ticket, request: http::Request<Body>) {
        self.waiting.push_back((ticket, request));
    }

    /// Returns the request to send now, in order, and counts it as in flight.
    pub(crate) fn next(&mut self, max_concurrency: usize) -> Option<Queued> {
        let max = max_concurrency.max(1);
        if self.in_flight.len() >= max {
            return None;
        }
        let admits_upload = self.uploads.len() < max.saturating_sub(1).max(1);
        let position = self
            .waiting
            .iter()
            .position(|(_, request)| admits_upload || !is_upload(request))?;
        let (ticket, request) = self.waiting.remove(position)?;
        self.in_flight.insert(ticket);
        if is_upload(&request) {
            self.uploads.insert(ticket);
        }
        Some((ticket, request))
    }

    /// Puts a request back at the front that could not be started.
    #[cfg(feature = "blocking")]
    pub(crate) fn put_back(&mut self, ticket: Ticket, request: http::Request<Body>) {
        self.finish(ticket);
        self.waiting.push_front((ticket, request));
    }

    /// Counts a request as ended.
    pub(crate) fn finish(&mut self, ticket: Ticket) {
        self.in_flight.remove(&ticket);
        self.uploads.remove(&ticket);
    }

    /// Returns the number of requests in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns the only waiting request, if there is one and nothing is in flight.
    #[cfg(feature = "blocking")]
    pub(crate) fn single(&self) -> Option<&http::Request<Body>> {
        match (self.in_flight.is_empty(), self.waiting.len()) {
            (true, 1) => self.waiting.front().map(|(_, request)| request),
            _ => None,
        }
    }
}

fn is_upload(request: &http::Request<Body>) -> bool {
    matches!(request.body(), Body::Multipart(_))
}
