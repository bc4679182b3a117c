//! A YAML or JSON map on stdin, whose keys are the API's names.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::{Map, Value};

use super::configuration::Body;
use crate::args::values::yaml;
use crate::console::Console;
use crate::exit::Problem;

/// No body is larger.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How long a pipe may keep silent before something is said, or done.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait for what is piped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until its end: a body may hang on it.
    ForIt,
    /// A moment: a list needs nothing of it, and whoever started the command may just hold the pipe open.
    Briefly,
}

/// What was piped in; nothing where nothing was.
pub(crate) fn read(wait: Wait, console: Console) -> Result<Map<String, Value>, Problem> {
    if !is_fed() {
        return Ok(Map::new());
    }
    let Some(text) = text(wait, console)? else {
        return Ok(Map::new());
    };
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let wrong = |message| Problem::usage(format!("stdin: {message}")).hint(WAY_OUT);
    match yaml(&text).map_err(wrong)? {
        Value::Object(mut fields) => {
            if let Some(configuration) = fields.get_mut("configuration")
                && let Some(tree) = yaml::<Body>(&text).map_err(wrong)?.configuration
            {
                *configuration = tree.configuration();
            }
            Ok(fields)
        }
        Value::Null => Ok(Map::new()),
        _ => Err(Problem::usage("stdin: a map from names to values is wanted").hint(format!(
            "write {{name: value}} in YAML or JSON, with the names of the API, such as file_input\n  {WAY_OUT}"
        ))),
    }
}

const WAY_OUT: &str =
    "what stands on stdin belongs to the command; if it is a loop's, add </dev/null or --no-stdin";

/// The whole text; nothing where none comes in time.
///
/// It is read on a thread of its own, which is left behind where nobody waits for it any more: the process does not
/// outlive its command.
fn text(wait: Wait, console: Console) -> Result<Option<String>, Problem> {
    let unreadable = |error: io::Error| Problem::usage(format!("stdin cannot be read: {error}"));
    let (sender, receiver) = sync_channel(2);
    let work = move || {
        let mut stdin = io::stdin().lock().take(LARGEST);
        let mut bytes = vec![0; 1];
        let first = loop {
            match stdin.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                first => break first,
            }
        };
        // Nobody may be waiting any more.
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
    let waited = receiver.recv_timeout(PATIENCE);
    if matches!(waited, Err(RecvTimeoutError::Timeout)) {
        if wait == Wait::Briefly {
            console.note(
                "stdin is open and says nothing, and is left alone; --no-stdin does not wait for it at all",
            );
            return Ok(None);
        }
        console.note("waiting for what stands on stdin; </dev/null or --no-stdin leaves it alone");
        let _ = receiver.recv();
    }
    let bytes = receiver.recv().unwrap_or_else(|_| Ok(Vec::new()));
    String::from_utf8(bytes.map_err(unreadable)?)
        .map(Some)
        .map_err(|_| Problem::usage("stdin is no UTF-8 text").hint(WAY_OUT))
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
