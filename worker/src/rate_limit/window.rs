//! The state of one shared rate limit: permits that were leased in the latest window.
//!
//! A worker asks for a lease: some permits and the time span in which it may use them. The permits that may be used in
//! any window of the limit are never more than the limit. This holds for any number of workers, any latency between
//! them, and without a common clock:
//!
//! - An answer contains the time of the window as a number of milliseconds, and the worker sends it back with the time
//!   that has passed since it received the answer, on its own monotonic clock. The time of the window advances by that,
//!   so it never advances faster than real time. Leases that were granted between the two move along, because the worker
//!   does not know at which moment between the two they were granted.
//! - A lease begins after a delay, and not at a time. The worker counts the delay from the moment of the answer, and the
//!   end of the lease from the moment of the question, so it stays within the lease however long the two took.
//!
//! If a clock jumps, the time of the window advances by at most one window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The part of the window by which two leases are further apart than the service's window. Requests may arrive closer
/// together than they were sent.
const SLACK: u64 = 20;
/// The full rate, in parts.
const FULL_RATE: u32 = 1_000;
/// The part of the full rate that each window without a 429 restores.
const RECOVERY_STEP: u32 = FULL_RATE / 20;
/// The maximum delay that a 429 causes, in milliseconds.
const MAX_PAUSE: u64 = 60_000;
/// A lease that would begin later than this many windows is not granted; the worker asks again.
const MAX_WINDOWS_AHEAD: u64 = 4;

/// The permits of one rate limit that may be in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// The time of the window in milliseconds. It begins at 0 and is not later than real time.
    now: u64,
    /// The number of the next lease.
    next_lease: u64,
    /// Leases whose permits may have been used within the latest window, in the order of their start.
    leases: VecDeque<Lease>,
    /// No lease begins before this time, because the service asked for a delay.
    paused_until: u64,
    /// The part of the limit in use, of 1,000.
    rate: u32,
    /// When the rate was last changed.
    rate_changed_at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    number: u64,
    start: u64,
    end: u64,
    permits: u32,
}

/// A worker's question for permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRequest {
    /// The number of requests that the service accepts in a window.
    pub(crate) limit: u32,
    /// The length of the service's window in milliseconds.
    pub(crate) window_ms: u64,
    /// The number of permits that the worker wants; 0 only returns unused ones.
    pub(crate) permits: u32,
    /// How long the worker wants to use the permits, in milliseconds.
    pub(crate) duration_ms: u64,
    /// The clock of the worker's latest answer; `None` in its first question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<WorkerClock>,
    /// Leases that the worker does not use any more, with the number of permits that it used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) returned: Vec<ReturnedLease>,
    /// The delay in milliseconds that the service asked for with a 429, if there was one since the latest question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limited_ms: Option<u64>,
}

/// The time that has passed since an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkerClock {
    /// [`LeaseGrant::now_ms`] of the answer.
    pub(crate) now_ms: u64,
    /// [`LeaseGrant::next_number`] of the answer.
    pub(crate) next_number: u64,
    /// The milliseconds from the arrival of the answer to this question, on the worker's monotonic clock.
    pub(crate) elapsed_ms: u64,
}

/// A lease that its worker does not use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReturnedLease {
    /// The number of the lease.
    pub(crate) number: u64,
    /// The number of permits that were used.
    pub(crate) used: u32,
}

/// The answer to a [`LeaseRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseGrant {
    /// The number of the lease, if it has permits.
    pub(crate) number: u64,
    /// The number of the next lease: leases from this number on were granted after the answer.
    pub(crate) next_number: u64,
    /// The number of permits; 0 if the worker has to ask again after the delay.
    pub(crate) permits: u32,
    /// The milliseconds after which the permits may be used.
    pub(crate) delay_ms: u64,
    /// The milliseconds after that in which they may be used.
    pub(crate) duration_ms: u64,
    /// The time of the window.
    pub(crate) now_ms: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            now: 0,
            next_lease: 0,
            leases: VecDeque::new(),
            paused_until: 0,
            rate: FULL_RATE,
            rate_changed_at: 0,
        }
    }
}

