//! Masks: text that the service returns in place of a stored credential.
//!
//! Since November 2026, the service returns the credentials of saved webhooks masked, and an update that sends a mask
//! back keeps the stored value. The form of the mask is not documented, so several common forms are recognized.

use memchr::memmem;

/// The characters of masks. A header's value cannot contain those that are not ASCII.
const FILLERS: [char; 6] = ['•', '●', '∙', '█', '▪', '…'];
/// Texts that replace a value.
const WORDS: [&str; 2] = ["redacted", "masked"];
/// Separators of the parts of a header's value or of a URL, any of which may be masked.
const SEPARATORS: [char; 14] = [
    '/', ':', '@', '?', '&', '=', '#', ';', ',', '.', ' ', '\t', '"', '\'',
];

/// Returns `true` if the value of a webhook's header, or its URL, contains a mask in place of a credential.
///
/// The form of the mask is not documented. Recognized are `****`, `Bearer ****`, `llx-****1f`, `[redacted]`,
/// `<masked>`, `xxxx`, `https://user:****@host/` and the like, also in percent-encoding.
#[must_use]
pub fn is_masked(text: &str) -> bool {
    if !may_be_masked(text) {
        return false;
    }
    let decoded = decode(text);
    memmem::find(decoded.as_bytes(), b"***").is_some()
        || decoded.contains(FILLERS)
        || decoded.split(SEPARATORS).any(is_mask)
}

/// Returns `false` for most texts without a mask. Reads each byte once.
fn may_be_masked(text: &str) -> bool {
    let (mut previous, mut count_of_x) = (0, 0);
    text.bytes().any(|byte| {
        let lower = byte | 0x20;
        // Both words end in "ed".
        let ends_word = lower == b'd' && previous == b'e';
        count_of_x = if lower == b'x' { count_of_x + 1 } else { 0 };
        previous = lower;
        ends_word || count_of_x == 4 || matches!(byte, b'*' | b'%' | 0x80..)
    })
}

/// Whether a text is only a mask, without any value beside it.
pub(crate) fn is_whole_mask(text: &str) -> bool {
    let text = text.trim();
    let fillers =
        text.chars().count() >= 3 && text.chars().all(|c| c == '*' || FILLERS.contains(&c));
    fillers || is_mask(text)
}

/// Whether one part is a mask as a whole.
fn is_mask(part: &str) -> bool {
    let word = part.trim_matches(|c: char| !c.is_alphanumeric());
    WORDS.iter().any(|mask| word.eq_ignore_ascii_case(mask))
        || (part.len() >= 4 && part.bytes().all(|byte| matches!(byte, b'x' | b'X')))
}

/// Decodes percent-encoded characters of masks in a URL.
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
