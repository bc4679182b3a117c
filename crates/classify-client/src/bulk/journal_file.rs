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
    /// The length of the file without its torn line, until it is removed.
    repaired_length: Option<u64>,
}

impl JournalFile {
    /// Opens or creates a journal, locks it, and reads it. A last line without its line break was torn by a crash, and is
    /// not read; [`repair`](Self::repair) removes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the file is not a journal, has a line that cannot be read,
    /// is locked by another run, or cannot be opened.
    pub fn open(path: &Path) -> Result<(Self, Journal), Error> {
        let failure = |what: &str, error: &io::Error| unusable(path, what, error);
        let file = OpenOptions::new()
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
                    repaired_length: None,
                },
                Journal::new(),
            ));
        }
        check_lock(fs4::FileExt::try_lock(&file), path)?;
        let (journal, complete_bytes) = read(BufReader::new(&file), path)?;
        let is_torn = complete_bytes < metadata.len();
        let journal_file = Self {
            file,
            is_torn,
            repaired_length: is_torn.then_some(complete_bytes),
        };
        Ok((journal_file, journal))
    }

    /// Removes a torn last line. [`append`](Self::append) does so too; call it once it is known that the journal is of this
    /// run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the file cannot be changed.
    pub fn repair(&mut self) -> Result<(), Error> {
        self.remove_torn_line().map_err(|error| {
            Error::state(format!("the journal cannot be repaired: {error}"))
                .with_io_kind(error.kind())
        })
    }

    fn remove_torn_line(&mut self) -> io::Result<()> {
        if let Some(length) = self.repaired_length {
            self.file.set_len(length)?;
            self.file.seek(io::SeekFrom::End(0))?;
            self.repaired_length = None;
        }
        Ok(())
    }

    /// Reads a journal without creating or changing it. An empty journal if there is no file.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn peek(path: &Path) -> Result<Journal, Error> {
        match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
                check_lock(fs4::FileExt::try_lock_shared(&file), path)?;
                Ok(read(BufReader::new(file), path)?.0)
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unusable(path, "opened", &error))
            }
            _ => Ok(Journal::new()),
        }
    }

    /// Whether the last line was torn when the file was opened.
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
        self.remove_torn_line()?;
        self.file.write_all(records.as_bytes())
    }
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> Error {
    let path = path.display();
    Error::state(format!("the journal {path} cannot be {what}: {error}")).with_io_kind(error.kind())
}

fn check_lock(locked: Result<(), TryLockError>, path: &Path) -> Result<(), Error> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::state(format!(
            "another run is writing to the journal {}; wait until that run has ended",
            path.display()
        ))),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(unusable(path, "locked", &error)),
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
            .map_err(|error| unusable(path, "read", &error))?;
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
