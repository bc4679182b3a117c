//! `--transform`: a GJSON path, applied to each result.

use std::panic;

use crate::exit::Problem;

/// No path that people write is longer, and a longer one could nest deeper than the stack.
const LONGEST: usize = 1000;

/// What a path picks out of a JSON text, as JSON; `null` where there is nothing.
pub(crate) fn pick(json: &str, path: &str) -> Result<String, Problem> {
    let picked = if path.len() > LONGEST {
        None
    } else {
        follow(json, path)
    };
    picked
        .filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
        .ok_or_else(|| {
            Problem::usage(format!(
                "--transform: {path:?} is no GJSON path that can be followed"
            ))
            .hint("paths look like result.type, items.#.id, configuration.rules.0.description")
        })
}

/// The path is anybody's, and the library is written for speed: one that it stumbles over is told like any other
/// mistake, without the words that a panic prints.
fn follow(json: &str, path: &str) -> Option<String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let picked = panic::catch_unwind(|| {
        let found = gjson::get(json, path);
        if found.exists() {
            found.json().to_owned()
        } else {
            "null".to_owned()
        }
    });
    panic::set_hook(hook);
    picked.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str =
        r#"{"id":"a","n":1.50,"items":[{"t":"x","c":0.9},{"t":"y","c":0.2}],"ü":{"a.b":null}}"#;

    #[test]
    fn paths_pick_what_gjson_documents() {
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
            assert_eq!(pick(JSON, path).unwrap(), found, "{path}");
        }
    }

    #[test]
    fn no_path_ends_the_program() {
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
                    let _ = pick(JSON, &format!("{a}{b}{c}"));
                }
            }
        }
    }
    #[test]
    fn no_path_is_too_deep() {
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
            let path = piece.repeat(LONGEST / piece.len());
            let _ = pick(&deep, &path);
            let _ = pick(JSON, &path);
        }
        assert!(pick(JSON, &"a".repeat(LONGEST + 1)).is_err());
    }
}
