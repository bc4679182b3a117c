//! The result of a handler: a reply, or an error in one of the service's two error shapes.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// A reply before it is sent, and before a fault may change it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Empty,
    Json(Value),
    Bytes {
        mime: &'static str,
        bytes: Bytes,
    },
    /// A stored document, streamed from disk.
    File {
        path: std::path::PathBuf,
        length: u64,
    },
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(body),
        }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn created(body: Value) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    pub(crate) fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            content: Content::Empty,
        }
    }

    pub(crate) fn bytes(status: StatusCode, mime: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Bytes {
                mime,
                bytes: bytes.into(),
            },
        }
    }

    pub(crate) fn detail(status: StatusCode, detail: &str) -> Self {
        Self::json(status, json!({ "detail": detail }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An error response of the API.
#[derive(Debug, Clone)]
pub(crate) enum ApiError {
    /// `{"detail": "text"}`
    Detail(StatusCode, String),
    /// 422 with `{"detail": [{loc, msg, type}]}`
    Invalid(Vec<Value>),
}

impl ApiError {
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::Detail(StatusCode::BAD_REQUEST, text.into())
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::Detail(StatusCode::NOT_FOUND, text.into())
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::Detail(StatusCode::CONFLICT, text.into())
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Detail(status, text) => Self::detail(status, &text),
            ApiError::Invalid(errors) => Self::json(
                StatusCode::UNPROCESSABLE_ENTITY,
                json!({ "detail": errors }),
            ),
        }
    }
}

pub(crate) type HandlerResult = Result<Reply, ApiError>;
