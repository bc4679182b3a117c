//! Shows output that is longer than the screen in a pager, as `git log` does.
//!
//! The output is held back until the screen is full. A shorter output is then printed as usual, without a pager.
//!
//! ```text
//! main thread      writes to the pager, and waits for its end
//! "pager"          waits for the end of the pager; if the output is not complete then, it ends the process
//! "pager signals"  on Ctrl-C, closes the pipe: the pager shows what it has, and ends when the user quits it
//! ```

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use console::{Term, measure_text_width};

use crate::exit_code::ExitCode;
use crate::signals::TerminationSignals;

/// The variables that name the pager, in this order.
const VARIABLES: [&str; 2] = ["LLAMA_CLOUD_PAGER", "PAGER"];
const DEFAULT_PAGER: &str = "less";
/// Options for pagers that the user has not set: `less` quits if all fits on the screen, keeps colors, and leaves the
/// output on the screen; `lv` keeps colors. They are those of Git.
const OPTIONS: [(&str, &str); 2] = [("LESS", "FRX"), ("LV", "-c")];
/// Characters that only a shell interprets.
const SHELL_CHARACTERS: &str = "|&;<>()$`\\\"'*?[#~=%\n";
/// The exit codes of a shell that cannot run a command.
const NOT_RUN: [i32; 2] = [126, 127];
/// A pipe holds at most this much, in bytes: a process has read from it if more was written.
const MAX_PIPE_SIZE: usize = 1 << 20;

/// Writes to stdout, or to a pager if that was asked for and the output is longer than the screen.
#[derive(Debug)]
pub(crate) struct PagedStdout(Target);

#[derive(Debug)]
enum Target {
    Stdout(io::BufWriter<io::Stdout>),
    Held(HeldOutput),
    Pager(Pager),
}

impl PagedStdout {
    /// Returns a writer to stdout.
    pub(crate) fn plain() -> Self {
        Self(Target::Stdout(io::BufWriter::new(io::stdout())))
    }

    /// Returns a writer that may use a pager: not if stdout is not a terminal, if its size is unknown, or if the
    /// environment turns pagers off.
    pub(crate) fn paged() -> Self {
        let screen = Screen::of_stdout();
        match (screen, PagerCommand::from_env()) {
            (Some(screen), Some(command)) => Self(Target::Held(HeldOutput {
                text: Vec::new(),
                rows: 0,
                screen,
                command,
            })),
            _ => Self::plain(),
        }
    }

    /// Returns the rows of the screen if a pager may be used.
    pub(crate) fn screen_rows(&self) -> Option<usize> {
        match &self.0 {
            Target::Stdout(_) => None,
            Target::Held(held) => Some(held.screen.rows),
            Target::Pager(pager) => Some(pager.screen_rows),
        }
    }

    /// Prints output that was held back, and waits until the user quits the pager.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Stdout(_) => {}
            Target::Held(held) => {
                let text = std::mem::take(&mut held.text);
                self.continue_plain(&text)?;
            }
            Target::Pager(pager) => {
                if let Some(unread) = pager.finish() {
                    self.continue_plain(&unread)?;
                }
            }
        }
        self.flush()
    }

    /// Writes to stdout from now on.
    fn continue_plain(&mut self, text: &[u8]) -> io::Result<()> {
        let mut stdout = io::BufWriter::new(io::stdout());
        let written = stdout.write_all(text);
        self.0 = Target::Stdout(stdout);
        written
    }
}

impl Write for PagedStdout {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::Stdout(stdout) => return stdout.write(text),
            Target::Held(held) => {
                held.push(text);
                if held.is_long() {
                    let text = std::mem::take(&mut held.text);
                    match Pager::start(&held.command, held.screen.rows) {
                        Ok(pager) => {
                            self.0 = Target::Pager(pager);
                            self.write_all(&text)?;
                        }
                        // Without the pager, the output is still of use.
                        Err(_) => self.continue_plain(&text)?,
                    }
                }
            }
            Target::Pager(pager) => {
                if let Some(unread) = pager.write_all(text)? {
                    self.continue_plain(&unread)?;
                }
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Stdout(stdout) => stdout.flush(),
            // A pipe to a process is not buffered.
            Target::Held(_) | Target::Pager(_) => Ok(()),
        }
    }
}

impl Drop for PagedStdout {
    fn drop(&mut self) {
        // After an error, the output so far is printed, and the user reads it before the error.
        let _ = self.finish();
    }
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy)]
struct Screen {
    rows: usize,
    columns: usize,
}

impl Screen {
    /// Returns the size of the terminal that is stdout. Terminals without a size are those of build servers, where
    /// nobody could quit a pager.
    fn of_stdout() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let (rows, columns) = Term::stdout().size_checked()?;
        (rows > 0 && columns > 0).then(|| Self {
            rows: rows.into(),
            columns: columns.into(),
        })
    }
}

