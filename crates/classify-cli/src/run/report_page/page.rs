//! The data of the page.

use std::path::Path;

use crate::error::CliError;
use crate::run::postprocess::evaluation::Evaluation;
use crate::run::postprocess::evaluation_text::Unmatched;
use crate::run::postprocess::labels::Labels;
use crate::run::postprocess::sort_files::FileSorter;
use crate::run::postprocess::type_counts::TypeCounts;
use crate::run::row::Row;

/// The content of the page.
pub(in crate::run) struct ReportPage<'a> {
    /// The file that the page is written to. Links to documents depend on its folder.
    pub(in crate::run) path: &'a Path,
    /// By the index of the document; documents of other shards have none.
    pub(in crate::run) rows: &'a [Option<Row>],
    pub(in crate::run) labels: Option<&'a Labels>,
    pub(in crate::run) type_counts: &'a TypeCounts,
    pub(in crate::run) evaluation: Option<(&'a Evaluation, &'a Unmatched)>,
    pub(in crate::run) review_below: Option<f64>,
    pub(in crate::run) file_sorter: Option<&'a FileSorter>,
    /// The inputs and rules.
    pub(in crate::run) title: &'a str,
    pub(in crate::run) headline: &'a str,
    /// The error of an incomplete run.
    pub(in crate::run) unfinished: Option<&'a CliError>,
    pub(in crate::run) is_emulated: bool,
}
