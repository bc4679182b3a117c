//! Reads the stream of an object on any thread.

use std::io::{self, Read};

use bytes::Bytes;
use classify_proto::Failure;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc::{Receiver, channel};

use crate::error;
use crate::object_url::ObjectUrl;
use crate::runtime::{Runtime, Task, block_on};

/// The number of pieces that are read ahead.
const READ_AHEAD: usize = 4;

/// The content of an object. The runtime reads it piece by piece, as far as the pieces are taken.
pub(crate) struct ObjectReader {
    pieces: Receiver<Result<Bytes, Failure>>,
    current: Bytes,
    _task: Task,
}

impl ObjectReader {
    pub(crate) fn new(
        runtime: &Runtime,
        url: ObjectUrl,
        mut stream: BoxStream<'static, object_store::Result<Bytes>>,
    ) -> Self {
        let (sender, pieces) = channel(READ_AHEAD);
        let task = runtime.spawn(async move {
            while let Some(piece) = stream.next().await {
                let piece = piece.map_err(|error| error::failure(&url, &error));
                let is_end = piece.is_err();
                if sender.send(piece).await.is_err() || is_end {
                    return;
                }
            }
        });
        Self {
            pieces,
            current: Bytes::new(),
            _task: task,
        }
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.current.is_empty() {
            match block_on(self.pieces.recv()) {
                Some(Ok(piece)) => self.current = piece,
                Some(Err(failure)) => {
                    let kind = failure.io_kind().unwrap_or(io::ErrorKind::Other);
                    return Err(io::Error::new(kind, failure));
                }
                // The caller knows the length, and detects an early end.
                None => return Ok(0),
            }
        }
        let part = self.current.split_to(self.current.len().min(buffer.len()));
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}
