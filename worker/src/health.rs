//! `/live` and `/ready`, on a port of their own: the port for the engine speaks HTTP/2 only.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers `/live` with 200, and `/ready` with 200 while `is_ready` is set and with 503 otherwise.
pub(crate) async fn serve(listener: TcpListener, is_ready: Arc<AtomicBool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let is_ready = Arc::clone(&is_ready);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = respond(request.uri().path(), is_ready.load(Ordering::Acquire));
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}

fn respond(path: &str, is_ready: bool) -> Response<Full<Bytes>> {
    let (status, text) = match (path, is_ready) {
        ("/live", _) => (StatusCode::OK, "live\n"),
        ("/ready", true) => (StatusCode::OK, "ready\n"),
        ("/ready", false) => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        _ => (StatusCode::NOT_FOUND, "there is only /live and /ready\n"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