/// Output that fits on the screen so far.
#[derive(Debug)]
struct HeldOutput {
    text: Vec<u8>,
    /// The rows that its complete lines take on the screen.
    rows: usize,
    screen: Screen,
    command: PagerCommand,
}

impl HeldOutput {
    fn push(&mut self, text: &[u8]) {
        let is_end = |byte: &u8| *byte == b'\n';
        let begin = self.text.iter().rposition(is_end).map_or(0, |end| end + 1);
        self.text.extend_from_slice(text);
        let new = &self.text[begin..];
        if let Some(end) = new.iter().rposition(is_end) {
            let lines = String::from_utf8_lossy(&new[..end]);
            let columns = self.screen.columns;
            let rows = |line: &str| visible_width(line).div_ceil(columns).max(1);
            self.rows += lines.split('\n').map(rows).sum::<usize>();
        }
    }

    /// Whether the output and the prompt of the shell do not fit on the screen.
    fn is_long(&self) -> bool {
        self.rows >= self.screen.rows
    }
}

/// Returns the columns that a line takes, without its colors: `ESC [`, parameters, and a letter.
fn visible_width(line: &str) -> usize {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().map_or(0, measure_text_width);
    let width = |part: &str| {
        let is_end = |c: char| c.is_ascii_alphabetic();
        let text = part.split_once(is_end).map_or("", |(_, text)| text);
        measure_text_width(text)
    };
    first + parts.map(width).sum::<usize>()
}

/// The command line of a pager.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PagerCommand(String);

impl PagerCommand {
    fn from_env() -> Option<Self> {
        let variables = VARIABLES.map(env::var_os);
        Self::choose(
            variables,
            env::var_os("TERM").is_some_and(|term| term == "dumb"),
        )
    }

    /// Returns the command of the first variable that is set. An empty one and `cat` turn pagers off, and so does a
    /// terminal that cannot move the cursor.
    fn choose(variables: [Option<OsString>; 2], is_dumb: bool) -> Option<Self> {
        let command = variables.into_iter().flatten().next();
        let command = command.unwrap_or_else(|| DEFAULT_PAGER.into());
        let command = command.to_string_lossy();
        let command = command.trim();
        (!is_dumb && !command.is_empty() && command != "cat").then(|| Self(command.to_owned()))
    }

    fn needs_shell(&self) -> bool {
        cfg!(unix) && self.0.contains(|c| SHELL_CHARACTERS.contains(c))
    }

    fn spawn(&self) -> io::Result<Child> {
        let mut command = if self.needs_shell() {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(&self.0);
            shell
        } else {
            let mut words = self.0.split_whitespace();
            let mut command = Command::new(words.next().unwrap_or(DEFAULT_PAGER));
            command.args(words);
            command
        };
        for (name, options) in OPTIONS {
            if env::var_os(name).is_none() {
                command.env(name, options);
            }
        }
        command.stdin(Stdio::piped()).spawn()
    }
}

/// A running pager.
#[derive(Debug)]
struct Pager {
    shared: Arc<Shared>,
    /// Waits for the end of the pager. It returns whether the pager could not be run.
    waiter: Option<JoinHandle<bool>>,
    /// The text that was written, while it is not known whether the shell could run the pager.
    unread: Option<Vec<u8>>,
    screen_rows: usize,
}

#[derive(Debug)]
struct Shared {
    /// `None` if the pipe is closed.
    input: Mutex<Option<ChildStdin>>,
    /// Whether all output was written.
    is_complete: AtomicBool,
    is_interrupted: AtomicBool,
}

impl Shared {
    fn input(&self) -> MutexGuard<'_, Option<ChildStdin>> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pager {
    fn start(command: &PagerCommand, screen_rows: usize) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let shared = Arc::new(Shared {
            input: Mutex::new(child.stdin.take()),
            is_complete: AtomicBool::new(false),
            is_interrupted: AtomicBool::new(false),
        });
        handle_signals(&shared);
        let uses_shell = command.needs_shell();
        let of_waiter = Arc::clone(&shared);
        let waiter = thread::Builder::new()
            .name("pager".to_owned())
            .spawn(move || wait(&mut child, uses_shell, &of_waiter))?;
        Ok(Self {
            shared,
            waiter: Some(waiter),
            unread: uses_shell.then(Vec::new),
            screen_rows,
        })
    }

    /// Writes text. Returns all text so far if the pager could not be run. Does not return if the user quit the pager.
    fn write_all(&mut self, text: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if let Some(unread) = &mut self.unread {
            unread.extend_from_slice(text);
        }
        // The thread of the signals may still wait for the lock.
        let is_interrupted = self.shared.is_interrupted.load(Ordering::SeqCst);
        let written = match &mut *self.shared.input() {
            Some(pipe) if !is_interrupted => pipe.write_all(text),
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.join();
                Ok(Some(self.unread.take().unwrap_or_default()))
            }
            written => {
                let is_read = |unread: &Vec<u8>| unread.len() > MAX_PIPE_SIZE;
                if self.unread.as_ref().is_some_and(is_read) {
                    self.unread = None;
                }
                written.map(|()| None)
            }
        }
    }

    /// Closes the pipe, and waits until the user quits the pager. Returns all text if the pager could not be run.
    fn finish(&mut self) -> Option<Vec<u8>> {
        self.shared.is_complete.store(true, Ordering::SeqCst);
        self.shared.input().take();
        self.join().then(|| self.unread.take()).flatten()
    }

    fn join(&mut self) -> bool {
        let waiter = self.waiter.take();
        waiter.is_some_and(|waiter| waiter.join().unwrap_or_default())
    }
}

