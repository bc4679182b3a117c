//! Scripts: fixed outcomes of documents, by file name or content.

use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;

use crate::outcome::{DocumentOutcome, FailureCode, TimedOutcome};

/// A fixed outcome for documents that match a pattern, in place of reading and scoring them.
///
/// A script without a pattern matches every document. A script without an outcome changes only how long the document
/// takes.
///
/// ```
/// use std::time::Duration;
/// use classify_emulator::Script;
///
/// let scripts = [
///     Script::file("*.scan.pdf").labels("invoice", 0.93),
///     Script::content("(?i)strictly confidential").fails("PDF_IS_PROTECTED"),
///     Script::file("slow-*").takes(Duration::from_secs(2)),
///     Script::file("stuck*").never_ends(),
/// ];
/// # let _ = scripts;
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Script {
    pub(crate) file: Option<Pattern<GlobMatcher>>,
    pub(crate) content: Option<Pattern<Regex>>,
    pub(crate) duration: Option<Duration>,
    pub(crate) outcome: Option<DocumentOutcome>,
}

/// A compiled pattern with its text. An invalid one matches nothing.
#[derive(Debug, Clone)]
pub(crate) struct Pattern<T> {
    pub(crate) text: String,
    compiled: Option<T>,
}

impl Script {
    /// Creates a script for every document.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Creates a script for documents whose file name matches a glob such as `*.pdf`.
    /// [`Emulator::start`](crate::Emulator::start) rejects an invalid glob.
    #[must_use]
    pub fn file(glob: &str) -> Self {
        Self::default().and_file(glob)
    }

    /// Creates a script for documents whose text matches a regular expression.
    /// [`Emulator::start`](crate::Emulator::start) rejects an invalid one.
    #[must_use]
    pub fn content(expression: &str) -> Self {
        Self::default().and_content(expression)
    }

    /// Requires in addition that the file name matches a glob.
    #[must_use]
    pub fn and_file(mut self, glob: &str) -> Self {
        let compiled = GlobBuilder::new(glob)
            .build()
            .ok()
            .map(|glob| glob.compile_matcher());
        self.file = Some(Pattern {
            text: glob.to_owned(),
            compiled,
        });
        self
    }

    /// Requires in addition that the text matches a regular expression.
    #[must_use]
    pub fn and_content(mut self, expression: &str) -> Self {
        let compiled = Regex::new(expression).ok();
        self.content = Some(Pattern {
            text: expression.to_owned(),
            compiled,
        });
        self
    }

    /// Sets how long the document takes from creation to end.
    #[must_use]
    pub fn takes(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Completes the job with this type and confidence, regardless of the rules.
    #[must_use]
    pub fn labels(self, label: &str, confidence: f64) -> Self {
        self.labels_because(label, confidence, "A script fixed this outcome.")
    }

    /// Like [`labels`](Self::labels), with a `reasoning`.
    #[must_use]
    pub fn labels_because(mut self, label: &str, confidence: f64, reasoning: &str) -> Self {
        let confidence = if confidence.is_finite() {
            confidence.clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.outcome = Some(DocumentOutcome::Labelled {
            label: Some(label.to_owned()),
            confidence,
            reasoning: reasoning.to_owned(),
            pages: 1,
        });
        self
    }

    /// Completes the job without a match: `type` is null.
    #[must_use]
    pub fn matches_nothing(mut self) -> Self {
        self.outcome = Some(DocumentOutcome::Labelled {
            label: None,
            confidence: 0.0,
            reasoning: "A script fixed this outcome: no rule fits.".to_owned(),
            pages: 1,
        });
        self
    }

    /// Fails the job with a reason code such as `PDF_IS_BROKEN`.
    #[must_use]
    pub fn fails(mut self, code: &str) -> Self {
        self.outcome = Some(DocumentOutcome::Failed {
            code: FailureCode::from(code),
            message: "a script fixed this outcome".to_owned(),
        });
        self
    }

    /// Ends the job as CANCELLED, without a request to cancel it.
    #[must_use]
    pub fn is_cancelled(mut self) -> Self {
        self.outcome = Some(DocumentOutcome::Cancelled);
        self
    }

    /// Keeps the job RUNNING for ever. It can still be cancelled.
    #[must_use]
    pub fn never_ends(mut self) -> Self {
        self.outcome = Some(DocumentOutcome::Endless);
        self
    }

    /// Describes an invalid pattern of the script; `None` if there is none.
    pub(crate) fn pattern_error(&self) -> Option<String> {
        let glob = self.file.as_ref().filter(|glob| glob.compiled.is_none());
        let expression = self
            .content
            .as_ref()
            .filter(|expression| expression.compiled.is_none());
        match (glob, expression) {
            (Some(glob), _) => Some(format!("`{}` is not a glob such as `*.pdf`", glob.text)),
            (None, Some(expression)) => {
                Some(format!("`{}` is not a regular expression", expression.text))
            }
            (None, None) => None,
        }
    }

    fn matches_name(&self, name: &str) -> bool {
        match &self.file {
            None => true,
            Some(glob) => glob
                .compiled
                .as_ref()
                .is_some_and(|glob| glob.is_match(name)),
        }
    }

    fn matches_text(&self, text: Option<&str>) -> bool {
        match (&self.content, text) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(pattern), Some(text)) => pattern
                .compiled
                .as_ref()
                .is_some_and(|found| found.is_match(text)),
        }
    }
}

