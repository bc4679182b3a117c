//! The tools around the commands: doctor, webhooks, completion, manual, rules, and the way to the service.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use classify_emulator::{Config, Fault, FaultSchedule};
use common::{Bench, CANARY, Running, bare, said, tree};

const SECRET: &str = "whsec_canary";
const BODY: &str = r#""{\"event_type\": \"classify.error\", \"event_id\": \"e1\", \"data\": {\"job_id\": \"clj-1\"}}""#;
/// Of that body under that secret, computed by Python's hmac.
const SIGNATURE: &str = "sha256=53676e3ef8b58e378f02fbff45e49334f000ec04ccf5cb158e37aea0bab17384";

#[test]
fn a_delivery_is_verified_over_its_bytes() {
    let bench = Bench::new();
    bench.file("body.json", BODY);
    bench.file("secret.txt", &format!("{SECRET}\n"));
    let verify =
        |flags: &[&str]| bench.run(&[&["webhooks", "verify", "body.json"], flags].concat());
    let event = verify(&["--signature", SIGNATURE, "--secret", "@secret.txt"])
        .ends(0)
        .json();
    assert_eq!(event["event_type"], "classify.error");
    verify(&["--signature", SIGNATURE, "--secret", "another"])
        .ends(1)
        .complains("not to be trusted");
    verify(&["--signature", "sha256=00", "--secret", "@secret.txt"]).ends(1);
    verify(&["--signature", SIGNATURE])
        .ends(2)
        .complains("LLAMA_CLOUD_WEBHOOK_SECRET");
    let mut by_environment =
        bench.command(&["webhooks", "verify", "body.json", "--signature", SIGNATURE]);
    by_environment.env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET);
    said(by_environment).ends(0);
    let help = bench
        .command(&["webhooks", "verify", "--help"])
        .env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET)
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains(SECRET));
}

/// Sends a delivery as the service would, and returns the status line.
fn deliver(address: &str, signature: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "POST /hook HTTP/1.1\r\nHost: x\r\nLC-Signature: {signature}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len()
    )
    .unwrap();
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn deliveries_are_received_each_once_and_only_when_signed() {
    let mut command = bare(&["webhooks", "listen", "--port", "0", "--max-items", "1"]);
    command.env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET);
    let mut child = Running::start(command);
    let mut notes = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    notes.read_line(&mut line).unwrap();
    let address = line
        .trim()
        .rsplit("http://")
        .next()
        .unwrap()
        .trim_end_matches('/');
    assert!(deliver(address, "sha256=00").contains("401"));
    assert!(deliver(address, SIGNATURE).contains("204"));
    assert!(child.wait().unwrap().success());
    let mut printed = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.contains("clj-1"), "{printed}");
}

#[test]
fn doctor_looks_at_everything_and_says_what_to_change() {
    let bench = Bench::new();
    let well = bench.run(&["doctor", "--format", "json"]).ends(0).json();
    let checks: Vec<_> = well
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["check"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        checks,
        [
            "key", "region", "proxy", "dns", "tcp", "http", "clock", "list"
        ]
    );
    assert!(
        well.as_array()
            .unwrap()
            .iter()
            .all(|found| found["result"] == "ok"),
        "{well}"
    );
    bench.run(&["doctor", "--emulator"]).ends(0);

    let mut wrong = bench.command(&["doctor"]);
    wrong.env("LLAMA_CLOUD_API_KEY", "llx-wrong");
    let found = said(wrong).ends(4);
    assert!(found.stdout.contains("--region"), "{found:?}");
    said(bare(&["doctor"])).ends(4).complains("to change");
    // A port where nothing answers.
    let mut nobody = bench.command(&["doctor"]);
    nobody.env("LLAMA_CLOUD_BASE_URL", "http://127.0.0.1:1");
    // Its list call is repeated for a while before it is given up.
    let mut child = Running::start(nobody);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("firewall")));
}

#[test]
fn scripts_for_shells_name_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = said(bare(&["completion", shell])).ends(0).stdout;
        let plain = script.replace("\\:", ":");
        for word in tree::commands().iter().flatten() {
            assert!(plain.contains(word.as_str()), "{shell}: {word}");
        }
        assert!(plain.contains("external-file-id"), "{shell}");
        // Where the shell is at hand, it must understand the script.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, &script).unwrap();
        if let Ok(output) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(
                shell == "powershell" || output.status.success(),
                "{shell}: {output:?}"
            );
        }
    }
    said(bare(&["completion", "tcsh"])).ends(2);
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    said(bare(&["man", "--output-dir", path.to_str().unwrap()])).ends(0);
    let mut pages = vec!["llamacloud-prod.1".to_owned()];
    for words in tree::commands() {
        pages.push(format!("llamacloud-prod-{}.1", words.join("-")));
    }
    for page in pages {
        let text = std::fs::read_to_string(path.join(&page)).expect(&page);
        assert!(text.contains(".TH") && text.contains("Examples"), "{page}");
    }
    assert!(
        said(bare(&["man", "files", "create"]))
            .ends(0)
            .stdout
            .contains("external\\-file\\-id")
    );
    said(bare(&["man", "files", "fly"])).ends(2);
}

