//! A request's body on its way out, read piece by piece.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use classify_proto::{Body, Bytes, Content, Failure, Multipart};

/// A body of known length that notes how far it got and what went wrong with its own content.
///
/// How far it got decides about money: a request whose body was never touched did not reach the service.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    head: Bytes,
    document: Document,
    tail: Bytes,
    length: u64,
    touched: bool,
    trouble: Option<String>,
}

#[derive(Debug)]
enum Document {
    Bytes(Bytes),
    File {
        file: File,
        path: PathBuf,
        left: u64,
    },
}

impl Default for Document {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl Outgoing {
    /// Takes a body, and opens its file where it has one.
    pub(crate) fn open(body: Body) -> Result<Self, Failure> {
        let (head, content, tail) = match body {
            Body::Empty => return Ok(Self::default()),
            Body::Bytes(bytes) => {
                return Ok(Self {
                    length: size(&bytes),
                    head: bytes,
                    ..Self::default()
                });
            }
            Body::Multipart(Multipart {
                head,
                content,
                tail,
                ..
            }) => (head, content, tail),
            _ => return Err(Failure::refused("the driver is older than the body's kind")),
        };
        let (document, middle) = match content {
            Content::Bytes(bytes) => {
                let length = size(&bytes);
                (Document::Bytes(bytes), length)
            }
            Content::Path(path) => open_file(path)?,
            _ => return Err(Failure::content("the document's content is not at hand")),
        };
        Ok(Self {
            length: (size(&head) + size(&tail)).saturating_add(middle),
            head,
            document,
            tail,
            touched: false,
            trouble: None,
        })
    }

    /// How many bytes will be sent.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether any of it was handed to the transport.
    pub(crate) fn touched(&self) -> bool {
        self.touched
    }

    /// Why the content could not be read to its end.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

impl Read for Outgoing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.touched |= self.length > 0;
        if !self.head.is_empty() {
            return Ok(take(&mut self.head, buffer));
        }
        match read_document(&mut self.document, buffer) {
            Ok(0) => Ok(take(&mut self.tail, buffer)),
            Ok(read) => Ok(read),
            Err(message) => {
                self.trouble = Some(message.clone());
                Err(io::Error::other(message))
            }
        }
    }
}

fn size(bytes: &Bytes) -> u64 {
    bytes.len() as u64
}

fn take(from: &mut Bytes, buffer: &mut [u8]) -> usize {
    let piece = from.split_to(from.len().min(buffer.len()));
    buffer[..piece.len()].copy_from_slice(&piece);
    piece.len()
}

fn open_file(path: PathBuf) -> Result<(Document, u64), Failure> {
    let failure = |error: &io::Error| Failure::content(describe(&path, &error.to_string()));
    // Asked before opening, because opening a pipe would wait for its other end.
    if !fs::metadata(&path)
        .map_err(|error| failure(&error))?
        .is_file()
    {
        return Err(Failure::content(describe(&path, "is not a regular file")));
    }
    let file = File::open(&path).map_err(|error| failure(&error))?;
    let left = file.metadata().map_err(|error| failure(&error))?.len();
    Ok((Document::File { file, path, left }, left))
}

/// Reads what was announced and no more, however much the file has grown.
fn read_document(document: &mut Document, buffer: &mut [u8]) -> Result<usize, String> {
    match document {
        Document::Bytes(bytes) => Ok(take(bytes, buffer)),
        Document::File { left: 0, .. } => Ok(0),
        Document::File { file, path, left } => {
            let most = usize::try_from(*left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            loop {
                match file.read(&mut buffer[..most]) {
                    Ok(0) => {
                        let what = format!("ended {left} bytes early; it shrank while it was sent");
                        return Err(describe(path, &what));
                    }
                    Ok(read) => {
                        *left -= read as u64;
                        return Ok(read);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(describe(path, &error.to_string())),
                }
            }
        }
    }
}

fn describe(path: &Path, what: &str) -> String {
    format!("{}: {what}", path.display())
}
