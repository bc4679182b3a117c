//! The outcome of a document.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The service's reason code of a document that could not be classified; open, since scripts may use any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FailureCode(String);

impl FailureCode {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FailureCode {
    fn from(code: &str) -> Self {
        Self(code.to_owned())
    }
}

pub(crate) const UNSUPPORTED: &str = "UNSUPPORTED_FILE_TYPE";
pub(crate) const PROTECTED: &str = "PDF_IS_PROTECTED";
pub(crate) const BROKEN: &str = "PDF_IS_BROKEN";
pub(crate) const NO_DATA: &str = "NO_DATA_FOUND_IN_FILE";
pub(crate) const TOO_LARGE: &str = "DOCUMENT_TOO_LARGE";
pub(crate) const TIMEOUT: &str = "TIMEOUT";

/// The outcome of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DocumentOutcome {
    /// It was read. If the label is `None`, no rule matched.
    Labelled {
        label: Option<String>,
        confidence: f64,
        reasoning: String,
        pages: u32,
    },
    /// It could not be read.
    Failed { code: FailureCode, message: String },
    /// The job is cancelled without a request.
    Cancelled,
    /// The job never ends.
    Endless,
}

/// An outcome with the duration that a script sets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimedOutcome {
    pub(crate) outcome: DocumentOutcome,
    pub(crate) duration: Option<Duration>,
}
