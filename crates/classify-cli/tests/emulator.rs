//! `llamacloud-prod emulator` as a process: its output, port file, state and exit.
#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{CommandOutput, bare_command, run_to_end};
use rustix::process::{Pid, Signal, kill_process};

/// A running emulator, which is stopped with the test.
struct RunningCommand {
    child: Child,
    url: String,
}

impl RunningCommand {
    /// Starts one and waits for its line.
    fn start(words: &[&str]) -> Self {
        let mut child = bare_command(&[&["emulator"], words].concat())
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
    fn run(&self, words: &[&str]) -> CommandOutput {
        let mut command = bare_command(words);
        command
            .env("LLAMA_CLOUD_API_KEY", common::CANARY)
            .env("LLAMA_CLOUD_BASE_URL", &self.url);
        run_to_end(command)
    }

    /// Sends a signal, and returns the exit status of the process.
    fn signal(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Returns the response of the emulator for a path below `/_emulator`.
    fn look(&self, place: &str) -> serde_json::Value {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let mut reply = agent
            .get(format!("{}/_emulator/{place}", self.url))
            .call()
            .unwrap();
        serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap()
    }
}

impl Drop for RunningCommand {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn emulator_reports_port_and_stops_cleanly_on_signals() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let running =
            RunningCommand::start(&["--port", "0", "--port-file", port_file.to_str().unwrap()]);
        let port: u16 = std::fs::read_to_string(&port_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert_eq!(running.url, format!("http://127.0.0.1:{port}"));
        let listed = running
            .run(&["classify", "list", "--format", "json"])
            .assert_exit(0);
        assert_eq!(listed.json(), serde_json::json!([]));
        assert_eq!(running.signal(signal), Some(0), "{signal:?}");
        assert!(!port_file.exists(), "nothing answers there any more");
    }
}

#[test]
fn emulator_end_keeps_port_file_of_its_successor() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    let words = ["--port", "0", "--port-file", port_file.to_str().unwrap()];
    let first = RunningCommand::start(&words);
    let second = RunningCommand::start(&words);
    assert_eq!(first.signal(Signal::TERM), Some(0));
    let port = std::fs::read_to_string(&port_file).unwrap();
    assert_eq!(second.url, format!("http://127.0.0.1:{}", port.trim()));
    assert_eq!(second.signal(Signal::TERM), Some(0));
    assert!(!port_file.exists());
}

#[test]
fn emulator_state_survives_restart_and_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), common::RULES).unwrap();
    let document = folder.path().join("bill.txt");
    std::fs::write(&document, "Invoice: the amount is due by Friday.").unwrap();
    let rules = folder.path().join("rules.yaml");

    let first = RunningCommand::start(&["--state", state, "--completed-after", "10"]);
    let ran = first
        .run(&[
            "classify",
            "run",
            document.to_str().unwrap(),
            "--rules",
            rules.to_str().unwrap(),
        ])
        .assert_exit(0);
    let id = ran.lines()[0]["job_id"].as_str().unwrap().to_owned();
    let taken = run_to_end(bare_command(&["emulator", "--state", state])).assert_exit(1);
    assert!(taken.stdout.is_empty(), "{taken:?}");
    assert_eq!(first.signal(Signal::TERM), Some(0));

    let second = RunningCommand::start(&["--state", state]);
    let found = second.run(&["classify", "get", &id]).assert_exit(0);
    assert_eq!(found.json()["result"]["type"], "invoice");
    assert_eq!(second.signal(Signal::TERM), Some(0));
}

#[test]
fn emulator_port_in_use_is_reported() {
    let first = RunningCommand::start(&[]);
    let port = first.url.rsplit(':').next().unwrap();
    let second = run_to_end(bare_command(&["emulator", "--port", port])).assert_exit(1);
    assert!(second.stdout.is_empty(), "{second:?}");
    second
        .assert_stderr(port)
        .assert_stderr("select a free port with --port 0");
}

#[test]
fn emulator_stale_port_file_is_removed_before_start() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    std::fs::write(&port_file, "1\n").unwrap();
    let first = RunningCommand::start(&[]);
    let port = first.url.rsplit(':').next().unwrap();
    let port_file = port_file.to_str().unwrap();
    run_to_end(bare_command(&[
        "emulator",
        "--port",
        port,
        "--port-file",
        port_file,
    ]))
    .assert_exit(1);
    assert!(
        !std::path::Path::new(port_file).exists(),
        "a caller that waits for the file would connect to port 1"
    );
}

