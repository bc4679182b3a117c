//! Headers, query parameters and body fields that a caller adds to one call.

use std::fmt;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::header;
use crate::body::Body;
use crate::error::Error;
use crate::secret::Secret;
use crate::semantics::ReservedField;
use crate::text::url::push_pair;
use crate::text::{quoted, redact};
use crate::webhooks::validate::missing_secret;

/// Headers, query parameters and body fields of one call: for parts of the API that this crate does not know yet.
///
/// A value given here replaces the operation's own value of the same name. [`Call`](crate::machine::Call),
/// [`Pager`](crate::machine::Pager) and [`Waiter`](crate::machine::Waiter) take options, and apply them to every request
/// of the operation.
///
/// ```
/// use classify_proto::machine::{Call, Context, Machine, Step};
/// use classify_proto::{Api, CallOptions, Seed, Time, v2};
///
/// let api = Api::builder("llx-key").build()?;
/// let options = CallOptions::new().header("x-trace", "abc").query("expand", "everything");
/// let mut call = Call::new(v2::GetJob::new("clj-1"), Seed::new([0; 16])).options(options);
/// let Step::Send(_, request) = call.poll(Context::new(&api, Time::from_millis(0))) else { panic!() };
/// assert_eq!(request.uri().query(), Some("expand=everything"));
/// assert_eq!(request.headers()["x-trace"], "abc");
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CallOptions {
    /// A header may hold a secret, so values are not part of a saved state.
    headers: Vec<(String, Secret)>,
    query: Vec<(String, Option<String>)>,
    body: Map<String, Value>,
}

impl CallOptions {
    /// Creates options that change nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header, in place of headers with the same name. A header added twice is sent with both values.
    ///
    /// The value is redacted in `Debug` and errors, and omitted from saved states.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter, in place of parameters with the same name. A parameter added twice is sent with both
    /// values.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Some(value.into())));
        self
    }

    /// Removes all query parameters with this name.
    #[must_use]
    pub fn without_query(mut self, name: impl Into<String>) -> Self {
        self.query.push((name.into(), None));
        self
    }

    /// Sets a field of the JSON body, in place of the field with the same name. The value is part of a saved state, so
    /// it should not be a secret.
    ///
    /// A [reserved field](crate::Semantics::reserved_fields) is an error when the request is built, even if validation
    /// is off: idempotency and the comparison of the response depend on it. Use the operation's own setter.
    #[must_use]
    pub fn body_field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }

    /// Returns `true` if the options change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_empty() && self.body.is_empty()
    }

    /// Applies the options to a request of an operation with these reserved fields.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if a header or parameter cannot be sent, a header's value is missing because
    /// the options come from a saved state, a body field is reserved, or the request has no JSON object as its body.
    pub fn apply(
        &self,
        request: Request<Body>,
        reserved_fields: &[ReservedField],
    ) -> Result<Request<Body>, Error> {
        let mut request = self.apply_headers(request)?;
        if !self.query.is_empty() {
            *request.uri_mut() = self.apply_query(request.uri())?;
        }
        if self.body.is_empty() {
            return Ok(request);
        }
        self.apply_body(request, reserved_fields)
    }

    /// Redacts header values and secret body fields in an error response that repeats them.
    pub(crate) fn redact(&self, response: &mut Response<Bytes>) {
        redact::redact_response(response, self.secrets().collect::<Vec<_>>());
    }

    /// The values of the headers, and of secret body fields.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        let headers = self
            .headers
            .iter()
            .filter_map(|(_, value)| value.expose_secret().map(str::to_owned));
        headers.chain(redact::secrets_in(self.body.iter()))
    }

    pub(crate) fn apply_headers(&self, mut request: Request<Body>) -> Result<Request<Body>, Error> {
        for (name, value) in &self.headers {
            let value = value
                .expose_secret()
                .ok_or_else(|| missing_secret(format!("headers[{}]", quoted(name))))?;
            let (name, _) = header(name, value)?;
            request.headers_mut().remove(name);
        }
        for (name, value) in &self.headers {
            let (name, value) = header(name, value.expose_secret().unwrap_or_default())?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }

    fn apply_query(&self, uri: &Uri) -> Result<Uri, Error> {
        let ours = uri.query().unwrap_or_default().split('&').filter(|pair| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            let is_replaced = |(extra, _): &(String, _)| encoded_name(extra) == name;
            !pair.is_empty() && !self.query.iter().any(is_replaced)
        });
        let extras = self.query.iter().filter_map(|(name, value)| {
            let mut pair = String::new();
            push_pair(&mut pair, name, value.as_deref()?);
            Some(pair)
        });
        let pairs: Vec<_> = ours.map(str::to_owned).chain(extras).collect();
        let mut parts = uri.clone().into_parts();
        let mut target = uri.path().to_owned();
        if !pairs.is_empty() {
            target.push('?');
            target.push_str(&pairs.join("&"));
        }
        let refuse = |error: &dyn fmt::Display| {
            Error::invalid("query", format!("cannot be part of a URL: {error}"))
        };
        parts.path_and_query = Some(target.parse().map_err(|error| refuse(&error))?);
        Uri::from_parts(parts).map_err(|error| refuse(&error))
    }

    fn apply_body(
        &self,
        request: Request<Body>,
        reserved_fields: &[ReservedField],
    ) -> Result<Request<Body>, Error> {
        let refuse = || {
            Error::invalid(
                "body_field",
                "cannot be added: the request has no JSON object as its body",
            )
        };
        let mut fields = match request.body() {
            Body::Empty if request.method() == Method::POST || request.method() == Method::PUT => {
                Map::new()
            }
            Body::Bytes(bytes) => match serde_json::from_slice(bytes) {
                Ok(Value::Object(fields)) => fields,
                _ => return Err(refuse()),
            },
            _ => return Err(refuse()),
        };
        for ReservedField { name, setter } in reserved_fields {
            if self.body.contains_key(*name) {
                return Err(Error::invalid(
                    format!("body_field[{}]", quoted(name)),
                    format!("is reserved by the operation; set it with {setter}"),
                ));
            }
        }
        fields.extend(self.body.clone());
        let bytes = serde_json::to_vec(&fields).map_err(|_| refuse())?;
        let (mut parts, _) = request.into_parts();
        parts.headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        Ok(Request::from_parts(parts, Body::Bytes(bytes.into())))
    }
}

