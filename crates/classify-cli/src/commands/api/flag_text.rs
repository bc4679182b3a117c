//! The text of a flag: `@file`, `null`, and objects in YAML or JSON.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::endpoint::ValueKind;
use crate::args::values::is_null;
use crate::error::CliError;
use crate::printer::Printer;
use crate::rules;
use crate::yaml;
use classify_rules::parse_message::shorten;
use classify_rules::text_encoding;

/// The maximum size of a file that is a value.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The maximum length of a path in an error, in characters. A text that begins with @ is parsed as a path.
const MAX_PATH_CHARS: usize = 200;

/// Parses the value of a flag.
pub(crate) fn parse(
    flag: &str,
    kind: ValueKind,
    text: &str,
    printer: Printer,
) -> Result<Value, CliError> {
    if is_null(text) {
        return Ok(Value::Null);
    }
    let invalid = |message: &str| Err(CliError::usage(format!("--{flag}: {message}")));
    match kind {
        ValueKind::File => Ok(text.into()),
        ValueKind::Text => resolve_text(flag, text).map(Value::from),
        ValueKind::Number => parse_number(text)
            .map(Value::from)
            .map_or_else(|| invalid("write a whole number"), Ok),
        ValueKind::Bool => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => invalid("write true or false"),
        },
        ValueKind::TextList if !text.trim_start().starts_with('[') => {
            resolve_text(flag, text).map(Value::from)
        }
        ValueKind::Object
        | ValueKind::Configuration
        | ValueKind::Rules
        | ValueKind::RuleObjects
        | ValueKind::ObjectList
        | ValueKind::TextList => parse_object(flag, kind, text, printer),
    }
}

/// Parses a whole number, in decimal or as `0x1f`.
fn parse_number(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Parses YAML or JSON. On the command line, texts in it may refer to files. In a file `@` has no special meaning,
/// since the author of the file could otherwise have the caller's own files sent.
fn parse_object(
    flag: &str,
    kind: ValueKind,
    text: &str,
    printer: Printer,
) -> Result<Value, CliError> {
    let source = object_source(flag, text)?;
    let parsed = match kind {
        ValueKind::Configuration => rules::parse_configuration(&source),
        ValueKind::Rules => rules::parse_rules(&source),
        ValueKind::RuleObjects => rules::parse_rule_objects(&source),
        _ => yaml::from_str(&source),
    };
    let mut value = parsed.map_err(|message| {
        CliError::usage(format!("--{flag}: {message}")).hint(format!(
            "write YAML or JSON in quotes, for example {}; or @FILE",
            example(flag)
        ))
    })?;
    if value.is_string() {
        return Err(CliError::usage(format!(
            "--{flag}: expected an object or a list, found text"
        ))
        .hint(format!("for example {}; or @FILE", example(flag))));
    }
    yaml::warn_of_lost_texts(&format!("--{flag}"), &source, printer);
    if !text.starts_with('@') {
        resolve_texts(flag, &mut value)?;
    }
    Ok(value)
}

/// Returns the text of an object: that of the flag, or of the file that it names.
fn object_source(flag: &str, text: &str) -> Result<String, CliError> {
    let Some(path) = text
        .strip_prefix('@')
        .filter(|path| !path.starts_with("data://"))
    else {
        return resolve_text(flag, text);
    };
    let path = path.strip_prefix("file://").unwrap_or(path);
    text_encoding::decode(read_file(flag, path)?).map_err(|error| {
        CliError::usage(format!(
            "--{flag}: {}: {error}",
            shorten(path, MAX_PATH_CHARS)
        ))
        .hint("save the file as UTF-8")
    })
}

fn example(flag: &str) -> &'static str {
    match flag.rsplit('.').next().unwrap_or(flag) {
        "rules" => "'[{type: invoice, description: asks for payment}]'",
        "rule" => "'{type: invoice, description: asks for payment}'",
        "parsing-configuration" => "'{lang: en, max_pages: 5}'",
        "webhook-configuration" => "'{webhook_url: https://example.com/hook}'",
        "webhook-events" => "'[classify.success, classify.error]'",
        "webhook-headers" => "'{X-Team: blue}'",
        "configuration" => "'{rules: [{type: invoice, description: asks for payment}]}'",
        "parameters" => {
            "'{product_type: classify_v2, rules: [{type: invoice, description: asks for payment}]}'"
        }
        "filter" => "'{file_name: scan.pdf}'",
        _ => "'[a, b]'",
    }
}

