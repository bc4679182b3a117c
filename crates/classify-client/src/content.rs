//! The content of a document, which is opened again for each attempt.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use classify_proto::machine::{ContentHasher, ContentKey};
use classify_proto::{Body, Bytes, Content, ContentSource, Failure, Multipart};

use crate::body::{RequestBody, take};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use crate::document::file_failure;

/// The content of one attempt.
pub(crate) enum OpenContent {
    Bytes(Bytes),
    Reader(ContentReader),
}

/// The reason why content could not be read to its end.
#[derive(Debug, Clone)]
pub(crate) struct ReadError {
    pub(crate) message: String,
    pub(crate) kind: Option<io::ErrorKind>,
}

impl ReadError {
    /// Returns the failure of the attempt that read the content. Part of the content may have been sent.
    pub(crate) fn failure(&self) -> Failure {
        let failure = Failure::content(&*self.message).attempted(true);
        match self.kind {
            // An open file whose folder is gone can still be read.
            Some(kind) => failure
                .with_io_kind(kind)
                .source_lost(kind != io::ErrorKind::UnexpectedEof),
            None => failure,
        }
    }
}

/// Content that is read in pieces. It yields exactly the announced length, even if the source has grown.
pub(crate) struct ContentReader {
    reader: Box<dyn Read + Send + Sync>,
    /// The source's name in errors.
    name: String,
    /// The bytes that were not handed out yet.
    remaining: u64,
    check: Option<Box<ContentCheck>>,
}

/// Compares content with its key while it is read. The last bytes are held back until the key is known to be right, so
/// that a document that has changed is never sent completely.
struct ContentCheck {
    expected: ContentKey,
    hasher: ContentHasher,
    /// The last bytes. Set when they have been read and the key is right.
    tail: Bytes,
}

/// Makes a reader that is only used by one thread at a time shareable, as some transports require of a body.
struct Exclusive(Mutex<Box<dyn Read + Send>>);

impl Read for Exclusive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reader = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        reader.read(buffer)
    }
}

/// The number of bytes that are held back.
const HELD_BACK: u64 = 4096;

impl ContentReader {
    pub(crate) fn new(
        reader: Box<dyn Read + Send + Sync>,
        name: impl Into<String>,
        length: u64,
    ) -> Self {
        Self {
            reader,
            name: name.into(),
            remaining: length,
            check: None,
        }
    }

    /// Fails the read before its last byte if the content has another key.
    pub(crate) fn expect(mut self, key: ContentKey) -> Self {
        self.check = Some(Box::new(ContentCheck {
            expected: key,
            hasher: ContentHasher::new(),
            tail: Bytes::new(),
        }));
        self
    }

    #[cfg(feature = "async")]
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Reads into `buffer` and returns the number of bytes; 0 only at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if buffer.is_empty() || self.remaining == 0 {
            return Ok(0);
        }
        let is_checked = self.check.is_some();
        let held_back = if is_checked { HELD_BACK } else { 0 };
        let read = if self.remaining > held_back {
            let most = usize::try_from(self.remaining - held_back).unwrap_or(usize::MAX);
            let most = most.min(buffer.len());
            let read = self.read_source(&mut buffer[..most])?;
            if let Some(check) = &mut self.check {
                check.hasher.update(&buffer[..read]);
            }
            read
        } else {
            if self
                .check
                .as_ref()
                .is_some_and(|check| check.tail.is_empty())
            {
                self.read_tail()?;
            }
            let tail = self.check.as_mut().map(|check| &mut check.tail);
            tail.map_or(0, |tail| take(tail, buffer))
        };
        self.remaining -= read as u64;
        Ok(read)
    }

    /// Reads the bytes that are held back, and compares the key.
    fn read_tail(&mut self) -> Result<(), ReadError> {
        let mut tail = vec![0; usize::try_from(self.remaining).unwrap_or_default()];
        let mut filled = 0;
        while filled < tail.len() {
            filled += self.read_source(&mut tail[filled..])?;
        }
        if let Some(check) = &mut self.check {
            check.hasher.update(&tail);
            if check.hasher.clone().finish() != check.expected {
                return Err(ReadError {
                    message: changed(&self.name),
                    kind: None,
                });
            }
            check.tail = tail.into();
        }
        Ok(())
    }

    /// Reads at least one byte of the source.
    fn read_source(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.reader.read(buffer) {
                Ok(0) => {
                    return Err(ReadError {
                        message: format!(
                            "{}: became shorter while it was sent; {} bytes are missing",
                            self.name, self.remaining
                        ),
                        kind: Some(io::ErrorKind::UnexpectedEof),
                    });
                }
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(ReadError {
                        message: format!("{}: {error}", self.name),
                        kind: Some(error.kind()),
                    });
                }
            }
        }
    }
}

/// Returns the error of content that has changed since its key was computed.
fn changed(name: &str) -> String {
    format!("{name}: changed since its content was hashed; no job was created for it")
}

impl OpenContent {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Reader(reader) => reader.remaining,
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        match self {
            Self::Bytes(bytes) => Ok(take(bytes, buffer)),
            Self::Reader(reader) => reader.read(buffer),
        }
    }
}

impl fmt::Debug for OpenContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length())
    }
}

