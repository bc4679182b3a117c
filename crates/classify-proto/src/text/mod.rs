//! Text in and out of the wire: open enums, timestamps, URLs, path segments, queries, multipart framing, error bodies.

pub(crate) mod error_body;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod lenient;
pub(crate) mod mask;
pub(crate) mod multipart;
pub(crate) mod open_enum;
pub(crate) mod redact;
pub(crate) mod response_object;
pub(crate) mod retry_after;
pub(crate) mod timestamp;
pub(crate) mod url;
pub(crate) mod url_parts;
