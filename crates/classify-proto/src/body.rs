//! Bodies of requests: empty, bytes, or a multipart body with a document.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::content_key::ContentKey;
use crate::content_source::ContentSource;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The body of a request. `Debug` prints only its size, because it may contain a webhook's secret or text of a
/// document.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Body {
    /// No body. A driver sends `Content-Length: 0` with a `POST` and no length with a `GET` or a `DELETE`.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// A document between two pieces of framing, sent in this order.
    Multipart(Multipart),
}

impl Body {
    /// Returns the whole body; `None` if part of it is a file or a source that the driver must open.
    #[must_use]
    pub fn in_memory(&self) -> Option<Bytes> {
        match self {
            Body::Empty => Some(Bytes::new()),
            Body::Bytes(bytes) => Some(bytes.clone()),
            Body::Multipart(Multipart {
                head,
                content: Content::Bytes(bytes),
                tail,
                ..
            }) => {
                let mut whole = Vec::with_capacity(head.len() + bytes.len() + tail.len());
                whole.extend_from_slice(head);
                whole.extend_from_slice(bytes);
                whole.extend_from_slice(tail);
                Some(whole.into())
            }
            Body::Multipart(_) => None,
        }
    }
}

/// One `multipart/form-data` body: a document with the bytes before and after it.
///
/// The length of the body is the sum of the three parts. A driver that opens a path or a source sends exactly as many
/// bytes as the content has at that moment, and opens it again for the next attempt.
#[derive(Clone)]
#[non_exhaustive]
pub struct Multipart {
    /// The bytes before the document.
    pub head: Bytes,
    /// The document, sent after `head`.
    pub content: Content,
    /// The bytes after the document.
    pub tail: Bytes,
    /// The hash of the document, if known. A driver that opens a path or a source compares it with the bytes that it
    /// reads, and fails the request before its last byte if they differ.
    pub content_key: Option<ContentKey>,
    /// Maximum size of the document in bytes; `None` if the request is not validated. A driver that opens a path or a
    /// source fails the request before it sends anything if the content is larger, or empty.
    pub max_content_bytes: Option<u64>,
}

impl Multipart {
    pub(crate) fn new(head: impl Into<Bytes>, content: Content, tail: impl Into<Bytes>) -> Self {
        Self {
            head: head.into(),
            content,
            tail: tail.into(),
            content_key: None,
            max_content_bytes: None,
        }
    }

    pub(crate) fn content_key(mut self, key: Option<ContentKey>) -> Self {
        self.content_key = key;
        self
    }

    pub(crate) fn max_content_bytes(mut self, max: Option<u64>) -> Self {
        self.max_content_bytes = max;
        self
    }
}

/// The content of a document: in memory, on disk, or behind a [`ContentSource`].
///
/// A saved state contains the path, but neither the bytes nor the source of a document: after loading, such content is
/// [`Omitted`](Self::Omitted), and an upload that needs it fails until it is set again. Two sources are equal if they
/// are the same object.
///
/// ```
/// use classify_proto::Content;
///
/// let bytes = Content::from(b"Invoice 4711".to_vec());
/// let file = Content::from(std::path::PathBuf::from("scan.pdf"));
/// # let _ = (bytes, file);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Content {
    /// Bytes in memory. Cloning shares them.
    Bytes(Bytes),
    /// The path of a file, which the driver opens for each attempt.
    Path(PathBuf),
    /// A source that the driver opens for each attempt.
    Source(Arc<dyn ContentSource>),
    /// Content that a saved state does not contain: bytes or a source.
    Omitted,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(ours), Self::Bytes(theirs)) => ours == theirs,
            (Self::Path(ours), Self::Path(theirs)) => ours == theirs,
            (Self::Source(ours), Self::Source(theirs)) => Arc::ptr_eq(ours, theirs),
            (Self::Omitted, Self::Omitted) => true,
            _ => false,
        }
    }
}

