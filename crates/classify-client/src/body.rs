//! The request body that a transport reads.

use std::fmt;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "async")]
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "async")]
use std::time::Duration;

use classify_proto::{Bytes, Failure, Reply};

use crate::content::{OpenContent, ReadError};

/// The body of a request. It has a known length and can be read once.
///
/// A blocking transport reads it with [`Read`]; an async transport polls it as an [`http_body::Body`]. The body records
/// whether reading has started and whether it failed, and the client uses these records: a request whose body was never
/// started was not sent, and if the document cannot be read, that is the error of the attempt.
///
/// ```
/// use std::io::{self, Read};
///
/// use classify_client::RequestBody;
///
/// fn send(mut body: RequestBody, connection: &mut impl io::Write) -> io::Result<u64> {
///     write!(connection, "content-length: {}\r\n\r\n", body.length())?;
///     io::copy(&mut body, connection)
/// }
/// ```
pub struct RequestBody {
    head: Bytes,
    content: OpenContent,
    tail: Bytes,
    length: u64,
    remaining: u64,
    state: BodyState,
    #[cfg(feature = "async")]
    pub(crate) pending: Option<crate::async_client::body::PendingRead>,
    #[cfg(feature = "async")]
    pub(crate) executor: Option<crate::async_client::BlockingExecutor>,
}

/// The progress of a [`RequestBody`], for transports that pass the body on. Clones share the progress. Returned by
/// [`RequestBody::state`].
#[derive(Clone, Default)]
pub struct BodyState(Arc<Notes>);

#[derive(Default)]
struct Notes {
    started: AtomicBool,
    ended: AtomicBool,
    read_error: OnceLock<ReadError>,
    #[cfg(feature = "async")]
    waker: futures_util::task::AtomicWaker,
    #[cfg(feature = "async")]
    paused: Mutex<Duration>,
}

impl BodyState {
    /// Returns whether the transport has read any part of the body.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire)
    }

    /// Returns whether the transport has read the whole body.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// Returns the error that ended the reading of the document; `None` if there was none.
    #[must_use]
    pub fn read_error(&self) -> Option<&str> {
        self.0.read_error.get().map(|error| &*error.message)
    }

    /// Waits until the transport has read the whole body.
    #[cfg(feature = "async")]
    pub async fn ended(&self) {
        std::future::poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            if self.is_ended() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    /// Returns how long the exchange was not polled because the caller of [`Running::next`](crate::Running::next)
    /// paused between events.
    ///
    /// A transport whose exchange runs only while it is polled adds it to its time limits.
    #[cfg(feature = "async")]
    #[must_use]
    pub fn paused(&self) -> Duration {
        *self.0.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "async")]
    pub(crate) fn add_pause(&self, pause: Duration) {
        *self.0.paused.lock().unwrap_or_else(PoisonError::into_inner) += pause;
    }

    fn start(&self) {
        self.0.started.store(true, Ordering::Release);
    }

    fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        #[cfg(feature = "async")]
        self.0.waker.wake();
    }

    fn fail(&self, error: ReadError) {
        // Only the first error is kept; nothing is read after it.
        let _ = self.0.read_error.set(error);
    }
}

impl RequestBody {
    pub(crate) fn new(head: Bytes, content: OpenContent, tail: Bytes) -> Self {
        let length = (size(&head) + size(&tail)).saturating_add(content.length());
        let state = BodyState::default();
        if length == 0 {
            state.end();
        }
        Self {
            head,
            content,
            tail,
            length,
            remaining: length,
            state,
            #[cfg(feature = "async")]
            pending: None,
            #[cfg(feature = "async")]
            executor: None,
        }
    }

    /// Returns the length of the body in bytes; 0 if the request has none.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns whether the request has no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the progress of this body, for a transport that needs it after it has passed the body on.
    #[must_use]
    pub fn state(&self) -> BodyState {
        self.state.clone()
    }

