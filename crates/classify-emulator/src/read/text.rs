//! Plain text, tables and JSON.

/// Decodes bytes: by byte order mark, else as UTF-8, else as Windows-1252.
pub(super) fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, _)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode(bytes).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0.into_owned(),
    }
}

/// Whether the first bytes of a file of unknown kind are text.
pub(super) fn looks_like_text(head: &[u8]) -> bool {
    if encoding_rs::Encoding::for_bom(head).is_some() {
        return true;
    }
    // The last character may be incomplete.
    let whole = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    whole && !head.contains(&0)
}

/// The cells of a table with any common separator.
pub(super) fn csv(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    let separator = [b',', b';', b'\t', b'|']
        .into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let mut output = String::new();
    for record in reader.records() {
        // The text is valid UTF-8 and rows may differ in length, so there are no errors.
        let Ok(record) = record else { continue };
        for cell in &record {
            output.push_str(cell);
            output.push(' ');
        }
        output.push('\n');
    }
    output
}

/// The names and values of a JSON document. Invalid JSON is read as plain text.
pub(super) fn json(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        return text.to_owned();
    };
    let mut output = String::new();
    // The parser's depth limit bounds this recursion too.
    collect_text(&value, &mut output);
    output
}

fn collect_text(value: &serde_json::Value, output: &mut String) {
    match value {
        serde_json::Value::String(text) => {
            output.push_str(text);
            output.push('\n');
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_text(item, output)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                output.push_str(name);
                output.push(' ');
                collect_text(value, output);
            }
        }
        serde_json::Value::Number(number) => {
            output.push_str(&number.to_string());
            output.push('\n');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_legacy_and_utf16_text_is_decoded() {
        assert_eq!(decode("Verträge".as_bytes()), "Verträge");
        assert_eq!(decode(b"Vertr\xe4ge"), "Verträge");
        assert_eq!(decode(b"\xff\xfeV\x00e\x00"), "Ve");
    }

    #[test]
    fn text_detection_distinguishes_text_from_binary() {
        assert!(looks_like_text("ein Vertrag über".as_bytes()));
        assert!(
            looks_like_text(&"ü".as_bytes()[..1]),
            "cut within a character"
        );
        assert!(!looks_like_text(b"\x89PNG\r\n\x1a\n\x00"));
    }

    #[test]
    fn csv_and_json_are_converted_to_text() {
        assert_eq!(csv("a;b,c\n\"d;e\";f\n"), "a b,c \nd;e f \n");
        assert_eq!(
            json(r#"{"invoice": {"total": 5, "note": "due now"}}"#),
            "invoice note due now\ntotal 5\n"
        );
        assert_eq!(json("{not json"), "{not json");
    }
}
