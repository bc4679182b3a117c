//! The types that a `Waiter` can wait for.

use std::fmt::{Debug, Display};

use crate::error::Error;
use crate::job_phase::JobPhase;
use crate::operation::Operation;
use crate::{v1, v2};

/// A read that a [`Waiter`](super::Waiter) polls with: it returns a job and knows when the job has ended.
///
/// Implemented by [`v2::GetJob`] and [`v1::GetJob`]. It is sealed, so that methods can be added.
pub trait Waitable: Operation + Clone + Sealed {
    /// The type of the job's status.
    type Status: Debug + Display + Clone + PartialEq + Eq;

    /// Returns the name of the wait in errors and saved states, such as `classify.wait`.
    fn wait_name(&self) -> &'static str;

    /// Returns the id of the job.
    fn job_id(&self) -> &str;

    /// Returns the status of the job.
    fn status(job: &Self::Output) -> &Self::Status;

    /// Returns the phase of the job: pending, completed, failed or cancelled.
    fn phase(job: &Self::Output) -> JobPhase;

    /// Returns the error of a job that failed.
    fn failed(job: Self::Output) -> Error;

    /// Returns the error of a job that was cancelled.
    fn cancelled(job: Self::Output) -> Error;

    /// Returns the error with the job's last known state.
    fn with_last_seen(error: Error, job: &Self::Output) -> Error;
}

/// Identifies the job to wait for: a read, the id or the job of v2, or a job of v1.
///
/// With it, a driver has one `wait` for both versions: `wait("clj-1")`, `wait(&job)`, `wait(v1::GetJob::new(id))`.
pub trait IntoWaitable {
    /// The type of the read.
    type Read: Waitable;

    /// Returns the read that polls the job.
    fn into_waitable(self) -> Self::Read;
}

impl<G: Waitable> IntoWaitable for G {
    type Read = G;

    fn into_waitable(self) -> G {
        self
    }
}

impl IntoWaitable for &str {
    type Read = v2::GetJob;

    fn into_waitable(self) -> v2::GetJob {
        v2::GetJob::new(self)
    }
}

impl IntoWaitable for String {
    type Read = v2::GetJob;

    fn into_waitable(self) -> v2::GetJob {
        v2::GetJob::new(self)
    }
}

impl IntoWaitable for &v2::Job {
    type Read = v2::GetJob;

    fn into_waitable(self) -> v2::GetJob {
        v2::GetJob::from(self)
    }
}

impl IntoWaitable for &v1::Job {
    type Read = v1::GetJob;

    fn into_waitable(self) -> v1::GetJob {
        v1::GetJob::from(self)
    }
}

pub(crate) use sealed::Sealed;

mod sealed {
    /// Seals a trait against implementations outside of this crate.
    pub trait Sealed {}
}

impl Sealed for v2::GetJob {}

impl Waitable for v2::GetJob {
    type Status = v2::JobStatus;

    fn wait_name(&self) -> &'static str {
        "classify.wait"
    }

    fn job_id(&self) -> &str {
        &self.job_id
    }

    fn status(job: &v2::Job) -> &v2::JobStatus {
        &job.status
    }

    fn phase(job: &v2::Job) -> JobPhase {
        job.status.phase()
    }

    fn failed(job: v2::Job) -> Error {
        Error::job_failed(job)
    }

    fn cancelled(job: v2::Job) -> Error {
        Error::job_cancelled(job)
    }

    fn with_last_seen(error: Error, job: &v2::Job) -> Error {
        error.with_job(job.clone())
    }
}

impl Sealed for v1::GetJob {}

impl Waitable for v1::GetJob {
    type Status = v1::JobStatus;

    fn wait_name(&self) -> &'static str {
        "classifier.jobs.wait"
    }

    fn job_id(&self) -> &str {
        &self.job_id
    }

    fn status(job: &v1::Job) -> &v1::JobStatus {
        &job.status
    }

    fn phase(job: &v1::Job) -> JobPhase {
        job.status.phase()
    }

    fn failed(job: v1::Job) -> Error {
        Error::v1_job_failed(job)
    }

    fn cancelled(job: v1::Job) -> Error {
        Error::v1_job_cancelled(job)
    }

    fn with_last_seen(error: Error, job: &v1::Job) -> Error {
        error.with_v1_job(job.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_target_from_id_job_or_get_operation() {
        fn id(job: impl IntoWaitable) -> String {
            job.into_waitable().job_id().to_owned()
        }
        let v1_job: v1::Job = serde_json::from_str(r#"{"id":"1","status":"PENDING"}"#).unwrap();
        let v2_job: v2::Job = serde_json::from_str(r#"{"id":"2","status":"PENDING"}"#).unwrap();
        assert_eq!(id(&v1_job), "1");
        assert_eq!(id(&v2_job), "2");
        assert_eq!(id("3"), "3");
        assert_eq!(id("4".to_owned()), "4");
        assert_eq!(id(v1::GetJob::new("5")), "5");
    }

    #[test]
    fn poll_request_uses_project_of_job() {
        let api = crate::v2::examples::api();
        let text = r#"{"id":"1","status":"PENDING","project_id":"p 1"}"#;
        let v1_job: v1::Job = serde_json::from_str(text).unwrap();
        let v2_job: v2::Job = serde_json::from_str(text).unwrap();
        let old = |read: v1::GetJob| read.build_request(&api).unwrap().uri().to_string();
        let new = |read: v2::GetJob| read.build_request(&api).unwrap().uri().to_string();
        for (uri, path) in [
            (old((&v1_job).into_waitable()), "v1/classifier/jobs/1"),
            (old((&v1_job).into()), "v1/classifier/jobs/1"),
            (new((&v2_job).into_waitable()), "v2/classify/1"),
            (new((&v2_job).into()), "v2/classify/1"),
        ] {
            assert_eq!(
                uri,
                format!("https://api.example/api/{path}?project_id=p%201")
            );
        }
    }

    /// A terminal status that the wait did not know would make it wait for ever; the reverse would end it too early.
    #[test]
    fn poll_phase_agrees_with_terminal_status() {
        for value in v2::JobStatus::KNOWN.iter().chain(&["NEW"]) {
            let body = format!(r#"{{"id":"1","status":"{value}"}}"#);
            let job = v2::GetJob::new("1")
                .parse(crate::v2::examples::ok(body))
                .unwrap();
            let ended = v2::GetJob::phase(&job) != JobPhase::Pending;
            assert_eq!(ended, job.status.is_terminal(), "{value}");
        }
        for value in v1::JobStatus::KNOWN.iter().chain(&["RUNNING"]) {
            let body = format!(r#"{{"id":"1","status":"{value}"}}"#);
            let job = v1::GetJob::new("1")
                .parse(crate::v2::examples::ok(body))
                .unwrap();
            let ended = v1::GetJob::phase(&job) != JobPhase::Pending;
            assert_eq!(ended, job.status.is_terminal(), "{value}");
        }
    }
}
