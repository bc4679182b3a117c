//! The queue between the callers of a pool and its driver.
//!
//! Model-checked in `tests/pool_queue.rs`: that test compiles this file with the locks of a model checker.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The callers' end of the queue. Each clone is a caller. The queue closes when the last one is dropped.
pub(crate) struct Callers<D, R> {
    shared: Arc<Mutex<Shared<D, R>>>,
}

/// The driver's end of the queue.
pub(crate) struct Driver<D, R> {
    shared: Arc<Mutex<Shared<D, R>>>,
}

struct Shared<D, R> {
    waiting: VecDeque<(D, Arc<Mutex<Slot<R>>>)>,
    callers: usize,
    driver: Option<Waker>,
    /// Whether the driver is gone, so that no request will be answered.
    is_orphaned: bool,
}

/// The slot for the answer to one request.
struct Slot<R> {
    answer: Option<R>,
    waker: Option<Waker>,
    /// Whether the caller is gone, so that no answer is needed.
    is_abandoned: bool,
    /// Whether the driver is gone, so that there will be no answer.
    is_lost: bool,
}

/// A caller that waits for an answer. Dropping it abandons the request.
pub(crate) struct Waiting<R>(Arc<Mutex<Slot<R>>>);

/// A request that the driver has taken. If it is dropped without an answer, the caller gets [`Lost`].
pub(crate) struct Taken<R>(Arc<Mutex<Slot<R>>>);

/// The driver ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the two ends of a queue.
pub(crate) fn queue<D, R>() -> (Callers<D, R>, Driver<D, R>) {
    let shared = Arc::new(Mutex::new(Shared {
        waiting: VecDeque::new(),
        callers: 1,
        driver: None,
        is_orphaned: false,
    }));
    let callers = Callers {
        shared: Arc::clone(&shared),
    };
    (callers, Driver { shared })
}

impl<D, R> Callers<D, R> {
    /// Adds a request, wakes the driver, and returns the waiting end.
    pub(crate) fn submit(&self, request: D) -> Waiting<R> {
        let mut shared = lock(&self.shared);
        let slot = Arc::new(Mutex::new(Slot {
            answer: None,
            waker: None,
            is_abandoned: false,
            is_lost: shared.is_orphaned,
        }));
        if !shared.is_orphaned {
            shared.waiting.push_back((request, Arc::clone(&slot)));
        }
        let driver = shared.driver.take();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
        Waiting(slot)
    }
}

impl<D, R> Clone for Callers<D, R> {
    fn clone(&self) -> Self {
        lock(&self.shared).callers += 1;
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<D, R> Drop for Callers<D, R> {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.callers -= 1;
        if shared.callers == 0 {
            let driver = shared.driver.take();
            drop(shared);
            if let Some(driver) = driver {
                driver.wake();
            }
        }
    }
}

impl<D, R> Driver<D, R> {
    /// Takes up to `most` requests whose callers still wait. If there are none, `waker` is woken when the next one
    /// comes or the queue closes.
    pub(crate) fn take(&self, most: usize, waker: &Waker) -> Vec<(D, Taken<R>)> {
        let mut shared = lock(&self.shared);
        let mut taken = Vec::new();
        // Requests without a caller are dropped outside of the lock: they may own a file.
        let mut abandoned = Vec::new();
        while taken.len() < most {
            let Some((request, slot)) = shared.waiting.pop_front() else {
                break;
            };
            if lock(&slot).is_abandoned {
                abandoned.push(request);
            } else {
                taken.push((request, Taken(slot)));
            }
        }
        shared.driver = Some(waker.clone());
        drop(shared);
        drop(abandoned);
        taken
    }

    /// Whether no request waits to be taken.
    #[allow(dead_code, reason = "the model checker does not ask")]
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.shared).waiting.is_empty()
    }

    /// Whether all callers are gone. Requests may still wait for an answer.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.shared).callers == 0
    }
}

impl<D, R> Drop for Driver<D, R> {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.is_orphaned = true;
        let waiting = std::mem::take(&mut shared.waiting);
        drop(shared);
        for (request, slot) in waiting {
            drop(request);
            drop(Taken(slot));
        }
    }
}

impl<R> Waiting<R> {
    /// Returns the answer when there is one.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<R, Lost>> {
        let mut slot = lock(&self.0);
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(Ok(answer));
        }
        if slot.is_lost {
            return Poll::Ready(Err(Lost));
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<R> Drop for Waiting<R> {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.is_abandoned = true;
        slot.waker = None;
    }
}

impl<R> Taken<R> {
    /// Sends the answer to the caller.
    pub(crate) fn answer(self, answer: R) {
        lock(&self.0).answer = Some(answer);
    }
}

impl<R> Drop for Taken<R> {
    fn drop(&mut self) {
        let mut slot = lock(&self.0);
        slot.is_lost = slot.answer.is_none();
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
