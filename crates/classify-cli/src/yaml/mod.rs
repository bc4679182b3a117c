//! Relaxed YAML, of which JSON is a part.

mod error;
mod lost_text;

use serde::de::DeserializeOwned;

pub(crate) use self::lost_text::{LostText, lost_texts};
use crate::parse_message::shorten;
use crate::printer::Printer;

/// The maximum length of a path in a message, in characters. A type may be a part of it.
const MAX_PATH_CHARS: usize = 100;

/// Parses YAML. The error contains the position and the remedy, but no value.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Only `true` and `false` are booleans: `no` is Norwegian, and a type may be called `yes`.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let mut error_path = None;
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            error_path = Some(error.path().clone());
            error.into_inner()
        })
    })
    .map_err(|error| {
        let message = error::describe(&error, text);
        match error_path {
            Some(path) => at_path(&path, &message),
            None => message,
        }
    })
}

/// Prefixes a message with its path in the document, if the path is not the root.
pub(crate) fn at_path(path: &serde_path_to_error::Path, message: &str) -> String {
    // A question mark stands for the part that could not be parsed.
    let path = path.to_string();
    let path = path.trim_end_matches(['?', '.']);
    if path.is_empty() {
        message.to_owned()
    } else {
        format!("{}: {message}", shorten(path, MAX_PATH_CHARS))
    }
}

/// Warns of descriptions and types in a text of which YAML ignores a part. `source` is the file, the flag or stdin.
pub(crate) fn warn_of_lost_texts(source: &str, text: &str, printer: Printer) {
    print_lost_texts(source, &lost_texts(text), printer);
}

/// Prints texts of which YAML ignores a part.
pub(crate) fn print_lost_texts(source: &str, lost_texts: &[LostText], printer: Printer) {
    for lost in lost_texts {
        printer.warning(&format!("{source}, line {}: {}", lost.line, lost.message));
    }
}
