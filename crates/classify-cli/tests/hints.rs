//! Every hint of the command line, followed to the letter. None may lead to a second charge unless it says that it pays
//! again.
//!
//! The hints are collected from the source. Each must be in [`TABLE`] with the same text, split after each remedy.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{
    CANARY, CommandOutput, RULES, RunningCommand, Sandbox, bare_command, run_to_end, start,
};

/// The result of a clause of a hint. The functions return the number of jobs at the service.
#[derive(Clone, Copy)]
enum Follow {
    /// It explains, or shows how to write a value.
    Says,
    /// It leads to exactly one job.
    Once(fn() -> usize),
    /// It leads to a command that creates no job.
    NoJob(fn() -> usize),
    /// It pays again, and says so.
    PaysAgain(fn() -> usize),
}

use Follow::{NoJob, Once, PaysAgain, Says};

type Hint = &'static [(&'static str, Follow)];

/// The hints: texts with the placeholders of `format!`, and expressions after an equals sign.
const TABLE: &[Hint] = &[
    // Paths and files.
    &[
        ("folders and globs skip hidden files; ", Says),
        (
            "name a file to classify it",
            Once(|| {
                let sandbox = Sandbox::new();
                sandbox.file(".letter.txt", "Invoice: the amount is due.");
                let hinted = run(&sandbox, &["*.txt"]);
                assert_hint(&hinted, "name a file to classify it");
                run(&sandbox, &[".letter.txt"]).assert_exit(0);
                sandbox.emulator.job_count()
            }),
        ),
    ],
    &[
        (
            "the run stopped; documents that could not be read were not charged, and ",
            Says,
        ),
        (
            "the next run reads them again",
            Once(|| {
                let sandbox = Sandbox::new();
                for number in 0..4 {
                    sandbox.file(&format!("docs/{number}.txt"), &format!("Invoice {number}"));
                }
                let (docs, away) = (sandbox.path().join("docs"), sandbox.path().join("away"));
                let down = Fault::Unavailable.always().on(Route::FileCreate);
                sandbox.emulator.set_faults(FaultSchedule::new().with(down));
                let child = start(
                    &sandbox,
                    &["classify", "run", "docs", "--rules", "rules.yaml"],
                );
                sandbox.wait_until(|emulator| emulator.request_count() >= 6);
                fs::rename(&docs, &away).unwrap();
                sandbox.emulator.set_faults(FaultSchedule::new());
                assert_hint(&child.end(), "could not be read were not charged");
                fs::rename(&away, &docs).unwrap();
                run(&sandbox, &["docs"]).assert_exit(0);
                // Six documents.
                assert_eq!(sandbox.emulator.job_count(), 6);
                1
            }),
        ),
    ],
    &[(
        "the delivery may be genuine; pass the body exactly as received, and the secret without a line break",
        Says,
    )],
    &[(
        "check the path given to --rules",
        Once(|| {
            let sandbox = Sandbox::new();
            corrected(&sandbox, "check the path", |rules| {
                vec!["--rules", if rules { "rules.yaml" } else { "rulse.yaml" }]
            })
        }),
    )],
    &[(
        "save the file as UTF-8",
        Once(|| {
            let sandbox = Sandbox::new();
            let text = RULES.replace("payment", "pay\u{e4}");
            let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
            fs::write(sandbox.path().join("latin1.yaml"), latin1).unwrap();
            sandbox.file("utf8.yaml", &text);
            corrected(&sandbox, "save the file as UTF-8", |utf8| {
                vec!["--rules", if utf8 { "utf8.yaml" } else { "latin1.yaml" }]
            })
        }),
    )],
    &[(
        "`llamacloud-prod classify run --help` shows what a rules file looks like",
        Once(|| {
            let sandbox = Sandbox::new();
            sandbox.file("wrong.yaml", "rules: 5");
            let hinted = run_with(&sandbox, &["--rules", "wrong.yaml"]);
            assert_hint(&hinted, "shows what a rules file looks like");
            let help = in_backticks(&sandbox, &hinted).assert_exit(0).stdout;
            let (_, shown) = help.split_once("\nRules file:\n").unwrap();
            let (shown, _) = shown.split_once("\n\n").unwrap();
            sandbox.file("shown.yaml", shown);
            run_with(&sandbox, &["--rules", "shown.yaml"]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "name the file .yaml, .json or .toml",
        Once(|| {
            let sandbox = Sandbox::new();
            sandbox.file("rules.txt", RULES);
            corrected(&sandbox, "name the file", |named| {
                vec!["--rules", if named { "rules.yaml" } else { "rules.txt" }]
            })
        }),
    )],
    &[(
        "name a file: --report report.html",
        Once(|| {
            let sandbox = Sandbox::new();
            corrected(&sandbox, "name a file", |named| {
                let file = if named { "report.html" } else { "-" };
                vec!["--rules", "rules.yaml", "--report", file]
            })
        }),
    )],
    &[
        (
            "name it .csv, .json or .jsonl",
            Once(|| {
                let sandbox = Sandbox::new();
                corrected(&sandbox, "name it .csv", |named| {
                    let file = if named { "rows.csv" } else { "rows.yaml" };
                    vec!["--rules", "rules.yaml", "--output", file]
                })
            }),
        ),
        (
            ", or select a format with --format",
            Once(|| {
                let sandbox = Sandbox::new();
                corrected(&sandbox, "select a format with", |said| {
                    let format = if said { "csv" } else { "auto" };
                    let words = ["--rules", "rules.yaml", "--output", "rows.yaml"];
                    [&words[..], &["--format", format]].concat()
                })
            }),
        ),
    ],
    &[("nothing was sent, and the file was not changed", Says)],
    &[
        (
            "use another name",
            Once(|| {
                let sandbox = Sandbox::new();
                sandbox.file("docs/bill.jsonl", "my thesis");
                let words = |output| {
                    let words = ["classify", "run", "docs", "--rules", "rules.yaml"];
                    sandbox.run(&[&words[..], &["--shard", "1/2", "--output", output]].concat())
                };
                assert_hint(&words("docs/bill.jsonl"), "use another name");
                assert_eq!(sandbox.emulator.request_count(), 0);
                words("rows.jsonl").assert_exit(0);
                // Of three documents, each of which has one job.
                let jobs = sandbox.emulator.job_count();
                words("others.jsonl").assert_exit(0);
                sandbox.emulator.job_count() / jobs
            }),
        ),
        ("; nothing was sent, and the file was not changed", Says),
    ],
    &[(
        "~ is expanded only by a shell, and not in quotes: write \"$HOME/…\", or ./~/… for a folder named ~",
        Once(|| {
            let sandbox = Sandbox::new();
            let words = |rules| {
                let words = ["classify", "run", "docs/bill.txt", "--rules", rules];
                sandbox.command(&words)
            };
            assert_hint(
                &run_to_end(words("~/rules.yaml")),
                "~ is expanded only by a shell",
            );
            // The folder of the sandbox is the home directory.
            let home = sandbox.path().join("rules.yaml");
            run_to_end(words(home.to_str().unwrap())).assert_exit(0);
            sandbox.file("~/rules.yaml", RULES);
            run_to_end(words("./~/rules.yaml")).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "a URL is not a path: download the file and use its path",
        Once(|| {
            let sandbox = Sandbox::new();
            let hinted = run(&sandbox, &["https://example.com/bill.txt"]);
            assert_hint(&hinted, "a URL is not a path: download");
            run(&sandbox, &["docs/bill.txt"]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[
        (
            "this build does not read object stores: use the binary of a release, or build classify-cli with the feature `cloud`; ",
            Says,
        ),
        (
            "or download the object and use its path",
            Once(|| {
                let sandbox = Sandbox::new();
                let hinted = run(&sandbox, &["s3://bucket/bill.txt"]);
                if cfg!(not(feature = "cloud")) {
                    assert_hint(&hinted, "this build does not read object stores");
                }
                run(&sandbox, &["docs/bill.txt"]).assert_exit(0);
                sandbox.emulator.job_count()
            }),
        ),
    ],
    // Objects need a build with the feature `cloud`; tests/cloud.rs has this error.
    &[(
        "run the command without {flag}, or download the objects and pass their folder; nothing was sent",
        Says,
    )],
    &[(
        "a URL is not a path: remove file://",
        Once(|| {
            let sandbox = Sandbox::new();
            let path = sandbox.path().join("docs/bill.txt");
            let url = format!("file://{}", path.display());
            assert_hint(&run(&sandbox, &[&url]), "remove file://");
            run(&sandbox, &[url.trim_start_matches("file://")]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    // Key, network and settings.
    &[(
        "to try the command without a key or network access, add --emulator",
        NoJob(|| {
            let sandbox = Sandbox::new();
            let words = ["classify", "run", "docs/bill.txt", "--rules", "rules.yaml"];
            let without_key = |flags: &[&str]| {
                let mut command = sandbox.command(&[&words[..], flags].concat());
                command.env_remove("LLAMA_CLOUD_API_KEY");
                command.env_remove("LLAMA_CLOUD_BASE_URL");
                run_to_end(command)
            };
            assert_hint(&without_key(&[]), "add --emulator");
            without_key(&["--emulator"]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[("it was set by --base-url or LLAMA_CLOUD_BASE_URL", Says)],
    &[("it was set by LLAMA_CLOUD_CUSTOM_HEADERS", Says)],
    &[(
        "unset it to connect without a proxy",
        NoJob(|| {
            // This machine is reached without a proxy, so the service is a host that does not exist.
            let list = |proxy: Option<&str>| {
                let mut command = bare_command(&["classify", "list", "--no-stdin"]);
                command.env("LLAMA_CLOUD_API_KEY", common::CANARY);
                command.env("LLAMA_CLOUD_BASE_URL", "https://no-such-host.invalid");
                if let Some(proxy) = proxy {
                    command.env("HTTPS_PROXY", proxy);
                    return run_to_end(command);
                }
                let mut child = RunningCommand::start(command);
                // It retries the connection.
                std::thread::sleep(Duration::from_millis(500));
                assert!(child.try_wait().unwrap().is_none());
                child.kill()
            };
            assert_hint(&list(Some("socks5://127.0.0.1:1")), "unset it");
            list(None);
            0
        }),
    )],
    &[(
        "the server's certificate is for another name: check --base-url and LLAMA_CLOUD_BASE_URL, and the proxy",
        Says,
    )],
    &[(
        "the server's certificate is out of date, or this machine's clock is wrong",
        Says,
    )],
    &[(
        "a company proxy may use its own certificate authority: add it with --ca-cert FILE or SSL_CERT_FILE",
        Says,
    )],
    &[
        ("every command starts an empty emulator; ", Says),
        (
            "only `classify run` sends it documents",
            NoJob(|| {
                let sandbox = Sandbox::new();
                let hinted = sandbox.run(&["classify", "get", "clj-1", "--emulator"]);
                assert_hint(&hinted, "only `classify run` sends it documents");
                run(&sandbox, &["docs/bill.txt", "--emulator"]).assert_exit(0);
                sandbox.emulator.job_count()
            }),
        ),
    ],
    // Values of flags and of stdin.
    &[(
        "paths look like result.type, items.#.id, configuration.rules.0.description",
        Once(|| {
            let sandbox = Sandbox::new();
            let id = sandbox.job("docs/bill.txt");
            let get = |path| sandbox.run(&["classify", "get", &id, "--transform", path]);
            let overlong = "a.".repeat(600);
            assert_hint(&get(&overlong), "paths look like result.type");
            assert_eq!(get("result.type").assert_exit(0).json(), "invoice");
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "write YAML or JSON in quotes, for example {}",
        Once(|| {
            let sandbox = Sandbox::new();
            let id = sandbox.job("docs/bill.txt");
            let hinted = sandbox.run(&["classify", "wait", "--job-id", "[a"]);
            assert_hint(
                &hinted,
                "write YAML or JSON in quotes, for example '[a, b]'",
            );
            let list = format!("[{id}]");
            sandbox
                .run(&["classify", "wait", "--job-id", &list])
                .assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[
        (
            "write YAML or JSON in quotes, for example {}",
            Once(|| example_of("{rules: [")),
        ),
        ("; or @FILE", Once(|| file_for("{rules: ["))),
    ],
    &[
        ("for example {}", Once(|| example_of("a text"))),
        ("; or @FILE", Once(|| file_for("a text"))),
    ],
    &[(
        "@data://PATH sends it as base64",
        NoJob(|| {
            let sandbox = Sandbox::new();
            fs::write(sandbox.path().join("image"), [0xff, 0xfe, 0xfd]).unwrap();
            let get = |id| sandbox.run(&["classify", "get", "--job-id", id]);
            assert_hint(&get("@file://image"), "@data://PATH sends it as base64");
            // There is no such job; the base64 was sent.
            get("@data://image").assert_exit(6).assert_stderr("//79");
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "a value that begins with @ is a file name; write \\@ for a literal @",
        Once(|| {
            let sandbox = Sandbox::new();
            let id = |id| {
                create(
                    &sandbox,
                    &["--configuration.rules", RULE_LIST, "--transaction-id", id],
                )
            };
            assert_hint(&id("@1"), "write \\@ for a literal @");
            let created = id("\\@1").assert_exit(0).json();
            assert_eq!(created["transaction_id"], "@1");
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "`{command} --help` shows how to write it",
        NoJob(|| {
            let sandbox = Sandbox::new();
            let hinted = sandbox.run(&["files", "retrieve"]);
            assert_hint(&hinted, "`llamacloud-prod files retrieve --help` shows");
            let help = in_backticks(&sandbox, &hinted).assert_exit(0);
            assert!(help.stdout.contains("llamacloud-prod files retrieve"));
            sandbox.emulator.job_count()
        }),
    )],
    &[(
        "`llamacloud-prod classify create --help` shows how to write it",
        Once(|| {
            let sandbox = Sandbox::new();
            let hinted = sandbox.run(&["classify", "create", "--no-stdin"]);
            assert_hint(&hinted, "classify create --help");
            let help = in_backticks(&sandbox, &hinted).assert_exit(0);
            assert!(help.stdout.contains("--file-input"), "{help:?}");
            create(&sandbox, &["--configuration.rules", RULE_LIST]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    &[
        ("nothing was sent; ", Says),
        (
            "if the service knows the key, --no-validate sends it as it is",
            NoJob(|| {
                let sandbox = Sandbox::new();
                let rules = "{rules: [{type: a, description: asks for payment}], mood: 1}";
                let words = ["--configuration", rules];
                let hinted = create(&sandbox, &words);
                assert_hint(&hinted, "--no-validate sends it as it is");
                assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), 0);
                create(&sandbox, &[&words[..], &["--no-validate"]].concat());
                assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), 1);
                // The service decides whether it knows the key; at most one job.
                let jobs = sandbox.emulator.job_count();
                assert!(jobs <= 1);
                0
            }),
        ),
    ],
    &[
        ("nothing was sent; ", Says),
        (
            "if the service's limits have changed, --no-validate sends it anyway",
            NoJob(|| {
                let sandbox = Sandbox::new();
                let words = ["docs/bill.txt", "--target-pages", "0"];
                assert_hint(&run(&sandbox, &words), "--no-validate sends it anyway");
                assert_eq!(sandbox.emulator.request_count(), 0);
                run(&sandbox, &[&words[..], &["--no-validate"]].concat());
                assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), 1);
                // The limits of the emulator have not changed.
                sandbox.emulator.job_count()
            }),
        ),
    ],
    &[("=STDIN_HINT", Says)],
    &[
        (
            "to go on, run the same command with the same list on stdin, and ",
            Once(|| list_on_stdin(&[], &[])),
        ),
        (
            "with --resume if it has a journal",
            Once(|| list_on_stdin(&["--journal", "j"], &["--resume"])),
        ),
    ],
    &[("nothing was sent; --no-validate sends it as it is", Says)],
    // A file that contains no certificate, and how to make one.
    &[("=remedy", Says)],
    &[(
        "the server does not speak TLS on this port: check the port in --base-url and LLAMA_CLOUD_BASE_URL",
        Says,
    )],
    // The emulator's host is never reached through a proxy. Neither creates a job.
    &[(
        "check the proxy variable, or list the host in NO_PROXY to bypass the proxy; `llamacloud-prod doctor` tests the proxy",
        Says,
    )],
    &[(
        "the file must contain the key alone, or a line LLAMA_CLOUD_API_KEY=KEY",
        Once(|| {
            let sandbox = Sandbox::new();
            let with_key = |text: &str| {
                sandbox.file("key", text);
                let words = ["classify", "run", "docs/bill.txt", "--rules", "rules.yaml"];
                let mut command =
                    sandbox.command(&[&words[..], &["--api-key-file", "key"]].concat());
                command.env_remove("LLAMA_CLOUD_API_KEY");
                run_to_end(command)
            };
            assert_hint(&with_key("a\nb\n"), "the file must contain the key alone");
            for text in ["KEY\n", "# mine\nLLAMA_CLOUD_API_KEY=KEY\n"] {
                with_key(&text.replace("KEY\n", &format!("{CANARY}\n"))).assert_exit(0);
            }
            sandbox.emulator.job_count()
        }),
    )],
    &[
        (
            "the command reads values from stdin; if the input is for a loop, add </dev/null",
            Once(|| stdin(b"[ not yaml", &[], b"")),
        ),
        (
            " or --no-stdin",
            Once(|| stdin(b"[ not yaml", &["--no-stdin"], b"[ not yaml")),
        ),
    ],
    &[
        (
            "write {name: value} in YAML or JSON, with the names of the API, such as file_input",
            Once(|| stdin(b"[1]", &[], b"{parse_job_id: null}")),
        ),
        (
            "\n  {STDIN_HINT}",
            Once(|| stdin(b"[1]", &["--no-stdin"], b"[1]")),
        ),
    ],
    &[(
        "`llamacloud-prod configurations list` shows the ids",
        Once(|| {
            let sandbox = Sandbox::new();
            let parameters = format!("{{product_type: classify_v2, rules: {RULE_LIST}}}");
            let words = ["configurations", "create", "--name", "n", "--parameters"];
            sandbox
                .run(&[&words[..], &[&parameters]].concat())
                .assert_exit(0);
            let hinted = run_with(&sandbox, &["--configuration-id", ""]);
            assert_hint(&hinted, "configurations list");
            let listed = in_backticks(&sandbox, &hinted).assert_exit(0).lines();
            let id = listed[0]["id"].as_str().unwrap();
            run_with(&sandbox, &["--configuration-id", id]).assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    // Journals and interrupted commands.
    &[
        (
            "--resume resumes that run",
            Once(|| begun_again(&[], &["--journal", "j", "--resume"])),
        ),
        (
            "; another --journal starts a new run, which pays again with --fresh or --retry-failed",
            PaysAgain(|| {
                // Without these flags it does not.
                assert_eq!(begun_again(&[], &["--journal", "k"]), 1);
                begun_again(&["--fresh"], &["--journal", "k"])
            }),
        ),
    ],
    &[
        (
            "remove --fresh to resume that run",
            Once(|| fresh_over(&["--journal", "j", "--resume"])),
        ),
        (
            "; another --journal starts a new run, which pays again",
            PaysAgain(|| fresh_over(&["--journal", "k", "--resume", "--fresh"])),
        ),
    ],
    &[
        (
            "--resume needs the same rules, project and service",
            Once(|| other_rules(&["--rules", "rules.yaml", "--journal", "j", "--resume"])),
        ),
        (
            "; another --journal starts a new run, which pays again",
            PaysAgain(|| other_rules(&["--rules", "other.yaml", "--journal", "k", "--resume"])),
        ),
    ],
    &[(
        "the run stopped so that no job is created that is not in the journal",
        Says,
    )],
    &[("{} not started; {count_text}", Says)],
    &[(
        "the emulator stopped with the command, and its jobs are lost",
        Says,
    )],
    &[(
        "run the same command again to continue; nothing is charged twice",
        Once(|| interrupted_move(&[], |_| {})),
    )],
    &[(
        "run the same command with --resume to continue; nothing is charged twice",
        Once(|| interrupted_move(&["--journal", "j"], |words| words.push("--resume"))),
    )],
    &[(
        "run the same command without --retry-failed to continue; nothing is charged twice",
        Once(|| {
            interrupted_move(&["--retry-failed"], |words| {
                words.retain(|word| *word != "--retry-failed");
            })
        }),
    )],
    &[(
        "run the same command with --resume and without --retry-failed to continue; nothing is charged twice",
        Once(|| {
            interrupted_move(&["--journal", "j", "--retry-failed"], |words| {
                words.retain(|word| *word != "--retry-failed");
                words.push("--resume");
            })
        }),
    )],
    &[("=wait_hint(resource, &open_ids)", Once(|| waited(true)))],
    &[("=wait_hint(resource, &[id])", Once(|| waited(false)))],
    &[(
        "repeat the command with --transaction-id {} to get that job; this creates no second job",
        Once(|| {
            let faults =
                FaultSchedule::new().with(Fault::HangAfter.first(1).on(Route::ClassifyCreate));
            let sandbox = Sandbox::with(Config::default().faults(faults));
            let file = upload(&sandbox);
            let words = ["classify", "create", "--file-input", &file];
            let words = [&words[..], &["--configuration.rules", RULE_LIST]].concat();
            let child = start(&sandbox, &words);
            sandbox.wait_until(|emulator| emulator.job_count() == 1);
            child.interrupt();
            let hinted = child.end().assert_exit(130);
            assert_hint(&hinted, "creates no second job");
            let (_, rest) = hinted.stderr.split_once("with --transaction-id ").unwrap();
            let id = rest.split_whitespace().next().unwrap();
            sandbox
                .run(&[&words[..], &["--transaction-id", id]].concat())
                .assert_exit(0);
            sandbox.emulator.job_count()
        }),
    )],
    // The other commands.
    &[(
        "the signature is made from the bytes of the body as received and from the signing secret; check both",
        Says,
    )],
    &[
        (
            "another program uses port {}; stop it",
            NoJob(|| taken_port(true)),
        ),
        (
            ", or select a free port with --port 0",
            NoJob(|| taken_port(false)),
        ),
    ],
    &[(
        "ports below 1024 need administrator rights; use a higher one",
        Says,
    )],
    // The MCP server. `mcp/exchange.py` follows the hint to end another process: jobs = documents after it.
    &[("`.` is every document in the root", Says)],
    &[(
        "a saved configuration contains them; remove one or the other",
        Says,
    )],
    &[(
        "an MCP client starts this command; see docs/agents.md",
        Says,
    )],
    &[("an example is 0.8", Says)],
    &[("call status again while the state is running", Says)],
    &[(
        "classify returns the id of a run; with the same arguments it returns the same id again",
        Says,
    )],
    &[(
        "end that process; the documents that have a job then are not charged again",
        Says,
    )],
    &[(
        "give `rules`, a list of types with their descriptions, or `rules_file`",
        Says,
    )],
    &[(
        "give `rules`, a list of types with their descriptions, or `rules_file`, or `configuration_id`",
        Says,
    )],
    &[(
        "give a path in the root without `..`, or start `llamacloud-prod mcp` with another --root",
        Says,
    )],
    &[(
        "give the id of a saved configuration (cfg-…), or `rules`",
        Says,
    )],
    &[(
        "give the path of a YAML, JSON or TOML file in the root, or `rules`",
        Says,
    )],
    &[("name a folder of documents with --root FOLDER", Says)],
    &[("name a folder that exists", Says)],
    &[(
        "next_offset of the result is the offset of the next page",
        Says,
    )],
    &[("nothing was sent; correct the rules", Says)],
    &[(
        "nothing was sent; give fewer paths, or split the folder with narrower globs in several calls; `llamacloud-prod mcp --max-documents` raises the limit",
        Says,
    )],
    &[(
        "paths are relative to the root; `.` is the root, and `**/*.pdf` are all PDF files in it",
        Says,
    )],
    &[(
        "set LLAMA_CLOUD_API_KEY in the environment of the server, or start it with --api-key-file; then restart it",
        Says,
    )],
    &[("start `llamacloud-prod mcp` with another --state-dir", Says)],
    &[("the input schema of the tool lists its arguments", Says)],
    &[("use --state-dir FOLDER", Says)],
    &[(
        "use the binary of a release, or build classify-cli with the feature `mcp`",
        Says,
    )],
    // The hint of an existing error; its texts are listed above.
    &[("=hint", Says)],
];

#[test]
fn hint_creates_one_job_unless_it_says_that_it_pays_again() {
    let clauses = Mutex::new(TABLE.iter().copied().flatten());
    let next = || clauses.lock().unwrap().next();
    // Some wait for jobs that take seconds.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((clause, follow)) = next() {
                    follow_clause(clause, *follow);
                }
            });
        }
    });
}

fn follow_clause(clause: &str, follow: Follow) {
    let (jobs, expected) = match follow {
        Says => return,
        Once(follow) => (follow(), 1),
        NoJob(follow) => (follow(), 0),
        PaysAgain(follow) => (follow(), 2),
    };
    assert_eq!(jobs, expected, "{clause}");
    let says_so = clause.contains("pays again");
    assert_eq!(expected == 2, says_so, "{clause}");
}

#[test]
fn hint_table_contains_every_hint_of_the_source() {
    let known: BTreeSet<String> = TABLE
        .iter()
        .map(|hint| hint.iter().map(|(clause, _)| *clause).collect())
        .collect();
    let found = hints_in_source();
    assert!(found.len() > 40, "the source is not read: {found:?}");
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "follow these hints in `TABLE`: {new:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "no error has these hints: {gone:#?}");
}

/// The arguments of every `.hint(…)`, and the texts of the files whose hints are given by a function.
fn hints_in_source() -> BTreeSet<String> {
    let mut files = Vec::new();
    source_files(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        &mut files,
    );
    let mut hints = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, call) in code.match_indices(".hint(") {
            hints.extend(argument_texts(&code[at + call.len()..]));
        }
        let name = file.file_name().unwrap().to_str().unwrap();
        let constants = code.match_indices("const ").map(|(at, _)| &code[at..]);
        let constants = constants.filter(|code| {
            let name = code.split(':').next().unwrap_or_default();
            name.contains("HINT") || file.ends_with("path_hint.rs")
        });
        for constant in constants {
            hints.extend(literals(constant).into_iter().take(1));
        }
        if name == "connection_hint.rs" {
            let texts = literals(code).into_iter();
            hints.extend(texts.filter(|text| text.len() > 40));
        }
        if name == "sort_files.rs" {
            let texts = literals(code).into_iter();
            hints.extend(texts.filter(|text| text.starts_with("run the same command")));
        }
    }
    // The texts of `sort_files.rs` are given by a function.
    hints.remove("=self.continuation.hint()");
    hints.remove("=");
    hints
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The texts in the argument that code begins with, or else the expression after an equals sign.
fn argument_texts(code: &str) -> Vec<String> {
    let mut depth = 1;
    let mut end = 0;
    let mut in_text = false;
    let mut escaped = false;
    for (at, c) in code.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            end = at;
            break;
        }
    }
    let argument = code[..end].trim().trim_end_matches(',');
    let mut texts = literals(argument);
    if argument.starts_with("format!") {
        // The first is the format, the others are its arguments.
        texts.truncate(1);
    }
    if texts.is_empty() {
        texts.push(format!("={argument}"));
    }
    texts
}

/// The string literals of code, as they are read.
fn literals(code: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            // A quote as a character.
            '\'' if rest.peek() == Some(&'"') => {
                rest.next();
            }
            '"' => {
                let mut text = String::new();
                while let Some(c) = rest.next() {
                    match (c, rest.peek()) {
                        ('"', _) => break,
                        ('\\', Some('\n')) => {
                            while rest.next_if(|c| c.is_whitespace()).is_some() {}
                        }
                        ('\\', Some('n')) => {
                            rest.next();
                            text.push('\n');
                        }
                        ('\\', Some(_)) => text.extend(rest.next()),
                        _ => text.push(c),
                    }
                }
                texts.push(text.replace("{{", "{").replace("}}", "}"));
            }
            _ => {}
        }
    }
    texts
}

const RULE_LIST: &str = "[{type: invoice, description: asks for payment of an amount}]";

/// The error has this hint.
#[track_caller]
fn assert_hint(output: &CommandOutput, part: &str) {
    assert!(
        output.stderr.contains(part),
        "{part:?} is not in {output:?}"
    );
}

/// Runs over a list on stdin, with these flags, until its deadline; then over the same list with these too, as the hint
/// says. Returns the number of jobs.
fn list_on_stdin(flags: &[&str], more: &[&str]) -> usize {
    let slow = Config::default().script(Script::file("bill.txt").takes(Duration::from_secs(2)));
    let sandbox = Sandbox::with(slow);
    sandbox.file("list", "docs/bill.txt\n");
    let run = |more: &[&str]| {
        let words = ["classify", "run", "-", "--rules", "rules.yaml"];
        let polls = ["--poll-interval", "50ms"];
        let mut command = sandbox.command(&[&words[..], &polls, flags, more].concat());
        command.stdin(fs::File::open(sandbox.path().join("list")).unwrap());
        run_to_end(command)
    };
    let hinted = run(&["--deadline", "500ms"]).assert_exit(8);
    assert_hint(&hinted, "with the same list on stdin");
    assert!(!hinted.stderr.contains("--resume --"), "{hinted:?}");
    run(more).assert_exit(0);
    sandbox.emulator.job_count()
}

/// Runs over these paths, with the sandbox's rules.
fn run(sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
    let more = ["--rules", "rules.yaml", "--poll-interval", "50ms"];
    sandbox.run(&[&["classify", "run"], words, &more].concat())
}

/// Runs over one document, with these flags.
fn run_with(sandbox: &Sandbox, flags: &[&str]) -> CommandOutput {
    let polls = ["--poll-interval", "50ms"];
    sandbox.run(&[&["classify", "run", "docs/bill.txt"], flags, &polls].concat())
}

/// Runs over one document with the flags that lead to the hint, and then with the corrected ones.
fn corrected(sandbox: &Sandbox, hint: &str, flags: impl Fn(bool) -> Vec<&'static str>) -> usize {
    assert_hint(&run_with(sandbox, &flags(false)), hint);
    assert_eq!(sandbox.emulator.request_count(), 0);
    run_with(sandbox, &flags(true)).assert_exit(0);
    sandbox.emulator.job_count()
}

/// Runs the command in backticks of the hint, which is the last on stderr.
fn in_backticks(sandbox: &Sandbox, output: &CommandOutput) -> CommandOutput {
    let (_, command) = output.stderr.rsplit_once("`llamacloud-prod ").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    let words: Vec<&str> = command.split_whitespace().collect();
    sandbox.run(&words)
}

fn upload(sandbox: &Sandbox) -> String {
    let words = [
        "files",
        "create",
        "--file",
        "docs/bill.txt",
        "--purpose",
        "classify",
    ];
    let created = sandbox.run(&words).assert_exit(0).json();
    created["id"].as_str().unwrap().to_owned()
}

/// Creates a job for a document, with these flags.
fn create(sandbox: &Sandbox, flags: &[&str]) -> CommandOutput {
    let file = upload(sandbox);
    let words = ["classify", "create", "--no-stdin", "--file-input", &file];
    sandbox.run(&[&words[..], flags].concat())
}

/// Creates a job by the example that the error of this configuration gives, as a shell reads it.
fn example_of(configuration: &str) -> usize {
    let sandbox = Sandbox::new();
    let hinted = create(&sandbox, &["--configuration", configuration]);
    assert_hint(&hinted, "for example '");
    let (_, example) = hinted.stderr.split_once("for example '").unwrap();
    let (example, _) = example.split_once("';").unwrap();
    create(&sandbox, &["--configuration", example]).assert_exit(0);
    sandbox.emulator.job_count()
}

/// The same by a file.
fn file_for(configuration: &str) -> usize {
    let sandbox = Sandbox::new();
    let hinted = create(&sandbox, &["--configuration", configuration]);
    assert_hint(&hinted, "or @FILE");
    create(&sandbox, &["--configuration", "@rules.yaml"]).assert_exit(0);
    sandbox.emulator.job_count()
}

/// Creates a job with something on stdin, and again with these flags and something else there.
fn stdin(first: &[u8], flags: &[&str], then: &[u8]) -> usize {
    let sandbox = Sandbox::new();
    let file = upload(&sandbox);
    let words = ["classify", "create", "--file-input", &file];
    let words = [&words[..], &["--configuration.rules", RULE_LIST]].concat();
    let fed = |flags: &[&str], text: &[u8]| {
        fs::write(sandbox.path().join("stdin"), text).unwrap();
        let stdin = fs::File::open(sandbox.path().join("stdin")).unwrap();
        let mut command = sandbox.command(&[&words[..], flags].concat());
        command.stdin(Stdio::from(stdin));
        run_to_end(command)
    };
    assert_hint(
        &fed(&[], first).assert_exit(2),
        "add </dev/null or --no-stdin",
    );
    assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), 0);
    fed(flags, then).assert_exit(0);
    sandbox.emulator.job_count()
}

/// A run with a journal, the same command again, and the commands of its hint.
fn begun_again(flags: &[&str], then: &[&str]) -> usize {
    let sandbox = Sandbox::new();
    let run = |more: &[&str]| {
        run_with(
            &sandbox,
            &[&["--rules", "rules.yaml"], flags, more].concat(),
        )
    };
    run(&["--journal", "j"]).assert_exit(0);
    let hinted = run(&["--journal", "j"]).assert_exit(2);
    assert_hint(&hinted, "--resume resumes that run");
    run(then).assert_exit(0);
    sandbox.emulator.job_count()
}

/// A fresh run over the journal of one that is not, and the commands of its hint.
fn fresh_over(then: &[&str]) -> usize {
    let sandbox = Sandbox::new();
    let words = |more: &[&str]| run_with(&sandbox, &[&["--rules", "rules.yaml"], more].concat());
    words(&["--journal", "j"]).assert_exit(0);
    let hinted = words(&["--journal", "j", "--resume", "--fresh"]).assert_exit(2);
    assert_hint(&hinted, "remove --fresh to resume that run");
    words(then).assert_exit(0);
    sandbox.emulator.job_count()
}

/// The journal of a run resumed with other rules, and the commands of its hint.
fn other_rules(then: &[&str]) -> usize {
    let sandbox = Sandbox::new();
    sandbox.file("other.yaml", &RULES.replace("amount", "sum"));
    let words = |rules, more: &[&str]| {
        run_with(
            &sandbox,
            &[&["--rules", rules, "--journal", "j"], more].concat(),
        )
    };
    words("rules.yaml", &[]).assert_exit(0);
    let hinted = words("other.yaml", &["--resume"]).assert_exit(2);
    assert_hint(&hinted, "--resume needs the same rules");
    run_with(&sandbox, then).assert_exit(0);
    sandbox.emulator.job_count()
}

/// A sandbox with a document whose job takes its time, and one whose job has failed: each `--retry-failed` pays for it
/// again.
fn slow_and_failed() -> Sandbox {
    let slow = Script::any().labels("invoice", 0.9);
    let sandbox = Sandbox::with(
        Config::default()
            .script(Script::file("broken*").fails("PDF_IS_BROKEN"))
            .script(slow.takes(Duration::from_secs(2))),
    );
    sandbox.file("docs/broken.txt", "no invoice");
    run(&sandbox, &["docs/broken.txt"]).assert_exit(3);
    sandbox
}

/// Runs over both documents, and interrupts the run while a job is open. Returns the output and the number of jobs.
fn interrupted(sandbox: &Sandbox, words: &[&str]) -> (CommandOutput, usize) {
    let child = start(sandbox, words);
    let pays_again = |word: &&str| ["--retry-failed", "--fresh"].contains(word);
    let jobs = if words.iter().any(pays_again) { 3 } else { 2 };
    sandbox.wait_until(|emulator| emulator.job_count() == jobs);
    sandbox.wait_for_poll();
    child.interrupt();
    (child.end().assert_exit(130), jobs)
}

const BOTH: [&str; 8] = [
    "classify",
    "run",
    "docs/bill.txt",
    "docs/broken.txt",
    "--rules",
    "rules.yaml",
    "--poll-interval",
    "50ms",
];

/// A run that is interrupted before its files are moved, and follows its hint. Returns the jobs that this adds to
/// one.
fn interrupted_move(flags: &[&'static str], follow: impl Fn(&mut Vec<&'static str>)) -> usize {
    let sandbox = slow_and_failed();
    let mut words = [&BOTH[..], &["--move-to", "sorted/{type}"], flags].concat();
    let (hinted, jobs) = interrupted(&sandbox, &words);
    assert_hint(&hinted, "to continue; nothing is charged twice");
    let mut lines = hinted.stderr.lines();
    let hint = lines.find(|line| line.contains("nothing is charged twice"));
    let before = words.len();
    follow(&mut words);
    let resumes = words.contains(&"--resume");
    assert_eq!(hint.unwrap().contains("--resume"), resumes, "{hinted:?}");
    let leaves_out = words.len() - usize::from(resumes) < before;
    assert_eq!(hint.unwrap().contains("without"), leaves_out, "{hinted:?}");
    sandbox.run(&words).assert_exit(3);
    assert!(sandbox.path().join("sorted/invoice/bill.txt").exists());
    1 + sandbox.emulator.job_count() - jobs
}

#[test]
fn resume_command_creates_no_second_job() {
    for flags in [
        &[][..],
        &["--journal", "j"],
        &["--retry-failed"],
        &["--journal", "j", "--retry-failed"],
        &["--journal", "j", "--fresh"],
    ] {
        let sandbox = slow_and_failed();
        let (stopped, jobs) = interrupted(&sandbox, &[&BOTH[..], flags].concat());
        let (_, command) = stopped.stderr.split_once("to resume: ").unwrap();
        let words: Vec<&str> = command.lines().next().unwrap().split(' ').collect();
        sandbox.run(&words[1..]).assert_exit(3);
        assert_eq!(sandbox.emulator.job_count(), jobs, "{flags:?}: {words:?}");
    }
}

/// A wait that is interrupted or reaches its deadline, of either version, and the command of its hint.
fn waited(interrupted: bool) -> usize {
    let mut counts = BTreeSet::new();
    for resource in ["classify", "classifier:jobs"] {
        let slow = Script::any().takes(Duration::from_secs(2));
        let sandbox = Sandbox::with(Config::default().script(slow));
        let created = if resource == "classify" {
            create(&sandbox, &["--configuration.rules", RULE_LIST])
        } else {
            let file = upload(&sandbox);
            let words = [
                "classifier:jobs",
                "create",
                "--no-stdin",
                "--file-id",
                &file,
            ];
            let rule = "{type: invoice, description: asks for payment of an amount}";
            sandbox.run(&[&words[..], &["--rule", rule]].concat())
        };
        let created = created.assert_exit(0).json();
        let id = created["id"].as_str().unwrap();
        let hinted = if interrupted {
            let gets = |emulator: &classify_emulator::Emulator| {
                emulator.count(Route::ClassifyGet) + emulator.count(Route::ClassifierGet)
            };
            let child = start(&sandbox, &[resource, "wait", id]);
            sandbox.wait_until(|emulator| gets(emulator) > 0);
            child.interrupt();
            child.end().assert_exit(130)
        } else {
            sandbox
                .run(&[resource, "wait", id, "--timeout", "0"])
                .assert_exit(8)
        };
        assert_hint(&hinted, "wait for it: ");
        let (_, command) = hinted
            .stderr
            .split_once("wait for it: llamacloud-prod ")
            .unwrap();
        let words: Vec<&str> = command.lines().next().unwrap().split_whitespace().collect();
        sandbox.run(&words).assert_exit(0);
        counts.insert(sandbox.emulator.job_count());
    }
    assert_eq!(counts.len(), 1, "{counts:?}");
    counts.into_iter().next().unwrap()
}

/// An emulator whose port is in use, and the command of its hint.
fn taken_port(stops_it: bool) -> usize {
    let sandbox = Sandbox::new();
    let port = sandbox.emulator.address().port().to_string();
    let hinted = run_to_end(bare_command(&["emulator", "--port", &port])).assert_exit(1);
    assert_hint(&hinted, &format!("another program uses port {port}"));
    let jobs = sandbox.emulator.job_count();
    let port = if stops_it {
        drop(sandbox);
        port
    } else {
        "0".to_owned()
    };
    let mut child = RunningCommand::start(bare_command(&["emulator", "--port", &port]));
    let mut line = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    child.kill();
    jobs
}