impl Eq for Content {}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<PathBuf> for Content {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Arc<dyn ContentSource>> for Content {
    fn from(source: Arc<dyn ContentSource>) -> Self {
        Self::Source(source)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Body::Multipart(multipart) => multipart.fmt(f),
        }
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("head", &format_args!("{} bytes", self.head.len()))
            .field("content", &self.content)
            .field("tail", &format_args!("{} bytes", self.tail.len()))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The text of a document does not belong in a log.
            Content::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Content::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Content::Source(source) => f.debug_tuple("Source").field(&source.name()).finish(),
            Content::Omitted => f.write_str("Redacted"),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedContent {
    Path(PathBuf),
    Omitted,
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Path(path) => SavedContent::Path(path.clone()),
            Content::Bytes(_) | Content::Source(_) | Content::Omitted => SavedContent::Omitted,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match SavedContent::deserialize(deserializer)? {
            SavedContent::Path(path) => Content::Path(path),
            SavedContent::Omitted => Content::Omitted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redact_document_bytes_in_debug_and_saved_state() {
        let content = Content::from(b"canary".to_vec());
        assert_eq!(format!("{content:?}"), "Bytes(6 bytes)");
        let saved = serde_json::to_string(&content).unwrap();
        assert!(!saved.contains("canary"), "{saved}");
        assert_eq!(
            serde_json::from_str::<Content>(&saved).unwrap(),
            Content::Omitted
        );

        let path = Content::from(PathBuf::from("a/b.pdf"));
        let saved = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Content>(&saved).unwrap(), path);
    }

    #[test]
    fn content_source_is_omitted_from_saved_state_and_equal_to_itself() {
        struct Object;
        impl ContentSource for Object {
            fn name(&self) -> &'static str {
                "s3://bucket/a.pdf"
            }

            fn open(&self) -> Result<crate::OpenedContent, crate::Failure> {
                Ok(crate::OpenedContent::new(&b"canary"[..], 6))
            }
        }
        let source = || Content::from(Arc::new(Object) as Arc<dyn ContentSource>);
        let content = source();
        assert_eq!(content, content.clone());
        assert_ne!(content, source());
        assert_eq!(format!("{content:?}"), "Source(\"s3://bucket/a.pdf\")");
        let saved = serde_json::to_string(&content).unwrap();
        assert_eq!(
            serde_json::from_str::<Content>(&saved).unwrap(),
            Content::Omitted
        );
        let body = Body::Multipart(Multipart::new("<", content, ">"));
        assert!(body.in_memory().is_none());
    }

    #[test]
    fn multipart_in_memory_is_head_content_tail() {
        let body = Body::Multipart(Multipart::new("<", Content::from(b"x".to_vec()), ">"));
        assert_eq!(body.in_memory().unwrap(), "<x>");
        let body = Body::Multipart(Multipart::new("<", Content::from(PathBuf::from("x")), ">"));
        assert!(body.in_memory().is_none());
    }

    #[test]
    fn redact_body_debug_shows_size_only() {
        let bytes = || Bytes::from_static(b"canary");
        for (body, shown) in [
            (Body::Empty, "Empty"),
            (Body::Bytes(bytes()), "Bytes(6 bytes)"),
            (
                Body::Multipart(Multipart::new(bytes(), Content::Omitted, bytes())),
                "Multipart { head: 6 bytes, content: Redacted, tail: 6 bytes, .. }",
            ),
        ] {
            assert_eq!(format!("{body:?}"), shown);
        }
    }

    #[cfg(unix)]
    #[test]
    fn saved_state_non_utf8_path_is_an_error() {
        use std::os::unix::ffi::OsStringExt as _;

        use crate::machine::{Call, Saved as _};

        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'a', 0xff]));
        let mut upload = crate::files::UploadFile::new("a.txt", Vec::new());
        upload.set_content(path);
        let error = Call::new(upload, crate::Seed::new([0; 16]))
            .save()
            .unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::State);
        assert!(error.to_string().contains("path"), "{error}");
    }
}
