//! The trait of all operations: one call to the service, with its request and its response.

use bytes::Bytes;

use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::seed::Seed;
use crate::semantics::{Semantics, UniqueField};
use crate::text::redact;

/// One call to the service as owned data: builds its request, parses its response, and describes its
/// [semantics](Self::semantics).
///
/// [`machine::Call`](crate::machine::Call) sends an operation with its retries; that is the usual way to use one. A
/// program with a retry loop of its own calls [`prepare`](Self::prepare) once, and [`build_request`](Self::build_request)
/// and [`parse`](Self::parse) for each attempt.
///
/// The trait may be implemented outside of this crate, for an endpoint that the crate does not know.
///
/// ```
/// use classify_proto::{Api, Operation, v2::GetJob};
///
/// let api = Api::builder("llx-key").build()?;
/// let get = GetJob::new("clj-1");
/// let request = get.build_request(&api)?;
/// assert_eq!(request.uri().path(), "/api/v2/classify/clj-1");
/// let response = http::Response::new(r#"{"id": "clj-1", "status": "RUNNING"}"#.into());
/// assert_eq!(get.parse(response)?.id, "clj-1");
/// # Ok::<(), classify_proto::Error>(())
/// ```
pub trait Operation: Sized {
    /// The parsed content of a successful response.
    type Output;

    /// Returns the operation's name in errors, logs and saved states, such as `classify.create`.
    fn name(&self) -> &'static str;

    /// Returns how the operation may be repeated and extended.
    fn semantics(&self) -> Semantics<Self>;

    /// Returns the field that must be unique to a call, if the operation has one. `None` by default.
    fn unique_field(&mut self) -> Option<UniqueField<'_>> {
        None
    }

    /// Returns the secrets in the request, such as a webhook's signing secret. They are redacted from error responses
    /// that repeat them. Empty by default.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Validates the operation against the service's published limits. Accepts everything by default.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid), naming every field that the service would reject.
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Builds a request without validation.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if no request can be built: an id is empty, or a secret is missing because the
    /// operation comes from a saved state.
    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error>;

    /// Parses a response with a 2xx status.
    ///
    /// # Errors
    ///
    /// [`is_decode`](Error::is_decode), or [`is_conflict`](Error::is_conflict) if the response belongs to another
    /// request.
    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Self::Output, Error>;

    /// Adds details to an error that only the operation knows, such as a transaction id. Returns the error unchanged by
    /// default.
    fn annotate(&self, error: Error) -> Error {
        error
    }

    /// Derives the [unique field](Self::unique_field) from `seed`, unless it is set. Call it once, before the first
    /// attempt.
    fn prepare(&mut self, seed: Seed) {
        if let Some(field) = self.unique_field() {
            field.fill(seed);
        }
    }

    /// Builds a request. Validates the operation first, unless validation is switched off in `api`.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate) and [`build_request_unvalidated`](Self::build_request_unvalidated).
    fn build_request(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        if api.validates() {
            self.validate()
                .map_err(|error| error.with_operation(self.name()))?;
        }
        self.build_request_unvalidated(api)
            .map_err(|error| error.with_operation(self.name()))
    }

    /// Parses a response of any status.
    ///
    /// # Errors
    ///
    /// If the status is not 2xx, an error with the service's message; otherwise as
    /// [`parse_success`](Self::parse_success). A gateway may repeat the API key in its message: pass the response
    /// through [`Api::redact`] first.
    fn parse(&self, mut response: http::Response<Bytes>) -> Result<Self::Output, Error> {
        let parsed = if response.status().is_success() {
            self.parse_success(response)
        } else {
            redact::redact_response(&mut response, self.secrets());
            Err(Error::from_response(response))
        };
        parsed.map_err(|error| self.annotate(error.with_operation(self.name())))
    }
}
