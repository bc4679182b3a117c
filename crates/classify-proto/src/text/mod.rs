//! Text that is sent or received: open enums, timestamps, URLs, path segments, queries, multipart framing, error
//! bodies.

pub(crate) mod error_body;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod lenient;
pub(crate) mod mask;
pub(crate) mod multipart;
pub(crate) mod open_enum;
pub(crate) mod redact;
pub(crate) mod response_object;
pub(crate) mod retry_after;
pub(crate) mod timestamp;
pub(crate) mod url;
pub(crate) mod url_parts;

use std::borrow::Cow;

/// The maximum length of a quoted input, in characters.
const MAX_QUOTED_CHARS: usize = 40;

/// A text in quotation marks for an error, shortened: an input may be of any length.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// A text, shortened for an error.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_input_is_cut_at_a_character() {
        assert_eq!(quoted("a \"b\""), r#""a \"b\"""#);
        assert_eq!(quoted(&"ü".repeat(40)), format!("{:?}", "ü".repeat(40)));
        assert_eq!(
            quoted(&"ü".repeat(41)),
            format!("{:?}", "ü".repeat(40) + "…")
        );
    }
}
