//! `classify run --move-to` and `--copy-to`: files are sorted into folders by type, and no file is lost.

mod common;

use std::fs;
use std::path::Path;

use classify_emulator::{Config, Route, Script};
use common::{CommandOutput, Sandbox, run_bulk as run, run_to_end};
use serde_json::Value;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
        Script::file("dim*").labels("invoice", 0.5),
        Script::file("stew*").labels("recipe", 0.9),
        Script::any().labels("invoice", 0.9),
    ]));
    sandbox.file("docs/torn.pdf", "no pdf");
    sandbox.file("docs/sub/stew.txt", "stew");
    sandbox
}

/// A shell expands `~` only without quotes.
#[test]
fn destination_with_unexpanded_home_is_rejected() {
    let sandbox = Sandbox::new();
    for flag in ["--move-to", "--copy-to"] {
        let words = [&common::RUN[..], &[flag, "~/sorted/{type}/"]].concat();
        sandbox.run(&words).assert_exit(2).assert_stderr("$HOME");
    }
    assert!(!sandbox.path().join("~").exists());
    assert_eq!(sandbox.emulator.job_count(), 0);
}

/// All files below a folder, with their content.
fn tree(sandbox: &Sandbox, folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    let root = sandbox.path().join(folder);
    walk(&root, &root, &mut found);
    found.sort();
    found
}

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    tree(sandbox, folder)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

fn row(output: &CommandOutput, path: &str) -> Value {
    let rows = output.lines();
    let row = rows.iter().find(|row| row["path"] == path);
    row.unwrap_or_else(|| panic!("{path} has no row")).clone()
}

const MOVE: [&str; 2] = ["--move-to", "sorted/{type}/"];
const COPY: [&str; 2] = ["--copy-to", "sorted/{type}/"];

#[test]
fn move_files_moves_documents_with_type_and_leaves_others() {
    let sandbox = sandbox();
    let found = run(&sandbox, &MOVE)
        .assert_exit(3)
        .assert_stderr("files: 2 moved, 2 kept (1 without a match, 1 without a result)");
    assert_eq!(
        names(&sandbox, "sorted"),
        ["invoice/bill.txt", "recipe/stew.txt"]
    );
    assert_eq!(names(&sandbox, "docs"), ["soup.txt", "torn.pdf"]);
    assert_eq!(
        row(&found, "docs/bill.txt")["moved_to"],
        "sorted/invoice/bill.txt"
    );
    let soup = row(&found, "docs/soup.txt");
    assert!(soup["moved_to"].is_null() && soup.get("moved_to").is_some());
    // Rows wait for their files, and come in the order in which they were found.
    let paths: Vec<_> = found
        .lines()
        .iter()
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .collect();
    assert!(paths.is_sorted(), "{paths:?}");
}

#[test]
fn copy_files_keeps_source_and_copies_once() {
    let sandbox = sandbox();
    let before = tree(&sandbox, "docs");
    let csv = run(&sandbox, &[&COPY[..], &["--format", "csv"]].concat()).assert_exit(3);
    assert!(
        csv.stdout
            .lines()
            .next()
            .unwrap()
            .ends_with(",error,copied_to")
    );
    assert!(csv.stdout.contains(",sorted/invoice/bill.txt\n"));
    let again = run(&sandbox, &COPY)
        .assert_exit(3)
        .assert_stderr("files: 0 copied, 2 already there with the same content");
    assert_eq!(
        row(&again, "docs/bill.txt")["copied_to"],
        "sorted/invoice/bill.txt"
    );
    assert_eq!(tree(&sandbox, "docs"), before);
    assert_eq!(names(&sandbox, "sorted").len(), 2);
    run(&sandbox, &[&COPY[..], &MOVE[..]].concat()).assert_exit(2);
}

