//! The journal file: one record per line, locked by one run at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::Path;

use classify_proto::Error;
use classify_proto::machine::Journal;
use fs4::TryLockError;

/// An open journal file. It is locked until it is dropped.
///
/// Usually `BulkBuilder::journal` opens the file. Open it yourself to examine a journal, or to use it with a machine
/// that you run yourself:
///
/// ```no_run
/// use std::path::Path;
///
/// use classify_client::JournalFile;
///
/// let (file, journal) = JournalFile::open(Path::new("run.journal"))?;
/// println!("torn: {}, {journal:?}", file.is_torn());
/// # Ok::<(), classify_client::classify_proto::Error>(())
/// ```
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    is_torn: bool,
    /// The length of the file without its torn line; `None` once the line is removed.
    repaired_length: Option<u64>,
}

impl JournalFile {
    /// Opens or creates a journal, locks it, and returns the file and its content. A last line without a line break was
    /// cut off by a crash and is ignored; [`repair`](Self::repair) removes it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the file cannot be opened, is locked by another run,
    /// is not a journal, or has an invalid line.
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
            // A device, such as `/dev/null`, has nothing to resume.
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

    /// Removes a torn last line. Call it when the journal is known to belong to this run. [`append`](Self::append)
    /// calls it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the file cannot be changed.
    pub fn repair(&mut self) -> Result<(), Error> {
        self.remove_torn_line().map_err(|error| {
            Error::state(format!(
                "cannot remove the incomplete last line of the journal: {error}"
            ))
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

    /// Reads a journal without creating, locking or changing it. Returns an empty journal if the file does not exist.
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

    /// Returns whether the last line was cut off when the file was opened.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Appends records, one per line, and repairs the file before if necessary.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
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

/// Returns the journal, and the number of bytes in complete lines.
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
