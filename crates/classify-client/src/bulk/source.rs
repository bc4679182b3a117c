//! Reads documents from an iterator.

use std::panic::{AssertUnwindSafe, catch_unwind};

use classify_proto::machine::ContentKey;
use classify_proto::{Error, Failure};

use crate::document::{Document, ReadDocument};

/// How many documents are passed by before the run continues.
const MAX_SKIPPED: usize = 256;

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

/// A document that was read.
pub(crate) enum ReadResult {
    Read(Box<ReadDocument>),
    Unreadable(String, Error),
    /// It belongs to another shard, by its content or, if it was not read, by its name.
    OtherShard {
        is_read: bool,
    },
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
    /// Reads the next document that is not of another shard. Blocks. One at a time: an iterator may wait long for its next
    /// document, and the ones before it are classified meanwhile.
    pub(crate) fn read(
        documents: &mut dyn Iterator<Item = Document>,
        shard: Option<Shard>,
    ) -> Self {
        let mut batch = Self::default();
        for _ in 0..MAX_SKIPPED {
            let Some(document) = batch.next(documents) else {
                break;
            };
            let result = ReadResult::read(document, shard);
            let is_of_another_shard = matches!(result, ReadResult::OtherShard { .. });
            batch.documents.push(result);
            if !is_of_another_shard {
                break;
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
        for _ in 0..MAX_SKIPPED {
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

    /// Reads a document. Blocks.
    pub(crate) fn read(document: Document, shard: Option<Shard>) -> Self {
        let name = document.name().to_owned();
        // A reader is the caller's code; its panic is this document's error.
        let read = catch_unwind(AssertUnwindSafe(|| document.read()));
        match read.unwrap_or_else(|_| Err(lost_document(&name))) {
            Ok(document) => {
                let key = document.document.key();
                if shard.is_none_or(|shard| shard.contains(key)) {
                    Self::Read(Box::new(document))
                } else {
                    Self::OtherShard { is_read: true }
                }
            }
            // It has no content, so its name decides.
            Err(_)
                if shard.is_some_and(|shard| !shard.contains(ContentKey::of(name.as_bytes()))) =>
            {
                Self::OtherShard { is_read: false }
            }
            Err(error) => Self::Unreadable(name, error),
        }
    }
}