impl Window {
    /// Grants a lease, or asks the worker to ask again later.
    pub(crate) fn lease(&mut self, request: &LeaseRequest) -> LeaseGrant {
        // Bounds keep sums far from overflow, even if a request is arbitrary.
        let window = request.window_ms.clamp(1, 24 * 60 * 60 * 1_000);
        let duration = request.duration_ms.clamp(1, window.max(10_000));
        let limit = request.limit.max(1);
        let span = window + (window / SLACK).max(1);
        if let Some(clock) = request.clock {
            self.advance(clock, span + window / SLACK);
        }
        self.take_back(&request.returned);
        let now = self.now;
        self.leases.retain(|lease| lease.end + span > now);
        self.adapt(request.limited_ms, span);

        let number = self.next_lease;
        let refusal = |delay_ms: u64| LeaseGrant {
            number,
            next_number: number,
            permits: 0,
            delay_ms,
            duration_ms: 0,
            now_ms: now,
        };
        if request.permits == 0 {
            return refusal(0);
        }
        let allowed = self.allowed(limit);
        // Not in smaller parts than asked for: each part is a question.
        let start = self.earliest(span, allowed, request.permits.min(allowed));
        if start - now > span * MAX_WINDOWS_AHEAD {
            return refusal(span);
        }
        let permits = request.permits.min(allowed);
        self.next_lease += 1;
        self.leases.push_back(Lease {
            number,
            start,
            end: start + duration,
            permits,
        });
        LeaseGrant {
            number,
            next_number: self.next_lease,
            permits,
            delay_ms: start - now,
            duration_ms: duration,
            now_ms: now,
        }
    }

    /// Advances the time of the window to that of a worker, by at most `most`.
    fn advance(&mut self, clock: WorkerClock, most: u64) {
        // An answer of an earlier window, before the state was lost, says nothing.
        if clock.now_ms > self.now || clock.next_number > self.next_lease {
            return;
        }
        let time = clock.now_ms.saturating_add(clock.elapsed_ms);
        let step = time.saturating_sub(self.now).min(most);
        self.now += step;
        for lease in &mut self.leases {
            if lease.number >= clock.next_number {
                lease.start += step;
                lease.end += step;
            }
        }
    }

    /// Frees the permits of leases that their workers did not use.
    fn take_back(&mut self, returned: &[ReturnedLease]) {
        for returned in returned {
            for lease in &mut self.leases {
                if lease.number == returned.number {
                    lease.permits = lease.permits.min(returned.used);
                }
            }
        }
        self.leases.retain(|lease| lease.permits > 0);
    }

    /// Halves the rate and pauses after a 429. Restores a part of the rate with each window without one.
    fn adapt(&mut self, limited_ms: Option<u64>, span: u64) {
        while self.rate < FULL_RATE && self.now >= self.rate_changed_at + span {
            self.rate = (self.rate + RECOVERY_STEP).min(FULL_RATE);
            self.rate_changed_at += span;
        }
        let Some(delay) = limited_ms else {
            return;
        };
        self.paused_until = self.paused_until.max(self.now + delay.min(MAX_PAUSE));
        // Several 429s to one burst reduce the rate once.
        if self.rate == FULL_RATE || self.now >= self.rate_changed_at + span {
            self.rate = (self.rate / 2).max(1);
            self.rate_changed_at = self.now;
        }
    }

    /// The number of permits in a window at the present rate.
    fn allowed(&self, limit: u32) -> u32 {
        let allowed = u64::from(limit) * u64::from(self.rate) / u64::from(FULL_RATE);
        u32::try_from(allowed).unwrap_or(limit).max(1)
    }

