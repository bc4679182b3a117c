//! The journal file: one record per line, locked by one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::Path;

use classify_proto::machine::{Journal, Record};

use crate::error::CliError;
use crate::exit_code::ExitCode;

/// The start of every journal.
const MAGIC: &[u8] = br#"{"record":"run""#;

/// An open journal. It is locked until the process ends.
#[derive(Debug)]
pub(super) struct JournalFile(File);

/// The content of a file.
#[derive(Debug)]
struct Contents {
    journal: Journal,
    /// The number of bytes in complete lines.
    complete_bytes: u64,
    /// Whether the last line is incomplete.
    is_torn: bool,
}

impl JournalFile {
    /// Opens or creates a journal, and reads it. Also returns whether its last line was torn and has been cut off.
    ///
    /// A journal that contains a run can only be resumed, since its jobs are paid for.
    pub(super) fn open(path: &Path, resume: bool) -> Result<(Self, Journal, bool), CliError> {
        let unusable = |what: &str, error: &io::Error| unusable(path, what, error);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| unusable("opened", &error))?;
        let metadata = file.metadata().map_err(|error| unusable("read", &error))?;
        if !metadata.is_file() {
            // A device cannot be resumed.
            return Ok((Self(file), Journal::new(), false));
        }
        check_lock(file.try_lock(), path)?;
        let contents = load(&file, path, resume)?;
        if contents.is_torn {
            file.set_len(contents.complete_bytes)
                .and_then(|()| file.seek(io::SeekFrom::End(0)).map(drop))
                .map_err(|error| unusable("mended", &error))?;
        }
        Ok((Self(file), contents.journal, contents.is_torn))
    }

    /// Appends a record. Afterwards it survives the end of the process, but not a power failure.
    pub(super) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.0.write_all(record.to_line().as_bytes())
    }
}

/// Reads a journal without creating or changing it. Fails if [`JournalFile::open`] would.
pub(super) fn peek(path: &Path, resume: bool) -> Result<Journal, CliError> {
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => {
            check_lock(file.try_lock_shared(), path)?;
            Ok(load(&file, path, resume)?.journal)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(unusable(path, "opened", &error))
        }
        _ => Ok(Journal::new()),
    }
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> CliError {
    CliError::new(
        ExitCode::Unexpected,
        format!("the journal {} cannot be {what}: {error}", path.display()),
    )
}

fn check_lock(locked: Result<(), TryLockError>, path: &Path) -> Result<(), CliError> {
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(CliError::usage(format!(
            "another run is writing to the journal {}",
            path.display()
        ))
        .hint("wait for it, or give this run a journal of its own with --journal")),
        // Some network file systems do not support locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(unusable(path, "locked", &error)),
    }
}

/// Reads a journal. One that contains a run is rejected without `--resume`.
fn load(file: &File, path: &Path, resume: bool) -> Result<Contents, CliError> {
    let contents = read(BufReader::new(file), path)?;
    if contents.journal.is_begun() && !resume {
        let (documents, settled) = contents.journal.counts();
        return Err(CliError::usage(format!(
            "{} is the journal of a run ({settled} of {documents} documents settled)",
            path.display()
        ))
        .hint(
            "--resume goes on with that run; to begin another, give another --journal or remove the file",
        ));
    }
    Ok(contents)
}

/// Whether a file with this content may be a journal, perhaps an incomplete one.
pub(super) fn looks_like_journal(text: &[u8]) -> bool {
    MAGIC.starts_with(text) || text.starts_with(MAGIC)
}

fn read(mut reader: impl BufRead, path: &Path) -> Result<Contents, CliError> {
    let mut contents = Contents {
        journal: Journal::new(),
        complete_bytes: 0,
        is_torn: false,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("the journal {} cannot be read: {error}", path.display()),
            )
        })?;
        if line.is_empty() {
            return Ok(contents);
        }
        let Some(complete) = line.strip_suffix(b"\n") else {
            if contents.complete_bytes == 0 && !looks_like_journal(&line) {
                return Err(CliError::usage(format!(
                    "{} is no journal, and is left as it is",
                    path.display()
                )));
            }
            contents.is_torn = true;
            return Ok(contents);
        };
        contents
            .journal
            .push_line(complete)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
        contents.complete_bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "{\"record\":\"run\",\"v\":1}\n";

    fn message(error: CliError) -> String {
        match error {
            CliError::Report(report) => {
                format!("{} {}", report.message, report.hint.unwrap_or_default())
            }
            CliError::BrokenPipe => String::new(),
        }
    }

    #[test]
    fn journal_is_locked_to_one_process_and_reopened_only_by_resume() {
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
    fn journal_torn_line_is_truncated_and_foreign_file_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        for (text, left) in [
            (format!("{RUN}{{\"record\":\"pl"), RUN),
            ("{\"rec".to_owned(), ""),
        ] {
            std::fs::write(&path, text).unwrap();
            let (_, _, is_torn) = JournalFile::open(&path, true).unwrap();
            assert!(is_torn);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
        for text in ["my thesis", "my\nthesis", "{\"a\": 1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(message(JournalFile::open(&path, true).unwrap_err()).contains("journal"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
