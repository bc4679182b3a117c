//! Client-side rate limits.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::rate_limits::{RateFeedback, ReducedRate};
use crate::Time;
use crate::semantics::RateClass;

/// How much of its full rate a bucket regains after a 429, with each full window without another.
const RECOVERY_STEP: u32 = FULL_RATE / 20;
/// The full rate of a bucket, in parts.
const FULL_RATE: u32 = 1_000;
/// How long a class backs off after a 429 without `Retry-After`.
const DEFAULT_BACKOFF: Duration = Duration::from_secs(1);
/// Maximum backoff of a class: the delay affects later calls too.
const MAX_BACKOFF: Duration = Duration::from_secs(60 * 60);
/// The part of a window that is added to it. Requests are counted when they are sent, and the service counts them when
/// they arrive, after different times on the way.
const WINDOW_SLACK: u32 = 20;

/// Delays requests so that the service's rate limits are not exceeded.
///
/// A driver has one per client and passes it to every machine in the [`Context`](super::Context), so all calls of the
/// client share it. A request is sent if fewer than its bucket's limit were sent in the window before it. The window is
/// a twentieth longer than the service's, because requests may arrive closer together than they were sent. A 429 halves
/// the bucket's rate and makes the class back off for as long as the service asks, at most an hour; each full window of
/// accepted requests restores a twentieth of the full rate.
///
/// ```
/// use classify_proto::machine::Limiter;
/// use classify_proto::{RateClass, Time};
///
/// let mut limiter = Limiter::paid();
/// let now = Time::from_millis(0);
/// for _ in 0..40 {
///     assert_eq!(limiter.available_at(RateClass::Create, now), now);
///     limiter.sent(RateClass::Create, now);
/// }
/// assert_eq!(limiter.available_at(RateClass::Create, now), Time::from_millis(1050));
/// ```
#[derive(Debug, Clone)]
pub struct Limiter {
    classes: BTreeMap<RateClass, Bucket>,
    total: Option<Bucket>,
    /// The end of the backoff of each class that the service asked to wait.
    backing_off: BTreeMap<RateClass, Time>,
}

impl Limiter {
    /// Creates the published limits of a paid plan: 40 creates per second, 50 uploads per 5 seconds.
    #[must_use]
    pub fn paid() -> Self {
        Self::unlimited()
            .limit(RateClass::Create, 40, Duration::from_secs(1))
            .limit(RateClass::Upload, 50, Duration::from_secs(5))
    }

    /// Creates the published limit of the free plan: 20 requests per minute of all classes together.
    #[must_use]
    pub fn free_tier() -> Self {
        Self::paid().total(20, Duration::from_secs(60))
    }

