//! A few lines on stderr that are drawn anew while something goes on: for people, and gone when it is over.
//!
//! What is written elsewhere meanwhile is written [aside](View::aside), so that the lines are never torn by it.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;

/// How often the lines are drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// What a view shows.
pub(crate) trait Lines: Send + 'static {
    /// The lines, of which none may be longer than `room`.
    fn lines(&self, room: usize) -> Vec<String>;
}

/// The view, if anybody is watching.
#[derive(Debug)]
pub(crate) struct View<L: Lines> {
    shown: Arc<Mutex<Shown<L>>>,
    /// Its end ends the thread that draws.
    _drawing: Option<Sender<()>>,
}

#[derive(Debug)]
struct Shown<L> {
    content: L,
    /// Absent where nobody watches, or where the view is gone for good.
    term: Option<Term>,
    /// How long the lines are that are on the terminal.
    drawn: Vec<usize>,
}

impl<L: Lines> View<L> {
    /// A view on stderr; one that nobody sees unless `watched`.
    pub(crate) fn new(content: L, watched: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let drawn = watched && !dumb;
        let shown = Arc::new(Mutex::new(Shown {
            content,
            term: drawn.then(Term::buffered_stderr),
            drawn: Vec::new(),
        }));
        Self {
            _drawing: drawn.then(|| draw_now_and_then(Arc::clone(&shown))),
            shown,
        }
    }

    /// Changes what is shown from the next tick on.
    pub(crate) fn update(&self, change: impl FnOnce(&mut L)) {
        change(&mut lock(&self.shown).content);
    }

    /// Does something while the view is off the terminal.
    pub(crate) fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        let mut shown = lock(&self.shown);
        shown.redraw(false);
        let done = what();
        shown.redraw(true);
        done
    }

    /// Takes the view off the terminal for good.
    pub(crate) fn clear(&self) {
        lock(&self.shown).end();
    }

    /// The same, for somebody who has no view.
    pub(crate) fn clearer(&self) -> impl Fn() + Send + 'static {
        let shown = Arc::clone(&self.shown);
        move || lock(&shown).end()
    }
}

impl<L: Lines> Drop for View<L> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn lock<L>(shown: &Mutex<Shown<L>>) -> MutexGuard<'_, Shown<L>> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws from time to time, until the other end is gone.
fn draw_now_and_then<L: Lines>(shown: Arc<Mutex<Shown<L>>>) -> Sender<()> {
    let (sender, receiver) = channel();
    let work = move || {
        while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(TICK) {
            lock(&shown).redraw(true);
        }
    };
    // Without a thread nothing is drawn, which stops nothing.
    let _ = std::thread::Builder::new()
        .name("view".to_owned())
        .spawn(work);
    sender
}

impl<L: Lines> Shown<L> {
    /// Takes the lines off the terminal, and puts them there as they are now.
    fn redraw(&mut self, anew: bool) {
        if let Some(term) = self.term.take() {
            // A terminal that is gone shows nothing, and what goes on goes on.
            let _ = self.draw(&term, anew);
            self.term = Some(term);
        }
    }

    fn draw(&mut self, term: &Term, anew: bool) -> io::Result<()> {
        let (_, width) = term.size();
        let width = usize::from(width).max(1);
        // A terminal that was made narrower since has wrapped them.
        let rows: usize = std::mem::take(&mut self.drawn)
            .iter()
            .map(|length| length.div_ceil(width).max(1))
            .sum();
        if rows > 0 {
            term.move_cursor_left(width)?;
            term.move_cursor_up(rows - 1)?;
            term.clear_to_end_of_screen()?;
        }
        if anew {
            // The last column stays free: some terminals go to the next line once it is filled.
            let lines = self.content.lines(width - 1);
            self.drawn = lines.iter().map(|line| line.chars().count()).collect();
            term.write_str(&lines.join("\n"))?;
        }
        term.flush()
    }

    fn end(&mut self) {
        self.redraw(false);
        self.term = None;
    }
}

/// The first text that fits; the last, cut, where none does.
pub(crate) fn fitting(texts: &[String], room: usize) -> String {
    let fits = texts.iter().find(|text| text.chars().count() <= room);
    fits.or(texts.last())
        .map(|text| text.chars().take(room).collect())
        .unwrap_or_default()
}

/// A length of time as a clock shows it.
pub(crate) fn clock(time: Duration) -> String {
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
    fn a_text_gives_way_before_it_is_cut() {
        let texts = ["long and wide", "short"].map(str::to_owned);
        assert_eq!(fitting(&texts, 13), "long and wide");
        assert_eq!(fitting(&texts, 12), "short");
        assert_eq!(fitting(&texts, 3), "sho");
        assert_eq!(fitting(&texts, 0), "");
    }

    #[test]
    fn a_clock_shows_hours_when_there_are_any() {
        for (seconds, text) in [(0, "0:00"), (62, "1:02"), (3600, "1:00:00")] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