#[test]
fn rules_are_checked_without_the_network() {
    let bench = Bench::new();
    let check = |flags: &[&str]| bench.run(&[&["classify", "rules", "check"], flags].concat());
    let warned = check(&["rules.yaml"]).ends(0);
    assert!(
        warned.stdout.contains("no rule takes the rest"),
        "{warned:?}"
    );
    check(&["rules.yaml", "--strict"]).ends(2);
    bench.file(
        "bad.yaml",
        "- {type: a, description: asks for payment by a due date}\n- {type: a, description: asks for payment by the due date}\n",
    );
    let found = check(&["bad.yaml", "--format", "json"]).ends(2).json();
    let text = found.to_string();
    assert!(
        text.contains("error") && text.contains("nearly the same"),
        "{text}"
    );
    check(&["none.yaml"]).ends(2).complains("none.yaml");
    assert_eq!(bench.emulator.request_count(), 0);
}

/// Listens, and says what the first line was that came.
fn first_line(listener: TcpListener) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(socket.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        let _ = socket.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        line
    })
}

#[test]
fn requests_go_by_the_proxy_unless_the_host_is_excepted() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let seen = first_line(proxy);
    let mut command = bare(&["classify", "list"]);
    command
        .env("LLAMA_CLOUD_API_KEY", CANARY)
        .env("LLAMA_CLOUD_BASE_URL", "https://api.example.invalid")
        .env("HTTPS_PROXY", format!("http://{address}"));
    let child = Running::start(command);
    assert!(
        seen.join()
            .unwrap()
            .starts_with("CONNECT api.example.invalid:443")
    );
    drop(child);

    let bench = Bench::new();
    let mut excepted = bench.command(&["classify", "list"]);
    excepted
        .env("HTTPS_PROXY", format!("http://{address}"))
        .env("NO_PROXY", "127.0.0.1");
    said(excepted).ends(0);
    // The emulator in the process itself is nobody's to relay.
    let mut emulated = bare(&["classify", "list", "--emulator"]);
    emulated.env("HTTP_PROXY", format!("http://{address}"));
    said(emulated).ends(0);
}

#[test]
fn a_bundle_of_certificates_is_read_before_anything_is_sent() {
    let bench = Bench::new();
    bench.file("empty.pem", "no certificate here\n");
    bench
        .run(&["classify", "list", "--ca-cert", "empty.pem"])
        .ends(2)
        .complains("holds no certificate");
    bench
        .run(&["classify", "list", "--ca-cert", "none.pem"])
        .ends(2)
        .complains("none.pem");
    let mut by_environment = bench.command(&["classify", "list"]);
    by_environment.env("SSL_CERT_FILE", "empty.pem");
    said(by_environment).ends(2).complains("SSL_CERT_FILE");
    assert_eq!(bench.emulator.request_count(), 0);
}

#[test]
fn debug_logs_attempts_and_nothing_that_is_secret() {
    let faults = FaultSchedule::new().with(Fault::Unavailable.first(1));
    let bench = Bench::with(Config::default().faults(faults));
    bench
        .run(&[
            "files",
            "list",
            "--external-file-id",
            "hidden-query",
            "--debug",
        ])
        .ends(0)
        .complains("debug: GET /api/v1/beta/files -> 503, attempt 1,")
        .complains("debug: GET /api/v1/beta/files -> 200, attempt 2,");
    let said = bench.run(&[
        "files",
        "list",
        "--external-file-id",
        "hidden-query",
        "--debug",
    ]);
    assert!(!said.stderr.contains("hidden-query"), "{said:?}");
}

/// Every page of help says how a command is used, and each example is one of that command.
#[test]
fn every_command_has_help_with_examples() {
    for words in tree::commands() {
        let name = words.join(" ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = tree::help(&words);
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(
            examples.contains(&format!("llamacloud-prod {name}")),
            "{name}: {examples}"
        );
    }
    assert!(tree::help(&[]).contains("\nExamples:\n"));
}
