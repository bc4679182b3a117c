//! Review marks, counts by type, and the page of `--report` of `classify run`.

mod common;

use std::fs;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{RUN, Sandbox, interrupt, run_bulk as run, start};
use serde_json::Value;

/// Five documents, three of them to review.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("dim*").labels("invoice", 0.79),
        Script::file("even*").labels("recipe", 0.80),
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
    ]));
    for name in ["dim.txt", "even.txt", "torn.pdf"] {
        sandbox.file(&format!("docs/{name}"), name);
    }
    sandbox
}

fn page(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path().join("report.html")).unwrap()
}

/// The documents of a page, from its first to its last.
fn documents(page: &str) -> Vec<&str> {
    page.split("<td class=\"document\">")
        .skip(1)
        .map(|rest| {
            let (_, name) = rest.split_once("<bdi>").unwrap();
            name.split_once('<').unwrap().0
        })
        .collect()
}

/// The links of a page, from its first to its last.
fn links(page: &str) -> Vec<&str> {
    page.split("<a href=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect()
}

#[test]
fn review_below_marks_uncertain_rows_in_every_format() {
    let sandbox = sandbox();
    let of = |rows: &[Value], name: &str| {
        let row = rows
            .iter()
            .find(|row| row["path"].as_str().unwrap().ends_with(name));
        row.unwrap()["review"].clone()
    };
    let rows = run(&sandbox, &["--review-below", "0.8"])
        .assert_exit(3)
        .lines();
    for (name, review) in [
        ("bill.txt", false),
        ("dim.txt", true),
        // A confidence equal to the threshold is not below it.
        ("even.txt", false),
        ("soup.txt", true),
        ("torn.pdf", true),
    ] {
        assert_eq!(of(&rows, name), review, "{name}");
    }
    let csv = run(&sandbox, &["--review-below", "0.8", "--format", "csv"])
        .assert_exit(3)
        .stdout;
    assert!(csv.starts_with("path,status,type,confidence,reasoning,job_id,file_id,error,review\n"));
    assert_eq!(
        csv.lines().filter(|line| line.ends_with(",true")).count(),
        3
    );
    let table = run(&sandbox, &["--review-below", "0.8", "--format", "table"])
        .assert_exit(3)
        .stdout;
    assert!(table.lines().nth(2).unwrap().contains("Review"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80));
    let rows = run(&sandbox, &[]).assert_exit(3).lines();
    assert!(rows.iter().all(|row| row.get("review").is_none()));
    let requests = sandbox.emulator.request_count();
    for wrong in ["1.5", "nan", "much"] {
        run(&sandbox, &["--review-below", wrong])
            .assert_exit(2)
            .assert_stderr("from 0 to 1");
    }
    assert_eq!(sandbox.emulator.request_count(), requests);
}

/// The terminal is that of `script` of util-linux, which is part of Debian.
#[cfg(target_os = "linux")]
#[test]
fn type_counts_are_shown_on_terminal_unless_quiet() {
    let sandbox = sandbox();
    let terminal = |more: &str| {
        let line = format!(
            "{} {} --review-below 0.8 {more} > rows.jsonl",
            env!("CARGO_BIN_EXE_llamacloud-prod"),
            RUN.join(" ")
        );
        let output = sandbox
            .command(&[])
            .get_envs()
            .fold(
                std::process::Command::new("script"),
                |mut command, (name, value)| {
                    if let Some(value) = value {
                        command.env(name, value);
                    }
                    command
                },
            )
            .current_dir(sandbox.path())
            .env("SHELL", "/bin/sh")
            .args(["-qec", &line, "/dev/null"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = terminal("");
    let words = |kind: &str| -> Vec<&str> {
        let lines = shown.lines().map(str::trim_end);
        let mut lines = lines.filter(|line| line.starts_with(kind));
        lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect()
    };
    assert_eq!(
        words("invoice"),
        ["invoice", "2", "40.0", "%", "0.86", "0.79"],
        "{shown}"
    );
    assert_eq!(
        words("recipe"),
        ["recipe", "1", "20.0", "%", "0.80", "0.80"]
    );
    assert_eq!(words("no match")[..3], ["no", "match", "1"]);
    assert_eq!(words("FAILED"), ["FAILED", "1", "20.0", "%"]);
    assert!(shown.contains("to review: 3 of 5"), "{shown}");
    let quiet = terminal("--quiet");
    assert!(
        !quiet.contains("invoice") && !quiet.contains("review"),
        "{quiet}"
    );
}

#[test]
fn report_page_lists_documents_to_review_first() {
    let sandbox = sandbox();
    let rows = run(
        &sandbox,
        &["--review-below", "0.8", "--report", "report.html"],
    )
    .assert_exit(3)
    .lines();
    // The rows are printed as usual, and the page is one more file.
    assert_eq!(rows.len(), 5);
    let page = page(&sandbox);
    assert_eq!(
        documents(&page),
        [
            "docs/torn.pdf",
            "docs/soup.txt",
            "docs/dim.txt",
            "docs/bill.txt",
            "docs/even.txt"
        ]
    );
    assert!(!page.contains("The run was not finished"));
    assert!(page.contains("PDF_IS_BROKEN"));
    assert!(!page.contains("from a local emulator"));
    let left: Vec<_> = fs::read_dir(sandbox.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("report"))
        .collect();
    assert_eq!(left, ["report.html"]);
    // Without a threshold, in the order in which they were found.
    run(&sandbox, &["--report", "report.html"]).assert_exit(3);
    let page = self::page(&sandbox);
    assert_eq!(documents(&page)[0], "docs/bill.txt");
    assert!(!page.contains("to review"));
}

#[test]
fn report_page_escapes_file_names_and_service_text() {
    let reason = "</script><script>alert(1)</script><!-- \u{2028} \"'&amp;";
    let sandbox = Sandbox::with(Config::default().script(Script::any().labels_because(
        "<b onclick=x>",
        0.9,
        reason,
    )));
    for name in [
        "\"><img src=x onerror=alert(1)>.txt",
        "<!--.txt",
        "a\nb.txt",
        "{{style}}.txt",
        "größe 請求書.txt",
    ] {
        sandbox.file(&format!("docs/<x>/{name}"), name);
    }
    run(&sandbox, &["--report", "report.html"]).assert_exit(0);
    let page = page(&sandbox);
    assert_eq!(documents(&page).len(), 7);
    let count = |part: &str| page.matches(part).count();
    assert_eq!((count("<script"), count("</script")), (1, 1));
    // The only comment is that of the template.
    assert_eq!(
        (count("<!--"), count("<img"), count("<b "), count("<x>")),
        (1, 0, 0, 0)
    );
    assert!(page.contains("docs/&lt;x&gt;/a\u{240a}b.txt"));
    assert!(page.contains("請求書") && page.contains("{{style}}.txt"));
}

#[test]
fn report_page_links_documents_that_exist() {
    let sandbox = sandbox();
    sandbox.file("docs/page.html", "<script>alert(1)</script> Invoice");
    sandbox.file("docs/a 100%.txt", "Invoice: the amount is due.");
    run(&sandbox, &["--report", "report.html"]).assert_exit(3);
    let page_links = page(&sandbox);
    let mut found = links(&page_links);
    found.sort_unstable();
    // Not the HTML page, which could run scripts.
    assert_eq!(
        found,
        [
            "./docs/a%20100%25.txt",
            "./docs/bill.txt",
            "./docs/dim.txt",
            "./docs/even.txt",
            "./docs/soup.txt",
            "./docs/torn.pdf"
        ]
    );
}

#[test]
fn report_page_links_moved_documents_at_their_new_path() {
    let sandbox = Sandbox::with(Config::default().script(Script::any().labels("invoice", 0.93)));
    let words = [
        "--report",
        "docs/report.html",
        "--move-to",
        "sorted/{type}/",
    ];
    run(&sandbox, &words).assert_exit(0);
    let page = fs::read_to_string(sandbox.path().join("docs/report.html")).unwrap();
    let found = links(&page);
    assert_eq!(found.len(), 2, "{found:?}");
    for (link, name) in found.iter().zip(["bill.txt", "soup.txt"]) {
        assert!(link.starts_with("file:///"), "{link}");
        assert!(link.ends_with(&format!("/sorted/invoice/{name}")), "{link}");
    }
}

#[test]
fn report_page_of_stopped_run_lists_unstarted_documents() {
    let faults =
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate));
    let sandbox = Sandbox::with(Config::default().faults(faults));
    run(
        &sandbox,
        &["--max-in-flight", "1", "--report", "report.html"],
    )
    .assert_exit(5);
    let page = page(&sandbox);
    assert!(page.contains("The run was not finished"), "{page}");
    assert_eq!(documents(&page).len(), 2);
    assert!(page.contains("NOT_STARTED"));
}

#[cfg(unix)]
#[test]
fn interrupt_writes_report_page_and_moves_no_files() {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("stuck*").never_ends(),
        Script::any().labels("invoice", 0.9),
    ]));
    sandbox.file("docs/stuck.txt", "never ends");
    let words = ["--report", "report.html", "--move-to", "sorted/{type}"];
    let words = [&RUN[..], &words].concat();
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| {
        let jobs = emulator.jobs();
        jobs.iter().filter(|job| job.status == "COMPLETED").count() == 2 && jobs.len() == 3
    });
    sandbox.wait_for_poll();
    let result = interrupt(child).assert_exit(130);
    let page = page(&sandbox);
    assert!(page.contains("The run was not finished") && page.contains("To resume: "));
    assert!(
        page.contains("OPEN") && page.contains("2 matched"),
        "{page}"
    );
    assert_eq!(documents(&page).len(), 3);
    assert!(!sandbox.path().join("sorted").exists());
    assert!(sandbox.path().join("docs/bill.txt").exists());
    assert!(result.stderr.contains("not moved"), "{result:?}");
}

