//! Masks: what the service shows in place of a stored credential.
//!
//! Since November 2026 a saved webhook comes back with its credentials masked, and a mask that is sent back in an update
//! keeps the stored value. The form of the mask is not published, so several usual forms are recognized.

use memchr::memmem;

/// Characters that masks are made of. A header's value cannot contain those that are not ASCII.
const FILLERS: [char; 6] = ['•', '●', '∙', '█', '▪', '…'];
/// Words that take the place of a value.
const WORDS: [&str; 2] = ["redacted", "masked"];
/// The characters between the parts of a header's value or of a URL, any of which may be masked.
const SEPARATORS: [char; 14] = [
    '/', ':', '@', '?', '&', '=', '#', ';', ',', '.', ' ', '\t', '"', '\'',
];

/// Whether the value of a webhook's header, or its URL, contains a mask in place of a credential that the service stores.
///
/// The form of the mask is not published. Recognized are `****`, `Bearer ****`, `llx-****1f`, `[redacted]`, `<masked>`, `xxxx`,
/// `https://user:****@host/` and the like, also percent-encoded.
#[must_use]
pub fn is_masked(text: &str) -> bool {
    let decoded = decode(text);
    memmem::find(decoded.as_bytes(), b"***").is_some()
        || decoded.contains(FILLERS)
        || decoded.split(SEPARATORS).any(is_mask)
}

/// Whether a text is a mask and nothing else. A text that has a value beside the mask is not.
pub(crate) fn is_whole_mask(text: &str) -> bool {
    let text = text.trim();
    let fillers =
        text.chars().count() >= 3 && text.chars().all(|c| c == '*' || FILLERS.contains(&c));
    fillers || is_mask(text)
}

/// Whether one part stands for a value as a whole.
fn is_mask(part: &str) -> bool {
    let word = part.trim_matches(|c: char| !c.is_alphanumeric());
    WORDS.iter().any(|mask| word.eq_ignore_ascii_case(mask))
        || (part.len() >= 4 && part.bytes().all(|byte| matches!(byte, b'x' | b'X')))
}

/// Decodes the characters of masks that a URL has in percent-encoding.
fn decode(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut decoded = text.to_owned();
    for (encoded, plain) in [
        ("%2A", "*"),
        ("%2a", "*"),
        ("%5B", "["),
        ("%5b", "["),
        ("%5D", "]"),
        ("%5d", "]"),
        ("%E2%80%A2", "•"),
        ("%E2%80%A6", "…"),
    ] {
        decoded = decoded.replace(encoded, plain);
    }
    decoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_of_usual_forms_is_recognized() {
        for masked in [
            "***",
            "********",
            "Bearer ********",
            "llx-****1f2e",
            "abc•••",
            "sk-…1234",
            "[redacted]",
            "Bearer <REDACTED>",
            "__masked__",
            "xxxx",
            "Basic XXXXXXXX",
            "https://user:****@example.com/hook",
            "https://example.com/hook?token=%2A%2A%2A%2A",
            "https://example.com/hook?token=%5Bredacted%5D&a=b",
            "https://REDACTED@example.com",
        ] {
            assert!(is_masked(masked), "{masked}");
        }
        for plain in [
            "",
            "x",
            "xx",
            "blue",
            "Bearer llx-0123456789",
            "*/*",
            "text/*, application/*",
            "a*b",
            "unmasked",
            "https://example.com/hook?redacted_by=me",
            "https://xxx.example/hook",
            "dGVzdDp4eHh4",
        ] {
            assert!(!is_masked(plain), "{plain}");
        }
    }
}
