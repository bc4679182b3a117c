//! Metrics and traces for `OpenTelemetry`, on if one of its variables names an endpoint.
//!
//! They are sent by OTLP over HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` or
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`. No attribute contains a path, a text or the reason of a result.

use std::fmt;
use std::time::Duration;

use classify_proto::machine::{AttemptInfo, AttemptOutcome, WaitInfo};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::error::CliError;

/// The name of the instruments' scope, and of the service unless `OTEL_SERVICE_NAME` is set.
const NAME: &str = "classify-worker";
/// The time limit of an export.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The exporters of this process.
#[derive(Default)]
pub(crate) struct Telemetry {
    metrics: Option<SdkMeterProvider>,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Creates the exporters that the environment asks for.
    pub(crate) fn from_env() -> Result<Self, CliError> {
        let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let is_on = |kind: &str| {
            is_set("OTEL_EXPORTER_OTLP_ENDPOINT")
                || is_set(&format!("OTEL_EXPORTER_OTLP_{kind}_ENDPOINT"))
        };
        if std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Ok(Self::default());
        }
        let failed = |error: &dyn fmt::Display| CliError::usage(format!("OpenTelemetry: {error}"));
        let mut telemetry = Self::default();
        if is_on("METRICS") {
            let exporter = MetricExporter::builder()
                .with_http()
                .with_http_client(Exporting::new()?)
                .build()
                .map_err(|error| failed(&error))?;
            let provider = SdkMeterProvider::builder()
                .with_resource(resource())
                .with_periodic_exporter(exporter)
                .build();
            telemetry.metrics = Some(provider);
        }
        if is_on("TRACES") {
            let exporter = SpanExporter::builder()
                .with_http()
                .with_http_client(Exporting::new()?)
                .build()
                .map_err(|error| failed(&error))?;
            let provider = SdkTracerProvider::builder()
                .with_resource(resource())
                .with_batch_exporter(exporter)
                .build();
            telemetry.traces = Some(provider);
        }
        Ok(telemetry)
    }

    /// Returns the tracer; `None` if traces are off.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        Some(self.traces.as_ref()?.tracer(NAME))
    }

    /// Returns the instruments; `None` if metrics are off.
    pub(crate) fn instruments(&self) -> Option<Instruments> {
        let meter = self.metrics.as_ref()?.meter(NAME);
        Some(Instruments {
            documents: meter
                .u64_counter("classify.documents")
                .with_description("Documents by outcome")
                .build(),
            attempts: meter
                .f64_histogram("classify.attempts")
                .with_description("Requests to the service by operation and status")
                .with_unit("s")
                .build(),
            waits: meter
                .f64_histogram("classify.waits")
                .with_description("Waits of requests by reason")
                .with_unit("s")
                .build(),
            permits: meter
                .u64_counter("classify.permits")
                .with_description("Permits leased from the shared rate limit")
                .build(),
        })
    }

    /// Sends the remaining metrics and traces.
    pub(crate) async fn shutdown(self) {
        // It blocks, and the HTTP client needs this thread.
        let ended = tokio::task::spawn_blocking(move || {
            if let Some(metrics) = self.metrics {
                let _ = metrics.shutdown();
            }
            if let Some(traces) = self.traces {
                let _ = traces.shutdown();
            }
        });
        let _ = tokio::time::timeout(TIMEOUT, ended).await;
    }
}

fn resource() -> Resource {
    let builder = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        builder.build()
    } else {
        builder.with_service_name(NAME).build()
    }
}

/// The metrics of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Instruments {
    documents: Counter<u64>,
    attempts: Histogram<f64>,
    waits: Histogram<f64>,
    permits: Counter<u64>,
}

impl Instruments {
    /// Counts a document: `COMPLETED`, another final status, `failure`, or `later` if the engine hands it out again.
    pub(crate) fn document(&self, outcome: &str) {
        self.documents
            .add(1, &[KeyValue::new("outcome", outcome.to_owned())]);
    }

    pub(crate) fn permits(&self, count: u32, limit: &str) {
        self.permits
            .add(count.into(), &[KeyValue::new("limit", limit.to_owned())]);
    }

    pub(crate) fn attempt(&self, attempt: &AttemptInfo, outcome: &AttemptOutcome<'_>) {
        let status = match outcome.result {
            Ok(status) => status.as_u16().to_string(),
            Err(failure) => format!("{:?}", failure.kind()).to_lowercase(),
        };
        let labels = [
            KeyValue::new("operation", attempt.operation),
            KeyValue::new("status", status),
        ];
        self.attempts
            .record(outcome.duration.as_secs_f64(), &labels);
    }

    pub(crate) fn wait(&self, wait: &WaitInfo<'_>) {
        let labels = [
            KeyValue::new("operation", wait.operation),
            KeyValue::new("reason", wait.reason.label()),
        ];
        self.waits.record(wait.duration.as_secs_f64(), &labels);
    }
}

/// Sends exports on the runtime of the program, because they come from threads of their own.
#[derive(Debug)]
struct Exporting {
    http: reqwest::Client,
    runtime: Handle,
}

impl Exporting {
    fn new() -> Result<Self, CliError> {
        // A second call has no effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| CliError::unexpected(format!("the HTTP client: {error}")))?;
        Ok(Self {
            http,
            runtime: Handle::current(),
        })
    }
}

/// Written without the attribute of the trait: it is the same as an async function.
impl HttpClient for Exporting {
    fn send_bytes<'this, 'future>(
        &'this self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'future>>
    where
        'this: 'future,
        Self: 'future,
    {
        let http = self.http.clone();
        let sending = self.runtime.spawn(async move {
            let request = reqwest::Request::try_from(request)?;
            let mut response = http.execute(request).await?.error_for_status()?;
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            let mut whole = Response::new(response.bytes().await?);
            *whole.status_mut() = status;
            *whole.headers_mut() = headers;
            Ok::<_, reqwest::Error>(whole)
        });
        Box::pin(async move { Ok(sending.await??) })
    }
}
