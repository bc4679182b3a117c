//! Responses that the service may change at any time are still parsed.

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::v2::{GetJob, JobStatus, Outcome};

use crate::driver::Driver;
use crate::test_bench::{TestBench, create};

/// A job with absent, null or new fields and all time formats is parsed.
pub fn schema_drift_in_job_response_is_parsed<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let job = bench.driver.run(create()).expect("a job");
    for fault in [
        Fault::MissingFields,
        Fault::NullFields,
        Fault::NaiveTimestamps,
        Fault::OffsetTimestamps,
        Fault::ExtraFields,
        Fault::UnknownStatus,
    ] {
        bench
            .emulator
            .set_faults(FaultSchedule::new().with(fault.always().on(Route::ClassifyGet)));
        let read = bench
            .driver
            .call(GetJob::from(&job))
            .unwrap_or_else(|error| panic!("{}: {error}", fault.name()));
        assert_eq!(read.id, job.id, "{}", fault.name());
        match fault {
            Fault::NaiveTimestamps | Fault::OffsetTimestamps => {
                assert!(read.created_at.is_some(), "{}", fault.name());
            }
            Fault::UnknownStatus => {
                assert!(!read.status.is_terminal());
                assert!(matches!(read.outcome(), Outcome::NotFinished { .. }));
            }
            _ => assert_eq!(read.status, JobStatus::Completed, "{}", fault.name()),
        }
    }
}

/// A completed job whose type is null is a result: no rule matched.
pub fn outcome_no_match_is_returned_as_success<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().script(Script::any().matches_nothing()));
    let job = bench.driver.run(create()).expect("a result");
    assert!(matches!(job.outcome(), Outcome::NoMatch { .. }), "{job:?}");
}

/// A gateway's HTML response is retried.
pub fn retry_recovers_from_gateway_html_502<D: Driver>() {
    let bench = TestBench::<D>::new(
        Config::default().faults(FaultSchedule::new().with(Fault::BadGatewayHtml.first(2))),
    );
    let job = bench.driver.run(create()).expect("a result");
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(bench.emulator.job_count(), 1);
}

/// A gateway's permanent HTML response is reported as its 502, in one line.
pub fn retry_exhausted_by_gateway_html_502_reports_status_on_one_line<D: Driver>() {
    let bench = TestBench::<D>::new(
        Config::default().faults(FaultSchedule::new().with(Fault::BadGatewayHtml.always())),
    );
    let error = bench.driver.call(GetJob::new("clj-1")).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(502));
    assert_eq!(error.attempts(), 6);
    assert_eq!(bench.emulator.request_count(), 6);
    let text = error.to_string();
    assert!(!text.contains(['\n', '<']), "{text}");
    assert!(error.raw_body().is_some_and(|body| body.contains(&b'<')));
}
