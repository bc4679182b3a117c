//! Folders, globs and lists of `classify run`, and files that change or disappear during the run.

mod common;

use std::fs;
use std::path::Path;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use common::{CommandOutput, Sandbox, row, run_to_end, start, status_of, with_documents};
use serde_json::{Value, json};

const RULES: [&str; 2] = ["--rules", "rules.yaml"];

fn run(sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
    sandbox.run(&[&["classify", "run"][..], words, &RULES].concat())
}

fn paths(found: &CommandOutput) -> Vec<String> {
    let text = |row: &Value| row["path"].as_str().unwrap().to_owned();
    let mut paths: Vec<_> = found.lines().iter().map(text).collect();
    paths.sort();
    paths
}

/// Lock files of office programs, backups and unfinished downloads are not charged unless they are named.
#[test]
fn temporary_files_of_programs_are_skipped_in_folders_and_globs() {
    let sandbox = Sandbox::new();
    let temporary = [
        "~$letter.docx",
        "Thumbs.db",
        "DESKTOP.INI",
        "notes.txt~",
        "scan.pdf.part",
        "scan.pdf.crdownload",
        "__MACOSX/._scan.pdf",
        "__MACOSX/scan.pdf",
    ];
    let similar = [
        "a~$b.docx",
        "data.tmpl",
        "part",
        "thumbs.db.txt",
        "~tilde.txt",
    ];
    for name in temporary.iter().chain(&similar) {
        sandbox.file(&format!("inbox/{name}"), &format!("Invoice {name}"));
    }
    let mut expected = similar.map(|name| format!("inbox/{name}"));
    expected.sort();
    for input in ["inbox", "inbox/*"] {
        // The emulator reads no .docx.
        let found = run(&sandbox, &[input])
            .assert_exit(3)
            .assert_stderr("7 lock and temporary files skipped, such as inbox/")
            .assert_stderr("name a file to classify it");
        assert_eq!(paths(&found), expected, "{input}");
    }
    assert_eq!(sandbox.emulator.job_count(), expected.len());
    let named = run(&sandbox, &["inbox/~$letter.docx", "inbox/Thumbs.db"]).assert_exit(3);
    assert_eq!(paths(&named), ["inbox/Thumbs.db", "inbox/~$letter.docx"]);

    let plan = &run(&sandbox, &["inbox", "--dry-run"])
        .assert_exit(0)
        .lines()[0];
    assert_eq!(
        plan["skipped"],
        json!({"hidden": 0, "temporary": 7, "not_regular": 0, "excluded": 0})
    );
}

#[test]
fn exclude_and_include_choose_files_and_are_counted() {
    let sandbox = Sandbox::new();
    for name in [
        "a.csv",
        "b.md",
        "c.tmp",
        "drafts/d.csv",
        "sub/drafts/e.csv",
        ".hidden",
    ] {
        sandbox.file(&format!("inbox/{name}"), &format!("Invoice {name}"));
    }
    for (flags, expected) in [
        (
            &["--exclude", "drafts"][..],
            &["a.csv", "b.md", "c.tmp"][..],
        ),
        (
            &["--exclude", "drafts/*"],
            &["a.csv", "b.md", "c.tmp", "sub/drafts/e.csv"],
        ),
        (
            &["--include", "*.csv"],
            &["a.csv", "drafts/d.csv", "sub/drafts/e.csv"],
        ),
        (
            &[
                "--include",
                "*.csv",
                "--include",
                "*.md",
                "--exclude",
                "drafts/",
            ],
            &["a.csv", "b.md"],
        ),
    ] {
        let found = run(&sandbox, &[&["inbox"], flags].concat())
            .assert_exit(0)
            .assert_stderr("skipped by --exclude or --include");
        let expected: Vec<_> = expected
            .iter()
            .map(|name| format!("inbox/{name}"))
            .collect();
        assert_eq!(paths(&found), expected, "{flags:?}");
    }
    let words = [
        "inbox",
        "--exclude",
        "*.tmp",
        "--exclude",
        "drafts",
        "--dry-run",
    ];
    let plan = &run(&sandbox, &words).assert_exit(0).lines()[0];
    assert_eq!(
        plan["skipped"],
        json!({"hidden": 1, "temporary": 0, "not_regular": 0, "excluded": 3})
    );
    // A shell expands a glob to names, so the filters apply to names too.
    let found = run(
        &sandbox,
        &["inbox/a.csv", "inbox/c.tmp", "--exclude", "*.tmp"],
    );
    assert_eq!(paths(&found.assert_exit(0)), ["inbox/a.csv"]);
    run(&sandbox, &["inbox", "--include", "a{"])
        .assert_exit(2)
        .assert_stderr("--include: a{");
}

