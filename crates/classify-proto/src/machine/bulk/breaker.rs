//! Whether the service is well enough to go on buying from it.

use std::time::Duration;

use crate::Time;

/// How many documents in a row must meet a faulty service.
const FAULTS: u32 = 5;
/// How long the breaker stays open the first time.
const FIRST: Duration = Duration::from_secs(15);
/// How long it stays open at most, unless the service asks for longer.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// The longest delay that a run waits out when the service asks for it.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How many times in a row it may open: with the delays between, about an hour and a half of nothing but faults.
const OPENINGS: u32 = 20;
/// The same for a service that was never reached: a wrong address or a closed network is not to be waited out for hours.
const OPENINGS_UNREACHED: u32 = 2;

/// A circuit breaker: after repeated faults of the service nothing new is begun; after a while, one is tried.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    faults: u32,
    openings: u32,
    state: State,
    /// Some request of this run may have arrived.
    is_reached: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open(Time),
    /// One is being tried.
    Trying,
}

/// Whether something new may be begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Yes,
    /// Not before this time.
    From(Time),
    /// Not before the one that is tried has come back.
    Later,
}

impl Breaker {
    pub(super) fn pass(&self, now: Time) -> Pass {
        match self.state {
            State::Open(until) if now < until => Pass::From(until),
            State::Closed | State::Open(_) => Pass::Yes,
            State::Trying => Pass::Later,
        }
    }

