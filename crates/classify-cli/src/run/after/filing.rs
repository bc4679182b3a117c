//! Files into folders by their labels, once all labels are known.

use std::collections::BTreeMap;

use super::place::{Placed, Placer};
use crate::args::destination::{Destination, folder_name};
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::inputs::Document;
use crate::interrupt::Switch;
use crate::run::row::{Fate, Filed, How, Row};

/// How many failures are told one by one; the report has them all.
const TOLD: usize = 100;

/// Moves or copies files.
#[derive(Debug)]
pub(in crate::run) struct Filing {
    pub(in crate::run) how: How,
    destination: Destination,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// By what became of them, in words.
    kept: BTreeMap<&'static str, usize>,
    placed: usize,
    found: usize,
    failed: usize,
    /// Left because somebody wanted an end.
    interrupted: usize,
}

const INTERRUPTED: &str = "the run was interrupted";

impl Filing {
    pub(super) fn new(how: How, destination: Destination) -> Self {
        Self {
            how,
            destination,
            counts: Counts::default(),
        }
    }

    /// Files every document that has a row, and says in its row what became of it.
    pub(super) fn file(
        &mut self,
        rows: &mut [Option<Row>],
        documents: &[Document],
        switch: &Switch,
        console: Console,
    ) {
        let mut placer = Placer::new(self.how);
        let mut renamed = BTreeMap::new();
        for (row, document) in rows.iter_mut().zip(documents) {
            let Some(row) = row else { continue };
            // A person who wants an end gets it between two files.
            let fate = if switch.why().is_some_and(|why| !why.is_deadline()) {
                self.counts.interrupted += 1;
                Fate::Stays(INTERRUPTED)
            } else {
                self.one(row, document, &mut placer)
            };
            match &fate {
                Fate::Placed(_) => self.counts.placed += 1,
                Fate::Found(_) => self.counts.found += 1,
                Fate::Stays(why) => *self.counts.kept.entry(why).or_default() += 1,
                Fate::Failed(why) => {
                    self.counts.failed += 1;
                    if self.counts.failed <= TOLD {
                        console.warn(&format!("{} is not {}: {why}", row.path, self.done()));
                    }
                }
            }
            if let (Some(r#type), Fate::Placed(_) | Fate::Found(_)) = (&row.r#type, &fate)
                && folder_name(r#type) != *r#type
            {
                renamed.insert(r#type.clone(), folder_name(r#type));
            }
            row.filed = Some(Filed {
                how: self.how,
                fate,
            });
        }
        for (r#type, name) in renamed {
            console.note(&format!(
                "the type {type:?} is no name for a folder; its files are in {name:?}"
            ));
        }
        if self.counts.failed > TOLD {
            console.warn(&format!(
                "{} more files are not {}",
                self.counts.failed - TOLD,
                self.done()
            ));
        }
        console.note(&format!("files: {}", self.summary()));
    }

    fn one(&self, row: &Row, document: &Document, placer: &mut Placer) -> Fate {
        if document.is_id {
            return Fate::Stays("given by id");
        }
        let Some(r#type) = row.r#type.as_deref().filter(|_| row.is_answer()) else {
            return Fate::Stays(if row.is_answer() {
                "without a match"
            } else {
                "without an answer"
            });
        };
        if row.review == Some(true) {
            return Fate::Stays("to review");
        }
        let folder = self.destination.folder(r#type);
        match placer.place(&document.path, &folder) {
            Ok(Placed::At(path)) => Fate::Placed(path.to_string_lossy().into_owned()),
            Ok(Placed::Found(path)) => Fate::Found(path.to_string_lossy().into_owned()),
            Ok(Placed::Same) => Fate::Stays("in place already"),
            Err(error) => Fate::Failed(format!("{}: {error}", folder.display())),
        }
    }

    fn done(&self) -> &'static str {
        match self.how {
            How::Move => "moved",
            How::Copy => "copied",
        }
    }

    /// What became of the files, in one line.
    pub(in crate::run) fn summary(&self) -> String {
        let mut parts = vec![format!("{} {}", self.counts.placed, self.done())];
        if self.counts.found > 0 {
            parts.push(format!(
                "{} there already with the same content",
                self.counts.found
            ));
        }
        if self.counts.failed > 0 {
            parts.push(format!("{} failed", self.counts.failed));
        }
        let kept: Vec<_> = self
            .counts
            .kept
            .iter()
            .map(|(why, number)| format!("{number} {why}"))
            .collect();
        if !kept.is_empty() {
            let number: usize = self.counts.kept.values().sum();
            let verb = if number == 1 { "stays" } else { "stay" };
            parts.push(format!("{number} {verb} ({})", kept.join(", ")));
        }
        parts.join(", ")
    }

    /// Whether all was done that should have been.
    pub(super) fn outcome(&self) -> Result<(), Problem> {
        let files = |number: usize| match number {
            1 => "1 file was".to_owned(),
            _ => format!("{number} files were"),
        };
        let done = self.done();
        if self.counts.interrupted > 0 {
            let files = files(self.counts.interrupted);
            return Err(Problem::new(
                Code::Interrupted,
                format!("interrupted; {files} left where they were, and not {done}"),
            )
            .hint("the same command again goes on, and pays for nothing twice"));
        }
        if self.counts.failed > 0 {
            let files = files(self.counts.failed);
            return Err(Problem::new(
                Code::Partial,
                format!("{files} not {done}; each is where it was"),
            ));
        }
        Ok(())
    }
}
