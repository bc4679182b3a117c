//! The steps after the classification: review marks, counts by type, moving files, the evaluation against labels, and
//! the report.
//!
//! ```text
//! before anything is sent    flags, labels and paths are validated
//! for each document          mark_and_count: the review flag, the counts
//! at the end                 move_files, evaluate, print, finish
//! ```

pub(super) mod evaluation;
pub(super) mod evaluation_text;
pub(super) mod labels;
mod move_files;
pub(super) mod sort_files;
pub(super) mod type_counts;

use std::collections::BTreeSet;
use std::path::Path;

use self::evaluation::{Evaluation, LabelledResult, Prediction};
use self::evaluation_text::Unmatched;
use self::labels::Labels;
use self::sort_files::{Continuation, FileSorter};
use self::type_counts::TypeCounts;
use super::report_page::ReportPage;
use super::row::{ExtraColumns, FileAction, Row};
use super::row_output::AtomicFile;
use crate::args::global::GlobalArgs;
use crate::args::run::RunArgs;
use crate::cancel::Cancel;
use crate::error::CliError;
use crate::inputs::Input;
use crate::printer::Printer;

/// The steps after the classification, as the flags ask for them.
#[derive(Debug)]
pub(super) struct Postprocess {
    review_below: Option<f64>,
    file_sorter: Option<FileSorter>,
    labels: Option<Labels>,
    evaluation: Option<(Evaluation, Unmatched)>,
    report_file: Option<AtomicFile>,
    /// The inputs and rules, as the report names them.
    title: String,
    is_emulated: bool,
    csv_bom: bool,
    type_counts: TypeCounts,
    cancel: Cancel,
    printer: Printer,
}

impl Postprocess {
    /// Validates the flags.
    pub(super) fn new(
        args: &RunArgs,
        global: &GlobalArgs,
        has_journal: bool,
        printer: Printer,
    ) -> Result<Self, CliError> {
        let (action, template) = match &args.move_to {
            Some(to) => (FileAction::Move, Some(to)),
            None => (FileAction::Copy, args.copy_to.as_ref()),
        };
        let file_sorter = template.map(|template| {
            let continuation = Continuation {
                without_retry_failed: args.retry_failed,
                with_resume: has_journal && !args.resume,
            };
            FileSorter::new(action, template.clone(), continuation)
        });
        if args.report.as_deref() == Some(Path::new("-")) {
            return Err(
                CliError::usage("--report - would mix the page with the rows on stdout")
                    .hint("name a file: --report report.html"),
            );
        }
        let report_file = args
            .report
            .as_deref()
            .map(|path| AtomicFile::new("--report", path))
            .transpose()?;
        Ok(Self {
            review_below: args.review_below,
            file_sorter,
            labels: None,
            evaluation: None,
            report_file,
            title: title(args),
            is_emulated: global.emulator,
            csv_bom: global.csv_bom,
            type_counts: TypeCounts::default(),
            cancel: Cancel::default(),
            printer,
        })
    }

    /// Reads the labels. `types` are those of the rules, if they are known.
    pub(super) fn read_labels(
        &mut self,
        file: &Path,
        inputs: &[Input],
        types: Option<&[&str]>,
    ) -> Result<(), CliError> {
        let labels = Labels::read(file, inputs)?;
        if let Some(first) = labels.first_if_none_matched() {
            self.printer.warning(&format!(
                "--labels {}: none of its {} labels is of a document of this run; it begins with {first:?}, and a path \
                 is written as in the rows, or relative to the folder of the file of labels",
                file.display(),
                labels.unmatched()
            ));
        }
        let unknown_types: BTreeSet<_> = labels
            .types()
            .filter(|label| types.is_some_and(|types| !types.contains(label)))
            .collect();
        for label in unknown_types {
            self.printer.note(&format!(
                "{} has the type {label:?}, which no rule has, so that those documents cannot be right",
                file.display()
            ));
        }
        self.labels = Some(labels);
        Ok(())
    }

    /// Sets the token that cancels moving files.
    pub(super) fn set_cancel(&mut self, cancel: &Cancel) {
        self.cancel = cancel.clone();
    }

