//! The order in which requests are sent.

use std::collections::VecDeque;

use classify_proto::machine::Ticket;
use classify_proto::{Body, http};

type Queued = (Ticket, http::Request<Body>);

/// The requests of one machine that wait to be sent, and the tickets of the requests in flight. Does no IO.
///
/// At most `max_concurrency` requests are in flight. An upload, which may take hours, leaves one slot to requests that
/// are not uploads.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    waiting: VecDeque<Queued>,
    /// The tickets, and whether each is an upload. A linear search is enough for so few.
    in_flight: Vec<(Ticket, bool)>,
    uploads: usize,
}

impl SendQueue {
    pub(crate) fn push(&mut self, ticket: Ticket, request: http::Request<Body>) {
        self.waiting.push_back((ticket, request));
    }

    /// Returns the next request to send and counts it as in flight. `None` if there is none or the limit is reached.
    pub(crate) fn next(&mut self, max_concurrency: usize) -> Option<Queued> {
        let max = max_concurrency.max(1);
        if self.in_flight.len() >= max {
            return None;
        }
        let admits_upload = self.uploads < max.saturating_sub(1).max(1);
        let position = self
            .waiting
            .iter()
            .position(|(_, request)| admits_upload || !is_upload(request))?;
        let (ticket, request) = self.waiting.remove(position)?;
        let is_upload = is_upload(&request);
        self.in_flight.push((ticket, is_upload));
        self.uploads += usize::from(is_upload);
        Some((ticket, request))
    }

    /// Puts a request that could not be started back to the front.
    #[cfg(feature = "blocking")]
    pub(crate) fn put_back(&mut self, ticket: Ticket, request: http::Request<Body>) {
        self.finish(ticket);
        self.waiting.push_front((ticket, request));
    }

    /// Counts a request as ended.
    pub(crate) fn finish(&mut self, ticket: Ticket) {
        let position = self.in_flight.iter().position(|(sent, _)| *sent == ticket);
        if let Some(position) = position {
            let (_, is_upload) = self.in_flight.swap_remove(position);
            self.uploads -= usize::from(is_upload);
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use classify_proto::files::UploadFile;
    use classify_proto::{Api, Operation as _, Seed};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Action {
        Push { is_upload: bool },
        Next,
        Finish(usize),
        PutBack,
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            3 => any::<bool>().prop_map(|is_upload| Action::Push { is_upload }),
            4 => Just(Action::Next),
            2 => any::<usize>().prop_map(Action::Finish),
            1 => Just(Action::PutBack),
        ]
    }

    fn ticket(number: u64) -> Ticket {
        serde_json::from_value(number.into()).unwrap()
    }

    fn request(is_upload: bool) -> http::Request<Body> {
        if !is_upload {
            return http::Request::new(Body::Empty);
        }
        let api = Api::builder("llx-key").build().unwrap();
        let mut upload = UploadFile::new("a.txt", b"text".to_vec());
        upload.prepare(Seed::new([7; 16]));
        upload.build_request(&api).unwrap()
    }

    /// The expected content of the queue: tickets in order, and whether each is an upload.
    #[derive(Debug, Default)]
    struct Expected {
        waiting: Vec<(Ticket, bool)>,
        in_flight: BTreeMap<Ticket, bool>,
        finished: Vec<Ticket>,
    }

    impl Expected {
        fn uploads(&self) -> usize {
            self.in_flight
                .values()
                .filter(|is_upload| **is_upload)
                .count()
        }
    }

    proptest! {
        #[test]
        fn send_queue_keeps_order_and_limits(
            max in 0..6_usize,
            actions in proptest::collection::vec(action(), 0..80),
        ) {
            let (mut queue, mut expected, mut pushed) = (SendQueue::default(), Expected::default(), 0);
            let slots = max.max(1);
            let slots_of_uploads = (slots - 1).max(1);
            // Afterwards everything that waits is sent.
            let drain = std::iter::repeat_n([Action::Next, Action::Finish(0)], 100).flatten();
            for action in actions.into_iter().chain(drain) {
                match action {
                    Action::Push { is_upload } => {
                        pushed += 1;
                        queue.push(ticket(pushed), request(is_upload));
                        expected.waiting.push((ticket(pushed), is_upload));
                    }
                    Action::Next => {
                        let is_full = expected.in_flight.len() >= slots;
                        let uploads_are_full = expected.uploads() >= slots_of_uploads;
                        let first = expected
                            .waiting
                            .iter()
                            .position(|(_, is_upload)| !is_upload || !uploads_are_full)
                            .filter(|_| !is_full);
                        let next = queue.next(max).map(|(ticket, request)| (ticket, is_upload(&request)));
                        prop_assert_eq!(next, first.map(|first| expected.waiting[first]));
                        if let Some(first) = first {
                            let (ticket, is_upload) = expected.waiting.remove(first);
                            expected.in_flight.insert(ticket, is_upload);
                        }
                    }
                    Action::Finish(at) => {
                        let tickets: Vec<_> = expected.in_flight.keys().copied().collect();
                        if let Some(ticket) = tickets.get(at % tickets.len().max(1)) {
                            queue.finish(*ticket);
                            // A late reply ends nothing else.
                            queue.finish(*ticket);
                            expected.in_flight.remove(ticket);
                            expected.finished.push(*ticket);
                        }
                    }
                    Action::PutBack => {
                        #[cfg(feature = "blocking")]
                        if let Some((ticket, request)) = queue.next(max) {
                            let is_upload = is_upload(&request);
                            queue.put_back(ticket, request);
                            expected.waiting.retain(|(waiting, _)| *waiting != ticket);
                            expected.waiting.insert(0, (ticket, is_upload));
                        }
                    }
                }
                prop_assert_eq!(queue.in_flight(), expected.in_flight.len());
                prop_assert!(queue.in_flight() <= slots);
                prop_assert!(expected.uploads() <= slots_of_uploads);
                #[cfg(feature = "blocking")]
                prop_assert_eq!(
                    queue.single().is_some(),
                    expected.in_flight.is_empty() && expected.waiting.len() == 1
                );
            }
            expected.finished.sort();
            prop_assert_eq!(expected.finished, (1..=pushed).map(ticket).collect::<Vec<_>>());
        }
    }
}
