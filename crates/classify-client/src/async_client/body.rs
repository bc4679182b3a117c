//! The body as an `http_body::Body`. The blocking executor reads files.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use classify_proto::{Body, Bytes, Failure};
use http_body::{Frame, SizeHint};

use super::executor::BlockingExecutor;
use crate::body::RequestBody;
use crate::content::{self, OpenContent, ReadError};

/// The number of bytes that are read from a file at once: 128 KiB.
const READ_SIZE: usize = 128 * 1024;

/// The pending result of blocking work.
pub(crate) struct PendingWork<R>(Arc<Mutex<WorkState<R>>>);

struct WorkState<R> {
    result: Option<R>,
    waker: Option<Waker>,
    is_abandoned: bool,
}

/// A read on another thread. Its result returns the content too.
pub(crate) type PendingRead = PendingWork<(OpenContent, Result<Bytes, ReadError>)>;

impl<R: Send + 'static> PendingWork<R> {
    pub(crate) fn start(
        executor: &BlockingExecutor,
        work: impl FnOnce() -> Option<R> + Send + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(WorkState {
            result: None,
            waker: None,
            is_abandoned: false,
        }));
        let pending = Self(Arc::clone(&state));
        let guard = WorkGuard(state);
        executor.run(move || {
            let result = work();
            let mut state = guard.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.result = result;
        });
        pending
    }

    /// Returns the result; `None` if the work was dropped or panicked.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<R>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = state.result.take() {
            return Poll::Ready(Some(result));
        }
        if state.is_abandoned {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Wakes the waiting task when the work ends, panics or is dropped.
struct WorkGuard<R>(Arc<Mutex<WorkState<R>>>);

impl<R> Drop for WorkGuard<R> {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_abandoned = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A body that is being opened.
pub(crate) enum Opening {
    Opened(Option<Result<RequestBody, Failure>>),
    Pending(PendingWork<Result<RequestBody, Failure>>),
}

impl Opening {
    pub(crate) fn start(body: Body, executor: impl FnOnce() -> BlockingExecutor) -> Self {
        if content::needs_io(&body) {
            Self::Pending(PendingWork::start(&executor(), move || {
                Some(content::open(body))
            }))
        } else {
            Self::Opened(Some(content::open(body)))
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending(_))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RequestBody, Failure>> {
        let opened = match self {
            Self::Opened(opened) => opened.take(),
            Self::Pending(pending) => ready!(pending.poll(cx)),
        };
        Poll::Ready(opened.unwrap_or_else(|| {
            Err(Failure::content("the thread that opened the document ended").before_sending())
        }))
    }
}

impl RequestBody {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, ReadError>> {
        loop {
            if let Some(pending) = &self.pending {
                let result = ready!(pending.poll(cx));
                self.pending = None;
                let Some((content, result)) = result else {
                    return Poll::Ready(Err(ReadError {
                        message: "the thread that read the document ended".to_owned(),
                        kind: None,
                    }));
                };
                self.return_content(content);
                return Poll::Ready(result);
            }
            if let Some(bytes) = self.next_in_memory() {
                return Poll::Ready(Ok(bytes));
            }
            let mut content = self.take_content();
            let executor = self.executor.get_or_insert_with(BlockingExecutor::in_place);
            let read = PendingWork::start(executor, move || {
                let most = usize::try_from(content.length()).unwrap_or(usize::MAX);
                let mut buffer = vec![0; most.min(READ_SIZE)];
                let result = content.read(&mut buffer).map(|read| {
                    buffer.truncate(read);
                    Bytes::from(buffer)
                });
                Some((content, result))
            });
            self.pending = Some(read);
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.remaining() == 0 {
            return Poll::Ready(None);
        }
        this.mark_started();
        match ready!(this.poll_bytes(cx)) {
            Ok(bytes) => {
                this.advance(bytes.len());
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Err(error) => Poll::Ready(Some(Err(this.fail(error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining())
    }
}
