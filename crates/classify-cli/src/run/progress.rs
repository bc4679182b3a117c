//! The progress of a run: two lines on stderr that never wrap.
//!
//! ```text
//! ━━━━━━━━━━━━─────────────────────────────  412 of 1300   9.8/s   2 min left
//! 12 uploaded, 488 waiting, 410 done, 2 failed   0:42
//! ```

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::progress_display::{ProgressLines, first_fitting, format_clock};

/// The window of the rate. Jobs are polled together every few seconds, so a shorter window would be uneven.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// The resolution of the rate.
const RATE_STEP: Duration = Duration::from_secs(1);
const MAX_BAR_WIDTH: usize = 40;
const MIN_BAR_WIDTH: usize = 8;

/// The numbers of documents by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ProgressCounts {
    /// All documents of the run.
    pub(super) total: usize,
    /// Uploaded contents without a job.
    pub(super) uploaded: usize,
    /// Pending jobs.
    pub(super) waiting: usize,
    /// Classified documents.
    pub(super) done: usize,
    /// Documents that failed.
    pub(super) failed: usize,
    /// Duplicates of documents in flight, which take no time of their own.
    pub(super) duplicates: usize,
}

/// The content of the display.
#[derive(Debug)]
pub(super) struct RunProgress {
    started: Instant,
    pub(super) counts: ProgressCounts,
    throughput: Throughput,
}

impl RunProgress {
    /// Starts the clock.
    pub(super) fn new() -> Self {
        let started = Instant::now();
        Self {
            started,
            counts: ProgressCounts::default(),
            throughput: Throughput::new(started),
        }
    }

    /// Counts a document that this run has finished, other than a duplicate.
    pub(super) fn record_finished(&mut self) {
        self.throughput.record(Instant::now());
    }
}

impl ProgressLines for RunProgress {
    fn lines(&self, width: usize) -> Vec<String> {
        let now = Instant::now();
        vec![
            progress_line(&self.counts, self.throughput.rate(now), width),
            counts_line(&self.counts, now.duration_since(self.started), width),
        ]
    }
}

/// The bar, the number of finished documents, the rate, and the time left.
fn progress_line(counts: &ProgressCounts, rate: Option<f64>, width: usize) -> String {
    let finished = counts.done + counts.failed;
    let summary = format!("{finished} of {}", counts.total);
    let open = counts.total.saturating_sub(finished + counts.duplicates);
    let rate_text = rate.map_or_else(|| "-/s".to_owned(), format_rate);
    let time_left = match rate {
        _ if open == 0 => String::new(),
        Some(rate) => format!("{} left", format_time_left(seconds_left(open, rate))),
        None => "time left unknown".to_owned(),
    };
    let tails = [
        [&*summary, &*rate_text, &*time_left].join("   "),
        [&*summary, &*rate_text, &*time_left].join("  "),
        [&*summary, &*time_left].join("  "),
        summary.clone(),
    ];
    for tail in &tails {
        let tail = tail.trim_end();
        let bar_width = width.saturating_sub(tail.chars().count() + 2);
        if bar_width >= MIN_BAR_WIDTH {
            return format!("{}  {tail}", bar(finished, counts.total, bar_width));
        }
    }
    first_fitting(&tails, width)
}

/// The numbers by state, and the elapsed time.
fn counts_line(counts: &ProgressCounts, elapsed: Duration, width: usize) -> String {
    let ProgressCounts {
        uploaded,
        waiting,
        done,
        failed,
        ..
    } = counts;
    let elapsed = format_clock(elapsed);
    let long = format!("{uploaded} uploaded, {waiting} waiting, {done} done, {failed} failed");
    let short = format!("{uploaded} up, {waiting} wait, {done} done, {failed} fail");
    first_fitting(
        &[
            format!("{long}   {elapsed}"),
            long,
            format!("{short}   {elapsed}"),
            short,
        ],
        width,
    )
}

fn bar(finished: usize, total: usize, width: usize) -> String {
    let width = width.min(MAX_BAR_WIDTH);
    let full = (finished * width)
        .checked_div(total)
        .unwrap_or(0)
        .min(width);
    let mut bar = "━".repeat(full);
    bar.push_str(&"─".repeat(width - full));
    bar
}

