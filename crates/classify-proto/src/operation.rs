//! One call to the service: its request beside its response.

use std::fmt::Display;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::text::error_body::FieldError;
use crate::text::{lenient, redact};

/// One call to the service, as owned data: how to ask, how to read the answer, and what may be repeated.
///
/// [`machine::Call`](crate::machine::Call) turns an operation into a call with its retries; that is the usual way to
/// use one. A program with retries of its own takes [`request`](Self::build_request) and [`parse`](Self::parse) directly.
///
/// The trait may be implemented outside this crate, for an endpoint that it does not know.
pub trait Operation {
    /// What a successful response holds.
    type Output;

    /// The operation's name in errors, logs and saved states, such as `classify.create`.
    const NAME: &'static str;

    /// Whether a second request with the same content would have a second effect.
    fn idempotency(&self) -> Idempotency;

    /// Which of the service's rate limits the operation counts against.
    fn rate_class(&self) -> RateClass;

    /// Fixes what must be unique and must stay the same in every attempt: a transaction id, a boundary.
    ///
    /// Called once, before the first request. An operation that was given such a value keeps it.
    fn prepare(&mut self, seed: Seed) {
        let _ = seed;
    }

    /// Fields of the JSON body that the operation itself goes by, each with what sets it: a repetition is only safe, or
    /// the answer only right, with the value that the operation knows. [`With`](crate::With) refuses to replace them.
    fn reserved_fields(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What the request carries that nobody else may see: a webhook's secret, the value of a header. A refusal that
    /// repeats one of them is told without it.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Holds the operation against the service's published limits.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming each field that would be refused.
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Builds a fresh request, unchecked.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) when no request can be built: an empty id, or a secret that a saved state
    /// left out.
    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error>;

    /// Reads a response whose status is a success.
    ///
    /// # Errors
    ///
    /// [`is_decode`](Error::is_decode), or [`is_conflict`](Error::is_conflict) when it answers something else than
    /// was asked.
    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Self::Output, Error>;

    /// What a refusal means when an earlier attempt may have been acted upon.
    ///
    /// Only asked after such an attempt: the first answer was lost, and this is the answer to its repetition.
    fn recover(&self, refusal: &Error) -> Recovery<Self::Output> {
        let _ = refusal;
        Recovery::Failed
    }

    /// The request that [`Recovery::Verify`] asks for: a read whose answer [`decode`](Self::parse_success) takes too.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::build_request_unvalidated).
    fn look(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.build_request_unvalidated(api)
    }

    /// Whether what was found by looking is what the operation was to bring about.
    fn is_brought_about(&self, found: &Self::Output) -> bool {
        let _ = found;
        true
    }

    /// Adds what only the operation knows to an error: a transaction id, or an id read from a broken body.
    fn annotate(&self, error: Error) -> Error {
        error
    }

    /// Checks the operation unless checks are off, and builds a fresh request.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::validate) and [`encode`](Self::build_request_unvalidated).
    fn build_request(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        if api.validates() {
            self.validate()
                .map_err(|error| error.with_operation(Self::NAME))?;
        }
        self.build_request_unvalidated(api)
            .map_err(|error| error.with_operation(Self::NAME))
    }

    /// Reads a response of any status.
    ///
    /// # Errors
    ///
    /// By the status, with the service's own words; or as [`decode`](Self::parse_success). A gateway may put the key among its
    /// words: [`Api::redact`] takes it out beforehand.
    fn parse(&self, mut response: http::Response<Bytes>) -> Result<Self::Output, Error> {
        let parsed = if response.status().is_success() {
            self.parse_success(response)
        } else {
            redact::redact_response(&mut response, self.secrets());
            Err(Error::from_response(response))
        };
        parsed.map_err(|error| self.annotate(error.with_operation(Self::NAME)))
    }
}

/// Whether sending a request again can do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Idempotency {
    /// It only reads.
    Read,
    /// It changes something, and a second time changes nothing more (or nothing that costs).
    Idempotent,
    /// A second time would be a second effect. Repeated only when the service provably did not act.
    Never,
}

