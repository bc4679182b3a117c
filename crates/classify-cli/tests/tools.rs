//! The tools: doctor, webhooks, completion, manual, rules, and the connection to the service.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use classify_emulator::{Config, Fault, FaultSchedule};
use common::{CANARY, RunningCommand, Sandbox, bare_command, command_tree, run_to_end};

const SECRET: &str = "whsec_canary";
const BODY: &str = r#""{\"event_type\": \"classify.error\", \"event_id\": \"e1\", \"data\": {\"job_id\": \"clj-1\"}}""#;
/// Of that body under that secret, computed by Python's hmac.
const SIGNATURE: &str = "sha256=53676e3ef8b58e378f02fbff45e49334f000ec04ccf5cb158e37aea0bab17384";

#[test]
fn webhook_verify_checks_signature_over_body_bytes() {
    let sandbox = Sandbox::new();
    sandbox.file("body.json", BODY);
    sandbox.file("secret.txt", &format!("{SECRET}\n"));
    let verify =
        |flags: &[&str]| sandbox.run(&[&["webhooks", "verify", "body.json"], flags].concat());
    let event = verify(&["--signature", SIGNATURE, "--secret", "@secret.txt"])
        .assert_exit(0)
        .json();
    assert_eq!(event["event_type"], "classify.error");
    verify(&["--signature", SIGNATURE, "--secret", "another"])
        .assert_exit(1)
        .assert_stderr("cannot be trusted");
    verify(&["--signature", "sha256=00", "--secret", "@secret.txt"]).assert_exit(1);
    verify(&["--signature", SIGNATURE])
        .assert_exit(2)
        .assert_stderr("LLAMA_CLOUD_WEBHOOK_SECRET");
    let mut by_environment =
        sandbox.command(&["webhooks", "verify", "body.json", "--signature", SIGNATURE]);
    by_environment.env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET);
    run_to_end(by_environment).assert_exit(0);
    let help = sandbox
        .command(&["webhooks", "verify", "--help"])
        .env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET)
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains(SECRET));
}

#[test]
fn webhook_verify_names_extra_line_break_of_body_or_secret() {
    let sandbox = Sandbox::new();
    sandbox.file("body.json", BODY);
    sandbox.file("saved.json", &format!("{BODY}\n"));
    let verify = |file: &str, secret: &str| {
        let mut command = sandbox.command(&["webhooks", "verify", file, "--signature", SIGNATURE]);
        command.env("LLAMA_CLOUD_WEBHOOK_SECRET", secret);
        run_to_end(command)
    };
    verify("saved.json", SECRET)
        .assert_exit(1)
        .assert_stderr("valid only without the last line break of the body");
    let with_break = format!("{SECRET}\r\n");
    verify("body.json", &with_break)
        .assert_exit(1)
        .assert_stderr("valid only without the last line break of the secret");
    verify("saved.json", &with_break)
        .assert_exit(1)
        .assert_stderr("of the body and that of the secret");
    let other = verify("saved.json", "another").assert_exit(1);
    assert!(!other.stderr.contains("line break"), "{other:?}");
    verify("body.json", SECRET).assert_exit(0);
}

