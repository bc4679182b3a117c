//! A body under watch while a form is read from it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::BodyDataStream;
use hyper::body::Incoming;

/// What comes without the form's reader making anything of it: the heads of parts, which nobody needs this long.
const MAX_UNPARSED: u64 = 256 * 1024;

/// How much has come.
#[derive(Debug, Default)]
pub(super) struct BodyCounter {
    total: AtomicU64,
    unparsed: AtomicU64,
}

impl BodyCounter {
    /// The reader has made something of what came.
    pub(super) fn reset_unparsed(&self) {
        self.unparsed.store(0, Ordering::Relaxed);
    }

    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

/// A body that ends with an error where a form's reader would gather it in memory, or where it is too long.
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
