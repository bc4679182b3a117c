//! Relaxed YAML, of which JSON is a part.

mod error;
mod lost_text;

use serde::de::DeserializeOwned;

pub use self::lost_text::{LostText, lost_texts};
use crate::parse_message::shorten;

/// The maximum length of a path in a message, in characters. A type may be a part of it.
const MAX_PATH_CHARS: usize = 100;

/// Parses YAML.
///
/// # Errors
///
/// The text is not valid YAML, or is not a `T`. The error contains the position and the remedy, but no value.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, String> {
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

/// Returns a message that is prefixed with its path in the document, if the path is not the root.
#[must_use]
pub fn at_path(path: &serde_path_to_error::Path, message: &str) -> String {
    // A question mark stands for the part that could not be parsed.
    let path = path.to_string();
    let path = path.trim_end_matches(['?', '.']);
    if path.is_empty() {
        message.to_owned()
    } else {
        format!("{}: {message}", shorten(path, MAX_PATH_CHARS))
    }
}
