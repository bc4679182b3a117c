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

use classify_ureq::classify_client::path_name;

use self::evaluation::{Evaluation, LabelledResult, Prediction};
use self::evaluation_text::{Names, Unmatched};
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
use classify_rules::parse_message::quote_text;

/// The steps after the classification, as selected by the flags.
#[derive(Debug)]
pub(super) struct Postprocess {
    review_below: Option<f64>,
    /// The types of the rules; `None` if they are those of a saved configuration.
    types: Option<BTreeSet<String>>,
    /// Documents whose confidence is not from 0 to 1.
    odd_confidences: Names,
    /// Documents whose type no rule has.
    odd_types: Names,
    file_sorter: Option<FileSorter>,
    labels: Option<Labels>,
    evaluation: Option<(Evaluation, Unmatched)>,
    report_file: Option<AtomicFile>,
    /// The inputs and rules, as the report names them.
    title: String,
    is_emulated: bool,
    csv_bom: bool,
    is_dry_run: bool,
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
            return Err(CliError::usage(
                "--report - is not supported, because stdout has the rows",
            )
            .hint("name a file: --report report.html"));
        }
        let report_file = args
            .report
            .as_deref()
            .map(|path| AtomicFile::new("--report", path))
            .transpose()?;
        Ok(Self {
            review_below: args.review_below,
            types: None,
            odd_confidences: Names::default(),
            odd_types: Names::default(),
            file_sorter,
            labels: None,
            evaluation: None,
            report_file,
            title: title(args),
            is_emulated: global.emulator,
            csv_bom: global.csv_bom,
            is_dry_run: args.dry_run,
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
        let mut labels = Labels::read(file, inputs)?;
        if let Some(types) = types {
            labels.resolve_types(types.iter().copied());
        }
        if labels.none_matched() && labels.unmatched().count() > 0 {
            self.printer.warning(&format!(
                "--labels {}: none of its {} labels refers to a document of this run: {}; write paths as in the \
                 rows, or relative to the folder of the labels file",
                file.display(),
                labels.unmatched().count(),
                labels.unmatched()
            ));
        } else if self.is_dry_run {
            let mut unmatched = Unmatched {
                labels: labels.unmatched().clone(),
                unlabelled: Names::default(),
            };
            for (index, input) in inputs.iter().enumerate() {
                if labels.of(index).is_none() {
                    unmatched.unlabelled.add(&path_name(&input.path));
                }
            }
            if let Some(text) = evaluation_text::describe_unmatched(&unmatched) {
                self.printer
                    .note(&format!("--labels {}: {text}", file.display()));
            }
        }
        let unknown_types: BTreeSet<_> = labels
            .types()
            .filter(|label| types.is_some_and(|types| !types.contains(label)))
            .collect();
        let mut names = Names::default();
        for label in unknown_types {
            names.add(&quote_text(label));
        }
        if names.count() > 0 {
            self.printer.note(&format!(
                "{} has the type{} {names}, which no rule has; documents with such a label cannot be correct",
                file.display(),
                if names.count() == 1 { "" } else { "s" }
            ));
        }
        self.labels = Some(labels);
        Ok(())
    }

    /// Sets the types of the rules, if they are known.
    pub(super) fn set_types(&mut self, types: Option<Vec<&str>>) {
        let types = types.map(|types| types.into_iter().map(|name| name.trim().to_owned()));
        self.types = types.map(Iterator::collect);
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
        let doubt = doubt(row, self.types.as_ref());
        match doubt {
            Some(Doubt::Confidence) => self.odd_confidences.add(&row.path),
            Some(Doubt::Type) => self.odd_types.add(&row.path),
            None => {}
        }
        row.review = self.review_below.map(|below| {
            let is_sure = row.confidence.is_some_and(|confidence| confidence >= below);
            let is_matched = row.is_classified() && row.r#type.is_some();
            !(is_matched && is_sure && doubt.is_none())
        });
        row.review_reason = doubt
            .filter(|_| row.review == Some(true))
            .map(Doubt::reason);
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
        self.evaluation = self.labels.as_mut().map(|labels| {
            // The types of a saved configuration are known only from its results.
            let types = rows
                .iter()
                .flatten()
                .filter_map(|row| row.r#type.as_deref());
            labels.resolve_types(types);
            compare(labels, rows)
        });
    }

    /// Prints the summaries.
    pub(super) fn print(&self) {
        self.printer
            .status(&format!("\n{}", self.type_counts.to_text()));
        if let Some(below) = self.review_below {
            self.printer.status(&format!(
                "\nto review: {} of {} (confidence below {below}, no match, or no result)",
                self.type_counts.to_review, self.type_counts.documents
            ));
        }
        for (names, doubt) in [
            (&self.odd_confidences, Doubt::Confidence),
            (&self.odd_types, Doubt::Type),
        ] {
            if names.count() > 0 {
                let marked = if self.review_below.is_some() {
                    ", to review"
                } else {
                    ""
                };
                self.printer
                    .warning(&format!("{}{marked}: {names}", doubt.reason()));
            }
        }
        if let Some((evaluation, unmatched)) = &self.evaluation {
            self.printer.section(
                "evaluation",
                || format!("\n{}\n", evaluation_text::to_text(evaluation, unmatched)),
                || evaluation_text::to_json(evaluation, unmatched),
            );
        }
    }

    /// Writes the report. Returns the error of moving files or of the report. `unfinished` is the error of an
    /// incomplete run.
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
            path: file.path(),
            rows,
            labels: self.labels.as_ref(),
            type_counts: &self.type_counts,
            evaluation: self
                .evaluation
                .as_ref()
                .map(|(evaluation, unmatched)| (evaluation, unmatched)),
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

/// The reason why a result is implausible, whatever its confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    Confidence,
    Type,
}

impl Doubt {
    fn reason(self) -> &'static str {
        match self {
            Self::Confidence => "the confidence is not from 0 to 1",
            Self::Type => "no rule has the type",
        }
    }
}

