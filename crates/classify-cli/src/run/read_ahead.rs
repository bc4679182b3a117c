//! Reads and hashes the documents ahead of the run, one after the other, on a thread of its own.
//!
//! The transaction id of a document is made from its content, so each is read once before it is sent. The run keeps the
//! content key and a fingerprint of the file, and never the content.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::SystemTime;

use classify_proto::machine::{ContentHasher, ContentKey, HashedDocument as BulkDocument};

use crate::args::values::Shard;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;

/// How many documents are read ahead.
const READ_AHEAD: usize = 64;
/// The size of a read in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Length and modification time of a file when it was read. If they differ later, the file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileFingerprint {
    length: u64,
    modified: Option<SystemTime>,
}

/// The result of reading a document. Documents are identified by their index.
#[derive(Debug)]
pub(super) enum ReadResult {
    Ready {
        index: usize,
        document: Box<BulkDocument>,
        /// `None` for an id.
        fingerprint: Option<FileFingerprint>,
    },
    Unreadable {
        index: usize,
        reason: String,
    },
    /// The document belongs to another shard.
    OtherShard {
        index: usize,
    },
}

impl FileFingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    pub(super) fn length(self) -> u64 {
        self.length
    }

    /// Whether the file is unchanged.
    pub(super) fn still_matches(self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == self)
    }
}

/// Reads all documents without an error, in order, on a thread. The receiver gets the results.
pub(super) fn spawn_reader(
    inputs: &Arc<[Input]>,
    shard: Option<Shard>,
) -> Result<Receiver<ReadResult>, CliError> {
    let (sender, receiver) = sync_channel(READ_AHEAD);
    let inputs = Arc::clone(inputs);
    let work = move || {
        for (index, input) in inputs.iter().enumerate() {
            // The receiver is dropped when the run has ended.
            if input.error.is_none() && sender.send(read_one(index, input, shard)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(work)
        .map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("no thread can be had: {error}"),
            )
        })?;
    Ok(receiver)
}

/// Whether a document that cannot be read belongs to a shard. It has no content, so its name decides.
pub(super) fn is_in_shard(input: &Input, shard: Option<Shard>) -> bool {
    let name = input.path.as_os_str().as_encoded_bytes();
    shard.is_none_or(|shard| shard.contains(ContentKey::of(name)))
}

fn read_one(index: usize, input: &Input, shard: Option<Shard>) -> ReadResult {
    let name = input.path.to_string_lossy();
    let result = if input.is_id {
        Ok((BulkDocument::id(name), None))
    } else {
        hash_file(&input.path).and_then(|(key, fingerprint)| {
            BulkDocument::path(name, &input.path, key)
                .map(|document| (document, Some(fingerprint)))
                .map_err(|error| error.to_string())
        })
    };
    match result {
        Err(_) if !is_in_shard(input, shard) => ReadResult::OtherShard { index },
        Err(reason) => ReadResult::Unreadable { index, reason },
        Ok((document, _)) if shard.is_some_and(|shard| !shard.contains(document.key())) => {
            ReadResult::OtherShard { index }
        }
        Ok((document, fingerprint)) => ReadResult::Ready {
            index,
            document: Box::new(document),
            fingerprint,
        },
    }
}

fn hash_file(path: &Path) -> Result<(ContentKey, FileFingerprint), String> {
    let unreadable = |error: std::io::Error| format!("could not be read: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let before = FileFingerprint::of(&file.metadata().map_err(unreadable)?);
    let mut hasher = ContentHasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut length = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(chunk.get(..read).unwrap_or_default());
                length += u64::try_from(read).unwrap_or(u64::MAX);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let after = FileFingerprint::of(&file.metadata().map_err(unreadable)?);
    if before != after || length != after.length {
        return Err("changed while it was being read".to_owned());
    }
    if length == 0 {
        return Err("is empty: 0 bytes".to_owned());
    }
    Ok((hasher.finish(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(paths: &[&Path], shard: Option<Shard>) -> Vec<ReadResult> {
        let inputs: Vec<_> = paths
            .iter()
            .map(|path| Input {
                path: path.to_path_buf(),
                error: None,
                is_id: path.starts_with("dfl-1"),
            })
            .collect();
        spawn_reader(&inputs.into(), shard)
            .unwrap()
            .into_iter()
            .collect()
    }

    #[test]
    fn document_key_is_of_content_and_stamp_detects_file_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let content = vec![7; CHUNK_BYTES * 2 + 5];
        std::fs::write(&path, &content).unwrap();
        let gone = folder.path().join("gone.txt");
        let found = read_all(&[&path, &gone, Path::new("dfl-1")], None);
        let ReadResult::Ready {
            document,
            fingerprint: Some(fingerprint),
            ..
        } = &found[0]
        else {
            panic!("{found:?}")
        };
        assert_eq!(document.key(), ContentKey::of(&content));
        assert!(fingerprint.still_matches(&path));
        assert!(
            matches!(&found[1], ReadResult::Unreadable { index: 1, reason } if reason.contains("could not be read"))
        );
        assert!(matches!(
            &found[2],
            ReadResult::Ready {
                fingerprint: None,
                ..
            }
        ));
        std::fs::write(&path, "shorter").unwrap();
        assert!(!fingerprint.still_matches(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!fingerprint.still_matches(&path));
    }
}
