//! The pool of the async client.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use classify_proto::machine::Bulk;
use classify_proto::v2::JobOptions;
use classify_proto::{Error, Failure};

use super::body::PendingWork;
use super::client::Client;
use super::executor::BlockingExecutor;
use super::running::Running;
use super::transport::Transport;
use crate::bulk::Finished;
use crate::document::Document;
use crate::observe::OperationSpan;
use crate::pool::{self, PoolCallers, PoolState};

impl<T: Transport> Client<T> {
    /// Starts a pool and returns it. A pool classifies the documents of any number of tasks in one bulk run: they share
    /// the limits of the run, and open jobs are polled up to a hundred at a time. The pool runs on the transport's
    /// runtime until the last clone of the [`Pool`] is dropped.
    ///
    /// With [`retry_failed`](JobOptions::retry_failed) or [`fresh`](JobOptions::fresh), the pool creates at most one
    /// new job for each document, and not one for each call.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service;
    /// [`is_transport`](Error::is_transport) if the transport cannot [spawn](Transport::spawn) futures. Use
    /// [`pool_with_driver`](Self::pool_with_driver) instead.
    pub fn pool(&self, options: impl Into<JobOptions>) -> Result<Pool, Error>
    where
        T: Send + Sync,
        T::Exchange: Send,
        T::Sleep: Send,
    {
        let (pool, driver) = self.pool_with_driver(options)?;
        let spawned = match self.transport() {
            Ok(transport) => transport.spawn(Box::pin(driver)),
            Err(reason) => Err(Failure::refused(&**reason)),
        };
        spawned.map_err(Error::from)?;
        Ok(pool)
    }

    /// Returns a pool and its driver, a future that you poll or spawn. Calls of the pool make no progress unless the
    /// driver is polled. The driver ends when the last clone of the [`Pool`] is dropped. If you drop it before, callers
    /// get an error.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the options exceed a limit of the service.
    pub fn pool_with_driver(
        &self,
        options: impl Into<JobOptions>,
    ) -> Result<(Pool, PoolDriver<T>), Error> {
        let (callers, state) = PoolState::new(options.into(), self.bulk_options());
        // Reports invalid options here and not to the first caller.
        state.start(self.api(), self.seed()?)?;
        let pool = Pool {
            callers,
            executor: self.executor(),
        };
        let driver = PoolDriver {
            client: self.clone(),
            state,
            running: None,
        };
        Ok((pool, driver))
    }
}

/// Classifies the documents of many tasks in one bulk run. Made by [`Client::pool`]. Cloning is cheap.
///
/// ```
/// use classify_client::{Document, Pool};
///
/// async fn label(pool: &Pool, name: &str, content: Vec<u8>) -> String {
///     let finished = pool.classify(Document::bytes(name, content)).await;
///     match finished.outcome() {
///         Ok(outcome) => format!("{outcome:?}"),
///         Err(error) => format!("error: {error}"),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Pool {
    callers: PoolCallers,
    executor: BlockingExecutor,
}

impl Pool {
    /// Classifies a document once, as [`Client::classify`] does, and returns its result.
    ///
    /// An error that concerns every document, such as an invalid key, is returned to all callers; the next call tries
    /// again. A job that was created continues if you drop the future, and the next call for the same document returns
    /// it.
    pub async fn classify(&self, document: Document) -> Finished {
        let name = document.name().to_owned();
        let read = if document.is_hashed() {
            document.read()
        } else {
            let reading = PendingWork::start(&self.executor, move || Some(document.read()));
            let read = poll_fn(|cx| reading.poll(cx)).await;
            read.unwrap_or_else(|| {
                Err(Failure::content("the thread that read the document ended").into())
            })
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => return Finished::unreadable(name, &error),
        };
        let waiting = self.callers.submit(Box::new(read));
        match poll_fn(|cx| waiting.poll(cx)).await {
            Ok(finished) => finished,
            Err(lost) => pool::lost(name, lost),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// The future that drives a [`Pool`]. Made by [`Client::pool_with_driver`].
#[must_use = "a pool does nothing unless its driver is polled"]
pub struct PoolDriver<T: Transport> {
    client: Client<T>,
    state: PoolState,
    running: Option<Box<Running<T, Bulk>>>,
}

impl<T: Transport> Future for PoolDriver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let Some(running) = &mut this.running else {
                this.state.wake_on_request(cx.waker());
                if this.state.is_closed() {
                    return Poll::Ready(());
                }
                if this.state.is_empty() {
                    return Poll::Pending;
                }
                let client = &this.client;
                let bulk = client
                    .seed()
                    .and_then(|seed| this.state.start(client.api(), seed));
                match bulk {
                    Ok(bulk) => {
                        let running = client.running(bulk, OperationSpan::new("pool"), true);
                        this.running = Some(Box::new(running));
                    }
                    Err(error) => this.state.fail_waiting(&error.to_string()),
                }
                continue;
            };
            this.state.feed(running.machine_mut(), cx.waker());
            if this.state.is_closed() {
                this.running = None;
                return Poll::Ready(());
            }
            match running.poll_event(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(event)) => this.state.on_event(running.machine_mut(), event),
                Poll::Ready(None) => {
                    if let Some(summary) = running.output() {
                        this.state.on_end(summary);
                        this.running = None;
                    }
                }
            }
        }
    }
}

impl<T: Transport> fmt::Debug for PoolDriver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolDriver")
    }
}
