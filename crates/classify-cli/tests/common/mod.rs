//! A folder of documents, an emulator, and the real binary between them.

#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test binary includes this module and uses a part of it"
)]

pub mod canned;
pub mod echo;
pub mod relay;
pub mod shell;
#[cfg(unix)]
pub mod terminal;
pub mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, Limits};
use serde_json::Value;

/// A key that must be found in no output.
pub const CANARY: &str = "llx-canary-5f1e";

/// Rules that tell the two documents of [`Bench::new`] apart.
pub const RULES: &str = "\
rules:
  - type: invoice
    description: An invoice asks for payment of an amount by a due date.
  - type: recipe
    description: A recipe lists ingredients and how to cook a meal with them.
";

/// A folder with two documents and a rules file, and an emulator.
pub struct Bench {
    pub emulator: Emulator,
    folder: tempfile::TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let config = config
            .keys([CANARY])
            .running_after(Duration::from_millis(5))
            .completed_after(Duration::from_millis(10));
        let bench = Self {
            emulator: Emulator::start(config).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        bench.file(
            "docs/bill.txt",
            "Invoice: the amount is due by Friday, payment by transfer.",
        );
        bench.file(
            "docs/soup.txt",
            "Recipe: cook the ingredients for an hour. A meal for four.",
        );
        bench.file("rules.yaml", RULES);
        bench
    }

    /// Writes a file and says where it is.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The binary in the bench's folder, with an environment of its own.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = bare(words);
        command
            .current_dir(self.path())
            .env("LLAMA_CLOUD_API_KEY", CANARY)
            .env("LLAMA_CLOUD_BASE_URL", self.emulator.base_url());
        command
    }

    pub fn run(&self, words: &[&str]) -> Said {
        said(self.command(words))
    }

    /// Creates a job for a document that is uploaded for it, and returns its id.
    pub fn job(&self, file: &str) -> String {
        let found = self.run(&["classify", "run", file, "--rules", "rules.yaml"]);
        found.lines()[0]["job_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the emulator has seen enough.
    pub fn until(&self, seen: impl Fn(&Emulator) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !seen(&self.emulator) {
            assert!(Instant::now() < end, "the emulator never saw it");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What a command is given of the tests' own environment: enough to start, and where to count what it runs through.
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

/// The binary without key, service or colours, and with nothing else that the machine's environment says.
pub fn bare(words: &[&str]) -> Command {
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
pub fn said(mut command: Command) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let said = Said {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    };
    assert!(
        !said.stdout.contains(CANARY) && !said.stderr.contains(CANARY),
        "{said:?}"
    );
    assert!(!said.stderr.contains("panicked"), "{said:?}");
    said
}

impl Said {
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
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub fn complains(self, of: &str) -> Self {
        assert!(self.stderr.contains(of), "{of:?} is not in {self:?}");
        self
    }
}

/// Ends a command as Ctrl-C does.
pub fn interrupt(child: Child) -> Said {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts a command, and keeps what it says.
pub fn start(bench: &Bench, words: &[&str]) -> Child {
    let mut command = bench.command(words);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
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

/// The words that every run here begins with.
pub const RUN: [&str; 9] = [
    "classify",
    "run",
    "docs",
    "--rules",
    "rules.yaml",
    "--poll-interval",
    "50ms",
    "--limits",
    "10000/s",
];

pub fn bulk(bench: &Bench, words: &[&str]) -> Said {
    bench.run(&[&RUN[..], words].concat())
}

/// A bench with so many documents more, each of its own content.
pub fn with_documents(config: Config, documents: usize) -> Bench {
    let bench = Bench::with(config.limits(Limits::none()));
    for index in 0..documents {
        bench.file(
            &format!("docs/{index:03}.txt"),
            &format!("Invoice {index}: the amount is due."),
        );
    }
    bench
}