/// Returns the reason why the result of a row is implausible.
fn doubt(row: &Row, types: Option<&BTreeSet<String>>) -> Option<Doubt> {
    if !row.is_classified() {
        return None;
    }
    // The service may leave out outer spaces.
    let is_unknown = |name: &String| types.is_some_and(|types| !types.contains(name.trim()));
    if row.r#type.as_ref().is_some_and(is_unknown) {
        return Some(Doubt::Type);
    }
    (row.confidence.is_some() && row.valid_confidence().is_none()).then_some(Doubt::Confidence)
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
        labels: labels.unmatched().clone(),
        unlabelled: Names::default(),
    };
    for (index, row) in rows.iter().enumerate() {
        match (row, labels.of(index)) {
            (Some(row), Some(expected)) => results.push(LabelledResult {
                expected: expected.clone(),
                prediction: if row.is_classified() {
                    Prediction::Classified {
                        r#type: row.r#type.clone(),
                        confidence: row.valid_confidence(),
                    }
                } else {
                    Prediction::Missing
                },
            }),
            (Some(row), None) => unmatched.unlabelled.add(&row.path),
            // The document belongs to another shard.
            (None, Some(_)) => unmatched.labels.add_unnamed(),
            (None, None) => {}
        }
    }
    (Evaluation::of(&results), unmatched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_unknown_type_or_confidence_out_of_range_is_in_doubt() {
        let types = BTreeSet::from(["invoice".to_owned()]);
        let row = |r#type: Option<&str>, confidence: Option<f64>| {
            let report = serde_json::json!({
                "status": "COMPLETED", "type": r#type, "confidence": confidence
            });
            Row::from_report(Path::new("a"), &serde_json::from_value(report).unwrap())
        };
        for (row, expected) in [
            (row(Some("invoice"), Some(1.0)), None),
            (row(Some("invoice "), Some(0.0)), None),
            (row(Some("invoice"), None), None),
            (row(None, Some(0.5)), None),
            (row(Some("invoice"), Some(93.0)), Some(Doubt::Confidence)),
            (row(Some("invoice"), Some(-0.1)), Some(Doubt::Confidence)),
            (row(None, Some(93.0)), Some(Doubt::Confidence)),
            (row(Some("Invoice"), Some(0.9)), Some(Doubt::Type)),
            (row(Some(""), Some(0.9)), Some(Doubt::Type)),
            (Row::error(Path::new("a"), "gone"), None),
        ] {
            assert_eq!(doubt(&row, Some(&types)), expected, "{row:?}");
        }
        // The types of a saved configuration are unknown.
        assert_eq!(doubt(&row(Some("Invoice"), Some(0.9)), None), None);
    }
}
