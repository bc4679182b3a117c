//! `--dry-run`: counts the documents and jobs of a run without sending anything.

use std::collections::HashSet;

use classify_proto::PageRanges;
use classify_proto::machine::{Bulk, ContentKey, HashedDocument, KnownKeys};
use classify_proto::v2::ParsingConfiguration;
use classify_ureq::classify_client::path_name;
use serde::Serialize;
use serde_json::json;

use super::row::strip_name;
use crate::args::values::Shard;
use crate::error::CliError;
use crate::inputs::{Input, SkippedCounts};
use crate::output::OutputWriter;
use crate::output::format::RowFormat;
use crate::printer::Printer;

/// The counts of a dry run. The fields are the keys of the JSON output.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub(crate) struct DryRunSummary {
    /// Paths and ids of this run or shard that can be classified.
    documents: u64,
    /// Documents whose content another document has too.
    duplicates: u64,
    /// Documents that cannot be classified: empty, too large, unreadable, or not regular files.
    unreadable: u64,
    /// Files in folders and globs that were skipped.
    skipped: SkippedCounts,
    /// Links to folders outside of the searched ones.
    links_not_followed: u64,
    /// All files together, in bytes.
    bytes: u64,
    /// Contents that are finished in the journal.
    settled: u64,
    /// Contents with an open job in the journal.
    open: u64,
    /// The number of jobs that would be created.
    jobs: u64,
    /// The size of the files to upload, in bytes.
    bytes_to_upload: u64,
    /// The value of `--target-pages`.
    target_pages: Option<String>,
    max_pages: Option<u32>,
    /// The maximum number of pages of all jobs together; null if nothing limits them.
    pages_at_most: Option<u64>,
}

/// The action of a run for a document.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// Upload it and create a job.
    Job,
    /// Nothing: a document with the same content is sent.
    Duplicate,
    /// Nothing: it is finished in the journal.
    Settled,
    /// Wait for its job in the journal.
    Open,
    /// Nothing: it cannot be classified.
    Unreadable,
}

/// A line of the list of documents.
#[derive(Debug, Serialize)]
pub(crate) struct PlannedDocument<'a> {
    pub(crate) path: &'a str,
    plan: Plan,
    /// `null` for an id, and for a document that cannot be read.
    bytes: Option<u64>,
    /// Why it cannot be classified.
    pub(crate) error: Option<&'a str>,
}

/// A run with `--dry-run`, which reads the documents and sends nothing.
pub(crate) struct DryRun {
    pub(crate) summary: DryRunSummary,
    pub(crate) bulk: Bulk,
    /// The objects that need not be read.
    pub(crate) known: KnownKeys,
    pub(crate) shard: Option<Shard>,
}

impl DryRun {
    /// Counts the documents, and prints the summary. If `lists_documents`, each document is a line of the output, and the
    /// summary goes to stderr.
    pub(super) fn run(
        self,
        inputs: &[Input],
        format: RowFormat,
        lists_documents: bool,
        printer: Printer,
    ) -> Result<(), CliError> {
        let mut output = OutputWriter::stdout();
        let summary = self.count(inputs, read, |document| match document.error {
            _ if lists_documents => output.json_line(document),
            Some(error) => {
                printer.note(&format!("{} {error}", document.path));
                Ok(())
            }
            None => Ok(()),
        })?;
        if lists_documents {
            printer.section("plan", || summary.text(), || json!(summary));
            return Ok(());
        }
        print(&summary, format)
    }

    /// Counts the documents. `read` reads a document, or returns the error for its row. `on_document` receives each
    /// document of this run; an error of it ends the count.
    pub(crate) fn count(
        mut self,
        inputs: &[Input],
        read: impl Fn(&Input, &KnownKeys) -> Result<HashedDocument, String>,
        mut on_document: impl FnMut(&PlannedDocument<'_>) -> Result<(), CliError>,
    ) -> Result<DryRunSummary, CliError> {
        let mut seen = HashSet::new();
        for input in inputs {
            let read = read(input, &self.known);
            let is_ours = match (&read, self.shard) {
                (Ok(document), Some(shard)) => shard.contains(document.key()),
                (Err(_), shard) => input.is_in_shard(shard),
                (Ok(_), None) => true,
            };
            if !is_ours {
                continue;
            }
            let (plan, bytes, error) = match read {
                Ok(document) => {
                    let bytes = input.size();
                    (self.plan(document, &mut seen, bytes), bytes, None)
                }
                Err(error) => {
                    self.summary.unreadable += 1;
                    (Plan::Unreadable, None, Some(error))
                }
            };
            on_document(&PlannedDocument {
                path: &path_name(&input.path),
                plan,
                bytes,
                error: error.as_deref(),
            })?;
        }
        self.summary.count_pages();
        Ok(self.summary)
    }

    fn plan(
        &mut self,
        document: HashedDocument,
        seen: &mut HashSet<ContentKey>,
        bytes: Option<u64>,
    ) -> Plan {
        let bytes = bytes.unwrap_or(0);
        let summary = &mut self.summary;
        summary.documents += 1;
        summary.bytes += bytes;
        let key = document.key();
        if !seen.insert(key) {
            summary.duplicates += 1;
            return Plan::Duplicate;
        }
        // The machine does not accept a document that the journal has finished.
        let before = self.bulk.capacity();
        self.bulk.push(document);
        if self.bulk.capacity() == before {
            summary.settled += 1;
            Plan::Settled
        } else if self.bulk.job_id(key).is_some() {
            summary.open += 1;
            Plan::Open
        } else {
            summary.jobs += 1;
            summary.bytes_to_upload += bytes;
            Plan::Job
        }
    }
}

/// Reads a document; the error is for its row.
fn read(input: &Input, known: &KnownKeys) -> Result<HashedDocument, String> {
    if let Some(document) = input.known_document(known) {
        return Ok(document);
    }
    match (&input.error, input.document()) {
        (Some(error), _) => Err(error.clone()),
        (None, Some(document)) => document
            .hash()
            .map_err(|error| strip_name(&error.to_string(), &input.path)),
        (None, None) => Err(String::new()),
    }
}

impl DryRunSummary {
    /// Returns a plan without documents. The page limits of a saved configuration are unknown.
    pub(crate) fn new(
        links_not_followed: u64,
        skipped: SkippedCounts,
        parsing: Option<&ParsingConfiguration>,
    ) -> Self {
        Self {
            links_not_followed,
            skipped,
            target_pages: parsing.and_then(|parsing| parsing.target_pages.clone()),
            max_pages: parsing.and_then(|parsing| parsing.max_pages),
            ..Self::default()
        }
    }