#[test]
fn move_files_overwrites_and_loses_nothing() {
    let sandbox = sandbox();
    sandbox.file("sorted/invoice/bill.txt", "theirs");
    sandbox.file("docs/a/bill.txt", "another bill");
    sandbox.file("docs/b/bill.txt", "another bill");
    let odd = "<script>/odd \"größe\" \n 請求書 [1].txt";
    sandbox.file("docs/c.d/bill", "no extension");
    sandbox.file(&format!("docs/odd/{odd}"), "odd");
    let mut all = tree(&sandbox, "docs");
    all.extend(tree(&sandbox, "sorted"));
    run(&sandbox, &MOVE).assert_exit(3);
    let mut left = tree(&sandbox, "docs");
    left.extend(tree(&sandbox, "sorted"));
    let contents = |tree: &[(String, String)]| {
        let mut texts: Vec<_> = tree.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    };
    assert_eq!(contents(&all), contents(&left));
    let sorted = tree(&sandbox, "sorted");
    let text = |name: &str| {
        let file = sorted.iter().find(|(found, _)| found == name);
        file.unwrap_or_else(|| panic!("{sorted:?}")).1.clone()
    };
    assert_eq!(text("invoice/bill.txt"), "theirs");
    assert_eq!(text("invoice/bill (2).txt"), "another bill");
    assert_eq!(text("invoice/bill (3).txt"), "another bill");
    assert_eq!(text("invoice/bill"), "no extension");
    assert!(text("invoice/bill (4).txt").starts_with("Invoice"));
}

#[test]
fn move_files_unsafe_type_stays_inside_destination() {
    let types = [
        "../../escaped",
        "/escaped",
        "..",
        "a/b",
        "nul",
        "  ",
        "x\0y",
        ".git",
    ];
    let scripts = types
        .iter()
        .enumerate()
        .map(|(nth, label)| Script::file(&format!("{nth}.txt")).labels(label, 0.9));
    let sandbox = Sandbox::with(Config::default().scripts(scripts.collect()));
    for nth in 0..types.len() {
        sandbox.file(&format!("in/{nth}.txt"), &format!("document {nth}"));
    }
    let words = [
        "classify",
        "run",
        "in",
        "--rules",
        "rules.yaml",
        "--move-to",
        "deep/er/{type}",
        "--poll-interval",
        "50ms",
        "--rate-limit",
        "10000/s",
    ];
    let found = sandbox
        .run(&words)
        .assert_exit(0)
        .assert_stderr("is not a valid folder name");
    assert_eq!(
        names(&sandbox, "deep/er"),
        [
            "_._.._escaped/0.txt",
            "_/5.txt",
            "__/2.txt",
            "_escaped/1.txt",
            "_git/7.txt",
            "_nul/4.txt",
            "a_b/3.txt",
            "x_y/6.txt"
        ],
        "{found:?}"
    );
    assert!(names(&sandbox, "in").is_empty());
}

#[test]
fn move_files_invalid_template_is_rejected_before_any_request() {
    let sandbox = sandbox();
    for (template, part) in [
        ("sorted/{label}/", "{label} is unknown"),
        ("sorted/", "sorted/{type}/"),
        ("sorted/{type", "not closed"),
    ] {
        for flag in ["--move-to", "--copy-to"] {
            run(&sandbox, &[flag, template])
                .assert_exit(2)
                .assert_stderr(part);
            run(&sandbox, &[flag, template, "--dry-run"]).assert_exit(2);
        }
    }
    run(&sandbox, &[&MOVE[..], &["--dry-run"]].concat()).assert_exit(0);
    assert_eq!(sandbox.emulator.request_count(), 0);
    assert!(!sandbox.path().join("sorted").exists());
}

#[test]
fn move_files_skips_documents_to_review_and_ids() {
    let sandbox = sandbox();
    sandbox.file("docs/dim.txt", "dim");
    let id = run(&sandbox, &[]).assert_exit(3);
    let id = row(&id, "docs/bill.txt")["file_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = run(
        &sandbox,
        &[&MOVE[..], &["--review-below", "0.8", &id]].concat(),
    )
    .assert_exit(3)
    .assert_stderr("1 given by id")
    .assert_stderr("1 to review");
    assert_eq!(row(&found, "docs/dim.txt")["moved_to"], Value::Null);
    assert!(sandbox.path().join("docs/dim.txt").exists());
    assert!(!sandbox.path().join("docs/bill.txt").exists());
}

