//! Stopping early and in order: Ctrl-C, a deadline, a reader that has gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use classify_proto::machine::{Call, Concurrent, Context, Machine, Step, Ticket};
use classify_proto::{Operation, Reply, Time};
use classify_ureq::Client;

use crate::exit::{Code, Problem};

/// How often a machine that waits is asked whether it should stop.
const LOOK: Duration = Duration::from_millis(150);
/// How long an end at once may take.
const MOMENT: Duration = Duration::from_millis(200);

/// Why something stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Interrupted,
    Deadline,
    /// The reader of stdout has gone.
    Pipe,
}

impl Why {
    /// Whether it was time that ended it, and nobody who wanted an end.
    pub(crate) fn is_deadline(self) -> bool {
        self == Why::Deadline
    }
}

/// A switch that is thrown once, from anywhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch(Arc<AtomicU8>);

impl Switch {
    /// A switch that Ctrl-C throws. A second Ctrl-C ends the process at once.
    pub(crate) fn on_interrupt() -> Self {
        Self::on_interrupt_clearing(|| {})
    }

    /// The same, with what takes a view off the terminal before the process ends at once.
    pub(crate) fn on_interrupt_clearing(clear: impl Fn() + Send + 'static) -> Self {
        let switch = Self::default();
        let mut clear = Some(clear);
        let thrown = switch.clone();
        // Without a handler Ctrl-C ends the process as it always did.
        let _ = ctrlc::set_handler(move || {
            if thrown.why() == Some(Why::Interrupted) {
                if let Some(clear) = clear.take() {
                    in_a_moment(clear);
                }
                std::process::exit(130);
            }
            thrown.throw(Why::Interrupted);
        });
        switch
    }

