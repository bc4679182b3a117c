//! The HTTP interface of the engine: its ingress and its admin port.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::EngineArgs;
use crate::document::{self, Submission};
use crate::error::CliError;
use crate::rate_limit::object;
use crate::rate_limit::window::{LeaseGrant, LeaseRequest};
use crate::row::Row;
use crate::settings::{self, WorkerSettings};

/// The time limit of a request that the engine answers at once.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit of a lease: its permits are no longer useful then.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the engine. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Engine {
    http: reqwest::Client,
    ingress: Arc<str>,
    admin: Arc<str>,
}

/// An error of a request to the engine.
#[derive(Debug)]
pub(crate) struct EngineError {
    message: String,
    /// Whether the same request may succeed later: the engine is away, or is full.
    pub(crate) is_transient: bool,
    is_timeout: bool,
    pub(crate) status: Option<StatusCode>,
}

/// The answer to a submission.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Submitted {
    pub(crate) invocation_id: String,
    status: String,
}

impl Submitted {
    /// Whether the document was submitted before.
    pub(crate) fn is_known(&self) -> bool {
        self.status == "PreviouslyAccepted"
    }
}

/// The state of a submitted document.
#[derive(Debug)]
pub(crate) enum Output {
    /// It has not finished.
    Pending,
    /// It was not submitted, or the retention has passed.
    Unknown,
    Answer(Box<Row>),
    /// It was not classified, for this reason.
    Failure(String),
}

impl Engine {
    pub(crate) fn new(args: &EngineArgs) -> Result<Self, CliError> {
        // The HTTP client needs a provider for engines behind TLS. A second call has no effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| CliError::unexpected(format!("the HTTP client: {error}")))?;
        let base = |name: &str, url: &str| {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            is_http
                .then(|| Arc::from(url.trim_end_matches('/')))
                .ok_or_else(|| {
                    CliError::usage(format!(
                        "--{name} {url}: must begin with http:// or https://"
                    ))
                })
        };
        Ok(Self {
            http,
            ingress: base("ingress", &args.ingress)?,
            admin: base("admin", &args.admin)?,
        })
    }

    /// Submits a document, unless it was submitted before.
    pub(crate) async fn submit(&self, submission: &Submission) -> Result<Submitted, EngineError> {
        let lane = document::lane(&submission.key);
        let url = format!(
            "{}/{}/{lane}/classify/send",
            self.ingress,
            document::SERVICE
        );
        let request = self
            .http
            .post(url)
            .header("idempotency-key", &submission.key)
            .json(submission);
        let (status, body) = execute(request, TIMEOUT).await?;
        if status == StatusCode::NOT_FOUND {
            return Err(EngineError::new(format!(
                "{}; register the workers with the engine first",
                message(&body)
            )));
        }
        parse("a submission", status, &body)
    }

    /// Returns the result of a document.
    pub(crate) async fn output(&self, invocation_id: &str) -> Result<Output, EngineError> {
        let url = format!("{}/restate/invocation/{invocation_id}/output", self.ingress);
        self.read_output(&url, TIMEOUT).await
    }

    /// Waits for the result of a document, at most for `timeout`.
    pub(crate) async fn wait(
        &self,
        invocation_id: &str,
        timeout: Duration,
    ) -> Result<Output, EngineError> {
        let url = format!("{}/restate/invocation/{invocation_id}/attach", self.ingress);
        match self.read_output(&url, timeout).await {
            Err(error) if error.is_timeout => Ok(Output::Pending),
            output => output,
        }
    }

