//! Reads documents: from bytes on disk to text, or to the reason why there is none.

mod markup;
mod pdf;
pub(crate) mod pool;
mod text;

use std::path::Path;
use std::sync::Arc;

use crate::outcome::{DocumentOutcome, FailureCode, NO_DATA, TOO_LARGE, TimedOutcome, UNSUPPORTED};
use crate::score;
use crate::script::{self, Script, ScriptedOutcome};
use crate::state::job::JobConfiguration;

/// The text of a document, and its number of pages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExtractedText {
    pub(crate) text: String,
    pub(crate) pages: u32,
}

/// The reason why a document could not be read: a code and a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ReadError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The source of a document's text.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file on disk, with the name of the upload.
    Stored {
        path: std::path::PathBuf,
        name: String,
    },
    /// The text of a registered parse job; `None` if it is not registered.
    ParseJob(Option<String>),
}

/// The data needed to classify one document, independent of the state.
#[derive(Debug, Clone)]
pub(crate) struct ReadTask {
    pub(crate) source: Source,
    pub(crate) configuration: Arc<JobConfiguration>,
    pub(crate) scripts: Arc<Vec<Script>>,
    pub(crate) threshold: f64,
}

/// Maximum file sizes by kind; the upload limit is much higher.
const MAX_TEXT_SIZE: u64 = 32 * 1024 * 1024;
const MAX_PDF_SIZE: u64 = 128 * 1024 * 1024;

impl ReadTask {
    /// Reads the document and scores it, unless a script fixes its outcome.
    pub(crate) fn classify(&self) -> TimedOutcome {
        let name = match &self.source {
            Source::Stored { name, .. } => name.as_str(),
            Source::ParseJob(_) => "",
        };
        if let ScriptedOutcome::Fixed(script) = script::scripted_outcome(&self.scripts, name)
            && let Some(outcome) = &script.outcome
        {
            return TimedOutcome {
                outcome: outcome.clone(),
                duration: script.duration,
            };
        }
        let extracted = match &self.source {
            Source::Stored { path, name } => read_file(path, name, &self.configuration),
            Source::ParseJob(Some(text)) => Ok(ExtractedText {
                text: text.clone(),
                pages: 1,
            }),
            Source::ParseJob(None) => Err(ReadError::new(
                NO_DATA,
                "no text is registered for this parse job; register it with PUT /_emulator/parse-jobs/ID",
            )),
        };
        let extracted = extracted.and_then(|reading| {
            if reading.text.trim().is_empty() {
                return Err(ReadError::new(
                    NO_DATA,
                    "no text was found in the requested pages",
                ));
            }
            Ok(reading)
        });
        let text = extracted.as_ref().ok().map(|reading| reading.text.as_str());
        script::apply_scripts(&self.scripts, name, text, || match &extracted {
            Ok(reading) => score::classify(
                &reading.text,
                &self.configuration.rules,
                &self.configuration.lang,
                self.threshold,
                reading.pages,
            ),
            Err(reason) => DocumentOutcome::Failed {
                code: FailureCode::from(reason.code),
                message: reason.message.clone(),
            },
        })
    }
}

/// The kinds of documents that the emulator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DocumentKind {
    Plain,
    Markdown,
    Html,
    Csv,
    Json,
    Pdf,
}

fn document_kind(name: &str, prefix: &[u8]) -> Option<DocumentKind> {
    if prefix.starts_with(b"%PDF-") {
        return Some(DocumentKind::Pdf);
    }
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase())
        .unwrap_or_default();
    match extension.as_str() {
        "pdf" => Some(DocumentKind::Pdf),
        "txt" | "text" | "log" => Some(DocumentKind::Plain),
        "md" | "markdown" => Some(DocumentKind::Markdown),
        "html" | "htm" | "xhtml" => Some(DocumentKind::Html),
        "csv" | "tsv" => Some(DocumentKind::Csv),
        "json" => Some(DocumentKind::Json),
        // The name has no known extension: any text is read as text.
        _ => {
            let known_binary =
                ["docx", "xlsx", "pptx", "doc", "xls", "ppt", "zip"].contains(&extension.as_str());
            (!known_binary && text::looks_like_text(prefix)).then_some(DocumentKind::Plain)
        }
    }
}

fn read_file(
    path: &Path,
    name: &str,
    configuration: &JobConfiguration,
) -> Result<ExtractedText, ReadError> {
    let deleted = |_| ReadError::new(NO_DATA, "the file has been deleted");
    let size = std::fs::metadata(path).map_err(deleted)?.len();
    let prefix = read_prefix(path).map_err(deleted)?;
    let Some(document_kind) = document_kind(name, &prefix) else {
        let message = "the emulator reads txt, md, html, csv, json and pdf; script an outcome for other files";
        return Err(ReadError::new(UNSUPPORTED, message));
    };
    let max_size = if document_kind == DocumentKind::Pdf {
        MAX_PDF_SIZE
    } else {
        MAX_TEXT_SIZE
    };
    if size > max_size {
        return Err(ReadError::new(
            TOO_LARGE,
            format!("the emulator reads up to {max_size} bytes of this kind"),
        ));
    }
    let bytes = std::fs::read(path).map_err(deleted)?;
    if document_kind == DocumentKind::Pdf {
        return pdf::read(bytes, configuration.pages.clone(), configuration.max_pages);
    }
    let text = text::decode(&bytes);
    let text = match document_kind {
        DocumentKind::Markdown => markup::markdown(&text),
        DocumentKind::Html => markup::html(&text),
        DocumentKind::Csv => text::csv(&text),
        DocumentKind::Json => text::json(&text),
        DocumentKind::Plain | DocumentKind::Pdf => text,
    };
    // Such a file has one page; a page selection without it leaves nothing.
    let includes_first_page = configuration
        .pages
        .as_ref()
        .is_none_or(|pages| pages.contains(0));
    Ok(ExtractedText {
        text: if includes_first_page {
            text
        } else {
            String::new()
        },
        pages: 1,
    })
}

fn read_prefix(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut prefix = Vec::with_capacity(1024);
    std::fs::File::open(path)?
        .take(1024)
        .read_to_end(&mut prefix)?;
    Ok(prefix)
}
