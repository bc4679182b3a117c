//! Lists of paths: `-` and `--files-from`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use classify_ureq::classify_client::name_path;

use crate::error::CliError;

/// The maximum size of a list in bytes, which is enough for a few million paths.
const MAX_LIST_BYTES: u64 = 512 * 1024 * 1024;

/// Reads the paths of a list; `-` is stdin. They are separated by NUL if the list contains one, and by line
/// breaks if not. Empty lines are skipped.
pub(super) fn read(list: &Path) -> Result<Vec<PathBuf>, CliError> {
    let shown = describe(list);
    let failure = |error: std::io::Error| {
        CliError::usage(format!("the list of paths {shown} cannot be read: {error}"))
    };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = if list == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(list).map_err(failure)?)
    };
    source
        .take(MAX_LIST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failure)?;
    if bytes.len() as u64 > MAX_LIST_BYTES {
        return Err(CliError::usage(format!(
            "the list of paths {shown} is longer than 512 MiB"
        )));
    }
    Ok(parse(&bytes))
}

/// Returns the name of a list in messages.
pub(super) fn describe(list: &Path) -> String {
    if list == Path::new("-") {
        "stdin".to_owned()
    } else {
        list.display().to_string()
    }
}

fn parse(bytes: &[u8]) -> Vec<PathBuf> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let is_nul_separated = bytes.contains(&0);
    let separator = if is_nul_separated { 0 } else { b'\n' };
    bytes
        .split(|byte| *byte == separator)
        .filter(|line| !line.is_empty() && (is_nul_separated || *line != b"\r"))
        .map(|line| {
            let path = to_path(line);
            // Lists made on Windows have a carriage return at the end of each line.
            match line.strip_suffix(b"\r") {
                Some(line) if !is_nul_separated && !path.exists() => to_path(line),
                _ => path,
            }
        })
        .collect()
}

/// Converts an entry of a list to a path. The entry may be the escaped name of a row for a path that is not UTF-8.
fn to_path(line: &[u8]) -> PathBuf {
    let path = bytes_path(line);
    match std::str::from_utf8(line) {
        Ok(name) if name.contains("\\x") && !path.exists() => {
            let unescaped = name_path(name);
            if unescaped.exists() { unescaped } else { path }
        }
        _ => path,
    }
}

#[cfg(unix)]
fn bytes_path(line: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(line))
}

#[cfg(not(unix))]
fn bytes_path(line: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_list_has_lines_or_nul_separated_paths() {
        let paths = |text: &str| {
            let paths = parse(text.as_bytes());
            let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
            paths.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(paths("a.pdf\nb c.pdf\n"), ["a.pdf", "b c.pdf"]);
        assert_eq!(paths("\u{feff}a.pdf\r\n\r\n\nb.pdf"), ["a.pdf", "b.pdf"]);
        assert_eq!(paths("a\n.pdf\0b\r\0"), ["a\n.pdf", "b\r"]);
        assert!(paths("").is_empty());
    }
}
