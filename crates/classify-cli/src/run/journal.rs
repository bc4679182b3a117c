//! The journal on disk: one process at a time, one line a record, whole lines only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::Path;

use classify_proto::machine::{Journal, Record};

use crate::exit::{Code, Problem};

/// How every journal begins.
const BEGINNING: &[u8] = br#"{"record":"run""#;

/// A journal that is open for its run, and locked for others until the process ends.
#[derive(Debug)]
pub(super) struct JournalFile(File);

/// What was found in a file.
#[derive(Debug)]
struct Found {
    journal: Journal,
    /// How many bytes are whole lines.
    sound: u64,
    torn: bool,
}

impl JournalFile {
    /// Opens a journal, makes it if there is none, and reads what it says; `true` when its last line was torn and
    /// has been cut off.
    ///
    /// A journal that holds a run is only ever gone on with: what it says was paid for.
    pub(super) fn open(path: &Path, resume: bool) -> Result<(Self, Journal, bool), Problem> {
        let unusable = |what: &str, error: &io::Error| unusable(path, what, error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| unusable("opened", &error))?;
        let metadata = file.metadata().map_err(|error| unusable("read", &error))?;
        if !metadata.is_file() {
            // A device holds nothing to go on with.
            return Ok((Self(file), Journal::new(), false));
        }
        only_ours(file.try_lock(), path)?;
        let found = check(&file, path, resume)?;
        if found.torn {
            file.set_len(found.sound)
                .and_then(|()| file.seek(io::SeekFrom::End(0)).map(drop))
                .map_err(|error| unusable("mended", &error))?;
        }
        Ok((Self(file), found.journal, found.torn))
    }

    /// Appends a record. It is with the operating system when this returns, and so outlives the process.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.0.write_all(record.to_line().as_bytes())
    }
}

/// What a journal says, without taking it into use or making it; it is refused where [`JournalFile::open`] would
/// refuse it.
pub(super) fn peek(path: &Path, resume: bool) -> Result<Journal, Problem> {
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
            only_ours(file.try_lock_shared(), path)?;
            Ok(check(&file, path, resume)?.journal)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(unusable(path, "opened", &error))
        }
        _ => Ok(Journal::new()),
    }
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> Problem {
    Problem::new(
        Code::Unexpected,
        format!("the journal {} cannot be {what}: {error}", path.display()),
    )
}

fn only_ours(locked: Result<(), TryLockError>, path: &Path) -> Result<(), Problem> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Problem::usage(format!(
            "another run is writing to the journal {}",
            path.display()
        ))
        .hint("wait for it, or give this run a journal of its own with --journal")),
        // Some network file systems have no locks; that alone is no reason not to run.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(unusable(path, "locked", &error)),
    }
}

/// Reads a journal, and refuses one that must not be begun anew.
fn check(file: &File, path: &Path, resume: bool) -> Result<Found, Problem> {
    let found = read(BufReader::new(file), path)?;
    if found.journal.is_begun() && !resume {
        let (documents, settled) = found.journal.counts();
        return Err(Problem::usage(format!(
            "{} is the journal of a run ({settled} of {documents} documents settled)",
            path.display()
        ))
        .hint(
            "--resume goes on with that run; to begin another, give another --journal or remove the file",
        ));
    }
    Ok(found)
}

/// Whether a file that begins so may be a journal, perhaps one of which only a part was written.
pub(super) fn may_begin(text: &[u8]) -> bool {
    BEGINNING.starts_with(text) || text.starts_with(BEGINNING)
}

fn read(mut reader: impl BufRead, path: &Path) -> Result<Found, Problem> {
    let mut found = Found {
        journal: Journal::new(),
        sound: 0,
        torn: false,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(|error| {
            Problem::new(
                Code::Unexpected,
                format!("the journal {} cannot be read: {error}", path.display()),
            )
        })?;
        if line.is_empty() {
            return Ok(found);
        }
        let Some(whole) = line.strip_suffix(b"\n") else {
            if found.sound == 0 && !may_begin(&line) {
                return Err(Problem::usage(format!(
                    "{} is no journal, and is left as it is",
                    path.display()
                )));
            }
            found.torn = true;
            return Ok(found);
        };
        found
            .journal
            .push_line(whole)
            .map_err(|error| Problem::usage(format!("{}: {error}", path.display())))?;
        found.sound += u64::try_from(line.len()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "{\"record\":\"run\",\"v\":1}\n";

    fn message(problem: Problem) -> String {
        match problem {
            Problem::Told(told) => format!("{} {}", told.message, told.hint.unwrap_or_default()),
            Problem::Pipe => String::new(),
        }
    }

    #[test]
    fn a_journal_belongs_to_one_process_and_one_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let (mut file, journal, _) = JournalFile::open(&path, false).unwrap();
        assert!(!journal.is_begun());
        let record: Record = serde_json::from_str(RUN).unwrap();
        file.append(&record).unwrap();
        let second = JournalFile::open(&path, true).unwrap_err();
        assert!(message(second).contains("another run is writing"));
        drop(file);
        let again = JournalFile::open(&path, false).unwrap_err();
        assert!(message(again).contains("--resume"));
        assert!(JournalFile::open(&path, true).unwrap().1.is_begun());
    }

    #[test]
    fn a_torn_line_is_cut_and_a_stranger_s_file_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        for (text, left) in [
            (format!("{RUN}{{\"record\":\"pl"), RUN),
            ("{\"rec".to_owned(), ""),
        ] {
            std::fs::write(&path, text).unwrap();
            let (_, _, torn) = JournalFile::open(&path, true).unwrap();
            assert!(torn);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
        for text in ["my thesis", "my\nthesis", "{\"a\": 1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(message(JournalFile::open(&path, true).unwrap_err()).contains("journal"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