/// Whether opening the body needs IO, which must not block an async thread.
pub(crate) fn needs_io(body: &Body) -> bool {
    matches!(body, Body::Multipart(multipart) if matches!(multipart.content, Content::Path(_) | Content::Source(_)))
}

/// Opens the body of a request for one attempt. Files and sources are opened only here.
pub(crate) fn open(body: Body) -> Result<RequestBody, Failure> {
    let empty = Bytes::new;
    match body {
        Body::Empty => Ok(RequestBody::new(
            empty(),
            OpenContent::Bytes(empty()),
            empty(),
        )),
        Body::Bytes(bytes) => Ok(RequestBody::new(
            bytes,
            OpenContent::Bytes(empty()),
            empty(),
        )),
        Body::Multipart(Multipart {
            head,
            content,
            tail,
            content_key,
            max_content_bytes,
            ..
        }) => {
            let content = match content {
                Content::Bytes(bytes) => OpenContent::Bytes(bytes),
                Content::Path(path) => {
                    OpenContent::Reader(open_file(&path, content_key, max_content_bytes)?)
                }
                Content::Source(source) => {
                    OpenContent::Reader(open_source(&*source, content_key, max_content_bytes)?)
                }
                _ => return Err(Failure::content("the request has no document content")),
            };
            Ok(RequestBody::new(head, content, tail))
        }
        _ => Err(Failure::refused(
            "this version of classify-client does not support this kind of request body",
        )),
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn open_file(
    path: &Path,
    key: Option<ContentKey>,
    max_bytes: Option<u64>,
) -> Result<ContentReader, Failure> {
    use std::fs::{self, File};

    let failure = |error: io::Error| file_failure(path, &error);
    // Checked before opening: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(failure)?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::InvalidInput
        };
        return Err(failure(io::Error::new(kind, "is not a regular file")));
    }
    let file = File::open(path).map_err(failure)?;
    let length = file.metadata().map_err(failure)?.len();
    checked_reader(
        Box::new(file),
        path.display().to_string(),
        length,
        key,
        max_bytes,
    )
}

fn open_source(
    source: &dyn ContentSource,
    key: Option<ContentKey>,
    max_bytes: Option<u64>,
) -> Result<ContentReader, Failure> {
    let content = source.open()?;
    let length = content.length();
    let reader = Box::new(Exclusive(Mutex::new(content.into_reader())));
    checked_reader(reader, source.name().to_owned(), length, key, max_bytes)
}

/// Returns a reader of content that the service accepts, and that is compared with its key.
fn checked_reader(
    reader: Box<dyn Read + Send + Sync>,
    name: String,
    length: u64,
    key: Option<ContentKey>,
    max_bytes: Option<u64>,
) -> Result<ContentReader, Failure> {
    match key {
        // Empty content is never read, so its key is compared here.
        Some(key) if length == 0 && key != ContentKey::of(b"") => {
            Err(Failure::content(changed(&name)))
        }
        _ if max_bytes.is_some() && length == 0 => Err(Failure::content(format!(
            "{name}: is empty; the service refuses an empty file"
        ))),
        _ if max_bytes.is_some_and(|max| length > max) => Err(Failure::content(format!(
            "{name}: is too large: {length} bytes; the service takes at most {}",
            max_bytes.unwrap_or_default()
        ))),
        Some(key) => Ok(ContentReader::new(reader, name, length).expect(key)),
        None => Ok(ContentReader::new(reader, name, length)),
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn open_file(path: &Path, _: Option<ContentKey>, _: Option<u64>) -> Result<ContentReader, Failure> {
    Err(Failure::content(format!(
        "{}: this build has no file system; pass the document's bytes",
        path.display()
    )))
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use classify_proto::files::{MAX_FILE_BYTES, UploadFile};
    use classify_proto::{Api, Operation as _, Seed};

    use super::*;

    fn open_upload(path: &Path, validate: bool) -> Result<RequestBody, Failure> {
        let api = Api::builder("llx-1").validate(validate).build().unwrap();
        let mut upload = UploadFile::path(path).unwrap();
        upload.prepare(Seed::new([1; 16]));
        open(upload.build_request(&api).unwrap().into_body())
    }

    /// Nothing is sent of a file that the service would reject: 512 MiB would be sent before its 413.
    #[test]
    fn upload_of_empty_or_too_large_file_fails_before_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pdf");
        for (length, problem) in [
            (0, Some("is empty")),
            (1, None),
            (MAX_FILE_BYTES, None),
            (MAX_FILE_BYTES + 1, Some("is too large: 536870913 bytes")),
        ] {
            // A sparse file, which takes no disk space.
            std::fs::File::create(&path)
                .unwrap()
                .set_len(length)
                .unwrap();
            match (open_upload(&path, true), problem) {
                (Ok(_), None) => {}
                (Err(failure), Some(problem)) => {
                    assert!(failure.to_string().contains(problem), "{failure:?}");
                    assert_eq!(failure.kind(), classify_proto::FailureKind::Content);
                }
                (opened, _) => panic!("{length}: {:?}", opened.map(drop)),
            }
            assert!(open_upload(&path, false).is_ok(), "{length}");
        }
    }
}
