//! Hints for missing paths: a `~` that was not expanded by a shell, and URLs.

use std::path::Path;

/// The hint for a `~` that was not expanded by a shell.
pub(crate) const UNEXPANDED_HOME: &str = "~ is expanded only by a shell, and not in quotes: write \"$HOME/…\", or ./~/… for a folder named ~";
/// The hint for a URL.
const URL: &str = "a URL is not a path: download the file and use its path";
/// The hint for the URL of an object, which only a build with the feature reads.
const OBJECT_URL: &str = "this build does not read object stores: use the binary of a release, or build classify-cli with the feature `cloud`; or download the object and use its path";
/// The hint for the URL of a local file.
const FILE_URL: &str = "a URL is not a path: remove file://";

/// Whether a path begins with a `~` that a shell would have replaced by the home directory.
pub(crate) fn is_unexpanded_home(path: &str) -> bool {
    path.strip_prefix('~')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(std::path::is_separator))
}

/// Returns a hint if a missing path is a URL or begins with `~/`.
pub(crate) fn path_hint(path: &Path) -> Option<&'static str> {
    let text = path.to_str()?;
    if is_unexpanded_home(text) {
        return Some(UNEXPANDED_HOME);
    }
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    if !is_scheme {
        None
    } else if scheme.eq_ignore_ascii_case("file") {
        Some(FILE_URL)
    } else {
        Some(URL)
    }
}

/// Returns a hint if the missing path of a document is a URL or begins with `~/`. With the feature `cloud`, the URL of an
/// object is not a missing path.
pub(crate) fn document_hint(path: &Path) -> Option<&'static str> {
    let scheme = path.to_str()?.split_once("://").map(|(scheme, _)| scheme);
    let is = |known: &&str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(known));
    if ["s3", "gs", "az"].iter().any(is) {
        return (!cfg!(feature = "cloud")).then_some(OBJECT_URL);
    }
    path_hint(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_hint_is_for_urls_and_unexpanded_home() {
        for (path, hint) in [
            ("https://example.com/a.pdf?sig=x", Some(URL)),
            ("HTTP://example.com/*.pdf", Some(URL)),
            ("s3://bucket/key", Some(URL)),
            ("file:///tmp/a.pdf", Some(FILE_URL)),
            ("~/a.pdf", Some(UNEXPANDED_HOME)),
            ("~", Some(UNEXPANDED_HOME)),
            ("~a.pdf", None),
            ("./~/a.pdf", None),
            ("a.pdf", None),
            ("a b://c", None),
            ("://c", None),
        ] {
            assert_eq!(path_hint(Path::new(path)), hint, "{path}");
        }
        let object = (!cfg!(feature = "cloud")).then_some(OBJECT_URL);
        for url in ["s3://bucket/key", "GS://bucket", "az://container/a*.pdf"] {
            assert_eq!(document_hint(Path::new(url)), object, "{url}");
        }
        assert_eq!(document_hint(Path::new("ftp://host/key")), Some(URL));
    }
}