#[test]
fn move_files_failure_does_not_stop_other_moves() {
    let sandbox = Sandbox::with(Config::default().scripts(vec![
        Script::file("soup*").labels("recipe", 0.9),
        Script::any().labels("invoice", 0.9),
    ]));
    // There is a file at the path of the folder.
    sandbox.file("sorted/invoice", "in the way");
    let words = [&MOVE[..], &["--format", "json", "--output", "rows.json"]].concat();
    let found = run(
        &sandbox,
        &[&words[..], &["--report", "report.html"]].concat(),
    )
    .assert_exit(3)
    .assert_stderr("docs/bill.txt was not moved: sorted/invoice")
    .assert_stderr("1 file was not moved");
    assert_eq!(found.error()["kind"], "partial");
    assert!(sandbox.path().join("docs/bill.txt").exists());
    assert!(sandbox.path().join("sorted/recipe/soup.txt").exists());
    let rows = fs::read_to_string(sandbox.path().join("rows.json")).unwrap();
    let rows: Value = serde_json::from_str(&rows).unwrap();
    // It has a result anyway.
    assert_eq!(rows[0]["status"], "COMPLETED");
    assert_eq!(rows[0]["moved_to"], Value::Null);
    assert_eq!(rows[1]["moved_to"], "sorted/recipe/soup.txt");
    let page = fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    assert!(page.contains("failed: sorted/invoice"), "{page}");
    assert!(!page.contains("The run was not finished"));
}

#[test]
fn move_files_destination_inside_input_folder_is_not_read_again() {
    for flag in ["--move-to", "--copy-to"] {
        let sandbox = sandbox();
        let words = [flag, "docs/sorted/{type}"];
        run(&sandbox, &words).assert_exit(3);
        let once = tree(&sandbox, "docs");
        let jobs = sandbox.emulator.job_count();
        let again = run(&sandbox, &words)
            .assert_exit(3)
            .assert_stderr("skipped ");
        assert!(
            again
                .lines()
                .iter()
                .all(|row| { !row["path"].as_str().unwrap().contains("sorted") })
        );
        assert_eq!(tree(&sandbox, "docs"), once, "{flag}");
        assert_eq!(sandbox.emulator.job_count(), jobs);
    }
    // If the destination is the folder that is read, files that are in place stay there.
    let sandbox = sandbox();
    run(&sandbox, &["--move-to", "docs/{type}"]).assert_exit(3);
    let once = tree(&sandbox, "docs");
    run(&sandbox, &["--move-to", "docs/{type}"])
        .assert_exit(3)
        .assert_stderr("2 already in place");
    assert_eq!(tree(&sandbox, "docs"), once);
}

#[test]
fn move_files_after_resume_moves_remaining_files() {
    let sandbox = sandbox();
    let journal = ["--journal", "j", "--resume"];
    run(&sandbox, &journal).assert_exit(3);
    let creates = sandbox.emulator.count(Route::ClassifyCreate);
    let first = run(&sandbox, &[&journal[..], &MOVE].concat()).assert_exit(3);
    assert_eq!(first.lines().len(), 4);
    assert_eq!(names(&sandbox, "sorted").len(), 2);
    sandbox.file("docs/new.txt", "new");
    let second = run(&sandbox, &[&journal[..], &MOVE].concat()).assert_exit(3);
    // Moved files are no longer in the folder, and so not in the rows.
    assert_eq!(second.lines().len(), 3);
    assert_eq!(names(&sandbox, "sorted").len(), 3);
    assert_eq!(sandbox.emulator.count(Route::ClassifyCreate), creates + 1);
}

#[test]
fn move_files_works_with_in_process_emulator() {
    let sandbox = Sandbox::new();
    let words = [
        "classify",
        "run",
        "docs",
        "--rules",
        "rules.yaml",
        "--emulator",
        "--move-to",
        "{type}",
    ];
    let mut command = common::bare_command(&words);
    command.current_dir(sandbox.path());
    run_to_end(command)
        .assert_exit(0)
        .assert_stderr("files: 2 moved");
    assert!(sandbox.path().join("invoice/bill.txt").exists());
    assert!(sandbox.path().join("recipe/soup.txt").exists());
}
