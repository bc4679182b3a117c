//! Objects in object stores: URLs of objects and prefixes, and globs.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use classify_object_store::{Object, ObjectEntry, ObjectUrl, Stores};
use classify_proto::{Error, Failure};

use super::glob::{PathMatcher, is_glob, literal_base};
use super::{Finder, Input, InputKind};
use crate::error::CliError;

/// The stores of a search, and the objects whose facts are known.
#[derive(Debug, Default)]
pub(super) struct ObjectSearch {
    stores: Option<Stores>,
    stated: HashMap<ObjectUrl, Result<Object, Error>>,
}

impl ObjectSearch {
    fn stores(&mut self) -> Result<&Stores, CliError> {
        if self.stores.is_none() {
            self.stores = Some(Stores::from_env()?);
        }
        self.stores
            .as_ref()
            .ok_or_else(|| CliError::usage("object stores cannot be opened"))
    }

    fn stat(&mut self, url: &ObjectUrl) -> Result<Result<Object, Error>, CliError> {
        match self.stated.remove(url) {
            Some(stated) => Ok(stated),
            None => Ok(self.stores()?.stat(url)),
        }
    }
}

/// Returns the text of an argument that is the URL of an object or a prefix, and not an existing path.
pub(super) fn object_url(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    (ObjectUrl::is_object_url(text) && !argument.exists()).then_some(text)
}

impl Finder<'_> {
    /// Requests the facts of all objects among the arguments, many at once.
    pub(super) fn stat_objects(&mut self, arguments: &[PathBuf]) -> Result<(), CliError> {
        let urls = arguments.iter().filter_map(|argument| object_url(argument));
        let urls: Vec<ObjectUrl> = urls
            .filter_map(|text| text.parse().ok())
            .filter(|url: &ObjectUrl| !url.is_prefix() && !is_glob(Path::new(url.key())))
            .collect();
        if urls.len() > 1 {
            let stated = self.objects.stores()?.stat_all(urls.iter().cloned());
            self.objects.stated.extend(urls.into_iter().zip(stated));
        }
        Ok(())
    }

    /// Adds an object, the objects below a prefix, or those that match a glob.
    pub(super) fn add_object_url(&mut self, text: &str) -> Result<(), CliError> {
        let url: ObjectUrl = match text.parse() {
            Ok(url) => url,
            Err(error) => {
                self.add_unlisted(text, &error);
                return Ok(());
            }
        };
        let mut missing = None;
        if !url.is_prefix() {
            match self.objects.stat(&url)? {
                Ok(object) => {
                    self.add_object(object, url.key());
                    return Ok(());
                }
                Err(error) if is_missing_object(&error) => missing = Some(error),
                Err(error) => {
                    self.add_unlisted(text, &error);
                    return Ok(());
                }
            }
        }
        if is_glob(Path::new(url.key())) {
            return self.add_object_glob(&url);
        }
        let before = self.count();
        let is_listed = self.list_objects(&url, &url, None)?;
        let is_empty = self.count() == before;
        match missing {
            Some(error) if is_listed && is_empty && self.found.skipped.total() == 0 => {
                let reason = format!("{}, and there is none below it", reason(&error));
                self.add_object_error(text, reason);
            }
            _ => {
                self.found.has_source |= is_listed;
                if is_listed && is_empty {
                    self.found
                        .notes
                        .push(format!("{url} contains no documents"));
                }
            }
        }
        Ok(())
    }

    fn add_object_glob(&mut self, url: &ObjectUrl) -> Result<(), CliError> {
        let glob = Path::new(url.key());
        let matcher = PathMatcher::new(glob)?;
        let base = literal_base(glob);
        let prefix = url.with_key(base.to_str().unwrap_or_default())?;
        let is_match = |path: &Path| {
            // A folder that matches includes everything in it.
            path.ancestors()
                .take_while(|part| part.as_os_str().len() > base.as_os_str().len())
                .any(|part| matcher.is_match(part))
        };
        let before = self.count();
        let is_listed = self.list_objects(&prefix, url, Some(&is_match))?;
        self.found.has_source |= is_listed;
        if is_listed && self.count() == before {
            self.found.notes.push(format!("{url} matches no object"));
        }
        Ok(())
    }

    /// Adds the objects below a prefix whose keys match. Returns `false` if they cannot be listed; `argument` has the
    /// error then.
    fn list_objects(
        &mut self,
        prefix: &ObjectUrl,
        argument: &ObjectUrl,
        is_match: Option<&dyn Fn(&Path) -> bool>,
    ) -> Result<bool, CliError> {
        let objects = match self.objects.stores()?.list(prefix) {
            Ok(objects) => objects,
            Err(error) => {
                self.add_unlisted(&argument.to_string(), &error);
                return Ok(false);
            }
        };
        let is_in_scope = |url: &ObjectUrl| is_match.is_none_or(|glob| glob(Path::new(url.key())));
        for entry in objects {
            match entry {
                Ok(ObjectEntry::Object(object)) if is_in_scope(object.url()) => {
                    let relative = object.url().key_below(prefix).to_owned();
                    self.add_object(object, &relative);
                }
                Ok(ObjectEntry::Skipped(url, reason)) if is_in_scope(&url) => {
                    self.count_skipped(PathBuf::from(url.to_string()), reason);
                }
                Ok(_) => {}
                Err(error) => {
                    self.add_unlisted(&argument.to_string(), &error);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Adds an object. `relative` is its key below the prefix that was given.
    fn add_object(&mut self, object: Object, relative: &str) {
        if !self.search.filter.is_wanted(Path::new(relative)) {
            self.found.skipped.excluded += 1;
            return;
        }
        let path = PathBuf::from(object.url().to_string());
        let error = self.size_problem(object.size().unwrap_or_default());
        self.add(Input {
            path,
            error,
            kind: InputKind::Object(Some(Box::new(object))),
        });
    }

    fn add_unlisted(&mut self, text: &str, error: &Error) {
        self.add_object_error(text, reason(error));
    }

    fn add_object_error(&mut self, text: &str, reason: String) {
        self.add(Input {
            path: PathBuf::from(text),
            error: Some(reason),
            kind: InputKind::Object(None),
        });
    }
}

/// Returns an error without the URL, which the row has.
fn reason(error: &Error) -> String {
    let Some(failure) = error.failure() else {
        return error.to_string();
    };
    let text = failure.to_string();
    match text.split_once(": ") {
        Some((url, reason)) if ObjectUrl::is_object_url(url) => reason.to_owned(),
        _ => text,
    }
}

/// Whether an object does not exist, and not its bucket.
fn is_missing_object(error: &Error) -> bool {
    let is_lost = error.failure().is_some_and(Failure::is_source_lost);
    error.io_kind() == Some(io::ErrorKind::NotFound) && !is_lost
}
