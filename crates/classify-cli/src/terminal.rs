//! Text that is safe for a terminal, its width, and whether colors are enabled.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use console::Term;

/// The width if neither a terminal nor `COLUMNS` gives one.
const DEFAULT_WIDTH: u16 = 80;
/// A smaller value of `COLUMNS` is ignored.
const MIN_COLUMNS_VARIABLE: u16 = 20;

/// Returns the width of a terminal. One of size 0, as in a container, does not know it: it is that of `COLUMNS`, or 80.
pub(crate) fn terminal_width(term: &Term) -> u16 {
    term.size_checked()
        .map(|(_, width)| width)
        .filter(|width| *width > 0)
        .unwrap_or_else(width_without_terminal)
}

/// Returns the width of text for a pipe or a file: that of `COLUMNS`, or 80.
pub(crate) fn width_without_terminal() -> u16 {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.trim().parse().ok())
        .filter(|width| *width >= MIN_COLUMNS_VARIABLE)
        .unwrap_or(DEFAULT_WIDTH)
}

/// Replaces characters that would move the cursor, change colors or reverse the text direction: documents and the
/// service control parts of the output.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    replace(text, |c| c.is_control() && c != '\n')
}

/// The same for whole lines, which may contain tabs and Windows line endings.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    replace(text, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn replace(text: &str, is_control: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_unsafe =
        |c: char| is_control(c) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(is_unsafe) {
        Cow::Owned(
            text.chars()
                .map(|c| if is_unsafe(c) { '\u{fffd}' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes a line to stderr. A closed stderr is ignored.
pub(crate) fn write_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escape(text));
}

/// Whether stdout may have colors: it is a terminal, and colors are not disabled.
pub(crate) fn stdout_has_colors() -> bool {
    io::stdout().is_terminal() && colors_enabled()
}

/// Whether colors are enabled. clap would color the output of a dumb terminal if `CI` is set.
pub(crate) fn colors_enabled() -> bool {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_characters_are_replaced() {
        assert_eq!(
            escape("a\u{1b}[31mb\u{202e}c\n"),
            "a\u{fffd}[31mb\u{fffd}c\n"
        );
        assert!(matches!(escape("Größe 漢字 🧾"), Cow::Borrowed(_)));
    }
}
