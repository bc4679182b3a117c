//! An object, and its content as a document.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use classify_client::Document;
use classify_proto::files::UploadFile;
use classify_proto::machine::{ContentKey, HashedDocument};
use classify_proto::{Content, ContentSource, Failure, OpenedContent};
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore};

use crate::error;
use crate::object_url::{ObjectUrl, Scheme};
use crate::reader::ObjectReader;
use crate::runtime::Runtime;

/// An object in a store. Returned by [`Stores::stat`](crate::Stores::stat), [`Stores::object`](crate::Stores::object)
/// and [`Stores::list`](crate::Stores::list).
///
/// Two objects are equal if URL, `ETag`, version and size are.
#[derive(Clone)]
pub struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) runtime: Runtime,
    pub(crate) url: ObjectUrl,
    pub(crate) path: Path,
    pub(crate) facts: Option<Facts>,
}

/// The facts that the store reports about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) etag: Option<String>,
    pub(crate) version_id: Option<String>,
    pub(crate) size: u64,
}

impl From<&ObjectMeta> for Facts {
    fn from(meta: &ObjectMeta) -> Self {
        Self {
            etag: meta.e_tag.clone(),
            version_id: meta.version.clone(),
            size: meta.size,
        }
    }
}

impl Facts {
    /// Returns the `ETag` without quotes; `None` if there is none or it is weak, since a weak one may stay if bytes
    /// change. The same object has one with quotes and one without in the listings and responses of Azure.
    fn strong_etag(&self) -> Option<&str> {
        let etag = self.etag.as_deref()?;
        let etag = etag.trim_matches('"');
        (!etag.is_empty() && !etag.starts_with("W/")).then_some(etag)
    }

    fn version(&self) -> Option<String> {
        Some(format!("{} {}", self.strong_etag()?, self.size))
    }

    /// Returns the options to read the same version. A request for a version id would need a further permission, so it
    /// is used only if there is no `ETag`.
    fn conditions(&self, scheme: Scheme) -> GetOptions {
        match (self.strong_etag(), &self.etag) {
            (Some(etag), _) if scheme == Scheme::Az => {
                GetOptions::new().with_if_match(Some(format!("\"{etag}\"")))
            }
            (Some(_), etag) => GetOptions::new().with_if_match(etag.clone()),
            (None, _) => GetOptions::new().with_version(self.version_id.clone()),
        }
    }
}

impl Object {
    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// Returns the size in bytes; `None` for an object of [`Stores::object`](crate::Stores::object).
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        Some(self.facts.as_ref()?.size)
    }

    /// Returns the `ETag` as the store writes it; `None` if the store has none, and for an object of
    /// [`Stores::object`](crate::Stores::object). It is not a hash of the content.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.facts.as_ref()?.etag.as_deref()
    }

    /// Returns the id of the version, or the generation; `None` if the bucket has no versions, and for an object of a
    /// listing of S3.
    #[must_use]
    pub fn version_id(&self) -> Option<&str> {
        self.facts.as_ref()?.version_id.as_deref()
    }

    /// Returns the text by which a journal recognizes the content: the `ETag` without quotes and the size. `None` if the
    /// store has no strong `ETag`, and for an object of [`Stores::object`](crate::Stores::object).
    ///
    /// Keep it with the document's hash, and pass the hash to [`hashed`](Self::hashed) as long as the text is the same.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.facts.as_ref()?.version()
    }

    /// Returns the document. Its content is read when the document is classified: once for the hash, and once for each
    /// attempt of the upload, which fails if the `ETag` or the hash has changed.
    #[must_use]
    pub fn document(&self) -> Document {
        Document::source(ObjectSource {
            name: self.url.to_string(),
            object: self.clone(),
            read: OnceLock::new(),
        })
    }

    /// Returns the document of an object whose hash is known, without reading it. The upload fails if the object's
    /// `ETag` is another than that of this object, or if the content has another hash.
    #[must_use]
    pub fn hashed(&self, key: ContentKey) -> HashedDocument {
        let name = self.url.to_string();
        let last = self.path.filename().unwrap_or_default().to_owned();
        let read = self.facts.clone().map(OnceLock::from).unwrap_or_default();
        let source: Arc<dyn ContentSource> = Arc::new(ObjectSource {
            name: name.clone(),
            object: self.clone(),
            read,
        });
        HashedDocument::upload(name, UploadFile::new(last, Content::Source(source)), key)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        (&self.url, &self.facts) == (&other.url, &other.facts)
    }
}

impl Eq for Object {}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("url", &self.url.to_string())
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// The content of an object.
struct ObjectSource {
    name: String,
    object: Object,
    /// The facts of the first read. Later reads must have the same.
    read: OnceLock<Facts>,
}

impl ContentSource for ObjectSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<OpenedContent, Failure> {
        let Object {
            store,
            runtime,
            url,
            path,
            ..
        } = self.object.clone();
        let expected = self.read.get();
        let options = expected.map(|facts| facts.conditions(url.scheme()));
        let response =
            runtime.run(async move { store.get_opts(&path, options.unwrap_or_default()).await });
        let response = response
            .ok_or_else(|| error::panicked(&url))?
            .map_err(|error| error::failure(&url, &error))?;
        let facts = Facts::from(&response.meta);
        let expected = self.read.get_or_init(|| facts.clone());
        if expected.size != facts.size || expected.strong_etag() != facts.strong_etag() {
            return Err(error::changed(&url));
        }
        let reader = ObjectReader::new(&runtime, url, response.into_stream());
        Ok(OpenedContent::new(reader, facts.size))
    }

    fn version(&self) -> Option<String> {
        match self.read.get() {
            Some(facts) => facts.version(),
            None => self.object.version(),
        }
    }
}

/// The content of an object that could not be listed.
pub(crate) struct Unlisted {
    pub(crate) name: String,
    pub(crate) failure: Failure,
}

impl ContentSource for Unlisted {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<OpenedContent, Failure> {
        Err(self.failure.clone())
    }
}

/// Whether an object does not exist.
pub(crate) fn is_missing(error: &object_store::Error) -> bool {
    error::kind(error) == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(etag: Option<&str>) -> Facts {
        Facts {
            etag: etag.map(str::to_owned),
            version_id: Some("v7".to_owned()),
            size: 5,
        }
    }

    #[test]
    fn version_is_etag_without_quotes_and_size() {
        for (etag, version) in [
            (Some("\"abc-2\""), Some("abc-2 5")),
            (Some("0x8D"), Some("0x8D 5")),
            (Some("W/\"abc\""), None),
            (Some("\"\""), None),
            (None, None),
        ] {
            assert_eq!(facts(etag).version().as_deref(), version, "{etag:?}");
        }
    }

    #[test]
    fn second_read_has_etag_as_condition_or_else_version_id() {
        let options = |etag, scheme| {
            let options = facts(etag).conditions(scheme);
            (options.if_match, options.version)
        };
        let if_match = |etag: &str| (Some(etag.to_owned()), None);
        assert_eq!(options(Some("\"a\""), Scheme::S3), if_match("\"a\""));
        assert_eq!(options(Some("a"), Scheme::S3), if_match("a"));
        assert_eq!(options(Some("a"), Scheme::Az), if_match("\"a\""));
        assert_eq!(options(Some("\"a\""), Scheme::Az), if_match("\"a\""));
        assert_eq!(options(None, Scheme::S3), (None, Some("v7".to_owned())));
    }
}