    /// The earliest start of a new lease with this many permits, at most those that are allowed.
    fn earliest(&self, span: u64, allowed: u32, permits: u32) -> u64 {
        // Not before an earlier lease, so that the latest start within a window is that of the newest lease.
        let latest = self.leases.back().map_or(0, |lease| lease.start);
        let mut start = self.now.max(self.paused_until).max(latest);
        loop {
            let active = self.leases.iter().filter(|lease| lease.end + span > start);
            let used: u32 = active.clone().map(|lease| lease.permits).sum();
            if used.saturating_add(permits) <= allowed {
                return start;
            }
            let Some(first_end) = active.map(|lease| lease.end).min() else {
                return start;
            };
            start = first_end + span;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    fn request(limit: u32, window_ms: u64, permits: u32) -> LeaseRequest {
        LeaseRequest {
            limit,
            window_ms,
            permits,
            duration_ms: window_ms / 20,
            clock: None,
            returned: Vec::new(),
            limited_ms: None,
        }
    }

    fn clock(grant: LeaseGrant, elapsed_ms: u64) -> WorkerClock {
        WorkerClock {
            now_ms: grant.now_ms,
            next_number: grant.next_number,
            elapsed_ms,
        }
    }

    #[test]
    fn leases_of_a_full_window_begin_in_the_next() {
        let mut window = Window::default();
        for _ in 0..5 {
            let grant = window.lease(&request(50, 5_000, 10));
            assert_eq!((grant.permits, grant.delay_ms), (10, 0));
        }
        let grant = window.lease(&request(50, 5_000, 10));
        // The window, its slack, and the time in which the first permits may be used.
        assert_eq!((grant.permits, grant.delay_ms), (10, 5_500));
    }

    #[test]
    fn returned_permits_are_free_at_once() {
        let mut window = Window::default();
        let first = window.lease(&request(10, 1_000, 10));
        assert!(window.lease(&request(10, 1_000, 1)).delay_ms > 0);
        let mut window = Window::default();
        window.lease(&request(10, 1_000, 10));
        let mut again = request(10, 1_000, 7);
        again.returned.push(ReturnedLease {
            number: first.number,
            used: 3,
        });
        let grant = window.lease(&again);
        assert_eq!((grant.permits, grant.delay_ms), (7, 0));
        // A second return of the same lease frees nothing.
        let mut twice = request(10, 1_000, 5);
        twice.returned = again.returned;
        assert!(window.lease(&twice).delay_ms > 0);
    }

    #[test]
    fn clock_jump_frees_one_window_only() {
        let mut window = Window::default();
        let hour = 60 * 60 * 1_000;
        let mut grant = window.lease(&request(10, 1_000, 10));
        for _ in 0..2 {
            // The permits of the next window are leased already, and a jump does not free more.
            let mut jumped = request(10, 1_000, 20);
            jumped.clock = Some(clock(grant, hour));
            let next = window.lease(&jumped);
            assert!(next.now_ms - grant.now_ms <= 1_100);
            assert_eq!(next.permits, 10);
            let refused = window.lease(&request(10, 1_000, 10));
            assert!(refused.delay_ms >= 1_000, "{refused:?}");
            grant = refused;
        }
    }

    #[test]
    fn answer_of_lost_state_does_not_move_the_clock() {
        let mut window = Window::default();
        let mut stale = request(10, 1_000, 1);
        stale.clock = Some(WorkerClock {
            now_ms: 1_000_000,
            next_number: 7,
            elapsed_ms: 5,
        });
        assert_eq!(window.lease(&stale).now_ms, 0);
    }

    #[test]
    fn limited_requests_pause_all_workers_and_halve_the_rate() {
        let mut window = Window::default();
        let mut limited = request(40, 1_000, 40);
        limited.limited_ms = Some(3_000);
        let grant = window.lease(&limited);
        assert_eq!((grant.delay_ms, grant.permits), (3_000, 20));
        // Twenty steps of a window each restore the full rate.
        let mut grant = grant;
        for _ in 0..12 {
            let mut idle = request(40, 1_000, 0);
            idle.clock = Some(clock(grant, 1_050));
            grant = window.lease(&idle);
        }
        let mut later = request(40, 1_000, 40);
        later.clock = Some(clock(grant, 1_050));
        assert_eq!(window.lease(&later).permits, 40);
    }

    #[test]
    fn far_lease_is_refused() {
        let mut window = Window::default();
        let mut refused = 0;
        for _ in 0..20 {
            let grant = window.lease(&request(10, 1_000, 10));
            refused += u32::from(grant.permits == 0);
            assert!(grant.delay_ms <= 4 * 1_050);
        }
        assert_eq!(refused, 16);
    }

    /// Something that happens at a moment of real time.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        /// A worker sends a question.
        Ask(usize),
        /// The question of a worker arrives.
        Arrive(usize),
    }

    #[derive(Debug, Clone)]
    struct Step {
        idle: u64,
        there: u64,
        back: u64,
        permits: u32,
        /// When each permit is used within its lease, in thousandths.
        use_at: u64,
        /// The part of the permits that is used, in percent; the others are returned.
        used: u32,
        is_new: bool,
    }

    fn step() -> impl Strategy<Value = Step> {
        let transit = prop_oneof![4 => 0..40_u64, 1 => 0..900_u64];
        let idle = prop_oneof![3 => 0..50_u64, 1 => 0..3_000_u64, 1 => 0..100_000_u64];
        (
            idle,
            transit.clone(),
            transit,
            1..15_u32,
            0..=1_000_u64,
            0..=100_u32,
            prop::bool::weighted(0.1),
        )
            .prop_map(|(idle, there, back, permits, use_at, used, is_new)| Step {
                idle,
                there,
                back,
                permits,
                use_at,
                used,
                is_new,
            })
    }

    #[derive(Default, Clone)]
    struct SimulatedWorker {
        answer: Option<(LeaseGrant, u64)>,
        returned: Vec<ReturnedLease>,
        sent_at: u64,
        question: Option<LeaseRequest>,
        next_step: usize,
    }

    /// Runs workers in real time, with latencies and pauses, and returns the times at which permits were used.
    fn simulate(
        limit: u32,
        window_ms: u64,
        duration_ms: u64,
        workers: &[Vec<Step>],
        jumps: &[u64],
    ) -> Vec<u64> {
        let mut window = Window::default();
        let mut state = vec![SimulatedWorker::default(); workers.len()];
        let mut uses = Vec::new();
        let mut events: BinaryHeap<Reverse<(u64, Event)>> = BinaryHeap::new();
        for (index, steps) in workers.iter().enumerate() {
            if let Some(first) = steps.first() {
                events.push(Reverse((first.idle, Event::Ask(index))));
            }
        }
        let mut jumps = jumps.iter().copied();
        while let Some(Reverse((now, event))) = events.pop() {
            match event {
                Event::Ask(index) => {
                    let step = &workers[index][state[index].next_step];
                    let worker = &mut state[index];
                    if step.is_new {
                        *worker = SimulatedWorker {
                            next_step: worker.next_step,
                            ..SimulatedWorker::default()
                        };
                    }
                    worker.sent_at = now;
                    worker.question = Some(LeaseRequest {
                        limit,
                        window_ms,
                        permits: step.permits,
                        duration_ms,
                        clock: worker
                            .answer
                            .map(|(grant, at)| clock(grant, now - at + jumps.next().unwrap_or(0))),
                        returned: std::mem::take(&mut worker.returned),
                        limited_ms: None,
                    });
                    events.push(Reverse((now + step.there, Event::Arrive(index))));
                }
                Event::Arrive(index) => {
                    let worker = &mut state[index];
                    let step = &workers[index][worker.next_step];
                    let question = worker.question.take().unwrap();
                    let grant = window.lease(&question);
                    let received = now + step.back;
                    worker.answer = Some((grant, received));
                    let (from, until) = (
                        received + grant.delay_ms,
                        worker.sent_at + grant.delay_ms + grant.duration_ms,
                    );
                    let mut done = received;
                    let mut spent = 0;
                    if grant.permits > 0 {
                        if from <= until {
                            spent = (grant.permits * step.used).div_ceil(100);
                            let at = from + (until - from) * step.use_at / 1_000;
                            uses.extend((0..spent).map(|_| at));
                            done = at;
                        }
                        worker.returned.push(ReturnedLease {
                            number: grant.number,
                            used: spent,
                        });
                    }
                    worker.next_step += 1;
                    if let Some(next) = workers[index].get(worker.next_step) {
                        // A worker asks for its next lease before or after it has used this one.
                        let base = if next.idle % 2 == 0 { received } else { done };
                        if base < done {
                            // The lease is in use, so it is not returned yet.
                            worker.returned.pop();
                        }
                        events.push(Reverse((base + next.idle, Event::Ask(index))));
                    }
                }
            }
        }
        uses.sort_unstable();
        uses
    }

    /// The maximum number of uses in any window.
    fn densest(uses: &[u64], window_ms: u64) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (index, at) in uses.iter().enumerate() {
            while uses[first] + window_ms < *at {
                first += 1;
            }
            most = most.max(index + 1 - first);
        }
        most
    }

