//! A few threads that read documents, so that requests do not wait for them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

type Task = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Number of tasks that are queued or running.
    pending: usize,
    threads: usize,
    closed: bool,
}

#[derive(Default)]
struct PoolState {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// A bounded pool. Threads start when needed and end with the pool.
pub(crate) struct ReaderPool {
    state: Arc<PoolState>,
    limit: usize,
}

impl std::fmt::Debug for ReaderPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl PoolState {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_worker(&self) {
        loop {
            let task = {
                let mut queue = self.lock();
                loop {
                    if queue.closed {
                        return;
                    }
                    if let Some(task) = queue.tasks.pop_front() {
                        break task;
                    }
                    queue = self
                        .changed
                        .wait(queue)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            };
            // A panic while reading a document loses its result, and not the thread.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
            self.lock().pending -= 1;
            self.changed.notify_all();
        }
    }
}

impl ReaderPool {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: Arc::default(),
            limit: limit.max(1),
        }
    }

    pub(crate) fn submit(&self, task: impl FnOnce() + Send + 'static) {
        let mut queue = self.state.lock();
        queue.tasks.push_back(Box::new(task));
        queue.pending += 1;
        if queue.threads < self.limit && queue.threads < queue.pending {
            let state = Arc::clone(&self.state);
            let started = std::thread::Builder::new()
                .name("document-reader".to_owned())
                .spawn(move || state.run_worker());
            if started.is_ok() {
                queue.threads += 1;
            }
        }
        drop(queue);
        self.state.changed.notify_all();
    }

    /// Waits until all documents submitted so far have been read, at most until the timeout.
    pub(crate) fn wait_until_idle(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut queue = self.state.lock();
        while queue.pending > 0 && !queue.closed {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return false;
            }
            queue = self
                .state
                .changed
                .wait_timeout(queue, remaining)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    pub(crate) fn close(&self) {
        let mut queue = self.state.lock();
        queue.closed = true;
        queue.tasks.clear();
        drop(queue);
        self.state.changed.notify_all();
    }
}

impl Drop for ReaderPool {
    fn drop(&mut self) {
        // The threads are not joined: one of them may be dropping the pool.
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn reader_pool_survives_panicking_task() {
        let pool = ReaderPool::new(1);
        let done = Arc::new(AtomicUsize::new(0));
        pool.submit(|| panic!("a planted panic"));
        for _ in 0..5 {
            let done = Arc::clone(&done);
            pool.submit(move || {
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        assert!(pool.wait_until_idle(Duration::from_secs(30)));
        assert_eq!(done.load(Ordering::SeqCst), 5);
    }
}
