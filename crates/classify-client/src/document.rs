//! A document to classify, before its content is read.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use classify_proto::files::UploadFile;
use classify_proto::machine::{ContentKey, HashedDocument, KnownKeys, Record};
use classify_proto::{Bytes, Content, ContentSource, Error, Failure};

use crate::path_name::path_name;

/// A document to classify: a file, bytes, a reader, a [source](Self::source), or the id of a file that was uploaded
/// before.
///
/// The content is read and hashed when the document is classified, and not before. The hash identifies the document:
/// the same content with the same rules is the same job, even under another name.
///
/// ```
/// use classify_client::Document;
///
/// let letter = Document::bytes("letter.txt", "Dear Sir or Madam");
/// assert_eq!(letter.name(), "letter.txt");
/// assert!(Document::open("no-such-file.pdf").is_err());
/// ```
pub struct Document {
    name: String,
    source: Source,
}

enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Reader(Box<dyn Read + Send>),
    Reopened(Arc<dyn ContentSource>),
    Hashed(Box<HashedDocument>),
    /// The document cannot be read, for this reason.
    Unreadable(Box<Failure>),
}

/// A document that was read once, and a file that is deleted when the document is no longer needed.
pub(crate) struct ReadDocument {
    pub(crate) document: HashedDocument,
    pub(crate) file: Option<TemporaryFile>,
    /// The record of a source that was hashed, for the journal.
    pub(crate) hashed: Option<Box<Record>>,
}

impl ReadDocument {
    pub(crate) fn new(document: HashedDocument) -> Self {
        Self {
            document,
            file: None,
            hashed: None,
        }
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) type TemporaryFile = tempfile::TempPath;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) type TemporaryFile = std::convert::Infallible;

impl Document {
    /// Returns the document in a file. Its name is `path` as [`path_name`] writes it; the service receives only the
    /// file name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the file does not exist, is empty, or is not a
    /// regular file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match files::problem(&path) {
            None => Ok(Self::path(path)),
            Some(problem) => Err(problem),
        }
    }

    /// Returns the document in a file that is not checked before it is read. If it cannot be read, the result of the
    /// document is an error. Its name is `path` as [`path_name`] writes it.
    #[must_use]
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            name: path_name(&path),
            source: Source::Path(path),
        }
    }

    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self {
            name: path_name(path),
            source: Source::Unreadable(Box::new(file_failure(path, error))),
        }
    }

    /// Returns a document in memory. The service derives the file type from the extension of `name`, such as `.pdf`.
    #[must_use]
    pub fn bytes(name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            source: Source::Bytes(content.into()),
        }
    }

    /// Returns a document that is read from `reader`, to its end, when it is classified. The service derives the file
    /// type from the extension of `name`.
    ///
    /// Up to 16 MiB are held in memory. A longer document is written to a temporary file, which is deleted when the
    /// document has finished.
    #[must_use]
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self {
            name: name.into(),
            source: Source::Reader(Box::new(reader)),
        }
    }

    /// Returns a document whose content is opened again for each read, such as an object in an object store. Its name is
    /// the [name](ContentSource::name) of the source.
    ///
    /// The source is read once for the hash and once for each attempt of the upload, and is never held as a whole. The
    /// async client reads it on the transport's blocking executor. If the content differs from the hash when it is
    /// uploaded, the document has an error and no job is created. A bulk run with a journal records the
    /// [version](ContentSource::version) that it has read, and does not read the same version again after a resume.
    ///
    /// ```
    /// use classify_client::Document;
    /// use classify_client::classify_proto::{ContentSource, Failure, OpenedContent};
    ///
    /// struct Letter;
    ///
    /// impl ContentSource for Letter {
    ///     fn name(&self) -> &str {
    ///         "letters/4711.txt"
    ///     }
    ///
    ///     fn open(&self) -> Result<OpenedContent, Failure> {
    ///         Ok(OpenedContent::new(&b"Dear Sir"[..], 8))
    ///     }
    /// }
    ///
    /// assert_eq!(Document::source(Letter).name(), "letters/4711.txt");
    /// ```
    #[must_use]
    pub fn source(source: impl ContentSource + 'static) -> Self {
        Self {
            name: source.name().to_owned(),
            source: Source::Reopened(Arc::new(source)),
        }
    }

    /// Returns a document that the service has already: an uploaded file (`dfl-…`) or a parse job (`pjb-…`). Its name
    /// is the id.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        HashedDocument::id(id).into()
    }

    /// Returns an iterator over the files in a folder and its subfolders, sorted by name.
    ///
    /// A link to a file yields the file, also if the file is outside of the folder. A file that is empty or cannot be
    /// read is yielded too, and its result is an error. The folder is read while the iterator advances.
    ///
    /// These are skipped: hidden files and folders, links to folders outside of the folder, anything that is neither a
    /// file nor a folder, and temporary files of other programs: `~$…` (office programs), `…~` (backups of editors),
    /// `….part` and `….crdownload` (incomplete downloads), `Thumbs.db`, `desktop.ini` and the folder `__MACOSX`. To
    /// classify such a file, pass its path to [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the folder does not exist or `path` is not a
    /// folder.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn folder(path: impl AsRef<Path>) -> Result<crate::Folder, Error> {
        crate::folder::Folder::open(path.as_ref())
    }

    /// Sets the name under which the result is reported.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Returns the name under which the result is reported.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads and hashes the content, and returns the document for a [`Bulk`](classify_proto::machine::Bulk) machine
    /// that you run yourself. Blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the document cannot be read, or if a reader has
    /// more than 16 MiB, which would need a temporary file.
    pub fn hash(self) -> Result<HashedDocument, Error> {
        let name = self.name.clone();
        let ReadDocument { document, file, .. } = self.read()?;
        if file.is_some() {
            return Err(unreadable(&format!(
                "{name}: more than 16 MiB cannot be held in memory; write it to a file and use Document::open"
            )));
        }
        Ok(document)
    }

    /// Whether the document is hashed already, so that reading it neither blocks nor takes long.
    #[cfg(feature = "async")]
    pub(crate) fn is_hashed(&self) -> bool {
        matches!(self.source, Source::Hashed(_) | Source::Unreadable(_))
    }

    /// Reads the content and hashes it. Blocks.
    pub(crate) fn read(self) -> Result<ReadDocument, Error> {
        self.read_unless_known(&KnownKeys::default())
    }

    /// Reads the content and hashes it, unless it is a source whose version is known. Blocks.
    pub(crate) fn read_unless_known(self, known: &KnownKeys) -> Result<ReadDocument, Error> {
        let Self { name, source } = self;
        let document = match source {
            Source::Hashed(document) => *document,
            Source::Bytes(content) if content.is_empty() => {
                return Err(unreadable(&format!("{name}: is empty: 0 bytes")));
            }
            Source::Bytes(content) => HashedDocument::bytes(&*name, content),
            Source::Path(path) => files::hash(&name, &path)?,
            Source::Reader(reader) => return files::spool(name, reader),
            Source::Reopened(source) => return read_source(name, &source, known),
            Source::Unreadable(failure) => return Err((*failure).into()),
        };
        Ok(ReadDocument::new(document.named(name)))
    }
}

