//! Bodies of replies: complete, slow, truncated, or from disk.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::io::AsyncReadExt as _;

pub(super) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

pub(super) fn full(bytes: Bytes) -> ReplyBody {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Number of bytes per piece of a slow body.
const CHUNK: usize = 16;

/// A body that arrives a few bytes at a time.
pub(super) fn slow(bytes: Bytes, pause: Duration) -> ReplyBody {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        let mut remaining = bytes;
        while !remaining.is_empty() {
            let chunk = remaining.split_to(remaining.len().min(CHUNK));
            if sender.send_data(chunk).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    });
    body.boxed_unsync()
}

/// A body that breaks off after `bytes` have been sent.
pub(super) fn truncated(bytes: Bytes) -> ReplyBody {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        if sender.send_data(bytes).await.is_ok() {
            // The bytes must be on the wire before the connection breaks.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sender.abort(io::Error::other("cut short by a fault"));
    });
    body.boxed_unsync()
}

/// The bytes of a file.
pub(super) fn file(path: PathBuf) -> ReplyBody {
    let (mut sender, body) = Channel::new(2);
    tokio::spawn(async move {
        let copied = async {
            let mut file = tokio::fs::File::open(path).await?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = file.read(&mut buffer).await?;
                if read == 0 {
                    return Ok(());
                }
                let chunk = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if sender.send_data(chunk).await.is_err() {
                    return Ok(());
                }
            }
        };
        let copied: io::Result<()> = copied.await;
        if let Err(error) = copied {
            sender.abort(error);
        }
    });
    body.boxed_unsync()
}
