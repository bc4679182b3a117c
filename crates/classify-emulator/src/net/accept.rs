//! The accept loop, with one task per connection.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::handle::handle_request;
use super::socket::{Socket, SocketControl};
use crate::shared_state::SharedState;

/// Accepts connections for ever.
pub(crate) async fn accept(shared: Arc<SharedState>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(Arc::clone(&shared), stream));
            }
            // Too many open files, or a client that has disconnected: neither stops the server.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn connection(shared: Arc<SharedState>, stream: TcpStream) {
    // Replies are small and complete; Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let control = SocketControl::default();
    let socket = Socket::new(stream, control.clone());
    let read_timeout = shared.config.read_timeout;
    let service =
        service_fn(move |request| handle_request(Arc::clone(&shared), control.clone(), request));
    // An error is a client that disconnected, invalid HTTP, or a fault.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}
