//! The outcome of a job.

use super::{ClassifyResult, JobStatus};

/// The outcome of a document, returned by [`Job::outcome`](super::Job::outcome).
///
/// "No rule matched" is a result and not a failure.
///
/// ```
/// use classify_proto::v2::{Job, Outcome};
///
/// fn describe(job: &Job) -> String {
///     match job.outcome() {
///         Outcome::Matched { r#type, .. } => r#type.to_owned(),
///         Outcome::NoMatch { .. } => "no rule matched".to_owned(),
///         Outcome::Failed { message } => message.unwrap_or("failed").to_owned(),
///         other => format!("{other:?}"),
///     }
/// }
/// # let _ = describe;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// A rule matched.
    Matched {
        /// The type of the rule.
        r#type: &'a str,
        /// The service's confidence, from 0.0 to 1.0; `None` if absent.
        confidence: Option<f64>,
        /// The service's explanation; `None` if absent.
        reasoning: Option<&'a str>,
    },
    /// The document was parsed and no rule matched.
    NoMatch {
        /// The service's confidence, from 0.0 to 1.0; `None` if absent.
        confidence: Option<f64>,
        /// The service's explanation; `None` if absent.
        reasoning: Option<&'a str>,
    },
    /// The job failed.
    Failed {
        /// The service's error message; `None` if absent.
        message: Option<&'a str>,
    },
    /// The job was cancelled.
    Cancelled,
    /// The job has not ended, or its status is unknown to this version.
    NotFinished {
        /// The last known status.
        status: &'a JobStatus,
    },
    /// The job completed without a result, or with one that could not be parsed: neither a match nor the lack of one.
    /// [`extra("result")`](super::Job::extra) returns a result that could not be parsed.
    Missing,
}

impl<'a> Outcome<'a> {
    pub(crate) fn from_result(result: &'a ClassifyResult) -> Self {
        let (confidence, reasoning) = (result.confidence, result.reasoning.as_deref());
        match result.r#type.as_deref() {
            // No rule can have an empty type, so an empty type means no match.
            None | Some("") => Outcome::NoMatch {
                confidence,
                reasoning,
            },
            Some(r#type) => Outcome::Matched {
                r#type,
                confidence,
                reasoning,
            },
        }
    }

    /// Returns the type of the rule that matched; `None` for any other outcome.
    #[must_use]
    pub fn matched(&self) -> Option<&'a str> {
        match self {
            Outcome::Matched { r#type, .. } => Some(r#type),
            _ => None,
        }
    }

    /// Returns `true` for [`Matched`](Self::Matched) and [`NoMatch`](Self::NoMatch).
    #[must_use]
    pub fn has_result(&self) -> bool {
        matches!(self, Outcome::Matched { .. } | Outcome::NoMatch { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v2::Job;

    fn outcome_of(rest: &str, check: impl Fn(Outcome<'_>) -> bool) {
        let job: Job = serde_json::from_str(&format!(r#"{{"id":"a",{rest}}}"#)).unwrap();
        assert!(check(job.outcome()), "{rest}: {:?}", job.outcome());
    }

    #[test]
    fn outcome_of_every_job_state() {
        outcome_of(
            r#""status":"COMPLETED","result":{"type":"invoice","confidence":0.9,"reasoning":"r"}"#,
            |o| {
                o == Outcome::Matched {
                    r#type: "invoice",
                    confidence: Some(0.9),
                    reasoning: Some("r"),
                }
            },
        );
        outcome_of(
            r#""status":"COMPLETED","result":{"type":null,"confidence":1}"#,
            |o| {
                o == Outcome::NoMatch {
                    confidence: Some(1.0),
                    reasoning: None,
                } && o.has_result()
            },
        );
        outcome_of(r#""status":"COMPLETED","result":{"type":""}"#, |o| {
            matches!(o, Outcome::NoMatch { .. })
        });
        outcome_of(r#""status":"COMPLETED","result":null"#, |o| {
            o == Outcome::Missing
        });
        outcome_of(
            r#""status":"FAILED","error_message":"PDF_IS_BROKEN""#,
            |o| {
                o == Outcome::Failed {
                    message: Some("PDF_IS_BROKEN"),
                }
            },
        );
        outcome_of(r#""status":"CANCELLED""#, |o| o == Outcome::Cancelled);
        outcome_of(
            r#""status":"ARCHIVED""#,
            |o| matches!(o, Outcome::NotFinished { status } if status.as_str() == "ARCHIVED"),
        );
        // A result of a job that has not ended is ignored.
        outcome_of(r#""status":"RUNNING","result":{"type":"invoice"}"#, |o| {
            o.matched().is_none()
        });
    }
}
