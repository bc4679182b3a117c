//! The results of a run: rows, progress, and the final error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use classify_proto::machine::{DocumentStatus, Summary};
use classify_proto::{Error, ErrorCode};
use classify_ureq::Finished;
use classify_ureq::classify_client::RunEvent;

use super::postprocess::Postprocess;
use super::progress::{ProgressCounts, RunProgress};
use super::row::Row;
use super::row_output::{self, RowFile};
use crate::args::values::Shard;
use crate::cancel::{Cancel, StopReason};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::Input;
use crate::output::OutputWriter;
use crate::output::format::RowFormat;
use crate::printer::{Level, Printer, counted};
use crate::progress_display::ProgressDisplay;

/// The state of a document in the run.
#[derive(Debug, Default)]
struct DocumentProgress {
    is_accepted: bool,
    file_id: Option<String>,
    job_id: Option<String>,
    /// The document with the same content that is sent.
    duplicate_of: Option<usize>,
    has_row: bool,
}

/// Collects and prints the results of a run.
#[derive(Debug)]
pub(super) struct RunResults {
    inputs: Arc<[Input]>,
    /// The documents of the run, by their positions in it: indices of `inputs`.
    documents: Vec<usize>,
    states: Vec<DocumentProgress>,
    /// By index; kept only if they are needed at the end.
    rows: Vec<Option<Row>>,
    row_file: Option<RowFile>,
    format: RowFormat,
    output: OutputWriter,
    has_csv_header: bool,
    printer: Printer,
    display: ProgressDisplay<RunProgress>,
    started: Instant,
    counts: RunCounts,
    postprocess: Postprocess,
    /// Jobs that are still open.
    open_jobs: Vec<String>,
    /// The error that stopped the output of rows.
    write_error: Option<CliError>,
}

#[derive(Debug, Default)]
struct RunCounts {
    /// Documents of this run.
    total: usize,
    /// Documents in flight with the content of another one.
    duplicates: usize,
    /// Uploaded contents without a job.
    uploaded: usize,
    /// Pending jobs.
    waiting: usize,
    rows: usize,
    matched: usize,
    classified: usize,
    not_started: usize,
    /// Rows that another run would complete.
    unfinished: usize,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct RunEnd {
    /// The reason of the cancellation, if it was cancelled.
    pub(super) stopped: Option<StopReason>,
    /// The summary of the run, if it has ended.
    pub(super) summary: Option<Summary>,
    /// The command that resumes it, if that is possible.
    pub(super) resume: Option<String>,
    /// The command needs the same list of paths on stdin again.
    pub(super) reads_stdin: bool,
}

impl RunResults {
    pub(super) fn new(
        inputs: Arc<[Input]>,
        format: RowFormat,
        row_file: Option<RowFile>,
        postprocess: Postprocess,
        printer: Printer,
    ) -> Self {
        Self {
            states: inputs.iter().map(|_| DocumentProgress::default()).collect(),
            documents: (0..inputs.len())
                .filter(|index| inputs[*index].error.is_none())
                .collect(),
            rows: inputs.iter().map(|_| None).collect(),
            format,
            row_file,
            output: OutputWriter::stdout(),
            has_csv_header: false,
            printer,
            display: ProgressDisplay::new(RunProgress::new(), printer.prints(Level::Status)),
            started: Instant::now(),
            counts: RunCounts {
                total: inputs.len(),
                ..RunCounts::default()
            },
            postprocess,
            open_jobs: Vec::new(),
            write_error: None,
            inputs,
        }
    }

    /// Sets the token that also cancels the postprocessing.
    pub(super) fn set_cancel(&mut self, cancel: &Cancel) {
        self.postprocess.set_cancel(cancel);
    }

    /// Adds the rows of documents that cannot be classified, before anything is sent.
    pub(super) fn settle_invalid(&mut self, shard: Option<Shard>) {
        for index in 0..self.inputs.len() {
            if let Some(error) = self.inputs[index].error.clone() {
                if !self.inputs[index].is_in_shard(shard) {
                    self.pass_over(index);
                    continue;
                }
                self.add_row(index, Row::error(&self.inputs[index].path, error));
            }
        }
    }

    /// Whether a row could not be written.
    pub(super) fn has_write_error(&self) -> bool {
        self.write_error.is_some()
    }

