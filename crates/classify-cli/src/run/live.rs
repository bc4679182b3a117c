//! The live view of a run: two lines on stderr, for people, that never wrap and are gone when the run is over.
//!
//! ```text
//! ━━━━━━━━━━━━─────────────────────────────  412 of 1300   9.8/s   2 min left
//! 12 uploaded, 488 waiting, 410 done, 2 failed   0:42
//! ```

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::view::{Lines, clock, fitting};

/// What counts as recent. Jobs are looked at together every few seconds, so a shorter time would see none or a heap.
const RECENT: Duration = Duration::from_secs(60);
/// A rate of less than a second's worth says nothing.
const LEAST: Duration = Duration::from_secs(1);
const LONGEST_BAR: usize = 40;
const SHORTEST_BAR: usize = 8;

/// How the documents of a run stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standings {
    /// All documents of this run.
    pub(super) total: usize,
    /// Contents with the service whose job is not there yet.
    pub(super) uploaded: usize,
    /// Jobs that were created and have not ended.
    pub(super) waiting: usize,
    /// Documents with an answer.
    pub(super) done: usize,
    /// Documents without one, for good.
    pub(super) failed: usize,
    /// Copies of documents on their way, which cost no time of their own.
    pub(super) copies: usize,
}

/// What the view of a run shows.
#[derive(Debug)]
pub(super) struct Live {
    began: Instant,
    pub(super) statuses: Standings,
    pace: Pace,
}

impl Live {
    /// A run that begins now.
    pub(super) fn new() -> Self {
        let began = Instant::now();
        Self {
            began,
            statuses: Standings::default(),
            pace: Pace::new(began),
        }
    }

    /// Takes note that a document was settled by work of this run's: no copy, and nothing that was known before.
    pub(super) fn settled(&mut self) {
        self.pace.settled(Instant::now());
    }
}

impl Lines for Live {
    fn lines(&self, room: usize) -> Vec<String> {
        let now = Instant::now();
        vec![
            first(&self.statuses, self.pace.rate(now), room),
            second(&self.statuses, now.duration_since(self.began), room),
        ]
    }
}

/// How far, how fast, and how much longer.
fn first(statuses: &Standings, rate: Option<f64>, room: usize) -> String {
    let settled = statuses.done + statuses.failed;
    let far = format!("{settled} of {}", statuses.total);
    let open = statuses.total.saturating_sub(settled + statuses.copies);
    let fast = rate.map_or_else(|| "-/s".to_owned(), per_time);
    let left = match rate {
        _ if open == 0 => String::new(),
        Some(rate) => format!("{} left", length(seconds(open, rate))),
        None => "time left unknown".to_owned(),
    };
    let tails = [
        [&*far, &*fast, &*left].join("   "),
        [&*far, &*fast, &*left].join("  "),
        [&*far, &*left].join("  "),
        far.clone(),
    ];
    for tail in &tails {
        let tail = tail.trim_end();
        let wide = room.saturating_sub(tail.chars().count() + 2);
        if wide >= SHORTEST_BAR {
            return format!("{}  {tail}", bar(settled, statuses.total, wide));
        }
    }
    fitting(&tails, room)
}

/// Where the documents are, and for how long it has gone on.
fn second(statuses: &Standings, elapsed: Duration, room: usize) -> String {
    let Standings {
        uploaded,
        waiting,
        done,
        failed,
        ..
    } = statuses;
    let clock = clock(elapsed);
    let long = format!("{uploaded} uploaded, {waiting} waiting, {done} done, {failed} failed");
    let short = format!("{uploaded} up, {waiting} wait, {done} done, {failed} fail");
    fitting(
        &[
            format!("{long}   {clock}"),
            long,
            format!("{short}   {clock}"),
            short,
        ],
        room,
    )
}

fn bar(settled: usize, total: usize, room: usize) -> String {
    let wide = room.min(LONGEST_BAR);
    let full = (settled * wide).checked_div(total).unwrap_or(0).min(wide);
    let mut bar = "━".repeat(full);
    bar.push_str(&"─".repeat(wide - full));
    bar
}

fn per_time(rate: f64) -> String {
    if rate >= 9.95 {
        format!("{rate:.0}/s")
    } else if rate >= 1.0 {
        format!("{rate:.1}/s")
    } else {
        format!("{:.0}/min", rate * 60.0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; a quotient of two positive numbers, and casts keep to the type's bounds"
)]
fn seconds(open: usize, rate: f64) -> u64 {
    (open as f64 / rate).ceil() as u64
}

/// A length of time as one says it.
fn length(seconds: u64) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = match (seconds, seconds.div_ceil(60), seconds.div_ceil(3600)) {
        (0..100, ..) => write!(text, "{seconds} s"),
        (_, minutes @ 0..100, _) => write!(text, "{minutes} min"),
        (_, minutes, 0..48) => write!(text, "{} h {} min", minutes / 60, minutes % 60),
        (_, _, hours) => write!(text, "{} days", hours.div_ceil(24)),
    };
    text
}