    fn count_pages(&mut self) {
        let targets = self
            .target_pages
            .as_deref()
            .and_then(|pages| pages.parse::<PageRanges>().ok())
            .map(|pages| pages.count());
        let most = [targets, self.max_pages.map(u64::from)];
        let each = most.into_iter().flatten().min();
        self.pages_at_most = each.map(|each| each.saturating_mul(self.jobs));
    }

    fn skipped_text(&self) -> String {
        let SkippedCounts {
            hidden,
            temporary,
            not_regular,
            excluded,
        } = self.skipped;
        format!(
            "{hidden} hidden, {temporary} temporary, {not_regular} not regular files, {excluded} excluded"
        )
    }

    fn text(&self) -> String {
        let each = match (&self.target_pages, self.max_pages) {
            (Some(pages), Some(most)) => format!("{pages} and at most {most} of each"),
            (Some(pages), None) => format!("{pages} of each"),
            (None, Some(most)) => format!("at most {most} of each"),
            (None, None) => "all that the service reads of each".to_owned(),
        };
        let in_all = self
            .pages_at_most
            .map(|pages| format!(", at most {pages} in total"))
            .unwrap_or_default();
        [
            format!("documents   {} ({})", self.documents, size(self.bytes)),
            format!("duplicates  {}", self.duplicates),
            format!("unreadable  {}", self.unreadable),
            format!("skipped     {}", self.skipped_text()),
            format!("links       {} not followed", self.links_not_followed),
            format!("finished    {} in the journal", self.settled),
            format!("open        {} in the journal", self.open),
            format!(
                "jobs        {} ({} to upload)",
                self.jobs,
                size(self.bytes_to_upload)
            ),
            format!("pages       {each}{in_all}"),
        ]
        .join("\n")
    }
}

fn print(summary: &DryRunSummary, format: RowFormat) -> Result<(), CliError> {
    let mut output = OutputWriter::stdout();
    match format {
        RowFormat::Table => output.line(&summary.text()),
        RowFormat::Json => output.json(summary),
        RowFormat::Jsonl => output.json_line(summary),
        RowFormat::Csv => {
            let number = |value: Option<u64>| value.map(|n| n.to_string()).unwrap_or_default();
            let columns = [
                ("documents", summary.documents.to_string()),
                ("duplicates", summary.duplicates.to_string()),
                ("unreadable", summary.unreadable.to_string()),
                ("links_not_followed", summary.links_not_followed.to_string()),
                ("bytes", summary.bytes.to_string()),
                ("settled", summary.settled.to_string()),
                ("open", summary.open.to_string()),
                ("jobs", summary.jobs.to_string()),
                ("bytes_to_upload", summary.bytes_to_upload.to_string()),
                (
                    "target_pages",
                    summary.target_pages.clone().unwrap_or_default(),
                ),
                ("max_pages", number(summary.max_pages.map(u64::from))),
                ("pages_at_most", number(summary.pages_at_most)),
                ("skipped_hidden", summary.skipped.hidden.to_string()),
                ("skipped_temporary", summary.skipped.temporary.to_string()),
                (
                    "skipped_not_regular",
                    summary.skipped.not_regular.to_string(),
                ),
                ("skipped_excluded", summary.skipped.excluded.to_string()),
            ];
            output.csv_record(columns.iter().map(|(name, _)| name))?;
            output.csv_record(columns.iter().map(|(_, value)| value))
        }
    }
}

/// Formats a number of bytes for people.
fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => {
            let tenths = bytes / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dry_run_sizes_have_readable_units() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_550, "1.5 kB"),
            (34_200_000, "34.2 MB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
