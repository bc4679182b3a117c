//! The pool of the blocking client, which runs on a thread.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use classify_proto::machine::Bulk;
use classify_proto::v2::JobOptions;
use classify_proto::{Error, Failure};

use super::client::Client;
use super::running::{Running, StopHandle};
use super::transport::Transport;
use crate::bulk::Finished;
use crate::document::Document;
use crate::observe::OperationSpan;
use crate::pool::{self, PoolCallers, PoolState};

impl<T: Transport> Client<T> {
    /// Starts a pool and returns it. A pool classifies the documents of any number of threads in one bulk run: they
    /// share the limits of the run, and open jobs are polled up to a hundred at a time. The pool runs on its own
    /// thread, which ends when the last clone of the [`Pool`] is dropped.
    ///
    /// ```no_run
    /// use classify_client::Document;
    /// # use classify_client::blocking::{Client, Transport};
    /// # use classify_client::classify_proto::{Error, v2::Configuration};
    ///
    /// # fn example<T: Transport>(client: &Client<T>, rules: Configuration) -> Result<(), Error> {
    /// let pool = client.pool(rules)?;
    /// std::thread::scope(|scope| {
    ///     for name in ["a.pdf", "b.pdf"] {
    ///         let pool = pool.clone();
    ///         scope.spawn(move || {
    ///             let finished = pool.classify(Document::path(name));
    ///             println!("{name}: {:?}", finished.outcome());
    ///         });
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With [`retry_failed`](JobOptions::retry_failed) or [`fresh`](JobOptions::fresh), the pool creates at most one
    /// new job for each document, and not one for each call.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service;
    /// [`is_transport`](Error::is_transport) if no thread can be started.
    pub fn pool(&self, options: impl Into<JobOptions>) -> Result<Pool, Error> {
        let (callers, mut state) = PoolState::new(options.into(), self.bulk_options());
        // Reports invalid options here and not to the first caller.
        state.start(self.api(), self.seed()?)?;
        let client = self.clone();
        thread::Builder::new()
            .name("classify-pool".to_owned())
            .spawn(move || drive(&client, &mut state))
            .map_err(|error| {
                Failure::refused(format!("cannot start a thread for the pool: {error}"))
            })?;
        Ok(Pool { callers })
    }
}

/// Classifies the documents of many threads in one bulk run. Made by [`Client::pool`]. Cloning is cheap.
#[derive(Clone)]
pub struct Pool {
    callers: PoolCallers,
}

impl Pool {
    /// Classifies a document once, as [`Client::classify`] does, and returns its result.
    ///
    /// An error that concerns every document, such as an invalid key, is returned to all callers; the next call tries
    /// again.
    #[must_use]
    pub fn classify(&self, document: Document) -> Finished {
        let name = document.name().to_owned();
        let read = match document.read() {
            Ok(read) => read,
            Err(error) => return Finished::unreadable(name, &error),
        };
        let waiting = self.callers.submit(Box::new(read));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match waiting.poll(&Context::from_waker(&waker)) {
                Poll::Ready(Ok(finished)) => return finished,
                Poll::Ready(Err(lost)) => return pool::lost(name, lost),
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that makes a blocked [`Running::next`] return.
struct Interrupt(StopHandle);

impl Wake for Interrupt {
    fn wake(self: Arc<Self>) {
        self.0.stop();
    }
}

fn drive<T: Transport>(client: &Client<T>, state: &mut PoolState) {
    let idle = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        state.wake_on_request(&idle);
        if state.is_closed() {
            return;
        }
        if state.is_empty() {
            thread::park();
            continue;
        }
        let bulk = client
            .seed()
            .and_then(|seed| state.start(client.api(), seed));
        match bulk {
            Ok(bulk) => drive_run(client, state, bulk),
            Err(error) => state.fail_waiting(&error.to_string()),
        }
    }
}

/// Drives a bulk run to its end, or until all callers are gone.
fn drive_run<T: Transport>(client: &Client<T>, state: &mut PoolState, bulk: Bulk) {
    let mut running: Running<T, Bulk> = client.running(bulk, OperationSpan::new("pool"));
    let waker = Waker::from(Arc::new(Interrupt(running.stop_handle())));
    loop {
        state.feed(running.machine_mut(), &waker);
        if state.is_closed() {
            return;
        }
        match running.next() {
            Some(event) => state.on_event(running.machine_mut(), event),
            None => {
                if let Some(summary) = running.output() {
                    return state.on_end(summary);
                }
            }
        }
    }
}
