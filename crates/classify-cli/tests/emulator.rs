//! `llamacloud-prod emulator` as a process of its own: its one line, its port file, its state, its end.
#![cfg(unix)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{Said, bare, said};
use rustix::process::{Pid, Signal, kill_process};

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
    fn signal(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }

    /// What the emulator itself says at a place below `/_emulator`.
    fn look(&self, place: &str) -> serde_json::Value {
        let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
        let mut reply = agent
            .get(format!("{}/_emulator/{place}", self.url))
            .call()
            .unwrap();
        serde_json::from_str(&reply.body_mut().read_to_string().unwrap()).unwrap()
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
    for signal in [Signal::TERM, Signal::INT] {
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
        assert_eq!(running.signal(signal), Some(0), "{signal:?}");
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
    assert_eq!(first.signal(Signal::TERM), Some(0));

    let second = Running::start(&["--state", state]);
    let found = second.run(&["classify", "get", &id]).ends(0);
    assert_eq!(found.json()["result"]["type"], "invoice");
    assert_eq!(second.signal(Signal::TERM), Some(0));
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
fn a_port_file_of_an_earlier_process_is_gone_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let port_file = folder.path().join("port");
    std::fs::write(&port_file, "1\n").unwrap();
    let first = Running::start(&[]);
    let port = first.url.rsplit(':').next().unwrap();
    let port_file = port_file.to_str().unwrap();
    said(bare(&[
        "emulator",
        "--port",
        port,
        "--port-file",
        port_file,
    ]))
    .ends(1);
    assert!(
        !std::path::Path::new(port_file).exists(),
        "whoever waits for it would go to port 1"
    );
}

#[test]
fn faults_of_flags_and_of_the_file_strike_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("plan.yaml");
    std::fs::write(
        &script,
        "faults:\n  rules:\n  - { fault: \"402\", route: configurations.list }\n  \
         - { fault: \"401\", route: files.list }\n  - { fault: gzip, when: { chance: 0.5 } }\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    let running = Running::start(&[
        "--script",
        script,
        "--faults",
        "503-should-not-retry@files.list",
        "--seed",
        "9",
    ]);
    running
        .run(&["configurations", "list"])
        .ends(5)
        .complains("402");
    running.run(&["files", "list"]).ends(1).complains("503");
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
    let seeded = Running::start(&["--script", script, "--seed", "9"]);
    assert_eq!(
        seeded.look("faults")["seed"],
        9,
        "without a flag's fault too"
    );
}

#[test]
fn limits_times_and_redirects_come_from_flags() {
    let elsewhere = Running::start(&[]);
    let running = Running::start(&[
        "--limits",
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
        ("--limits", "creates=many"),
        ("--limits", "downloads=3"),
        ("--limits", "gold"),
        ("--redirect-to", "elsewhere.test"),
    ] {
        said(bare(&["emulator", flag, value]))
            .ends(2)
            .complains(value);
    }
}

#[test]
fn webhooks_go_to_https_too() {
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
    let running = Running::start(&["--allow-loopback-webhooks"]);
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
        .ends(0);
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
    created.ends(0);
    let hello = hello.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(hello[..2], [22, 3], "the greeting of TLS");
}

#[test]
fn help_tells_every_fault_and_its_meaning() {
    let help = said(bare(&["emulator", "--help"])).ends(0).stdout;
    // Long lines may be broken.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for fault in classify_emulator::Fault::ALL {
        let told = format!(" {} {}", fault.name(), fault.description());
        assert!(help.contains(&told), "{told}\n{help}");
    }
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
