//! The executor for blocking work, such as opening and reading files.

use std::fmt;
use std::sync::Arc;

/// Runs blocking work of the client, such as reading a file, outside of async threads. Returned by
/// [`Transport::blocking_executor`](super::Transport::blocking_executor).
///
/// ```
/// use classify_client::BlockingExecutor;
///
/// // With tokio: BlockingExecutor::new(|work| drop(tokio::task::spawn_blocking(work)))
/// let executor = BlockingExecutor::new(|work| drop(std::thread::spawn(work)));
/// # let _ = executor;
/// ```
#[derive(Clone)]
pub struct BlockingExecutor(Arc<dyn Fn(Work) + Send + Sync>);

/// A function that may block.
type Work = Box<dyn FnOnce() + Send>;

impl BlockingExecutor {
    /// Returns an executor that passes work to `run`, which may call a runtime's `spawn_blocking`. `run` must not drop
    /// work unless the client is dropped.
    pub fn new(run: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// Returns an executor that runs work on the thread that polls. For targets without threads.
    #[must_use]
    pub fn in_place() -> Self {
        Self::new(|work| work())
    }

    /// Returns an executor that runs each function on a new thread, or on the calling thread if none can be started.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    #[must_use]
    pub fn threads() -> Self {
        use std::sync::{Mutex, PoisonError};

        Self::new(|work| {
            // If the thread cannot be started, its closure is dropped, but the work stays here.
            let slot = Arc::new(Mutex::new(Some(work)));
            let shared = Arc::clone(&slot);
            let take = |slot: &Mutex<Option<Work>>| {
                slot.lock().unwrap_or_else(PoisonError::into_inner).take()
            };
            let spawned = std::thread::Builder::new()
                .name("classify-file".to_owned())
                .spawn(move || {
                    if let Some(work) = take(&shared) {
                        work();
                    }
                });
            if spawned.is_err() {
                if let Some(work) = take(&slot) {
                    work();
                }
            }
        })
    }

    pub(crate) fn run(&self, work: impl FnOnce() + Send + 'static) {
        (self.0)(Box::new(work));
    }
}

impl Default for BlockingExecutor {
    /// Returns [`threads`](Self::threads), or [`in_place`](Self::in_place) on targets without threads.
    fn default() -> Self {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        return Self::threads();
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        Self::in_place()
    }
}

impl fmt::Debug for BlockingExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingExecutor")
    }
}
