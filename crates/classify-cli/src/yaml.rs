//! Relaxed YAML, of which JSON is a part.

use serde::de::DeserializeOwned;

/// Parses YAML. The error names the place of the mistake.
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
    .map_err(|error| match error_path {
        Some(path) => at_path(&path, &error.to_string()),
        None => error.to_string(),
    })
}

/// Prefixes a message with its path in the document, if the path is not the root.
pub(crate) fn at_path(path: &serde_path_to_error::Path, message: &str) -> String {
    let path = path.to_string();
    if path == "." || path.is_empty() {
        message.to_owned()
    } else {
        format!("{path}: {message}")
    }
}
