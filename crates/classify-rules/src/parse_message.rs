//! Rewrites error messages of parsers without the values that they quote.
//!
//! A value may be long, and it may be a secret: a header of a webhook, or a key file that was given instead of rules.
//! So a message names the kind of value that was found. Keys, numbers and enum values are quoted, up to a length.

/// The maximum length of a quoted key or enum value, in characters.
const MAX_QUOTED_CHARS: usize = 40;
/// The maximum length of an unknown message of a parser, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Returns a text of at most `max` characters on one line; the rest is replaced by an ellipsis.
#[must_use]
pub fn shorten(text: &str, max: usize) -> String {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    let mut chars = text.chars();
    let mut short: String = chars
        .by_ref()
        .take(max)
        .take_while(|c| !is_break(*c))
        .collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Returns a key or an enum value in backticks, shortened.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("`{}`", shorten(text, MAX_QUOTED_CHARS))
}

/// Returns a text in quotation marks, escaped and shortened.
#[must_use]
pub fn quote_text(text: &str) -> String {
    format!("{:?}", shorten(text, MAX_QUOTED_CHARS))
}

/// Rewrites a message of serde, which any format may return.
#[must_use]
pub fn describe(message: &str) -> String {
    for kind in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = message
            .strip_prefix(kind)
            .and_then(|rest| rest.rsplit_once(", expected "))
        {
            return format!("expected {}, found {}", expectation(expected), value(found));
        }
    }
    if let Some((length, expected)) = message
        .strip_prefix("invalid length ")
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        return format!("expected {}, found {length} items", expectation(expected));
    }
    if let Some((field, expected)) = between(message, "unknown field `", "`, expected ") {
        let expected = expected.trim_start_matches("one of ");
        return format!("unknown key {}; expected {expected}", quote(field));
    }
    if let Some((field, _)) = between(message, "unknown field `", "`, there are no fields") {
        return format!("unknown key {}", quote(field));
    }
    if let Some((variant, expected)) = between(message, "unknown variant `", "`, expected ") {
        return format!("unknown value {}; expected {expected}", quote(variant));
    }
    if let Some((field, _)) = between(message, "missing field `", "`") {
        return format!("the key {} is missing", quote(field));
    }
    if let Some((field, _)) = between(message, "duplicate field `", "`") {
        return format!("the key {} is given twice", quote(field));
    }
    shorten(message, MAX_MESSAGE_CHARS)
}

/// Rewrites an error of `serde_json`. It begins with the position, as in the errors of the other formats.
#[must_use]
pub fn describe_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&place).unwrap_or(&text);
    let message = match error.classify() {
        serde_json::error::Category::Data => describe(message),
        serde_json::error::Category::Eof => {
            "the JSON ends too early; close every bracket and quote".to_owned()
        }
        _ => format!(
            "it is not valid JSON: {}",
            shorten(message, MAX_MESSAGE_CHARS)
        ),
    };
    if error.line() == 0 {
        return message;
    }
    format!(
        "line {}, column {}: {message}",
        error.line(),
        error.column()
    )
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(start)?.split_once(end)
}

/// The kind of value that serde expected.
fn expectation(expected: &str) -> String {
    let known = match expected {
        "a string" | "a borrowed string" | "string" => "a text",
        "a sequence" | "seq" => "a list",
        "a map" | "map" => "an object",
        "a boolean" => "true or false",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "option" => "a value or null",
        "unit" | "null" => "null",
        other if other.starts_with("struct ") => "an object",
        other if other.starts_with("tuple ") || other.starts_with("an array ") => "a list",
        other => return shorten(other, MAX_MESSAGE_CHARS),
    };
    known.to_owned()
}

/// The kind of value that serde found.
fn value(found: &str) -> String {
    let (kind, rest) = found.split_once([' ', '`']).unwrap_or((found, ""));
    match kind {
        "string" | "character" => "a text".to_owned(),
        "integer" | "floating" => {
            let number = rest.rsplit('`').nth(1).unwrap_or_default();
            format!("the number {}", shorten(number, MAX_QUOTED_CHARS))
        }
        "boolean" => shorten(rest.trim_matches('`'), MAX_QUOTED_CHARS),
        "null" | "unit" | "Option" => "no value".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        "byte" => "bytes".to_owned(),
        _ => "another value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_message_names_kind_and_not_value() {
        for (message, expected) in [
            (
                "invalid type: string \"a secret, expected nobody\", expected a sequence",
                "expected a list, found a text",
            ),
            (
                "invalid type: integer `5`, expected struct WebhookConfiguration",
                "expected an object, found the number 5",
            ),
            (
                "invalid type: floating point `1.5`, expected u32",
                "expected a whole number from 0, found the number 1.5",
            ),
            (
                "invalid type: boolean `true`, expected a string",
                "expected a text, found true",
            ),
            (
                "invalid type: null, expected a string",
                "expected a text, found no value",
            ),
            (
                "invalid type: map, expected a string",
                "expected a text, found an object",
            ),
            (
                "unknown field `typ`, expected `type` or `description`",
                "unknown key `typ`; expected `type` or `description`",
            ),
            ("missing field `type`", "the key `type` is missing"),
        ] {
            assert_eq!(describe(message), expected);
        }
    }

    #[test]
    fn parse_message_is_bounded() {
        let long = "x".repeat(100_000);
        for message in [
            long.clone(),
            format!("unknown field `{long}`, expected `a`"),
            format!("unknown variant `{long}`, expected `a`"),
            format!("missing field `{long}`"),
            format!("invalid value: string \"{long}\", expected {long}"),
            format!("invalid type: integer `{long}`, expected u8"),
        ] {
            assert!(describe(&message).chars().count() < 500, "{message:.40}");
        }
        assert_eq!(shorten("a\nb", 40), "a…");
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöü", 2), "äö…");
    }

    #[test]
    fn json_error_has_place_and_no_type_of_the_program() {
        let error = serde_json::from_str::<Vec<String>>("[\n5]").unwrap_err();
        assert_eq!(
            describe_json(&error),
            "line 2, column 1: expected a text, found the number 5"
        );
        let error = serde_json::from_str::<Vec<String>>("[\"a\",").unwrap_err();
        assert!(describe_json(&error).contains("ends too early"));
        let error = serde_json::from_str::<Vec<String>>("[x]").unwrap_err();
        assert_eq!(
            describe_json(&error),
            "line 1, column 2: it is not valid JSON: expected value"
        );
    }
}
