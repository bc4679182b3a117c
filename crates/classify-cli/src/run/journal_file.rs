//! Opens the journal of a run. A journal that contains a run needs `--resume`.

use std::path::Path;

use classify_proto::machine::Journal;
use classify_ureq::classify_client::JournalFile;

use crate::error::CliError;
use crate::exit_code::ExitCode;

/// Opens or creates a journal, and reads it. A journal that contains a run can only be resumed, since its jobs are paid
/// for.
pub(super) fn open(path: &Path, resume: bool) -> Result<(JournalFile, Journal), CliError> {
    // This is checked before the file is created.
    peek(path, resume)?;
    JournalFile::open(path).map_err(|error| unusable(&error))
}

/// Reads a journal without creating or changing it. Fails if [`open`] would.
pub(super) fn peek(path: &Path, resume: bool) -> Result<Journal, CliError> {
    let journal = JournalFile::peek(path).map_err(|error| unusable(&error))?;
    if journal.is_begun() && !resume {
        let (documents, finished) = journal.counts();
        return Err(CliError::usage(format!(
            "{} is the journal of a run ({finished} of {documents} documents finished)",
            path.display()
        ))
        .hint(
            "--resume resumes that run; another --journal starts a new run, which pays again with --fresh or --retry-failed",
        ));
    }
    Ok(journal)
}

/// Whether a file with this content may be a journal, perhaps an incomplete one.
pub(super) fn looks_like_journal(text: &[u8]) -> bool {
    Journal::new().end(text).is_ok()
}

fn unusable(error: &classify_proto::Error) -> CliError {
    match error.io_kind() {
        Some(_) => CliError::new(ExitCode::Unexpected, error.message()),
        None => CliError::usage(error.message()),
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
        let (mut file, journal) = open(&path, false).unwrap();
        assert!(!journal.is_begun());
        file.append(RUN).unwrap();
        let second = open(&path, true).unwrap_err();
        assert!(message(second).contains("another run is writing"));
        drop(file);
        let again = open(&path, false).unwrap_err();
        assert!(message(again).contains("--resume"));
        assert!(open(&path, true).unwrap().1.is_begun());
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
            let (mut file, _) = open(&path, true).unwrap();
            assert!(file.is_torn());
            file.repair().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
        }
        for text in ["my thesis", "my\nthesis", "{\"a\": 1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(message(open(&path, true).unwrap_err()).contains("journal"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