    /// Something new is begun.
    pub(super) fn begin(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Trying;
        }
    }

    /// Something that was begun went well. While the breaker is open it was begun before, and says nothing of the
    /// rest that the service asked for since.
    pub(super) fn went_well(&mut self) {
        self.is_reached = true;
        if !matches!(self.state, State::Open(_)) {
            *self = Self {
                is_reached: true,
                ..Self::default()
            };
        }
    }

    /// What was begun comes to nothing, and nothing is learned from it.
    pub(super) fn abandoned(&mut self, now: Time) {
        if self.state == State::Trying {
            self.state = State::Open(now);
        }
    }

    /// Whether there is no sense in waiting on: the service asks for a longer rest than a run has patience for, or has
    /// been at fault for too long. Nothing waits for ever.
    pub(super) fn is_hopeless(&self, rest: Duration) -> bool {
        let most = if self.is_reached {
            OPENINGS
        } else {
            OPENINGS_UNREACHED
        };
        rest > PATIENCE || self.openings > most
    }

    /// A request may have arrived, whatever became of it.
    pub(super) fn reached(&mut self) {
        self.is_reached = true;
    }

    /// The service was at fault; says for how long the breaker opens, if it does, or for how much longer it stays open.
    pub(super) fn failed(&mut self, now: Time, asked: Option<Duration>) -> Option<Duration> {
        self.faults += 1;
        let trips = match self.state {
            State::Closed => self.faults >= FAULTS || asked.is_some(),
            State::Trying => true,
            State::Open(until) => {
                // What was under way says nothing new, unless the service asks for more time than it did before.
                let longer = asked.filter(|asked| now + *asked > until)?;
                self.state = State::Open(now + longer);
                return Some(longer);
            }
        };
        if !trips {
            return None;
        }
        let rest = FIRST
            .saturating_mul(2u32.saturating_pow(self.openings))
            .min(LONGEST)
            .max(asked.unwrap_or_default());
        self.openings += 1;
        self.state = State::Open(now + rest);
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    #[test]
    fn it_opens_after_repeated_faults_tries_one_and_closes_when_that_goes_well() {
        let mut breaker = Breaker::default();
        for _ in 1..FAULTS {
            assert_eq!(breaker.failed(at(0), None), None);
        }
        assert_eq!(breaker.failed(at(0), None), Some(FIRST));
        assert_eq!(breaker.pass(at(14)), Pass::From(at(15)));
        assert_eq!(
            breaker.failed(at(1), None),
            None,
            "what was under way says nothing new"
        );
        assert_eq!(breaker.pass(at(15)), Pass::Yes);
        breaker.begin();
        assert_eq!(breaker.pass(at(15)), Pass::Later);
        assert_eq!(breaker.failed(at(16), None), Some(FIRST * 2));
        assert_eq!(breaker.pass(at(46)), Pass::Yes);
        breaker.begin();
        breaker.went_well();
        assert_eq!(breaker.pass(at(46)), Pass::Yes);
        assert_eq!(breaker.failed(at(47), None), None);
    }

    #[test]
    fn it_rests_for_a_quarter_of_a_minute_then_twice_as_long_and_five_minutes_at_most() {
        let mut breaker = Breaker::default();
        breaker.reached();
        let mut now = at(0);
        let mut rests = Vec::new();
        while rests.len() < 7 {
            if let Some(rest) = breaker.failed(now, None) {
                rests.push(rest.as_secs());
                now = now + rest;
                breaker.begin();
            }
        }
        assert_eq!(rests, [15, 30, 60, 120, 240, 300, 300]);
        let hour = Duration::from_secs(3_600);
        assert!(!breaker.is_hopeless(hour) && breaker.is_hopeless(hour + FIRST));
    }

    #[test]
    fn one_that_is_tried_and_comes_to_nothing_makes_place_for_another() {
        let mut breaker = Breaker::default();
        for _ in 0..FAULTS {
            breaker.failed(at(0), None);
        }
        breaker.begin();
        assert_eq!(breaker.pass(at(20)), Pass::Later);
        breaker.abandoned(at(20));
        assert_eq!(breaker.pass(at(20)), Pass::Yes);
        // While all is well it says nothing: as many faults as ever open the breaker.
        breaker.begin();
        breaker.went_well();
        breaker.abandoned(at(21));
        let opened = (0..FAULTS).filter_map(|_| breaker.failed(at(21), None));
        assert_eq!(opened.count(), 1);
    }

    #[test]
    fn a_success_between_faults_starts_the_count_anew() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert_eq!(breaker.failed(at(0), None), None);
            breaker.went_well();
        }
    }

    #[test]
    fn a_delay_that_the_service_asks_for_opens_it_at_once() {
        let mut breaker = Breaker::default();
        assert_eq!(
            breaker.failed(at(0), Some(Duration::from_secs(3600))),
            Some(Duration::from_secs(3600))
        );
    }

    #[test]
    fn what_was_begun_before_it_opened_does_not_close_it() {
        let mut breaker = Breaker::default();
        let (short, long) = (Duration::from_secs(60), Duration::from_secs(600));
        assert_eq!(breaker.failed(at(0), Some(short)), Some(short));
        breaker.went_well();
        assert_eq!(breaker.pass(at(1)), Pass::From(at(60)));
        // It may keep it open for longer, and never for less.
        assert_eq!(breaker.failed(at(1), Some(long)), Some(long));
        assert_eq!(breaker.failed(at(2), Some(short)), None);
        assert_eq!(breaker.pass(at(3)), Pass::From(at(601)));
    }

    #[test]
    fn it_gives_up_on_a_day_long_delay_and_on_a_service_that_stays_away() {
        let mut breaker = Breaker::default();
        let rest = breaker.failed(at(0), Some(Duration::MAX)).unwrap();
        assert!(breaker.is_hopeless(rest));
        let mut breaker = Breaker::default();
        let rest = breaker.failed(at(0), Some(PATIENCE)).unwrap();
        assert!(!breaker.is_hopeless(rest));

        for (is_reached, most) in [(true, OPENINGS), (false, OPENINGS_UNREACHED)] {
            let (mut breaker, mut now, mut openings) = (Breaker::default(), at(0), 0);
            if is_reached {
                breaker.went_well();
            }
            loop {
                if let Some(rest) = breaker.failed(now, None) {
                    openings += 1;
                    if breaker.is_hopeless(rest) {
                        break;
                    }
                    now = now + rest;
                    breaker.begin();
                }
            }
            assert_eq!(openings, most + 1);
        }
    }

    #[test]
    fn it_never_rests_longer_than_its_longest() {
        let mut breaker = Breaker::default();
        let mut now = at(0);
        for _ in 0..200 {
            if let Some(rest) = breaker.failed(now, None) {
                assert!(rest <= LONGEST);
                now = now + rest;
                breaker.begin();
            }
        }
    }
}
