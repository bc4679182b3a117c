//! `--dry-run`: what a run would send and ask for, without sending or asking.

use std::collections::HashSet;
use std::sync::Arc;

use classify_proto::PageRanges;
use classify_proto::machine::Bulk;
use classify_proto::v2::ParsingConfiguration;
use serde::Serialize;

use super::documents::{self, Read};
use crate::args::values::Shard;
use crate::console::Console;
use crate::exit::Problem;
use crate::inputs::Document;
use crate::output::{Out, Shape};

/// What a run over these documents would come to.
#[derive(Debug, Default, Serialize)]
pub(super) struct Plan {
    /// Paths and ids of this run or shard that can be classified.
    documents: u64,
    /// Those of them whose content another has too.
    duplicates: u64,
    /// Those that cannot be classified: empty, unreadable, no files.
    unreadable: u64,
    /// Links to folders outside of those that were named.
    links_not_followed: u64,
    /// All files together, in bytes.
    bytes: u64,
    /// Contents that the journal has settled.
    settled: u64,
    /// Contents whose job the journal knows and whose end it does not.
    open: u64,
    /// Contents left: so many jobs.
    jobs: u64,
    /// The files among them, in bytes.
    bytes_to_upload: u64,
    /// The pages asked for, as given.
    target_pages: Option<String>,
    max_pages: Option<u32>,
    /// The most pages that are read of all jobs' documents together; null where nothing limits them.
    pages_at_most: Option<u64>,
}

/// Counts, and prints what was counted.
pub(super) fn run(
    documents: &Arc<[Document]>,
    shard: Option<Shard>,
    mut plan: Plan,
    mut bulk: Bulk,
    shape: Shape,
    console: Console,
) -> Result<(), Problem> {
    for document in documents.iter() {
        if let Some(trouble) = &document.trouble
            && documents::is_told_here(document, shard)
        {
            plan.unreadable += 1;
            console.note(&format!("{} {trouble}", document.path.display()));
        }
    }
    let mut seen = HashSet::new();
    for read in documents::read(documents, shard)? {
        match read {
            Read::Elsewhere { .. } => {}
            Read::Unreadable { place, why } => {
                plan.unreadable += 1;
                if let Some(document) = documents.get(place) {
                    console.note(&format!("{} {why}", document.path.display()));
                }
            }
            Read::Ready {
                document, stamp, ..
            } => {
                let length = stamp.map_or(0, documents::Stamp::length);
                plan.documents += 1;
                plan.bytes += length;
                let key = document.key();
                if !seen.insert(key) {
                    plan.duplicates += 1;
                    continue;
                }
                // The run itself knows best what it would do: what it does not take on is settled.
                let before = bulk.capacity();
                bulk.push(*document);
                if bulk.capacity() == before {
                    plan.settled += 1;
                } else if bulk.job_of(key).is_some() {
                    plan.open += 1;
                } else {
                    plan.jobs += 1;
                    plan.bytes_to_upload += length;
                }
            }
        }
    }
    plan.count_pages();
    print(&plan, shape)
}

impl Plan {
    /// A plan without documents; a saved configuration keeps to itself which pages are read.
    pub(super) fn new(links_not_followed: u64, parsing: Option<&ParsingConfiguration>) -> Self {
        Self {
            links_not_followed,
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

    fn text(&self) -> String {
        let each = match (&self.target_pages, self.max_pages) {
            (Some(pages), Some(most)) => format!("{pages} and at most {most} of each"),
            (Some(pages), None) => format!("{pages} of each"),
            (None, Some(most)) => format!("at most {most} of each"),
            (None, None) => "whatever the service reads of each".to_owned(),
        };
        let in_all = self
            .pages_at_most
            .map(|pages| format!(", {pages} in all at most"))
            .unwrap_or_default();
        [
            format!("documents   {} ({})", self.documents, size(self.bytes)),
            format!("duplicates  {}", self.duplicates),
            format!("unreadable  {}", self.unreadable),
            format!("links       {} not followed", self.links_not_followed),
            format!("settled     {} by the journal", self.settled),
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

fn print(plan: &Plan, shape: Shape) -> Result<(), Problem> {
    let mut out = Out::stdout();
    match shape {
        Shape::Table => out.text(&plan.text()),
        Shape::Json => out.json(plan),
        Shape::Jsonl => out.json_line(plan),
        Shape::Csv => {
            let number = |value: Option<u64>| value.map(|n| n.to_string()).unwrap_or_default();
            let columns = [
                ("documents", plan.documents.to_string()),
                ("duplicates", plan.duplicates.to_string()),
                ("unreadable", plan.unreadable.to_string()),
                ("links_not_followed", plan.links_not_followed.to_string()),
                ("bytes", plan.bytes.to_string()),
                ("settled", plan.settled.to_string()),
                ("open", plan.open.to_string()),
                ("jobs", plan.jobs.to_string()),
                ("bytes_to_upload", plan.bytes_to_upload.to_string()),
                (
                    "target_pages",
                    plan.target_pages.clone().unwrap_or_default(),
                ),
                ("max_pages", number(plan.max_pages.map(u64::from))),
                ("pages_at_most", number(plan.pages_at_most)),
            ];
            out.csv(columns.iter().map(|(name, _)| name))?;
            out.csv(columns.iter().map(|(_, value)| value))
        }
    }
}

/// A number of bytes for people.
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
    fn sizes_for_people() {
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
