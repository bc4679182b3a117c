//! Machines that stop before their end, on cancellation.

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::Duration;

use classify_proto::machine::{Context, Machine, Step, Ticket};
use classify_proto::{Reply, Time};
use classify_ureq::Client;

use crate::cancel::Cancel;
use crate::error::CliError;
use crate::exit_code::ExitCode;

/// How often a waiting machine checks for cancellation.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(150);

/// How long in-flight requests may take after the stop.
const GRACE_PERIOD: Duration = Duration::from_secs(3);

/// Runs a machine until it ends or is cancelled.
///
/// After a stop nothing new is sent, but replies to in-flight requests are handled for a few seconds: the reply to a
/// create has the id of a job that is paid for.
#[derive(Debug)]
pub(crate) struct Stoppable<M> {
    inner: M,
    cancel: Cancel,
    in_flight: BTreeSet<Ticket>,
    /// The end of the grace period, once the machine stops.
    stopping: Option<Time>,
    stopped: bool,
}

/// An event of a [`Stoppable`] machine.
#[derive(Debug)]
pub(crate) enum DriveEvent<E> {
    Machine(E),
    /// The machine stops, and still waits for in-flight requests.
    Stopping,
    /// The machine has stopped. The driver itself may still wait for in-flight requests.
    Stopped,
}

/// How a [`Stoppable`] machine ended.
#[derive(Debug)]
pub(crate) enum DriveEnd<O> {
    Finished(O),
    Stopped,
}

/// Drives a machine until it ends or is cancelled, and passes its events to `on_event`.
///
/// The driver runs on a thread of its own. After a stop the thread is detached, so that the process need not wait for
/// an upload.
pub(crate) fn drive<M>(
    client: &Client,
    machine: M,
    cancel: &Cancel,
    mut on_event: impl FnMut(DriveEvent<M::Event>),
) -> Result<DriveEnd<M::Output>, CliError>
where
    M: Machine + Send + 'static,
    M::Event: Send,
    M::Output: Send,
{
    enum Message<E, O> {
        Event(DriveEvent<E>),
        End(DriveEnd<O>),
    }
    let (sender, receiver) = channel();
    let (client, cancel) = (client.clone(), cancel.clone());
    let work = move || {
        let machine = Stoppable::new(machine, cancel);
        // The receiver is dropped if the machine was stopped.
        let end = client.drive(machine, |event| drop(sender.send(Message::Event(event))));
        let _ = sender.send(Message::End(end));
    };
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(work)
        .map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("cannot start a thread: {error}"),
            )
        })?;
    for message in receiver {
        match message {
            Message::Event(event) => {
                let is_stopped = matches!(event, DriveEvent::Stopped);
                on_event(event);
                if is_stopped {
                    return Ok(DriveEnd::Stopped);
                }
            }
            Message::End(end) => return Ok(end),
        }
    }
    Err(CliError::new(
        ExitCode::Unexpected,
        "the driver ended without a result",
    ))
}

impl<M> Stoppable<M> {
    fn new(inner: M, cancel: Cancel) -> Self {
        Self {
            inner,
            cancel,
            in_flight: BTreeSet::new(),
            stopping: None,
            stopped: false,
        }
    }
}