#[test]
fn errors_of_rules_files_quote_no_long_input() {
    let sandbox = Sandbox::new();
    let long = "canary".repeat(10_000);
    for (name, text) in [
        ("a.yaml", format!("\"{long}\"")),
        ("b.yaml", format!("{long}: {{a: b}}\n")),
        (
            "c.yaml",
            format!("rules: [{{type: {long}, description: asks for payment}}]"),
        ),
        ("d.json", format!("{{\"rules\": \"{long}\"}}")),
        ("e.json", format!("{{\"{long}\": [5]}}")),
        ("f.toml", format!("rules = \"{long}\"")),
        ("g.toml", format!("{long} = ")),
        ("h.toml", format!("[[rules]]\n{long} = \"a\"")),
        (
            "i.yaml",
            format!("rules: {{a: asks for payment}}\nmode: [{long}]"),
        ),
        (
            "j.yaml",
            format!(
                "rules: {{a: asks for payment}}\nparsing_configuration: {{target_pages: {long}}}"
            ),
        ),
    ] {
        sandbox.file(name, &text);
        for words in [
            &["classify", "rules", "check", name][..],
            &["classify", "run", "docs", "--rules", name, "--dry-run"],
        ] {
            let output = sandbox.run(words).assert_exit(2);
            let size = output.stderr.len() + output.stdout.len();
            assert!(size < 2500, "{words:?}: {size}");
        }
    }
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn errors_of_flags_quote_no_long_value() {
    let sandbox = Sandbox::new();
    let long = "canary".repeat(10_000);
    for words in [
        &["classify", "run", "docs", "--rule", &long][..],
        &[
            "classify",
            "run",
            "docs",
            "--rule",
            "a=b",
            "--review-below",
            &long,
        ],
        &[
            "classify",
            "run",
            "docs",
            "--rule",
            "a=b",
            "--move-to",
            &format!("{{{long}}}"),
        ],
        &[
            "classify",
            "run",
            "docs",
            "--rule",
            "a=b",
            "--move-to",
            &long,
        ],
        &[
            "classify",
            "run",
            "docs",
            "--rule",
            "a=asks for payment",
            "--target-pages",
            &long,
        ],
        &["classify", "run", "docs", "--rules", &long],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            &format!("@{long}"),
        ],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            &format!("{{{long}: 5}}"),
        ],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            &format!("{{rules: {long}}}"),
        ],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            &format!("{{rules: [], mode: [{long}]}}"),
        ],
        &["classify", "list", "--created-at-on-or-after", &long],
        &["classify", "list", "--page-size", &long],
        &["classify", "list", &format!("--{long}")],
        &["classify", &long],
        &["classify", "list", "--format", &long],
        &["classify", "list", "--base-url", &long],
        &["man", &long],
        &["emulator", "--rate-limit", &long],
        &["emulator", "--faults", &long],
        &["webhooks", "verify", "--secret", "a", "--signature", &long],
    ] {
        let output = sandbox.run(words);
        assert!(output.code != 0, "{:.100}", words.join(" "));
        let size = output.stderr.len();
        assert!(
            size < 2500,
            "{:.100}: {size} {:.1000}",
            words.join(" "),
            output.stderr
        );
    }
    assert_eq!(sandbox.emulator.request_count(), 0);
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
fn webhook_listen_accepts_only_signed_deliveries() {
    let mut command = bare_command(&["webhooks", "listen", "--port", "0", "--max-items", "1"]);
    command.env("LLAMA_CLOUD_WEBHOOK_SECRET", SECRET);
    let mut child = RunningCommand::start(command);
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
fn doctor_runs_every_check_and_suggests_fixes() {
    let sandbox = Sandbox::new();
    let well = sandbox
        .run(&["doctor", "--format", "json"])
        .assert_exit(0)
        .json();
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
    sandbox.run(&["doctor", "--emulator"]).assert_exit(0);

    let mut wrong = sandbox.command(&["doctor"]);
    wrong.env("LLAMA_CLOUD_API_KEY", "llx-wrong");
    let found = run_to_end(wrong).assert_exit(4);
    assert!(found.stdout.contains("--region"), "{found:?}");
    run_to_end(bare_command(&["doctor"]))
        .assert_exit(4)
        .assert_stderr("1 problem found");
    // A port on which nothing listens.
    let mut nobody = sandbox.command(&["doctor"]);
    nobody.env("LLAMA_CLOUD_BASE_URL", "http://127.0.0.1:1");
    // Its list call is retried for a while.
    let mut child = RunningCommand::start(nobody);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("firewall")));
}

#[test]
fn completion_scripts_contain_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = run_to_end(bare_command(&["completion", shell]))
            .assert_exit(0)
            .stdout;
        let plain = script.replace("\\:", ":");
        for word in command_tree::commands().iter().flatten() {
            assert!(plain.contains(word.as_str()), "{shell}: {word}");
        }
        assert!(plain.contains("external-file-id"), "{shell}");
        // If the shell is installed, it must accept the script.
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
    run_to_end(bare_command(&["completion", "tcsh"])).assert_exit(2);
}

#[test]
fn man_page_exists_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("man1");
    run_to_end(bare_command(&[
        "man",
        "--output-dir",
        path.to_str().unwrap(),
    ]))
    .assert_exit(0);
    let mut pages = vec!["llamacloud-prod.1".to_owned()];
    for words in command_tree::commands() {
        pages.push(format!("llamacloud-prod-{}.1", words.join("-")));
    }
    for page in pages {
        let text = std::fs::read_to_string(path.join(&page)).expect(&page);
        assert!(
            text.contains(".TH") && text.to_uppercase().contains("EXAMPLES"),
            "{page}"
        );
    }
    assert!(
        run_to_end(bare_command(&["man", "files", "create"]))
            .assert_exit(0)
            .stdout
            .contains("external\\-file\\-id")
    );
    run_to_end(bare_command(&["man", "files", "fly"])).assert_exit(2);
}

