//! Reads documents from an iterator.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use classify_proto::machine::{ContentKey, KnownKeys, Record};
use classify_proto::{Error, Failure};

use crate::document::{Document, ReadDocument};

/// The number of documents that are skipped before the run continues.
const MAX_SKIPPED: usize = 256;

/// A part of the documents: shard `index` of `count`, from 0.
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

/// How the documents of a run are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadSettings {
    /// The part of the documents that the run has; `None` for all.
    pub(crate) shard: Option<Shard>,
    /// The sources that an earlier process has hashed.
    pub(crate) known: Arc<KnownKeys>,
}

/// A document that was read.
pub(crate) enum ReadResult {
    Read(Box<ReadDocument>),
    Unreadable(String, Error),
    /// The document belongs to another shard, by its content or, if it could not be read, by its name.
    OtherShard {
        is_read: bool,
        hashed: Option<Box<Record>>,
    },
    /// The document was not read because the run had stopped.
    Unread(String),
}

/// Some documents of a source.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) documents: Vec<ReadResult>,
    pub(crate) is_end: bool,
    /// Whether the iterator panicked, so that its remaining documents are unknown.
    pub(crate) is_lost: bool,
}

impl Batch {
    /// Reads the next document of the shard. Blocks. Only one document is read, because the iterator may wait long for
    /// the next one, and this one is classified meanwhile.
    pub(crate) fn read(
        documents: &mut dyn Iterator<Item = Document>,
        settings: &ReadSettings,
    ) -> Self {
        let mut batch = Self::default();
        for _ in 0..MAX_SKIPPED {
            let Some(document) = batch.next(documents) else {
                break;
            };
            let result = ReadResult::read(document, settings);
            let is_of_another_shard = matches!(result, ReadResult::OtherShard { .. });
            batch.documents.push(result);
            if !is_of_another_shard {
                break;
            }
        }
        batch
    }

    /// Returns the next document, and records whether the iterator has ended.
    fn next(&mut self, documents: &mut dyn Iterator<Item = Document>) -> Option<Document> {
        // The iterator is the caller's code and may panic. The documents before the panic are not lost.
        let next = catch_unwind(AssertUnwindSafe(|| documents.next()));
        self.is_lost = next.is_err();
        let document = next.ok().flatten();
        self.is_end = document.is_none();
        document
    }

    /// Takes the names of the next documents without reading them.
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
    Failure::content(format!("{name}: the reader of the document panicked")).into()
}

impl ReadResult {
    /// Returns the result of a document whose reading thread ended without a result.
    #[cfg(feature = "async")]
    pub(crate) fn lost(name: String) -> Self {
        let reason = format!("{name}: the thread that read the document ended");
        Self::Unreadable(name, Failure::content(reason).into())
    }

    /// Reads a document. Blocks.
    pub(crate) fn read(document: Document, settings: &ReadSettings) -> Self {
        let name = document.name().to_owned();
        let shard = settings.shard;
        // The reader is the caller's code. If it panics, this document has an error.
        let read = catch_unwind(AssertUnwindSafe(|| {
            document.read_unless_known(&settings.known)
        }));
        match read.unwrap_or_else(|_| Err(lost_document(&name))) {
            Ok(document) => {
                let key = document.document.key();
                if shard.is_none_or(|shard| shard.contains(key)) {
                    Self::Read(Box::new(document))
                } else {
                    Self::OtherShard {
                        is_read: true,
                        hashed: document.hashed,
                    }
                }
            }
            // The content is unknown, so the name decides the shard.
            Err(_)
                if shard.is_some_and(|shard| !shard.contains(ContentKey::of(name.as_bytes()))) =>
            {
                Self::OtherShard {
                    is_read: false,
                    hashed: None,
                }
            }
            Err(error) => Self::Unreadable(name, error),
        }
    }
}
