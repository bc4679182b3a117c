//! Documents of submitted locations: paths that every worker sees.
//!
//! This module alone knows the kinds of locations. URLs of object stores are rejected with an error for now.

use std::path::{Path, PathBuf};

use classify_proto::Error;
use classify_proto::machine::HashedDocument;
use classify_reqwest::classify_client::{name_path, path_name};
use classify_reqwest::{Document, FolderEntry};

use crate::error::CliError;

/// Whether a location is a URL, such as `s3://bucket/key`.
pub(crate) fn is_url(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    })
}

/// Reads and hashes the document at a submitted location.
///
/// # Errors
///
/// The document cannot be read now.
pub(crate) async fn open(location: &str) -> Result<HashedDocument, String> {
    if is_url(location) {
        return Err(url_error(location));
    }
    let path = name_path(location);
    let reading = tokio::task::spawn_blocking(move || Document::path(path).hash());
    match reading.await {
        Ok(read) => read.map_err(|error: Error| error.to_string()),
        Err(_) => Err(format!("{location}: the thread that read it ended")),
    }
}

fn url_error(location: &str) -> String {
    format!(
        "{location}: documents in object stores are not supported; submit a path that every worker sees"
    )
}

/// Returns the locations of the documents of an argument: the files of a folder, a path or a URL.
///
/// Paths are absolute, because workers run in other folders.
///
/// # Errors
///
/// The path does not exist, or the folder cannot be read.
pub(crate) fn find(argument: &Path) -> Result<Box<dyn Iterator<Item = String> + Send>, CliError> {
    if let Some(url) = argument.to_str().filter(|text| is_url(text)) {
        return Err(CliError::usage(url_error(url)));
    }
    let path = absolute(argument)?;
    if path.is_dir() {
        let mut folder = Document::folder(&path)?;
        let files = std::iter::from_fn(move || {
            loop {
                // A file that cannot be read is reported when it is hashed.
                if let FolderEntry::File(path) | FolderEntry::Unreadable(path, _) =
                    folder.next_entry()?
                {
                    return Some(path_name(&path));
                }
            }
        });
        return Ok(Box::new(files));
    }
    if !path.exists() {
        return Err(CliError::usage(format!(
            "{} does not exist",
            argument.display()
        )));
    }
    Ok(Box::new(std::iter::once(path_name(&path))))
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_rejected_with_the_remedy() {
        for url in [
            "s3://bucket/key",
            "gs://b/k",
            "az://c/b",
            "https://example.com/a.pdf",
        ] {
            assert!(is_url(url));
            let Err(CliError::Report(report)) = find(Path::new(url)) else {
                panic!("{url} was accepted");
            };
            assert!(
                format!("{report:?}").contains("object stores"),
                "{report:?}"
            );
        }
        assert!(!is_url("/a/b://c"));
    }
}
