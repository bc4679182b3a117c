//! What a run does beside printing its rows: it marks what somebody should review, counts by type, files documents into
//! folders, compares itself with labels, and writes a page.
//!
//! ```text
//! before anything is sent    flags, labels and places are checked
//! as documents settle        mark: the review flag, the counts
//! at the end                 file: moves and copies    close: summary, comparison, page
//! ```

pub(super) mod filing;
pub(super) mod labels;
mod place;
pub(super) mod score;
pub(super) mod score_text;
pub(super) mod tally;

use std::collections::BTreeSet;
use std::path::Path;

use self::filing::Filing;
use self::labels::Labels;
use self::score::{Found, Pair, Score};
use self::score_text::Unmet;
use self::tally::Tally;
use super::report_page::Page;
use super::row::{How, More, Row};
use super::sink::WholeFile;
use crate::args::run::RunArgs;
use crate::console::Console;
use crate::exit::Problem;
use crate::inputs::Document;
use crate::interrupt::Switch;

/// What is done with rows beside printing them.
#[derive(Debug)]
pub(super) struct After {
    review_below: Option<f64>,
    filing: Option<Filing>,
    labels: Option<Labels>,
    score: Option<(Score, Unmet)>,
    page: Option<WholeFile>,
    /// What the page says the run is of.
    subject: String,
    is_emulated: bool,
    tally: Tally,
    switch: Switch,
    console: Console,
}

impl After {
    /// Checks what the flags ask for.
    pub(super) fn new(
        args: &RunArgs,
        is_emulated: bool,
        console: Console,
    ) -> Result<Self, Problem> {
        let filing = match (&args.move_to, &args.copy_to) {
            (Some(to), _) => Some(Filing::new(How::Move, to.clone())),
            (None, Some(to)) => Some(Filing::new(How::Copy, to.clone())),
            (None, None) => None,
        };
        if args.report.as_deref() == Some(Path::new("-")) {
            return Err(
                Problem::usage("--report - would mix the page with the rows on stdout")
                    .hint("name a file: --report report.html"),
            );
        }
        let page = args
            .report
            .as_deref()
            .map(|path| WholeFile::new("--report", path))
            .transpose()?;
        Ok(Self {
            review_below: args.review_below,
            filing,
            labels: None,
            score: None,
            page,
            subject: subject(args),
            is_emulated,
            tally: Tally::default(),
            switch: Switch::default(),
            console,
        })
    }

    /// Reads the labels of these documents. `types` are those that the rules can give, where that is known.
    pub(super) fn read_labels(
        &mut self,
        file: &Path,
        documents: &[Document],
        types: Option<&[&str]>,
    ) -> Result<(), Problem> {
        let labels = Labels::read(file, documents)?;
        if let Some(first) = labels.of_nothing() {
            self.console.warn(&format!(
                "--labels {}: none of its {} labels is of a document of this run; it begins with {first:?}, and a path \
                 is written as in the rows, or relative to the folder of the file of labels",
                file.display(),
                labels.strangers()
            ));
        }
        let odd: BTreeSet<_> = labels
            .types()
            .filter(|label| types.is_some_and(|types| !types.contains(label)))
            .collect();
        for label in odd {
            self.console.note(&format!(
                "{} has the type {label:?}, which no rule has, so that those documents cannot be right",
                file.display()
            ));
        }
        self.labels = Some(labels);
        Ok(())
    }

    /// What ends the run before its end also ends the filing.
    pub(super) fn ends_with(&mut self, switch: &Switch) {
        self.switch = switch.clone();
    }

    /// Which keys the rows have beside the usual ones.
    pub(super) fn more(&self) -> More {
        More {
            review: self.review_below.is_some(),
            filed: self.filing.as_ref().map(|filing| filing.how),
        }
    }

    /// Whether all rows are wanted at the end.
    pub(super) fn wants_rows(&self) -> bool {
        self.filing.is_some() || self.labels.is_some() || self.page.is_some()
    }

    /// Whether files are moved or copied, so that rows are complete only after that.
    pub(super) fn files(&self) -> bool {
        self.filing.is_some()
    }

    /// Marks a row that has come, and counts it.
    pub(super) fn mark(&mut self, row: &mut Row) {
        row.review = self.review_below.map(|below| {
            let is_sure = row.confidence.is_some_and(|confidence| confidence >= below);
            !(row.is_answer() && row.r#type.is_some() && is_sure)
        });
        self.tally.add(row);
    }

    /// Moves or copies the files.
    pub(super) fn file(&mut self, rows: &mut [Option<Row>], documents: &[Document]) {
        if let Some(filing) = &mut self.filing {
            filing.file(rows, documents, &self.switch, self.console);
        }
    }

    /// Compares the rows with the labels, where there are labels.
    pub(super) fn compare(&mut self, rows: &[Option<Row>]) {
        self.score = self.labels.as_ref().map(|labels| score(labels, rows));
    }

    /// Says what there is to say beside the rows.
    pub(super) fn say(&self) {
        self.console.chat(&format!("\n{}", self.tally.text()));
        if let Some(below) = self.review_below {
            self.console.chat(&format!(
                "\nto review: {} of {} (confidence below {below}, no match, or no answer)",
                self.tally.to_review, self.tally.documents
            ));
        }
        if let Some((score, unmet)) = &self.score {
            self.console.tell(
                "evaluation",
                || format!("\n{}\n", score_text::text(score, *unmet)),
                || score_text::json(score, *unmet),
            );
        }
    }

    /// Writes the page, and says what could not be done. `unfinished` is why the run is not whole.
    pub(super) fn close(
        &self,
        rows: &[Option<Row>],
        headline: &str,
        unfinished: Option<&Problem>,
    ) -> Result<(), Problem> {
        let filed = self.filing.as_ref().map_or(Ok(()), Filing::outcome);
        let Some(file) = &self.page else {
            return filed;
        };
        let page = Page {
            rows,
            labels: self.labels.as_ref(),
            tally: &self.tally,
            score: self.score.as_ref().map(|(score, unmet)| (score, *unmet)),
            review_below: self.review_below,
            filing: self.filing.as_ref(),
            subject: &self.subject,
            headline,
            unfinished,
            is_emulated: self.is_emulated,
        };
        let written = file.write(&page.html());
        match (written, filed) {
            (Err(problem), Err(filed)) => {
                self.console.report(&filed);
                Err(problem)
            }
            (written, filed) => written.and(filed),
        }
    }
}

fn subject(args: &RunArgs) -> String {
    let paths: Vec<_> = args
        .paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match (&args.rules, &args.configuration_id) {
        (Some(rules), _) => format!("{}, by {}", paths.join(", "), rules.display()),
        (None, Some(id)) => format!("{}, by {id}", paths.join(", ")),
        (None, None) => paths.join(", "),
    }
}

fn score(labels: &Labels, rows: &[Option<Row>]) -> (Score, Unmet) {
    let mut pairs = Vec::new();
    let mut unmet = Unmet {
        strangers: labels.strangers(),
        unlabelled: 0,
    };
    for (place, row) in rows.iter().enumerate() {
        match (row, labels.of(place)) {
            (Some(row), Some(expected)) => pairs.push(Pair {
                expected: expected.clone(),
                found: if row.is_answer() {
                    Found::Answer {
                        r#type: row.r#type.clone(),
                        confidence: row.confidence,
                    }
                } else {
                    Found::NoAnswer
                },
            }),
            (Some(_), None) => unmet.unlabelled += 1,
            // Another shard's.
            (None, Some(_)) => unmet.strangers += 1,
            (None, None) => {}
        }
    }
    (Score::of(&pairs), unmet)
}