#[test]
fn rules_check_sends_no_requests() {
    let sandbox = Sandbox::new();
    let check = |flags: &[&str]| sandbox.run(&[&["classify", "rules", "check"], flags].concat());
    let warned = check(&["rules.yaml"]).assert_exit(0);
    assert!(
        warned.stdout.contains("no rule for all other documents"),
        "{warned:?}"
    );
    check(&["rules.yaml", "--strict"]).assert_exit(2);
    sandbox.file(
        "bad.yaml",
        "- {type: a, description: asks for payment by a due date}\n- {type: a, description: asks for payment by the due date}\n",
    );
    let found = check(&["bad.yaml", "--format", "json"])
        .assert_exit(2)
        .json();
    let text = found.to_string();
    assert!(
        text.contains("error") && text.contains("nearly the same"),
        "{text}"
    );
    check(&["none.yaml"])
        .assert_exit(2)
        .assert_stderr("none.yaml");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn rules_check_warns_of_texts_that_yaml_cuts_short_and_caps_warnings() {
    let sandbox = Sandbox::new();
    let check = |flags: &[&str]| sandbox.run(&[&["classify", "rules", "check"], flags].concat());
    sandbox.file(
        "cut.yaml",
        "rules:\n- type: invoice\n  description: Invoice with a number #5 and a total\n\
         - type: other\n  description: \"anything else #6\" # quoted\n",
    );
    let found = check(&["cut.yaml", "--format", "json"])
        .assert_exit(0)
        .json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["field"], "configuration.rules[0].description");
    assert!(
        found[0]["message"].as_str().unwrap().contains("line 3"),
        "{found}"
    );
    check(&["cut.yaml", "--strict"]).assert_exit(2);
    // Types that look alike cause a warning too.
    sandbox.file(
        "blank.yaml",
        "- {type: invoice, description: asks for payment by a due date}\n\
         - {type: 'invoice ', description: lists the ingredients of a meal}\n\
         - {type: other, description: anything that is not described above}\n",
    );
    check(&["blank.yaml"]).assert_exit(0);
    check(&["blank.yaml", "--strict"]).assert_exit(2);
    let alike: Vec<String> = (0..200)
        .map(|index| {
            format!("- {{type: t{index}, description: asks for payment by a due date {index}}}\n")
        })
        .collect();
    sandbox.file("alike.yaml", &alike.concat());
    let capped = check(&["alike.yaml"]).assert_exit(0);
    assert!(capped.stdout.lines().count() < 30, "{capped:?}");
    assert!(capped.stdout.contains("179 more"), "{capped:?}");
}

#[test]
fn yaml_texts_cut_short_cause_a_warning_in_every_command() {
    let sandbox = Sandbox::new();
    let cut = "rules:\n- type: invoice\n  description: Invoice with a number #5 and a total\n";
    sandbox.file("cut.yaml", cut);
    let warning = "line 3: the description ends before ` #`";
    sandbox
        .run(&[
            "classify",
            "run",
            "docs",
            "--rules",
            "cut.yaml",
            "--dry-run",
            "--quiet",
        ])
        .assert_exit(0)
        .assert_stderr(warning);
    sandbox
        .run(&[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            "@cut.yaml",
        ])
        .assert_stderr(&format!("--configuration, {warning}"));
    sandbox.file(
        "parameters.yaml",
        &format!("product_type: classify_v2\n{cut}"),
    );
    sandbox
        .run(&[
            "configurations",
            "create",
            "--name",
            "a",
            "--parameters",
            "@parameters.yaml",
        ])
        .assert_exit(0)
        .assert_stderr("--parameters, line 4: the description ends before ` #`");
}

