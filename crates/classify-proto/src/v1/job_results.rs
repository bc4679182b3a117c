//! A v1 job that has ended, with its results.

use super::{FileResult, Job, JobStatus, Outcome};
use crate::text::id::same_id;

/// A v1 job that ended with results, and the results of all pages.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobResults {
    /// The job, with the status `SUCCESS` or `PARTIAL_SUCCESS`.
    pub job: Job,
    /// One result per file, in the service's order. After a partial success, failed files may have none.
    pub results: Vec<FileResult>,
}

impl JobResults {
    pub(crate) fn new(job: Job, results: Vec<FileResult>) -> Self {
        Self { job, results }
    }

    /// Returns the outcome of one file.
    ///
    /// A file without a result has failed if the job is a partial success, and is [`Outcome::Missing`] otherwise. The
    /// same applies to a file that is not part of the job, which the service does not distinguish. A result that cannot
    /// be parsed is missing in both cases.
    #[must_use]
    pub fn outcome(&self, file_id: &str) -> Outcome<'_> {
        self.results
            .iter()
            .find(|result| {
                result
                    .file_id
                    .as_deref()
                    .is_some_and(|id| same_id(id, file_id))
            })
            .map_or_else(|| self.missing_outcome(), |result| self.read(result))
    }

    /// Returns the outcomes of all files that have a result, with their ids.
    pub fn outcomes(&self) -> impl Iterator<Item = (Option<&str>, Outcome<'_>)> {
        self.results
            .iter()
            .map(|result| (result.file_id.as_deref(), self.read(result)))
    }

    fn read<'a>(&'a self, result: &'a FileResult) -> Outcome<'a> {
        match result.outcome() {
            Outcome::Missing if result.extra("result").is_none() => self.missing_outcome(),
            outcome => outcome,
        }
    }

    fn missing_outcome(&self) -> Outcome<'_> {
        if self.job.status == JobStatus::PartialSuccess {
            Outcome::Failed {
                message: self.job.error_message.as_deref(),
            }
        } else {
            Outcome::Missing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(status: &str) -> JobResults {
        let job =
            format!(r#"{{"id":"j","status":"{status}","error_message":"one file is broken"}}"#);
        JobResults::new(
            serde_json::from_str(&job).unwrap(),
            serde_json::from_str(
                r#"[{"id":"1","file_id":"a","result":{"type":"invoice"}},
                    {"id":"2","file_id":"b","result":{"type":null}},
                    {"id":"3","file_id":"c","result":null}]"#,
            )
            .unwrap(),
        )
    }

    #[test]
    fn outcome_per_file_after_partial_success() {
        let finished = finished("PARTIAL_SUCCESS");
        assert_eq!(finished.outcome("dfl-a").matched(), Some("invoice"));
        assert!(matches!(finished.outcome("b"), Outcome::NoMatch { .. }));
        for failed in ["c", "d"] {
            assert_eq!(
                finished.outcome(failed),
                Outcome::Failed {
                    message: Some("one file is broken")
                }
            );
        }
        assert_eq!(
            finished.outcomes().filter(|(_, o)| o.has_result()).count(),
            2
        );
    }

    #[test]
    fn outcome_of_file_without_result_after_success_is_missing() {
        assert_eq!(finished("SUCCESS").outcome("c"), Outcome::Missing);
    }

    #[test]
    fn outcome_lookup_accepts_any_form_of_file_id() {
        let finished = finished("SUCCESS");
        assert_eq!(finished.outcome("DFL-A").matched(), Some("invoice"));
        assert_eq!(finished.outcome("A").matched(), Some("invoice"));
    }

    #[test]
    fn outcome_of_unparsable_result_is_missing() {
        let mut finished = finished("PARTIAL_SUCCESS");
        let odd = br#"{"id":"4","file_id":"e","result":{"type":7}}"#;
        let odd: FileResult = crate::text::lenient::read(odd).unwrap();
        finished.results.push(odd);
        assert_eq!(finished.outcome("e"), Outcome::Missing);
    }
}
