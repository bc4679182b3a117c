//! The journal file: one record per line, locked by one run at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::Path;

use classify_proto::Error;
use classify_proto::machine::Journal;
use fs4::TryLockError;

/// An open journal. It is locked until it is dropped.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    is_torn: bool,
}

impl JournalFile {
    /// Opens or creates a journal, locks it, and reads it. A last line without its line break was torn by a crash and is
    /// removed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the file is not a journal, has a line that cannot be read,
    /// is locked by another run, or cannot be opened.
    pub fn open(path: &Path) -> Result<(Self, Journal), Error> {
        let failure = |what: &str, error: &dyn std::fmt::Display| {
            Error::state(format!(
                "the journal {} cannot be {what}: {error}",
                path.display()
            ))
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| failure("opened", &error))?;
        let metadata = file.metadata().map_err(|error| failure("read", &error))?;
        if !metadata.is_file() {
            // A device has nothing to resume.
            return Ok((
                Self {
                    file,
                    is_torn: false,
                },
                Journal::new(),
            ));
        }
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason =
                    "another run is writing to it; wait for that run, or use another journal";
                return Err(failure("locked", &reason));
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failure("locked", &error)),
        }
        let (journal, complete_bytes) = read(BufReader::new(&file), path)?;
        let is_torn = complete_bytes < metadata.len();
        if is_torn {
            file.set_len(complete_bytes)
                .and_then(|()| file.seek(io::SeekFrom::End(0)).map(drop))
                .map_err(|error| failure("repaired", &error))?;
        }
        Ok((Self { file, is_torn }, journal))
    }

    /// Whether a torn last line was removed.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Appends records, each a line.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn append(&mut self, records: &str) -> io::Result<()> {
        self.file.write_all(records.as_bytes())
    }
}

/// Reads a journal, and returns the number of bytes in complete lines.
fn read(mut reader: impl BufRead, path: &Path) -> Result<(Journal, u64), Error> {
    let at = |error: &dyn std::fmt::Display| Error::state(format!("{}: {error}", path.display()));
    let mut journal = Journal::new();
    let mut complete_bytes = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        reader
            .read_until(b'\n', &mut line)
            .map_err(|error| at(&error))?;
        let Some(complete) = line.strip_suffix(b"\n") else {
            journal.end(&line).map_err(|error| at(&error.message()))?;
            return Ok((journal, complete_bytes));
        };
        journal
            .push_line(complete)
            .map_err(|error| at(&error.message()))?;
        complete_bytes += line.len() as u64;
    }
}