/// Replaces the texts in a value that name files.
fn resolve_texts(flag: &str, value: &mut Value) -> Result<(), CliError> {
    match value {
        Value::String(text) if text.starts_with(['@', '\\']) => *text = resolve_text(flag, text)?,
        Value::Array(items) => {
            for item in items {
                resolve_texts(flag, item)?;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                resolve_texts(flag, field)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Resolves a text. `@path`: the file's text, or base64 if it is not text. `@file://path`: its text. `@data://path`:
/// base64.
/// `\@text` is `@text`. Anything else is itself.
pub(crate) fn resolve_text(flag: &str, text: &str) -> Result<String, CliError> {
    if let Some(rest) = text.strip_prefix("\\@") {
        return Ok(format!("@{rest}"));
    }
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    if let Some(path) = path.strip_prefix("data://") {
        return Ok(STANDARD.encode(read_file(flag, path)?));
    }
    let (path, only_text) = match path.strip_prefix("file://") {
        Some(path) => (path, true),
        None => (path, false),
    };
    match String::from_utf8(read_file(flag, path)?) {
        // An editor ends a file with a line break, which is not part of a key, a secret or an id.
        Ok(mut text) => {
            while text.ends_with(['\n', '\r']) {
                text.pop();
            }
            // A byte order mark is not part of it either.
            if text.starts_with('\u{feff}') {
                text.remove(0);
            }
            Ok(text)
        }
        Err(_) if only_text => Err(
            CliError::usage(format!("--{flag}: {path} is not UTF-8 text"))
                .hint("@data://PATH sends it as base64"),
        ),
        Err(error) => Ok(STANDARD.encode(error.as_bytes())),
    }
}

fn read_file(flag: &str, path: &str) -> Result<Vec<u8>, CliError> {
    let shown = shorten(path, MAX_PATH_CHARS);
    let unreadable = |error: std::io::Error| {
        CliError::usage(format!("--{flag}: {shown} cannot be read: {error}"))
            .hint("a value that begins with @ is a file name; write \\@ for a literal @")
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() || metadata.len() > MAX_FILE_BYTES {
        return Err(CliError::usage(format!(
            "--{flag}: {shown} must be a file of at most {} MiB",
            MAX_FILE_BYTES / 1024 / 1024
        )));
    }
    fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::{CliError, Printer, Value, ValueKind, fs};
    use serde_json::json;

    fn parse(flag: &str, kind: ValueKind, text: &str) -> Result<Value, CliError> {
        super::parse(flag, kind, text, Printer::from_raw_args(&[]))
    }

    fn value(kind: ValueKind, text: &str) -> Value {
        parse("x", kind, text).unwrap()
    }

    #[test]
    fn flag_value_parses_by_kind_and_rejects_invalid_text() {
        assert_eq!(value(ValueKind::Text, "a b"), "a b");
        assert_eq!(value(ValueKind::Text, " null "), Value::Null);
        assert_eq!(value(ValueKind::Text, "\\@handle"), "@handle");
        assert_eq!(value(ValueKind::Number, "0x10"), 16);
        assert_eq!(value(ValueKind::Number, "-1"), -1);
        assert_eq!(value(ValueKind::TextList, "[a, b]"), json!(["a", "b"]));
        assert_eq!(
            value(ValueKind::Object, "{a: [1, x], b: null}"),
            json!({"a": [1, "x"], "b": null})
        );
        for (kind, text) in [
            (ValueKind::Number, "ten"),
            (ValueKind::Bool, "perhaps"),
            (ValueKind::Object, "{a: "),
            (ValueKind::Object, "words"),
            (ValueKind::Text, "@/no/such/file"),
        ] {
            assert!(parse("x", kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn flag_value_file_reference_reads_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let path = path.to_str().unwrap();
        fs::write(path, "k: [v]\n").unwrap();
        assert_eq!(value(ValueKind::Text, &format!("@{path}")), "k: [v]");
        assert_eq!(value(ValueKind::Text, &format!("@file://{path}")), "k: [v]");
        assert_eq!(
            value(ValueKind::Text, &format!("@data://{path}")),
            "azogW3ZdCg=="
        );
        assert_eq!(
            value(ValueKind::Object, &format!("@{path}")),
            json!({"k": ["v"]})
        );
        assert_eq!(
            value(
                ValueKind::Object,
                &format!("{{in: '@{path}', not: '\\@x'}}")
            ),
            json!({"in": "k: [v]", "not": "@x"})
        );
        // Windows PowerShell writes UTF-16, and Notepad a byte order mark.
        fs::write(path, "\u{feff}k: [v]\n").unwrap();
        assert_eq!(value(ValueKind::Text, &format!("@{path}")), "k: [v]");
        let wide: Vec<u8> = "\u{feff}k: [v]\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for bytes in [&b"\xef\xbb\xbfk: [v]\n"[..], &wide] {
            fs::write(path, bytes).unwrap();
            for text in [format!("@{path}"), format!("@file://{path}")] {
                assert_eq!(value(ValueKind::Object, &text), json!({"k": ["v"]}));
            }
        }
        fs::write(path, b"k: [Gr\xf6\xdfe]\n").unwrap();
        let error = parse("x", ValueKind::Object, &format!("@{path}")).unwrap_err();
        let message = &error.report().unwrap().message;
        assert!(
            message.ends_with("line 1: the text is not UTF-8"),
            "{message}"
        );
        fs::write(path, [0xff, 0xfe]).unwrap();
        assert_eq!(value(ValueKind::Text, &format!("@{path}")), "//4=");
        assert!(parse("x", ValueKind::Text, &format!("@file://{path}")).is_err());
    }
}
