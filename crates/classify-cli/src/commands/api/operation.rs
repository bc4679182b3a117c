//! The operations of the tables. They build the request of the table, and keep the response unchanged.

use classify_proto::http::{self, Method};
use classify_proto::{Api, Body, Bytes, Error, Operation, Page, Paged, Recovery, Semantics, v2};
use serde_json::value::RawValue;

use super::request::Request;

/// JSON as it was received.
pub(super) type RawJson = Box<RawValue>;

/// An operation that returns the body of the response.
pub(super) struct ApiCall {
    /// The operation's name in errors.
    pub(super) name: &'static str,
    pub(super) request: Request,
}

impl Operation for ApiCall {
    type Output = Bytes;

    fn name(&self) -> &'static str {
        self.name
    }

    fn semantics(&self) -> Semantics<Self> {
        let semantics = Semantics::new(self.request.idempotency);
        if self.request.method == Method::DELETE {
            semantics.recovery(Recovery::NotFoundIsSuccess(|_| Bytes::new()))
        } else {
            semantics
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.request.to_raw_operation().secrets()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.request
            .to_raw_operation()
            .build_request_unvalidated(api)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Bytes, Error> {
        let body = response.body().clone();
        // Parsed for its errors, which contain the status and the request id.
        self.request
            .to_raw_operation()
            .parse_success(response)
            .map(|_| body)
    }

    fn annotate(&self, error: Error) -> Error {
        self.request.to_raw_operation().annotate(error)
    }
}

/// An operation that returns a page of items.
#[derive(Clone)]
pub(super) struct ApiList {
    /// The operation's name in errors.
    pub(super) name: &'static str,
    pub(super) request: Request,
}

impl Operation for ApiList {
    type Output = Page<RawJson>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn secrets(&self) -> Vec<String> {
        self.request.to_raw_operation().secrets()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.request
            .to_raw_operation()
            .build_request_unvalidated(api)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<RawJson>, Error> {
        match serde_json::from_slice(response.body()) {
            Ok(page) => Ok(page),
            // The core parses it again for an error that describes the problem.
            Err(_) => Err(v2::ListJobs::new()
                .parse_success(response)
                .err()
                .unwrap_or_else(invalid_page)),
        }
    }

    fn annotate(&self, error: Error) -> Error {
        self.request.to_raw_operation().annotate(error)
    }
}

/// The error if the two parsers of a page disagree.
fn invalid_page() -> Error {
    classify_proto::Failure::refused("the response is not a page of a list").into()
}

impl Paged for ApiList {
    type Item = RawJson;

    fn page_token(&self) -> Option<&str> {
        self.request.page_token()
    }

    fn with_page_token(&self, token: Option<String>) -> Self {
        Self {
            name: self.name,
            request: self.request.with_page_token(token),
        }
    }
}
