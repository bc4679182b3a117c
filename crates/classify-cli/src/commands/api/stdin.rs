//! Parameters on stdin: a YAML or JSON map with the API's names.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::CliError;
use crate::printer::Printer;
use crate::rules;
use crate::yaml;
use classify_rules::text_encoding;

/// The maximum size of a body.
const MAX_BODY_BYTES: u64 = 16 * 1024 * 1024;
/// The time to wait for input before a note is printed or stdin is ignored.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait for stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until its end, because it may contain the body.
    UntilEnd,
    /// One second, because a list needs no parameters and the caller may keep the pipe open.
    Briefly,
}

/// Returns the parameters on stdin; none if stdin is empty.
pub(crate) fn read(wait: Wait, printer: Printer) -> Result<Map<String, Value>, CliError> {
    if !has_input() {
        return Ok(Map::new());
    }
    let Some(text) = read_text(wait, printer)? else {
        return Ok(Map::new());
    };
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let invalid = |message: String| CliError::usage(format!("stdin: {message}")).hint(STDIN_HINT);
    match yaml::from_str(&text).map_err(invalid)? {
        Value::Object(mut fields) => {
            if let Some(configuration) = fields.get_mut("configuration")
                && let Some(parsed) =
                    rules::parse_configuration_of_body(&text).map_err(invalid)?
            {
                *configuration = parsed;
            }
            yaml::warn_of_lost_texts("stdin", &text, printer);
            Ok(fields)
        }
        Value::Null => Ok(Map::new()),
        _ => Err(CliError::usage("stdin: expected a map from names to values").hint(format!(
            "write {{name: value}} in YAML or JSON, with the names of the API, such as file_input\n  {STDIN_HINT}"
        ))),
    }
}

const STDIN_HINT: &str =
    "the command reads values from stdin; if the input is for a loop, add </dev/null or --no-stdin";

/// Reads the whole text. Returns `None` if no input arrives in time.
///
/// It is read on a thread of its own, which is detached on a timeout and ends with the process.
fn read_text(wait: Wait, printer: Printer) -> Result<Option<String>, CliError> {
    let unreadable = |error: io::Error| CliError::usage(format!("stdin cannot be read: {error}"));
    let (sender, receiver) = sync_channel(2);
    let work = move || {
        let mut stdin = io::stdin().lock().take(MAX_BODY_BYTES);
        let mut bytes = vec![0; 1];
        let first = loop {
            match stdin.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                first => break first,
            }
        };
        // After a timeout there is no receiver.
        let _ = sender.send(Ok(Vec::new()));
        let all = first.and_then(|first| {
            bytes.truncate(first);
            stdin.read_to_end(&mut bytes).map(|_| bytes)
        });
        let _ = sender.send(all);
    };
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(work)
        .map_err(unreadable)?;
    let first_byte = receiver.recv_timeout(SILENCE_TIMEOUT);
    if matches!(first_byte, Err(RecvTimeoutError::Timeout)) {
        if wait == Wait::Briefly {
            printer.note("no input on stdin after 1 s; ignoring it (--no-stdin skips the wait)");
            return Ok(None);
        }
        printer.note("waiting for input on stdin; </dev/null or --no-stdin skips it");
        let _ = receiver.recv();
    }
    let bytes = receiver.recv().unwrap_or_else(|_| Ok(Vec::new()));
    text_encoding::decode(bytes.map_err(unreadable)?)
        .map(Some)
        .map_err(|error| CliError::usage(format!("stdin: {error}")).hint(STDIN_HINT))
}

/// Whether stdin is a pipe or a file, and not a terminal or `/dev/null`.
#[cfg(unix)]
fn has_input() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;

    let stdin = io::stdin();
    if stdin.is_terminal() {
        return false;
    }
    let Ok(copy) = stdin.as_fd().try_clone_to_owned() else {
        return false;
    };
    std::fs::File::from(copy).metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_file() || kind.is_fifo() || kind.is_socket()
    })
}

#[cfg(not(unix))]
fn has_input() -> bool {
    !io::stdin().is_terminal()
}