#[test]
fn dry_run_with_jsonl_lists_every_document() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "docs/copy.txt",
        "Invoice: the amount is due by Friday, payment by transfer.",
    );
    sandbox.file("docs/empty.txt", "");
    sandbox.file("docs/~$bill.txt", "lock");
    let found = run(
        &sandbox,
        &["docs", "dfl-1", "--dry-run", "--format", "jsonl"],
    )
    .assert_exit(0)
    .assert_stderr("\"temporary\":1");
    let plans: Vec<_> = found
        .lines()
        .iter()
        .map(|line| {
            (
                line["path"].clone(),
                line["plan"].clone(),
                line["bytes"].clone(),
            )
        })
        .collect();
    let line =
        |path: &str, plan: &str, bytes: Option<u64>| (json!(path), json!(plan), json!(bytes));
    assert_eq!(
        plans,
        [
            line("docs/bill.txt", "job", Some(58)),
            line("docs/copy.txt", "duplicate", Some(58)),
            line("docs/empty.txt", "unreadable", None),
            line("docs/soup.txt", "job", Some(58)),
            line("dfl-1", "job", None),
        ]
    );
    assert_eq!(found.lines()[2]["error"], "is empty: 0 bytes");
    assert_eq!(sandbox.emulator.request_count(), 0);
}

/// The size is known before anything is sent.
#[test]
fn document_above_size_limit_is_an_error_before_sending() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("docs/film.mov", "");
    // A sparse file takes no space.
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(512 * 1024 * 1024 + 1).unwrap();
    let plan = run(&sandbox, &["docs", "--dry-run"])
        .assert_exit(0)
        .assert_stderr("docs/film.mov is too large: 536870913 bytes");
    let plan = &plan.lines()[0];
    assert_eq!((&plan["jobs"], &plan["unreadable"]), (&json!(2), &json!(1)));
    let rows = run(&sandbox, &["docs"]).assert_exit(3).lines();
    let too_large = row(&rows, "docs/film.mov");
    assert_eq!(
        (&too_large["status"], &too_large["error_code"]),
        (&json!("ERROR"), &json!("content"))
    );
    assert_eq!(sandbox.emulator.count(Route::FileCreate), 2);
}

/// A nightly run over an inbox that the previous run emptied.
#[test]
fn empty_inbox_is_not_an_error_and_replaces_output() {
    let sandbox = Sandbox::new();
    let words = [
        "docs",
        "--move-to",
        "sorted/{type}",
        "--output",
        "labels.csv",
    ];
    run(&sandbox, &words).assert_exit(0);
    fs::remove_file(sandbox.path().join("labels.csv.journal")).unwrap();
    run(&sandbox, &words)
        .assert_exit(0)
        .assert_stderr("docs contains no documents");
    let output = fs::read_to_string(sandbox.path().join("labels.csv")).unwrap();
    assert_eq!(output.lines().count(), 1, "{output}");
    assert!(output.starts_with("path,status,"), "{output}");
    let words = ["docs/*.pdf", "--format", "json"];
    assert_eq!(run(&sandbox, &words).assert_exit(0).json(), json!([]));
    assert_eq!(sandbox.emulator.job_count(), 2);
}