impl<M: Machine> Machine for Stoppable<M> {
    type Event = DriveEvent<M::Event>;
    type Output = DriveEnd<M::Output>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        if self.stopping.is_none() && self.cancel.reason().is_some() {
            self.stopping = Some(cx.now + GRACE_PERIOD);
            return Step::Event(DriveEvent::Stopping);
        }
        loop {
            return match (self.inner.poll(cx), self.stopping) {
                (Step::Event(event), _) => Step::Event(DriveEvent::Machine(event)),
                (Step::Done(output), _) => Step::Done(DriveEnd::Finished(output)),
                // No reply comes for this ticket, and nothing waits for one.
                (Step::Send(..), Some(_)) => continue,
                (Step::Send(ticket, request), _) => {
                    self.in_flight.insert(ticket);
                    Step::Send(ticket, request)
                }
                (Step::Wait(_), Some(end)) if cx.now >= end || self.in_flight.is_empty() => {
                    if self.stopped {
                        return Step::Done(DriveEnd::Stopped);
                    }
                    self.stopped = true;
                    Step::Event(DriveEvent::Stopped)
                }
                (Step::Wait(until), Some(end)) => {
                    Step::Wait(Some(until.map_or(end, |until| until.min(end))))
                }
                (Step::Wait(until), None) => {
                    let next_check = cx.now + CANCEL_CHECK_INTERVAL;
                    Step::Wait(Some(
                        until.map_or(next_check, |until| until.min(next_check)),
                    ))
                }
            };
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        self.in_flight.remove(&ticket);
        self.inner.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.in_flight.clear();
        self.inner.resume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::StopReason;
    use classify_proto::machine::{Call, RawCall};
    use classify_proto::{Api, Seed, http, v2};

    fn api() -> Api {
        Api::builder("llx-1").build().unwrap()
    }

    fn get() -> RawCall<v2::GetJob> {
        Call::new(v2::GetJob::new("clj-1"), Seed::new([1; 16])).with_raw_response()
    }

    const START: Time = Time::from_millis(1_000);

    #[test]
    fn interrupt_awaits_in_flight_response_and_does_not_retry() {
        let (api, cancel) = (api(), Cancel::default());
        let mut machine = Stoppable::new(get(), cancel.clone());
        let cx = Context::new(&api, START);
        let Step::Send(ticket, _) = machine.poll(cx) else {
            panic!("it sends")
        };
        let Step::Wait(Some(until)) = machine.poll(cx) else {
            panic!("it waits")
        };
        assert!(until <= START + CANCEL_CHECK_INTERVAL);

        cancel.cancel(StopReason::Interrupted);
        let cx = Context::new(&api, until);
        assert!(matches!(
            machine.poll(cx),
            Step::Event(DriveEvent::Stopping)
        ));
        assert!(matches!(machine.poll(cx), Step::Wait(Some(_))));
        // The service is down; without the cancellation the call would be sent again.
        let down = http::Response::builder()
            .status(503)
            .body(classify_proto::Bytes::new())
            .unwrap();
        machine.handle(cx, ticket, Ok(down));
        assert!(matches!(machine.poll(cx), Step::Event(DriveEvent::Stopped)));
        assert!(matches!(machine.poll(cx), Step::Done(DriveEnd::Stopped)));
    }

    #[test]
    fn interrupt_does_not_discard_successful_response() {
        let (api, cancel) = (api(), Cancel::default());
        let mut machine = Stoppable::new(get(), cancel.clone());
        let cx = Context::new(&api, START);
        let Step::Send(ticket, _) = machine.poll(cx) else {
            panic!("it sends")
        };
        cancel.cancel(StopReason::Interrupted);
        assert!(matches!(
            machine.poll(cx),
            Step::Event(DriveEvent::Stopping)
        ));
        let answer = http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into());
        machine.handle(cx, ticket, Ok(answer));
        assert!(matches!(
            machine.poll(cx),
            Step::Done(DriveEnd::Finished(Ok(_)))
        ));
    }

    #[test]
    fn interrupt_stops_unanswered_call_after_grace_period() {
        let (api, cancel) = (api(), Cancel::default());
        let mut machine = Stoppable::new(get(), cancel.clone());
        let cx = Context::new(&api, START);
        assert!(matches!(machine.poll(cx), Step::Send(..)));
        cancel.cancel(StopReason::Interrupted);
        assert!(matches!(
            machine.poll(cx),
            Step::Event(DriveEvent::Stopping)
        ));
        let Step::Wait(Some(until)) = machine.poll(cx) else {
            panic!("it waits")
        };
        assert_eq!(until, START + GRACE_PERIOD);
        assert!(matches!(
            machine.poll(Context::new(&api, until)),
            Step::Event(DriveEvent::Stopped)
        ));
    }
}
