//! The files in a folder, as documents.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use classify_proto::{Error, Failure};
use walkdir::{DirEntry, WalkDir};

use crate::document::Document;

/// The documents in a folder. Made by [`Document::folder`].
pub struct Folder {
    path: PathBuf,
    /// The folder with links resolved: links out of it are not followed.
    root: Option<PathBuf>,
    walk: walkdir::IntoIter,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failure = |error: io::Error| -> Error {
            Failure::content(format!("{}: {error}", path.display()))
                .with_io_kind(error.kind())
                .into()
        };
        let metadata = std::fs::metadata(path).map_err(failure)?;
        if !metadata.is_dir() {
            let reason = "is not a folder; Document::open reads a file";
            return Err(failure(io::Error::new(
                io::ErrorKind::NotADirectory,
                reason,
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            root: path.canonicalize().ok(),
            walk: WalkDir::new(path)
                .follow_links(true)
                .sort_by_file_name()
                .into_iter(),
        })
    }

    fn leads_out(&self, entry: &DirEntry) -> bool {
        let target = || entry.path().canonicalize().ok();
        entry.path_is_symlink()
            && !self
                .root
                .as_ref()
                .is_some_and(|root| target().is_some_and(|target| target.starts_with(root)))
    }
}

impl Iterator for Folder {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            let entry = match self.walk.next()? {
                Ok(entry) => entry,
                // A link back to one of its own folders: its files are in the list already.
                Err(error) if error.loop_ancestor().is_some() => continue,
                // A hidden link that leads nowhere, such as an editor's lock.
                Err(error) if error.depth() > 0 && error.path().is_some_and(is_hidden_path) => {
                    continue;
                }
                Err(error) => {
                    let path = error.path().unwrap_or(&self.path).display().to_string();
                    let reason = format!("{path}: cannot be read: {error}");
                    return Some(Document::unreadable(path, reason));
                }
            };
            let is_folder = entry.file_type().is_dir();
            if entry.depth() > 0 && is_hidden(&entry) {
                if is_folder {
                    self.walk.skip_current_dir();
                }
                continue;
            }
            if is_folder {
                if entry.depth() > 0 && self.leads_out(&entry) {
                    self.walk.skip_current_dir();
                }
                continue;
            }
            // Reading a socket or a pipe would block. Whether a file is empty is found out when it is read.
            if entry.file_type().is_file() {
                return Some(Document::path(entry.into_path()));
            }
        }
    }
}

fn is_hidden_path(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
