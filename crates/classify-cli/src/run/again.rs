//! The command that goes on with a run, as it can be pasted into a shell.

use std::ffi::{OsStr, OsString};

/// The words of this process as a line for a shell, with `--resume` where there is a journal and never with a key.
pub(super) fn command(words: impl IntoIterator<Item = OsString>, journal: bool) -> String {
    let mut line: Vec<String> = Vec::new();
    let mut resumes = false;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--api-key" {
            words.next();
            continue;
        }
        if word.as_encoded_bytes().starts_with(b"--api-key=") {
            continue;
        }
        resumes |= word == "--resume";
        line.push(quoted(&word));
    }
    if journal && !resumes {
        // After `--` it would be a path; before, it is a flag wherever it stands.
        let place = line
            .iter()
            .position(|word| word == "--")
            .unwrap_or(line.len());
        line.insert(place, "--resume".to_owned());
    }
    line.join(" ")
}

/// A word as a POSIX shell reads it.
#[cfg(not(windows))]
fn quoted(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        // A control character would not survive the terminal, nor bytes that are no text.
        _ => {
            let escaped: String = bytes
                .iter()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() {
                        char::from(*byte).to_string()
                    } else {
                        format!("\\x{byte:02x}")
                    }
                })
                .collect();
            format!("$'{escaped}'")
        }
    }
}

/// A word as the shells of Windows read it.
#[cfg(windows)]
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || r"-_./:\=,@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("\"{}\"", text.replace('"', "\\\""))
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    fn line(words: &[&str], journal: bool) -> String {
        command(words.iter().map(OsString::from), journal)
    }

    #[test]
    fn the_line_says_what_was_said_and_resumes() {
        assert_eq!(
            line(&["./cli", "run", "a b", "it's", "", "*.pdf", "ü"], true),
            r"./cli run 'a b' 'it'\''s' '' '*.pdf' 'ü' --resume"
        );
        assert_eq!(line(&["c", "--resume", "x"], true), "c --resume x");
        assert_eq!(line(&["c", "x", "--", "-y"], true), "c x --resume -- -y");
        assert_eq!(line(&["c", "a\nb\u{1b}"], false), r"c $'a\x0ab\x1b'");
    }

    #[test]
    fn no_key_is_in_it() {
        let words = [
            "c",
            "--api-key",
            "llx-1",
            "--api-key=llx-2",
            "--api-key-file",
            "k",
        ];
        assert_eq!(line(&words, false), "c --api-key-file k");
    }
}