    async fn read_output(&self, url: &str, timeout: Duration) -> Result<Output, EngineError> {
        let (status, body) = self.send::<()>(Method::GET, url, None, timeout).await?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map(|row| Output::Answer(Box::new(row)))
                .map_err(|error| {
                    EngineError::new(format!("a result that cannot be read: {error}"))
                });
        }
        match status.as_u16() {
            // The engine's own status for a result that is not there yet.
            470 => return Ok(Output::Pending),
            404 => return Ok(Output::Unknown),
            _ => {}
        }
        let message = message(&body);
        if status.as_u16() == document::FAILURE_CODE || status == StatusCode::CONFLICT {
            return Ok(Output::Failure(message));
        }
        Err(EngineError::of_status(status, &message))
    }

    /// Asks for permits of a shared rate limit.
    pub(crate) async fn lease(
        &self,
        key: &str,
        request: &LeaseRequest,
    ) -> Result<LeaseGrant, EngineError> {
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let url = format!("{}/{}/{key}/lease", self.ingress, object::SERVICE);
        self.json(Method::POST, &url, Some(request), LEASE_TIMEOUT)
            .await
    }

    /// Returns the project and rules of the workers.
    pub(crate) async fn worker_settings(&self) -> Result<WorkerSettings, EngineError> {
        let url = format!("{}/{}/get", self.ingress, settings::SERVICE);
        self.json::<(), _>(Method::POST, &url, None, Duration::from_secs(10))
            .await
    }

    /// Runs a query of the admin port and returns its rows.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        sql: &str,
    ) -> Result<Vec<T>, EngineError> {
        #[derive(Deserialize)]
        struct Rows<T> {
            rows: Vec<T>,
        }
        let url = format!("{}/query", self.admin);
        let body = json!({ "query": sql });
        let rows: Rows<T> = self.json(Method::POST, &url, Some(&body), TIMEOUT).await?;
        Ok(rows.rows)
    }

    /// Removes a finished document, so that it can be submitted again.
    pub(crate) async fn purge(&self, invocation_id: &str) -> Result<(), EngineError> {
        self.change(invocation_id, "purge").await
    }

    /// Ends a document that has not finished. The engine's own cancellation waits until the worker has an answer.
    pub(crate) async fn kill(&self, invocation_id: &str) -> Result<(), EngineError> {
        self.change(invocation_id, "kill").await
    }

    async fn change(&self, invocation_id: &str, what: &str) -> Result<(), EngineError> {
        let url = format!("{}/invocations/{invocation_id}/{what}", self.admin);
        let (status, body) = self.send::<()>(Method::PATCH, &url, None, TIMEOUT).await?;
        // Another process may have done it before.
        if status.is_success() || status == StatusCode::NOT_FOUND || status == StatusCode::CONFLICT
        {
            return Ok(());
        }
        Err(EngineError::of_status(status, &message(&body)))
    }

    async fn json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        body: Option<&B>,
        timeout: Duration,
    ) -> Result<T, EngineError> {
        let (status, body) = self.send(method, url, body, timeout).await?;
        parse(url, status, &body)
    }

    async fn send<B: Serialize + ?Sized>(
        &self,
        method: Method,
        url: &str,
        body: Option<&B>,
        timeout: Duration,
    ) -> Result<(StatusCode, Vec<u8>), EngineError> {
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        execute(request, timeout).await
    }
}

async fn execute(
    request: reqwest::RequestBuilder,
    timeout: Duration,
) -> Result<(StatusCode, Vec<u8>), EngineError> {
    let failed = |error: reqwest::Error| EngineError {
        is_transient: true,
        is_timeout: error.is_timeout(),
        status: None,
        message: with_sources(&error),
    };
    let request = request
        .timeout(timeout)
        .header("accept", "application/json");
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    Ok((status, body.to_vec()))
}

fn parse<T: DeserializeOwned>(
    what: &str,
    status: StatusCode,
    body: &[u8],
) -> Result<T, EngineError> {
    if !status.is_success() {
        return Err(EngineError::of_status(status, &message(body)));
    }
    serde_json::from_slice(body)
        .map_err(|error| EngineError::new(format!("{what}: the answer cannot be read: {error}")))
}

impl EngineError {
    fn new(message: String) -> Self {
        Self {
            message,
            is_transient: false,
            is_timeout: false,
            status: None,
        }
    }

    fn of_status(status: StatusCode, message: &str) -> Self {
        let is_transient = status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            );
        Self {
            message: format!("{status}: {message}"),
            is_transient,
            is_timeout: false,
            status: Some(status),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the engine: {}", self.message)
    }
}

impl std::error::Error for EngineError {}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        let is_away = error.is_transient && error.status.is_none();
        let error = CliError::unexpected(error.to_string());
        if is_away {
            error.hint("--ingress and --admin are the URLs of a running restate-server")
        } else {
            error
        }
    }
}

/// The message of an error response.
fn message(body: &[u8]) -> String {
    let text = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
    text.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(300).collect())
}

fn with_sources(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