    proptest! {
        #[test]
        fn window_never_exceeds_limit(
            limit in 1..60_u32,
            window_ms in prop_oneof![Just(1_000_u64), Just(5_000), Just(60_000)],
            duration_ms in 20..1_500_u64,
            workers in prop::collection::vec(prop::collection::vec(step(), 1..60), 1..5),
        ) {
            let uses = simulate(limit, window_ms, duration_ms, &workers, &[]);
            prop_assert!(densest(&uses, window_ms) <= limit as usize, "{} of {limit}", densest(&uses, window_ms));
        }

        #[test]
        fn window_exceeds_limit_by_one_window_for_each_clock_jump(
            workers in prop::collection::vec(prop::collection::vec(step(), 1..40), 1..4),
            at in 0..20_usize,
            jump in 0..10_000_000_u64,
        ) {
            let mut jumps = vec![0; at];
            jumps.push(jump);
            let uses = simulate(50, 5_000, 250, &workers, &jumps);
            prop_assert!(densest(&uses, 5_000) <= 100, "{}", densest(&uses, 5_000));
        }

        #[test]
        fn any_request_is_answered(
            requests in prop::collection::vec(
                (any::<u32>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<Option<(u64, u64, u64)>>(), any::<Option<u64>>()),
                0..30,
            ),
        ) {
            let mut window = Window::default();
            for (limit, window_ms, permits, duration_ms, clock, limited_ms) in requests {
                let clock = clock.map(|(now_ms, next_number, elapsed_ms)| WorkerClock { now_ms, next_number, elapsed_ms });
                let grant = window.lease(&LeaseRequest {
                    limit, window_ms, permits, duration_ms, clock, returned: Vec::new(), limited_ms,
                });
                prop_assert!(grant.permits <= permits);
            }
        }
    }

    #[test]
    fn steady_worker_gets_nine_tenths_of_the_limit() {
        // 20 ms there and 20 ms back.
        let mut window = Window::default();
        let mut now = 0;
        let mut answer: Option<(LeaseGrant, u64)> = None;
        let mut permits = 0;
        while now < 60_000 {
            let mut ask = request(50, 5_000, 10);
            ask.clock = answer.map(|(grant, at)| clock(grant, now - at));
            let grant = window.lease(&ask);
            now += 40;
            answer = Some((grant, now));
            permits += grant.permits;
            now += grant.delay_ms;
        }
        assert!(permits >= 540, "{permits} of 600 in a minute");
    }
}
