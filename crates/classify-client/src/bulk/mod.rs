//! Bulk runs: many documents, each classified once and paid for once.

mod builder;
mod engine;
mod event;
mod finished;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod journal_file;
mod source;

pub use builder::BulkBuilder;
pub(crate) use builder::JournalSource;
pub(crate) use engine::{Engine, EngineEvent};
pub use event::RunEvent;
pub use finished::{DocumentError, Finished};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use journal_file::JournalFile;
#[cfg(feature = "async")]
pub(crate) use source::ReadResult;
pub(crate) use source::{Batch, ReadSettings};

/// A build without files has no journal file.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[derive(Debug)]
pub enum JournalFile {}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
impl JournalFile {
    pub(crate) fn open(
        path: &std::path::Path,
    ) -> Result<(Self, classify_proto::machine::Journal), classify_proto::Error> {
        let path = path.display();
        Err(classify_proto::Error::state(format!(
            "the journal {path} cannot be opened: this build has no file system; store the records of a Bulk machine"
        )))
    }

    pub(crate) fn repair(&mut self) -> Result<(), classify_proto::Error> {
        match *self {}
    }

    pub(crate) fn append(&mut self, _: &str) -> std::io::Result<()> {
        match *self {}
    }
}
