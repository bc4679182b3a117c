//! Extra headers, query pairs and body fields for one call.

use std::fmt;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::{Api, header};
use crate::body::Body;
use crate::error::Error;
use crate::machine::{JobPhase, Sealed, Waitable};
use crate::operation::{Idempotency, Operation, RateClass, Recovery, Seed};
use crate::page::Paged;
use crate::secret::Secret;
use crate::text::redact;
use crate::text::url::push_pair;
use crate::webhooks::check::missing_secret;

/// An operation with extra headers, query pairs and body fields: for what the service takes and this crate does not
/// know yet.
///
/// What is given here wins over what the operation sends under the same name. It is an operation itself, so that a
/// [`Call`](crate::machine::Call), a [`Pager`](crate::machine::Pager) or a [`Waiter`](crate::machine::Waiter) takes it
/// in place of the plain one; the extras go with every request that those make.
///
/// ```
/// use classify_proto::{Api, Operation, With, v2};
///
/// let api = Api::builder("llx-key").build()?;
/// let get = With::new(v2::GetJob::new("clj-1"))
///     .header("x-trace", "abc")
///     .query("expand", "everything");
/// let request = get.build_request(&api)?;
/// assert_eq!(request.uri().query(), Some("expand=everything"));
/// assert_eq!(request.headers()["x-trace"], "abc");
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct With<O> {
    operation: O,
    /// A header may hold a secret, so values are kept out of saved states.
    headers: Vec<(String, Secret)>,
    query: Vec<(String, Option<String>)>,
    body: Map<String, Value>,
}

impl<O: Operation> With<O> {
    /// The operation as it is, for the setters to add to.
    #[must_use]
    pub fn new(operation: O) -> Self {
        Self {
            operation,
            headers: Vec::new(),
            query: Vec::new(),
            body: Map::new(),
        }
    }

