//! `fetch` as a transport, and a bulk run over it. `tests/fetch.rs` of the other transports runs it under Node.
//!
//! `fetch` reports neither when a connection is made nor when the body is sent. `Budget::total`, which the client
//! enforces, is therefore the only time limit, and every failed request counts as sent.

use std::future::Future;
use std::io::Read as _;
use std::pin::Pin;
use std::time::Duration;

use classify_client::classify_proto::http::{self, HeaderName, HeaderValue, StatusCode};
use classify_client::classify_proto::machine::{BulkOptions, Limiter, PollInterval};
use classify_client::classify_proto::v2::{Configuration, Rule};
use classify_client::classify_proto::{Api, Bytes, Error, Failure, Reply, Seed, Time};
use classify_client::{Budget, Client, Document, RequestBody, Transport};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, Request, RequestInit, RequestRedirect,
    Response,
};

#[wasm_bindgen]
extern "C" {
    fn fetch(request: &Request) -> Promise;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn random_values(array: &Uint8Array) -> Result<JsValue, JsValue>;
}

/// Sends requests through the host's `fetch`. Dropping an exchange aborts its request.
struct Fetch;

impl Transport for Fetch {
    type Exchange = Pin<Box<dyn Future<Output = Reply>>>;
    type Sleep = Pin<Box<dyn Future<Output = ()>>>;

    fn send(&self, request: http::Request<RequestBody>, budget: Budget) -> Self::Exchange {
        Box::pin(exchange(request, budget))
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        // Timers of the host count milliseconds in 32 bits.
        let milliseconds = (duration.as_secs_f64() * 1000.0).min(f64::from(i32::MAX));
        let mut timer = Timer(JsValue::UNDEFINED);
        let fired = Promise::new(&mut |resolve, _| timer.0 = set_timeout(&resolve, milliseconds));
        Box::pin(async move {
            let _timer = timer;
            drop(JsFuture::from(fired).await);
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds since 1970 are positive and fit"
    )]
    fn now(&self) -> Time {
        Time::from_millis(date_now() as u64)
    }

    fn seed(&self) -> Result<Seed, Error> {
        let array = Uint8Array::new_with_length(16);
        random_values(&array).map_err(|_| Failure::refused("the host provides no random bytes"))?;
        let mut bytes = [0; 16];
        array.copy_to(&mut bytes);
        Ok(Seed::new(bytes))
    }
}

/// Clears a timer when it is dropped, since Node does not exit while one is set.
struct Timer(JsValue);

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.0);
    }
}

/// Aborts a request when it is dropped.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exchange(request: http::Request<RequestBody>, budget: Budget) -> Reply {
    let abort = Abort(AbortController::new().map_err(refused)?);
    let request = to_js(request, &abort)?;
    let response: Response = JsFuture::from(fetch(&request))
        .await
        .map_err(broken)?
        .unchecked_into();
    let mut reply = http::Response::new(read(&response, budget).await?);
    // A browser hides a redirect behind the status 0.
    *reply.status_mut() = StatusCode::from_u16(response.status())
        .map_err(|_| Failure::refused("a redirect was not followed").after_sending())?;
    for entry in Object::entries(&Object::from_entries(&response.headers()).map_err(broken)?) {
        let entry = Array::from(&entry);
        let (name, value) = (entry.get(0).as_string(), entry.get(1).as_string());
        let name = name.and_then(|name| name.parse::<HeaderName>().ok());
        let value = value.and_then(|value| value.parse::<HeaderValue>().ok());
        if let (Some(name), Some(value)) = (name, value) {
            reply.headers_mut().append(name, value);
        }
    }
    Ok(reply)
}

fn to_js(request: http::Request<RequestBody>, abort: &Abort) -> Result<Request, Failure> {
    let (parts, mut body) = request.into_parts();
    let init = RequestInit::new();
    init.set_method(parts.method.as_str());
    // The key must not be sent to another server.
    init.set_redirect(RequestRedirect::Manual);
    init.set_signal(Some(&abort.0.signal()));
    if !body.is_empty() {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)
            .map_err(|error| Failure::content(error.to_string()))?;
        init.set_body(&Uint8Array::from(&bytes[..]));
    }
    let headers = Headers::new().map_err(refused)?;
    for (name, value) in &parts.headers {
        let value = value
            .to_str()
            .map_err(|_| Failure::refused(format!("header {name} is not ASCII text")))?;
        headers.append(name.as_str(), value).map_err(refused)?;
    }
    init.set_headers(&headers);
    Request::new_with_str_and_init(&parts.uri.to_string(), &init).map_err(refused)
}

/// Reads a response body within its limit. The host has decompressed it.
async fn read(response: &Response, budget: Budget) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let Some(stream) = response.body() else {
        return Ok(Bytes::new());
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let part = JsFuture::from(reader.read()).await.map_err(broken)?;
        let value = Reflect::get(&part, &"value".into()).map_err(broken)?;
        if value.is_undefined() {
            return Ok(bytes.into());
        }
        let part: Uint8Array = value.unchecked_into();
        budget.buffer_capacity(Some(bytes.len() as u64 + u64::from(part.length())))?;
        bytes.extend(part.to_vec());
    }
}

/// Returns the failure of a request that the host rejects: nothing was sent, and a retry would fail too.
#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` passes errors by value"
)]
fn refused(error: JsValue) -> Failure {
    Failure::refused(format!("{error:?}"))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`map_err` passes errors by value"
)]
fn broken(error: JsValue) -> Failure {
    Failure::broken(format!("{error:?}"))
}

/// Classifies `documents` documents in one bulk run, and returns how many have completed.
///
/// # Errors
///
/// The text of the client's error if the run cannot be started.
#[wasm_bindgen]
pub async fn run(base_url: String, key: String, documents: usize) -> Result<usize, String> {
    classify(&base_url, &key, documents)
        .await
        .map_err(|error| error.to_string())
}

async fn classify(base_url: &str, key: &str, documents: usize) -> Result<usize, Error> {
    let api = Api::builder(key).base_url(base_url).build()?;
    let client = Client::with_transport(Fetch, api.clone()).limiter(Limiter::unlimited());
    let rules = Configuration::new([
        Rule::new("invoice", "has an invoice number and a total amount due"),
        Rule::new("contract", "an agreement that two parties sign"),
    ]);
    let short = Duration::from_millis(50);
    let options = BulkOptions::default().poll_interval(PollInterval::new(short, short * 10));
    let documents = (0..documents).map(|n| {
        Document::bytes(
            format!("{n}.txt"),
            format!("Invoice {n}, total amount {n}.00"),
        )
    });
    let mut run = client.bulk(rules).limits(options).run(documents).await?;
    let mut completed = 0;
    while let Some(finished) = run.next().await {
        completed += usize::from(finished.outcome().is_ok());
    }
    Ok(completed)
}
