//! Extracts the text of a PDF, page by page.
//!
//! The library reads the text that pages draw directly and not through forms. In return it follows no reference twice
//! and limits decompression, so that no document can crash the process.
//!
//! A PDF may be hostile: it is read on a thread of its own, where a panic ends only the read and deep nesting has a
//! large stack, and it is abandoned after [`READ_TIMEOUT`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use lopdf::Document;

use super::{ExtractedText, ReadError};
use crate::outcome::{BROKEN, NO_DATA, PROTECTED, TIMEOUT};
use crate::state::job::Pages;

const READ_TIMEOUT: Duration = Duration::from_secs(60);
const STACK_SIZE: usize = 64 * 1024 * 1024;
/// The service reads up to 64 KB of text per page.
const MAX_PAGE_TEXT: usize = 64 * 1024;

/// How many bytes at the end are searched for the end marker.
const TRAILER_WINDOW: usize = 2_048;

/// Number of reads in progress in this process, including abandoned ones. If there are too many, further PDFs are
/// rejected at once.
static ACTIVE_READS: AtomicUsize = AtomicUsize::new(0);
const MAX_ACTIVE_READS: usize = 64;

/// Counts a read until it is dropped.
struct ActiveRead;

impl ActiveRead {
    fn new() -> Self {
        ACTIVE_READS.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for ActiveRead {
    fn drop(&mut self) {
        ACTIVE_READS.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn read(
    bytes: Vec<u8>,
    pages: Option<Pages>,
    max_pages: Option<u32>,
) -> Result<ExtractedText, ReadError> {
    let active_read = ActiveRead::new();
    if ACTIVE_READS.load(Ordering::Relaxed) > MAX_ACTIVE_READS {
        return Err(ReadError::new(
            TIMEOUT,
            "too many earlier PDFs are still being read",
        ));
    }
    let (sender, receiver) = mpsc::channel();
    let started = std::thread::Builder::new()
        .name("pdf-reader".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(move || {
            let _active_read = active_read;
            // The receiver may have given up.
            let _ = sender.send(extract_text(&bytes, pages.as_ref(), max_pages));
        });
    if started.is_err() {
        return Err(ReadError::new(
            TIMEOUT,
            "no thread could be started to read the PDF",
        ));
    }
    match receiver.recv_timeout(READ_TIMEOUT) {
        Ok(reading) => reading,
        // The thread has panicked and printed the reason.
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(ReadError::new(BROKEN, "the PDF reader failed on the file"))
        }
        Err(mpsc::RecvTimeoutError::Timeout) => Err(ReadError::new(
            TIMEOUT,
            format!("the PDF was not read within {} s", READ_TIMEOUT.as_secs()),
        )),
    }
}

fn extract_text(
    bytes: &[u8],
    pages: Option<&Pages>,
    max_pages: Option<u32>,
) -> Result<ExtractedText, ReadError> {
    let mut document = Document::load_mem(bytes)
        .map_err(|error| ReadError::new(BROKEN, format!("not a readable PDF: {error}")))?;
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(ReadError::new(
            PROTECTED,
            "the PDF is protected by a password",
        ));
    }
    let all: Vec<u32> = document.get_pages().into_keys().collect();
    if all.is_empty() {
        return Err(ReadError::new(BROKEN, "the PDF has no pages"));
    }
    let page_limit = max_pages.map_or(usize::MAX, |page_limit| {
        usize::try_from(page_limit).unwrap_or(usize::MAX)
    });
    let selected: Vec<u32> = all
        .into_iter()
        .filter(|page| pages.is_none_or(|pages| pages.contains(page - 1)))
        .take(page_limit)
        .collect();
    if selected.is_empty() {
        return Err(ReadError::new(
            NO_DATA,
            "the PDF has none of the requested pages",
        ));
    }
    let mut text = String::new();
    let mut page_error = None;
    for page in &selected {
        let page_text = match document.extract_text(&[*page]) {
            Ok(page_text) => page_text,
            Err(error) => {
                page_error = Some(error.to_string());
                continue;
            }
        };
        let end = page_text
            .char_indices()
            .map(|(index, _)| index)
            .take_while(|index| *index < MAX_PAGE_TEXT)
            .last();
        let end = if page_text.len() <= MAX_PAGE_TEXT {
            page_text.len()
        } else {
            end.unwrap_or(0)
        };
        text.push_str(page_text.get(..end).unwrap_or_default());
        text.push('\n');
    }
    if text.trim().is_empty() {
        // One bad page among good ones does not fail the PDF; a single bad page does, and so does a missing end.
        if let Some(error) = page_error {
            return Err(ReadError::new(
                BROKEN,
                format!("a page cannot be read: {error}"),
            ));
        }
        let end = bytes
            .get(bytes.len().saturating_sub(TRAILER_WINDOW)..)
            .unwrap_or_default();
        if !end.windows(5).any(|window| window == b"%%EOF") {
            return Err(ReadError::new(BROKEN, "the PDF is truncated"));
        }
    }
    Ok(ExtractedText {
        text,
        pages: u32::try_from(selected.len()).unwrap_or(u32::MAX),
    })
}