    /// Sends this header, in place of any of the same name that would be sent otherwise. Given twice, both are sent.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a pair to the query, in place of all of the same name that would be sent otherwise. Given twice, both are
    /// sent.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), Some(value.into())));
        self
    }

    /// Leaves out all pairs of this name that would be sent otherwise.
    #[must_use]
    pub fn without_query(mut self, name: impl Into<String>) -> Self {
        self.query.push((name.into(), None));
        self
    }

    /// Sends this field of the JSON body, in place of one of the same name. It is part of a saved state, so it should
    /// hold no secret that may not be written down.
    ///
    /// A field that the operation [goes by](Operation::reserved_fields) is refused when a request is built, whether checks
    /// are on or off: a create would hold its answer against a document or rules that were not asked for, or be
    /// repeated without the key that makes that harmless. Use the operation's own setter.
    #[must_use]
    pub fn body_field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body.insert(name.into(), value.into());
        self
    }

    /// The operation without the extras.
    #[must_use]
    pub fn inner(&self) -> &O {
        &self.operation
    }

    fn extend(&self, request: Request<Body>) -> Result<Request<Body>, Error> {
        let mut request = self.extend_headers(request)?;
        if !self.query.is_empty() {
            *request.uri_mut() = self.extend_query(request.uri())?;
        }
        if self.body.is_empty() {
            return Ok(request);
        }
        self.extend_body(request)
    }

    fn extend_headers(&self, mut request: Request<Body>) -> Result<Request<Body>, Error> {
        for (name, value) in &self.headers {
            let value = value
                .expose_secret()
                .ok_or_else(|| missing_secret(format!("headers[{name:?}]")))?;
            let (name, _) = header(name, value)?;
            request.headers_mut().remove(name);
        }
        for (name, value) in &self.headers {
            let (name, value) = header(name, value.expose_secret().unwrap_or_default())?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }

    fn extend_query(&self, uri: &Uri) -> Result<Uri, Error> {
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

    fn extend_body(&self, request: Request<Body>) -> Result<Request<Body>, Error> {
        let refuse = || {
            Error::invalid(
                "body_field",
                "is given for a request whose body is no JSON object",
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
        for (name, setter) in self.operation.reserved_fields() {
            if self.body.contains_key(*name) {
                return Err(Error::invalid(
                    format!("body_field[{name:?}]"),
                    format!("is a field that the operation itself goes by; set it with {setter}"),
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

/// A name as it stands in a query.
fn encoded_name(name: &str) -> String {
    let mut pair = String::new();
    push_pair(&mut pair, name, "");
    pair.pop(); // the `=`
    pair
}

impl<O: Operation> Operation for With<O> {
    type Output = O::Output;

    const NAME: &'static str = O::NAME;

    fn idempotency(&self) -> Idempotency {
        self.operation.idempotency()
    }

    fn rate_class(&self) -> RateClass {
        self.operation.rate_class()
    }

    fn prepare(&mut self, seed: Seed) {
        self.operation.prepare(seed);
    }

    fn reserved_fields(&self) -> &'static [(&'static str, &'static str)] {
        self.operation.reserved_fields()
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = self.operation.secrets();
        secrets.extend(
            self.headers
                .iter()
                .filter_map(|(_, value)| value.expose_secret())
                .map(str::to_owned),
        );
        secrets.extend(redact::secrets_in(self.body.iter()));
        secrets
    }

    fn validate(&self) -> Result<(), Error> {
        self.operation.validate()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<Request<Body>, Error> {
        self.extend(self.operation.build_request_unvalidated(api)?)
    }

    fn parse_success(&self, response: Response<Bytes>) -> Result<O::Output, Error> {
        self.operation.parse_success(response)
    }

    fn recover(&self, refusal: &Error) -> Recovery<O::Output> {
        self.operation.recover(refusal)
    }

    fn look(&self, api: &Api) -> Result<Request<Body>, Error> {
        // The look is another request, which the query and the body were not meant for.
        self.extend_headers(self.operation.look(api)?)
    }

    fn is_brought_about(&self, found: &O::Output) -> bool {
        self.operation.is_brought_about(found)
    }

    fn annotate(&self, error: Error) -> Error {
        self.operation.annotate(error)
    }
}

impl<O: Paged> Paged for With<O> {
    type Item = O::Item;

    fn page_token(&self) -> Option<&str> {
        self.operation.page_token()
    }

    fn with_page_token(&self, token: Option<String>) -> Self {
        Self {
            operation: self.operation.with_page_token(token),
            ..self.clone()
        }
    }
}

impl<O: Waitable> Sealed for With<O> {}

impl<O: Waitable> Waitable for With<O> {
    type Status = O::Status;

    const WAIT: &'static str = O::WAIT;

    fn waited_for(&self) -> &str {
        self.operation.waited_for()
    }

    fn status(job: &O::Output) -> &O::Status {
        O::status(job)
    }

    fn phase(job: &O::Output) -> JobPhase {
        O::phase(job)
    }

    fn failed(job: O::Output) -> Error {
        O::failed(job)
    }

    fn cancelled(job: O::Output) -> Error {
        O::cancelled(job)
    }

    fn with_last_seen(error: Error, job: &O::Output) -> Error {
        O::with_last_seen(error, job)
    }
}

impl<O: fmt::Debug> fmt::Debug for With<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be what was not meant to be seen; names are enough to know what was added.
        let names = |names: Vec<&String>| format!("{names:?}");
        f.debug_struct("With")
            .field("operation", &self.operation)
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
    use crate::v2::{self, Configuration, Rule, examples::api};
    use crate::{WithResponse, files, v1};
    use serde_json::json;

    fn create() -> v2::CreateJob {
        let rules = Configuration::new([Rule::new("invoice", "contains an invoice number")]);
        v2::CreateJob::new("dfl-1")
            .configuration(rules)
            .project("p")
    }

    fn body(request: &Request<Body>) -> Value {
        serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap()
    }

    #[test]
    fn what_is_given_wins_over_what_the_operation_sends() {
        let with = With::new(create())
            .header("Authorization", "Custom canary")
            .header("x-a", "1")
            .header("x-a", "2")
            .query("project_id", "other")
            .query("tag", "a b")
            .query("tag", "c")
            .body_field("webhook_configuration_ids", vec!["whc-2"])
            .body_field("priority", 7);
        let request = with.build_request(&api()).unwrap();
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
        assert!(!format!("{with:?}").contains("canary"));
    }

    #[test]
    fn what_a_create_goes_by_is_not_replaced() {
        let off = Api::builder("k").validate(false).build().unwrap();
        let refused = |request: Result<Request<Body>, Error>, field: &str, setter: &str| {
            let error = request.unwrap_err();
            assert!(error.is_invalid(), "{error}");
            assert!(error.to_string().contains(&format!("{field:?}")), "{error}");
            assert!(error.to_string().contains(setter), "{error}");
        };
        for (field, setter) in create().reserved_fields() {
            for value in [Value::Null, json!("x")] {
                let with = With::new(create()).body_field(*field, value);
                refused(with.build_request(&off), field, setter);
                refused(WithResponse::new(with).build_request(&api()), field, setter);
            }
        }
        // Where there are no rules, some that it cannot hold may be given; what the promise hangs on may not.
        let bare = || With::new(v2::CreateJob::new("dfl-1"));
        let rules = bare().body_field("configuration", json!({ "rules": "all of them" }));
        assert!(rules.build_request(&off).is_ok());
        for field in ["file_input", "transaction_id"] {
            assert!(bare().body_field(field, "x").build_request(&off).is_err());
        }
        let old = || v1::CreateJob::new(["1"], [Rule::new("invoice", "has an invoice number")]);
        for (field, setter) in old().reserved_fields() {
            refused(
                With::new(old()).body_field(*field, 1).build_request(&off),
                field,
                setter,
            );
        }
        let names: Vec<_> = create()
            .reserved_fields()
            .iter()
            .map(|(name, _)| *name)
            .collect();
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
    fn a_header_that_a_refusal_repeats_is_not_handed_on() {
        let refusal = || {
            Response::builder()
                .status(403)
                .body(Bytes::from(r#"{"detail":"no: canary-1, canary-2"}"#))
                .unwrap()
        };
        let with = With::new(v2::GetJob::new("clj-1"))
            .header("Authorization", "Basic canary-1")
            .header("x-token", "canary-2");
        let of_both = [
            with.parse(refusal()).unwrap_err(),
            WithResponse::new(with).parse(refusal()).unwrap_err(),
        ];
        for error in of_both {
            assert_eq!(error.message(), "no: [redacted], [redacted]");
            assert_eq!(error.job_id(), Some("clj-1"));
            assert!(!format!("{:?}", error.raw_body()).contains("canary"));
        }
    }

    #[test]
    fn without_extras_the_request_is_the_same() {
        let plain = create().build_request(&api()).unwrap();
        let with = With::new(create()).build_request(&api()).unwrap();
        assert_eq!(with.uri(), plain.uri());
        assert_eq!(with.headers(), plain.headers());
        assert_eq!(with.body().in_memory(), plain.body().in_memory());
        let less = With::new(create())
            .without_query("project_id")
            .build_request(&api())
            .unwrap();
        assert_eq!(less.uri().query(), None);
    }

    #[test]
    fn a_cancel_gains_a_body_but_a_read_and_an_upload_do_not() {
        let cancel = With::new(v2::CancelJob::new("clj-1")).body_field("reason", "late");
        let request = cancel.build_request(&api()).unwrap();
        assert_eq!(body(&request), json!({"reason": "late"}));
        assert_eq!(request.headers()["content-type"], "application/json");

        let get = With::new(v2::GetJob::new("clj-1")).body_field("a", 1);
        assert!(
            get.build_request(&api())
                .unwrap_err()
                .to_string()
                .contains("body_field")
        );
        let mut upload =
            With::new(files::UploadFile::new("a.txt", b"x".to_vec())).body_field("a", 1);
        upload.prepare(Seed::new([0; 16]));
        assert!(upload.build_request(&api()).unwrap_err().is_invalid());
    }

    #[test]
    fn every_page_and_every_look_carries_them() {
        let list = With::new(v1::ListJobs::new())
            .query("new", "x")
            .with_page_token(Some("t".to_owned()));
        assert_eq!(list.page_token(), Some("t"));
        assert_eq!(
            list.build_request(&api()).unwrap().uri().query(),
            Some("page_token=t&new=x")
        );
        let cancel = With::new(v2::CancelJob::new("clj-1"))
            .header("x-a", "1")
            .body_field("reason", "late");
        let look = cancel.look(&api()).unwrap();
        assert_eq!(look.method(), Method::GET);
        assert_eq!(look.headers()["x-a"], "1");
        assert!(look.body().in_memory().unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_a_header_is_refused_and_a_saved_one_is_missed() {
        for (name, value) in [
            ("bad name", "x"),
            ("x-a", "canary\r\nb: c"),
            ("content-length", "3"),
            ("Host", "evil.example"),
        ] {
            let error = With::new(create())
                .header(name, value)
                .build_request(&api())
                .unwrap_err();
            assert!(error.is_invalid(), "{name}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let with = With::new(create()).header("x-a", "canary").query("b", "c");
        let saved = serde_json::to_string(&with).unwrap();
        assert!(!saved.contains("canary"), "{saved}");
        let loaded: With<v2::CreateJob> = serde_json::from_str(&saved).unwrap();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(error.to_string().contains("x-a"), "{error}");
    }

    #[test]
    fn the_checks_and_the_reading_are_the_operations_own() {
        let error = With::new(v2::CreateJob::new(""))
            .build_request(&api())
            .unwrap_err();
        assert_eq!(error.operation(), Some("classify.create"));
        let job = With::new(v2::GetJob::new("1"))
            .parse(crate::v2::examples::ok(r#"{"id":"1","status":"PENDING"}"#))
            .unwrap();
        assert_eq!(job.id, "1");
    }
}
