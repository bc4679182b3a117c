//! Reading documents: from bytes on disk to text, or to the reason why there is none.

mod markup;
mod pdf;
mod plain;
pub(crate) mod pool;

use std::path::Path;
use std::sync::Arc;

use crate::outcome::{FailureCode, NO_DATA, Outcome, TOO_LARGE, UNSUPPORTED, Verdict};
use crate::score;
use crate::script::{self, Foreseen, Script};
use crate::state::job::Instructions;

/// What has been read: the text, and how many pages it came from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    pub(crate) text: String,
    pub(crate) pages: u32,
}

/// Why a document could not be read: a reason code, and a text for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unreadable {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Unreadable {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Where a document's text comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file on disk, with the name it was uploaded under.
    Stored {
        path: std::path::PathBuf,
        name: String,
    },
    /// The text of a registered parse job; none if nobody registered it.
    ParseJob(Option<String>),
}

/// Everything needed to judge one document, away from the state.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    pub(crate) source: Source,
    pub(crate) instructions: Arc<Instructions>,
    pub(crate) scripts: Arc<Vec<Script>>,
    pub(crate) threshold: f64,
}

/// Files beyond these sizes are refused by kind; the upload limit is far above them.
const LARGEST_TEXT: u64 = 32 * 1024 * 1024;
const LARGEST_PDF: u64 = 128 * 1024 * 1024;

impl Assignment {
    /// Reads the document and scores it, unless a script settles it.
    pub(crate) fn judge(&self) -> Verdict {
        let name = match &self.source {
            Source::Stored { name, .. } => name.as_str(),
            Source::ParseJob(_) => "",
        };
        if let Foreseen::Settled(settled) = script::foresee(&self.scripts, name)
            && let Some(outcome) = &settled.outcome
        {
            return Verdict {
                outcome: outcome.clone(),
                takes: settled.takes,
            };
        }
        let read = match &self.source {
            Source::Stored { path, name } => read_file(path, name, &self.instructions),
            Source::ParseJob(Some(text)) => Ok(Reading {
                text: text.clone(),
                pages: 1,
            }),
            Source::ParseJob(None) => Err(Unreadable::new(
                NO_DATA,
                "the emulator knows no text for this parse job; register one",
            )),
        };
        let read = read.and_then(|reading| {
            if reading.text.trim().is_empty() {
                return Err(Unreadable::new(
                    NO_DATA,
                    "no text was found in the pages that were asked for",
                ));
            }
            Ok(reading)
        });
        let text = read.as_ref().ok().map(|reading| reading.text.as_str());
        script::apply(&self.scripts, name, text, || match &read {
            Ok(reading) => score::classify(
                &reading.text,
                &self.instructions.rules,
                &self.instructions.lang,
                self.threshold,
                reading.pages,
            ),
            Err(why) => Outcome::Failed {
                code: FailureCode::from(why.code),
                message: why.message.clone(),
            },
        })
    }
}

/// The kinds of document that the emulator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Markdown,
    Html,
    Csv,
    Json,
    Pdf,
}

fn kind(name: &str, head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"%PDF-") {
        return Some(Kind::Pdf);
    }
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        "pdf" => Some(Kind::Pdf),
        "txt" | "text" | "log" => Some(Kind::Plain),
        "md" | "markdown" => Some(Kind::Markdown),
        "html" | "htm" | "xhtml" => Some(Kind::Html),
        "csv" | "tsv" => Some(Kind::Csv),
        "json" => Some(Kind::Json),
        // A name that says nothing: whatever reads as text is text.
        _ => {
            let known_binary =
                ["docx", "xlsx", "pptx", "doc", "xls", "ppt", "zip"].contains(&extension.as_str());
            (!known_binary && plain::looks_like_text(head)).then_some(Kind::Plain)
        }
    }
}

fn read_file(path: &Path, name: &str, instructions: &Instructions) -> Result<Reading, Unreadable> {
    let gone = |_| Unreadable::new(NO_DATA, "the file has been deleted");
    let size = std::fs::metadata(path).map_err(gone)?.len();
    let head = head_of(path).map_err(gone)?;
    let Some(kind) = kind(name, &head) else {
        let message = "the emulator reads txt, md, html, csv, json and pdf; script an outcome for other files";
        return Err(Unreadable::new(UNSUPPORTED, message));
    };
    let largest = if kind == Kind::Pdf {
        LARGEST_PDF
    } else {
        LARGEST_TEXT
    };
    if size > largest {
        return Err(Unreadable::new(
            TOO_LARGE,
            format!("the emulator reads up to {largest} bytes of this kind"),
        ));
    }
    let bytes = std::fs::read(path).map_err(gone)?;
    if kind == Kind::Pdf {
        return pdf::read(bytes, instructions.pages.clone(), instructions.max_pages);
    }
    let text = plain::decode(&bytes);
    let text = match kind {
        Kind::Markdown => markup::markdown(&text),
        Kind::Html => markup::html(&text),
        Kind::Csv => plain::csv(&text),
        Kind::Json => plain::json(&text),
        Kind::Plain | Kind::Pdf => text,
    };
    // Such a file is one page, and page selection that leaves it out leaves nothing.
    let asked = instructions
        .pages
        .as_ref()
        .is_none_or(|pages| pages.contains(0));
    Ok(Reading {
        text: if asked { text } else { String::new() },
        pages: 1,
    })
}

fn head_of(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(1024);
    std::fs::File::open(path)?
        .take(1024)
        .read_to_end(&mut head)?;
    Ok(head)
}
