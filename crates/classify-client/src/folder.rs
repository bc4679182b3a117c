//! The files in a folder, as documents.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use classify_proto::{Error, Failure};
use walkdir::{DirEntry, WalkDir};

use crate::document::Document;

/// The documents in a folder. Made by [`Document::folder`].
///
/// The iterator yields the documents. [`next_entry`](Self::next_entry) also returns the files and folders that are
/// skipped, with the reason:
///
/// ```
/// use classify_client::{Document, FolderEntry};
///
/// let mut folder = Document::folder("src")?;
/// while let Some(entry) = folder.next_entry() {
///     match entry {
///         FolderEntry::File(path) => println!("{}", path.display()),
///         FolderEntry::Skipped(path, reason) => println!("{}: {reason:?}", path.display()),
///         _ => {}
///     }
/// }
/// # Ok::<(), classify_client::classify_proto::Error>(())
/// ```
pub struct Folder {
    path: PathBuf,
    /// The folder with links resolved: links out of it are not followed.
    root: Option<PathBuf>,
    follows_links: bool,
    walk: walkdir::IntoIter,
}

/// An entry of a folder. Paths begin with the path that was passed to [`Document::folder`].
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderEntry {
    /// A file to classify.
    File(PathBuf),
    /// A folder, before its entries. [`Folder::skip_folder`] skips them.
    Folder(PathBuf),
    /// A file or folder that is skipped, with the reason.
    Skipped(PathBuf, SkipReason),
    /// A file or folder that cannot be read, or a link whose target does not exist.
    Unreadable(PathBuf, io::Error),
}

/// The reason why a file or folder is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SkipReason {
    /// The name begins with a period.
    Hidden,
    /// A temporary file of another program; [`Document::folder`] lists them.
    Temporary,
    /// A link to a folder that contains it.
    LinkLoop,
    /// A link to a folder outside of the folder.
    LinkOut,
    /// A pipe, a socket or a device.
    NotRegular,
}

impl SkipReason {
    /// Returns the reason for which [`Folder`] skips a file with this path below the folder, as far as names decide:
    /// [`Hidden`](Self::Hidden) or [`Temporary`](Self::Temporary). For sources that are not folders, such as object
    /// stores.
    ///
    /// ```
    /// use classify_client::SkipReason;
    ///
    /// assert_eq!(SkipReason::of_name("2026/~$letter.docx".as_ref()), Some(SkipReason::Temporary));
    /// assert_eq!(SkipReason::of_name("2026/letter.docx".as_ref()), None);
    /// ```
    #[must_use]
    pub fn of_name(path: &Path) -> Option<Self> {
        let mut parts = path.ancestors();
        let is_temporary_file = parts.next().is_some_and(|path| is_temporary(path, false));
        if path.ancestors().any(is_hidden) {
            Some(Self::Hidden)
        } else if is_temporary_file || parts.any(|folder| is_temporary(folder, true)) {
            Some(Self::Temporary)
        } else {
            None
        }
    }
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
            follows_links: false,
            walk: WalkDir::new(path)
                .follow_links(true)
                .sort_by_file_name()
                .into_iter(),
        })
    }

    /// Sets whether links to folders outside of the folder are followed. `false` by default.
    #[must_use]
    pub fn follow_links(mut self, follows: bool) -> Self {
        self.follows_links = follows;
        self
    }

    /// Returns the next file, folder, skipped entry or error; `None` at the end. The iterator yields only the files and
    /// errors.
    pub fn next_entry(&mut self) -> Option<FolderEntry> {
        loop {
            let entry = match self.walk.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(self.failed_entry(error)),
            };
            let is_folder = entry.file_type().is_dir();
            if entry.depth() == 0 {
                continue;
            }
            let reason = if is_hidden(entry.path()) {
                Some(SkipReason::Hidden)
            } else if is_temporary(entry.path(), is_folder) {
                Some(SkipReason::Temporary)
            } else if is_folder && !self.follows_links && self.leads_out(&entry) {
                Some(SkipReason::LinkOut)
            } else if is_folder || entry.file_type().is_file() {
                None
            } else {
                // Reading a socket or a pipe would block.
                Some(SkipReason::NotRegular)
            };
            if is_folder && reason.is_some() {
                self.walk.skip_current_dir();
            }
            let path = entry.into_path();
            return Some(match reason {
                Some(reason) => FolderEntry::Skipped(path, reason),
                None if is_folder => FolderEntry::Folder(path),
                None => FolderEntry::File(path),
            });
        }
    }

    /// Skips the remaining entries of the current folder: the folder that [`next_entry`](Self::next_entry) returned
    /// last, or else the folder of the entry that it returned last.
    pub fn skip_folder(&mut self) {
        self.walk.skip_current_dir();
    }

    fn failed_entry(&self, error: walkdir::Error) -> FolderEntry {
        let path = error.path().unwrap_or(&self.path).to_owned();
        // A link to a folder that contains it. The files of that folder are yielded already.
        if error.loop_ancestor().is_some() {
            return FolderEntry::Skipped(path, SkipReason::LinkLoop);
        }
        if error.depth() > 0 {
            // Some editors use a link without a target as a lock.
            if is_hidden(&path) {
                return FolderEntry::Skipped(path, SkipReason::Hidden);
            }
            if is_temporary(&path, path.is_dir()) {
                return FolderEntry::Skipped(path, SkipReason::Temporary);
            }
        }
        let error = error
            .into_io_error()
            .unwrap_or_else(|| io::Error::other("cannot be read"));
        FolderEntry::Unreadable(path, error)
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
            match self.next_entry()? {
                // An empty file is reported when it is read.
                FolderEntry::File(path) => return Some(Document::path(path)),
                FolderEntry::Unreadable(path, error) => {
                    return Some(Document::unreadable(&path, &error));
                }
                FolderEntry::Folder(_) | FolderEntry::Skipped(..) => {}
            }
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether the name is that of another program's temporary file.
fn is_temporary(path: &Path, is_folder: bool) -> bool {
    let Some(name) = path.file_name() else {
        return false;
    };
    let name = name.as_encoded_bytes().to_ascii_lowercase();
    if is_folder {
        return name == b"__macosx";
    }
    name == b"thumbs.db"
        || name == b"desktop.ini"
        || name.starts_with(b"~$")
        || name.ends_with(b"~")
        || name.ends_with(b".part")
        || name.ends_with(b".crdownload")
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