/// The scripted outcome of a document before it is read.
pub(crate) enum ScriptedOutcome<'s> {
    /// The first matching script has no content pattern.
    Fixed(&'s Script),
    /// A script has a content pattern, so the document must be read.
    NeedsText,
    /// No script matches the name.
    NoMatch,
}

pub(crate) fn scripted_outcome<'s>(scripts: &'s [Script], name: &str) -> ScriptedOutcome<'s> {
    match scripts.iter().find(|script| script.matches_name(name)) {
        None => ScriptedOutcome::NoMatch,
        Some(script) if script.content.is_none() => ScriptedOutcome::Fixed(script),
        Some(_) => ScriptedOutcome::NeedsText,
    }
}

/// The outcome of a document after it was read (`text` is `None` if it could not be): scripted, or else `read_outcome`.
pub(crate) fn apply_scripts(
    scripts: &[Script],
    name: &str,
    text: Option<&str>,
    read_outcome: impl FnOnce() -> DocumentOutcome,
) -> TimedOutcome {
    let matching = scripts
        .iter()
        .find(|script| script.matches_name(name) && script.matches_text(text));
    let duration = matching.and_then(|script| script.duration);
    let outcome = matching
        .and_then(|script| script.outcome.clone())
        .unwrap_or_else(read_outcome);
    TimedOutcome { outcome, duration }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_for(scripts: &[Script], name: &str, text: Option<&str>) -> TimedOutcome {
        apply_scripts(scripts, name, text, || DocumentOutcome::Failed {
            code: FailureCode::from("READ"),
            message: String::new(),
        })
    }

    #[test]
    fn script_first_match_wins() {
        let scripts = [
            Script::file("*.pdf").and_content("secret").never_ends(),
            Script::file("*.pdf")
                .labels("invoice", 0.9)
                .takes(Duration::from_secs(3)),
            Script::any().is_cancelled(),
        ];
        assert_eq!(
            outcome_for(&scripts, "a.pdf", Some("a secret")).outcome,
            DocumentOutcome::Endless
        );
        let second = outcome_for(&scripts, "a.pdf", Some("nothing"));
        assert_eq!(second.duration, Some(Duration::from_secs(3)));
        assert_eq!(
            outcome_for(&scripts, "a.txt", None).outcome,
            DocumentOutcome::Cancelled
        );
        assert!(matches!(
            scripted_outcome(&scripts, "a.pdf"),
            ScriptedOutcome::NeedsText
        ));
        assert!(matches!(
            scripted_outcome(&scripts, "a.txt"),
            ScriptedOutcome::Fixed(_)
        ));
    }

    #[test]
    fn script_with_only_duration_keeps_read_outcome() {
        let scripts = [Script::file("slow*").takes(Duration::from_millis(9))];
        let slow = outcome_for(&scripts, "slow.txt", Some("x"));
        assert!(matches!(slow.outcome, DocumentOutcome::Failed { .. }));
        assert_eq!(slow.duration, Some(Duration::from_millis(9)));
        assert_eq!(outcome_for(&scripts, "quick.txt", Some("x")).duration, None);
    }

    #[test]
    fn script_invalid_pattern_is_reported() {
        let pattern_error = Script::content("(")
            .pattern_error()
            .expect("an open bracket is not a valid expression");
        assert!(pattern_error.contains('('), "{pattern_error}");
        assert!(Script::file("[").pattern_error().is_some());
        assert_eq!(Script::file("*.txt").pattern_error(), None);
    }
}
