//! What a run shows: rows as documents settle, progress on stderr, and the last word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use classify_proto::machine::DocumentStatus;

use super::after::After;
use super::documents;
use super::engine::{Event, Outcome};
use super::live::{Live, Standings};
use super::row::Row;
use super::sink::{self, OutputFile};
use crate::args::values::Shard;
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::inputs::Document;
use crate::interrupt::{Switch, Why};
use crate::output::{Out, Shape};
use crate::view::View;

/// How far a document has come.
#[derive(Debug, Default)]
struct Track {
    taken: bool,
    file: Option<String>,
    job: Option<String>,
    /// The document of the same content that is sent for it.
    like: Option<usize>,
    done: bool,
}

/// Collects what becomes of the documents, and shows it.
#[derive(Debug)]
pub(super) struct Report {
    documents: Arc<[Document]>,
    tracks: Vec<Track>,
    /// By place; kept only where they are shown at the end.
    rows: Vec<Option<Row>>,
    output: Option<OutputFile>,
    shape: Shape,
    out: Out,
    /// Whether a CSV header was written.
    headed: bool,
    console: Console,
    view: View<Live>,
    began: Instant,
    counts: Counts,
    after: After,
    /// Open jobs of documents that were left behind.
    open: Vec<String>,
    /// Why rows are not written any more.
    unwritten: Option<Problem>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Documents of this run.
    total: usize,
    /// Those that wait for another of the same content.
    copies: usize,
    /// Contents with the service whose job is not there yet.
    uploaded: usize,
    /// Jobs that were created and have not ended.
    waiting: usize,
    rows: usize,
    matched: usize,
    answered: usize,
    not_started: usize,
    /// Rows that a further run would say more of.
    unfinished: usize,
}

/// How a run came to its end.
#[derive(Debug)]
pub(super) struct Ended {
    /// Why it was stopped from outside, if it was.
    pub(super) stopped: Option<Why>,
    /// How the engine ended; absent when it was left behind.
    pub(super) outcome: Option<Outcome>,
    /// The command that goes on with it, if anything could.
    pub(super) resume: Option<String>,
}

impl Report {
    pub(super) fn new(
        documents: Arc<[Document]>,
        shape: Shape,
        output: Option<OutputFile>,
        after: After,
        console: Console,
    ) -> Self {
        Self {
            tracks: documents.iter().map(|_| Track::default()).collect(),
            rows: documents.iter().map(|_| None).collect(),
            shape,
            output,
            out: Out::stdout(),
            headed: false,
            console,
            view: View::new(Live::new(), console.chatty),
            began: Instant::now(),
            counts: Counts {
                total: documents.len(),
                ..Counts::default()
            },
            after,
            open: Vec::new(),
            unwritten: None,
            documents,
        }
    }

    /// What ends the run also ends what is done after it.
    pub(super) fn ends_with(&mut self, switch: &Switch) {
        self.after.ends_with(switch);
    }

    /// Settles the documents that cannot be classified, before anything is sent.
    pub(super) fn troubled(&mut self, shard: Option<Shard>) {
        for place in 0..self.documents.len() {
            if let Some(trouble) = self.documents[place].trouble.clone() {
                if !documents::is_told_here(&self.documents[place], shard) {
                    self.take(Event::Elsewhere { place });
                    continue;
                }
                self.settle(place, Row::error(&self.documents[place].path, trouble));
            }
        }
    }

    /// Whether a row could not be written, so that going on would be for nobody.
    pub(super) fn is_unread(&self) -> bool {
        self.unwritten.is_some()
    }

