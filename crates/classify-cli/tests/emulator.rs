//! `llamacloud-prod emulator` as a process of its own: its one line, its port file, its state, its end.
#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use common::{Said, bare, said};

/// An emulator that runs, and is ended with the test.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    /// Starts one and waits for its line.
    fn start(words: &[&str]) -> Self {
        let mut child = bare(&[&["emulator"], words].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut url).unwrap();
        Self {
            child,
            url: url.trim_end().to_owned(),
        }
    }

    /// The binary as a client of it.
    fn run(&self, words: &[&str]) -> Said {
        let mut command = bare(words);
        command
            .env("LLAMA_CLOUD_API_KEY", common::CANARY)
            .env("LLAMA_CLOUD_BASE_URL", &self.url);
        said(command)
    }

    /// Sends a signal, and says how the process ended.
    fn signal(mut self, name: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_where_it_answers_and_stops_cleanly_on_either_signal() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    for name in ["TERM", "INT"] {
        let running = Running::start(&["--port", "0", "--port-file", port_file.to_str().unwrap()]);
        let port: u16 = std::fs::read_to_string(&port_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert_eq!(running.url, format!("http://127.0.0.1:{port}"));
        let listed = running
            .run(&["classify", "list", "--format", "json"])
            .ends(0);
        assert_eq!(listed.json(), serde_json::json!([]));
        assert_eq!(running.signal(name), Some(0), "{name}");
        assert!(!port_file.exists(), "nothing answers there any more");
    }
}

#[test]
fn state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), common::RULES).unwrap();
    let document = folder.path().join("bill.txt");
    std::fs::write(&document, "Invoice: the amount is due by Friday.").unwrap();
    let rules = folder.path().join("rules.yaml");

    let first = Running::start(&["--state", state, "--completed-after", "10"]);
    let ran = first
        .run(&[
            "classify",
            "run",
            document.to_str().unwrap(),
            "--rules",
            rules.to_str().unwrap(),
        ])
        .ends(0);
    let id = ran.lines()[0]["job_id"].as_str().unwrap().to_owned();
    let taken = said(bare(&["emulator", "--state", state])).ends(1);
    assert!(taken.stdout.is_empty(), "{taken:?}");
    assert_eq!(first.signal("TERM"), Some(0));

    let second = Running::start(&["--state", state]);
    let found = second.run(&["classify", "get", &id]).ends(0);
    assert_eq!(found.json()["result"]["type"], "invoice");
    assert_eq!(second.signal("TERM"), Some(0));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let first = Running::start(&[]);
    let port = first.url.rsplit(':').next().unwrap();
    let second = said(bare(&["emulator", "--port", port])).ends(1);
    assert!(second.stdout.is_empty(), "{second:?}");
    second
        .complains(port)
        .complains("let --port 0 take a free one");
}

#[test]
fn scripts_faults_and_limits_come_from_flags() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("outcomes.yaml");
    std::fs::write(
        &script,
        "scripts:\n- { file: \"*.txt\", type: memo, confidence: 0.5 }\n",
    )
    .unwrap();
    let document = folder.path().join("a.txt");
    std::fs::write(&document, "anything").unwrap();
    let running = Running::start(&[
        "--script",
        script.to_str().unwrap(),
        "--faults",
        "503@classify.create:first-1,503-should-not-retry@files.list",
        "--limits",
        "none",
        "--completed-after",
        "5",
    ]);
    let ran = running
        .run(&[
            "classify",
            "run",
            document.to_str().unwrap(),
            "--rule",
            "memo=tells colleagues something",
        ])
        .ends(0);
    assert_eq!(ran.lines()[0]["confidence"], 0.5);
    running.run(&["files", "list"]).ends(1).complains("503");

    said(bare(&["emulator", "--faults", "flood"]))
        .ends(2)
        .complains("reset-after");
    std::fs::write(&script, "scripts: 5").unwrap();
    said(bare(&["emulator", "--script", script.to_str().unwrap()]))
        .ends(2)
        .complains("outcomes.yaml");
}