    /// Throws the switch. What threw it first stays the reason.
    pub(crate) fn throw(&self, why: Why) {
        let _ = self
            .0
            .compare_exchange(0, why as u8 + 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    pub(crate) fn why(&self) -> Option<Why> {
        match self.0.load(Ordering::SeqCst) {
            1 => Some(Why::Interrupted),
            2 => Some(Why::Deadline),
            3 => Some(Why::Pipe),
            _ => None,
        }
    }
}

/// Does something, and does not wait for it if it takes long: whoever holds a view may itself wait for a reader.
fn in_a_moment(what: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel();
    let work = move || {
        what();
        // Nobody may be waiting any more.
        let _ = sender.send(());
    };
    if std::thread::Builder::new().spawn(work).is_ok() {
        let _ = receiver.recv_timeout(MOMENT);
    }
}

/// What a machine does when it should stop.
pub(crate) trait Stops: Machine {
    /// How long the requests on the wire get.
    const GRACE: Duration = Duration::from_secs(3);
    /// It comes to its end by itself, and decides what is sent until then. Otherwise nothing is sent any more.
    const WINDS_DOWN: bool = false;

    /// Takes note that it should stop.
    fn stop(&mut self, _why: Why) {}
}

impl<M: Machine> Stops for Concurrent<M> {}
impl<O: Operation> Stops for Call<O> {}

/// A machine that can be stopped before its end.
///
/// Once it should stop, it begins nothing more; replies to what is on the wire are taken for a few seconds, since a
/// create that is answered tells the id of a job that is paid for.
#[derive(Debug)]
pub(crate) struct Stoppable<M> {
    inner: M,
    switch: Switch,
    deadline: Option<Time>,
    out: BTreeSet<Ticket>,
    stopping: Option<(Why, Time)>,
    left: bool,
}

/// Drives a machine until its end, the switch or the deadline, and hands its events to `on_event`.
///
/// The driver works on a thread that is left alone once the machine has stopped: the process need not outlast an
/// upload that nobody waits for.
pub(crate) fn drive<M>(
    client: &Client,
    machine: M,
    switch: &Switch,
    deadline: Option<Time>,
    mut on_event: impl FnMut(Heard<M::Event>),
) -> Result<Ending<M::Output>, Problem>
where
    M: Stops + Send + 'static,
    M::Event: Send,
    M::Output: Send,
{
    enum Said<E, O> {
        Heard(Heard<E>),
        Ended(Ending<O>),
    }
    let (sender, receiver) = channel();
    let (client, switch) = (client.clone(), switch.clone());
    let work = move || {
        let machine = Stoppable::new(machine, switch, deadline);
        // The receiver is gone when nobody waits for the end any more.
        let ending = client.drive(machine, |event| drop(sender.send(Said::Heard(event))));
        let _ = sender.send(Said::Ended(ending));
    };
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(work)
        .map_err(|error| {
            Problem::new(Code::Unexpected, format!("no thread can be had: {error}"))
        })?;
    for said in receiver {
        match said {
            Said::Heard(event) => {
                let left = match event {
                    Heard::Left(why) => Some(why),
                    _ => None,
                };
                on_event(event);
                if let Some(why) = left {
                    return Ok(Ending::Stopped(why));
                }
            }
            Said::Ended(ending) => return Ok(ending),
        }
    }
    Err(Problem::new(
        Code::Unexpected,
        "the driver ended without a result",
    ))
}

/// How a [`Stoppable`] machine ended.
#[derive(Debug)]
pub(crate) enum Ending<O> {
    Done(O),
    Stopped(Why),
}

/// What a [`Stoppable`] machine tells.
#[derive(Debug)]
pub(crate) enum Heard<E> {
    Of(E),
    /// It stops, and still listens for a moment.
    Stopping,
    /// It has stopped. Told before its end, because the driver may wait long for what is on the wire.
    Left(Why),
}

impl<M> Stoppable<M> {
    /// Runs `inner` until its end, the switch or the deadline.
    pub(crate) fn new(inner: M, switch: Switch, deadline: Option<Time>) -> Self {
        Self {
            inner,
            switch,
            deadline,
            out: BTreeSet::new(),
            stopping: None,
            left: false,
        }
    }
}

impl<M: Stops> Machine for Stoppable<M> {
    type Event = Heard<M::Event>;
    type Output = Ending<M::Output>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        if self.stopping.is_none() {
            let due = self.deadline.is_some_and(|deadline| cx.now >= deadline);
            let why = self.switch.why().or(due.then_some(Why::Deadline));
            if let Some(why) = why {
                self.stopping = Some((why, cx.now + M::GRACE));
                self.inner.stop(why);
                return Step::Event(Heard::Stopping);
            }
        }
        loop {
            return match (self.inner.poll(cx), self.stopping) {
                (Step::Event(event), _) => Step::Event(Heard::Of(event)),
                (Step::Done(output), _) => Step::Done(Ending::Done(output)),
                // Its reply never comes, and nobody waits for it.
                (Step::Send(..), Some(_)) if !M::WINDS_DOWN => continue,
                (Step::Send(ticket, request), _) => {
                    self.out.insert(ticket);
                    Step::Send(ticket, request)
                }
                (Step::Wait(_), Some((why, end)))
                    if cx.now >= end || (self.out.is_empty() && !M::WINDS_DOWN) =>
                {
                    if self.left {
                        return Step::Done(Ending::Stopped(why));
                    }
                    self.left = true;
                    Step::Event(Heard::Left(why))
                }
                (Step::Wait(until), Some((_, end))) => {
                    Step::Wait(Some(until.map_or(end, |until| until.min(end))))
                }
                (Step::Wait(until), None) => {
                    let look = cx.now + LOOK;
                    let look = self.deadline.map_or(look, |deadline| look.min(deadline));
                    Step::Wait(Some(until.map_or(look, |until| until.min(look))))
                }
            };
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.out.remove(&ticket);
        self.inner.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.out.clear();
        self.inner.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::{Api, Seed, http, v2};

    fn api() -> Api {
        Api::builder("llx-1").build().unwrap()
    }

    fn get() -> Call<v2::GetJob> {
        Call::new(v2::GetJob::new("clj-1"), Seed::new([1; 16]))
    }

    const START: Time = Time::from_millis(1_000);

    #[test]
    fn the_reply_on_the_wire_is_taken_and_nothing_more_is_sent() {
        let (api, switch) = (api(), Switch::default());
        let mut machine = Stoppable::new(get(), switch.clone(), None);
        let cx = Context::new(&api, START);
        let Step::Send(ticket, _) = machine.poll(cx) else {
            panic!("it sends")
        };
        let Step::Wait(Some(until)) = machine.poll(cx) else {
            panic!("it waits")
        };
        assert!(until <= START + LOOK);

        switch.throw(Why::Interrupted);
        let cx = Context::new(&api, until);
        assert!(matches!(machine.poll(cx), Step::Event(Heard::Stopping)));
        assert!(matches!(machine.poll(cx), Step::Wait(Some(_))));
        // The service is down; without the switch the call would be sent again.
        let down = http::Response::builder()
            .status(503)
            .body(classify_proto::Bytes::new())
            .unwrap();
        machine.handle(cx, ticket, Ok(down));
        assert!(matches!(
            machine.poll(cx),
            Step::Event(Heard::Left(Why::Interrupted))
        ));
        assert!(matches!(
            machine.poll(cx),
            Step::Done(Ending::Stopped(Why::Interrupted))
        ));
    }

    #[test]
    fn an_answer_in_time_is_the_end_all_the_same() {
        let (api, switch) = (api(), Switch::default());
        let mut machine = Stoppable::new(get(), switch.clone(), None);
        let cx = Context::new(&api, START);
        let Step::Send(ticket, _) = machine.poll(cx) else {
            panic!("it sends")
        };
        switch.throw(Why::Interrupted);
        assert!(matches!(machine.poll(cx), Step::Event(Heard::Stopping)));
        let answer = http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into());
        machine.handle(cx, ticket, Ok(answer));
        assert!(matches!(machine.poll(cx), Step::Done(Ending::Done(Ok(_)))));
    }

    #[test]
    fn a_silent_wire_gets_its_grace_and_a_deadline_is_met() {
        let api = api();
        let deadline = START + Duration::from_millis(50);
        let mut machine = Stoppable::new(get(), Switch::default(), Some(deadline));
        assert!(matches!(
            machine.poll(Context::new(&api, START)),
            Step::Send(..)
        ));
        let Step::Wait(Some(until)) = machine.poll(Context::new(&api, START)) else {
            panic!("it waits")
        };
        assert_eq!(until, deadline);
        assert!(matches!(
            machine.poll(Context::new(&api, deadline)),
            Step::Event(Heard::Stopping)
        ));
        let Step::Wait(Some(until)) = machine.poll(Context::new(&api, deadline)) else {
            panic!("it waits")
        };
        assert_eq!(until, deadline + Call::<v2::GetJob>::GRACE);
        assert!(matches!(
            machine.poll(Context::new(&api, until)),
            Step::Event(Heard::Left(Why::Deadline))
        ));
    }
}