#[test]
fn paths_are_read_from_a_file_and_from_stdin() {
    let sandbox = Sandbox::new();
    sandbox.file("lines.txt", "docs/bill.txt\r\n\r\ndocs/soup.txt\r\n");
    sandbox.file("nul.txt", "docs/bill.txt\0docs/soup.txt\0");
    let both = ["docs/bill.txt", "docs/soup.txt"];
    for list in ["lines.txt", "nul.txt"] {
        let found = run(&sandbox, &["--files-from", list]).assert_exit(0);
        assert_eq!(paths(&found), both, "{list}");
        for words in [&["-"][..], &["--files-from", "-"]] {
            let mut command = sandbox.command(&[&["classify", "run"][..], words, &RULES].concat());
            command.stdin(fs::File::open(sandbox.path().join(list)).unwrap());
            assert_eq!(
                paths(&run_to_end(command).assert_exit(0)),
                both,
                "{words:?}"
            );
        }
    }
    let found = run(&sandbox, &["docs/soup.txt", "--files-from", "lines.txt"]);
    assert_eq!(paths(&found.assert_exit(0)), both);
    run(&sandbox, &["--files-from", "gone.txt"])
        .assert_exit(2)
        .assert_stderr("the list of paths gone.txt cannot be read");
    sandbox.file("empty.txt", "\n");
    run(&sandbox, &["--files-from", "empty.txt"])
        .assert_exit(0)
        .assert_stderr("empty.txt contains no paths");
    // Far more than fits into a command line.
    let mut list = "docs/bill.txt\n".repeat(60_000);
    list.push_str("docs/no such file.txt\r\n");
    sandbox.file("long.txt", &list);
    let rows = run(&sandbox, &["--files-from", "long.txt"])
        .assert_exit(3)
        .lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(status_of(&rows, "docs/no such file.txt"), "ERROR");
}

/// A carriage return is invisible, so the error names it.
#[cfg(unix)]
#[test]
fn carriage_return_at_end_of_name_is_named() {
    let sandbox = Sandbox::new();
    let rows = run(&sandbox, &["docs/bill.txt\r"]).assert_exit(3).lines();
    let error = rows[0]["error"].as_str().unwrap();
    assert!(error.contains("carriage return"), "{error}");
}

/// A network share that disappears while documents are read or sent: none of its documents is finished, and the run
/// reports the error.
#[test]
fn files_gone_for_a_while_are_classified_by_the_resumed_run() {
    let sandbox = with_documents(Config::default(), 40);
    let down = Fault::Unavailable.always().on(Route::FileCreate);
    sandbox.emulator.set_faults(FaultSchedule::new().with(down));
    let words = ["docs", "--journal", "j", "--format", "json"];
    let child = start(
        &sandbox,
        &[&["classify", "run"][..], &words, &RULES].concat(),
    );
    // Many have been read, and none was accepted.
    sandbox.wait_until(|emulator| emulator.request_count() >= 8);
    let (docs, away) = (sandbox.path().join("docs"), sandbox.path().join("away"));
    fs::rename(&docs, &away).unwrap();
    sandbox.emulator.set_faults(FaultSchedule::new());
    let found = child
        .end()
        .assert_exit(3)
        .assert_stderr("5 documents in a row could not be read");
    let rows = found.json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 42);
    let failed: Vec<_> = rows.iter().filter(|row| row["status"] == "ERROR").collect();
    assert!(failed.len() >= 5, "{rows:?}");
    for row in failed {
        assert_eq!(row["error_code"], "content");
        let error = row["error"].as_str().unwrap();
        assert!(error.contains("No such file"), "{error}");
    }
    assert!(
        rows.iter().any(|row| row["status"] == "NOT_STARTED"),
        "{rows:?}"
    );

    fs::rename(&away, &docs).unwrap();
    let rows = run(&sandbox, &[&words[..], &["--resume"]].concat())
        .assert_exit(0)
        .json();
    assert_eq!(rows.as_array().unwrap().len(), 42);
    assert_eq!(sandbox.emulator.job_count(), 42);
}

