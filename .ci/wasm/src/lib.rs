//! A call that is answered 503 and then 200, with the host as its clock and its service.

use std::cell::RefCell;

use classify_proto::machine::{Call, Context, Machine, Step};
use classify_proto::v2::{GetJob, JobStatus};
use classify_proto::{Api, Seed, Time, http};

/// What [`step`] answers: a request is to be sent.
const SEND: f64 = -1.0;
/// It is over, and the job has completed.
const DONE: f64 = -2.0;
/// It is over otherwise.
const FAILED: f64 = -3.0;

thread_local! {
    static CALL: RefCell<Option<Call<GetJob>>> = const { RefCell::new(None) };
}

/// One turn of the run loop at `now`, in milliseconds: a constant above, or the time to wait until.
///
/// A request is answered on the spot with `status`.
#[expect(unsafe_code, reason = "a host finds a function by its name")]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[unsafe(no_mangle)]
pub extern "C" fn step(now: f64, status: u32) -> f64 {
    let api = Api::builder("llx-key").build().expect("a good key");
    let cx = Context::new(&api, Time::from_millis(now as u64));
    CALL.with_borrow_mut(|call| {
        let call = call.get_or_insert_with(|| Call::new(GetJob::new("clj-1"), Seed::new([7; 16])));
        match call.poll(cx) {
            Step::Send(ticket, request) => {
                assert_eq!(request.uri().path(), "/api/v2/classify/clj-1");
                let mut response = http::Response::new(r#"{"id": "clj-1", "status": "COMPLETED"}"#.into());
                *response.status_mut() = http::StatusCode::from_u16(status as u16).expect("a status");
                call.handle(cx, ticket, Ok(response));
                SEND
            }
            Step::Wait(until) => until.map_or(FAILED, |until| until.as_millis() as f64),
            Step::Event(never) => match never {},
            Step::Done(Ok(job)) if job.status == JobStatus::Completed => DONE,
            Step::Done(_) => FAILED,
        }
    })
}