    /// Returns the optional columns of the rows.
    pub(super) fn extra_columns(&self) -> ExtraColumns {
        ExtraColumns {
            review: self.review_below.is_some(),
            file_action: self
                .file_sorter
                .as_ref()
                .map(|file_sorter| file_sorter.action),
            csv_bom: self.csv_bom,
        }
    }

    /// Whether all rows are needed at the end.
    pub(super) fn needs_all_rows(&self) -> bool {
        self.file_sorter.is_some() || self.labels.is_some() || self.report_file.is_some()
    }

    /// Whether files are moved or copied, which completes the rows.
    pub(super) fn moves_files(&self) -> bool {
        self.file_sorter.is_some()
    }

    /// Marks a row for review, and counts it.
    pub(super) fn mark_and_count(&mut self, row: &mut Row) {
        row.review = self.review_below.map(|below| {
            let is_sure = row.confidence.is_some_and(|confidence| confidence >= below);
            !(row.is_classified() && row.r#type.is_some() && is_sure)
        });
        self.type_counts.add(row);
    }

    /// Moves or copies the files.
    pub(super) fn move_files(&mut self, rows: &mut [Option<Row>], inputs: &[Input]) {
        if let Some(file_sorter) = &mut self.file_sorter {
            file_sorter.sort(rows, inputs, &self.cancel, self.printer);
        }
    }

    /// Evaluates the rows against the labels, if there are any.
    pub(super) fn evaluate(&mut self, rows: &[Option<Row>]) {
        self.evaluation = self.labels.as_ref().map(|labels| compare(labels, rows));
    }

    /// Prints the summaries.
    pub(super) fn print(&self) {
        self.printer
            .status(&format!("\n{}", self.type_counts.to_text()));
        if let Some(below) = self.review_below {
            self.printer.status(&format!(
                "\nto review: {} of {} (confidence below {below}, no match, or no answer)",
                self.type_counts.to_review, self.type_counts.documents
            ));
        }
        if let Some((evaluation, unmatched)) = &self.evaluation {
            self.printer.section(
                "evaluation",
                || format!("\n{}\n", evaluation_text::to_text(evaluation, *unmatched)),
                || evaluation_text::to_json(evaluation, *unmatched),
            );
        }
    }

    /// Writes the report. Returns the error of moving files or of the report. `unfinished` is why the run is incomplete.
    pub(super) fn finish(
        &self,
        rows: &[Option<Row>],
        headline: &str,
        unfinished: Option<&CliError>,
    ) -> Result<(), CliError> {
        let moved = self.file_sorter.as_ref().map_or(Ok(()), FileSorter::result);
        let Some(file) = &self.report_file else {
            return moved;
        };
        let page = ReportPage {
            rows,
            labels: self.labels.as_ref(),
            type_counts: &self.type_counts,
            evaluation: self
                .evaluation
                .as_ref()
                .map(|(evaluation, unmatched)| (evaluation, *unmatched)),
            review_below: self.review_below,
            file_sorter: self.file_sorter.as_ref(),
            title: &self.title,
            headline,
            unfinished,
            is_emulated: self.is_emulated,
        };
        let written = file.write(&page.html());
        match (written, moved) {
            (Err(error), Err(moved)) => {
                self.printer.error(&moved);
                Err(error)
            }
            (written, moved) => written.and(moved),
        }
    }
}

fn title(args: &RunArgs) -> String {
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

fn compare(labels: &Labels, rows: &[Option<Row>]) -> (Evaluation, Unmatched) {
    let mut results = Vec::new();
    let mut unmatched = Unmatched {
        labels: labels.unmatched(),
        unlabelled: 0,
    };
    for (index, row) in rows.iter().enumerate() {
        match (row, labels.of(index)) {
            (Some(row), Some(expected)) => results.push(LabelledResult {
                expected: expected.clone(),
                prediction: if row.is_classified() {
                    Prediction::Classified {
                        r#type: row.r#type.clone(),
                        confidence: row.confidence,
                    }
                } else {
                    Prediction::Missing
                },
            }),
            (Some(_), None) => unmatched.unlabelled += 1,
            // The document belongs to another shard.
            (None, Some(_)) => unmatched.labels += 1,
            (None, None) => {}
        }
    }
    (Evaluation::of(&results), unmatched)
}