/// How fast documents were settled of late.
#[derive(Debug)]
struct Pace {
    began: Instant,
    /// By the second, the oldest first.
    settled: VecDeque<(Instant, u32)>,
}

impl Pace {
    fn new(began: Instant) -> Self {
        Self {
            began,
            settled: VecDeque::new(),
        }
    }

    fn settled(&mut self, now: Instant) {
        while let Some((then, _)) = self.settled.front()
            && now.duration_since(*then) > RECENT
        {
            self.settled.pop_front();
        }
        match self.settled.back_mut() {
            Some((then, number)) if now.duration_since(*then) < LEAST => *number += 1,
            _ => self.settled.push_back((now, 1)),
        }
    }

    /// Documents in a second; nothing where none was settled of late.
    fn rate(&self, now: Instant) -> Option<f64> {
        let recent = self.settled.iter();
        let number: u32 = recent
            .filter(|(then, _)| now.duration_since(*then) <= RECENT)
            .map(|(_, number)| number)
            .sum();
        let span = now.duration_since(self.began).clamp(LEAST, RECENT);
        (number > 0).then(|| f64::from(number) / span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Standings = Standings {
        total: 1300,
        uploaded: 12,
        waiting: 488,
        done: 410,
        failed: 2,
        copies: 0,
    };

    #[test]
    fn the_lines_fit_any_width_and_say_less_where_there_is_less_room() {
        for room in 0..200 {
            for statuses in [
                Standings::default(),
                HALF,
                Standings {
                    total: 1_000_000,
                    done: 999_999,
                    waiting: 100_000,
                    ..HALF
                },
            ] {
                for rate in [None, Some(0.001), Some(12.0)] {
                    let elapsed = Duration::from_secs(4000);
                    for line in [
                        first(&statuses, rate, room),
                        second(&statuses, elapsed, room),
                    ] {
                        assert!(line.chars().count() <= room, "{line}");
                    }
                }
            }
        }
        let at = |room| {
            (
                first(&HALF, Some(9.8), room),
                second(&HALF, Duration::from_secs(42), room),
            )
        };
        let (wide, counts) = at(79);
        assert!(
            wide.ends_with("─  412 of 1300   9.8/s   91 s left"),
            "{wide}"
        );
        assert_eq!(
            counts,
            "12 uploaded, 488 waiting, 410 done, 2 failed   0:42"
        );
        let (narrow, counts) = at(39);
        assert!(
            narrow.ends_with("─  412 of 1300  9.8/s  91 s left"),
            "{narrow}"
        );
        assert_eq!(counts, "12 up, 488 wait, 410 done, 2 fail");
        assert_eq!(at(13).0, "412 of 1300");
    }

    #[test]
    fn the_bar_is_as_full_as_the_run_is_far() {
        assert_eq!(bar(0, 0, 10), "─".repeat(10));
        assert_eq!(bar(5, 10, 10), "━━━━━─────");
        assert_eq!(bar(10, 10, 100), "━".repeat(LONGEST_BAR));
    }

    #[test]
    fn the_rate_is_of_late_and_unknown_before_anything_settled() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut pace = Pace::new(began);
        assert_eq!(pace.rate(at(10)), None);
        for _ in 0..20 {
            pace.settled(at(10));
        }
        assert_eq!(pace.rate(at(10)), Some(2.0));
        assert_eq!(pace.rate(at(20)), Some(1.0));
        // It stands still, and what was is no news any more.
        assert_eq!(pace.rate(at(71)), None);
        for second in 100..200 {
            pace.settled(at(second));
            pace.settled(at(second));
        }
        assert!((1.9..2.1).contains(&pace.rate(at(200)).unwrap()));
        assert!(pace.settled.len() <= 62, "{}", pace.settled.len());
    }

    #[test]
    fn time_left_is_said_as_people_say_it() {
        for (seconds, text) in [
            (1, "1 s"),
            (99, "99 s"),
            (100, "2 min"),
            (5400, "90 min"),
            (7201, "2 h 1 min"),
            (200_000, "3 days"),
        ] {
            assert_eq!(length(seconds), text);
        }
        assert_eq!(super::seconds(3, 0.5), 6);
        let unknown = first(&HALF, None, 80);
        assert!(
            unknown.ends_with("412 of 1300   -/s   time left unknown"),
            "{unknown}"
        );
        let over = first(&Standings { total: 412, ..HALF }, Some(3.0), 80);
        assert!(over.ends_with("412 of 412   3.0/s"), "{over}");
        let copies = Standings {
            copies: 888,
            ..HALF
        };
        assert!(first(&copies, Some(3.0), 80).ends_with("3.0/s"));
    }
}
