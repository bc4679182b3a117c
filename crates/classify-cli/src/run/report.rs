//! What a run shows: rows on stdout as documents settle, progress on stderr, and the last word.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::engine::Event;
use super::row::{self, Row};
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::inputs::Document;
use crate::interrupt::Why;
use crate::output::{Out, Shape};

/// How far a document that is not settled has come.
#[derive(Debug, Default)]
struct Track {
    file: Option<String>,
    transaction: Option<String>,
    job: Option<String>,
}

/// Collects what becomes of the documents, and shows it.
#[derive(Debug)]
pub(crate) struct Report {
    documents: Vec<Document>,
    tracks: Vec<Track>,
    rows: Vec<Option<Row>>,
    shape: Shape,
    out: Out,
    /// Whether a CSV header was written.
    headed: bool,
    console: Console,
    bar: ProgressBar,
    began: Instant,
    /// Why documents were not begun: the code, and the error that stopped them.
    refused: Option<(Code, String)>,
    not_started: usize,
    /// Jobs that were created and have not ended.
    under_way: usize,
    /// Documents that are settled without an answer.
    failed: usize,
    /// Why rows are not written any more.
    unwritten: Option<Problem>,
}

impl Report {
    pub(crate) fn new(documents: Vec<Document>, shape: Shape, console: Console) -> Self {
        let bar = if console.chatty {
            ProgressBar::with_draw_target(
                Some(u64::try_from(documents.len()).unwrap_or(u64::MAX)),
                ProgressDrawTarget::stderr(),
            )
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {bar:24} {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style.progress_chars("━━─"));
        }
        if console.chatty {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self {
            tracks: documents.iter().map(|_| Track::default()).collect(),
            rows: documents.iter().map(|_| None).collect(),
            documents,
            shape,
            out: Out::stdout(),
            headed: false,
            console,
            bar,
            began: Instant::now(),
            refused: None,
            not_started: 0,
            under_way: 0,
            failed: 0,
            unwritten: None,
        }
    }

    /// Settles the documents that cannot be classified, before anything is sent.
    pub(crate) fn troubled(&mut self) {
        for place in 0..self.documents.len() {
            if let Some(trouble) = self.documents[place].trouble.clone() {
                let row = Row::error(&self.documents[place].path, trouble);
                self.settle(place, row);
            }
        }
    }

    /// Whether a row could not be written, so that going on would be for nobody.
    pub(crate) fn is_unread(&self) -> bool {
        self.unwritten.is_some()
    }

    /// Takes what the engine tells.
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Uploaded {
                document,
                file_id,
                transaction_id,
            } => {
                if let Some(track) = self.tracks.get_mut(document) {
                    track.file = Some(file_id);
                    track.transaction = transaction_id;
                }
            }
            Event::Created { document, job_id } => {
                if let Some(track) = self.tracks.get_mut(document) {
                    track.job = Some(job_id);
                    self.under_way += 1;
                }
            }
            Event::Settled { document, result } => {
                if let Some(found) = self.documents.get(document) {
                    let row = Row::settled(&found.path, &result);
                    if let Err(error) = &*result
                        && (error.is_auth() || error.is_quota())
                        && self.refused.is_none()
                    {
                        self.refused = Some((Code::of(error), error.to_string()));
                    }
                    self.settle(document, row);
                }
            }
            Event::NotStarted {
                document,
                code,
                why,
            } => {
                self.not_started += 1;
                self.refused.get_or_insert_with(|| (code, why.clone()));
                if let Some(found) = self.documents.get(document) {
                    let row = Row::error(&found.path, why);
                    self.settle(document, row);
                }
            }
        }
        self.show_progress();
    }

    fn settle(&mut self, place: usize, mut row: Row) {
        let track = &self.tracks[place];
        row.file_id = row.file_id.or_else(|| track.file.clone());
        row.job_id = row.job_id.or_else(|| track.job.clone());
        if track.job.is_some() {
            self.under_way = self.under_way.saturating_sub(1);
        }
        if !row.is_answer() {
            self.failed += 1;
        }
        self.bar.inc(1);
        if self.unwritten.is_none() {
            self.unwritten = self.print(&row).err();
        }
        self.rows[place] = Some(row);
    }

    /// Prints a row, where rows are printed as they come.
    fn print(&mut self, row: &Row) -> Result<(), Problem> {
        let Self {
            bar, out, headed, ..
        } = self;
        match self.shape {
            // The bar must be off the terminal while a line is written there.
            Shape::Jsonl => bar.suspend(|| out.json_line(row)),
            Shape::Csv => bar.suspend(|| {
                if !*headed {
                    out.csv(row::KEYS)?;
                    *headed = true;
                }
                out.csv(row.record())
            }),
            Shape::Table | Shape::Json => Ok(()),
        }
    }

    fn show_progress(&self) {
        let jobs = match self.under_way {
            1 => "1 job".to_owned(),
            number => format!("{number} jobs"),
        };
        self.bar.set_message(match self.failed {
            0 => format!("{jobs} under way"),
            failed => format!("{jobs} under way, {failed} without an answer"),
        });
    }

    /// Says that the run stops.
    pub(crate) fn stopping(&self, why: Option<Why>) {
        if why == Some(Why::Interrupted) {
            self.bar.suspend(|| {
                self.console.chat("stopping; taking the answers that are on their way (Ctrl-C again ends at once)");
            });
        }
    }

    /// Prints the rest, and says how it went.
    pub(crate) fn finish(mut self, stopped: Option<Why>, emulated: bool) -> Result<(), Problem> {
        self.bar.finish_and_clear();
        let mut open: Vec<String> = Vec::new();
        for place in 0..self.documents.len() {
            if self.rows[place].is_none() {
                let row = self.unsettled(place, stopped);
                open.extend(row.job_id.clone());
                self.settle(place, row);
            }
        }
        let rows: Vec<Row> = std::mem::take(&mut self.rows)
            .into_iter()
            .flatten()
            .collect();
        let printed = match self.shape {
            Shape::Json => self.out.json(&rows),
            Shape::Table => self.out.text(&row::as_table(&rows)),
            Shape::Jsonl | Shape::Csv => self.unwritten.take().map_or(Ok(()), Err),
        };
        // Ctrl-C ends the readers of a pipe too; the jobs that go on must be named all the same.
        if stopped != Some(Why::Interrupted) {
            printed?;
        }
        let answered = rows.iter().filter(|row| row.is_answer()).count();
        let matched = rows.iter().filter(|row| row.r#type.is_some()).count();
        self.console.chat(&summary(
            rows.len(),
            matched,
            answered,
            self.began.elapsed(),
        ));
        self.last_word(rows.len(), answered, stopped, &open, emulated)
    }

    /// The row of a document that the run left behind.
    fn unsettled(&self, place: usize, stopped: Option<Why>) -> Row {
        let track = &self.tracks[place];
        let what = match stopped {
            Some(Why::Deadline) => "the run's deadline came",
            _ => "interrupted",
        };
        let why = match (&track.job, &track.transaction) {
            (Some(id), _) => format!("{what}; the job goes on: llamacloud-prod classify wait {id}"),
            (None, Some(id)) => format!(
                "{what} while its job was being created, under the transaction id {id}: with the same id it can be \
                 created again without a second bill"
            ),
            (None, None) => format!("{what} before its job was created"),
        };
        Row {
            job_id: track.job.clone(),
            ..Row::error(&self.documents[place].path, why)
        }
    }

    fn last_word(
        &self,
        total: usize,
        answered: usize,
        stopped: Option<Why>,
        open: &[String],
        emulated: bool,
    ) -> Result<(), Problem> {
        let missing = total - answered;
        if let Some(why) = stopped {
            let (code, what) = match why {
                Why::Deadline => (Code::Timeout, "the deadline came"),
                Why::Interrupted | Why::Pipe => (Code::Interrupted, "interrupted"),
            };
            let problem = Problem::new(
                code,
                format!("{what}; without an answer: {missing} of {total} documents"),
            );
            return Err(match open {
                [] => problem,
                _ if emulated => problem.hint("the emulator has ended, and its jobs with it"),
                ids => problem.hint(format!(
                    "the jobs that were created go on; wait for them: llamacloud-prod classify wait {}",
                    ids.join(" ")
                )),
            });
        }
        if let Some((code, error)) = &self.refused {
            let rest = match self.not_started {
                0 => String::new(),
                number => format!(" ({number} documents were not started)"),
            };
            let error = error.strip_prefix("not started: ").unwrap_or(error);
            return Err(Problem::new(*code, format!("{error}{rest}")));
        }
        if missing > 0 {
            return Err(Problem::new(
                Code::Partial,
                format!(
                    "without an answer: {missing} of {total} documents; the others are settled"
                ),
            ));
        }
        Ok(())
    }
}

fn summary(total: usize, matched: usize, answered: usize, took: Duration) -> String {
    let mut parts = vec![format!("{matched} matched")];
    let (unmatched, missing) = (answered - matched, total - answered);
    if unmatched > 0 {
        parts.push(format!("{unmatched} without a match"));
    }
    if missing > 0 {
        parts.push(format!("{missing} without an answer"));
    }
    let documents = if total == 1 { "document" } else { "documents" };
    let seconds = took.as_secs_f64();
    format!(
        "\n{total} {documents} in {seconds:.1} s: {}",
        parts.join(", ")
    )
}
