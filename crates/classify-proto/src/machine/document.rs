//! A document whose content key is known.

use std::path::PathBuf;

use bytes::Bytes;

use crate::content_key::ContentKey;
use crate::error::Error;
use crate::files::UploadFile;

/// A document whose content key is known: its name, its key, and where its content is.
#[derive(Debug, Clone)]
pub struct HashedDocument {
    pub(super) name: String,
    pub(super) key: ContentKey,
    pub(super) source: Source,
}

/// Where a document's content is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// To be uploaded.
    Upload(Box<UploadFile>),
    /// With the service: a file's or a parse job's id.
    Id(String),
}

impl HashedDocument {
    /// A file on disk. `key` is the key of its content, which the caller has read; `name` is what the run reports it as.
    ///
    /// The content is compared with `key` while it is uploaded: if it differs, the upload fails and no job is created.
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

    /// A document held in memory. Its name's extension tells the service what it is.
    #[must_use]
    pub fn bytes(name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        let (name, content) = (name.into(), content.into());
        let key = ContentKey::of(&content);
        let upload = UploadFile::new(file_name(&name), content);
        Self::upload(name, upload, key)
    }

    /// A document that is uploaded in this way. `key` is the key of its content.
    #[must_use]
    pub fn upload(name: impl Into<String>, upload: UploadFile, key: ContentKey) -> Self {
        Self {
            name: name.into(),
            key,
            source: Source::Upload(Box::new(upload.content_key(key))),
        }
    }

    /// A file (`dfl-…`) or a parse job (`pjb-…`) of the service, named by its id.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            key: ContentKey::of_id(&id),
            name: id.clone(),
            source: Source::Id(id),
        }
    }

    /// Sets the name that results are reported under. The name of the uploaded file does not change.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the run reports it as.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of its content.
    #[must_use]
    pub fn key(&self) -> ContentKey {
        self.key
    }
}

/// The last part of a name, which is all that a service should see of a path.
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