    /// Handles an event of the run.
    pub(super) fn on_event(&mut self, event: RunEvent) {
        match event {
            RunEvent::Accepted { position, copy_of } => {
                let index = self.index(position);
                let duplicate_of = copy_of.map(|position| self.index(position));
                if let Some(state) = self.states.get_mut(index) {
                    (state.is_accepted, state.duplicate_of) = (true, duplicate_of);
                    self.counts.duplicates += usize::from(duplicate_of.is_some());
                }
            }
            RunEvent::Uploaded { positions, file_id } => {
                for (number, position) in positions.into_iter().enumerate() {
                    let index = self.index(position);
                    if let Some(state) = self.states.get_mut(index) {
                        // The event is repeated if another attempt uses the same file.
                        let is_new = number == 0 && state.file_id.is_none();
                        self.counts.uploaded += usize::from(is_new);
                        state.file_id = Some(file_id.clone());
                    }
                }
            }
            RunEvent::Created { positions, job_id } => {
                let first = positions.first().map(|position| self.index(*position));
                let first = first.and_then(|index| self.states.get(index));
                // A file that the service had already was not uploaded.
                let is_uploaded = first.is_some_and(|state| state.file_id.is_some());
                self.counts.uploaded -= usize::from(is_uploaded).min(self.counts.uploaded);
                self.counts.waiting += 1;
                for position in positions {
                    let index = self.index(position);
                    if let Some(state) = self.states.get_mut(index) {
                        state.job_id = Some(job_id.clone());
                    }
                }
            }
            RunEvent::Finished(finished) => self.on_finished(&finished),
            RunEvent::OtherShard { position } => self.pass_over(self.index(position)),
            RunEvent::Notice(notice) => self.display.suspend(|| self.printer.note(&notice)),
            _ => {}
        }
        self.show_progress();
    }

    /// Returns the index of a document of the run.
    fn index(&self, position: usize) -> usize {
        let index = self.documents.get(position).copied();
        index.unwrap_or(usize::MAX)
    }

    fn on_finished(&mut self, finished: &Finished) {
        let report = finished.report();
        // The final error explains why the stopped run has not read it.
        if finished.key().is_none() && report.status == DocumentStatus::NotStarted {
            return;
        }
        let index = self.index(finished.position().unwrap_or(usize::MAX));
        let Some(state) = self.states.get(index) else {
            return;
        };
        // A duplicate and a restored document took no time.
        if !finished.is_restored() && state.duplicate_of.is_none() {
            if state.job_id.is_some() {
                self.counts.waiting = self.counts.waiting.saturating_sub(1);
            } else if state.file_id.is_some() {
                self.counts.uploaded = self.counts.uploaded.saturating_sub(1);
            }
            if state.is_accepted {
                self.display.update(RunProgress::record_finished);
            }
        }
        self.add_row(index, Row::from_report(&self.inputs[index].path, report));
    }

    /// Removes a document of another shard, which has no row.
    fn pass_over(&mut self, index: usize) {
        if let Some(state) = self.states.get_mut(index) {
            state.has_row = true;
        }
        self.counts.total = self.counts.total.saturating_sub(1);
    }

    /// Adds the row of a document. Each document has one row; later ones are ignored.
    fn add_row(&mut self, index: usize, mut row: Row) {
        let Some(state) = self.states.get_mut(index).filter(|state| !state.has_row) else {
            return;
        };
        state.has_row = true;
        let duplicates = usize::from(state.duplicate_of.is_some());
        self.counts.duplicates = self.counts.duplicates.saturating_sub(duplicates);
        self.postprocess.mark_and_count(&mut row);
        self.counts.rows += 1;
        self.counts.classified += usize::from(row.is_classified());
        self.counts.matched += usize::from(row.is_classified() && row.r#type.is_some());
        let status = DocumentStatus::from(row.status.as_str());
        self.counts.unfinished += usize::from(!status.is_final());
        if status == DocumentStatus::NotStarted {
            self.counts.not_started += 1;
        }
        if status == DocumentStatus::Open {
            self.open_jobs.extend(row.job_id.clone());
        }
        let prints_at_end = self.prints_at_end();
        if self.write_error.is_none() && !prints_at_end {
            self.write_error = self.print(&row).err();
        }
        if prints_at_end || self.postprocess.needs_all_rows() {
            self.rows[index] = Some(row);
        }
    }

    /// Whether all rows are printed at the end, in the order of the documents.
    fn prints_at_end(&self) -> bool {
        self.row_file.is_some()
            || self.postprocess.moves_files()
            || matches!(self.format, RowFormat::Json | RowFormat::Table)
    }

    /// Prints a row, if rows are printed at once.
    fn print(&mut self, row: &Row) -> Result<(), CliError> {
        let Self {
            display,
            output,
            has_csv_header,
            postprocess,
            ..
        } = self;
        match self.format {
            // The display and the rows may share the terminal.
            RowFormat::Jsonl => display.suspend(|| output.json_line(row)),
            RowFormat::Csv => display.suspend(|| {
                if !*has_csv_header {
                    output.csv_record(postprocess.extra_columns().columns())?;
                    *has_csv_header = true;
                }
                output.csv_record(row.csv_record())
            }),
            RowFormat::Table | RowFormat::Json => Ok(()),
        }
    }

    fn show_progress(&self) {
        let counts = &self.counts;
        let progress_counts = ProgressCounts {
            total: counts.total,
            uploaded: counts.uploaded,
            waiting: counts.waiting,
            done: counts.classified,
            failed: counts.rows - counts.classified,
            duplicates: counts.duplicates,
        };
        self.display
            .update(|progress| progress.counts = progress_counts);
    }

    /// Returns a function that clears the display when the process exits at once.
    pub(super) fn clear_handle(&self) -> impl Fn() + Send + 'static {
        self.display.clear_handle()
    }

