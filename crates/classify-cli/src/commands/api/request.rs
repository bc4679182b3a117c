//! The request of a call.

use classify_proto::http::Method;
use classify_proto::{Idempotency, RawOperation};
use serde_json::{Map, Value};

/// A request that is not built yet.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) path_suffix: &'static str,
    pub(crate) query: Vec<(String, String)>,
    /// `None` sends no body.
    pub(crate) body: Option<Map<String, Value>>,
    pub(crate) idempotency: Idempotency,
}

const PAGE_TOKEN: &str = "page_token";

impl Request {
    /// Returns the operation of the core that builds the request.
    pub(super) fn to_raw_operation(&self) -> RawOperation {
        let mut operation = RawOperation::new(self.method.clone(), self.path, self.idempotency);
        if let Some(id) = &self.id {
            operation = operation.segment(id);
        }
        if !self.path_suffix.is_empty() {
            operation = operation.then(self.path_suffix);
        }
        for (name, value) in &self.query {
            operation = operation.query(name, value);
        }
        match &self.body {
            Some(body) => operation.json(body.clone()),
            None => operation,
        }
    }

    /// Returns the page token: of a POST it is in the body, else in the query.
    pub(super) fn page_token(&self) -> Option<&str> {
        if let Some(body) = &self.body {
            body.get(PAGE_TOKEN)?.as_str()
        } else {
            let mut query = self.query.iter();
            let token = query.find(|(name, _)| name == PAGE_TOKEN);
            token.map(|(_, token)| token.as_str())
        }
    }

    pub(crate) fn with_page_token(&self, token: Option<String>) -> Self {
        let mut request = self.clone();
        if let Some(body) = &mut request.body {
            body.remove(PAGE_TOKEN);
            body.extend(token.map(|token| (PAGE_TOKEN.to_owned(), token.into())));
        } else {
            request.query.retain(|(name, _)| name != PAGE_TOKEN);
            request
                .query
                .extend(token.map(|token| (PAGE_TOKEN.to_owned(), token)));
        }
        request
    }
}