/// A name in its query encoding.
fn encoded_name(name: &str) -> String {
    let mut pair = String::new();
    push_pair(&mut pair, name, "");
    pair.pop(); // the `=`
    pair
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only names: values may be secret.
        let names = |names: Vec<&String>| format!("{names:?}");
        f.debug_struct("CallOptions")
            .field(
                "headers",
                &names(self.headers.iter().map(|(name, _)| name).collect()),
            )
            .field(
                "query",
                &names(self.query.iter().map(|(name, _)| name).collect()),
            )
            .field("body", &names(self.body.keys().collect()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Call, Context, Machine as _, Pager, Step};
    use crate::operation::Operation;
    use crate::page::Page;
    use crate::v2::{self, Configuration, Rule, examples::api};
    use crate::{Api, Seed, Time, files, v1};
    use serde_json::json;

    const NOW: Time = Time::from_millis(0);

    fn create() -> v2::CreateJob {
        let rules = Configuration::new([Rule::new("invoice", "contains an invoice number")]);
        let options = v2::JobOptions::from(rules).project("p");
        v2::CreateJob::new("dfl-1", options).transaction_id("t-1")
    }

    fn call<O: Operation>(operation: O, options: CallOptions) -> Call<O> {
        Call::new(operation, Seed::new([0; 16])).options(options)
    }

    /// The first request of a call with these options.
    fn sent<O: Operation>(
        operation: O,
        options: CallOptions,
        api: &Api,
    ) -> Result<Request<Body>, Error> {
        match call(operation, options).poll(Context::new(api, NOW)) {
            Step::Send(_, request) => Ok(request),
            Step::Done(result) => Err(result.err().unwrap()),
            _ => panic!("a call begins with a request"),
        }
    }

    fn body(request: &Request<Body>) -> Value {
        serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap()
    }

    #[test]
    fn call_options_override_operation_header_query_and_body() {
        let options = CallOptions::new()
            .header("Authorization", "Custom canary")
            .header("x-a", "1")
            .header("x-a", "2")
            .query("project_id", "other")
            .query("tag", "a b")
            .query("tag", "c")
            .body_field("webhook_configuration_ids", vec!["whc-2"])
            .body_field("priority", 7);
        let call = call(create(), options.clone());
        assert!(!format!("{call:?}").contains("canary"));
        let request = sent(create(), options, &api()).unwrap();
        assert_eq!(
            request.uri().query(),
            Some("project_id=other&tag=a%20b&tag=c")
        );
        assert_eq!(request.headers()["authorization"], "Custom canary");
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
        let body = body(&request);
        assert_eq!(body["webhook_configuration_ids"], json!(["whc-2"]));
        assert_eq!(body["priority"], 7);
        assert!(body["configuration"]["rules"].is_array());
    }

    #[test]
    fn call_options_reserved_fields_cannot_be_replaced() {
        let off = Api::builder("k").validate(false).build().unwrap();
        let rejected = |request: Result<Request<Body>, Error>, field: &ReservedField| {
            let error = request.unwrap_err();
            assert!(error.is_invalid(), "{error}");
            let name = format!("{:?}", field.name);
            assert!(error.to_string().contains(&name), "{error}");
            assert!(error.to_string().contains(field.setter), "{error}");
        };
        let reserved = create().semantics().reserved_fields;
        for field in reserved {
            for value in [Value::Null, json!("x")] {
                let options = CallOptions::new().body_field(field.name, value);
                rejected(sent(create(), options.clone(), &off), field);
                rejected(sent(create(), options, &api()), field);
            }
        }
        // A create without rules may get rules in an unknown form; the idempotency key and the input stay reserved.
        let bare = |name: &str, value: Value| {
            let options = CallOptions::new().body_field(name, value);
            sent(
                v2::CreateJob::new("dfl-1", v2::JobOptions::default()),
                options,
                &off,
            )
        };
        assert!(bare("configuration", json!({ "rules": "all of them" })).is_ok());
        for field in ["file_input", "transaction_id"] {
            assert!(bare(field, json!("x")).is_err());
        }
        let old = || v1::CreateJob::new(["1"], [Rule::new("invoice", "has an invoice number")]);
        for field in old().semantics().reserved_fields {
            let options = CallOptions::new().body_field(field.name, 1);
            rejected(sent(old(), options, &off), field);
        }
        let names: Vec<_> = reserved.iter().map(|field| field.name).collect();
        for needed in [
            "file_input",
            "configuration",
            "configuration_id",
            "transaction_id",
        ] {
            assert!(names.contains(&needed), "{needed}");
        }
    }

    #[test]
    fn redact_header_repeated_in_error_response() {
        let options = || {
            CallOptions::new()
                .header("Authorization", "Basic canary-1")
                .header("x-token", "canary-2")
        };
        let reply = || {
            Response::builder()
                .status(403)
                .body(Bytes::from(r#"{"detail":"no: canary-1, canary-2"}"#))
                .unwrap()
        };
        let api = api();
        let cx = Context::new(&api, NOW);
        let mut plain = call(v2::GetJob::new("clj-1"), options());
        let Step::Send(ticket, _) = plain.poll(cx) else {
            panic!()
        };
        plain.handle(cx, ticket, Ok(reply()));
        let Step::Done(Err(from_plain)) = plain.poll(cx) else {
            panic!()
        };
        let mut raw = call(v2::GetJob::new("clj-1"), options()).with_raw_response();
        let Step::Send(ticket, _) = raw.poll(cx) else {
            panic!()
        };
        raw.handle(cx, ticket, Ok(reply()));
        let Step::Done(Err(from_raw)) = raw.poll(cx) else {
            panic!()
        };
        for error in [from_plain, from_raw] {
            assert_eq!(error.message(), "no: [redacted], [redacted]");
            assert_eq!(error.job_id(), Some("clj-1"));
            assert!(!format!("{:?}", error.raw_body()).contains("canary"));
        }
    }

    #[test]
    fn call_options_empty_leave_request_unchanged() {
        let plain = create().build_request(&api()).unwrap();
        let with = sent(create(), CallOptions::new(), &api()).unwrap();
        assert_eq!(with.uri(), plain.uri());
        assert_eq!(with.headers(), plain.headers());
        assert_eq!(with.body().in_memory(), plain.body().in_memory());
        let options = CallOptions::new().without_query("project_id");
        let less = sent(create(), options, &api()).unwrap();
        assert_eq!(less.uri().query(), None);
    }

    #[test]
    fn call_options_body_field_allowed_on_cancel_but_not_get_or_upload() {
        let reason = CallOptions::new().body_field("reason", "late");
        let request = sent(v2::CancelJob::new("clj-1"), reason, &api()).unwrap();
        assert_eq!(body(&request), json!({"reason": "late"}));
        assert_eq!(request.headers()["content-type"], "application/json");

        let field = || CallOptions::new().body_field("a", 1);
        let error = sent(v2::GetJob::new("clj-1"), field(), &api()).unwrap_err();
        assert!(error.to_string().contains("body_field"));
        let upload = files::UploadFile::new("a.txt", b"x".to_vec());
        assert!(sent(upload, field(), &api()).unwrap_err().is_invalid());
    }

    #[test]
    fn call_options_apply_to_every_page_and_verification_request() {
        let api = api();
        let cx = Context::new(&api, NOW);
        let options = CallOptions::new().query("new", "x");
        let mut pager = Pager::new(v1::ListJobs::new(), Seed::new([0; 16])).options(options);
        for (query, token) in [
            ("new=x", r#","next_page_token":"t""#),
            ("page_token=t&new=x", ""),
        ] {
            let Step::Send(ticket, request) = pager.poll(cx) else {
                panic!()
            };
            assert_eq!(request.uri().query(), Some(query));
            let page = format!(r#"{{"items":[]{token}}}"#);
            pager.handle(cx, ticket, Ok(Response::new(page.into())));
            assert!(matches!(pager.poll(cx), Step::Event(Page { .. })));
        }

        let options = CallOptions::new()
            .header("x-a", "1")
            .body_field("reason", "late");
        let mut cancel = call(v2::CancelJob::new("clj-1"), options);
        let Step::Send(ticket, _) = cancel.poll(cx) else {
            panic!()
        };
        let lost = crate::Failure::broken("reset");
        cancel.handle(cx, ticket, Err(lost));
        let Step::Wait(Some(later)) = cancel.poll(cx) else {
            panic!()
        };
        let cx = Context::new(&api, later);
        let Step::Send(ticket, _) = cancel.poll(cx) else {
            panic!()
        };
        let conflict = Response::builder().status(409).body(Bytes::new()).unwrap();
        cancel.handle(cx, ticket, Ok(conflict));
        let Step::Send(_, read) = cancel.poll(cx) else {
            panic!()
        };
        assert_eq!(read.method(), Method::GET);
        assert_eq!(read.headers()["x-a"], "1");
        assert!(read.body().in_memory().unwrap().is_empty());
    }

    #[test]
    fn call_options_invalid_or_redacted_saved_header_is_an_error() {
        for (name, value) in [
            ("bad name", "x"),
            ("x-a", "canary\r\nb: c"),
            ("content-length", "3"),
            ("Host", "evil.example"),
        ] {
            let options = CallOptions::new().header(name, value);
            let error = sent(create(), options, &api()).unwrap_err();
            assert!(error.is_invalid(), "{name}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let options = CallOptions::new().header("x-a", "canary").query("b", "c");
        let saved = serde_json::to_string(&call(create(), options)).unwrap();
        assert!(!saved.contains("canary"), "{saved}");
        let mut loaded: Call<v2::CreateJob> = serde_json::from_str(&saved).unwrap();
        let Step::Done(Err(error)) = loaded.poll(Context::new(&api(), NOW)) else {
            panic!()
        };
        assert!(error.to_string().contains("x-a"), "{error}");
    }

    #[test]
    fn call_options_keep_validation_and_parsing_of_operation() {
        let options = || CallOptions::new().header("x-a", "1");
        let error = sent(
            v2::CreateJob::new("", v2::JobOptions::default()),
            options(),
            &api(),
        )
        .unwrap_err();
        assert_eq!(error.operation(), Some("classify.create"));
        let api = api();
        let cx = Context::new(&api, NOW);
        let mut get = call(v2::GetJob::new("1"), options());
        let Step::Send(ticket, _) = get.poll(cx) else {
            panic!()
        };
        let response = crate::v2::examples::ok(r#"{"id":"1","status":"PENDING"}"#);
        get.handle(cx, ticket, Ok(response));
        let Step::Done(Ok(job)) = get.poll(cx) else {
            panic!()
        };
        assert_eq!(job.id, "1");
    }
}
