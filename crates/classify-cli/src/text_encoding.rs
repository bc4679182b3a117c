//! Text in the encodings that editors write: UTF-8 and UTF-16, with a byte order mark or without.

use std::borrow::Cow;

/// Decodes UTF-8 or UTF-16. The byte order mark is left out.
///
/// # Errors
///
/// What the bytes are instead, without repeating any.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return utf8(rest);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        return utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        return utf16(rest, u16::from_be_bytes);
    }
    // Text without a mark: of two bytes of an ASCII character in UTF-16 one is zero.
    match bytes {
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text.into()),
        Ok(_) => Err("it has zero bytes"),
        Err(_) => Err("it is neither UTF-8 nor UTF-16; save it as UTF-8"),
    }
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, &'static str> {
    let units = bytes.chunks_exact(2);
    if !units.remainder().is_empty() {
        return Err("it is UTF-16 with half a character at its end");
    }
    let units: Vec<u16> = units.map(|unit| read([unit[0], unit[1]])).collect();
    String::from_utf16(&units)
        .map(Into::into)
        .map_err(|_| "it is not valid UTF-16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_utf8_and_utf16_with_and_without_mark_is_decoded() {
        let of = |bytes: &[u8]| decode(bytes).map(Cow::into_owned);
        let text = "llx-ä\n";
        let wide = |to: fn(u16) -> [u8; 2], mark: &[u8]| {
            let units = text.encode_utf16().flat_map(to);
            mark.iter().copied().chain(units).collect::<Vec<u8>>()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide(u16::to_le_bytes, b"\xff\xfe"),
            wide(u16::to_be_bytes, b"\xfe\xff"),
            wide(u16::to_le_bytes, b""),
            wide(u16::to_be_bytes, b""),
        ] {
            assert_eq!(of(&bytes).as_deref(), Ok(text), "{bytes:?}");
        }
        for bytes in [&b"\xff\xfea"[..], b"\xe4", b"ab\0c", b"\xff\xfe\x00\xd8"] {
            assert!(of(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(of(b"").as_deref(), Ok(""));
    }
}
