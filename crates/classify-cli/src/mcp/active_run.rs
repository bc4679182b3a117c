//! A run of this process, on a thread of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use classify_proto::machine::{BulkOptions, DocumentStatus, Summary};
use classify_proto::v2::JobOptions;
use classify_ureq::classify_client::blocking::BulkRun;
use classify_ureq::classify_client::{JournalFile, RunEvent, path_name};
use classify_ureq::{Client, Document, Finished, Transport};

use super::root::{RootFile, RootFolder};
use super::store::{
    ResultRow, RowsFile, RunFailure, RunFolder, RunStatus, StoredEnd, StoredLine, StoredRun,
};
use crate::cancel::{Cancel, StopReason};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;
use crate::run::driver::{self, DriveEnd, DriveEvent, StopConditions};
use crate::run::row::Row;

/// Everything that a run needs.
pub(super) struct RunParts {
    pub(super) run_id: String,
    pub(super) folder: RunFolder,
    /// The lock of the folder, which is held until the run has ended.
    pub(super) lock: File,
    pub(super) root: Arc<RootFolder>,
    pub(super) inputs: Arc<[Input]>,
    pub(super) client: Client,
    pub(super) job_options: JobOptions,
    pub(super) options: BulkOptions,
}

/// A run of this process.
#[derive(Debug)]
pub(super) struct ActiveRun {
    run_id: String,
    cancel: Cancel,
    progress: Arc<RunProgress>,
}

/// The progress that the thread of a run shares.
#[derive(Debug, Default)]
struct RunProgress {
    stored: Mutex<StoredRun>,
    open_jobs: Mutex<BTreeSet<String>>,
    notice: Mutex<Option<String>>,
    has_ended: AtomicBool,
}

/// Marks the end of a run, also if its thread panics.
struct EndGuard(Arc<RunProgress>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::SeqCst);
    }
}

/// The thread's side of a run.
struct RunWriter {
    inputs: Arc<[Input]>,
    /// The documents of the run, by their positions in it: indices of `inputs`.
    documents: Vec<usize>,
    rows: RowsFile,
    progress: Arc<RunProgress>,
}

/// Locks a mutex, also after a panic of its holder: the data are counts and rows.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ActiveRun {
    /// Starts a run, or resumes that of the journal in its folder.
    pub(super) fn start(parts: RunParts) -> Result<Self, CliError> {
        let (file, journal) = JournalFile::open(&parts.folder.journal_path())?;
        let run = parts
            .client
            .bulk(parts.job_options)
            .limits(parts.options)
            .read_rest()
            .open_journal(file, journal)
            .run(documents(parts.root, Arc::clone(&parts.inputs)))?;
        let progress = Arc::new(RunProgress::default());
        let mut writer = RunWriter {
            documents: (0..parts.inputs.len())
                .filter(|index| parts.inputs[*index].error.is_none())
                .collect(),
            inputs: parts.inputs,
            rows: parts.folder.create_rows()?,
            progress: Arc::clone(&progress),
        };
        writer.begin();
        let cancel = Cancel::default();
        let token = cancel.clone();
        let run_lock = parts.lock;
        let end = EndGuard(Arc::clone(&progress));
        let work = move || {
            // Dropped after the lock, so that the next call can continue a run that has ended.
            let _end = end;
            let _lock = run_lock;
            writer.drive(run, &token);
        };
        std::thread::Builder::new()
            .name("run".to_owned())
            .spawn(work)
            .map_err(|error| {
                CliError::new(
                    ExitCode::Unexpected,
                    format!("cannot start a thread: {error}"),
                )
            })?;
        Ok(Self {
            run_id: parts.run_id,
            cancel,
            progress,
        })
    }

    /// Stops the run. Open jobs continue at the service.
    pub(super) fn stop(&self) {
        self.cancel.cancel(StopReason::Interrupted);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.progress.has_ended.load(Ordering::SeqCst)
    }

    /// Returns the number of jobs that are created and not finished.
    pub(super) fn open_jobs(&self) -> usize {
        lock(&self.progress.open_jobs).len()
    }

    pub(super) fn status(&self) -> RunStatus {
        let is_active = !self.has_ended();
        let open_jobs = self.open_jobs();
        let mut status =
            lock(&self.progress.stored).status(&self.run_id, is_active, Some(open_jobs));
        status.notice.clone_from(&lock(&self.progress.notice));
        status
    }
}

/// Returns the documents that are not known to be unreadable. Files are opened in the root when they are read.
fn documents(
    root: Arc<RootFolder>,
    inputs: Arc<[Input]>,
) -> impl Iterator<Item = Document> + Send + use<> {
    (0..inputs.len()).filter_map(move |index| {
        let input = &inputs[index];
        if input.error.is_some() {
            return None;
        }
        let name = path_name(&input.path);
        Some(if input.is_id() {
            Document::id(name)
        } else {
            let file = RootFile::new(Arc::clone(&root), input.path.clone());
            Document::source(file).named(name)
        })
    })
}

impl RunWriter {
    /// Writes the first line, and the rows of documents that cannot be classified.
    fn begin(&mut self) {
        let documents = self.inputs.len();
        self.write(StoredLine::Run { documents });
        let inputs = Arc::clone(&self.inputs);
        for input in inputs.iter() {
            if let Some(error) = &input.error {
                self.write_row(Row::error(&input.path, error), false);
            }
        }
    }

    fn drive(
        &mut self,
        run: BulkRun<Transport, impl Iterator<Item = Document> + Send + 'static>,
        cancel: &Cancel,
    ) {
        let conditions = StopConditions {
            cancel,
            deadline: None,
            cancels_on_interrupt: false,
        };
        let end = driver::drive(run, &conditions, |event| {
            if let DriveEvent::Run(event) = event {
                self.on_event(&event);
            }
        });
        self.write(StoredLine::End(stored_end(end)));
    }

    fn on_event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Created { job_id, .. } => {
                lock(&self.progress.open_jobs).insert(job_id.clone());
            }
            RunEvent::Finished(finished) => self.on_finished(finished),
            RunEvent::Notice(notice) => *lock(&self.progress.notice) = Some(notice.clone()),
            _ => {}
        }
    }

    fn on_finished(&mut self, finished: &Finished) {
        let report = finished.report();
        if report.status.is_final()
            && let Some(job_id) = &report.job_id
        {
            lock(&self.progress.open_jobs).remove(job_id);
        }
        // The status of the run explains why the document was not sent.
        if report.status == DocumentStatus::NotStarted {
            return;
        }
        let index = finished
            .position()
            .and_then(|position| self.documents.get(position));
        if let Some(input) = index.and_then(|index| self.inputs.get(*index)) {
            let row = Row::from_report(&input.path, report);
            self.write_row(row, finished.is_restored());
        }
    }

    fn write_row(&mut self, row: Row, restored: bool) {
        let row = ResultRow::from(row);
        self.write(StoredLine::Row { row, restored });
    }

    fn write(&mut self, line: StoredLine) {
        self.rows.append(&line);
        lock(&self.progress.stored).apply(line);
    }
}

fn stored_end(end: Result<DriveEnd, CliError>) -> StoredEnd {
    let failed = |error: &CliError| StoredEnd {
        is_complete: false,
        error: Some(RunFailure::from(error)),
    };
    match end {
        Err(error) => failed(&error),
        Ok(end) => {
            let is_complete = end.summary.as_ref().is_some_and(Summary::is_complete);
            match end.summary.and_then(Summary::into_error) {
                Some(error) => failed(&error.into()),
                None => StoredEnd {
                    is_complete,
                    error: None,
                },
            }
        }
    }
}