/// What a request counts against in the service's rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateClass {
    /// Creating a job: 40 a second, published.
    Create,
    /// Uploading a file: 50 in five seconds, published.
    Upload,
    /// Anything else: no published limit but the free tier's total.
    Other,
}

/// What a refusal means after a lost answer; see [`Operation::recover`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Recovery<T> {
    /// It is a refusal all the same.
    Refused,
    /// The lost attempt did the work: this is its result.
    FinishedDocument(T),
    /// Only the present state can tell: send [`Operation::look`].
    Look,
}

impl<T> Recovery<T> {
    /// Of a delete: where nothing is found, the lost attempt has deleted it.
    pub(crate) fn of_delete(refusal: &Error, done: impl FnOnce() -> T) -> Self {
        if refusal.is_not_found() {
            Self::FinishedDocument(done())
        } else {
            Self::Refused
        }
    }
}

/// Bytes that are unlike any other's, drawn by the driver: what a transaction id, a boundary and a jitter are made of.
///
/// The core draws no randomness. A driver fills sixteen bytes from the system's generator, once per machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed([u64; 2]);

impl Seed {
    /// From sixteen random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        let (left, right) = bytes.split_at(8);
        let half = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte))
        };
        Self([half(left), half(right)])
    }

    /// Another seed, fixed by this one and `label`: one per document of a run, one per page of a list.
    #[must_use]
    pub fn derive(self, label: u64) -> Self {
        let [left, right] = self.0;
        Self([mix(left ^ mix(label)), mix(right.wrapping_add(mix(!label)))])
    }

    /// Thirty-two hexadecimal digits.
    pub(crate) fn hex(self) -> String {
        format!("{:016x}{:016x}", self.0[0], self.0[1])
    }

    /// A number that looks random, fixed by the seed and `step`.
    pub(crate) fn number(self, step: u64) -> u64 {
        mix(self.0[0] ^ mix(self.0[1].wrapping_add(step)))
    }
}

/// The finalizer of `SplitMix64`: every bit of the input moves about half of the output's.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The project and the organization that a request names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Scope {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization_id: Option<String>,
}

/// The setters of a field called `scope`, alike in every operation.
macro_rules! scope_setters {
    () => {
        /// Names the project, in place of the client's.
        #[must_use]
        pub fn project(mut self, id: impl Into<String>) -> Self {
            self.scope.project_id = Some(id.into());
            self
        }

        /// Names the organization, in place of the client's.
        #[must_use]
        pub fn organization(mut self, id: impl Into<String>) -> Self {
            self.scope.organization_id = Some(id.into());
            self
        }
    };
}
pub(crate) use scope_setters;

/// Collects what a check finds, so that one error names every field at once.
#[derive(Default)]
pub(crate) struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    pub(crate) fn add(&mut self, field: impl Display, message: impl Into<String>) {
        self.0.push(FieldError::new(field.to_string(), message));
    }

    /// Adds a problem unless the text has between `least` and `most` characters.
    ///
    /// The field's name is anything that can be displayed, so that naming it costs nothing where all is well.
    pub(crate) fn length(&mut self, field: impl Display, text: &str, least: usize, most: usize) {
        // A character has one to four bytes, so that most texts need not be counted.
        if text.len() <= most && text.len() / 4 >= least {
            return;
        }
        let length = text.chars().count();
        if length < least || length > most {
            self.add(
                field,
                format!("has {length} characters; the service takes {least} to {most}"),
            );
        }
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_fields(self.0))
        }
    }
}

