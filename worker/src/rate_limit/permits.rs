//! The permits that this worker has leased.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use classify_proto::machine::{RateFeedback, RateLimits};
use classify_proto::{RateClass, Time};
use tokio::sync::Notify;

use super::window::{LeaseRequest, ReturnedLease, WorkerClock};
use crate::args::RateLimit;
use crate::engine::Engine;
use crate::telemetry::Instruments;

/// The maximum number of permits of a lease.
const MAX_LEASE: u32 = 10;
/// When a machine asks again if it is not known when permits arrive.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// The pause after an error of the engine; doubled up to the maximum.
const RETRY: Duration = Duration::from_millis(200);
const MAX_RETRY: Duration = Duration::from_secs(2);
/// While a lease waits for its start, the window's clock is advanced this often. The leases of other workers move along
/// with a step of the clock, so long steps would make them count for longer.
const TICK: Duration = Duration::from_millis(500);
/// Unused permits return with the next question, or after this time.
const RETURN: Duration = Duration::from_secs(1);
/// The default delay after a 429 without `Retry-After`.
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// Grants the requests of this process permits that it has leased from the limit of all workers.
pub(crate) struct Permits {
    buckets: Vec<Bucket>,
    rate_limit: RateLimit,
    /// Whether no request is sent any more, because the process ends.
    is_draining: AtomicBool,
}

/// The permits of one limit.
struct Bucket {
    /// The key of the virtual object.
    key: String,
    limit: u32,
    window: Duration,
    /// How long a lease lasts. The limit is shared less exactly if it is longer, and asked for more often if shorter.
    duration: Duration,
    state: Mutex<BucketState>,
    changed: Notify,
    granted: AtomicU64,
    instruments: Option<Instruments>,
}

#[derive(Default)]
struct BucketState {
    leases: VecDeque<Lease>,
    /// Leases that have ended, with the number of permits that were used, for the next question.
    returned: Vec<ReturnedLease>,
    /// When the first of them ended.
    returned_since: Option<Instant>,
    /// Whether a request has waited since the latest question.
    is_wanted: bool,
    /// The number of permits of the next lease.
    next_size: u32,
    /// The delay that the service asked for with a 429.
    limited: Option<Duration>,
    /// The clock of the latest answer, and when it arrived.
    answer: Option<(u64, u64, Instant)>,
    /// How long questions take.
    round_trip: Duration,
    /// No question is sent before this time.
    pause_until: Option<Instant>,
}

struct Lease {
    number: u64,
    from: Instant,
    until: Instant,
    permits: u32,
    used: u32,
}

fn lock(state: &Mutex<BucketState>) -> MutexGuard<'_, BucketState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Permits {
    /// Returns the permits of a project.
    pub(crate) fn new(
        rate_limit: RateLimit,
        project: Option<&str>,
        instruments: Option<&Instruments>,
    ) -> Arc<Self> {
        let project = project.unwrap_or("default");
        let bucket = |class: &str, limit, seconds, duration| Bucket {
            key: format!("{project}/{class}"),
            limit,
            window: Duration::from_secs(seconds),
            duration: Duration::from_millis(duration),
            state: Mutex::default(),
            changed: Notify::new(),
            granted: AtomicU64::new(0),
            instruments: instruments.cloned(),
        };
        let buckets = match rate_limit {
            RateLimit::Paid => vec![
                // Twice as many as the uploads, since a create follows an upload at any time.
                bucket("create", 40, 1, 1_000),
                bucket("upload", 50, 5, 250),
            ],
            // Within the limit of a minute, the limits of a paid plan cannot be exceeded.
            RateLimit::Free => vec![bucket("all", 20, 60, 3_000)],
            RateLimit::PerSecond(requests) => vec![bucket("all", requests, 1, 50)],
            RateLimit::None => Vec::new(),
        };
        Arc::new(Self {
            buckets,
            rate_limit,
            is_draining: AtomicBool::new(false),
        })
    }

    /// Leases permits in the background, as long as the process runs.
    pub(crate) fn refill(self: &Arc<Self>, engine: &Engine) {
        for index in 0..self.buckets.len() {
            let (permits, engine) = (Arc::clone(self), engine.clone());
            tokio::spawn(async move { permits.buckets[index].refill(&engine).await });
        }
    }

    /// Grants no permits from now on.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// The number of permits that were leased.
    pub(crate) fn granted(&self) -> u64 {
        let granted = |bucket: &Bucket| bucket.granted.load(Ordering::Relaxed);
        self.buckets.iter().map(granted).sum()
    }

    fn bucket(&self, class: RateClass) -> Option<&Bucket> {
        match (self.rate_limit, class) {
            (RateLimit::Paid, RateClass::Create)
            | (RateLimit::Free | RateLimit::PerSecond(_), _) => self.buckets.first(),
            (RateLimit::Paid, RateClass::Upload) => self.buckets.get(1),
            (RateLimit::None | RateLimit::Paid, _) => None,
        }
    }
}