#[test]
fn report_path_invalid_is_rejected_before_any_request() {
    let sandbox = sandbox();
    sandbox.file("old.html", "old");
    for (words, part) in [
        (
            &["--report", "nowhere/report.html"][..],
            "the folder does not exist",
        ),
        (&["--report", "docs"], "is not a file name"),
        (
            &["--report", "x.csv", "--output", "x.csv"],
            "are the same file",
        ),
    ] {
        run(&sandbox, words).assert_exit(2).assert_stderr(part);
    }
    sandbox
        .run(&[
            "classify",
            "run",
            "*.pdf",
            "--rules",
            "rules.yaml",
            "--report",
            "old.html",
        ])
        .assert_exit(2)
        .assert_stderr("no documents found");
    assert_eq!(sandbox.emulator.request_count(), 0);
    assert_eq!(
        fs::read_to_string(sandbox.path().join("old.html")).unwrap(),
        "old"
    );
}

#[test]
fn report_page_inside_input_folder_is_not_a_document() {
    let sandbox = sandbox();
    for _ in 0..2 {
        let rows = run(&sandbox, &["--report", "docs/report.html"])
            .assert_exit(3)
            .lines();
        assert_eq!(rows.len(), 5);
    }
}

#[cfg(unix)]
#[test]
fn report_page_write_failure_is_reported_after_interrupt() {
    let sandbox = Sandbox::with(Config::default().script(Script::file("soup*").never_ends()));
    let words = [&RUN[..], &["--report", "report.html"]].concat();
    let child = start(&sandbox, &words);
    sandbox.wait_until(|emulator| emulator.job_count() == 2);
    // A folder is created at its path during the run.
    fs::create_dir(sandbox.path().join("report.html")).unwrap();
    let result = interrupt(child)
        .assert_exit(130)
        .assert_stderr("--report: ")
        .assert_stderr("report.html is a folder")
        .assert_stderr("to resume: ");
    assert_eq!(result.stdout.lines().count(), 2);
    let left = fs::read_dir(sandbox.path()).unwrap().count();
    assert_eq!(left, 3, "docs, rules.yaml, report.html");
}