/// Hashes a source, unless its version is known.
fn read_source(
    name: String,
    source: &Arc<dyn ContentSource>,
    known: &KnownKeys,
) -> Result<ReadDocument, Error> {
    let version = source.version();
    let known = version.and_then(|version| known.get(source.name(), &version));
    let key = match known {
        Some(key) => key,
        None => hash_source(&**source)?,
    };
    let version = source.version().filter(|_| known.is_none());
    let hashed = version.map(|version| {
        Box::new(Record::Hashed {
            key,
            name: source.name().to_owned(),
            version,
        })
    });
    let last = source.name().rsplit('/').next().unwrap_or_default();
    let upload = UploadFile::new(last, Content::Source(Arc::clone(source)));
    Ok(ReadDocument {
        document: HashedDocument::upload(name, upload, key),
        file: None,
        hashed,
    })
}

fn hash_source(source: &dyn ContentSource) -> Result<ContentKey, Error> {
    let name = source.name();
    let content = source.open()?;
    let length = content.length();
    if length == 0 {
        return Err(unreadable(&format!("{name}: is empty: 0 bytes")));
    }
    let mut reader = content.into_reader().take(length);
    let failure = |error| Error::from(io_failure(name, &error).source_lost(true));
    let key = ContentKey::of_reader(&mut reader).map_err(failure)?;
    match reader.limit() {
        0 => Ok(key),
        missing => Err(unreadable(&format!(
            "{name}: ended too early; {missing} of {length} bytes are missing"
        ))),
    }
}