impl RateLimits for Permits {
    fn available_at(&self, class: RateClass, now: Time) -> Time {
        if self.is_draining.load(Ordering::Acquire) {
            return now + Duration::from_secs(1);
        }
        match self.bucket(class) {
            None => now,
            Some(bucket) => bucket.admit(false).map_or_else(|wait| now + wait, |()| now),
        }
    }

    fn admit(&self, class: RateClass, now: Time) -> Result<(), Time> {
        if self.is_draining.load(Ordering::Acquire) {
            return Err(now + Duration::from_secs(1));
        }
        match self.bucket(class) {
            None => Ok(()),
            Some(bucket) => bucket.admit(true).map_err(|wait| now + wait),
        }
    }

    fn answered(&self, class: RateClass, _now: Time, feedback: RateFeedback) {
        if let (RateFeedback::Limited(delay), Some(bucket)) = (feedback, self.bucket(class)) {
            bucket.on_limited(delay.unwrap_or(DEFAULT_PAUSE));
        }
    }
}

impl Bucket {
    /// Finds a permit, and takes it if `takes` is set. Returns how long to wait if there is none.
    fn admit(&self, takes: bool) -> Result<(), Duration> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.drop_ended(now);
        let usable = state
            .leases
            .iter_mut()
            .find(|lease| lease.from <= now && lease.used < lease.permits);
        if let Some(lease) = usable {
            if takes {
                lease.used += 1;
                if state.left() <= state.next_size / 4 {
                    // Refilled before it is empty.
                    state.is_wanted = true;
                    self.changed.notify_one();
                }
            }
            return Ok(());
        }
        state.is_wanted = true;
        self.changed.notify_one();
        let next = state.leases.iter().map(|lease| lease.from).min();
        let pause = state
            .pause_until
            .map(|until| until.saturating_duration_since(now));
        Err(match next {
            Some(from) => from.saturating_duration_since(now),
            None => pause.unwrap_or_default(),
        }
        .clamp(ASK_AGAIN, Duration::from_secs(1)))
    }

    /// Gives up the present leases, because the service does not accept requests now.
    fn on_limited(&self, delay: Duration) {
        let mut state = lock(&self.state);
        state.limited = Some(state.limited.map_or(delay, |other| other.max(delay)));
        let leases = std::mem::take(&mut state.leases);
        state.returned.extend(leases.iter().map(Lease::returned));
        state.is_wanted = true;
        self.changed.notify_one();
    }

    async fn refill(&self, engine: &Engine) {
        let mut retry = RETRY;
        loop {
            let Some(wait) = self.until_question() else {
                self.changed.notified().await;
                continue;
            };
            if !wait.is_zero() {
                let _ = tokio::time::timeout(wait, self.changed.notified()).await;
                continue;
            }
            let (request, sent) = self.question();
            match engine.lease(&self.key, &request).await {
                Ok(grant) => {
                    retry = RETRY;
                    self.granted
                        .fetch_add(grant.permits.into(), Ordering::Relaxed);
                    if let Some(instruments) = &self.instruments {
                        instruments.permits(grant.permits, &self.key);
                    }
                    let now = Instant::now();
                    let mut state = lock(&self.state);
                    state.round_trip = (state.round_trip + now.duration_since(sent)) / 2;
                    state.answer = Some((grant.now_ms, grant.next_number, now));
                    let delay = Duration::from_millis(grant.delay_ms);
                    if grant.permits > 0 {
                        let until = sent + delay + Duration::from_millis(grant.duration_ms);
                        state.leases.push_back(Lease {
                            number: grant.number,
                            from: now + delay,
                            until,
                            permits: grant.permits,
                            used: 0,
                        });
                    } else if request.permits > 0 {
                        state.is_wanted = true;
                        state.pause_until = Some(now + delay);
                    }
                }
                Err(error) => {
                    // The permits of a lost answer are free again after the window.
                    tracing::warn!(limit = self.key, "permits cannot be leased: {error}");
                    let mut state = lock(&self.state);
                    state.is_wanted = true;
                    state.pause_until = Some(Instant::now() + retry);
                    retry = (retry * 2).min(MAX_RETRY);
                }
            }
        }
    }

    /// Returns how long to wait before the next question; `None` if there is no reason for one.
    fn until_question(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.drop_ended(now);
        let pause = state
            .pause_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let is_low = state.left() <= state.next_size / 4;
        if state.is_wanted && is_low {
            return Some(pause);
        }
        if let Some(since) = state.returned_since {
            let wait = (since + RETURN).saturating_duration_since(now);
            return Some(wait.max(pause));
        }
        if let Some((.., answered)) = state.answer
            && state.leases.iter().any(|lease| lease.from > now)
        {
            let tick = (answered + TICK).saturating_duration_since(now);
            return Some(tick.max(pause));
        }
        // Unused permits return when their lease ends.
        let end = state.leases.iter().map(|lease| lease.until).min()?;
        Some((end.saturating_duration_since(now) + Duration::from_millis(1)).max(pause))
    }

    fn question(&self) -> (LeaseRequest, Instant) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let wants = state.is_wanted && state.left() <= state.next_size / 4;
        state.is_wanted = false;
        state.returned_since = None;
        state.pause_until = None;
        let window = self.window;
        // Long enough to survive a slow engine; the limit is reached less exactly then.
        let slow = (state.round_trip * 3).min(Duration::from_secs(2));
        let duration = self.duration.max(slow);
        let request = LeaseRequest {
            limit: self.limit,
            window_ms: millis(window),
            permits: if wants {
                state.next_size.max(1).min(self.limit)
            } else {
                0
            },
            duration_ms: millis(duration),
            clock: state.answer.map(|(now_ms, next_number, at)| WorkerClock {
                now_ms,
                next_number,
                elapsed_ms: millis(now.saturating_duration_since(at)),
            }),
            returned: std::mem::take(&mut state.returned),
            limited_ms: state.limited.take().map(millis),
        };
        (request, now)
    }
}

