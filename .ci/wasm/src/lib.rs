//! A call that receives 503 and then 200. The host is its clock and its service. It runs with the core alone, and with
//! `classify-client` over a transport.

use std::cell::{Cell, RefCell};
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, Transport};
use classify_proto::machine::{Call, Context, Machine, Step};
use classify_proto::v2::{GetJob, Job, JobStatus};
use classify_proto::{Api, Error, Reply, Seed, Time, http};

/// Returned by [`step`] if a request must be sent.
const SEND: f64 = -1.0;
/// Returned if the call has ended and the job has completed.
const DONE: f64 = -2.0;
/// Returned if the call has ended otherwise.
const FAILED: f64 = -3.0;

thread_local! {
    static CALL: RefCell<Option<Call<GetJob>>> = const { RefCell::new(None) };
}

/// Runs one step at `now`, in milliseconds. Returns a constant above, or the time until which to wait.
///
/// A request gets a response with `status` immediately.
#[expect(unsafe_code, reason = "a host finds a function by its name")]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#[unsafe(no_mangle)]
pub extern "C" fn step(now: f64, status: u32) -> f64 {
    let api = Api::builder("llx-key").build().expect("a good key");
    let cx = Context::new(&api, Time::from_millis(now as u64));
    CALL.with_borrow_mut(|call| {
        let call = call.get_or_insert_with(|| Call::new(GetJob::new("clj-1"), Seed::new([7; 16])));
        match call.poll(cx) {
            Step::Send(ticket, request) => {
                assert_eq!(request.uri().path(), "/api/v2/classify/clj-1");
                let mut response =
                    http::Response::new(r#"{"id": "clj-1", "status": "COMPLETED"}"#.into());
                *response.status_mut() =
                    http::StatusCode::from_u16(status as u16).expect("a status");
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

/// A transport that returns the status of the step immediately. It is not `Send`.
struct Host(Rc<Cell<u32>>);

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static STATUS: Rc<Cell<u32>> = Rc::default();
    static CLIENT_CALL: RefCell<Option<Pin<Box<dyn Future<Output = Result<Job, Error>>>>>> = const { RefCell::new(None) };
}

/// Ends when the host's clock has reached a time.
struct Sleep(u64);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<()> {
        if NOW.get() >= self.0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Transport for Host {
    type Exchange = Ready<Reply>;
    type Sleep = Sleep;

    fn send(&self, request: http::Request<RequestBody>, _: Budget) -> Ready<Reply> {
        assert_eq!(request.uri().path(), "/api/v2/classify/clj-1");
        let mut response = http::Response::new(r#"{"id": "clj-1", "status": "COMPLETED"}"#.into());
        *response.status_mut() = http::StatusCode::from_u16(self.0.get() as u16).expect("a status");
        ready(Ok(response))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(NOW.get() + duration.as_millis() as u64)
    }

    fn now(&self) -> Time {
        Time::from_millis(NOW.get())
    }

    fn seed(&self) -> Result<Seed, Error> {
        Ok(Seed::new([7; 16]))
    }
}

/// Polls a call of the client at `now`: [`DONE`], [`FAILED`], or 0 if it waits.
#[expect(unsafe_code, reason = "a host finds a function by its name")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#[unsafe(no_mangle)]
pub extern "C" fn client_step(now: f64, status: u32) -> f64 {
    NOW.set(now as u64);
    STATUS.with(|shared| shared.set(status));
    CLIENT_CALL.with_borrow_mut(|call| {
        let call = call.get_or_insert_with(|| {
            let api = Api::builder("llx-key").build().expect("a good key");
            let client = Client::with_transport(Host(STATUS.with(Rc::clone)), api);
            Box::pin(async move { client.call(GetJob::new("clj-1")).await })
        });
        match call
            .as_mut()
            .poll(&mut TaskContext::from_waker(Waker::noop()))
        {
            Poll::Ready(Ok(job)) if job.status == JobStatus::Completed => DONE,
            Poll::Ready(_) => FAILED,
            Poll::Pending => 0.0,
        }
    })
}
