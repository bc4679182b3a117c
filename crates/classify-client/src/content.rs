//! The content of a document, opened anew for each attempt.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use classify_proto::{Body, Bytes, Content, Failure, Multipart};

use crate::body::{RequestBody, take};

/// The content of one attempt.
pub(crate) enum OpenContent {
    Bytes(Bytes),
    Reader(ContentReader),
}

/// Why content could not be read to its end.
#[derive(Debug, Clone)]
pub(crate) struct ReadError {
    pub(crate) message: String,
    pub(crate) kind: Option<io::ErrorKind>,
}

impl ReadError {
    /// The failure of the attempt that read the content. The transport has begun to send it.
    pub(crate) fn failure(&self) -> Failure {
        let failure = Failure::content(&*self.message).attempted(true);
        match self.kind {
            Some(kind) => failure.with_io_kind(kind),
            None => failure,
        }
    }
}

/// Content that is read piece by piece: exactly the announced length, however much the source has grown.
pub(crate) struct ContentReader {
    reader: Box<dyn Read + Send + Sync>,
    /// The source's name in errors.
    name: String,
    remaining: u64,
}

impl ContentReader {
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(crate) fn new(
        reader: Box<dyn Read + Send + Sync>,
        name: impl Into<String>,
        length: u64,
    ) -> Self {
        Self {
            reader,
            name: name.into(),
            remaining: length,
        }
    }

    #[cfg(feature = "async")]
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Reads into `buffer`; 0 only at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let most = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.reader.read(&mut buffer[..most]) {
                Ok(0) => {
                    return Err(ReadError {
                        message: format!(
                            "{}: ended {} bytes early; it shrank while it was sent",
                            self.name, self.remaining
                        ),
                        kind: Some(io::ErrorKind::UnexpectedEof),
                    });
                }
                Ok(read) => {
                    self.remaining -= read as u64;
                    return Ok(read);
                }
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

/// Whether the body is a file: opening it needs IO, which must not happen on an async thread.
pub(crate) fn is_file(body: &Body) -> bool {
    matches!(body, Body::Multipart(multipart) if matches!(multipart.content, Content::Path(_)))
}

/// Opens the body of a request for one attempt. A file is opened here, and nowhere else.
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
            ..
        }) => {
            let content = match content {
                Content::Bytes(bytes) => OpenContent::Bytes(bytes),
                Content::Path(path) => OpenContent::Reader(open_file(&path)?),
                _ => return Err(Failure::content("the document's content is missing")),
            };
            Ok(RequestBody::new(head, content, tail))
        }
        _ => Err(Failure::refused(
            "classify-client is older than this kind of body",
        )),
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn open_file(path: &Path) -> Result<ContentReader, Failure> {
    use std::fs::{self, File};

    let failure = |error: io::Error| {
        Failure::content(format!("{}: {error}", path.display())).with_io_kind(error.kind())
    };
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
    let name = path.display().to_string();
    Ok(ContentReader::new(Box::new(file), name, length))
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn open_file(path: &Path) -> Result<ContentReader, Failure> {
    Err(Failure::content(format!(
        "{}: this build has no file system; pass the document's bytes",
        path.display()
    )))
}