/// Reads a successful response as JSON.
///
/// Read fast; only when that fails, read again, leniently, and once more to find the place. The body is held against
/// UTF-8 as a whole, since that costs a tenth of what it costs string by string, and a body's JSON is mostly strings.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    response: http::Response<Bytes>,
) -> Result<T, Error> {
    let text = std::str::from_utf8(response.body()).ok();
    if let Some(value) = text.and_then(|text| serde_json::from_str(text).ok()) {
        return Ok(value);
    }
    if let Some(value) = lenient::read(response.body()) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(response.body());
    let (place, error) = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => match json.end() {
            // What is no UTF-8 is in a field that nobody reads.
            Ok(()) => return Ok(value),
            Err(error) => (String::new(), error),
        },
        Err(traced) if traced.path().iter().len() > 0 => {
            (format!("at {}: ", traced.path()), traced.into_inner())
        }
        Err(traced) => (String::new(), traced.into_inner()),
    };
    let size = response.body().len();
    let message = format!("{place}{} ({size} bytes)", describe(&error));
    let is_json = error.is_data();
    // The error itself is no cause to hand on: its text repeats values of the answer.
    Err(Error::decode(response, message, is_json))
}

/// What is wrong with a body, without repeating any of it.
fn describe(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Syntax => format!(
            "not JSON at line {} column {}",
            error.line(),
            error.column()
        ),
        Category::Eof => "the JSON ends too early".to_owned(),
        Category::Data | Category::Io => without_quotes(&error.to_string()),
    }
}

/// The message without what it quotes, which is part of the body: a reason may repeat a document's words. The name of a
/// missing field is ours.
fn without_quotes(message: &str) -> String {
    let mut message = message.to_owned();
    for quote in ['"', '`'] {
        let is_ours = quote == '`' && message.starts_with("missing field `");
        if let (false, Some(start), Some(end)) =
            (is_ours, message.find(quote), message.rfind(quote))
        {
            message.replace_range(start..=end, "…");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_seeds_differ() {
        let seed = Seed::new([7; 16]);
        assert_ne!(seed.derive(0), seed.derive(1));
        assert_ne!(seed.derive(0), seed);
        assert_eq!(seed.hex().len(), 32);
        assert_ne!(seed.number(0), seed.number(1));
    }

    #[test]
    fn a_body_that_cannot_be_read_says_where() {
        let response = |body: &'static str| http::Response::new(Bytes::from(body));
        let error = read_json::<Vec<u8>>(response("[1, 2, \"x\"]")).unwrap_err();
        assert!(error.to_string().contains("[2]"), "{error}");
        assert!(!error.is_malformed());
        let error = read_json::<Vec<u8>>(response("[\"canary \\\" x\"]")).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
        for garbled in ["[1, 2", "[1, 2] 3", "<html>", ""] {
            assert!(
                read_json::<Vec<u8>>(response(garbled))
                    .unwrap_err()
                    .is_malformed(),
                "{garbled}"
            );
        }
    }

    #[test]
    fn what_is_no_utf8_is_refused_where_it_is_read() {
        #[derive(Debug, Deserialize)]
        struct Named {
            name: String,
        }
        let read =
            |body: &'static [u8]| read_json::<Named>(http::Response::new(Bytes::from_static(body)));
        let error = read(b"{\"name\": \"\xff\"}").unwrap_err();
        assert!(error.is_malformed(), "{error}");
        assert!(error.to_string().contains("at name"), "{error}");
        let passed_over = read(b"{\"name\": \"a\", \"new\": \"\xff\"}").unwrap();
        assert_eq!(passed_over.name, "a");
        let error = read(b"{\"name\": \"a\", \"new\": \"\xff\"} {}").unwrap_err();
        assert!(error.is_malformed(), "{error}");
    }

    #[test]
    fn no_cause_of_an_error_repeats_the_answer() {
        #[derive(Debug, Deserialize)]
        struct Numbered {
            #[expect(dead_code, reason = "it is never read whole")]
            number: u8,
        }
        for body in [
            r#"{"number":"canary"}"#,
            r#"{"number":7.777}"#,
            r#"{"number":77777}"#,
            r#"{"number":true}"#,
            r#"{"number":7"#,
            r#"{"number":"a `canary` b \" canary"}"#,
        ] {
            let error = read_json::<Numbered>(http::Response::new(body.into())).unwrap_err();
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(one) = cause {
                let shown = format!("{one} {one:?}");
                for secret in ["canary", "777", "true"] {
                    assert!(!shown.contains(secret), "{body}: {shown}");
                }
                cause = one.source();
            }
        }
    }
}
