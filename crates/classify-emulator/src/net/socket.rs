//! A client's socket, with the operations below HTTP that faults need.

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
    /// Bytes to send after the reply, before the connection is closed.
    tail: Bytes,
    /// Whether a request has been answered. If not, the bytes that were discarded were not a request.
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

    /// Notes that a request is being answered.
    pub(super) fn mark_served(&self) {
        self.state().has_served = true;
    }
}

pub(super) struct Socket {
    stream: TcpStream,
    control: SocketControl,
    /// The remaining bytes of the emulator's own error response.
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
        // hyper closes some connections silently (another version's preface, half a request).
        if self.has_read && !self.has_written && !has_served {
            // The buffer of a socket that nothing was written to has space.
            let _ = self
                .stream
                .try_write(&error_response(b"HTTP/1.1 400 Bad Request\r\n").unwrap_or_default());
        }
        if reset {
            // With a linger of zero the kernel sends RST and discards unsent data. If it cannot be set, the connection
            // is closed all the same.
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
        // hyper answers an invalid request with a status line only; clients of this API expect a detail.
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

/// Whether this is a complete head of a reply without a body: hyper's own error responses have this form.
fn is_bodiless(buf: &[u8]) -> bool {
    let is_content_type = |line: &[u8]| {
        line.get(..13)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"content-type:"))
    };
    buf.ends_with(b"\r\n\r\n") && !buf.split(|byte| *byte == b'\n').any(is_content_type)
}

/// hyper's error response, with a body in the service's shape.
fn error_response(buf: &[u8]) -> Option<Bytes> {
    let status = buf
        .strip_prefix(b"HTTP/1.1 4")
        .or_else(|| buf.strip_prefix(b"HTTP/1.0 4"))?
        .get(..2)?;
    let text = match status {
        b"31" => "The request's headers are too large",
        b"14" => "The request's URL is too long",
        b"08" => "The request did not arrive in time",
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
