//! No output of a command contains a key, a secret or a document, whether it succeeds or fails.
//!
//! The commands are those that the binary lists, so that a new one without a case fails here.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use classify_emulator::{Config, Fault, FaultSchedule, RateLimits, Script};
use common::echo_server::EchoServer;
use common::{CANARY, Sandbox, bare_command, command_tree, run_to_end};

/// Signs deliveries; [`SIGNATURE`] is the signature.
const SECRET: &str = "whsec_canary";
const DELIVERY: &str = r#""{\"event_type\": \"classify.error\", \"event_id\": \"e1\", \"data\": {\"job_id\": \"clj-1\"}}""#;
/// Computed by Python's hmac.
const SIGNATURE: &str = "sha256=53676e3ef8b58e378f02fbff45e49334f000ec04ccf5cb158e37aea0bab17384";
/// A word of the documents.
const WORD: &str = "quetzalcanary";

/// Each command with its arguments. `{file}`, `{job}` and so on are ids of existing objects.
const CASES: &[(&str, &[&str])] = &[
    (
        "classify run",
        &[
            "docs",
            "--rules",
            "rules.yaml",
            "--output",
            "out.csv",
            "--resume",
            "--rate-limit",
            "1000/s",
            "--poll-interval",
            "50ms",
        ],
    ),
    (
        "classify create",
        &[
            "--file-input",
            "{file}",
            "--configuration",
            "@rules.yaml",
            "--webhook-configuration.webhook-url",
            "https://example.com/hook",
            "--webhook-configuration.webhook-signing-secret",
            SECRET,
            "--output",
            "out.json",
        ],
    ),
    ("classify list", &["--output", "out.json"]),
    (
        "classify get",
        &["{job}", "--expand", "usage", "--output", "out.json"],
    ),
    ("classify cancel", &["{open}"]),
    ("classify delete", &["{job}"]),
    ("classify wait", &["{job}", "--timeout", "1s"]),
    ("classify rules check", &["rules.yaml"]),
    (
        "classifier:jobs create",
        &[
            "--file-id",
            "{file}",
            "--rule",
            "{type: invoice, description: asks for payment by a due date}",
            "--webhook-configuration",
            "{webhook_url: 'https://example.com/hook', webhook_signing_secret: '@secret/secret.txt'}",
        ],
    ),
    ("classifier:jobs list", &[]),
    ("classifier:jobs get", &["{old}"]),
    ("classifier:jobs get-results", &["{old}"]),
    ("classifier:jobs wait", &["{old}", "--timeout", "1s"]),
    (
        "files create",
        &["--file", "docs/bill.txt", "--purpose", "classify"],
    ),
    ("files list", &["--expand", "download_url"]),
    ("files retrieve", &["{file}"]),
    ("files content", &["{file}"]),
    ("files query", &["--filter.file-name", "bill.txt"]),
    ("files delete", &["{other}"]),
    (
        "configurations create",
        &["--name", "n", "--parameters", "@parameters.yaml"],
    ),
    ("configurations list", &[]),
    ("configurations retrieve", &["{configuration}"]),
    ("configurations update", &["{configuration}", "--name", "m"]),
    ("configurations delete", &["{configuration}"]),
    (
        "webhook-configs create",
        &[
            "--webhook-url",
            "https://example.com/hook",
            "--webhook-signing-secret",
            SECRET,
        ],
    ),
    ("webhook-configs list", &[]),
    ("webhook-configs retrieve", &["{webhook}"]),
    (
        "webhook-configs update",
        &[
            "{webhook}",
            "--webhook-signing-secret",
            "@secret/secret.txt",
        ],
    ),
    ("webhook-configs delete", &["{webhook}"]),
    (
        "webhooks verify",
        &[
            "body.json",
            "--signature",
            SIGNATURE,
            "--secret",
            "@secret/secret.txt",
        ],
    ),
    ("webhooks listen", &["--port", "0", "--secret", SECRET]),
    (
        "emulator",
        &["--accept-key", CANARY, "--script", "outcomes.yaml"],
    ),
    ("doctor", &[]),
    ("completion", &["bash"]),
    ("man", &[]),
];

/// Commands that run until they are stopped.
const SERVING: [&str; 2] = ["webhooks listen", "emulator"];
/// Commands that send no request.
const LOCAL: [&str; 6] = [
    "classify rules check",
    "webhooks verify",
    "webhooks listen",
    "emulator",
    "completion",
    "man",
];

