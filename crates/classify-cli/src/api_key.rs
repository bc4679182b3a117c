//! The API key of the flags, a file or the environment.

use std::io::Read as _;
use std::path::Path;

use crate::args::global::GlobalArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::printer::Printer;
use classify_rules::text_encoding::decode_ascii;

pub(crate) const API_KEY: &str = "LLAMA_CLOUD_API_KEY";
pub(crate) const FALLBACK_API_KEY: &str = "LLAMA_PARSE_API_KEY";
/// The maximum size of a key file.
const MAX_KEY_BYTES: u64 = 64 * 1024;
/// Pairs of quotes around a value; word processors turn straight ones into others.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];

/// Returns the key of the flag, the file or the environment, in this order.
pub(crate) fn api_key(global: &GlobalArgs, printer: Printer) -> Result<Option<String>, CliError> {
    if global.api_key.is_some() && global.api_key_file.is_some() {
        return Err(CliError::usage(
            "--api-key and --api-key-file cannot be combined; use one of them",
        ));
    }
    if let Some(key) = &global.api_key {
        printer.warning(
            "--api-key makes the key visible in the process list and the shell history; \
             prefer --api-key-file or LLAMA_CLOUD_API_KEY",
        );
        return Ok(key.expose_secret().map(|key| bare(key).to_owned()));
    }
    if let Some(path) = &global.api_key_file {
        return read_key_file(path).map(Some);
    }
    let from_env = |name| {
        let key = std::env::var(name).ok()?;
        Some(bare(&key).to_owned()).filter(|key| !key.is_empty())
    };
    match from_env(API_KEY).or_else(|| from_env(FALLBACK_API_KEY)) {
        Some(key) => Ok(Some(key)),
        None => Err(CliError::new(
            ExitCode::Auth,
            "no API key: set LLAMA_CLOUD_API_KEY, or use --api-key-file FILE",
        )
        .hint("to try the command without a key or network access, add --emulator")),
    }
}

/// Describes the source of the key.
pub(crate) fn api_key_source(global: &GlobalArgs) -> String {
    let is_set = |name| std::env::var(name).is_ok_and(|key| !bare(&key).is_empty());
    if global.api_key.is_some() {
        "--api-key".to_owned()
    } else if let Some(path) = &global.api_key_file {
        format!("the file {}", path.display())
    } else if is_set(API_KEY) {
        API_KEY.to_owned()
    } else {
        FALLBACK_API_KEY.to_owned()
    }
}

fn read_key_file(path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_KEY_BYTES)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_KEY_BYTES).read_to_end(&mut bytes))
    };
    let invalid = |problem: &str| {
        CliError::new(
            ExitCode::Auth,
            format!("the key file {} {problem}", path.display()),
        )
        .hint("the file must contain the key alone, or a line LLAMA_CLOUD_API_KEY=KEY")
    };
    if let Err(error) = read {
        return Err(CliError::new(
            ExitCode::Auth,
            format!("the key file {} cannot be read: {error}", path.display()),
        )
        .path_hint(path));
    }
    let text =
        decode_ascii(&bytes).map_err(|problem| invalid(&format!("cannot be read: {problem}")))?;
    parse_key(&text).map_err(|problem| invalid(&problem))
}

/// Returns the key in the text of a file: alone, in quotes, or as the value of a name. An error repeats nothing of it.
fn parse_key(text: &str) -> Result<String, String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let values: Vec<_> = lines.iter().filter_map(|line| assignment(line)).collect();
    let named = [API_KEY, FALLBACK_API_KEY].iter().find_map(|known| {
        let named = values
            .iter()
            .find(|(name, value)| name == known && !value.is_empty());
        named.map(|(_, value)| *value)
    });
    let key = match (named, &*lines) {
        (Some(key), _) => key,
        (None, []) => return Err("is empty".to_owned()),
        (None, [line]) => match values.first() {
            Some((name, "")) => return Err(format!("has a line {name}= without a value")),
            Some((_, value)) => value,
            None => bare(line),
        },
        (None, lines) => {
            return Err(format!(
                "has {} lines, none of which sets LLAMA_CLOUD_API_KEY",
                lines.len()
            ));
        }
    };
    if key.is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(key.to_owned())
}

/// Splits `NAME=value`, also with `export`, `set` or `$env:` before it as in scripts. `None` if the text may as well be
/// a key.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = ["export ", "set ", "setx ", "$env:", "$Env:"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
        .trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = bare(value);
    let is_known = [API_KEY, FALLBACK_API_KEY].contains(&name)
        || value.starts_with("llx-")
        || (name.to_ascii_uppercase().contains("KEY") && !value.chars().all(|c| c == '='));
    (is_name && is_known).then_some((name, value))
}

/// A value without white space, a byte order mark, and one pair of quotes around it.
fn bare(text: &str) -> &str {
    let trim = |text| str::trim_matches(text, |c: char| c.is_whitespace() || c == '\u{feff}');
    let text = trim(text);
    for (open, close) in QUOTES {
        let inner = text
            .strip_prefix(open)
            .and_then(|text| text.strip_suffix(close));
        if let Some(inner) = inner {
            return trim(inner);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_key_file_has_key_alone_in_quotes_or_as_value() {
        for text in [
            "llx-a1",
            "  llx-a1\r\n\r\n",
            "\u{feff}llx-a1\n",
            "\"llx-a1\"\n",
            "'llx-a1'",
            "“llx-a1”",
            "LLAMA_CLOUD_API_KEY=llx-a1\n",
            "export LLAMA_CLOUD_API_KEY = 'llx-a1' \n",
            "$env:LLAMA_CLOUD_API_KEY = \"llx-a1\"",
            "KEY=llx-a1",
            "# the key of the project\nllx-a1\n",
            "OTHER=1\nLLAMA_PARSE_API_KEY=llx-b2\nLLAMA_CLOUD_API_KEY=\"llx-a1\"\n",
            "LLAMA_CLOUD_API_KEY=\nLLAMA_PARSE_API_KEY=llx-a1\n",
        ] {
            assert_eq!(parse_key(text).as_deref(), Ok("llx-a1"), "{text:?}");
        }
        // A text that looks like a name and a value may be a key.
        for text in ["llx-a=b", "abc=", "abc==", "abc=def", "KEY="] {
            assert_eq!(parse_key(text).as_deref(), Ok(text), "{text}");
        }
    }

    #[test]
    fn api_key_file_error_repeats_nothing_of_it() {
        for (text, problem) in [
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("\"\"", "is empty"),
            ("LLAMA_CLOUD_API_KEY=\n", "without a value"),
            ("canary\ncanary2\n", "2 lines"),
            ("-----BEGIN canary-----\nx\n-----END-----", "3 lines"),
        ] {
            let error = parse_key(text).unwrap_err();
            assert!(error.contains(problem), "{text:?}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