/// Documents that could not be read are not final, so a run that stopped over the last of them can be resumed.
#[test]
fn run_that_stopped_over_its_last_documents_names_the_resume_command() {
    let sandbox = with_documents(Config::default(), 3);
    let down = Fault::Unavailable.always().on(Route::FileCreate);
    sandbox.emulator.set_faults(FaultSchedule::new().with(down));
    let words = ["docs", "--journal", "j", "--format", "json"];
    let child = start(
        &sandbox,
        &[&["classify", "run"][..], &words, &RULES].concat(),
    );
    sandbox.wait_until(|emulator| emulator.request_count() >= 5);
    let (docs, away) = (sandbox.path().join("docs"), sandbox.path().join("away"));
    fs::rename(&docs, &away).unwrap();
    sandbox.emulator.set_faults(FaultSchedule::new());
    let found = child.end().assert_exit(3);
    let rows = found.json();
    let mut rows = rows.as_array().unwrap().iter();
    assert!(rows.all(|row| row["status"] == "ERROR"), "{found:?}");
    let resume = found.error()["resume"].as_str().unwrap().to_owned();
    assert!(resume.ends_with("--resume"), "{resume}");
}

/// A resumed run over an empty list would replace the output by an empty one.
#[test]
fn resume_without_the_list_on_stdin_is_rejected_and_keeps_the_output() {
    let sandbox = Sandbox::new();
    sandbox.file("list", "docs/bill.txt\n");
    sandbox.file("empty", "");
    let over = |list: &str, more: &[&str]| {
        let words = ["classify", "run", "-", "--output", "rows.csv"];
        let mut command = sandbox.command(&[&words[..], &RULES, more].concat());
        command.stdin(fs::File::open(sandbox.path().join(list)).unwrap());
        run_to_end(command)
    };
    let rows = || fs::read_to_string(sandbox.path().join("rows.csv")).unwrap();
    over("list", &[]).assert_exit(0);
    let before = rows();
    over("empty", &["--resume"])
        .assert_exit(2)
        .assert_stderr("needs the same list again");
    assert_eq!(rows(), before);
    over("list", &["--resume"]).assert_exit(0);
    assert_eq!(rows(), before);
}

/// A copy with the same time and size, as of `cp -p`, and a link with another target.
#[cfg(unix)]
#[test]
fn file_replaced_by_one_of_same_size_and_time_is_not_sent_as_the_old() {
    use std::os::unix::fs::symlink;

    let sandbox = Sandbox::new();
    let old = sandbox.file("old.txt", "Invoice 1, due by Friday.");
    let new = sandbox.file("new.txt", "Recipe 2, cook for 1 hour.");
    let new_text = &fs::read_to_string(&new).unwrap()[..25];
    fs::write(&new, new_text).unwrap();
    let time = fs::metadata(&old).unwrap().modified().unwrap();
    let set_time = |path: &Path| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    set_time(&new);
    for is_link in [false, true] {
        let document = sandbox.path().join(format!("{is_link}.txt"));
        if is_link {
            symlink("old.txt", &document).unwrap();
        } else {
            fs::copy(&old, &document).unwrap();
            set_time(&document);
        }
        let down = Fault::Unavailable.always().on(Route::FileCreate);
        sandbox.emulator.set_faults(FaultSchedule::new().with(down));
        let before = sandbox.emulator.request_count();
        let words = [document.to_str().unwrap(), "--format", "json"];
        let child = start(
            &sandbox,
            &[&["classify", "run"][..], &words, &RULES].concat(),
        );
        sandbox.wait_until(|emulator| emulator.request_count() > before);
        let beside = sandbox.path().join("beside.txt");
        if is_link {
            symlink("new.txt", &beside).unwrap();
        } else {
            fs::copy(&new, &beside).unwrap();
            set_time(&beside);
        }
        fs::rename(&beside, &document).unwrap();
        sandbox.emulator.set_faults(FaultSchedule::new());
        let rows = child.end().assert_exit(3).json();
        let error = rows[0]["error"].as_str().unwrap();
        assert!(error.contains("changed since"), "{error}");
        assert_eq!(sandbox.emulator.job_count(), usize::from(is_link));

        let row = &run(&sandbox, &words).assert_exit(0).json()[0];
        assert_eq!(row["type"], "recipe");
        assert_eq!(sandbox.emulator.job_count(), 1);
    }
}

