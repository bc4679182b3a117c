//! Drives a machine with arbitrary replies, delays, crashes and stray replies, and checks its rules at every step.

use std::fmt::Debug;

use arbitrary::Unstructured;
use classify_proto::machine::{Context, Machine, ResponseDeadline, Saved, Step, Ticket};
use classify_proto::{Api, Bytes, Reply, Time, http};
use serde_json::Value;

use crate::{CANARY, reply};

/// The number of steps that a machine may take after the last arbitrary byte, when every response is a plain error.
const MAX_DRAIN_STEPS: u32 = 20_000;

/// Drives one machine with arbitrary input.
#[derive(Debug)]
pub struct FuzzDriver<'a> {
    /// The base URL and key of the requests.
    pub api: Api,
    /// The current virtual time.
    pub now: u64,
    /// The arbitrary bytes that decide replies, delays and crashes.
    pub input: Unstructured<'a>,
    /// The number of requests so far.
    pub requests_sent: usize,
    /// The number of crashes, each of which loses all outstanding replies.
    pub crashes: usize,
    /// The last JSON body that was sent.
    last_request_body: Value,
    outstanding: Vec<Ticket>,
    /// Tickets that have had a reply or were lost.
    retired: Vec<Ticket>,
    drain_steps: u32,
}

impl<'a> FuzzDriver<'a> {
    /// Returns a driver whose decisions come from `data`.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            api: crate::api(),
            now: 1_700_000_000_000,
            input: Unstructured::new(data),
            requests_sent: 0,
            crashes: 0,
            last_request_body: Value::Null,
            outstanding: Vec::new(),
            retired: Vec::new(),
            drain_steps: 0,
        }
    }

    /// Runs a machine to its end and returns its output. At any step it may be saved and loaded, or resumed.
    pub fn run<M: Saved + Debug>(
        &mut self,
        mut machine: M,
        mut on_event: impl FnMut(M::Event),
    ) -> M::Output {
        loop {
            if self.random_ratio(1, 32) {
                self.drop_replies();
                if self.input.arbitrary().unwrap_or(true) {
                    let saved = machine.save().expect("every path here is Unicode");
                    assert!(!saved.contains(CANARY), "a secret was saved: {saved}");
                    machine = M::load(&saved).expect("a state that was saved can be loaded");
                    // A new process continues the ticket numbers of the saved state.
                    self.retired.clear();
                } else {
                    machine.resume();
                }
            }
            let debug = format!("{machine:?}");
            assert!(!debug.contains(CANARY), "a secret is in Debug: {debug}");
            if let Some(output) = self.step(&mut machine, &mut on_event) {
                return output;
            }
        }
    }

    /// Returns `true` in `numerator` of `denominator` cases, and `false` when the bytes are used up.
    pub fn random_ratio(&mut self, numerator: u8, denominator: u8) -> bool {
        !self.input.is_empty() && self.input.ratio(numerator, denominator).unwrap_or(false)
    }

    /// Drops every outstanding reply, as a crash does.
    pub fn drop_replies(&mut self) {
        self.crashes += 1;
        self.retired.append(&mut self.outstanding);
    }

    /// Polls once and handles the step.
    pub fn step<M: Machine>(
        &mut self,
        machine: &mut M,
        on_event: &mut impl FnMut(M::Event),
    ) -> Option<M::Output> {
        if self.input.is_empty() {
            self.drain_steps += 1;
            assert!(
                self.drain_steps < MAX_DRAIN_STEPS,
                "it does not end when everything is refused"
            );
        }
        let api = self.api.clone();
        let cx = Context::new(&api, Time::from_millis(self.now));
        match machine.poll(cx) {
            Step::Send(ticket, request) => {
                assert!(
                    !self.outstanding.contains(&ticket),
                    "{ticket} is out already"
                );
                self.retired.retain(|retired| *retired != ticket);
                let ResponseDeadline(by) = request
                    .extensions()
                    .get()
                    .expect("every request says how long to wait");
                assert!(*by > cx.now, "a request that is over when it is sent");
                assert!(request.headers()["authorization"].is_sensitive());
                self.outstanding.push(ticket);
                self.requests_sent += 1;
                let body = request.body().in_memory().unwrap_or_default();
                if let Ok(last_request_body) = serde_json::from_slice(&body) {
                    self.last_request_body = last_request_body;
                }
            }
            Step::Event(event) => on_event(event),
            Step::Done(output) => {
                for later_time in [self.now, self.now.saturating_add(1), u64::MAX] {
                    let cx = Context::new(&api, Time::from_millis(later_time));
                    assert!(
                        matches!(machine.poll(cx), Step::Wait(None)),
                        "something came after the end"
                    );
                }
                return Some(output);
            }
            Step::Wait(until) => {
                assert!(
                    until.is_none_or(|until| until > cx.now),
                    "a wait that is over: {until:?} at {}",
                    cx.now
                );
                assert!(
                    until.is_some() || !self.outstanding.is_empty(),
                    "a wait for nothing at {}",
                    self.now
                );
                self.assert_poll_is_stable(machine, cx, until);
                self.advance(machine, until);
            }
        }
        None
    }

    /// Asserts that polling again at the same time and a reply with an unknown ticket change nothing.
    fn assert_poll_is_stable<M: Machine>(
        &mut self,
        machine: &mut M,
        cx: Context<'_>,
        until: Option<Time>,
    ) {
        let poll_again = |machine: &mut M| match machine.poll(cx) {
            Step::Wait(second) => {
                assert_eq!(second, until, "polling again changed the wait");
            }
            _ => panic!("polling again did something"),
        };
        poll_again(machine);
        let stray = serde_json::from_str("18446744073709551615").expect("a ticket is a number");
        for ticket in [Some(stray), self.retired.last().copied()]
            .into_iter()
            .flatten()
        {
            machine.handle(cx, ticket, not_found_reply());
            poll_again(machine);
        }
    }

    fn advance<M: Machine>(&mut self, machine: &mut M, until: Option<Time>) {
        let has_reply = !self.outstanding.is_empty()
            && (until.is_none() || self.input.is_empty() || self.random_ratio(3, 4));
        if has_reply {
            let index = self
                .input
                .choose_index(self.outstanding.len())
                .unwrap_or_default();
            let ticket = self.outstanding.remove(index);
            self.retired.push(ticket);
            self.now = self.now.saturating_add(u64::from(
                self.input.int_in_range(0..=2_000u16).unwrap_or(1),
            ));
            let reply = if self.input.is_empty() {
                not_found_reply()
            } else {
                reply::reply(&mut self.input, &self.last_request_body)
                    .unwrap_or_else(|_| not_found_reply())
            };
            let api = self.api.clone();
            machine.handle(
                Context::new(&api, Time::from_millis(self.now)),
                ticket,
                reply,
            );
            return;
        }
        let wake = until.map_or(self.now, Time::as_millis);
        // Sometimes too early, which must have no effect.
        self.now = if self.random_ratio(1, 4) {
            self.now.midpoint(wake)
        } else {
            wake
        };
    }
}

fn not_found_reply() -> Reply {
    let mut response = http::Response::new(Bytes::from_static(br#"{"detail": "Not found"}"#));
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    Ok(response)
}
