//! Cancellation: by Ctrl-C or another signal that ends a process, by a deadline, or because the reader of stdout closed
//! the pipe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::signals::TerminationSignals;

/// How long the second Ctrl-C waits for the progress display to be cleared.
const CLEAR_TIMEOUT: Duration = Duration::from_millis(200);

/// The reason of a stop before the end.
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
        let token = cancel.clone();
        let (installed, is_installed) = channel();
        let work = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            runtime.block_on(async {
                let mut signals = TerminationSignals::install();
                let _ = installed.send(());
                signals.recv().await;
                token.cancel(StopReason::Interrupted);
                signals.recv().await;
                run_with_timeout(clear);
                std::process::exit(130);
            });
        };
        // If no thread can be started, Ctrl-C ends the process as usual.
        let thread = std::thread::Builder::new().name("signals".to_owned());
        if thread.spawn(work).is_ok() {
            // A signal may come as soon as this returns.
            let _ = is_installed.recv();
        }
        cancel
    }

    pub(crate) fn cancel(&self, reason: StopReason) {
        let _ = self
            .0
            .compare_exchange(0, reason as u8 + 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Returns the reason of the cancellation; `None` if the token is not cancelled.
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
