//! A body with limits, from which a form is parsed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::BodyDataStream;
use hyper::body::Incoming;

/// Maximum number of bytes that the form's parser may consume without a result: longer heads of parts are not needed.
const MAX_UNPARSED: u64 = 256 * 1024;

/// Counts the bytes of a body.
#[derive(Debug, Default)]
pub(super) struct BodyCounter {
    total: AtomicU64,
    unparsed: AtomicU64,
}

impl BodyCounter {
    /// The parser has produced a result.
    pub(super) fn reset_unparsed(&self) {
        self.unparsed.store(0, Ordering::Relaxed);
    }

    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// A body that fails when the form's parser would buffer too much, or when the body is too long.
pub(super) struct LimitedBody<'b> {
    body: BodyDataStream<&'b mut Incoming>,
    counter: Arc<BodyCounter>,
    limit: u64,
}

impl<'b> LimitedBody<'b> {
    pub(super) fn new(body: &'b mut Incoming, counter: Arc<BodyCounter>, limit: u64) -> Self {
        Self {
            body: BodyDataStream::new(body),
            counter,
            limit,
        }
    }
}

impl Stream for LimitedBody<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = std::task::ready!(Pin::new(&mut self.body).poll_next(cx));
        Poll::Ready(match chunk {
            None => None,
            Some(Err(error)) => Some(Err(io::Error::other(error))),
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                let total = self.counter.total.fetch_add(length, Ordering::Relaxed) + length;
                let unparsed = self.counter.unparsed.fetch_add(length, Ordering::Relaxed) + length;
                if total > self.limit {
                    Some(Err(io::Error::other("the form is too long")))
                } else if unparsed > MAX_UNPARSED + length {
                    Some(Err(io::Error::other("the head of a part is too long")))
                } else {
                    Some(Ok(bytes))
                }
            }
        })
    }
}
