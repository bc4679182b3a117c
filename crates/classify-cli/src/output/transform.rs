//! `--transform`: a GJSON path, applied to each result.

use std::panic;

use crate::error::CliError;
use classify_rules::parse_message::quote_text;

/// The maximum length of a path. A longer one could overflow the stack.
const MAX_PATH_LENGTH: usize = 1000;

/// Returns the part of a JSON text that a path selects, as JSON; `null` if it selects nothing.
pub(crate) fn apply(json: &str, path: &str) -> Result<String, CliError> {
    let selected = if path.len() > MAX_PATH_LENGTH {
        None
    } else {
        evaluate(json, path)
    };
    selected
        .filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
        .ok_or_else(|| {
            CliError::usage(format!(
                "--transform: {} is not a valid GJSON path",
                quote_text(path)
            ))
            .hint("paths look like result.type, items.#.id, configuration.rules.0.description")
        })
}

/// Evaluates a path. The library panics on some invalid paths; such a panic is caught, and its message suppressed.
fn evaluate(json: &str, path: &str) -> Option<String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let selected = panic::catch_unwind(|| {
        let value = gjson::get(json, path);
        if value.exists() {
            value.json().to_owned()
        } else {
            "null".to_owned()
        }
    });
    panic::set_hook(hook);
    selected.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str =
        r#"{"id":"a","n":1.50,"items":[{"t":"x","c":0.9},{"t":"y","c":0.2}],"ü":{"a.b":null}}"#;

    #[test]
    fn transform_path_follows_gjson_syntax() {
        for (path, found) in [
            ("id", r#""a""#),
            ("n", "1.50"),
            ("items.#", "2"),
            ("items.1.t", r#""y""#),
            ("items.#.t", r#"["x","y"]"#),
            (r#"items.#(t=="y").c"#, "0.2"),
            ("items.#(c>0.1)#.t", r#"["x","y"]"#),
            (r"ü.a\.b", "null"),
            ("missing.at.all", "null"),
            ("{id,n}", r#"{"id":"a","n":1.50}"#),
            ("items|0|t", r#""x""#),
            ("@this.id", r#""a""#),
            ("items.@reverse.0.t", r#""y""#),
        ] {
            assert_eq!(apply(JSON, path).unwrap(), found, "{path}");
        }
    }

    #[test]
    fn transform_error_quotes_no_long_path() {
        let error = apply(JSON, &"x".repeat(100_000)).unwrap_err();
        assert!(error.report().unwrap().message.len() < 200);
    }

    #[test]
    fn transform_malformed_path_does_not_panic() {
        let pieces = [
            "",
            ".",
            "#",
            "(",
            ")",
            "@",
            "|",
            "{",
            "}",
            "[",
            "]",
            "\\",
            "\"",
            "*",
            "?",
            "%",
            "ü",
            "items",
            "!",
            "..",
            ":",
            "@pretty:{",
            "~",
            "==",
        ];
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    let _ = apply(JSON, &format!("{a}{b}{c}"));
                }
            }
        }
    }
    #[test]
    fn transform_deep_path_does_not_panic_and_overlong_path_is_rejected() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for piece in [
            "{",
            "[",
            "(",
            "#(",
            "0.",
            "@this|",
            "#.",
            "@flatten.",
            "{a:",
            "..",
            "*",
            "\\",
        ] {
            let path = piece.repeat(MAX_PATH_LENGTH / piece.len());
            let _ = apply(&deep, &path);
            let _ = apply(JSON, &path);
        }
        assert!(apply(JSON, &"a".repeat(MAX_PATH_LENGTH + 1)).is_err());
    }
}
