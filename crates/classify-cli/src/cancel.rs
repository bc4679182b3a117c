//! Cancellation: by Ctrl-C, by a deadline, or because the reader of stdout closed the pipe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long the second Ctrl-C waits for the progress display to be cleared.
const CLEAR_TIMEOUT: Duration = Duration::from_millis(200);

/// Why something stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    Interrupted,
    Deadline,
    /// The reader of stdout closed the pipe.
    BrokenPipe,
}

/// A cancellation token. The first cancellation sets the reason.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<AtomicU8>);

impl Cancel {
    /// Returns a token that Ctrl-C cancels. A second Ctrl-C exits the process at once.
    pub(crate) fn on_interrupt() -> Self {
        Self::on_interrupt_with(|| {})
    }

    /// The same, with a function that clears the progress display before the process exits at once.
    pub(crate) fn on_interrupt_with(clear: impl Fn() + Send + 'static) -> Self {
        let cancel = Self::default();
        let mut clear = Some(clear);
        let token = cancel.clone();
        // If no handler can be installed, Ctrl-C ends the process as usual.
        let _ = ctrlc::set_handler(move || {
            if token.reason() == Some(StopReason::Interrupted) {
                if let Some(clear) = clear.take() {
                    run_with_timeout(clear);
                }
                std::process::exit(130);
            }
            token.cancel(StopReason::Interrupted);
        });
        cancel
    }

    pub(crate) fn cancel(&self, reason: StopReason) {
        let _ = self
            .0
            .compare_exchange(0, reason as u8 + 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Returns why the token was cancelled, if it was.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        match self.0.load(Ordering::SeqCst) {
            1 => Some(StopReason::Interrupted),
            2 => Some(StopReason::Deadline),
            3 => Some(StopReason::BrokenPipe),
            _ => None,
        }
    }
}

/// Runs a function, but does not wait long for it: the thread that holds the display may be blocked on a full pipe.
fn run_with_timeout(function: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel();
    let work = move || {
        function();
        let _ = sender.send(());
    };
    if std::thread::Builder::new().spawn(work).is_ok() {
        let _ = receiver.recv_timeout(CLEAR_TIMEOUT);
    }
}
