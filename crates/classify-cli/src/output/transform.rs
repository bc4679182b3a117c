//! `--transform`: a GJSON path, applied to each result.

use crate::exit::Problem;

/// What a path picks out of a JSON text, as JSON; `null` where there is nothing.
pub(crate) fn pick(json: &str, path: &str) -> Result<String, Problem> {
    // The path is anybody's, and the library is written for speed: a path that it stumbles over is told like any other
    // mistake.
    let picked = std::panic::catch_unwind(|| {
        let found = gjson::get(json, path);
        if found.exists() {
            found.json().to_owned()
        } else {
            "null".to_owned()
        }
    });
    match picked {
        Ok(text) if serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() => Ok(text),
        _ => Err(Problem::usage(format!(
            "--transform: {path:?} is no GJSON path that can be followed"
        ))
        .hint("paths look like result.type, items.#.id, configuration.rules.0.description")),
    }
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
}
