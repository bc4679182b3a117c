//! Values as they are written: `@file`, `null`, and objects in relaxed YAML or JSON.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Kind;
use super::configuration::Tree;
use crate::args::values::{is_null, yaml};
use crate::exit::Problem;

/// A file that is a value is a few lines long; a larger one was given by mistake.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads the value of a flag.
pub(crate) fn read(flag: &str, kind: Kind, text: &str) -> Result<Value, Problem> {
    if is_null(text) {
        return Ok(Value::Null);
    }
    let wrong = |message: &str| Err(Problem::usage(format!("--{flag}: {message}")));
    match kind {
        Kind::File => Ok(text.into()),
        Kind::Text => from_file(flag, text).map(Value::from),
        Kind::Number => number(text)
            .map(Value::from)
            .map_or_else(|| wrong("write a whole number"), Ok),
        Kind::Bool => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => wrong("write true or false"),
        },
        Kind::Texts if !text.trim_start().starts_with('[') => {
            from_file(flag, text).map(Value::from)
        }
        Kind::Object | Kind::Configuration | Kind::Rules | Kind::Objects | Kind::Texts => {
            object(flag, kind, text)
        }
    }
}

/// A whole number, in decimal or as `0x1f`.
fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Reads YAML or JSON. The texts in it may come from files, where it is written on the command line itself: in a file that
/// others have written, `@` is a sign like any other, or it could have the caller's own files sent.
fn object(flag: &str, kind: Kind, text: &str) -> Result<Value, Problem> {
    let whole = from_file(flag, text)?;
    let read = match kind {
        Kind::Configuration => yaml::<Tree>(&whole).map(Tree::configuration),
        Kind::Rules => yaml::<Tree>(&whole).map(Tree::rules),
        _ => yaml(&whole),
    };
    let mut value = read.map_err(|message| {
        Problem::usage(format!("--{flag}: {message}")).hint(format!(
            "write YAML or JSON in quotes, for example {}; or @FILE",
            example(flag)
        ))
    })?;
    if value.is_string() {
        return Err(Problem::usage(format!(
            "--{flag}: an object or a list is wanted, not a text"
        ))
        .hint(format!("for example {}; or @FILE", example(flag))));
    }
    if !text.starts_with('@') {
        fill(flag, &mut value)?;
    }
    Ok(value)
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

/// Reads the files that texts inside a value name.
fn fill(flag: &str, value: &mut Value) -> Result<(), Problem> {
    match value {
        Value::String(text) if text.starts_with(['@', '\\']) => *text = from_file(flag, text)?,
        Value::Array(items) => {
            for item in items {
                fill(flag, item)?;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                fill(flag, field)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// `@path`: the file's text, or base64 where it is none. `@file://path`: its text. `@data://path`: base64.
/// `\@text` is `@text`. Anything else is itself.
fn from_file(flag: &str, text: &str) -> Result<String, Problem> {
    if let Some(rest) = text.strip_prefix("\\@") {
        return Ok(format!("@{rest}"));
    }
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    if let Some(path) = path.strip_prefix("data://") {
        return Ok(STANDARD.encode(bytes(flag, path)?));
    }
    let (path, only_text) = match path.strip_prefix("file://") {
        Some(path) => (path, true),
        None => (path, false),
    };
    match String::from_utf8(bytes(flag, path)?) {
        // An editor ends a file with a line break, which is no part of a key, a secret or an id.
        Ok(mut text) => {
            while text.ends_with(['\n', '\r']) {
                text.pop();
            }
            Ok(text)
        }
        Err(_) if only_text => Err(Problem::usage(format!("--{flag}: {path} is no UTF-8 text"))
            .hint("@data://PATH sends it as base64")),
        Err(error) => Ok(STANDARD.encode(error.as_bytes())),
    }
}

fn bytes(flag: &str, path: &str) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::usage(format!("--{flag}: {path} cannot be read: {error}"))
            .hint("a value that begins with @ names a file; write \\@ for the sign itself")
    };
    let found = fs::metadata(path).map_err(unreadable)?;
    if found.is_dir() || found.len() > LARGEST {
        return Err(Problem::usage(format!(
            "--{flag}: {path} should be a file of at most {} MiB",
            LARGEST / 1024 / 1024
        )));
    }
    fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(kind: Kind, text: &str) -> Value {
        read("x", kind, text).unwrap()
    }

    #[test]
    fn values_as_they_are_written() {
        assert_eq!(value(Kind::Text, "a b"), "a b");
        assert_eq!(value(Kind::Text, " null "), Value::Null);
        assert_eq!(value(Kind::Text, "\\@handle"), "@handle");
        assert_eq!(value(Kind::Number, "0x10"), 16);
        assert_eq!(value(Kind::Number, "-1"), -1);
        assert_eq!(value(Kind::Texts, "[a, b]"), json!(["a", "b"]));
        assert_eq!(
            value(Kind::Object, "{a: [1, x], b: null}"),
            json!({"a": [1, "x"], "b": null})
        );
        for (kind, text) in [
            (Kind::Number, "ten"),
            (Kind::Bool, "perhaps"),
            (Kind::Object, "{a: "),
            (Kind::Object, "words"),
            (Kind::Text, "@/no/such/file"),
        ] {
            assert!(read("x", kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn files_stand_for_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let path = path.to_str().unwrap();
        fs::write(path, "k: [v]\n").unwrap();
        assert_eq!(value(Kind::Text, &format!("@{path}")), "k: [v]");
        assert_eq!(value(Kind::Text, &format!("@file://{path}")), "k: [v]");
        assert_eq!(
            value(Kind::Text, &format!("@data://{path}")),
            "azogW3ZdCg=="
        );
        assert_eq!(
            value(Kind::Object, &format!("@{path}")),
            json!({"k": ["v"]})
        );
        assert_eq!(
            value(Kind::Object, &format!("{{in: '@{path}', not: '\\@x'}}")),
            json!({"in": "k: [v]", "not": "@x"})
        );
        fs::write(path, [0xff, 0xfe]).unwrap();
        assert_eq!(value(Kind::Text, &format!("@{path}")), "//4=");
        assert!(read("x", Kind::Text, &format!("@file://{path}")).is_err());
    }
}
