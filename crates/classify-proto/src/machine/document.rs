//! A document with the hash of its content.

use std::path::PathBuf;

use bytes::Bytes;

use crate::content_key::ContentKey;
use crate::error::Error;
use crate::files::UploadFile;

/// A document: its name, the hash of its content, and its source.
///
/// ```
/// use classify_proto::machine::{ContentKey, HashedDocument};
///
/// let document = HashedDocument::bytes("scan.txt", "Invoice 4711");
/// assert_eq!(document.name(), "scan.txt");
/// assert_eq!(document.key(), ContentKey::of(b"Invoice 4711"));
/// ```
#[derive(Debug, Clone)]
pub struct HashedDocument {
    pub(super) name: String,
    pub(super) key: ContentKey,
    pub(super) source: Source,
}

/// The source of a document's content.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// The content is uploaded.
    Upload(Box<UploadFile>),
    /// The service has the content: the id of a file or of a parse job.
    Id(String),
}

impl HashedDocument {
    /// Creates a document from a file on disk. `key` is the hash of its content, which the caller has computed; `name`
    /// is the name in reports.
    ///
    /// The content is hashed again during the upload. If the hash differs from `key`, the upload fails and no job is
    /// created.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the path has no file name.
    pub fn path(
        name: impl Into<String>,
        path: impl Into<PathBuf>,
        key: ContentKey,
    ) -> Result<Self, Error> {
        Ok(Self::upload(name, UploadFile::path(path)?, key))
    }

    /// Creates a document from bytes in memory. The name's extension tells the service the file type.
    #[must_use]
    pub fn bytes(name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        let (name, content) = (name.into(), content.into());
        let key = ContentKey::of(&content);
        let upload = UploadFile::new(file_name(&name), content);
        Self::upload(name, upload, key)
    }

    /// Creates a document from an upload. `key` is the hash of its content.
    #[must_use]
    pub fn upload(name: impl Into<String>, upload: UploadFile, key: ContentKey) -> Self {
        Self {
            name: name.into(),
            key,
            source: Source::Upload(Box::new(upload.content_key(key))),
        }
    }

    /// Creates a document from the id of a file (`dfl-…`) or of a parse job (`pjb-…`) of the service.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            key: ContentKey::of_id(&id),
            name: id.clone(),
            source: Source::Id(id),
        }
    }

    /// Sets the name in reports. The name of the uploaded file does not change.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the hash of the content.
    #[must_use]
    pub fn key(&self) -> ContentKey {
        self.key
    }
}

/// The last part of a path: the service does not receive the directories.
fn file_name(name: &str) -> &str {
    name.rsplit(['/', '\\'])
        .next()
        .filter(|last| !last.is_empty())
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_name_of_document_has_no_folders() {
        let document = HashedDocument::bytes("a/b\\c.txt", "x");
        let Source::Upload(upload) = document.source else {
            panic!()
        };
        assert_eq!(
            (document.name.as_str(), &*upload.name),
            ("a/b\\c.txt", "c.txt")
        );
    }
}
