//! A pause of all documents after an error that affects every document, such as missing credits.
//!
//! Documents wait in the worker. After the pause, one of them tries; if it succeeds, the others follow, and otherwise
//! the pause is doubled.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The maximum pause.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// The pause of a worker.
pub(super) struct Hold {
    state: Mutex<Option<Held>>,
    changed: Notify,
    initial: Duration,
    give_up_after: Duration,
}

struct Held {
    reason: String,
    since: Instant,
    until: Instant,
    pause: Duration,
    /// Whether a document tries at present.
    is_trying: bool,
}

/// The right of one document to send requests. Dropping it lets another document try.
pub(super) struct Turn<'a> {
    hold: &'a Hold,
    is_trial: bool,
}

enum Next {
    Pass { is_trial: bool },
    Wait(Duration),
    GiveUp(String),
}

impl Hold {
    /// Creates a hold that pauses for `initial` at first. Documents fail if it lasts for `give_up_after`.
    pub(super) fn new(initial: Duration, give_up_after: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            initial,
            give_up_after,
        }
    }

    /// Waits until this document may send requests.
    ///
    /// # Errors
    ///
    /// The reason of the pause, if it has lasted for too long.
    pub(super) async fn pass(&self) -> Result<Turn<'_>, String> {
        loop {
            let changed = self.changed.notified();
            match self.next() {
                Next::Pass { is_trial } => {
                    return Ok(Turn {
                        hold: self,
                        is_trial,
                    });
                }
                Next::GiveUp(reason) => return Err(reason),
                Next::Wait(wait) => {
                    let _ = tokio::time::timeout(wait, changed).await;
                }
            }
        }
    }

    fn next(&self) -> Next {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(held) = &mut *state else {
            return Next::Pass { is_trial: false };
        };
        if now >= held.since + self.give_up_after {
            return Next::GiveUp(held.reason.clone());
        }
        if now < held.until {
            return Next::Wait(held.until - now);
        }
        if held.is_trying {
            return Next::Wait(MAX_PAUSE);
        }
        held.is_trying = true;
        Next::Pass { is_trial: true }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// The document's requests were accepted.
    pub(super) fn passed(mut self) {
        if std::mem::take(&mut self.is_trial) && self.hold.lock().take().is_some() {
            tracing::info!("documents are classified again");
            self.hold.changed.notify_waiters();
        }
    }

    /// The document's run was stopped by an error that affects every document.
    pub(super) fn stopped(mut self, reason: &str) {
        let is_trial = std::mem::take(&mut self.is_trial);
        let now = Instant::now();
        let mut state = self.hold.lock();
        match &mut *state {
            Some(held) if is_trial => {
                held.pause = (held.pause * 2).min(MAX_PAUSE);
                held.until = now + held.pause;
                held.is_trying = false;
                reason.clone_into(&mut held.reason);
                self.hold.changed.notify_waiters();
            }
            // The other documents of the same run.
            Some(_) => {}
            None => {
                tracing::warn!("documents wait: {reason}");
                *state = Some(Held {
                    reason: reason.to_owned(),
                    since: now,
                    until: now + self.hold.initial,
                    pause: self.hold.initial,
                    is_trying: false,
                });
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            if let Some(held) = &mut *self.hold.lock() {
                held.is_trying = false;
            }
            self.hold.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_document_tries_after_a_pause_and_the_others_follow() {
        let hold = Hold::new(Duration::from_millis(20), Duration::from_secs(60));
        let first = hold.pass().await.unwrap();
        let second = hold.pass().await.unwrap();
        first.stopped("no credits");
        second.stopped("no credits");
        let trial = hold.pass().await.unwrap();
        assert!(trial.is_trial);
        assert!(matches!(hold.next(), Next::Wait(_)), "one tries at a time");
        // The invocation of the document that tries is cancelled.
        drop(trial);
        let trial = hold.pass().await.unwrap();
        trial.stopped("no credits");
        let trial = hold.pass().await.unwrap();
        trial.passed();
        assert!(matches!(hold.next(), Next::Pass { is_trial: false }));
    }

    #[tokio::test]
    async fn documents_fail_after_a_long_pause() {
        let hold = Hold::new(Duration::from_millis(1), Duration::ZERO);
        hold.pass().await.unwrap().stopped("no credits");
        assert_eq!(hold.pass().await.err().as_deref(), Some("no credits"));
    }
}
