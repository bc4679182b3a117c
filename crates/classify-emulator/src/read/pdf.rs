//! The text of a PDF, page by page.
//!
//! The library reads what pages draw themselves, and not what they draw through forms; in return it follows no
//! reference in circles and bounds what it unpacks, so that no document can take the process along.
//!
//! A PDF may be anything: the reader works on a thread of its own, where a panic ends nothing but the reading and a
//! deep nesting finds a deep stack, and it is not waited for longer than [`PATIENCE`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use lopdf::Document;

use super::{Reading, Unreadable};
use crate::outcome::{BROKEN, NO_DATA, PROTECTED, TIMEOUT};
use crate::state::job::Pages;

const PATIENCE: Duration = Duration::from_secs(60);
const STACK: usize = 64 * 1024 * 1024;
/// The service reads up to 64 KB of text from a page.
const PAGE_TEXT: usize = 64 * 1024;

/// Where the mark of a PDF's end is looked for.
const END: usize = 2_048;

/// Readings under way in this process, those included that nobody waits for any more. When there are too many, further
/// PDFs are refused at once.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
const MOST_UNDER_WAY: usize = 64;

/// Counts a reading for as long as it lasts, however it ends.
struct Counted;

impl Counted {
    fn new() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn read(
    bytes: Vec<u8>,
    pages: Option<Pages>,
    max_pages: Option<u32>,
) -> Result<Reading, Unreadable> {
    let counted = Counted::new();
    if UNDER_WAY.load(Ordering::Relaxed) > MOST_UNDER_WAY {
        return Err(Unreadable::new(
            TIMEOUT,
            "too many earlier PDFs are still being read",
        ));
    }
    let (sender, receiver) = mpsc::channel();
    let started = std::thread::Builder::new()
        .name("pdf-reader".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let _counted = counted;
            // Nobody may be waiting any more.
            let _ = sender.send(text(&bytes, pages.as_ref(), max_pages));
        });
    if started.is_err() {
        return Err(Unreadable::new(
            TIMEOUT,
            "no thread could be had to read the PDF",
        ));
    }
    match receiver.recv_timeout(PATIENCE) {
        Ok(reading) => reading,
        // The thread has panicked; it has said why on its way out.
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(Unreadable::new(
            BROKEN,
            "the PDF reader gave up on the file",
        )),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Unreadable::new(
            TIMEOUT,
            format!("the PDF was not read within {} s", PATIENCE.as_secs()),
        )),
    }
}

fn text(
    bytes: &[u8],
    pages: Option<&Pages>,
    max_pages: Option<u32>,
) -> Result<Reading, Unreadable> {
    let mut document = Document::load_mem(bytes)
        .map_err(|error| Unreadable::new(BROKEN, format!("not a readable PDF: {error}")))?;
    if document.is_encrypted() && document.decrypt("").is_err() {
        return Err(Unreadable::new(PROTECTED, "the PDF asks for a password"));
    }
    let all: Vec<u32> = document.get_pages().into_keys().collect();
    if all.is_empty() {
        return Err(Unreadable::new(BROKEN, "the PDF has no pages"));
    }
    let most = max_pages.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let wanted: Vec<u32> = all
        .into_iter()
        .filter(|page| pages.is_none_or(|pages| pages.contains(page - 1)))
        .take(most)
        .collect();
    if wanted.is_empty() {
        return Err(Unreadable::new(
            NO_DATA,
            "the PDF has none of the pages that were asked for",
        ));
    }
    let mut words = String::new();
    let mut unread = None;
    for page in &wanted {
        let text = match document.extract_text(&[*page]) {
            Ok(text) => text,
            Err(error) => {
                unread = Some(error.to_string());
                continue;
            }
        };
        let end = text
            .char_indices()
            .map(|(index, _)| index)
            .take_while(|index| *index < PAGE_TEXT)
            .last();
        let end = if text.len() <= PAGE_TEXT {
            text.len()
        } else {
            end.unwrap_or(0)
        };
        words.push_str(text.get(..end).unwrap_or_default());
        words.push('\n');
    }
    if words.trim().is_empty() {
        // One bad page among good ones is no broken PDF; a bad one alone is, and so is one that lacks its end.
        if let Some(error) = unread {
            return Err(Unreadable::new(
                BROKEN,
                format!("a page cannot be read: {error}"),
            ));
        }
        let end = bytes
            .get(bytes.len().saturating_sub(END)..)
            .unwrap_or_default();
        if !end.windows(5).any(|window| window == b"%%EOF") {
            return Err(Unreadable::new(BROKEN, "the PDF is cut off"));
        }
    }
    Ok(Reading {
        text: words,
        pages: u32::try_from(wanted.len()).unwrap_or(u32::MAX),
    })
}
