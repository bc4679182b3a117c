//! Drives the client's bulk run on a thread of its own, until it ends or is stopped.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use classify_proto::machine::Summary;
use classify_ureq::classify_client::RunEvent;
use classify_ureq::classify_client::blocking::BulkRun;
use classify_ureq::{Document, StopHandle, Transport};

use crate::cancel::{Cancel, StopReason};
use crate::error::CliError;
use crate::exit_code::ExitCode;

/// How long requests in flight may take after the stop.
const GRACE_PERIOD: Duration = Duration::from_secs(10);
/// How often cancellation is checked for.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(150);

/// An event of a run.
#[derive(Debug)]
pub(crate) enum DriveEvent {
    Run(RunEvent),
    /// The run stops, and still waits for requests in flight.
    Stopping,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct DriveEnd {
    /// The reason of an external stop.
    pub(crate) stopped: Option<StopReason>,
    /// `None` if requests in flight took longer than the grace period.
    pub(crate) summary: Option<Summary>,
}

/// When a run stops before its end.
#[derive(Debug)]
pub(crate) struct StopConditions<'a> {
    pub(crate) cancel: &'a Cancel,
    pub(crate) deadline: Option<Duration>,
    /// An interrupt cancels the jobs that are open.
    pub(crate) cancels_on_interrupt: bool,
}

/// Drives a run to its end and passes its events to `on_event`.
///
/// After a stop and the grace period the thread is detached, so that the process need not wait for an upload.
pub(crate) fn drive(
    mut run: BulkRun<Transport, impl Iterator<Item = Document> + Send + 'static>,
    conditions: &StopConditions<'_>,
    mut on_event: impl FnMut(DriveEvent),
) -> Result<DriveEnd, CliError> {
    enum Message {
        Event(RunEvent),
        End(Option<Summary>),
    }
    let started = Instant::now();
    let stop_handle = run.stop_handle();
    let (sender, receiver) = channel();
    let cancel = conditions.cancel.clone();
    let cancels_on_interrupt = conditions.cancels_on_interrupt;
    let work = move || {
        // The receiver is dropped if the grace period was over.
        while let Some(event) = run.next_event() {
            let is_interrupted = cancel.reason() == Some(StopReason::Interrupted);
            if matches!(event, RunEvent::Stopping) && is_interrupted && cancels_on_interrupt {
                run.stop_and_cancel();
            }
            let _ = sender.send(Message::Event(event));
        }
        let _ = sender.send(Message::End(run.into_summary()));
    };
    spawn("driver", work)?;
    let stop = StopNote::default();
    let watch = Watch {
        cancel: conditions.cancel.clone(),
        deadline: conditions
            .deadline
            .and_then(|deadline| started.checked_add(deadline)),
        note: stop.clone(),
        stop_handle,
    };
    let (ended, has_ended) = channel();
    spawn("stop", move || watch.run(&has_ended))?;

    let mut is_stopping = false;
    let end = loop {
        let message = receiver.recv_timeout(CANCEL_CHECK_INTERVAL);
        let is_idle = message.is_err();
        match message {
            Ok(Message::Event(event)) => on_event(DriveEvent::Run(event)),
            Ok(Message::End(summary)) => break summary,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CliError::new(
                    ExitCode::Unexpected,
                    "the driver ended without a result",
                ));
            }
        }
        let Some((_, stopped_at)) = stop.get() else {
            continue;
        };
        if !std::mem::replace(&mut is_stopping, true) {
            on_event(DriveEvent::Stopping);
        }
        // Every event that is here already counts, however long its row took to be written.
        if is_idle && stopped_at.elapsed() >= GRACE_PERIOD {
            break None;
        }
    };
    drop(ended);
    Ok(DriveEnd {
        stopped: stop.get().map(|(reason, _)| reason),
        summary: end,
    })
}

/// Why the run was stopped from outside, and when.
#[derive(Debug, Clone, Default)]
struct StopNote(Arc<OnceLock<(StopReason, Instant)>>);

impl StopNote {
    fn get(&self) -> Option<(StopReason, Instant)> {
        self.0.get().copied()
    }
}

/// Stops the run on cancellation or at the deadline. On a thread of its own: the one that writes the rows waits while
/// nobody reads them.
struct Watch {
    cancel: Cancel,
    deadline: Option<Instant>,
    note: StopNote,
    stop_handle: StopHandle,
}

impl Watch {
    /// Watches until the run has ended.
    fn run(self, has_ended: &Receiver<()>) {
        while has_ended.recv_timeout(CANCEL_CHECK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let is_due = self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline);
            let reason = self.cancel.reason();
            if let Some(reason) = reason.or(is_due.then_some(StopReason::Deadline)) {
                let _ = self.note.0.set((reason, Instant::now()));
                self.stop_handle.stop();
                return;
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CliError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    match thread.spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::new(
            ExitCode::Unexpected,
            format!("cannot start a thread: {error}"),
        )),
    }
}
