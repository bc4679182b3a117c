//! Lines on stderr that are redrawn while a command runs, and removed at its end.
//!
//! Other output is written while the display is [suspended](ProgressDisplay::suspend), so that it does not mix with the
//! lines.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;

use crate::terminal::terminal_width;

/// How often the lines are redrawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(200);

/// The content of a display.
pub(crate) trait ProgressLines: Send + 'static {
    /// Returns the lines, of at most `width` characters each.
    fn lines(&self, width: usize) -> Vec<String>;
}

/// The display. It is not drawn if stderr is not a terminal.
#[derive(Debug)]
pub(crate) struct ProgressDisplay<L: ProgressLines> {
    state: Arc<Mutex<State<L>>>,
    /// Ends the redraw thread when it is dropped.
    _redraw_thread: Option<Sender<()>>,
}

#[derive(Debug)]
struct State<L> {
    content: L,
    /// `None` if the display is disabled or cleared.
    term: Option<Term>,
    /// The lengths of the lines that are on the terminal.
    line_lengths: Vec<usize>,
}

impl<L: ProgressLines> ProgressDisplay<L> {
    /// Creates a display on stderr.
    pub(crate) fn new(content: L, is_enabled: bool) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_drawn = is_enabled && !is_dumb;
        let state = Arc::new(Mutex::new(State {
            content,
            term: is_drawn.then(Term::buffered_stderr),
            line_lengths: Vec::new(),
        }));
        Self {
            _redraw_thread: is_drawn.then(|| spawn_redraw_thread(Arc::clone(&state))),
            state,
        }
    }

    /// Changes the content. The next redraw shows it.
    pub(crate) fn update(&self, update: impl FnOnce(&mut L)) {
        update(&mut lock(&self.state).content);
    }

    /// Runs a function while the lines are removed from the terminal.
    pub(crate) fn suspend<T>(&self, function: impl FnOnce() -> T) -> T {
        let mut state = lock(&self.state);
        state.redraw(false);
        let result = function();
        state.redraw(true);
        result
    }

    /// Removes the lines for good.
    pub(crate) fn clear(&self) {
        lock(&self.state).clear();
    }

    /// Returns a function that clears the display.
    pub(crate) fn clear_handle(&self) -> impl Fn() + Send + 'static {
        let state = Arc::clone(&self.state);
        move || lock(&state).clear()
    }
}

impl<L: ProgressLines> Drop for ProgressDisplay<L> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn lock<L>(state: &Mutex<State<L>>) -> MutexGuard<'_, State<L>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Redraws the display until the returned sender is dropped.
fn spawn_redraw_thread<L: ProgressLines>(state: Arc<Mutex<State<L>>>) -> Sender<()> {
    let (sender, receiver) = channel();
    let work = move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(REDRAW_INTERVAL) {
            lock(&state).redraw(true);
        }
    };
    // Without a thread nothing is drawn.
    let _ = std::thread::Builder::new()
        .name("progress".to_owned())
        .spawn(work);
    sender
}

impl<L: ProgressLines> State<L> {
    /// Removes the lines, and draws the current ones if they are `visible`.
    fn redraw(&mut self, visible: bool) {
        if let Some(term) = self.term.take() {
            // An error of the terminal does not stop the command.
            let _ = self.draw(&term, visible);
            self.term = Some(term);
        }
    }

    fn draw(&mut self, term: &Term, visible: bool) -> io::Result<()> {
        let width = usize::from(terminal_width(term));
        // A terminal that has become narrower has wrapped the lines.
        let rows: usize = std::mem::take(&mut self.line_lengths)
            .iter()
            .map(|length| length.div_ceil(width).max(1))
            .sum();
        if rows > 0 {
            term.move_cursor_left(width)?;
            term.move_cursor_up(rows - 1)?;
            term.clear_to_end_of_screen()?;
        }
        if visible {
            // The last column stays free: some terminals go to the next line once it is filled.
            let lines = self.content.lines(width - 1);
            self.line_lengths = lines.iter().map(|line| line.chars().count()).collect();
            term.write_str(&lines.join("\n"))?;
        }
        term.flush()
    }

    fn clear(&mut self) {
        self.redraw(false);
        self.term = None;
    }
}

/// Returns the first text that fits into `width`, or else the last one, truncated.
pub(crate) fn first_fitting(texts: &[String], width: usize) -> String {
    let fits = texts.iter().find(|text| text.chars().count() <= width);
    fits.or(texts.last())
        .map(|text| text.chars().take(width).collect())
        .unwrap_or_default()
}

/// Formats a duration as `m:ss` or `h:mm:ss`.
pub(crate) fn format_clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_text_uses_shorter_variant_before_truncation() {
        let texts = ["long and wide", "short"].map(str::to_owned);
        assert_eq!(first_fitting(&texts, 13), "long and wide");
        assert_eq!(first_fitting(&texts, 12), "short");
        assert_eq!(first_fitting(&texts, 3), "sho");
        assert_eq!(first_fitting(&texts, 0), "");
    }

    #[test]
    fn progress_clock_shows_hours_only_if_nonzero() {
        for (seconds, text) in [(0, "0:00"), (62, "1:02"), (3600, "1:00:00")] {
            assert_eq!(format_clock(Duration::from_secs(seconds)), text);
        }
    }
}