    /// Prints that the run stops.
    pub(super) fn on_stopping(&self, reason: Option<StopReason>) {
        if reason == Some(StopReason::Interrupted) {
            self.display.suspend(|| {
                self.printer.status(
                    "stopping; waiting for requests in flight (press Ctrl-C again to exit at once)",
                );
            });
        }
    }

    /// Writes the remaining rows, the summary and the report. Returns the final error.
    pub(super) fn finish(mut self, end: RunEnd) -> Result<(), CliError> {
        self.display.clear();
        for index in 0..self.inputs.len() {
            if !self.states[index].has_row {
                self.add_row(index, self.unfinished_row(index, &end));
            }
        }
        let mut rows = std::mem::take(&mut self.rows);
        let written = match self.write_rows(&mut rows) {
            // Ctrl-C also stops the reader of a pipe; the open jobs must be printed anyway.
            Err(error) if end.stopped == Some(StopReason::Interrupted) => {
                if self.row_file.is_some() {
                    self.printer.error(&error);
                }
                Ok(())
            }
            written => written,
        };
        let headline = summary(&self.counts, self.started.elapsed());
        self.postprocess.evaluate(&rows);
        if written.is_ok() {
            self.printer.status(&headline);
            self.postprocess.print();
        }
        // The run stopped since documents could not be read; the next one reads them again.
        let error = end.summary.as_ref().and_then(Summary::error);
        self.counts.unfinished += usize::from(error.is_some_and(Error::is_content));
        let result = self.final_error(end);
        let is_complete = self.counts.unfinished == 0
            && (result.as_ref().err()).is_none_or(|error| error.code() == Some(ExitCode::Partial));
        let unfinished = result.as_ref().err().filter(|_| !is_complete);
        let postprocess_result = self.postprocess.finish(&rows, headline.trim(), unfinished);
        written?;
        match (result, postprocess_result) {
            (Err(error), Err(other)) => {
                self.printer.error(&other);
                Err(error)
            }
            (result, postprocess_result) => result.and(postprocess_result),
        }
    }

    /// Writes the rows that are printed at the end. Files are moved before.
    fn write_rows(&mut self, rows: &mut [Option<Row>]) -> Result<(), CliError> {
        let extra = self.postprocess.extra_columns();
        if self.postprocess.moves_files() {
            // The results are on the disk before a file is moved.
            if let Some(file) = &self.row_file {
                file.write(&present_rows(rows), extra)?;
            }
            self.postprocess.move_files(rows, &self.inputs);
        }
        match &self.row_file {
            Some(file) => file.write(&present_rows(rows), extra),
            None if self.prints_at_end() => {
                row_output::write_rows(&mut self.output, self.format, &present_rows(rows), extra)
            }
            None => self.write_error.take().map_or(Ok(()), Err),
        }
    }