fn format_rate(rate: f64) -> String {
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
fn seconds_left(open: usize, rate: f64) -> u64 {
    (open as f64 / rate).ceil() as u64
}

/// Formats a duration with one or two units.
fn format_time_left(seconds: u64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match (seconds, seconds.div_ceil(60), seconds.div_ceil(3600)) {
        (0..100, ..) => write!(text, "{seconds} s"),
        (_, minutes @ 0..100, _) => write!(text, "{minutes} min"),
        (_, minutes, 0..48) => write!(text, "{} h {} min", minutes / 60, minutes % 60),
        (_, _, hours) => write!(text, "{} days", hours.div_ceil(24)),
    };
    text
}

/// The rate of finished documents.
#[derive(Debug)]
struct Throughput {
    started: Instant,
    /// The number of finished documents per second, the oldest first.
    finished: VecDeque<(Instant, u32)>,
}

impl Throughput {
    fn new(started: Instant) -> Self {
        Self {
            started,
            finished: VecDeque::new(),
        }
    }

    fn record(&mut self, now: Instant) {
        while let Some((then, _)) = self.finished.front()
            && now.duration_since(*then) > RATE_WINDOW
        {
            self.finished.pop_front();
        }
        match self.finished.back_mut() {
            Some((then, number)) if now.duration_since(*then) < RATE_STEP => *number += 1,
            _ => self.finished.push_back((now, 1)),
        }
    }

    /// Returns the documents per second; `None` if there are none in the window.
    fn rate(&self, now: Instant) -> Option<f64> {
        let recent = self.finished.iter();
        let number: u32 = recent
            .filter(|(then, _)| now.duration_since(*then) <= RATE_WINDOW)
            .map(|(_, number)| number)
            .sum();
        let span = now
            .duration_since(self.started)
            .clamp(RATE_STEP, RATE_WINDOW);
        (number > 0).then(|| f64::from(number) / span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: ProgressCounts = ProgressCounts {
        total: 1300,
        uploaded: 12,
        waiting: 488,
        done: 410,
        failed: 2,
        duplicates: 0,
    };

    #[test]
    fn progress_lines_fit_any_width_and_shorten() {
        for width in 0..200 {
            for counts in [
                ProgressCounts::default(),
                HALF,
                ProgressCounts {
                    total: 1_000_000,
                    done: 999_999,
                    waiting: 100_000,
                    ..HALF
                },
            ] {
                for rate in [None, Some(0.001), Some(12.0)] {
                    let elapsed = Duration::from_secs(4000);
                    for line in [
                        progress_line(&counts, rate, width),
                        counts_line(&counts, elapsed, width),
                    ] {
                        assert!(line.chars().count() <= width, "{line}");
                    }
                }
            }
        }
        let at = |width| {
            (
                progress_line(&HALF, Some(9.8), width),
                counts_line(&HALF, Duration::from_secs(42), width),
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
    fn progress_bar_length_matches_completed_share() {
        assert_eq!(bar(0, 0, 10), "─".repeat(10));
        assert_eq!(bar(5, 10, 10), "━━━━━─────");
        assert_eq!(bar(10, 10, 100), "━".repeat(MAX_BAR_WIDTH));
    }

    #[test]
    fn progress_rate_is_recent_and_unknown_before_first_result() {
        let started = Instant::now();
        let at = |seconds| started + Duration::from_secs(seconds);
        let mut throughput = Throughput::new(started);
        assert_eq!(throughput.rate(at(10)), None);
        for _ in 0..20 {
            throughput.record(at(10));
        }
        assert_eq!(throughput.rate(at(10)), Some(2.0));
        assert_eq!(throughput.rate(at(20)), Some(1.0));
        // No document has finished in the window, so there is no rate.
        assert_eq!(throughput.rate(at(71)), None);
        for second in 100..200 {
            throughput.record(at(second));
            throughput.record(at(second));
        }
        assert!((1.9..2.1).contains(&throughput.rate(at(200)).unwrap()));
        assert!(
            throughput.finished.len() <= 62,
            "{}",
            throughput.finished.len()
        );
    }

    #[test]
    fn progress_time_left_has_readable_units_or_is_unknown() {
        for (seconds, text) in [
            (1, "1 s"),
            (99, "99 s"),
            (100, "2 min"),
            (5400, "90 min"),
            (7201, "2 h 1 min"),
            (200_000, "3 days"),
        ] {
            assert_eq!(format_time_left(seconds), text);
        }
        assert_eq!(seconds_left(3, 0.5), 6);
        let unknown = progress_line(&HALF, None, 80);
        assert!(
            unknown.ends_with("412 of 1300   -/s   time left unknown"),
            "{unknown}"
        );
        let over = progress_line(&ProgressCounts { total: 412, ..HALF }, Some(3.0), 80);
        assert!(over.ends_with("412 of 412   3.0/s"), "{over}");
        let duplicates = ProgressCounts {
            duplicates: 888,
            ..HALF
        };
        assert!(progress_line(&duplicates, Some(3.0), 80).ends_with("3.0/s"));
    }
}
