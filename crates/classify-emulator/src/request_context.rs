//! A request as the handlers see it.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use serde_json::{Value, json};

use crate::check::{Check, Query};
use crate::fault::Fault;
use crate::reply::Refusal;
use crate::route::Route;
use crate::world::DEFAULT_PROJECT;

#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) route: Route,
    pub(crate) path: String,
    /// The decoded id in the path; empty where the route has none.
    pub(crate) id: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// A fault that the handler itself must play: those of pages.
    pub(crate) fault: Option<Fault>,
}

/// Whose request it is.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) project: String,
    /// Whether the request named the project, and so must not see another's.
    named: bool,
}

impl Tenant {
    pub(crate) fn may_see(&self, project: &str) -> bool {
        !self.named || self.project == project
    }
}

/// How long the body is going to be, if the client says.
pub(crate) fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Ask {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (kind, message) = if self.body.is_empty() {
                ("missing", "Field required".to_owned())
            } else {
                ("json_invalid", format!("The body is not JSON: {error}"))
            };
            Refusal::Invalid(vec![
                json!({ "loc": ["body"], "msg": message, "type": kind }),
            ])
        })
    }

    /// The project of the request; both of the common parameters are checked.
    pub(crate) fn tenant(&self, check: &Check) -> Tenant {
        self.query.uuid(check, "organization_id");
        let project = self.query.uuid(check, "project_id");
        Tenant {
            named: project.is_some(),
            project: project.unwrap_or_else(|| DEFAULT_PROJECT.to_owned()),
        }
    }
}