    /// Creates a limiter without limits; it still backs off after a 429.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            classes: BTreeMap::new(),
            total: None,
            backing_off: BTreeMap::new(),
        }
    }

    /// Limits a class to `requests` (at least 1) in any `window`.
    #[must_use]
    pub fn limit(mut self, class: RateClass, requests: u32, window: Duration) -> Self {
        self.classes.insert(class, Bucket::new(requests, window));
        self
    }

    /// Limits all classes together to `requests` (at least 1) in any `window`.
    #[must_use]
    pub fn total(mut self, requests: u32, window: Duration) -> Self {
        self.total = Some(Bucket::new(requests, window));
        self
    }

    /// Returns the time at which the next request of a class may be sent: `now` or later.
    #[must_use]
    pub fn available_at(&self, class: RateClass, now: Time) -> Time {
        let buckets = self.classes.get(&class).into_iter().chain(&self.total);
        let backoff_until = self.backing_off.get(&class).copied().unwrap_or(now);
        buckets
            .map(|bucket| bucket.available_at(now))
            .fold(backoff_until.max(now), Time::max)
    }

    /// Counts a request that is sent at `now`.
    pub fn sent(&mut self, class: RateClass, now: Time) {
        for bucket in self.buckets(class) {
            bucket.sent(now);
        }
    }

    /// Adapts the rate to a response: a 429 reduces the class's rate, an accepted request restores it. No response and
    /// a 5xx say nothing about the rate.
    pub(crate) fn answered(&mut self, class: RateClass, now: Time, feedback: RateFeedback) {
        match feedback {
            RateFeedback::Limited(delay) => {
                let until = now + delay.unwrap_or(DEFAULT_BACKOFF).min(MAX_BACKOFF);
                let backing_off = self.backing_off.entry(class).or_insert(until);
                *backing_off = (*backing_off).max(until);
                for bucket in self.buckets(class) {
                    bucket.reduce_rate(now);
                }
            }
            RateFeedback::Accepted => {
                for bucket in self.buckets(class) {
                    bucket.on_success();
                }
            }
            RateFeedback::Unknown => {}
        }
    }

    /// The rate of a class if 429s have reduced it: the lowest of its buckets.
    pub(crate) fn reduced_rate(&self, class: RateClass) -> Option<ReducedRate> {
        let buckets = self.classes.get(&class).into_iter().chain(&self.total);
        buckets
            .filter(|bucket| bucket.rate < FULL_RATE)
            .map(|bucket| ReducedRate {
                requests: bucket.allowed(),
                window: bucket.published_window(),
            })
            .min_by(|a, b| a.per_second().total_cmp(&b.per_second()))
    }

    /// Changes the limits to those of `other`. The requests of the current windows and delays that the service asked
    /// for are kept. A class that `other` does not limit becomes unlimited.
    pub fn change_limits(&mut self, other: &Limiter) {
        let keep = |old: Option<&Bucket>, new: &Bucket| {
            let mut bucket = new.clone();
            if let Some(old) = old {
                bucket.sent = old.sent.iter().copied().collect();
                while bucket.sent.len() > bucket.limit as usize {
                    bucket.sent.pop_front();
                }
            }
            bucket
        };
        self.total = other
            .total
            .as_ref()
            .map(|new| keep(self.total.as_ref(), new));
        self.classes = other
            .classes
            .iter()
            .map(|(class, new)| (*class, keep(self.classes.get(class), new)))
            .collect();
    }

    fn buckets(&mut self, class: RateClass) -> impl Iterator<Item = &mut Bucket> {
        self.classes
            .get_mut(&class)
            .into_iter()
            .chain(self.total.as_mut())
    }
}

impl Default for Limiter {
    /// The limits of a paid plan.
    fn default() -> Self {
        Self::paid()
    }
}

/// A sliding window: the times of the latest requests.
#[derive(Debug, Clone)]
struct Bucket {
    limit: u32,
    window: Duration,
    /// The part of the limit in use, of [`FULL_RATE`].
    rate: u32,
    /// The times of the latest requests, at most as many as the limit.
    sent: VecDeque<Time>,
    successes: u32,
    reduced_at: Option<Time>,
}