/// Waits for the end of the pager, and returns whether it could not be run. Ends the process if the user quit the pager
/// before all was written: nobody reads the rest, and no further pages are requested.
fn wait(child: &mut Child, uses_shell: bool, shared: &Shared) -> bool {
    let status = child.wait();
    let code = status.ok().and_then(|status| status.code());
    let is_missing = uses_shell && code.is_some_and(|code| NOT_RUN.contains(&code));
    if shared.is_interrupted.load(Ordering::SeqCst) && !shared.is_complete.load(Ordering::SeqCst) {
        process::exit(ExitCode::Interrupted as i32);
    }
    if !is_missing && !shared.is_complete.load(Ordering::SeqCst) {
        process::exit(0);
    }
    is_missing
}

/// Keeps the process alive on a signal: a pager whose parent has ended would read the keys beside the shell.
fn handle_signals(shared: &Arc<Shared>) {
    let (installed, is_installed) = channel();
    let shared = Arc::clone(shared);
    let work = move || receive_signals(&shared, &installed);
    // If no thread can be started, a signal ends the process as usual.
    let thread = thread::Builder::new().name("pager signals".to_owned());
    if thread.spawn(work).is_ok() {
        let _ = is_installed.recv();
    }
}

fn receive_signals(shared: &Shared, installed: &Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(async {
        let mut signals = TerminationSignals::install();
        let _ = installed.send(());
        loop {
            signals.recv().await;
            shared.is_interrupted.store(true, Ordering::SeqCst);
            shared.input().take();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pager_is_named_by_first_variable_that_is_set() {
        let choose = |own: Option<&str>, general: Option<&str>| {
            let variables = [own, general].map(|value| value.map(OsString::from));
            PagerCommand::choose(variables, false).map(|command| command.0)
        };
        for (own, general, command) in [
            (None, None, Some("less")),
            (None, Some("more"), Some("more")),
            (Some("less -S"), Some("more"), Some("less -S")),
            (Some(""), Some("more"), None),
            (Some("cat"), None, None),
            (None, Some(" cat "), None),
            (None, Some(""), None),
        ] {
            assert_eq!(
                choose(own, general).as_deref(),
                command,
                "{own:?} {general:?}"
            );
        }
        assert_eq!(PagerCommand::choose([None, None], true), None);
    }

    #[test]
    fn pager_counts_rows_of_wrapped_and_colored_lines() {
        let rows = |texts: &[&str]| {
            let mut held = HeldOutput {
                text: Vec::new(),
                rows: 0,
                screen: Screen {
                    rows: 3,
                    columns: 10,
                },
                command: PagerCommand(String::new()),
            };
            for text in texts {
                held.push(text.as_bytes());
            }
            (held.rows, held.is_long())
        };
        assert_eq!(rows(&[]), (0, false));
        assert_eq!(rows(&["a"]), (0, false));
        assert_eq!(rows(&["a", "\n"]), (1, false));
        assert_eq!(rows(&["a\n\nb"]), (2, false));
        assert_eq!(rows(&["a\n", "b\n", "c\n"]), (3, true));
        assert_eq!(rows(&["0123456789\n", "0123456789a\n"]), (3, true));
        assert_eq!(rows(&["請求書請求書\n"]), (2, false));
        assert_eq!(rows(&["\u{1b}[32m01234567\u{1b}[0m\n"]), (1, false));
    }

    #[cfg(unix)]
    #[test]
    fn pager_command_uses_shell_only_for_its_syntax() {
        for (command, needs_shell) in [
            ("less", false),
            ("less -R +F", false),
            ("LESS=R less", true),
            ("col -b | less", true),
            ("\"/opt/my pager\"", true),
        ] {
            assert_eq!(
                PagerCommand(command.to_owned()).needs_shell(),
                needs_shell,
                "{command}"
            );
        }
    }
}