    /// Returns the number of bytes that were not read yet.
    #[cfg(feature = "async")]
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    #[cfg(feature = "async")]
    pub(crate) fn mark_started(&self) {
        self.state.start();
    }

    /// Returns the next part if it is in memory: the head, in-memory content, or the tail. `None` if the next part must
    /// be read.
    #[cfg(feature = "async")]
    pub(crate) fn next_in_memory(&mut self) -> Option<Bytes> {
        if !self.head.is_empty() {
            return Some(std::mem::take(&mut self.head));
        }
        match &mut self.content {
            OpenContent::Bytes(bytes) if !bytes.is_empty() => Some(std::mem::take(bytes)),
            OpenContent::Reader(reader) if reader.remaining() > 0 => None,
            _ => Some(std::mem::take(&mut self.tail)),
        }
    }

    /// Whether the content is read in pieces, which may block.
    #[cfg(feature = "async")]
    pub(crate) fn has_reader(&self) -> bool {
        matches!(self.content, OpenContent::Reader(_))
    }

    /// Takes the content, to read it on another thread; [`return_content`](Self::return_content) puts it back.
    #[cfg(feature = "async")]
    pub(crate) fn take_content(&mut self) -> OpenContent {
        std::mem::replace(&mut self.content, OpenContent::Bytes(Bytes::new()))
    }

    #[cfg(feature = "async")]
    pub(crate) fn return_content(&mut self, content: OpenContent) {
        self.content = content;
    }

    /// Counts bytes as read.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.remaining = self.remaining.saturating_sub(bytes as u64);
        if self.remaining == 0 {
            self.state.end();
        }
    }

    pub(crate) fn fail(&self, error: ReadError) -> io::Error {
        let message = error.message.clone();
        self.state.fail(error);
        io::Error::other(message)
    }
}

/// Reads the body on the current thread. An error of the content ends the body.
impl Read for RequestBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.length == 0 {
            return Ok(0);
        }
        self.state.start();
        let read = if self.head.is_empty() {
            match self.content.read(buffer) {
                Ok(0) => take(&mut self.tail, buffer),
                Ok(read) => read,
                Err(error) => return Err(self.fail(error)),
            }
        } else {
            take(&mut self.head, buffer)
        };
        self.advance(read);
        Ok(read)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("length", &self.length)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BodyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyState")
            .field("is_started", &self.is_started())
            .field("is_ended", &self.is_ended())
            .field("read_error", &self.read_error())
            .finish()
    }
}

/// Applies the rules of every transport: if the document cannot be read, that is the error of the attempt; a request
/// whose body was never started was not sent; a response over the size limit is an error.
pub(crate) fn check_reply(
    reply: Reply,
    length: u64,
    state: &BodyState,
    response_bytes: u64,
) -> Reply {
    // A response to an incomplete document says nothing about the document.
    if let Some(error) = state.0.read_error.get() {
        return Err(error.failure());
    }
    match reply {
        Ok(response) if response.body().len() as u64 > response_bytes => {
            Err(Failure::too_large(response_bytes))
        }
        Ok(response) => Ok(response),
        Err(failure) if length > 0 && !state.is_started() => Err(failure.before_sending()),
        Err(failure) => Err(failure),
    }
}

/// Returns the failure of an attempt whose time limit passed before it began.
pub(crate) fn no_time_left() -> Failure {
    Failure::timeout("the time limit passed before the request was sent")
        .before_sending()
        .attempted(false)
}

/// Returns the failure of an attempt in which the transport panicked.
///
/// A panic is a bug, so the request is not retried unless the body shows that it was not sent.
pub(crate) fn panic_failure() -> Failure {
    Failure::refused("the transport panicked while it sent the request").after_sending()
}

fn size(bytes: &Bytes) -> u64 {
    bytes.len() as u64
}

pub(crate) fn take(from: &mut Bytes, buffer: &mut [u8]) -> usize {
    let part = from.split_to(from.len().min(buffer.len()));
    buffer[..part.len()].copy_from_slice(&part);
    part.len()
}
