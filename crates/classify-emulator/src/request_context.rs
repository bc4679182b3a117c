//! A request, as passed to the handlers.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::query::Query;
use crate::reply::ApiError;
use crate::route::Route;
use crate::shared_state::DEFAULT_PROJECT;
use crate::validate::Validator;

#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) route: Route,
    pub(crate) path: String,
    /// The decoded id in the path; empty if the route has none.
    pub(crate) id: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// A fault that the handler must apply itself: those of pages.
    pub(crate) fault: Option<Fault>,
}

/// The project of a request.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) project: String,
    /// Whether the request named the project; then it cannot see other projects.
    is_explicit: bool,
}

impl Tenant {
    pub(crate) fn may_see(&self, project: &str) -> bool {
        !self.is_explicit || self.project == project
    }
}

/// The value of `Content-Length`, if the client sent it.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl RequestContext {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (kind, message) = if self.body.is_empty() {
                ("missing", "Field required".to_owned())
            } else {
                ("json_invalid", format!("The body is not JSON: {error}"))
            };
            ApiError::Invalid(vec![
                json!({ "loc": ["body"], "msg": message, "type": kind }),
            ])
        })
    }

    /// The project of the request. Validates both common parameters.
    pub(crate) fn tenant(&self, validator: &Validator) -> Tenant {
        self.query.uuid(validator, "organization_id");
        let project = self.query.uuid(validator, "project_id");
        Tenant {
            is_explicit: project.is_some(),
            project: project.unwrap_or_else(|| DEFAULT_PROJECT.to_owned()),
        }
    }
}
