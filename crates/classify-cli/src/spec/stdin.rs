//! A YAML or JSON map on stdin, whose keys are the API's names.

use std::io::{self, IsTerminal as _, Read as _};

use serde_json::{Map, Value};

use crate::args::values::yaml;
use crate::exit::Problem;

/// No body is larger.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What was piped in; nothing where nothing was.
pub(crate) fn read() -> Result<Map<String, Value>, Problem> {
    if !is_fed() {
        return Ok(Map::new());
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| Problem::usage(format!("stdin cannot be read: {error}")))?;
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let value: Value =
        yaml(&text).map_err(|message| Problem::usage(format!("stdin: {message}")))?;
    match value {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err(Problem::usage("stdin: a map from names to values is wanted").hint(
            "write {name: value} in YAML or JSON, with the names of the API, such as file_input",
        )),
    }
}

/// Whether stdin is a pipe or a file; a terminal or `/dev/null` has nothing to say.
#[cfg(unix)]
fn is_fed() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;

    let stdin = io::stdin();
    if stdin.is_terminal() {
        return false;
    }
    let Ok(copy) = stdin.as_fd().try_clone_to_owned() else {
        return false;
    };
    std::fs::File::from(copy).metadata().is_ok_and(|found| {
        let kind = found.file_type();
        kind.is_file() || kind.is_fifo() || kind.is_socket()
    })
}

#[cfg(not(unix))]
fn is_fed() -> bool {
    !io::stdin().is_terminal()
}