#[test]
fn yaml_error_has_line_and_remedy_in_every_command() {
    let sandbox = Sandbox::new();
    let bad = "rules:\n- type: invoice\n  description: Terms: net 30 days\n";
    sandbox.file("bad.yaml", bad);
    sandbox.file(
        "bad-script.yaml",
        "scripts:\n- type: invoice\n  fails: a: b\n",
    );
    let message =
        "line 3, column 21: the text of `description` has a colon in it; put the text in quotes";
    for words in [
        &["classify", "rules", "check", "bad.yaml"][..],
        &["classify", "run", "docs", "--rules", "bad.yaml"],
        &[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration",
            "@bad.yaml",
        ],
        &[
            "configurations",
            "create",
            "--name",
            "a",
            "--parameters",
            "@bad.yaml",
        ],
    ] {
        sandbox.run(words).assert_exit(2).assert_stderr(message);
    }
    sandbox
        .run(&[
            "classify",
            "create",
            "--file-input",
            "dfl-1",
            "--configuration.rules",
            "[{type: a, description: b",
        ])
        .assert_exit(2)
        .assert_stderr("line 1, column 2: the bracket `{` is not closed");
    run_to_end(bare_command(&[
        "emulator",
        "--script",
        sandbox.path().join("bad-script.yaml").to_str().unwrap(),
    ]))
    .assert_exit(2)
    .assert_stderr("line 3, column 11: the text of `fails` has a colon in it");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn rules_in_utf16_are_read_and_other_encodings_named() {
    let sandbox = Sandbox::new();
    let bytes: Vec<u8> = format!("\u{feff}{}", common::RULES)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(sandbox.path().join("wide.yaml"), bytes).unwrap();
    sandbox
        .run(&["classify", "rules", "check", "wide.yaml"])
        .assert_exit(0);
    std::fs::write(
        sandbox.path().join("latin.yaml"),
        b"rules:\n- type: Gr\xf6\xdfe\n",
    )
    .unwrap();
    sandbox
        .run(&["classify", "rules", "check", "latin.yaml"])
        .assert_exit(2)
        .assert_stderr("latin.yaml: line 2: the text is not UTF-8");
}

/// Listens, and returns the first line that it receives.
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
fn proxy_is_used_unless_host_is_in_no_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let seen = first_line(proxy);
    let mut command = bare_command(&["classify", "list"]);
    command
        .env("LLAMA_CLOUD_API_KEY", CANARY)
        .env("LLAMA_CLOUD_BASE_URL", "https://api.example.invalid")
        .env("HTTPS_PROXY", format!("http://{address}"));
    let child = RunningCommand::start(command);
    assert!(
        seen.join()
            .unwrap()
            .starts_with("CONNECT api.example.invalid:443")
    );
    drop(child);

    let sandbox = Sandbox::new();
    let mut excepted = sandbox.command(&["classify", "list"]);
    excepted
        .env("HTTPS_PROXY", format!("http://{address}"))
        .env("NO_PROXY", "127.0.0.1");
    run_to_end(excepted).assert_exit(0);
    // The emulator in this process is reached without the proxy.
    let mut emulated = bare_command(&["classify", "list", "--emulator"]);
    emulated.env("HTTP_PROXY", format!("http://{address}"));
    run_to_end(emulated).assert_exit(0);
}

#[test]
fn tls_ca_bundle_is_validated_before_any_request() {
    let sandbox = Sandbox::new();
    sandbox.file("empty.pem", "no certificate here\n");
    sandbox
        .run(&["classify", "list", "--ca-cert", "empty.pem"])
        .assert_exit(2)
        .assert_stderr("contains no certificate");
    sandbox
        .run(&["classify", "list", "--ca-cert", "none.pem"])
        .assert_exit(2)
        .assert_stderr("none.pem");
    let mut by_environment = sandbox.command(&["classify", "list"]);
    by_environment.env("SSL_CERT_FILE", "empty.pem");
    run_to_end(by_environment)
        .assert_exit(2)
        .assert_stderr("SSL_CERT_FILE");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

#[test]
fn debug_log_lists_attempts_and_redacts_query() {
    let faults = FaultSchedule::new().with(Fault::Unavailable.first(1));
    let sandbox = Sandbox::with(Config::default().faults(faults));
    sandbox
        .run(&[
            "files",
            "list",
            "--external-file-id",
            "hidden-query",
            "--debug",
        ])
        .assert_exit(0)
        .assert_stderr("debug: GET /api/v1/beta/files -> 503, attempt 1,")
        .assert_stderr("debug: GET /api/v1/beta/files -> 200, attempt 2,");
    let command_output = sandbox.run(&[
        "files",
        "list",
        "--external-file-id",
        "hidden-query",
        "--debug",
    ]);
    assert!(
        !command_output.stderr.contains("hidden-query"),
        "{command_output:?}"
    );
}

/// The help of each command has examples of that command.
#[test]
fn help_of_every_command_has_examples() {
    for words in command_tree::commands() {
        let name = words.join(" ");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = command_tree::help(&words);
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{name} has no examples"));
        assert!(
            examples.contains(&format!("llamacloud-prod {name}")),
            "{name}: {examples}"
        );
    }
    assert!(command_tree::help(&[]).contains("\nExamples:\n"));
}