/// A URL is a document that cannot be read, also beside others and with characters of globs.
#[test]
fn url_in_place_of_a_path_is_an_error() {
    let sandbox = Sandbox::new();
    let url = "https://example.com/a.pdf?token=x";
    let found = run(&sandbox, &["docs/bill.txt", url])
        .assert_exit(3)
        .assert_stderr("a URL is not a path");
    let rows = found.lines();
    assert_eq!(status_of(&rows, url), "ERROR");
    assert_eq!(status_of(&rows, "docs/bill.txt"), "COMPLETED");
}

#[cfg(unix)]
#[test]
fn pipes_and_sockets_in_a_folder_are_noted() {
    let sandbox = Sandbox::new();
    let _socket =
        std::os::unix::net::UnixListener::bind(sandbox.path().join("docs/socket")).unwrap();
    run(&sandbox, &["docs"])
        .assert_exit(0)
        .assert_stderr("1 pipe, socket or device skipped, such as docs/socket");
    std::os::unix::fs::symlink("gone.txt", sandbox.path().join("docs/link.txt")).unwrap();
    let rows = run(&sandbox, &["docs"]).assert_exit(3).lines();
    assert_eq!(
        row(&rows, "docs/link.txt")["error"],
        "is a link to a path that does not exist"
    );
}

/// Names that are not UTF-8 are distinct in every format and are found again.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_written_reversibly_and_read_back() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let sandbox = Sandbox::new();
    let inbox = sandbox.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    for (name, text) in [
        (
            &b"\xe4.txt"[..],
            "Invoice: the amount is due by Friday, payment by transfer.",
        ),
        (
            b"\xf6.txt",
            "Recipe: cook the ingredients for an hour. A meal for four.",
        ),
        (
            b"\\xe4.txt",
            "Recipe: cook the ingredients for 2 hours. A meal for four.",
        ),
    ] {
        fs::write(inbox.join(OsStr::from_bytes(name)), text).unwrap();
    }
    let expected = ["inbox/\\x5cxe4.txt", "inbox/\\xe4.txt", "inbox/\\xf6.txt"];
    let found = run(&sandbox, &["inbox"]).assert_exit(0);
    assert_eq!(paths(&found), expected);
    let rows = found.lines();
    assert_eq!(row(&rows, expected[1])["type"], "invoice");

    // As labels, and as a list of paths.
    run(&sandbox, &["inbox", "--output", "rows.csv"]).assert_exit(0);
    let found = run(
        &sandbox,
        &["inbox", "--labels", "rows.csv", "--format", "table"],
    );
    found.assert_exit(0).assert_stderr("3 of 3");
    sandbox.file("list.txt", &format!("{}\n{}\n", expected[0], expected[2]));
    let found = run(&sandbox, &["--files-from", "list.txt"]).assert_exit(0);
    assert_eq!(paths(&found), [expected[0], expected[2]]);

    // A glob with such a byte.
    let mut command = sandbox.command(&["classify", "run"]);
    command.arg(OsStr::from_bytes(b"inbox/\xe4*")).args(RULES);
    assert_eq!(paths(&run_to_end(command).assert_exit(0)), &expected[1..2]);
    assert_eq!(sandbox.emulator.job_count(), 3);

    let mut command = sandbox.command(&["files", "create", "--purpose", "classify", "--file"]);
    command.arg(inbox.join(OsStr::from_bytes(b"\xe4.txt")));
    run_to_end(command).assert_exit(0);
}
