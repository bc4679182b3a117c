//! The service's published limits, and the sliding windows that enforce them.

use std::collections::VecDeque;

use crate::clock::Millis;
use crate::route::Route;

/// Number of requests that are accepted per time. `None` removes a limit.
///
/// ```
/// use classify_emulator::{Config, RateLimits};
///
/// let config = Config::default().rate_limits(RateLimits::free_tier().requests_per_minute(Some(5)));
/// # let _ = config;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// v2 creates in any second; 40 on the service.
    pub creates_per_second: Option<u32>,
    /// Uploads in any five seconds; 50 on the service.
    pub uploads_per_five_seconds: Option<u32>,
    /// Requests of any kind in any minute; 20 on the service's free plan, no limit on a paid one.
    pub requests_per_minute: Option<u32>,
}

impl Default for RateLimits {
    /// The published limits of a paid plan.
    fn default() -> Self {
        Self {
            creates_per_second: Some(40),
            uploads_per_five_seconds: Some(50),
            requests_per_minute: None,
        }
    }
}

impl RateLimits {
    /// Returns no limits.
    #[must_use]
    pub fn none() -> Self {
        Self {
            creates_per_second: None,
            uploads_per_five_seconds: None,
            requests_per_minute: None,
        }
    }

    /// Returns the published limits of the free plan.
    #[must_use]
    pub fn free_tier() -> Self {
        Self {
            requests_per_minute: Some(20),
            ..Self::default()
        }
    }

    /// Sets the number of creates in any second; `None` removes the limit.
    #[must_use]
    pub fn creates_per_second(mut self, count: Option<u32>) -> Self {
        self.creates_per_second = count;
        self
    }

    /// Sets the number of uploads in any five seconds; `None` removes the limit.
    #[must_use]
    pub fn uploads_per_five_seconds(mut self, count: Option<u32>) -> Self {
        self.uploads_per_five_seconds = count;
        self
    }

    /// Sets the number of requests in any minute; `None` removes the limit.
    #[must_use]
    pub fn requests_per_minute(mut self, count: Option<u32>) -> Self {
        self.requests_per_minute = count;
        self
    }
}

/// The times of accepted requests, one sliding window per limit.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    limits: RateLimits,
    creates: VecDeque<Millis>,
    uploads: VecDeque<Millis>,
    requests: VecDeque<Millis>,
}

impl RateLimiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            creates: VecDeque::new(),
            uploads: VecDeque::new(),
            requests: VecDeque::new(),
        }
    }

    /// Accepts a request, or returns the message of the limit that it exceeds.
    pub(crate) fn admit(&mut self, route: Route, now: Millis) -> Result<(), &'static str> {
        if !has_capacity(
            &mut self.requests,
            self.limits.requests_per_minute,
            60_000,
            now,
        ) {
            return Err("Rate limit exceeded: too many requests in one minute");
        }
        let (window, limit, window_length, message) = match route {
            Route::ClassifyCreate => (
                &mut self.creates,
                self.limits.creates_per_second,
                1_000,
                "Rate limit exceeded: too many classify jobs created in one second",
            ),
            Route::FileCreate => (
                &mut self.uploads,
                self.limits.uploads_per_five_seconds,
                5_000,
                "Rate limit exceeded: too many uploads in five seconds",
            ),
            _ => {
                self.requests.push_back(now);
                return Ok(());
            }
        };
        if !has_capacity(window, limit, window_length, now) {
            return Err(message);
        }
        window.push_back(now);
        self.requests.push_back(now);
        Ok(())
    }
}

/// Removes the times that have left the window, and returns whether another request fits.
fn has_capacity(
    window: &mut VecDeque<Millis>,
    limit: Option<u32>,
    window_length: Millis,
    now: Millis,
) -> bool {
    let Some(limit) = limit else {
        window.clear();
        return true;
    };
    while window.front().is_some_and(|at| at + window_length <= now) {
        window.pop_front();
    }
    window.len() < limit as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_limit_window_slides() {
        let mut limiter = RateLimiter::new(RateLimits::default().creates_per_second(Some(2)));
        assert!(limiter.admit(Route::ClassifyCreate, 0).is_ok());
        assert!(limiter.admit(Route::ClassifyCreate, 600).is_ok());
        assert!(limiter.admit(Route::ClassifyCreate, 999).is_err());
        assert!(
            limiter.admit(Route::ClassifyGet, 999).is_ok(),
            "other routes are not held up"
        );
        assert!(
            limiter.admit(Route::ClassifyCreate, 1_000).is_ok(),
            "the first has left the window"
        );
        assert!(limiter.admit(Route::ClassifyCreate, 1_599).is_err());
        assert!(limiter.admit(Route::ClassifyCreate, 1_600).is_ok());
    }

    #[test]
    fn rate_limit_of_free_tier_counts_every_request() {
        let mut limiter = RateLimiter::new(RateLimits::free_tier());
        for _ in 0..20 {
            assert!(limiter.admit(Route::ClassifyGet, 0).is_ok());
        }
        assert!(limiter.admit(Route::FileList, 59_999).is_err());
        assert!(limiter.admit(Route::FileList, 60_000).is_ok());
    }
}