/// A sandbox with secret documents and the objects that the commands need.
fn sandbox() -> Sandbox {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .script(Script::file("open*").never_ends());
    let sandbox = Sandbox::with(config);
    for name in ["docs/bill", "docs/soup", "secret/open"] {
        sandbox.file(
            &format!("{name}.txt"),
            &format!("{WORD} {name}: an invoice asks for payment of an amount."),
        );
    }
    sandbox.file("secret/secret.txt", &format!("{SECRET}\n"));
    sandbox.file("body.json", DELIVERY);
    sandbox.file("outcomes.yaml", "scripts: []\n");
    sandbox.file(
        "parameters.yaml",
        "{product_type: classify_v2, rules: [{type: invoice, description: asks for payment}]}",
    );
    sandbox
}

/// The arguments of a case with the ids filled in.
fn filled(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let id = |words: &[&str]| {
        let words = [words, &["--transform", "id", "-r"]].concat();
        sandbox.run(&words).assert_exit(0).stdout.trim().to_owned()
    };
    let file = |name: &str| {
        let path = format!("{name}.txt");
        id(&["files", "create", "--file", &path, "--purpose", "classify"])
    };
    let job = |name: &str| {
        let rules = ["--configuration", "@rules.yaml"];
        id(&[
            &["classify", "create", "--file-input", &file(name)][..],
            &rules,
        ]
        .concat())
    };
    let replaced = |word: &&str| match *word {
        "{file}" | "{other}" => file("docs/bill"),
        "{open}" => job("secret/open"),
        "{job}" => {
            let job = job("docs/bill");
            sandbox.run(&["classify", "wait", &job]).assert_exit(0);
            job
        }
        "{old}" => {
            let rule = "{type: invoice, description: asks for payment by a due date}";
            let job = id(&[
                "classifier:jobs",
                "create",
                "--file-id",
                &file("docs/bill"),
                "--rule",
                rule,
            ]);
            sandbox
                .run(&["classifier:jobs", "wait", &job])
                .assert_exit(0);
            job
        }
        "{configuration}" => id(&[
            "configurations",
            "create",
            "--name",
            "n",
            "--parameters",
            "@parameters.yaml",
        ]),
        "{webhook}" => id(&[
            "webhook-configs",
            "create",
            "--webhook-url",
            "https://example.com/hook",
        ]),
        word => word.to_owned(),
    };
    words.iter().map(replaced).collect()
}

/// Runs a command to its end. A command that does not end is stopped after its first output.
fn run(mut command: Command, serves: bool) -> Output {
    if !serves {
        return command.output().unwrap();
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let says = |pipe: &mut Option<_>| -> Vec<u8> {
        let mut line = Vec::new();
        let mut reader: BufReader<&mut dyn Read> =
            BufReader::with_capacity(1, pipe.as_mut().unwrap());
        reader.read_until(b'\n', &mut line).unwrap();
        line
    };
    // One prints its address on stdout, the other on stderr.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    if command.get_args().any(|word| word == "emulator") {
        let mut pipe = child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>);
        out = says(&mut pipe);
        end(&child);
        pipe.unwrap().read_to_end(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
    } else {
        let mut pipe = child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read>);
        err = says(&mut pipe);
        end(&child);
        pipe.unwrap().read_to_end(&mut err).unwrap();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    }
    Output {
        status: child.wait().unwrap(),
        stdout: out,
        stderr: err,
    }
}

fn end(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
}

