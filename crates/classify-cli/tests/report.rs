//! What `classify run` makes of its rows: what to review, the counts by type, and the page of `--report`.

mod common;

use std::fs;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use common::{Bench, RUN, bulk as run, interrupt, start};
use serde_json::Value;

/// Five documents of which three should be looked at.
fn bench() -> Bench {
    let bench = Bench::with(Config::default().scripts(vec![
        Script::file("bill*").labels("invoice", 0.93),
        Script::file("dim*").labels("invoice", 0.79),
        Script::file("even*").labels("recipe", 0.80),
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
    ]));
    for name in ["dim.txt", "even.txt", "torn.pdf"] {
        bench.file(&format!("docs/{name}"), name);
    }
    bench
}

fn page(bench: &Bench) -> String {
    fs::read_to_string(bench.path().join("report.html")).unwrap()
}

/// The documents of a page, from its first to its last.
fn documents(page: &str) -> Vec<&str> {
    page.split("<td class=\"document\"><bdi>")
        .skip(1)
        .map(|rest| rest.split_once('<').unwrap().0)
        .collect()
}

#[test]
fn what_is_not_sure_is_marked_in_every_format_and_only_when_asked_for() {
    let bench = bench();
    let of = |rows: &[Value], name: &str| {
        let row = rows
            .iter()
            .find(|row| row["path"].as_str().unwrap().ends_with(name));
        row.unwrap()["review"].clone()
    };
    let rows = run(&bench, &["--review-below", "0.8"]).ends(3).lines();
    for (name, review) in [
        ("bill.txt", false),
        ("dim.txt", true),
        // What reaches the threshold is not below it.
        ("even.txt", false),
        ("soup.txt", true),
        ("torn.pdf", true),
    ] {
        assert_eq!(of(&rows, name), review, "{name}");
    }
    let csv = run(&bench, &["--review-below", "0.8", "--format", "csv"])
        .ends(3)
        .stdout;
    assert!(csv.starts_with("path,status,type,confidence,reasoning,job_id,file_id,error,review\n"));
    assert_eq!(
        csv.lines().filter(|line| line.ends_with(",true")).count(),
        3
    );
    let table = run(&bench, &["--review-below", "0.8", "--format", "table"])
        .ends(3)
        .stdout;
    assert!(table.lines().nth(2).unwrap().contains("Review"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80));
    let rows = run(&bench, &[]).ends(3).lines();
    assert!(rows.iter().all(|row| row.get("review").is_none()));
    let requests = bench.emulator.request_count();
    for wrong in ["1.5", "nan", "much"] {
        run(&bench, &["--review-below", wrong])
            .ends(2)
            .complains("from 0 to 1");
    }
    assert_eq!(bench.emulator.request_count(), requests);
}

