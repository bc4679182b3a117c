//! hyper, through hyper-util's legacy client, in tokio. Supports plain http. For https, build the client with
//! the connector of hyper-rustls.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use classify_client::classify_proto::http::{self, Method, header::CONTENT_LENGTH};
use classify_client::classify_proto::{Failure, Reply};
use classify_client::{BlockingExecutor, Budget, RequestBody, TowerTransport, Transport};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::{Sleep, sleep};

/// hyper's client for the bodies of classify-client.
pub type HyperService = legacy::Client<HttpConnector, RequestBody>;

/// Sends requests through hyper, in a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Hyper(HyperService);

impl Hyper {
    /// Returns a transport with its own connection pool.
    #[must_use]
    pub fn new() -> Self {
        Self(service())
    }
}

impl Default for Hyper {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Hyper {
    type Exchange = Pin<Box<dyn Future<Output = Reply> + Send>>;
    type Sleep = Sleep;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Self::Exchange {
        Box::pin(exchange(self.0.clone(), request, budget))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        sleep(duration)
    }

    fn background(&self, exchange: Self::Exchange) -> Self::Exchange {
        // A `JoinSet` aborts its task when it is dropped.
        let mut task = tokio::task::JoinSet::new();
        task.spawn(exchange);
        Box::pin(async move {
            match task.join_next().await {
                Some(Ok(reply)) => reply,
                _ => Err(Failure::refused("the task of the request panicked").after_sending()),
            }
        })
    }

    fn blocking_executor(&self) -> BlockingExecutor {
        BlockingExecutor::new(|work| drop(tokio::task::spawn_blocking(work)))
    }
}

async fn exchange(
    client: HyperService,
    mut request: http::Request<RequestBody>,
    budget: Budget,
) -> Reply {
    if request.method() == Method::POST {
        // hyper announces the length of every body except an empty one.
        let length = request.body().length();
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    let body = request.body().state();
    // The end of a request without a body is unknown, so the limit includes the time to connect.
    let limit = if request.body().is_empty() {
        budget.response.saturating_add(budget.connect)
    } else {
        budget.response
    };
    let response = tokio::select! {
        response = client.request(request) => response.map_err(failure)?,
        () = async { body.ended().await; sleep(limit).await } => {
            return Err(Failure::timeout("no response in time"));
        }
    };
    let (parts, body) = response.into_parts();
    let limit = usize::try_from(budget.response_bytes).unwrap_or(usize::MAX);
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(http::Response::from_parts(parts, body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Failure::too_large(budget.response_bytes))
        }
        Err(error) => Err(Failure::broken(error.to_string())),
    }
}

/// Returns hyper's client as a service, for tower layers.
#[must_use]
pub fn service() -> HyperService {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

/// Uses a service around [`service`] as the transport.
#[must_use]
pub fn tower<S>(service: S) -> TowerTransport<S, legacy::Error> {
    TowerTransport::new(service).failure(failure)
}

/// Returns the failure of a hyper error. An error of connecting proves that the request was not sent.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`TowerTransport` passes errors by value"
)]
fn failure(error: legacy::Error) -> Failure {
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    let message = format!("{error}{cause}");
    let failure = if error.is_connect() {
        Failure::connect(message)
    } else {
        Failure::broken(message)
    };
    match io_kind(&error) {
        Some(kind) => failure.with_io_kind(kind),
        None => failure,
    }
}

/// Returns the kind of the IO error among the causes.
fn io_kind(error: &legacy::Error) -> Option<std::io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
