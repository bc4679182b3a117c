//! A folder of documents, an emulator, and the real binary.

#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test binary includes this module and uses a part of it"
)]

pub mod command_lines;
pub mod command_tree;
pub mod echo_server;
pub mod proxies;
#[cfg(feature = "cloud")]
pub mod s3_stub;
pub mod stub_server;
#[cfg(unix)]
pub mod terminal;

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, RateLimits, Route};
use serde_json::Value;

/// A key that no output may contain.
pub const CANARY: &str = "llx-canary-5f1e";

/// Rules that distinguish the two documents of [`Sandbox::new`].
pub const RULES: &str = "\
rules:
  - type: invoice
    description: An invoice asks for payment of an amount by a due date.
  - type: recipe
    description: A recipe lists ingredients and how to cook a meal with them.
";

/// A folder with two documents and a rules file, and an emulator.
pub struct Sandbox {
    pub emulator: Emulator,
    folder: tempfile::TempDir,
}

/// The output and the exit code of a command.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let config = config
            .keys([CANARY])
            .running_after(Duration::from_millis(5))
            .completed_after(Duration::from_millis(10));
        let sandbox = Self {
            emulator: Emulator::start(config).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        sandbox.file(
            "docs/bill.txt",
            "Invoice: the amount is due by Friday, payment by transfer.",
        );
        sandbox.file(
            "docs/soup.txt",
            "Recipe: cook the ingredients for an hour. A meal for four.",
        );
        sandbox.file("rules.yaml", RULES);
        sandbox
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary in the sandbox's folder, with an environment of its own.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = bare_command(words);
        command
            .current_dir(self.path())
            .env("LLAMA_CLOUD_API_KEY", CANARY)
            .env("LLAMA_CLOUD_BASE_URL", self.emulator.base_url());
        command
    }

    pub fn run(&self, words: &[&str]) -> CommandOutput {
        run_to_end(self.command(words))
    }

    /// Creates a job for a document that is uploaded for it, and returns its id.
    pub fn job(&self, file: &str) -> String {
        let found = self.run(&["classify", "run", file, "--rules", "rules.yaml"]);
        found.lines()[0]["job_id"].as_str().unwrap().to_owned()
    }

    /// Ends the open jobs, so that a test need not wait for them.
    pub fn cancel_jobs(&self) {
        for job in self.emulator.jobs() {
            if matches!(job.status, "PENDING" | "RUNNING") {
                self.run(&["classify", "cancel", &job.id]).assert_exit(0);
            }
        }
    }

    /// Waits until a run has polled the current state of its jobs: it requests the list again.
    pub fn wait_for_poll(&self) {
        let seen = self.emulator.count(Route::ClassifyList);
        self.wait_until(|emulator| emulator.count(Route::ClassifyList) > seen + 1);
    }

    /// Waits until the emulator fulfils a condition.
    #[track_caller]
    pub fn wait_until(&self, seen: impl Fn(&Emulator) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !seen(&self.emulator) {
            assert!(Instant::now() < end, "the emulator never saw it");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The variables that a command inherits: enough to start, and the path for coverage data.
const KEPT: [&str; 8] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TEMP",
    "SystemRoot",
    "LLVM_PROFILE_FILE",
    "ASAN_OPTIONS",
    "LD_LIBRARY_PATH",
];

/// The binary in an environment without a key, a base URL, colors and the variables of the machine.
pub fn bare_command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llamacloud-prod"));
    command.env_clear();
    command.envs(
        KEPT.iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command.args(words).stdin(Stdio::null());
    command
}

/// Runs a command to its end. No command may show the key.
pub fn run_to_end(mut command: Command) -> CommandOutput {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let output = CommandOutput {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    };
    assert!(
        !output.stdout.contains(CANARY) && !output.stderr.contains(CANARY),
        "{output:?}"
    );
    assert!(!output.stderr.contains("panicked"), "{output:?}");
    output
}

impl CommandOutput {
    /// stdout as lines of JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
            })
            .collect()
    }

    /// stdout as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error of JSON mode.
    pub fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(last).unwrap_or_else(|error| panic!("{error}: {self:?}"))["error"].clone()
    }

    #[track_caller]
    pub fn assert_exit(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub fn assert_stderr(self, of: &str) -> Self {
        assert!(self.stderr.contains(of), "{of:?} is not in {self:?}");
        self
    }
}

/// A running command, which is killed if a test fails.
pub struct RunningCommand(Option<Child>);

impl RunningCommand {
    /// Starts a command, and captures its output.
    pub fn start(mut command: Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(Some(child))
    }

    /// Sends the signal of Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    #[cfg(not(unix))]
    pub fn interrupt(&self) {
        panic!("there is no Ctrl-C for one process alone here");
    }

    /// Waits for its end.
    pub fn end(mut self) -> CommandOutput {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        CommandOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ends it without a warning.
    pub fn kill(mut self) -> CommandOutput {
        let _ = (*self).kill();
        self.end()
    }
}

impl Deref for RunningCommand {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for RunningCommand {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends a command as Ctrl-C does.
pub fn interrupt(child: RunningCommand) -> CommandOutput {
    child.interrupt();
    child.end()
}

/// Starts a command in a sandbox.
pub fn start(sandbox: &Sandbox, words: &[&str]) -> RunningCommand {
    RunningCommand::start(sandbox.command(words))
}

/// The row of a document.
#[track_caller]
pub fn row<'a>(rows: &'a [Value], path: &str) -> &'a Value {
    rows.iter()
        .find(|row| row["path"] == path)
        .unwrap_or_else(|| panic!("{path} has no row in {rows:?}"))
}

/// The status of a document.
#[track_caller]
pub fn status_of<'a>(rows: &'a [Value], path: &str) -> &'a str {
    row(rows, path)["status"].as_str().unwrap()
}

/// Text with the ids in it replaced by their kinds.
pub fn without_ids(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some(start) = ["clj-", "dfl-"]
        .iter()
        .filter_map(|kind| rest.find(kind))
        .min()
    {
        let (before, id) = rest.split_at(start + 4);
        plain.push_str(before);
        plain.push('*');
        rest = id.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-');
    }
    plain + rest
}

/// The arguments that every run begins with.
pub const RUN: [&str; 9] = [
    "classify",
    "run",
    "docs",
    "--rules",
    "rules.yaml",
    "--poll-interval",
    "50ms",
    "--rate-limit",
    "10000/s",
];

pub fn run_bulk(sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
    sandbox.run(&[&RUN[..], words].concat())
}

/// A sandbox with this many additional documents of different content.
pub fn with_documents(config: Config, documents: usize) -> Sandbox {
    let sandbox = Sandbox::with(config.rate_limits(RateLimits::none()));
    for index in 0..documents {
        sandbox.file(
            &format!("docs/{index:03}.txt"),
            &format!("Invoice {index}: the amount is due."),
        );
    }
    sandbox
}