/// A terminal is what `script` of util-linux makes, which every Debian has.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_the_counts_by_type_and_a_quiet_one_does_not() {
    let bench = bench();
    let terminal = |more: &str| {
        let line = format!(
            "{} {} --review-below 0.8 {more} > rows.jsonl",
            env!("CARGO_BIN_EXE_llamacloud-prod"),
            RUN.join(" ")
        );
        let output = bench
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
            .current_dir(bench.path())
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
fn the_page_begins_with_what_to_review_and_has_every_document() {
    let bench = bench();
    let rows = run(
        &bench,
        &["--review-below", "0.8", "--report", "report.html"],
    )
    .ends(3)
    .lines();
    // The rows are told as ever, and the page is one file more.
    assert_eq!(rows.len(), 5);
    let page = page(&bench);
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
    assert!(!page.contains("emulator answered"));
    let left: Vec<_> = fs::read_dir(bench.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("report"))
        .collect();
    assert_eq!(left, ["report.html"]);
    // Without a threshold, in the order in which they were found.
    run(&bench, &["--report", "report.html"]).ends(3);
    let page = self::page(&bench);
    assert_eq!(documents(&page)[0], "docs/bill.txt");
    assert!(!page.contains("to review"));
}

#[test]
fn nothing_that_a_document_is_called_or_the_service_says_is_markup() {
    let reason = "</script><script>alert(1)</script><!-- \u{2028} \"'&amp;";
    let bench = Bench::with(Config::default().script(Script::any().labels_because(
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
        bench.file(&format!("docs/<x>/{name}"), name);
    }
    run(&bench, &["--report", "report.html"]).ends(0);
    let page = page(&bench);
    assert_eq!(documents(&page).len(), 7);
    let count = |part: &str| page.matches(part).count();
    assert_eq!((count("<script"), count("</script")), (1, 1));
    // The one comment is the template's.
    assert_eq!(
        (count("<!--"), count("<img"), count("<b "), count("<x>")),
        (1, 0, 0, 0)
    );
    assert!(page.contains("docs/&lt;x&gt;/a\u{240a}b.txt"));
    assert!(page.contains("請求書") && page.contains("{{style}}.txt"));
}

#[test]
fn a_run_that_stops_early_writes_what_it_knows() {
    let faults =
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate));
    let bench = Bench::with(Config::default().faults(faults));
    run(&bench, &["--max-in-flight", "1", "--report", "report.html"]).ends(5);
    let page = page(&bench);
    assert!(page.contains("The run was not finished"), "{page}");
    assert_eq!(documents(&page).len(), 2);
    assert!(page.contains("NOT_STARTED"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_its_page_and_moves_nothing() {
    let bench = Bench::with(Config::default().scripts(vec![
        Script::file("stuck*").never_ends(),
        Script::any().labels("invoice", 0.9),
    ]));
    bench.file("docs/stuck.txt", "never ends");
    let words = ["--report", "report.html", "--move-to", "sorted/{type}"];
    let words = [&RUN[..], &words].concat();
    let child = start(&bench, &words);
    bench.until(|emulator| {
        let jobs = emulator.jobs();
        jobs.iter().filter(|job| job.status == "COMPLETED").count() == 2 && jobs.len() == 3
    });
    bench.until_looked_at();
    let said = interrupt(child).ends(130);
    let page = page(&bench);
    assert!(page.contains("The run was not finished") && page.contains("To go on: "));
    assert!(
        page.contains("OPEN") && page.contains("2 matched"),
        "{page}"
    );
    assert_eq!(documents(&page).len(), 3);
    assert!(!bench.path().join("sorted").exists());
    assert!(bench.path().join("docs/bill.txt").exists());
    assert!(said.stderr.contains("left where they were"), "{said:?}");
}

#[test]
fn a_page_that_cannot_be_is_refused_before_anything_is_sent() {
    let bench = bench();
    bench.file("old.html", "old");
    for (words, part) in [
        (
            &["--report", "nowhere/report.html"][..],
            "there is no such folder",
        ),
        (&["--report", "docs"], "no name for a file"),
        (
            &["--report", "x.csv", "--output", "x.csv"],
            "are the same file",
        ),
    ] {
        run(&bench, words).ends(2).complains(part);
    }
    fs::create_dir(bench.path().join("empty")).unwrap();
    bench
        .run(&[
            "classify",
            "run",
            "empty",
            "--rules",
            "rules.yaml",
            "--report",
            "old.html",
        ])
        .ends(2)
        .complains("there are no documents");
    assert_eq!(bench.emulator.request_count(), 0);
    assert_eq!(
        fs::read_to_string(bench.path().join("old.html")).unwrap(),
        "old"
    );
}

#[test]
fn a_page_among_the_documents_is_none_of_them() {
    let bench = bench();
    for _ in 0..2 {
        let rows = run(&bench, &["--report", "docs/report.html"])
            .ends(3)
            .lines();
        assert_eq!(rows.len(), 5);
    }
}

#[cfg(unix)]
#[test]
fn a_page_that_cannot_be_written_is_told_beside_how_the_run_ended() {
    let bench = Bench::with(Config::default().script(Script::file("soup*").never_ends()));
    let words = [&RUN[..], &["--report", "report.html"]].concat();
    let child = start(&bench, &words);
    bench.until(|emulator| emulator.job_count() == 2);
    // Somebody puts a folder in its place while the run is under way.
    fs::create_dir(bench.path().join("report.html")).unwrap();
    let said = interrupt(child)
        .ends(130)
        .complains("--report: ")
        .complains("report.html is a folder")
        .complains("to go on: ");
    assert_eq!(said.stdout.lines().count(), 2);
    let left = fs::read_dir(bench.path()).unwrap().count();
    assert_eq!(left, 3, "docs, rules.yaml, report.html");
}

#[test]
fn a_shard_reports_its_own_documents() {
    let bench = bench();
    let mut seen = 0;
    for shard in ["1/2", "2/2"] {
        bench.run(&[&RUN[..], &["--shard", shard, "--report", "report.html"]].concat());
        seen += documents(&page(&bench)).len();
    }
    assert_eq!(seen, 5);
}

#[test]
fn a_run_that_goes_on_reports_what_an_earlier_one_settled() {
    let bench = Bench::with(
        Config::default().script(
            Script::any()
                .takes(Duration::from_millis(10))
                .labels("invoice", 0.9),
        ),
    );
    let words = ["--journal", "j", "--resume", "--report", "report.html"];
    run(&bench, &words).ends(0);
    bench.file("docs/new.txt", "new");
    run(&bench, &words).ends(0);
    assert_eq!(documents(&page(&bench)).len(), 3);
    assert_eq!(bench.emulator.job_count(), 3);
}
