//! Drives the client's bulk run on a thread of its own, until it ends or is stopped.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use classify_proto::machine::Summary;
use classify_ureq::classify_client::RunEvent;
use classify_ureq::classify_client::blocking::BulkRun;
use classify_ureq::{Document, Transport};

use crate::cancel::{Cancel, StopReason};
use crate::error::CliError;
use crate::exit_code::ExitCode;

/// How long requests in flight may take after the stop.
const GRACE_PERIOD: Duration = Duration::from_secs(10);
/// How often cancellation is checked for.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(150);

/// An event of a run.
#[derive(Debug)]
pub(super) enum DriveEvent {
    Run(RunEvent),
    /// The run stops, and still waits for requests in flight.
    Stopping,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct DriveEnd {
    /// The reason of an external stop.
    pub(super) stopped: Option<StopReason>,
    /// `None` if requests in flight took longer than the grace period.
    pub(super) summary: Option<Summary>,
}

/// When a run stops before its end.
#[derive(Debug)]
pub(super) struct StopConditions<'a> {
    pub(super) cancel: &'a Cancel,
    pub(super) deadline: Option<Duration>,
    /// An interrupt cancels the jobs that are open.
    pub(super) cancels_on_interrupt: bool,
}

/// Drives a run to its end and passes its events to `on_event`.
///
/// After a stop and the grace period the thread is detached, so that the process need not wait for an upload.
pub(super) fn drive(
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
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(work)
        .map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("cannot start a thread: {error}"),
            )
        })?;

    let is_due = || {
        conditions
            .deadline
            .is_some_and(|deadline| started.elapsed() >= deadline)
    };
    // The reason of the stop, and the end of the grace period.
    let mut stopping: Option<(StopReason, Instant)> = None;
    loop {
        let stopped = stopping.map(|(reason, _)| reason);
        match receiver.recv_timeout(CANCEL_CHECK_INTERVAL) {
            Ok(Message::Event(event)) => on_event(DriveEvent::Run(event)),
            Ok(Message::End(summary)) => return Ok(DriveEnd { stopped, summary }),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CliError::new(
                    ExitCode::Unexpected,
                    "the driver ended without a result",
                ));
            }
        }
        match stopping {
            Some((_, end)) if Instant::now() >= end => {
                return Ok(DriveEnd {
                    stopped,
                    summary: None,
                });
            }
            Some(_) => {}
            None => {
                let deadline = is_due().then_some(StopReason::Deadline);
                if let Some(reason) = conditions.cancel.reason().or(deadline) {
                    stopping = Some((reason, Instant::now() + GRACE_PERIOD));
                    stop_handle.stop();
                    on_event(DriveEvent::Stopping);
                }
            }
        }
    }
}