#[test]
fn emulator_faults_of_flags_and_script_are_combined() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("plan.yaml");
    std::fs::write(
        &script,
        "faults:\n  rules:\n  - { fault: \"402\", route: configurations.list }\n  \
         - { fault: \"401\", route: files.list }\n  - { fault: gzip, when: { chance: 0.5 } }\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    let running = RunningCommand::start(&[
        "--script",
        script,
        "--faults",
        "503-should-not-retry@files.list",
        "--seed",
        "9",
    ]);
    running
        .run(&["configurations", "list"])
        .assert_exit(5)
        .assert_stderr("402");
    running
        .run(&["files", "list"])
        .assert_exit(1)
        .assert_stderr("503");
    let plan = running.look("faults");
    assert_eq!(plan["seed"], 9);
    let faults: Vec<&str> = plan["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["fault"].as_str().unwrap())
        .collect();
    assert_eq!(faults, ["503-should-not-retry", "402", "401", "gzip"]);
    drop(running);
    let seeded = RunningCommand::start(&["--script", script, "--seed", "9"]);
    assert_eq!(
        seeded.look("faults")["seed"],
        9,
        "without a flag's fault too"
    );
}

#[test]
fn emulator_rate_limits_and_redirects_come_from_flags() {
    let elsewhere = RunningCommand::start(&[]);
    let running = RunningCommand::start(&[
        "--rate-limit",
        "creates=7,requests=3",
        "--redirect-to",
        &elsewhere.url,
        "--faults",
        "redirect@classify.list",
        "--running-after",
        "5",
        "--completed-after",
        "10",
        "--webhook-delay",
        "20",
    ]);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let ask = |path: &str| {
        let reply = agent
            .get(format!("{}{path}", running.url))
            .header("authorization", "Bearer x")
            .call();
        let reply = reply.unwrap();
        let location = reply.headers().get("location");
        (
            reply.status().as_u16(),
            location.map(|to| to.to_str().unwrap().to_owned()),
        )
    };
    assert_eq!(
        ask("/api/v2/classify?page_size=2"),
        (
            307,
            Some(format!("{}/api/v2/classify?page_size=2", elsewhere.url))
        )
    );
    let statuses: Vec<u16> = (0..4).map(|_| ask("/api/v1/beta/files").0).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    for (flag, value) in [
        ("--rate-limit", "creates=many"),
        ("--rate-limit", "downloads=3"),
        ("--rate-limit", "gold"),
        ("--redirect-to", "elsewhere.test"),
    ] {
        run_to_end(bare_command(&["emulator", flag, value]))
            .assert_exit(2)
            .assert_stderr(value);
    }
}

#[test]
fn emulator_webhook_to_https_url_uses_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("https://{}/hook", listener.local_addr().unwrap());
    let (sender, hello) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 3];
        stream.read_exact(&mut first).unwrap();
        sender.send(first).unwrap();
    });
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("a.txt");
    std::fs::write(&document, "anything").unwrap();
    let running = RunningCommand::start(&["--allow-loopback-webhooks"]);
    let document = document.to_str().unwrap();
    let file = running
        .run(&[
            "files",
            "create",
            "--file",
            document,
            "--purpose",
            "classify",
        ])
        .assert_exit(0);
    let created = running.run(&[
        "classify",
        "create",
        "--file-input",
        file.json()["id"].as_str().unwrap(),
        "--configuration",
        "{rules: [{type: memo, description: tells colleagues something}]}",
        "--webhook-configuration.webhook-url",
        &hook,
    ]);
    created.assert_exit(0);
    let hello = hello.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(hello[..2], [22, 3], "the greeting of TLS");
}

#[test]
fn emulator_help_lists_every_fault_and_its_meaning() {
    let help = run_to_end(bare_command(&["emulator", "--help"]))
        .assert_exit(0)
        .stdout;
    // Long lines may be broken.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for fault in classify_emulator::Fault::ALL {
        let help_line = format!(" {} {}", fault.name(), fault.description());
        assert!(help.contains(&help_line), "{help_line}\n{help}");
    }
}

#[test]
fn emulator_scripts_and_faults_come_from_flags() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("outcomes.yaml");
    std::fs::write(
        &script,
        "scripts:\n- { file: \"*.txt\", type: memo, confidence: 0.5 }\n",
    )
    .unwrap();
    let document = folder.path().join("a.txt");
    std::fs::write(&document, "anything").unwrap();
    let running = RunningCommand::start(&[
        "--script",
        script.to_str().unwrap(),
        "--faults",
        "503@classify.create:first-1,503-should-not-retry@files.list",
        "--rate-limit",
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
        .assert_exit(0);
    assert_eq!(ran.lines()[0]["confidence"], 0.5);
    running
        .run(&["files", "list"])
        .assert_exit(1)
        .assert_stderr("503");

    run_to_end(bare_command(&["emulator", "--faults", "flood"]))
        .assert_exit(2)
        .assert_stderr("reset-after");
    std::fs::write(&script, "scripts: 5").unwrap();
    run_to_end(bare_command(&[
        "emulator",
        "--script",
        script.to_str().unwrap(),
    ]))
    .assert_exit(2)
    .assert_stderr("outcomes.yaml");
}
