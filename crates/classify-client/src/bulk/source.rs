//! Reads documents from an iterator, some at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use classify_proto::machine::ContentKey;
use classify_proto::{Error, Failure};

use crate::document::{Document, ReadDocument};

/// How much may be read before the run continues.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// How long may be read before the run continues, if there is a document for it.
const BATCH_TIME: Duration = Duration::from_millis(50);
/// How many documents are skipped or found unreadable before the run continues.
const BATCH_DOCUMENTS: usize = 256;

/// A share of the documents: those of shard `index`, from 0, of `count`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub(crate) index: u32,
    pub(crate) count: u32,
}

impl Shard {
    fn contains(self, key: ContentKey) -> bool {
        key.shard(self.count) == self.index
    }
}

/// Measures the time of a batch, on targets with a clock.
struct Stopwatch(
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))] std::time::Instant,
);

impl Stopwatch {
    fn start() -> Self {
        Self(
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            std::time::Instant::now(),
        )
    }

    fn has_passed(&self, time: Duration) -> bool {
        #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
        return self.0.elapsed() >= time;
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        {
            let _ = time;
            false
        }
    }
}

/// A document that was read.
pub(crate) enum ReadResult {
    Read(Box<ReadDocument>),
    Unreadable(String, Error),
    /// It was not read, because the run had stopped.
    Unread(String),
}

/// Some documents of a source.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) documents: Vec<ReadResult>,
    pub(crate) is_end: bool,
    /// The iterator panicked, so that the rest of its documents is unknown.
    pub(crate) is_lost: bool,
}

impl Batch {
    /// Reads up to `most` documents of an iterator. Blocks.
    pub(crate) fn read(
        documents: &mut dyn Iterator<Item = Document>,
        most: usize,
        shard: Option<Shard>,
    ) -> Self {
        let mut batch = Self::default();
        let (mut read, mut bytes) = (0, 0);
        let clock = Stopwatch::start();
        for _ in 0..BATCH_DOCUMENTS {
            // A slow iterator does not keep the documents that it has given.
            if read >= most || bytes >= BATCH_BYTES || (read > 0 && clock.has_passed(BATCH_TIME)) {
                return batch;
            }
            let Some(document) = batch.next(documents) else {
                return batch;
            };
            bytes += document.length_hint();
            if let Some(result) = ReadResult::read(document, shard) {
                read += usize::from(matches!(result, ReadResult::Read(_)));
                batch.documents.push(result);
            }
        }
        batch
    }

    /// Returns the next document, and notes the end.
    fn next(&mut self, documents: &mut dyn Iterator<Item = Document>) -> Option<Document> {
        // The iterator is the caller's code. The documents that it gave before its panic are not lost.
        let next = catch_unwind(AssertUnwindSafe(|| documents.next()));
        self.is_lost = next.is_err();
        let document = next.ok().flatten();
        self.is_end = document.is_none();
        document
    }

    /// Takes the names of documents of an iterator. Nothing is read.
    pub(crate) fn skip(documents: &mut dyn Iterator<Item = Document>) -> Self {
        let mut batch = Self::default();
        for _ in 0..BATCH_DOCUMENTS {
            let Some(document) = batch.next(documents) else {
                return batch;
            };
            let name = document.name().to_owned();
            batch.documents.push(ReadResult::Unread(name));
        }
        batch
    }
}

fn lost_document(name: &str) -> Error {
    Failure::content(format!("{name}: its reader panicked")).into()
}

impl ReadResult {
    /// The document was being read, and the work was lost.
    #[cfg(feature = "async")]
    pub(crate) fn lost(name: String) -> Self {
        let reason = format!("{name}: the thread that read it ended");
        Self::Unreadable(name, Failure::content(reason).into())
    }

    /// Reads a document; `None` if it belongs to another shard. Blocks.
    pub(crate) fn read(document: Document, shard: Option<Shard>) -> Option<Self> {
        let name = document.name().to_owned();
        // A reader is the caller's code; its panic is this document's error.
        let read = catch_unwind(AssertUnwindSafe(|| document.read()));
        match read.unwrap_or_else(|_| Err(lost_document(&name))) {
            Ok(document) => {
                let key = document.document.key();
                let is_ours = shard.is_none_or(|shard| shard.contains(key));
                is_ours.then(|| Self::Read(Box::new(document)))
            }
            // It has no content, so its name decides.
            Err(_)
                if shard.is_some_and(|shard| !shard.contains(ContentKey::of(name.as_bytes()))) =>
            {
                None
            }
            Err(error) => Some(Self::Unreadable(name, error)),
        }
    }
}
