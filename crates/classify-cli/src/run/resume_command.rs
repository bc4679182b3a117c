//! The command that resumes a run, for a shell.

use std::ffi::{OsStr, OsString};

/// Returns the command line of this process, with `--resume` if there is a journal, and without the key.
///
/// Without a journal `--retry-failed` is left out: it would charge again for documents that it has already classified
/// again.
pub(super) fn resume_command(
    args: impl IntoIterator<Item = OsString>,
    has_journal: bool,
) -> String {
    let mut line: Vec<String> = Vec::new();
    let mut has_resume = false;
    let mut are_paths = false;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--api-key" {
            args.next();
            continue;
        }
        if arg.as_encoded_bytes().starts_with(b"--api-key=") {
            continue;
        }
        are_paths |= arg == "--";
        if arg == "--retry-failed" && !has_journal && !are_paths {
            continue;
        }
        has_resume |= arg == "--resume";
        line.push(shell_quote(&arg));
    }
    if has_journal && !has_resume {
        // After `--` it would be a path.
        let position = line
            .iter()
            .position(|arg| arg == "--")
            .unwrap_or(line.len());
        line.insert(position, "--resume".to_owned());
    }
    line.join(" ")
}

/// Quotes a word for a POSIX shell.
#[cfg(not(windows))]
fn shell_quote(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        // A terminal would not show control characters and bytes that are not text.
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

/// Quotes a word for the shells of Windows.
#[cfg(windows)]
fn shell_quote(word: &OsStr) -> String {
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
        resume_command(words.iter().map(OsString::from), journal)
    }

    #[test]
    fn resume_command_quotes_arguments_and_adds_resume_flag() {
        assert_eq!(
            line(&["./cli", "run", "a b", "it's", "", "*.pdf", "ü"], true),
            r"./cli run 'a b' 'it'\''s' '' '*.pdf' 'ü' --resume"
        );
        assert_eq!(line(&["c", "--resume", "x"], true), "c --resume x");
        assert_eq!(line(&["c", "x", "--", "-y"], true), "c x --resume -- -y");
        assert_eq!(line(&["c", "a\nb\u{1b}"], false), r"c $'a\x0ab\x1b'");
    }

    #[test]
    fn resume_command_retries_failed_documents_only_with_a_journal() {
        let words = ["c", "--retry-failed", "x", "--", "--retry-failed"];
        assert_eq!(line(&words, false), "c x -- --retry-failed");
        assert_eq!(
            line(&words, true),
            "c --retry-failed x --resume -- --retry-failed"
        );
    }

    #[test]
    fn resume_command_redacts_api_key() {
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