#[test]
fn report_page_of_shard_lists_its_own_documents() {
    let sandbox = sandbox();
    let mut document_count = 0;
    for shard in ["1/2", "2/2"] {
        sandbox.run(&[&RUN[..], &["--shard", shard, "--report", "report.html"]].concat());
        document_count += documents(&page(&sandbox)).len();
    }
    assert_eq!(document_count, 5);
}

#[test]
fn report_page_after_resume_includes_earlier_results() {
    let sandbox = Sandbox::with(
        Config::default().script(
            Script::any()
                .takes(Duration::from_millis(10))
                .labels("invoice", 0.9),
        ),
    );
    let words = ["--journal", "j", "--resume", "--report", "report.html"];
    run(&sandbox, &words).assert_exit(0);
    sandbox.file("docs/new.txt", "new");
    run(&sandbox, &words).assert_exit(0);
    assert_eq!(documents(&page(&sandbox)).len(), 3);
    assert_eq!(sandbox.emulator.job_count(), 3);
}

#[test]
fn review_below_marks_implausible_results_with_reason() {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("soup*").labels("stew", 0.97),
    ]));
    let output = run(&sandbox, &["--output", "rows.jsonl"]).assert_exit(0);
    assert!(
        output
            .stderr
            .contains("no rule has the type: docs/soup.txt"),
        "{output:?}"
    );
    // As a service would report percents.
    let journal = sandbox.path().join("rows.jsonl.journal");
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.contains("0.93"), "{text}");
    std::fs::write(&journal, text.replace("0.93", "93.0")).unwrap();
    let words = [
        "--output",
        "rows.jsonl",
        "--resume",
        "--review-below",
        "0.8",
        "--report",
        "report.html",
        "--move-to",
        "sorted/{type}/",
    ];
    let output = run(&sandbox, &words)
        .assert_exit(0)
        .assert_stderr("warning: the confidence is not from 0 to 1, to review: docs/bill.txt")
        .assert_stderr("warning: no rule has the type, to review: docs/soup.txt");
    let rows = std::fs::read_to_string(sandbox.path().join("rows.jsonl")).unwrap();
    assert_eq!(
        rows.matches("\"review\":true").count(),
        2,
        "{output:?} {rows}"
    );
    assert!(sandbox.path().join("docs/bill.txt").exists());
    let page = std::fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    assert!(page.contains("review: the confidence is not from 0 to 1"));
    assert!(page.contains("review: no rule has the type"));
}