/// Searches the output and all written files for secrets.
fn search(sandbox: &Sandbox, output: &Output, what: &str) {
    let clean = |bytes: &[u8], place: &str| {
        let text = String::from_utf8_lossy(bytes);
        for canary in [CANARY, SECRET, WORD] {
            assert!(
                !text.contains(canary),
                "{canary} in {place} of {what}:\n{text}"
            );
        }
        assert!(!text.contains("panicked"), "{what}:\n{text}");
    };
    clean(&output.stdout, "stdout");
    clean(&output.stderr, "stderr");
    for path in files(sandbox.path()) {
        let inside = path.strip_prefix(sandbox.path()).unwrap();
        if !inside.starts_with("docs") && !inside.starts_with("secret") {
            clean(&fs::read(&path).unwrap(), &inside.display().to_string());
        }
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries
        .flat_map(|entry| {
            if entry.path().is_dir() {
                files(&entry.path())
            } else {
                vec![entry.path()]
            }
        })
        .collect()
}

/// Runs every command against a service at `url`, or against the sandbox's own.
fn sweep(sandbox: &Sandbox, url: Option<&str>, succeeds: bool, flags: &[&str]) {
    for (name, words) in CASES {
        if url.is_some() && LOCAL.contains(name) {
            continue;
        }
        for output in ["out.csv", "out.csv.journal", "out.json"] {
            let _ = fs::remove_file(sandbox.path().join(output));
        }
        let name_words: Vec<&str> = name.split(' ').collect();
        let filled = filled(sandbox, words);
        let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
        // A run would retry an unavailable service for minutes.
        let short = ["--deadline", "2s"];
        let limit = if !succeeds && *name == "classify run" {
            &short[..]
        } else {
            &[]
        };
        let mut command = sandbox.command(&[&name_words, &filled[..], flags, limit].concat());
        if let Some(url) = url {
            command.env("LLAMA_CLOUD_BASE_URL", url);
        }
        let output = run(command, SERVING.contains(name));
        let what = format!("{name} {flags:?} at {url:?}: {}", output.status);
        search(sandbox, &output, &what);
        let expected = succeeds || LOCAL.contains(name);
        assert_eq!(output.status.success(), expected, "{what}\n{output:?}");
    }
}

#[test]
fn redact_every_command_has_a_case() {
    let documented: BTreeSet<String> = command_tree::commands()
        .iter()
        .map(|words| words.join(" "))
        .collect();
    let cases: BTreeSet<String> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(documented, cases);
}

#[test]
fn redact_secrets_in_output_of_successful_commands() {
    let sandbox = sandbox();
    for flags in [&[][..], &["--format", "json", "--debug"]] {
        sweep(&sandbox, None, true, flags);
    }
}

#[test]
fn redact_secrets_echoed_in_error_responses() {
    let sandbox = sandbox();
    for (status, flags) in [
        (401, &[][..]),
        (404, &["--format", "json"]),
        (422, &["--debug"]),
        (500, &["--debug", "--format", "jsonl"]),
    ] {
        let echo = EchoServer::start(status);
        sweep(&sandbox, Some(echo.url()), false, flags);
        assert!(echo.answered() > 20, "{status}");
    }
}

#[test]
fn redact_secrets_in_output_of_failed_commands() {
    let sandbox = sandbox();
    let flags = ["--debug"];
    for fault in [Fault::PaymentRequired, Fault::Unauthorized] {
        for (name, words) in CASES {
            if LOCAL.contains(name) || words.iter().any(|word| word.starts_with('{')) {
                continue;
            }
            sandbox
                .emulator
                .set_faults(FaultSchedule::new().with(fault.always()));
            let name_words: Vec<&str> = name.split(' ').collect();
            let output = run(
                sandbox.command(&[&name_words, *words, &flags].concat()),
                false,
            );
            search(&sandbox, &output, &format!("{name} under {fault:?}"));
            assert!(
                !output.status.success(),
                "{name} under {fault:?}: {output:?}"
            );
            sandbox.emulator.set_faults(FaultSchedule::new());
        }
    }
}

/// The key on the command line and the commands that are wrong.
#[test]
fn redact_secrets_in_usage_errors() {
    let sandbox = sandbox();
    for (name, _) in CASES {
        let words: Vec<&str> = name.split(' ').collect();
        for wrong in [
            &["--api-key", CANARY, "--no-such-flag"][..],
            &["--api-key", CANARY, "--format", "xml"],
            &["--api-key", CANARY, "--api-key-file", "key", "--secret"],
            &["--no-such-flag", "--webhook-signing-secret", SECRET],
            &["--api-key", CANARY, "--help"],
        ] {
            let mut command = bare_command(&[&words, wrong].concat());
            command
                .current_dir(sandbox.path())
                .env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET);
            let output = run(command, false);
            search(&sandbox, &output, &format!("{name} {wrong:?}"));
        }
    }
    run_to_end(bare_command(&["--api-key", CANARY, "--version"])).assert_exit(0);
}
