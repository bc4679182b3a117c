//! Plays arbitrary replies, delays, crashes and strays to a machine, and holds it to the rules at every step.

use std::fmt::Debug;

use arbitrary::Unstructured;
use classify_proto::machine::{Context, Machine, ResponseDeadline, Saved, Step, Ticket};
use classify_proto::{Api, Bytes, Reply, Time, http};
use serde_json::Value;

use crate::{CANARY, reply};

/// Steps that a machine may take after the last arbitrary byte, when everything is answered with a plain refusal.
const MOST_LAST_STEPS: u32 = 20_000;

/// The world of one machine.
#[derive(Debug)]
pub struct Player<'a> {
    /// Whose name requests are in.
    pub api: Api,
    /// The present time.
    pub now: u64,
    /// Where chance comes from.
    pub chance: Unstructured<'a>,
    /// Requests sent.
    pub sends: usize,
    /// Times that every reply on its way was lost with the process.
    pub losses: usize,
    /// The last JSON body that was sent.
    asked: Value,
    out: Vec<Ticket>,
    /// Tickets that are no longer out.
    used: Vec<Ticket>,
    last_steps: u32,
}

impl<'a> Player<'a> {
    /// A world made of `data`.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            api: crate::api(),
            now: 1_700_000_000_000,
            chance: Unstructured::new(data),
            sends: 0,
            losses: 0,
            asked: Value::Null,
            out: Vec::new(),
            used: Vec::new(),
            last_steps: 0,
        }
    }

    /// Runs a machine to its end; at any step it may be saved and loaded, or resumed.
    pub fn play<M: Saved + Debug>(
        &mut self,
        mut machine: M,
        mut each: impl FnMut(M::Event),
    ) -> M::Output {
        loop {
            if self.happens(1, 32) {
                self.lose_everything();
                if self.chance.arbitrary().unwrap_or(true) {
                    let saved = machine.save().expect("every path here is Unicode");
                    assert!(!saved.contains(CANARY), "a secret was saved: {saved}");
                    machine = M::load(&saved).expect("a state that was saved can be loaded");
                    // A new process counts its tickets from the state's.
                    self.used.clear();
                } else {
                    machine.resume();
                }
            }
            let debug = format!("{machine:?}");
            assert!(!debug.contains(CANARY), "a secret is in Debug: {debug}");
            if let Some(output) = self.step(&mut machine, &mut each) {
                return output;
            }
        }
    }

    /// Whether something that happens so often happens now; nothing does once the bytes are used up.
    pub fn happens(&mut self, times: u8, of: u8) -> bool {
        !self.chance.is_empty() && self.chance.ratio(times, of).unwrap_or(false)
    }

    /// Forgets every reply that is owed.
    pub fn lose_everything(&mut self) {
        self.losses += 1;
        self.used.append(&mut self.out);
    }

    /// One poll, with what follows from it.
    pub fn step<M: Machine>(
        &mut self,
        machine: &mut M,
        each: &mut impl FnMut(M::Event),
    ) -> Option<M::Output> {
        if self.chance.is_empty() {
            self.last_steps += 1;
            assert!(
                self.last_steps < MOST_LAST_STEPS,
                "it does not end when everything is refused"
            );
        }
        let api = self.api.clone();
        let cx = Context::new(&api, Time::from_millis(self.now));
        match machine.poll(cx) {
            Step::Send(ticket, request) => {
                assert!(!self.out.contains(&ticket), "{ticket} is out already");
                self.used.retain(|used| *used != ticket);
                let ResponseDeadline(by) = request
                    .extensions()
                    .get()
                    .expect("every request says how long to wait");
                assert!(*by > cx.now, "a request that is over when it is sent");
                assert!(request.headers()["authorization"].is_sensitive());
                self.out.push(ticket);
                self.sends += 1;
                let body = request.body().in_memory().unwrap_or_default();
                if let Ok(asked) = serde_json::from_slice(&body) {
                    self.asked = asked;
                }
            }
            Step::Event(event) => each(event),
            Step::Done(output) => {
                for later in [self.now, self.now.saturating_add(1), u64::MAX] {
                    let cx = Context::new(&api, Time::from_millis(later));
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
                    until.is_some() || !self.out.is_empty(),
                    "a wait for nothing at {}",
                    self.now
                );
                self.stays_put(machine, cx, until);
                self.go_on(machine, until);
            }
        }
        None
    }

    /// Polling again at the same time changes nothing, and neither does a reply that nobody waits for.
    fn stays_put<M: Machine>(&mut self, machine: &mut M, cx: Context<'_>, until: Option<Time>) {
        let again = |machine: &mut M| match machine.poll(cx) {
            Step::Wait(again) => assert_eq!(again, until, "polling again changed the wait"),
            _ => panic!("polling again did something"),
        };
        again(machine);
        let stray = serde_json::from_str("18446744073709551615").expect("a ticket is a number");
        for ticket in [Some(stray), self.used.last().copied()]
            .into_iter()
            .flatten()
        {
            machine.handle(cx, ticket, refusal());
            again(machine);
        }
    }

    fn go_on<M: Machine>(&mut self, machine: &mut M, until: Option<Time>) {
        let answers = !self.out.is_empty()
            && (until.is_none() || self.chance.is_empty() || self.happens(3, 4));
        if answers {
            let index = self.chance.choose_index(self.out.len()).unwrap_or_default();
            let ticket = self.out.remove(index);
            self.used.push(ticket);
            self.now = self.now.saturating_add(u64::from(
                self.chance.int_in_range(0..=2_000u16).unwrap_or(1),
            ));
            let reply = if self.chance.is_empty() {
                refusal()
            } else {
                reply::reply(&mut self.chance, &self.asked).unwrap_or_else(|_| refusal())
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
        // Now and then too early, which must do nothing.
        self.now = if self.happens(1, 4) {
            self.now.midpoint(wake)
        } else {
            wake
        };
    }
}

fn refusal() -> Reply {
    let mut response = http::Response::new(Bytes::from_static(br#"{"detail": "Not found"}"#));
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    Ok(response)
}
