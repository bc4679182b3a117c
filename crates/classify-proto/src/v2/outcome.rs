//! What became of a document.

use super::{ClassifyResult, JobStatus};

/// What became of a document: [`Job::outcome`](super::Job::outcome).
///
/// That no rule matched is a result, and is kept apart from every kind of failure.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// A rule matched.
    Matched {
        /// The rule's type.
        r#type: &'a str,
        /// How sure the service is, from 0.0 to 1.0, where it said so.
        confidence: Option<f64>,
        /// Why.
        reasoning: Option<&'a str>,
    },
    /// The document was read and no rule matched.
    NoMatch {
        /// How sure the service is, from 0.0 to 1.0, where it said so.
        confidence: Option<f64>,
        /// Why.
        reasoning: Option<&'a str>,
    },
    /// The job failed.
    Failed {
        /// Why, in the service's words.
        message: Option<&'a str>,
    },
    /// The job was cancelled.
    Cancelled,
    /// The job has not ended, or stands at a word that this version does not know.
    NotFinished {
        /// Where it stands.
        status: &'a JobStatus,
    },
    /// The job completed and the service sent no result with it, or none that can be read: neither a match nor the
    /// lack of one. One that cannot be read is kept, as [`extra("result")`](super::Job::extra).
    Missing,
}

impl<'a> Outcome<'a> {
    pub(crate) fn from_result(result: &'a ClassifyResult) -> Self {
        let (confidence, reasoning) = (result.confidence, result.reasoning.as_deref());
        match result.r#type.as_deref() {
            // No rule can have an empty type, so an empty one is none.
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

    /// The type of the rule that matched.
    #[must_use]
    pub fn matched(&self) -> Option<&'a str> {
        match self {
            Outcome::Matched { r#type, .. } => Some(r#type),
            _ => None,
        }
    }

    /// Whether the document got an answer: a match or the lack of one.
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
        // A result that comes before the end is not believed.
        outcome_of(r#""status":"RUNNING","result":{"type":"invoice"}"#, |o| {
            o.matched().is_none()
        });
    }
}