    /// Returns the row of a document that the run has not finished.
    fn unfinished_row(&self, index: usize, end: &RunEnd) -> Row {
        let mut state = &self.states[index];
        if let Some(original) = state.duplicate_of.and_then(|index| self.states.get(index)) {
            state = original;
        }
        // A journal that could not be written is reported even after an interrupt.
        let error = end.summary.as_ref().and_then(Summary::error);
        let stopped = end.stopped.filter(|_| !error.is_some_and(Error::is_state));
        let (cause, code) = match (stopped, error) {
            (Some(StopReason::Deadline), _) => (
                "the deadline of the run was reached".to_owned(),
                ErrorCode::Deadline,
            ),
            (Some(_), _) => ("interrupted".to_owned(), ErrorCode::Stopped),
            (None, Some(error)) => (error.to_string(), error.code()),
            (None, None) => ("the run stopped early".to_owned(), ErrorCode::Stopped),
        };
        let (status, reason) = if state.job_id.is_some() {
            (
                DocumentStatus::Open,
                format!("{cause}; the job is still open"),
            )
        } else if state.file_id.is_some() {
            (
                DocumentStatus::Ambiguous,
                format!(
                    "{cause} while the job was being created; repeating the run finds or creates it and charges it once"
                ),
            )
        } else {
            (DocumentStatus::NotStarted, cause)
        };
        Row {
            job_id: state.job_id.clone(),
            file_id: state.file_id.clone(),
            ..Row::without_result(&self.inputs[index].path, &status, reason, code)
        }
    }

    /// Returns the error that stopped the run.
    fn run_error(&self, error: Error, count_text: &str) -> CliError {
        if error.is_state() {
            return CliError::new(ExitCode::Unexpected, format!("{error}; {count_text}"))
                .hint("the run stopped so that no job is created that is not in the journal");
        }
        if error.is_content() {
            return CliError::new(ExitCode::Partial, format!("{error}; {count_text}"))
                .hint("the run stopped; documents that could not be read were not charged, and the next run reads them again");
        }
        match self.counts.not_started {
            0 => error.into(),
            number => CliError::from(error).hint(format!(
                "{} not started; {count_text}",
                counted(number, "document was", "documents were")
            )),
        }
    }

    fn final_error(&mut self, end: RunEnd) -> Result<(), CliError> {
        let total = self.counts.rows;
        let missing = total - self.counts.classified;
        let were = if missing == 1 { "was" } else { "were" };
        let count_text = format!("{missing} of {total} documents {were} not classified");
        let run_error = end.summary.and_then(Summary::into_error);
        // An interrupt does not hide that the journal could not be written.
        let is_unwritten = run_error.as_ref().is_some_and(Error::is_state);
        let stopped = end.stopped.filter(|_| missing > 0 && !is_unwritten);
        let error = if let Some(reason) = stopped {
            match reason {
                StopReason::Deadline => CliError::new(
                    ExitCode::Timeout,
                    format!("the deadline was reached; {count_text}"),
                ),
                StopReason::Interrupted | StopReason::BrokenPipe => {
                    CliError::new(ExitCode::Interrupted, format!("interrupted; {count_text}"))
                }
            }
        } else if let Some(error) = run_error {
            self.run_error(error, &count_text)
        } else if missing > 0 {
            CliError::new(ExitCode::Partial, count_text)
        } else {
            return Ok(());
        };
        let unfinished = self.counts.unfinished > 0;
        if end.reads_stdin && unfinished {
            let error = if error.has_hint() {
                error
            } else {
                error.hint(
                    "to go on, run the same command with the same list on stdin, and with --resume if it has a journal",
                )
            };
            return Err(error.resumable(None, std::mem::take(&mut self.open_jobs)));
        }
        if end.resume.is_none() && !self.open_jobs.is_empty() {
            return Err(error.hint("the emulator stopped with the command, and its jobs are lost"));
        }
        Err(error.resumable(
            end.resume.filter(|_| unfinished),
            std::mem::take(&mut self.open_jobs),
        ))
    }
}

/// Returns the rows; documents of other shards have none.
fn present_rows(rows: &[Option<Row>]) -> Vec<&Row> {
    rows.iter().flatten().collect()
}

fn summary(counts: &RunCounts, elapsed: Duration) -> String {
    let mut parts = vec![format!("{} matched", counts.matched)];
    let unmatched = counts.classified - counts.matched;
    let missing = counts.rows - counts.classified;
    if unmatched > 0 {
        parts.push(format!("{unmatched} without a match"));
    }
    if missing > 0 {
        parts.push(format!("{missing} not classified"));
    }
    let documents = if counts.rows == 1 {
        "document"
    } else {
        "documents"
    };
    format!(
        "\n{} {documents} in {:.1} s: {}",
        counts.rows,
        elapsed.as_secs_f64(),
        parts.join(", ")
    )
}