    /// Takes what the engine tells.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Taken { place, like } => {
                if let Some(track) = self.tracks.get_mut(place) {
                    (track.taken, track.like) = (true, like);
                    self.counts.copies += usize::from(like.is_some());
                }
            }
            Event::Uploaded { places, file_id } => {
                for (nth, place) in places.into_iter().enumerate() {
                    if let Some(track) = self.tracks.get_mut(place) {
                        // Told again where a further attempt uses the same file.
                        let new = nth == 0 && track.file.is_none();
                        self.counts.uploaded += usize::from(new);
                        track.file = Some(file_id.clone());
                    }
                }
            }
            Event::Created { places, job_id } => {
                let first = places.first().and_then(|place| self.tracks.get(*place));
                // What the service held already was not uploaded.
                let uploaded = first.is_some_and(|track| track.file.is_some());
                self.counts.uploaded -= usize::from(uploaded).min(self.counts.uploaded);
                self.counts.waiting += 1;
                for place in places {
                    if let Some(track) = self.tracks.get_mut(place) {
                        track.job = Some(job_id.clone());
                    }
                }
            }
            Event::FinishedDocument {
                places,
                report,
                restored,
            } => {
                if !restored {
                    self.one_less_under_way(&places);
                }
                // A copy that is found after its content was settled took no time, nor did what was known before.
                let first = places.first().and_then(|place| self.tracks.get(*place));
                if !restored && first.is_some_and(|track| track.taken) {
                    self.view.update(Live::settled);
                }
                for place in places {
                    if let Some(found) = self.documents.get(place) {
                        self.settle(place, Row::settled(&found.path, &report));
                    }
                }
            }
            Event::Unreadable { place, why } => {
                if let Some(found) = self.documents.get(place) {
                    self.settle(place, Row::error(&found.path, why));
                }
            }
            Event::Elsewhere { place } => {
                if let Some(track) = self.tracks.get_mut(place) {
                    track.done = true;
                }
                self.counts.total = self.counts.total.saturating_sub(1);
            }
            Event::Notice(notice) => self.view.aside(|| self.console.note(&notice)),
        }
        self.show_progress();
    }

    fn one_less_under_way(&mut self, places: &[usize]) {
        let first = places.first().and_then(|place| self.tracks.get(*place));
        match first {
            Some(track) if track.job.is_some() => {
                self.counts.waiting = self.counts.waiting.saturating_sub(1);
            }
            Some(track) if track.file.is_some() => {
                self.counts.uploaded = self.counts.uploaded.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// Every path has one row, whatever is told of it afterwards.
    fn settle(&mut self, place: usize, mut row: Row) {
        let Some(track) = self.tracks.get_mut(place).filter(|track| !track.done) else {
            return;
        };
        track.done = true;
        let copies = usize::from(track.like.is_some());
        self.counts.copies = self.counts.copies.saturating_sub(copies);
        self.after.mark(&mut row);
        self.counts.rows += 1;
        self.counts.answered += usize::from(row.is_answer());
        self.counts.matched += usize::from(row.is_answer() && row.r#type.is_some());
        let unfinished = [
            DocumentStatus::Open,
            DocumentStatus::NotStarted,
            DocumentStatus::Missing,
            DocumentStatus::Ambiguous,
        ];
        self.counts.unfinished += usize::from(
            unfinished
                .iter()
                .any(|standing| row.status == standing.as_str()),
        );
        if row.status == DocumentStatus::NotStarted.as_str() {
            self.counts.not_started += 1;
        }
        if row.status == DocumentStatus::Open.as_str() {
            self.open.extend(row.job_id.clone());
        }
        let at_the_end = self.prints_at_the_end();
        if self.unwritten.is_none() && !at_the_end {
            self.unwritten = self.print(&row).err();
        }
        if at_the_end || self.after.wants_rows() {
            self.rows[place] = Some(row);
        }
    }

    /// Whether rows are printed all together, in the order of the documents.
    fn prints_at_the_end(&self) -> bool {
        self.output.is_some()
            || self.after.files()
            || matches!(self.shape, Shape::Json | Shape::Table)
    }

    /// Prints a row, where rows are printed as they come.
    fn print(&mut self, row: &Row) -> Result<(), Problem> {
        let Self {
            view,
            out,
            headed,
            after,
            ..
        } = self;
        match self.shape {
            // The view must be off the terminal while a line is written there.
            Shape::Jsonl => view.aside(|| out.json_line(row)),
            Shape::Csv => view.aside(|| {
                if !*headed {
                    out.csv(after.more().columns())?;
                    *headed = true;
                }
                out.csv(row.record())
            }),
            Shape::Table | Shape::Json => Ok(()),
        }
    }

    fn show_progress(&self) {
        let counts = &self.counts;
        let statuses = Standings {
            total: counts.total,
            uploaded: counts.uploaded,
            waiting: counts.waiting,
            done: counts.answered,
            failed: counts.rows - counts.answered,
            copies: counts.copies,
        };
        self.view.update(|live| live.statuses = statuses);
    }

    /// Takes the view off the terminal when the process ends at once.
    pub(super) fn clearer(&self) -> impl Fn() + Send + 'static {
        self.view.clearer()
    }

    /// Says that the run stops.
    pub(super) fn stopping(&self, why: Option<Why>) {
        if why == Some(Why::Interrupted) {
            self.view.aside(|| {
                self.console.chat("stopping; taking the answers that are on their way (Ctrl-C again ends at once)");
            });
        }
    }

    /// Writes the rest, and says how it went.
    pub(super) fn finish(mut self, ended: Ended) -> Result<(), Problem> {
        self.view.clear();
        for place in 0..self.documents.len() {
            if !self.tracks[place].done {
                self.settle(place, self.unsettled(place, &ended));
            }
        }
        let mut rows = std::mem::take(&mut self.rows);
        let written = match self.write(&mut rows) {
            // Ctrl-C ends the readers of a pipe too; the jobs that go on must be named all the same.
            Err(problem) if ended.stopped == Some(Why::Interrupted) => {
                if self.output.is_some() {
                    self.console.report(&problem);
                }
                Ok(())
            }
            written => written,
        };
        let headline = summary(&self.counts, self.began.elapsed());
        self.after.compare(&rows);
        if written.is_ok() {
            self.console.chat(&headline);
            self.after.say();
        }
        let last_word = self.last_word(ended);
        let is_whole = self.counts.unfinished == 0
            && (last_word.as_ref().err())
                .is_none_or(|problem| problem.code() == Some(Code::Partial));
        let unfinished = last_word.as_ref().err().filter(|_| !is_whole);
        let afterwards = self.after.close(&rows, headline.trim(), unfinished);
        written?;
        match (last_word, afterwards) {
            (Err(problem), Err(other)) => {
                self.console.report(&other);
                Err(problem)
            }
            (last_word, afterwards) => last_word.and(afterwards),
        }
    }

    /// Writes the rows that are not written yet, once it is known where their files go.
    fn write(&mut self, rows: &mut [Option<Row>]) -> Result<(), Problem> {
        let more = self.after.more();
        if self.after.files() {
            // No file is touched before its label is on the disk.
            if let Some(file) = &self.output {
                file.write(&there(rows), more)?;
            }
            self.after.file(rows, &self.documents);
        }
        match &self.output {
            Some(file) => file.write(&there(rows), more),
            None if self.prints_at_the_end() => {
                sink::write_all(&mut self.out, self.shape, &there(rows), more)
            }
            None => self.unwritten.take().map_or(Ok(()), Err),
        }
    }

    /// The row of a document that the run left behind.
    fn unsettled(&self, place: usize, ended: &Ended) -> Row {
        let mut track = &self.tracks[place];
        if let Some(like) = track.like.and_then(|like| self.tracks.get(like)) {
            track = like;
        }
        let what = match (ended.stopped, &ended.outcome) {
            (Some(Why::Deadline), _) => "the run's deadline came".to_owned(),
            (Some(_), _) => "interrupted".to_owned(),
            (None, Some(outcome)) => match (&outcome.unstored, &outcome.summary.stopped) {
                (Some(error), _) => format!("the journal cannot be written: {error}"),
                (None, Some(error)) => error.to_string(),
                (None, None) => "the run ended first".to_owned(),
            },
            (None, None) => "the run ended first".to_owned(),
        };
        let (standing, why) = if track.job.is_some() {
            (DocumentStatus::Open, format!("{what}; the job goes on"))
        } else if track.file.is_some() {
            (
                DocumentStatus::Ambiguous,
                format!(
                    "{what} while its job was being created; asked again, it is found or bought, and paid once"
                ),
            )
        } else {
            (DocumentStatus::NotStarted, what)
        };
        Row {
            job_id: track.job.clone(),
            file_id: track.file.clone(),
            ..Row::without_answer(&self.documents[place].path, &standing, why)
        }
    }

    fn last_word(&mut self, ended: Ended) -> Result<(), Problem> {
        let total = self.counts.rows;
        let missing = total - self.counts.answered;
        let without = format!("without an answer: {missing} of {total} documents");
        let outcome = ended.outcome;
        let stopped = ended.stopped.filter(|_| missing > 0);
        let problem = if let Some(error) = outcome
            .as_ref()
            .and_then(|outcome| outcome.unstored.clone())
        {
            Problem::new(
                Code::Unexpected,
                format!("the journal cannot be written: {error}; {without}"),
            )
            .hint(
                "the run has stopped, so that nothing is bought that the journal does not know of",
            )
        } else if let Some(why) = stopped {
            match why {
                Why::Deadline => {
                    Problem::new(Code::Timeout, format!("the deadline came; {without}"))
                }
                Why::Interrupted | Why::Pipe => {
                    Problem::new(Code::Interrupted, format!("interrupted; {without}"))
                }
            }
        } else if let Some(error) = outcome.and_then(|outcome| outcome.summary.stopped) {
            match self.counts.not_started {
                0 => error.into(),
                number => Problem::from(error)
                    .hint(format!("{number} documents were not started; {without}")),
            }
        } else if missing > 0 {
            let rest = if missing < total {
                "; the others are settled"
            } else {
                ""
            };
            Problem::new(Code::Partial, format!("{without}{rest}"))
        } else {
            return Ok(());
        };
        let unfinished = self.counts.unfinished > 0;
        if ended.resume.is_none() && !self.open.is_empty() {
            return Err(problem.hint("the emulator has ended, and its jobs with it"));
        }
        Err(problem.resumable(
            ended.resume.filter(|_| unfinished),
            std::mem::take(&mut self.open),
        ))
    }
}

/// The rows that there are; another shard's documents have none.
fn there(rows: &[Option<Row>]) -> Vec<&Row> {
    rows.iter().flatten().collect()
}

fn summary(counts: &Counts, took: Duration) -> String {
    let mut parts = vec![format!("{} matched", counts.matched)];
    let unmatched = counts.answered - counts.matched;
    let missing = counts.rows - counts.answered;
    if unmatched > 0 {
        parts.push(format!("{unmatched} without a match"));
    }
    if missing > 0 {
        parts.push(format!("{missing} without an answer"));
    }
    let documents = if counts.rows == 1 {
        "document"
    } else {
        "documents"
    };
    format!(
        "\n{} {documents} in {:.1} s: {}",
        counts.rows,
        took.as_secs_f64(),
        parts.join(", ")
    )
}
