//! Content that a driver opens again for each read.

use std::fmt;
use std::io::Read;

use crate::reply::Failure;

/// Content that can be opened any number of times, such as an object in an object store.
///
/// It is read once to compute its hash and once for each attempt of the upload, always from its start, and never held
/// as a whole. Use it in [`Content::Source`](crate::Content::Source).
///
/// ```
/// use classify_proto::{ContentSource, Failure, OpenedContent};
///
/// struct Row(u64);
///
/// impl ContentSource for Row {
///     fn name(&self) -> &str {
///         "letters/4711.txt"
///     }
///
///     fn open(&self) -> Result<OpenedContent, Failure> {
///         // Here a program would send a query to its database.
///         let text = format!("Letter {}", self.0).into_bytes();
///         let length = text.len() as u64;
///         Ok(OpenedContent::new(std::io::Cursor::new(text), length))
///     }
/// }
///
/// assert_eq!(Row(4711).open()?.length(), 11);
/// # Ok::<(), Failure>(())
/// ```
pub trait ContentSource: Send + Sync {
    /// Returns the name in errors, such as a URL without secrets. The part after the last `/` is the name of the
    /// uploaded file, and its extension tells the service the file type.
    fn name(&self) -> &str;

    /// Opens the content at its start. May block; clients call it outside of async threads.
    ///
    /// # Errors
    ///
    /// Returns a [`Failure::content`] whose message names the content. Set
    /// [`source_lost`](Failure::source_lost) and [`with_io_kind`](Failure::with_io_kind) if other documents of the
    /// same source cannot be read either.
    fn open(&self) -> Result<OpenedContent, Failure>;

    /// Returns a text that differs if the content differs, such as an `ETag` with a size; `None` if there is none, which
    /// is the default. May block.
    ///
    /// It is called before the content is read, and must return the version that was read once it was opened. A bulk run
    /// records that version in its journal, and does not read the content again if a resumed run finds the same version.
    fn version(&self) -> Option<String> {
        None
    }
}

/// Content that was opened, at its start.
pub struct OpenedContent {
    reader: Box<dyn Read + Send>,
    length: u64,
}

impl OpenedContent {
    /// Creates it from a reader that returns `length` bytes.
    ///
    /// An upload sends exactly `length` bytes. It fails if the reader returns fewer, and ignores further ones.
    pub fn new(reader: impl Read + Send + 'static, length: u64) -> Self {
        Self {
            reader: Box::new(reader),
            length,
        }
    }

    /// Returns the length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the reader.
    #[must_use]
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        self.reader
    }
}

impl fmt::Debug for OpenedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedContent")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
