//! Documents of submitted locations: paths that every worker sees, and objects in object stores.
//!
//! This module alone knows the kinds of locations.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use classify_object_store::{ObjectEntry, ObjectUrl, Stores};
use classify_proto::Error;
use classify_proto::machine::HashedDocument;
use classify_reqwest::classify_client::{name_path, path_name};
use classify_reqwest::{Document, FolderEntry};

use crate::error::CliError;

/// The locations of documents, or the errors of finding them.
pub(crate) type Locations = Box<dyn Iterator<Item = Result<String, CliError>> + Send>;

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
    let owned = location.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        if is_url(&owned) {
            let url: ObjectUrl = owned.parse()?;
            stores()?.object(&url)?.document().hash()
        } else {
            Document::path(name_path(&owned)).hash()
        }
    });
    match reading.await {
        Ok(read) => read.map_err(|error: Error| error.to_string()),
        Err(_) => Err(format!("{location}: the thread that read it ended")),
    }
}

/// Returns the object stores of this process, which have one background thread.
pub(crate) fn stores() -> Result<Stores, Error> {
    static STORES: Mutex<Option<Stores>> = Mutex::new(None);
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stores) = &*stores {
        return Ok(stores.clone());
    }
    Ok(stores.insert(Stores::from_env()?).clone())
}

/// Returns the locations of the documents of an argument: the files of a folder, the objects below a prefix, a path or a
/// URL.
///
/// Paths are absolute, because workers run in other folders.
///
/// # Errors
///
/// The path does not exist, the folder or the store cannot be read, or the URL is not of an object store. An error of a
/// listing is an item of the iterator.
pub(crate) fn find(argument: &Path) -> Result<Locations, CliError> {
    if let Some(url) = argument.to_str().filter(|text| is_url(text)) {
        return find_objects(url);
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
                    return Some(Ok(path_name(&path)));
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
    Ok(Box::new(std::iter::once(Ok(path_name(&path)))))
}

fn find_objects(url: &str) -> Result<Locations, CliError> {
    let usage = |error: Error| CliError::usage(error.to_string());
    let parsed: ObjectUrl = url.parse().map_err(usage)?;
    if !parsed.is_prefix() {
        return Ok(Box::new(std::iter::once(Ok(url.to_owned()))));
    }
    let mut objects = stores()
        .and_then(|stores| stores.list(&parsed))
        .map_err(usage)?;
    let urls = std::iter::from_fn(move || {
        loop {
            // A page of the listing may be requested.
            match tokio::task::block_in_place(|| objects.next())? {
                Ok(ObjectEntry::Object(object)) => return Some(Ok(object.url().to_string())),
                Ok(_) => {}
                Err(error) => return Some(Err(CliError::usage(error.to_string()))),
            }
        }
    });
    Ok(Box::new(urls))
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_object_stores() {
        for url in ["s3://bucket/key", "gs://b/k", "az://c/b"] {
            assert!(is_url(url));
            let found: Vec<_> = find(Path::new(url)).unwrap().map(Result::unwrap).collect();
            assert_eq!(found, [url]);
        }
        for url in ["https://example.com/a.pdf", "s4://b/k"] {
            let Err(CliError::Report(report)) = find(Path::new(url)) else {
                panic!("{url} was accepted");
            };
            assert!(format!("{report:?}").contains("s3://"), "{report:?}");
        }
        assert!(!is_url("/a/b://c"));
    }
}
