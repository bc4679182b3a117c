//! Reads and hashes the documents ahead of the run, one after the other, on a thread of its own.
//!
//! The transaction id of a document is made from its content, so each is read once before it is sent. The run keeps the
//! content key, and never the content.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use classify_proto::machine::{ContentKey, HashedDocument};

use crate::args::values::Shard;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;

/// How many documents are read ahead.
const READ_AHEAD: usize = 64;

/// The result of reading a document. Documents are identified by their index.
#[derive(Debug)]
pub(super) enum ReadResult {
    Ready {
        index: usize,
        document: Box<HashedDocument>,
        /// Length of the file in bytes; `None` for an id.
        length: Option<u64>,
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
        Ok((HashedDocument::id(name), None))
    } else {
        hash_file(&input.path).and_then(|(key, length)| {
            HashedDocument::path(name, &input.path, key)
                .map(|document| (document, Some(length)))
                .map_err(|error| error.to_string())
        })
    };
    match result {
        Err(_) if !is_in_shard(input, shard) => ReadResult::OtherShard { index },
        Err(reason) => ReadResult::Unreadable { index, reason },
        Ok((document, _)) if shard.is_some_and(|shard| !shard.contains(document.key())) => {
            ReadResult::OtherShard { index }
        }
        Ok((document, length)) => ReadResult::Ready {
            index,
            document: Box::new(document),
            length,
        },
    }
}

/// Returns the key and the length of a file. If it changes later, its upload fails.
fn hash_file(path: &Path) -> Result<(ContentKey, u64), String> {
    let unreadable = |error: std::io::Error| format!("could not be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let key = ContentKey::of_reader(&file).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Err("is empty: 0 bytes".to_owned());
    }
    Ok((key, length))
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
    fn document_key_and_length_are_of_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let content = vec![7; 300_000];
        std::fs::write(&path, &content).unwrap();
        let gone = folder.path().join("gone.txt");
        let found = read_all(&[&path, &gone, Path::new("dfl-1")], None);
        let ReadResult::Ready {
            document,
            length: Some(length),
            ..
        } = &found[0]
        else {
            panic!("{found:?}")
        };
        assert_eq!(document.key(), ContentKey::of(&content));
        assert_eq!(*length, 300_000);
        assert!(
            matches!(&found[1], ReadResult::Unreadable { index: 1, reason } if reason.contains("could not be read"))
        );
        assert!(matches!(&found[2], ReadResult::Ready { length: None, .. }));
    }
}
