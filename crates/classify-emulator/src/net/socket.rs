//! A client's socket, with the few liberties that faults need below HTTP.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The state that a connection's service shares with its socket.
#[derive(Debug, Default)]
struct SocketState {
    /// Close with RST and not with FIN.
    reset: bool,
    /// Bytes to send behind the reply, before the connection is closed.
    tail: Bytes,
    /// Whether a request has been answered. Without one, bytes that were given up were no request.
    has_served: bool,
}

/// The service's handle to the state.
#[derive(Debug, Clone, Default)]
pub(super) struct SocketControl {
    state: Arc<Mutex<SocketState>>,
}

impl SocketControl {
    fn state(&self) -> MutexGuard<'_, SocketState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reset(&self) {
        self.state().reset = true;
    }

    pub(super) fn send_after_reply(&self, tail: Bytes) {
        self.state().tail = tail;
    }

    /// Marks that a request is being answered from here on.
    pub(super) fn mark_served(&self) {
        self.state().has_served = true;
    }
}

pub(super) struct Socket {
    stream: TcpStream,
    control: SocketControl,
    /// The bytes of the emulator's own error response that are still to be written.
    pending: Bytes,
    has_read: bool,
    has_written: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, control: SocketControl) -> Self {
        Self {
            stream,
            control,
            pending: Bytes::new(),
            has_read: false,
            has_written: false,
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let (reset, has_served) = {
            let state = self.control.state();
            (state.reset, state.has_served)
        };
        // The HTTP library gives up some beginnings (another version's preface, half a request) without a word.
        if self.has_read && !self.has_written && !has_served {
            // There is room in the buffer of a socket that nothing was written to.
            let _ = self
                .stream
                .try_write(&error_response(b"HTTP/1.1 400 Bad Request\r\n").unwrap_or_default());
        }
        if reset {
            // Linger of zero: the kernel sends RST and forgets what was not sent. If it cannot be set, the
            // connection is closed all the same.
            let _ =
                socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.has_read |= buf.filled().len() > filled_before;
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.has_written = true;
        std::task::ready!(this.poll_pending(cx))?;
        // The HTTP library refuses what is no request with a bare status line; clients of this API get a detail.
        if is_bodiless(buf)
            && let Some(error_response) = error_response(buf)
        {
            this.pending = error_response;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.pending.is_empty() {
            this.pending = std::mem::take(&mut this.control.state().tail);
        }
        std::task::ready!(this.poll_pending(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl Socket {
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written =
                std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether this is a head and nothing else, of a reply without a content: the emulator's own refusals have one.
fn is_bodiless(buf: &[u8]) -> bool {
    let is_content_type = |line: &[u8]| {
        line.get(..13)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"content-type:"))
    };
    buf.ends_with(b"\r\n\r\n") && !buf.split(|byte| *byte == b'\n').any(is_content_type)
}

/// The library's bare refusal with a body in the service's shape.
fn error_response(buf: &[u8]) -> Option<Bytes> {
    let status = buf
        .strip_prefix(b"HTTP/1.1 4")
        .or_else(|| buf.strip_prefix(b"HTTP/1.0 4"))?
        .get(..2)?;
    let text = match status {
        b"31" => "The request's headers are too large",
        b"14" => "The request's URL is too long",
        b"08" => "The request did not come in time",
        _ => "The request is not HTTP/1.1",
    };
    let line_end = buf.iter().position(|byte| *byte == b'\r')?;
    let line = std::str::from_utf8(buf.get(..line_end)?).ok()?;
    let body = serde_json::json!({ "detail": text }).to_string();
    let head = "content-type: application/json\r\nconnection: close";
    Some(Bytes::from(format!(
        "{line}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )))
}
