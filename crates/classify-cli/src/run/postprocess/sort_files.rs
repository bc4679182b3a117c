//! Sorts files into folders by type.

use std::collections::BTreeMap;

use classify_ureq::classify_client::path_name;

use super::move_files::{FileMover, MoveOutcome};
use crate::args::folder_template::{FolderTemplate, folder_name};
use crate::cancel::{Cancel, StopReason};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;
use crate::printer::{Printer, counted};
use crate::run::row::{FileAction, FileActionResult, FileOutcome, Row};

/// How many failures are printed one by one; the report has all of them.
const MAX_PRINTED_FAILURES: usize = 100;

/// Moves or copies files into folders.
#[derive(Debug)]
pub(in crate::run) struct FileSorter {
    pub(in crate::run) action: FileAction,
    template: FolderTemplate,
    continuation: Continuation,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// Files that were not moved, by the reason.
    kept: BTreeMap<&'static str, usize>,
    moved: usize,
    already_there: usize,
    failed: usize,
    /// Files that were not moved because of an interrupt.
    interrupted: usize,
}

/// The difference between this command line and the one that resumes after an interrupt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Continuation {
    /// Failed documents were classified again; the flag would charge them once more.
    pub(super) without_retry_failed: bool,
    /// A journal exists now.
    pub(super) with_resume: bool,
}

impl Continuation {
    fn hint(self) -> &'static str {
        match (self.without_retry_failed, self.with_resume) {
            (false, false) => "run the same command again to continue; nothing is charged twice",
            (false, true) => {
                "run the same command with --resume to continue; nothing is charged twice"
            }
            (true, false) => {
                "run the same command without --retry-failed to continue; nothing is charged twice"
            }
            (true, true) => {
                "run the same command with --resume and without --retry-failed to continue; nothing is charged twice"
            }
        }
    }
}

const INTERRUPTED: &str = "the run was interrupted";

impl FileSorter {
    pub(super) fn new(
        action: FileAction,
        template: FolderTemplate,
        continuation: Continuation,
    ) -> Self {
        Self {
            action,
            template,
            continuation,
            counts: Counts::default(),
        }
    }

    /// Moves or copies the file of every row, and records the result in the row.
    pub(super) fn sort(
        &mut self,
        rows: &mut [Option<Row>],
        inputs: &[Input],
        cancel: &Cancel,
        printer: Printer,
    ) {
        let mut mover = FileMover::new(self.action);
        let mut renamed = BTreeMap::new();
        for (row, input) in rows.iter_mut().zip(inputs) {
            let Some(row) = row else { continue };
            // An interrupt stops between two files.
            let outcome = if cancel
                .reason()
                .is_some_and(|reason| reason != StopReason::Deadline)
            {
                self.counts.interrupted += 1;
                FileOutcome::Kept(INTERRUPTED)
            } else {
                self.move_one(row, input, &mut mover)
            };
            match &outcome {
                FileOutcome::Moved(_) => self.counts.moved += 1,
                FileOutcome::AlreadyThere(_) => self.counts.already_there += 1,
                FileOutcome::Kept(reason) => *self.counts.kept.entry(reason).or_default() += 1,
                FileOutcome::Failed(reason) => {
                    self.counts.failed += 1;
                    if self.counts.failed <= MAX_PRINTED_FAILURES {
                        printer.warning(&format!("{} was not {}: {reason}", row.path, self.verb()));
                    }
                }
            }
            if let (Some(r#type), FileOutcome::Moved(_) | FileOutcome::AlreadyThere(_)) =
                (&row.r#type, &outcome)
                && folder_name(r#type) != *r#type
            {
                renamed.insert(r#type.clone(), folder_name(r#type));
            }
            row.file_result = Some(FileActionResult {
                action: self.action,
                outcome,
            });
        }
        for (r#type, name) in renamed {
            printer.note(&format!(
                "the type {type:?} is not a valid folder name; its files are in {name:?}"
            ));
        }
        if self.counts.failed > MAX_PRINTED_FAILURES {
            printer.warning(&format!(
                "{} not {}",
                counted(
                    self.counts.failed - MAX_PRINTED_FAILURES,
                    "more file was",
                    "more files were"
                ),
                self.verb()
            ));
        }
        printer.note(&format!("files: {}", self.summary()));
    }

    fn move_one(&self, row: &Row, input: &Input, mover: &mut FileMover) -> FileOutcome {
        if input.is_id() {
            return FileOutcome::Kept("given by id");
        }
        let Some(r#type) = row.r#type.as_deref().filter(|_| row.is_classified()) else {
            return FileOutcome::Kept(if row.is_classified() {
                "without a match"
            } else {
                "without a result"
            });
        };
        if row.review == Some(true) {
            return FileOutcome::Kept("to review");
        }
        let folder = self.template.folder(r#type);
        match mover.move_file(&input.path, &folder) {
            Ok(MoveOutcome::Moved(path)) => FileOutcome::Moved(path_name(&path)),
            Ok(MoveOutcome::AlreadyThere(path)) => FileOutcome::AlreadyThere(path_name(&path)),
            Ok(MoveOutcome::InPlace) => FileOutcome::Kept("already in place"),
            Err(error) => FileOutcome::Failed(format!("{}: {error}", folder.display())),
        }
    }

    fn verb(&self) -> &'static str {
        match self.action {
            FileAction::Move => "moved",
            FileAction::Copy => "copied",
        }
    }

    /// Describes the results in one line.
    pub(in crate::run) fn summary(&self) -> String {
        let mut parts = vec![format!("{} {}", self.counts.moved, self.verb())];
        if self.counts.already_there > 0 {
            parts.push(format!(
                "{} already there with the same content",
                self.counts.already_there
            ));
        }
        if self.counts.failed > 0 {
            parts.push(format!("{} failed", self.counts.failed));
        }
        let kept: Vec<_> = self
            .counts
            .kept
            .iter()
            .map(|(reason, number)| format!("{number} {reason}"))
            .collect();
        if !kept.is_empty() {
            let number: usize = self.counts.kept.values().sum();
            parts.push(format!("{number} kept ({})", kept.join(", ")));
        }
        parts.join(", ")
    }

    /// Returns an error if not all files were moved.
    pub(super) fn result(&self) -> Result<(), CliError> {
        let files = |number| counted(number, "file was", "files were");
        let verb = self.verb();
        if self.counts.interrupted > 0 {
            let files = files(self.counts.interrupted);
            return Err(CliError::new(
                ExitCode::Interrupted,
                format!("interrupted; {files} not {verb}"),
            )
            .hint(self.continuation.hint()));
        }
        if self.counts.failed > 0 {
            let files = files(self.counts.failed);
            return Err(CliError::new(
                ExitCode::Partial,
                format!("{files} not {verb}"),
            ));
        }
        Ok(())
    }
}
