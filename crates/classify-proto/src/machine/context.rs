//! What a driver passes to every call of a machine.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::limiter::Limiter;
use crate::Time;
use crate::api::Api;
use crate::semantics::RateClass;

/// What a driver lends a machine at every step and no machine keeps: where requests go, in whose name, and the time.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Where requests go and in whose name.
    pub api: &'a Api,
    /// The present time.
    pub now: Time,
    /// What holds requests back, shared by all machines of a client; `None` holds nothing back.
    ///
    /// It is locked for moments only and never while anything of the caller's runs, so that whoever a machine calls, such
    /// as the documents and the store of a [`Fed`](super::Fed), may use the same client.
    pub limiter: Option<&'a Mutex<Limiter>>,
}

impl<'a> Context<'a> {
    /// Lends an [`Api`] and the present time.
    #[must_use]
    pub fn new(api: &'a Api, now: Time) -> Self {
        Self {
            api,
            now,
            limiter: None,
        }
    }

    /// Lends a limiter too, which every request then waits for.
    #[must_use]
    pub fn limiter(mut self, limiter: &'a Mutex<Limiter>) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// When the limiter lets the next request of a class through.
    pub(crate) fn available_at(&self, class: RateClass) -> Time {
        self.lock_limiter()
            .map_or(self.now, |limiter| limiter.available_at(class, self.now))
    }

    /// Takes note of a request of a class that is sent now, or says when it may be: one step, since others share the
    /// limiter.
    pub(crate) fn admit(&self, class: RateClass) -> Result<(), Time> {
        let Some(mut limiter) = self.lock_limiter() else {
            return Ok(());
        };
        let free = limiter.available_at(class, self.now);
        if free > self.now {
            return Err(free);
        }
        limiter.sent(class, self.now);
        Ok(())
    }

    /// The limiter, for a moment. It is sound whatever happened to the thread that held it last.
    pub(crate) fn lock_limiter(&self) -> Option<MutexGuard<'a, Limiter>> {
        self.limiter
            .map(|limiter| limiter.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
