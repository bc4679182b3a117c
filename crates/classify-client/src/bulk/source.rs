//! Reads documents from an iterator, some at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use classify_proto::{Error, Failure};

use crate::document::{Document, ReadDocument};

/// How much may be read before the run continues.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// How many documents are skipped or found unreadable before the run continues.
const BATCH_DOCUMENTS: usize = 256;

/// A share of the documents: those of shard `index`, from 0, of `count`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub(crate) index: u32,
    pub(crate) count: u32,
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
    #[cfg(feature = "async")]
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
        for _ in 0..BATCH_DOCUMENTS {
            if read >= most || bytes >= BATCH_BYTES {
                return batch;
            }
            let Some(document) = documents.next() else {
                batch.is_end = true;
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

    /// Takes the names of documents of an iterator. Nothing is read.
    pub(crate) fn skip(documents: &mut dyn Iterator<Item = Document>) -> Self {
        let mut batch = Self::default();
        for _ in 0..BATCH_DOCUMENTS {
            let Some(document) = documents.next() else {
                batch.is_end = true;
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
                let is_ours = shard
                    .is_none_or(|shard| document.document.key().shard(shard.count) == shard.index);
                is_ours.then(|| Self::Read(Box::new(document)))
            }
            Err(error) => Some(Self::Unreadable(name, error)),
        }
    }
}
