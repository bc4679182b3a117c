//! The text of files that people write: UTF-8, or UTF-16 with a byte order mark.

use std::fmt;

/// The reason why bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotText {
    /// The line, from 1, has bytes of another encoding than UTF-8.
    OtherEncoding {
        /// The line of the text, from 1.
        line: usize,
    },
    /// It looks like UTF-16, but has no byte order mark.
    Utf16WithoutMark,
    /// It has the byte order mark of UTF-16, but is not UTF-16.
    DamagedUtf16,
}

impl std::error::Error for NotText {}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherEncoding { line } => write!(f, "line {line}: the text is not UTF-8"),
            Self::Utf16WithoutMark => {
                f.write_str("the text is not UTF-8, but UTF-16 without a byte order mark")
            }
            Self::DamagedUtf16 => f.write_str("the text is not UTF-8, and its UTF-16 is damaged"),
        }
    }
}

/// Decodes a text. A byte order mark is removed.
///
/// Excel writes UTF-16 for "Unicode Text", and `PowerShell` 5 for `>`.
///
/// # Errors
///
/// The bytes are not text in one of these encodings.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => from_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => from_utf16(rest, u16::from_be_bytes),
        _ => {
            let has_nul = bytes.iter().take(4).any(|byte| *byte == 0);
            let mut text = String::from_utf8(bytes).map_err(|error| {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.split(|byte| *byte == b'\n').count();
                if has_nul {
                    NotText::Utf16WithoutMark
                } else {
                    NotText::OtherEncoding { line }
                }
            })?;
            if has_nul {
                return Err(NotText::Utf16WithoutMark);
            }
            if text.starts_with('\u{feff}') {
                text.remove(0);
            }
            Ok(text)
        }
    }
}

/// Decodes a text that begins with an ASCII character, such as a key. UTF-16 without a byte order mark is recognized by
/// a zero in one of the first two bytes.
///
/// # Errors
///
/// The bytes are not text in one of these encodings.
pub fn decode_ascii(bytes: &[u8]) -> Result<String, NotText> {
    match bytes {
        [0, second, ..] if *second != 0 => from_utf16(bytes, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => from_utf16(bytes, u16::from_le_bytes),
        _ => decode(bytes.to_vec()),
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    if !bytes.len().is_multiple_of(2) {
        return Err(NotText::DamagedUtf16);
    }
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units)
        .collect::<Result<_, _>>()
        .map_err(|_| NotText::DamagedUtf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_from_utf8_and_utf16_with_mark() {
        let text = "path;type\nGröße 漢字 🧾;a\n";
        let utf16 = |unit: fn(u16) -> [u8; 2], mark: &str| {
            let text = mark.to_owned() + text;
            text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf16(u16::to_le_bytes, "\u{feff}"),
            utf16(u16::to_be_bytes, "\u{feff}"),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
        for bytes in [utf16(u16::to_le_bytes, ""), utf16(u16::to_be_bytes, "")] {
            assert_eq!(decode(bytes), Err(NotText::Utf16WithoutMark));
        }
    }

    #[test]
    fn text_of_ascii_is_decoded_from_utf16_without_mark() {
        let utf16 =
            |unit: fn(u16) -> [u8; 2]| "llx-\u{e4}\n".encode_utf16().flat_map(unit).collect();
        for bytes in [
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
            "llx-\u{e4}\n".to_owned().into_bytes(),
        ] {
            assert_eq!(decode_ascii(&bytes).as_deref(), Ok("llx-\u{e4}\n"));
        }
        for bytes in [&b"\xff\xfea"[..], b"\xe4", b"ab\0c", b"a\0b"] {
            assert!(decode_ascii(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(decode_ascii(b"").as_deref(), Ok(""));
    }

    #[test]
    fn text_of_other_encoding_is_rejected_with_line() {
        let windows_1252 = b"path;type\nGr\xf6\xdfe.pdf;a\n".to_vec();
        assert_eq!(
            decode(windows_1252),
            Err(NotText::OtherEncoding { line: 2 })
        );
        assert_eq!(decode(vec![0xff, 0xfe, b'a']), Err(NotText::DamagedUtf16));
        let half_a_pair = vec![0xff, 0xfe, 0x3d, 0xd8];
        assert_eq!(decode(half_a_pair), Err(NotText::DamagedUtf16));
        assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
    }
}
