//! Where blocking work runs: opening and reading files.

use std::fmt;
use std::sync::Arc;

/// Runs blocking work of the client, such as reading a file, away from async threads.
#[derive(Clone)]
pub struct BlockingExecutor(Arc<dyn Fn(Work) + Send + Sync>);

/// Work that may block.
type Work = Box<dyn FnOnce() + Send>;

impl BlockingExecutor {
    /// Runs work with a function, such as one that calls a runtime's `spawn_blocking`. The function must not drop work
    /// unless the client is dropped as well.
    pub fn new(run: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// Runs work at once, on the thread that polls. For targets without threads.
    #[must_use]
    pub fn in_place() -> Self {
        Self::new(|work| work())
    }

    /// Runs each piece of work on a new thread, or at once if the system gives no thread.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    #[must_use]
    pub fn threads() -> Self {
        use std::sync::{Mutex, PoisonError};

        Self::new(|work| {
            // A thread that cannot be started drops what it was given.
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
    /// [`threads`](Self::threads), or [`in_place`](Self::in_place) where there are none.
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
