//! URLs of objects and prefixes.

use std::fmt;
use std::str::FromStr;

use classify_proto::Error;
use object_store::path::Path;

/// The URL of an object, of a prefix or of a bucket: `s3://bucket/scans/a.pdf`, `gs://bucket/scans/`, `az://container`.
///
/// ```
/// use classify_object_store::ObjectUrl;
///
/// let url: ObjectUrl = "s3://bucket/scans/a b.pdf".parse()?;
/// assert_eq!((url.bucket(), url.key()), ("bucket", "scans/a b.pdf"));
/// assert!(!url.is_prefix());
/// assert_eq!(url.to_string(), "s3://bucket/scans/a b.pdf");
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectUrl {
    scheme: Scheme,
    bucket: String,
    key: String,
}

/// The scheme of an [`ObjectUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// `s3://`: Amazon S3, and services with its API.
    S3,
    /// `gs://`: Google Cloud Storage.
    Gs,
    /// `az://`: Azure Blob Storage.
    Az,
}

impl Scheme {
    /// Returns the scheme as it is written in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }
}

impl ObjectUrl {
    /// Returns whether a text begins with a scheme of object stores, so that it is a URL and not a path.
    #[must_use]
    pub fn is_object_url(text: &str) -> bool {
        split_scheme(text).is_some()
    }

    /// Returns the scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the name of the bucket or container.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the key of the object, or the prefix; empty for a bucket.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns whether the URL names a bucket or ends with `/`, and so cannot be that of an object.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// Returns the URL of another key in the same bucket.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the key is invalid.
    pub fn with_key(&self, key: impl Into<String>) -> Result<Self, Error> {
        let url = Self {
            key: key.into(),
            ..self.clone()
        };
        url.path()?;
        Ok(url)
    }

    /// Returns the key below a prefix: the part after the prefix and its `/`. Returns the whole key if the prefix is a
    /// bucket or not a prefix of this URL.
    #[must_use]
    pub fn key_below(&self, prefix: &Self) -> &str {
        let folder = prefix.key.strip_suffix('/').unwrap_or(&prefix.key);
        let below = self.key.strip_prefix(folder);
        below
            .and_then(|below| below.strip_prefix('/'))
            .unwrap_or(&self.key)
    }

    /// Returns the URL of the bucket.
    pub(crate) fn bucket_url(&self) -> Self {
        Self {
            key: String::new(),
            ..self.clone()
        }
    }

    /// Returns the URL of a listed object.
    pub(crate) fn at(&self, path: &Path) -> Self {
        Self {
            key: path.as_ref().to_owned(),
            ..self.clone()
        }
    }

    /// Returns the key as a path of the store.
    pub(crate) fn path(&self) -> Result<Path, Error> {
        if self.key.starts_with('/') {
            return Err(invalid("has a key that begins with /"));
        }
        Path::parse(&self.key).map_err(|_| {
            invalid(
                "has a key with an empty part, a part `.` or `..`, or a control character, which is not supported",
            )
        })
    }
}

impl FromStr for ObjectUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = split_scheme(text) else {
            return Err(invalid("does not begin with s3://, gs:// or az://"));
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_valid = |c: char| c.is_ascii_alphanumeric() || "-_.@$".contains(c);
        if bucket.is_empty() || !bucket.chars().all(is_valid) {
            return Err(invalid(
                "has no valid bucket; write s3://bucket/key, gs://bucket/key or az://container/key",
            ));
        }
        let url = Self {
            scheme,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        url.path()?;
        Ok(url)
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}://{}/{}", self.bucket, self.key)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let known = [Scheme::S3, Scheme::Gs, Scheme::Az];
    let is = |known: &Scheme| scheme.eq_ignore_ascii_case(known.as_str());
    Some((known.into_iter().find(is)?, rest))
}

fn invalid(what: &str) -> Error {
    Error::invalid("url", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ObjectUrl {
        text.parse().unwrap()
    }

    #[test]
    fn object_url_keeps_key_as_it_is() {
        for text in [
            "s3://bucket/a.pdf",
            "s3://bucket/2026/a%20b?c#d.pdf",
            "gs://b-1/ü ñ/[x]*.pdf",
            "az://container@account/a/",
            "az://$web/a",
        ] {
            assert_eq!(url(text).to_string(), text);
            assert_eq!(
                url(text).path().unwrap().as_ref(),
                url(text).key().trim_end_matches('/')
            );
        }
        assert_eq!(url("S3://bucket").to_string(), "s3://bucket/");
        assert!(url("s3://bucket").is_prefix() && url("s3://bucket/a/").is_prefix());
        assert!(!url("s3://bucket/a").is_prefix());
    }

    #[test]
    fn object_url_that_no_store_can_address_is_rejected() {
        for (text, reason) in [
            ("https://bucket/a", "does not begin with"),
            ("bucket/a", "does not begin with"),
            ("s3:///a", "no valid bucket"),
            ("s3://", "no valid bucket"),
            ("s3://key:secret@bucket/a", "no valid bucket"),
            ("s3://bucket?x/a", "no valid bucket"),
            ("s3://bucket/a//b", "empty part"),
            ("s3://bucket//a", "begins with /"),
            ("s3://bucket/../a", "`..`"),
            ("s3://bucket/a\nb", "control character"),
        ] {
            let error = text.parse::<ObjectUrl>().unwrap_err();
            assert!(error.is_invalid(), "{text}");
            assert!(error.to_string().contains(reason), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn object_url_key_below_prefix_has_no_prefix() {
        for (key, prefix, below) in [
            ("s3://b/a/b/c.pdf", "s3://b/a", "b/c.pdf"),
            ("s3://b/a/b/c.pdf", "s3://b/a/", "b/c.pdf"),
            ("s3://b/a/b/c.pdf", "s3://b", "a/b/c.pdf"),
            ("s3://b/ab/c.pdf", "s3://b/a", "ab/c.pdf"),
        ] {
            assert_eq!(url(key).key_below(&url(prefix)), below, "{key} {prefix}");
        }
    }
}
