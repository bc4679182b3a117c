//! What is said on stderr, and to whom.
//!
//! Three kinds: errors and warnings always, notes unless `--quiet`, and chat (progress, summaries) only to a person,
//! that is on a terminal. Nothing here fails when stderr is closed: there would be nobody to tell.

use std::io::{self, IsTerminal as _, Write as _};

use crate::args::{Format, Global};
use crate::exit::{Problem, Told};

/// What the terminals are and what was asked of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// Somebody watches stderr and has not asked for quiet.
    pub(crate) chatty: bool,
    /// Whether notes are written.
    notes: bool,
    /// Whether an error is a JSON object.
    json_errors: bool,
}

impl Console {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            chatty: !global.quiet && io::stderr().is_terminal(),
            notes: !global.quiet,
            json_errors: matches!(
                global.format_error.unwrap_or(global.format),
                Format::Json | Format::Jsonl | Format::Raw
            ),
        }
    }

    /// A mistake in the command line is found before its flags are known; so the words are looked at one by one.
    pub(crate) fn of_words(words: &[std::ffi::OsString]) -> Self {
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let given = |flag: &str| {
            let behind = words.windows(2).find(|pair| pair[0] == flag);
            let behind = behind.map(|pair| pair[1].as_ref());
            let within = |word: &'_ std::borrow::Cow<'_, str>| {
                let value = word.strip_prefix(flag)?.strip_prefix('=')?;
                Some(value.to_owned())
            };
            behind
                .map(str::to_owned)
                .or_else(|| words.iter().find_map(within))
        };
        let form = given("--format-error").or_else(|| given("--format"));
        let json_errors = form.is_some_and(|form| {
            matches!(form.to_ascii_lowercase().as_str(), "json" | "jsonl" | "raw")
        });
        Self {
            chatty: false,
            notes: true,
            json_errors,
        }
    }

    /// Whether an error is written as a JSON object.
    pub(crate) fn json_errors(self) -> bool {
        self.json_errors
    }

    /// Says something that should be known whatever the flags are.
    pub(crate) fn warn(self, text: &str) {
        self.remark("warning", text);
    }

    /// Says something worth knowing.
    pub(crate) fn note(self, text: &str) {
        if self.notes {
            self.remark("note", text);
        }
    }

    /// Says something long that was asked for: as text, or in JSON mode as an object on one line.
    pub(crate) fn tell(
        self,
        kind: &str,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> serde_json::Value,
    ) {
        if !self.notes {
            return;
        }
        if self.json_errors {
            say(&serde_json::json!({ kind: json() }).to_string());
        } else {
            say(&text());
        }
    }

    /// In JSON mode every line of stderr is an object, so that a program can read them all.
    fn remark(self, kind: &str, text: &str) {
        if self.json_errors {
            say(&serde_json::json!({ kind: text }).to_string());
        } else {
            say(&format!("{kind}: {text}"));
        }
    }

    /// Says something to a person.
    pub(crate) fn chat(self, text: &str) {
        if self.chatty {
            say(text);
        }
    }

    /// Reports a problem as the command's last word.
    pub(crate) fn report(self, problem: &Problem) {
        self.report_part(problem, None);
    }

    /// The same, of which a GJSON path may pick a part where it is JSON; one that leads nowhere shows all of it.
    pub(crate) fn report_part(self, problem: &Problem, path: Option<&str>) {
        let Problem::Told(told) = problem else {
            return;
        };
        if self.json_errors {
            let json = told.to_json().to_string();
            let picked = path.and_then(|path| crate::output::transform::pick(&json, path).ok());
            say(&picked.filter(|text| text != "null").unwrap_or(json));
        } else {
            say(&plain(told));
        }
    }
}

/// How many open jobs are named on a terminal; the rows and the journal have them all.
const SHOWN: usize = 100;

fn plain(told: &Told) -> String {
    let mut text = format!("error: {}", told.message);
    if !told.made.is_empty() {
        let made: Vec<_> = told
            .made
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        text.push_str("\n  it was made all the same: ");
        text.push_str(&made.join(", "));
    }
    if let Some(hint) = &told.hint {
        text.push_str("\n  ");
        text.push_str(hint);
    }
    if let Some(command) = &told.resume {
        text.push_str("\n  to go on: ");
        text.push_str(command);
    }
    let (shown, rest) = told.open_jobs.split_at(told.open_jobs.len().min(SHOWN));
    if !shown.is_empty() {
        text.push_str("\n  jobs that go on meanwhile: ");
        text.push_str(&shown.join(" "));
    }
    if !rest.is_empty() {
        text.push_str(" and more: ");
        text.push_str(&rest.len().to_string());
    }
    text
}

pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", crate::output::printable(text));
}