impl BucketState {
    /// The number of permits of all leases.
    fn left(&self) -> u32 {
        self.leases
            .iter()
            .map(|lease| lease.permits - lease.used)
            .sum()
    }

    /// Removes the leases that have ended. The next lease is larger if all permits were used, and smaller otherwise.
    fn drop_ended(&mut self, now: Instant) {
        while let Some(lease) = self.leases.front() {
            let is_used = lease.used == lease.permits;
            if !is_used && lease.until > now {
                break;
            }
            let Some(lease) = self.leases.pop_front() else {
                break;
            };
            if is_used {
                self.next_size = (self.next_size.max(lease.permits) * 2).clamp(1, MAX_LEASE);
            } else {
                self.next_size = lease.used.clamp(1, MAX_LEASE);
                self.returned.push(lease.returned());
                self.returned_since.get_or_insert(now);
            }
        }
    }
}

impl Lease {
    fn returned(&self) -> ReturnedLease {
        ReturnedLease {
            number: self.number,
            used: self.used,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000);
    const CLASSES: [RateClass; 3] = [RateClass::Create, RateClass::Upload, RateClass::Other];

    /// Adds a lease that may be used from now on.
    fn lease(bucket: &Bucket, number: u64, permits: u32, duration: Duration) {
        let now = Instant::now();
        lock(&bucket.state).leases.push_back(Lease {
            number,
            from: now,
            until: now + duration,
            permits,
            used: 0,
        });
    }

    #[test]
    fn requests_take_the_permits_of_leases_and_no_more() {
        let permits = Permits::new(RateLimit::Paid, None, None);
        assert!(permits.admit(RateClass::Upload, NOW).is_err());
        lease(&permits.buckets[1], 0, 3, Duration::from_secs(60));
        let granted = (0..10).filter(|_| permits.admit(RateClass::Upload, NOW).is_ok());
        assert_eq!(granted.count(), 3);
        assert!(permits.available_at(RateClass::Upload, NOW) > NOW);
        assert!(permits.admit(RateClass::Create, NOW).is_err());
        assert!(permits.admit(RateClass::Other, NOW).is_ok());
    }

    #[test]
    fn asking_for_the_time_takes_no_permit() {
        let permits = Permits::new(RateLimit::Free, None, None);
        lease(&permits.buckets[0], 0, 1, Duration::from_secs(60));
        for _ in 0..3 {
            assert_eq!(permits.available_at(RateClass::Other, NOW), NOW);
        }
        assert!(permits.admit(RateClass::Create, NOW).is_ok());
        assert!(permits.admit(RateClass::Other, NOW).is_err());
    }

    #[test]
    fn ended_lease_is_returned_and_not_used() {
        let permits = Permits::new(RateLimit::PerSecond(20), Some("p"), None);
        let bucket = &permits.buckets[0];
        lease(bucket, 7, 10, Duration::ZERO);
        assert!(permits.admit(RateClass::Create, NOW).is_err());
        let (request, _) = bucket.question();
        assert_eq!(request.returned, [ReturnedLease { number: 7, used: 0 }]);
        assert_eq!((request.limit, request.permits), (20, 1));
        let (request, _) = bucket.question();
        assert!(request.returned.is_empty(), "returned once");
    }

    #[test]
    fn limited_request_gives_up_the_leases_of_its_class() {
        let permits = Permits::new(RateLimit::Paid, None, None);
        lease(&permits.buckets[0], 3, 10, Duration::from_secs(60));
        assert!(permits.admit(RateClass::Create, NOW).is_ok());
        let delay = Some(Duration::from_secs(7));
        permits.answered(RateClass::Create, NOW, RateFeedback::Limited(delay));
        assert!(permits.admit(RateClass::Create, NOW).is_err());
        let (request, _) = permits.buckets[0].question();
        assert_eq!(request.limited_ms, Some(7_000));
        assert_eq!(request.returned, [ReturnedLease { number: 3, used: 1 }]);
    }

    #[test]
    fn draining_process_sends_no_request() {
        for limit in [RateLimit::Paid, RateLimit::Free, RateLimit::None] {
            let permits = Permits::new(limit, None, None);
            for bucket in &permits.buckets {
                lease(bucket, 0, 10, Duration::from_secs(60));
            }
            permits.drain();
            for class in CLASSES {
                assert!(permits.admit(class, NOW).is_err());
                assert!(permits.available_at(class, NOW) > NOW);
            }
        }
    }
}
