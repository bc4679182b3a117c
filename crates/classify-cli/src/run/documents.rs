//! Reading the documents ahead of the run: one after the other, piece by piece, on a thread of its own.
//!
//! What a document costs hangs on its content's key, so each is read once before it is sent. It is never held in
//! memory; what the run keeps of it is its key and how the file looked.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::SystemTime;

use classify_proto::machine::{ContentHasher, ContentKey, Document as Entrant};

use crate::args::values::Shard;
use crate::exit::{Code, Problem};
use crate::inputs::Document;

/// How many documents are read ahead of the run.
const AHEAD: usize = 64;
/// How much of a file is read at a time.
const PIECE: usize = 64 * 1024;

/// How a file looked when it was read. One that looks otherwise later is another document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

/// What reading a document has shown. Documents are named by their place in the list.
#[derive(Debug)]
pub(super) enum Read {
    Ready {
        place: usize,
        document: Box<Entrant>,
        /// Of a file; an id has none.
        stamp: Option<Stamp>,
    },
    Unreadable {
        place: usize,
        why: String,
    },
    /// Another shard's.
    Elsewhere {
        place: usize,
    },
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    pub(super) fn length(self) -> u64 {
        self.length
    }

    /// Whether the file looks as it did.
    pub(super) fn still_holds(self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| Self::of(&metadata) == self)
    }
}

/// Reads all documents that have no trouble yet, in order and a little ahead of whoever takes them.
pub(super) fn read(
    documents: &Arc<[Document]>,
    shard: Option<Shard>,
) -> Result<Receiver<Read>, Problem> {
    let (sender, receiver) = sync_channel(AHEAD);
    let documents = Arc::clone(documents);
    let work = move || {
        for (place, document) in documents.iter().enumerate() {
            // The receiver is gone when nobody wants the rest.
            if document.trouble.is_none() && sender.send(read_one(place, document, shard)).is_err()
            {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(work)
        .map_err(|error| {
            Problem::new(Code::Unexpected, format!("no thread can be had: {error}"))
        })?;
    Ok(receiver)
}

/// Whether a document that cannot be read is this shard's to tell of: it has no content to go by, so its name decides.
pub(super) fn is_told_here(document: &Document, shard: Option<Shard>) -> bool {
    let name = document.path.as_os_str().as_encoded_bytes();
    shard.is_none_or(|shard| shard.holds(ContentKey::of(name)))
}

fn read_one(place: usize, document: &Document, shard: Option<Shard>) -> Read {
    let name = document.path.to_string_lossy();
    let found = if document.is_id {
        Ok((Entrant::id(name), None))
    } else {
        hash(&document.path).and_then(|(key, stamp)| {
            Entrant::path(name, &document.path, key)
                .map(|entrant| (entrant, Some(stamp)))
                .map_err(|error| error.to_string())
        })
    };
    match found {
        Err(_) if !is_told_here(document, shard) => Read::Elsewhere { place },
        Err(why) => Read::Unreadable { place, why },
        Ok((entrant, _)) if shard.is_some_and(|shard| !shard.holds(entrant.key())) => {
            Read::Elsewhere { place }
        }
        Ok((entrant, stamp)) => Read::Ready {
            place,
            document: Box::new(entrant),
            stamp,
        },
    }
}

fn hash(path: &Path) -> Result<(ContentKey, Stamp), String> {
    let unreadable = |error: std::io::Error| format!("could not be read: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let before = Stamp::of(&file.metadata().map_err(unreadable)?);
    let mut hasher = ContentHasher::new();
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(piece.get(..read).unwrap_or_default());
                length += u64::try_from(read).unwrap_or(u64::MAX);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let after = Stamp::of(&file.metadata().map_err(unreadable)?);
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

    fn read_all(paths: &[&Path], shard: Option<Shard>) -> Vec<Read> {
        let documents: Vec<_> = paths
            .iter()
            .map(|path| Document {
                path: path.to_path_buf(),
                trouble: None,
                is_id: path.starts_with("dfl-1"),
            })
            .collect();
        read(&documents.into(), shard)
            .unwrap()
            .into_iter()
            .collect()
    }

    #[test]
    fn the_key_is_the_content_s_and_the_stamp_the_file_s() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let content = vec![7; PIECE * 2 + 5];
        std::fs::write(&path, &content).unwrap();
        let gone = folder.path().join("gone.txt");
        let found = read_all(&[&path, &gone, Path::new("dfl-1")], None);
        let Read::Ready {
            document,
            stamp: Some(stamp),
            ..
        } = &found[0]
        else {
            panic!("{found:?}")
        };
        assert_eq!(document.key(), ContentKey::of(&content));
        assert!(stamp.still_holds(&path));
        assert!(
            matches!(&found[1], Read::Unreadable { place: 1, why } if why.contains("could not be read"))
        );
        assert!(matches!(&found[2], Read::Ready { stamp: None, .. }));
        std::fs::write(&path, "shorter").unwrap();
        assert!(!stamp.still_holds(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!stamp.still_holds(&path));
    }
}