impl Bucket {
    fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit: limit.max(1),
            window: window.saturating_add(window / WINDOW_SLACK),
            rate: FULL_RATE,
            sent: VecDeque::new(),
            successes: 0,
            reduced_at: None,
        }
    }

    /// The window without its slack.
    fn published_window(&self) -> Duration {
        self.window / (WINDOW_SLACK + 1) * WINDOW_SLACK
    }

    /// The number of requests per window at the current rate.
    fn allowed(&self) -> usize {
        let allowed = u64::from(self.limit) * u64::from(self.rate) / u64::from(FULL_RATE);
        usize::try_from(allowed).unwrap_or(usize::MAX).max(1)
    }

    fn available_at(&self, now: Time) -> Time {
        let allowed = self.allowed();
        if self.sent.len() < allowed {
            return now;
        }
        // The next request may be sent when the first of the latest `allowed` ones is a window old.
        self.sent
            .get(self.sent.len() - allowed)
            .map_or(now, |first| (*first + self.window).max(now))
    }

    fn sent(&mut self, now: Time) {
        while self.sent.len() >= self.limit as usize {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    fn reduce_rate(&mut self, now: Time) {
        // Several 429s to one burst reduce the rate once.
        if self
            .reduced_at
            .is_some_and(|reduced_at| now < reduced_at + self.window)
        {
            return;
        }
        self.reduced_at = Some(now);
        self.successes = 0;
        self.rate = (self.rate / 2).max(1);
    }

    fn on_success(&mut self) {
        if self.rate == FULL_RATE {
            return;
        }
        self.successes += 1;
        if self.successes as usize >= self.allowed() {
            self.successes = 0;
            self.rate = (self.rate + RECOVERY_STEP).min(FULL_RATE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::reply::Failure;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn limited() -> Error {
        Error::from_response(
            http::Response::builder()
                .status(429)
                .body(Bytes::new())
                .unwrap(),
        )
    }

    /// Sends as fast as the limiter allows for this long, and returns the time of each request.
    fn run(limiter: &mut Limiter, class: RateClass, from: u64, for_millis: u64) -> Vec<u64> {
        let mut now = Time::from_millis(from);
        let mut times = Vec::new();
        loop {
            now = limiter.available_at(class, now);
            if now.as_millis() >= from + for_millis {
                return times;
            }
            limiter.sent(class, now);
            times.push(now.as_millis());
        }
    }

    #[test]
    fn rate_limit_presets_match_published_limits() {
        assert_eq!(
            run(&mut Limiter::paid(), RateClass::Create, 5_000, 10_000).len(),
            400
        );
        assert_eq!(
            run(&mut Limiter::paid(), RateClass::Upload, 5_000, 10_000).len(),
            100
        );
        assert_eq!(
            run(&mut Limiter::free_tier(), RateClass::Other, 5_000, 120_000).len(),
            40
        );
        let mut free = Limiter::free_tier();
        let mixed = run(&mut free, RateClass::Upload, 0, 60_000).len()
            + run(&mut free, RateClass::Create, 0, 60_000).len();
        assert_eq!(mixed, 20);
    }

    #[test]
    fn rate_limit_429_halves_rate_and_backs_off_class_then_recovers() {
        let mut limiter = Limiter::paid();
        let start = Time::from_millis(0);
        limiter.answered(
            RateClass::Create,
            start,
            RateFeedback::of(Some(&limited()), Some(Duration::from_secs(7))),
        );
        limiter.answered(
            RateClass::Create,
            start,
            RateFeedback::of(Some(&limited()), None),
        );
        assert_eq!(
            limiter.available_at(RateClass::Create, start),
            Time::from_millis(7_000)
        );
        assert_eq!(
            limiter.available_at(RateClass::Upload, start),
            start,
            "another class goes on"
        );
        assert_eq!(
            run(&mut limiter, RateClass::Create, 7_000, 10_000).len(),
            200
        );
        for _ in 0..40 * 20 {
            limiter.answered(RateClass::Create, start, RateFeedback::of(None, None));
        }
        assert_eq!(
            run(&mut limiter, RateClass::Create, 30_000, 10_000).len(),
            400
        );
    }

    #[test]
    fn rate_limit_recovers_by_a_twentieth_per_successful_window() {
        let mut limiter = Limiter::paid();
        let start = Time::from_millis(0);
        limiter.answered(
            RateClass::Create,
            start,
            RateFeedback::of(Some(&limited()), None),
        );
        let mut at = 10_000;
        for (well, rate) in [(19, 20), (1, 22), (21, 22), (1, 24)] {
            for _ in 0..well {
                limiter.answered(RateClass::Create, start, RateFeedback::of(None, None));
            }
            let sent = run(&mut limiter, RateClass::Create, at, 1_000);
            assert_eq!(sent.len(), rate);
            at += 10_000;
        }
    }

    #[test]
    fn rate_limit_recovers_only_on_responses_without_server_error() {
        let status = |status: u16| {
            let response = http::Response::builder().status(status);
            Error::from_response(response.body(Bytes::new()).unwrap())
        };
        let no_answer = |failure| Error::from_failure(failure);
        for (error, well) in [
            (no_answer(Failure::connect("refused")), false),
            (no_answer(Failure::timeout("60 s")), false),
            (status(503), false),
            (status(500), false),
            (status(404), true),
            (status(422), true),
        ] {
            let mut limiter = Limiter::paid();
            let start = Time::from_millis(0);
            limiter.answered(
                RateClass::Create,
                start,
                RateFeedback::of(Some(&limited()), None),
            );
            for _ in 0..1_000 {
                limiter.answered(
                    RateClass::Create,
                    start,
                    RateFeedback::of(Some(&error), None),
                );
            }
            let sent = run(&mut limiter, RateClass::Create, 10_000, 1_000).len();
            assert_eq!(sent == 40, well, "{error}: {sent}");
            assert_eq!(sent == 20, !well, "{error}: {sent}");
        }
    }

    #[test]
    fn rate_limit_429s_of_one_burst_halve_rate_once() {
        // The window of a second, and its slack.
        for (second, rate) in [(1_049, 20), (1_050, 10)] {
            let mut limiter = Limiter::paid();
            for at in [0, 5, second] {
                let now = Time::from_millis(at);
                limiter.answered(
                    RateClass::Create,
                    now,
                    RateFeedback::of(Some(&limited()), None),
                );
            }
            let sent = run(&mut limiter, RateClass::Create, 10_000, 1_000);
            assert_eq!(sent.len(), rate);
        }
    }

    #[test]
    fn rate_limit_backoff_of_class_is_at_most_one_hour() {
        let mut limiter = Limiter::paid();
        let day = Some(Duration::from_secs(86_400));
        let start = Time::from_millis(0);
        limiter.answered(
            RateClass::Create,
            start,
            RateFeedback::of(Some(&limited()), day),
        );
        assert_eq!(
            limiter.available_at(RateClass::Create, start),
            Time::from_millis(3_600_000)
        );
    }

    #[test]
    fn rate_limit_never_falls_to_zero() {
        let mut limiter = Limiter::free_tier();
        for minute in 0..100 {
            limiter.answered(
                RateClass::Other,
                Time::from_millis(minute * 60_000),
                RateFeedback::of(Some(&limited()), None),
            );
        }
        assert_eq!(
            run(&mut limiter, RateClass::Other, 6_100_000, 600_000).len(),
            10
        );
    }

    proptest! {
        #[test]
        fn rate_limit_no_window_exceeds_limit(
            limit in 1u32..8, window in 1u64..500, steps in proptest::collection::vec((0u64..200, any::<bool>()), 1..120),
        ) {
            let mut limiter = Limiter::unlimited().limit(RateClass::Create, limit, Duration::from_millis(window));
            let mut now = Time::from_millis(1_000);
            let mut times: Vec<u64> = Vec::new();
            for (pause, slow) in steps {
                now = now + Duration::from_millis(pause);
                if slow {
                    limiter.answered(RateClass::Create, now, RateFeedback::of(Some(&limited()), Some(Duration::from_millis(1))));
                }
                now = limiter.available_at(RateClass::Create, now);
                prop_assert_eq!(limiter.available_at(RateClass::Create, now), now);
                limiter.sent(RateClass::Create, now);
                times.push(now.as_millis());
            }
            for (place, start) in times.iter().enumerate() {
                let inside = times[place..].iter().filter(|time| **time < start + window).count();
                prop_assert!(inside <= limit as usize);
            }
        }
    }

    #[test]
    fn rate_limit_change_keeps_requests_of_current_window() {
        let second = Duration::from_secs(1);
        let limit = |requests| Limiter::unlimited().limit(RateClass::Create, requests, second);
        let mut limiter = limit(4);
        let now = Time::from_millis(1_000);
        for _ in 0..3 {
            limiter.sent(RateClass::Create, now);
        }
        limiter.change_limits(&limit(2));
        assert!(limiter.available_at(RateClass::Create, now) > now);
        limiter.change_limits(&limit(8));
        assert_eq!(limiter.available_at(RateClass::Create, now), now);
        // The delay that the service asked for is kept.
        let delay = Some(Duration::from_secs(9));
        limiter.answered(
            RateClass::Create,
            now,
            RateFeedback::of(Some(&limited()), delay),
        );
        limiter.change_limits(&Limiter::unlimited());
        assert_eq!(
            limiter.available_at(RateClass::Create, now),
            now + Duration::from_secs(9)
        );
    }
}