impl From<HashedDocument> for Document {
    fn from(document: HashedDocument) -> Self {
        Self {
            name: document.name().to_owned(),
            source: Source::Hashed(Box::new(document)),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn unreadable(reason: &str) -> Error {
    Failure::content(reason).into()
}

fn unreadable_because(context: impl fmt::Display, error: &io::Error) -> Error {
    io_failure(context, error).into()
}

/// The failure to read a file.
pub(crate) fn file_failure(path: &Path, error: &io::Error) -> Failure {
    io_failure(path.display(), error).source_lost(is_source_lost(path, error.kind()))
}

/// Whether an error of a file says that its folder cannot be read either.
fn is_source_lost(path: &Path, kind: io::ErrorKind) -> bool {
    match kind {
        // The file alone may be gone, or closed to this process.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
            std::fs::read_dir(folder.unwrap_or(Path::new("."))).is_err()
        }
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidData
        | io::ErrorKind::UnexpectedEof => false,
        _ => true,
    }
}

fn io_failure(context: impl fmt::Display, error: &io::Error) -> Failure {
    Failure::content(format!("{context}: {error}")).with_io_kind(error.kind())
}

/// Reading files.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod files {
    use std::fs::{self, File};
    use std::io::{self, Read, Write as _};
    use std::path::Path;

    use classify_proto::Error;
    use classify_proto::files::UploadFile;
    use classify_proto::machine::{ContentHasher, ContentKey, HashedDocument};

    use super::{ReadDocument, file_failure, unreadable, unreadable_because};

    /// The number of bytes of a reader that are held in memory.
    const IN_MEMORY: u64 = 16 * 1024 * 1024;

    /// Returns the error if a path cannot be classified.
    pub(super) fn problem(path: &Path) -> Option<Error> {
        let because = |error: io::Error| file_failure(path, &error).into();
        let of_kind = |kind, reason| because(io::Error::new(kind, reason));
        match fs::metadata(path) {
            Err(error) => Some(because(error)),
            Ok(metadata) if metadata.is_dir() => Some(of_kind(
                io::ErrorKind::IsADirectory,
                "is a folder; use Document::folder to classify the files in it",
            )),
            // Checked before opening: opening a pipe would wait for its writer.
            Ok(metadata) if !metadata.is_file() => Some(of_kind(
                io::ErrorKind::InvalidInput,
                "is not a regular file",
            )),
            Ok(metadata) if metadata.len() == 0 => {
                let shown = path.display();
                Some(unreadable(&format!("{shown}: is empty: 0 bytes")))
            }
            Ok(_) => None,
        }
    }

    pub(super) fn hash(name: &str, path: &Path) -> Result<HashedDocument, Error> {
        if let Some(problem) = problem(path) {
            return Err(problem);
        }
        let failure = |error: io::Error| file_failure(path, &error);
        let file = File::open(path).map_err(failure)?;
        let key = ContentKey::of_reader(file).map_err(failure)?;
        HashedDocument::path(name, path, key)
    }

    /// Copies a reader to memory or to a temporary file.
    pub(super) fn spool(
        name: String,
        mut reader: Box<dyn Read + Send>,
    ) -> Result<ReadDocument, Error> {
        let failure = |error: io::Error| unreadable_because(&name, &error);
        let mut content = Vec::new();
        (&mut reader)
            .take(IN_MEMORY + 1)
            .read_to_end(&mut content)
            .map_err(failure)?;
        if content.is_empty() {
            return Err(unreadable(&format!("{name}: is empty: 0 bytes")));
        }
        if content.len() as u64 <= IN_MEMORY {
            return Ok(ReadDocument::new(HashedDocument::bytes(name, content)));
        }
        let failure = |error: io::Error| {
            let step = format!("{name}: cannot copy to a temporary file");
            unreadable_because(step, &error)
        };
        let mut file = tempfile::NamedTempFile::new().map_err(failure)?;
        let mut hasher = ContentHasher::new();
        hasher.update(&content);
        file.write_all(&content).map_err(failure)?;
        content.truncate(128 * 1024);
        loop {
            match reader.read(&mut content) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&content[..read]);
                    file.write_all(&content[..read]).map_err(failure)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable_because(&name, &error)),
            }
        }
        let path = file.into_temp_path();
        let last = name.rsplit(['/', '\\']).next().unwrap_or(&name).to_owned();
        let upload = UploadFile::new(last, path.to_path_buf());
        Ok(ReadDocument {
            document: HashedDocument::upload(name, upload, hasher.finish()),
            file: Some(path),
            hashed: None,
        })
    }
}

/// A build without files.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod files {
    use std::io::Read;
    use std::path::Path;

    use classify_proto::Error;
    use classify_proto::machine::HashedDocument;

    use super::{ReadDocument, unreadable, unreadable_because};

    pub(super) fn problem(path: &Path) -> Option<Error> {
        Some(no_file_system(path))
    }

    fn no_file_system(path: &Path) -> Error {
        let shown = path.display();
        unreadable(&format!(
            "{shown}: this build has no file system; pass the document's bytes"
        ))
    }

    pub(super) fn hash(_: &str, path: &Path) -> Result<HashedDocument, Error> {
        Err(no_file_system(path))
    }

    pub(super) fn spool(
        name: String,
        mut reader: Box<dyn Read + Send>,
    ) -> Result<ReadDocument, Error> {
        let mut content = Vec::new();
        match reader.read_to_end(&mut content) {
            Ok(0) => Err(unreadable(&format!("{name}: is empty: 0 bytes"))),
            Ok(_) => Ok(ReadDocument::new(HashedDocument::bytes(name, content))),
            Err(error) => Err(unreadable_because(&name, &error)),
        }
    }
}
