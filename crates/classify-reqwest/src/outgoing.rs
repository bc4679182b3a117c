//! A request's body on its way out, read piece by piece.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use classify_proto::{Body, Bytes, Content, Failure, Multipart};
use http_body::{Frame, SizeHint};
use tokio::fs::{self, File};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;

/// How much of a file is read at a time.
const PIECE: usize = 64 * 1024;

/// A body of known length that notes how far it got and what went wrong with its own content.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    head: Bytes,
    document: Document,
    tail: Bytes,
    /// Bytes not handed out yet.
    left: u64,
    meter: Arc<Meter>,
}

/// What is known of a body while the transport has it.
///
/// How far it got decides about money: a request whose body was never touched did not reach the service.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    touched: AtomicBool,
    trouble: OnceLock<String>,
    ended: Notify,
}

#[derive(Debug)]
enum Document {
    Bytes(Bytes),
    File {
        file: File,
        path: PathBuf,
        left: u64,
    },
}

impl Default for Document {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Meter {
    /// Whether any of the body was handed to the transport.
    pub(crate) fn touched(&self) -> bool {
        self.touched.load(Ordering::Acquire)
    }

    /// Why the content could not be read to its end.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.get().map(String::as_str)
    }

    /// Waits until the whole body was handed to the transport.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Outgoing {
    /// Takes a body, and opens its file where it has one.
    pub(crate) async fn open(body: Body) -> Result<Self, Failure> {
        let (head, content, tail) = match body {
            Body::Empty => return Ok(Self::default()),
            Body::Bytes(bytes) => {
                return Ok(Self {
                    left: size(&bytes),
                    head: bytes,
                    ..Self::default()
                });
            }
            Body::Multipart(Multipart {
                head,
                content,
                tail,
                ..
            }) => (head, content, tail),
            _ => {
                return Err(Failure::refused("the driver is older than the body's kind"));
            }
        };
        let (document, middle) = match content {
            Content::Bytes(bytes) => {
                let length = size(&bytes);
                (Document::Bytes(bytes), length)
            }
            Content::Path(path) => open_file(path).await?,
            _ => return Err(Failure::content("the document's content is not at hand")),
        };
        Ok(Self {
            left: (size(&head) + size(&tail)).saturating_add(middle),
            head,
            document,
            tail,
            meter: Arc::default(),
        })
    }

    /// How many bytes will be sent.
    pub(crate) fn length(&self) -> u64 {
        self.left
    }

    /// What will be known of the body when the transport has it.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// The next piece, which is empty when there is no more.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, String>> {
        if !self.head.is_empty() {
            return Poll::Ready(Ok(std::mem::take(&mut self.head)));
        }
        let piece = ready!(poll_document(&mut self.document, cx))?;
        Poll::Ready(Ok(if piece.is_empty() {
            std::mem::take(&mut self.tail)
        } else {
            piece
        }))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        this.meter.touched.store(true, Ordering::Release);
        let piece = match ready!(this.poll_piece(cx)) {
            Ok(piece) => piece,
            Err(message) => {
                // Only the first trouble counts; nothing is read after it.
                let _ = this.meter.trouble.set(message.clone());
                return Poll::Ready(Some(Err(io::Error::other(message))));
            }
        };
        this.left = this.left.saturating_sub(size(&piece));
        if this.left == 0 {
            this.meter.ended.notify_one();
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn size(bytes: &Bytes) -> u64 {
    bytes.len() as u64
}

async fn open_file(path: PathBuf) -> Result<(Document, u64), Failure> {
    let failure = |error: &io::Error| Failure::content(describe(&path, &error.to_string()));
    // Asked before opening, because opening a pipe would wait for its other end.
    let found = fs::metadata(&path).await.map_err(|error| failure(&error))?;
    if !found.is_file() {
        return Err(Failure::content(describe(&path, "is not a regular file")));
    }
    let file = File::open(&path).await.map_err(|error| failure(&error))?;
    let found = file.metadata().await.map_err(|error| failure(&error))?;
    let left = found.len();
    Ok((Document::File { file, path, left }, left))
}

/// Reads what was announced and no more, however much the file has grown.
fn poll_document(document: &mut Document, cx: &mut Context<'_>) -> Poll<Result<Bytes, String>> {
    match document {
        Document::Bytes(bytes) => Poll::Ready(Ok(std::mem::take(bytes))),
        Document::File { left: 0, .. } => Poll::Ready(Ok(Bytes::new())),
        Document::File { file, path, left } => {
            let most = usize::try_from(*left).unwrap_or(usize::MAX).min(PIECE);
            let mut piece = vec![0; most];
            let mut buffer = ReadBuf::new(&mut piece);
            if let Err(error) = ready!(Pin::new(file).poll_read(cx, &mut buffer)) {
                return Poll::Ready(Err(describe(path, &error.to_string())));
            }
            let read = buffer.filled().len();
            if read == 0 {
                let what = format!("ended {left} bytes early; it shrank while it was sent");
                return Poll::Ready(Err(describe(path, &what)));
            }
            *left -= read as u64;
            piece.truncate(read);
            Poll::Ready(Ok(piece.into()))
        }
    }
}

fn describe(path: &Path, what: &str) -> String {
    format!("{}: {what}", path.display())
}
