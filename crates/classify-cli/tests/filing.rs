//! `classify run --move-to` and `--copy-to`: files into folders by their labels, and no file lost on the way.

mod common;

use std::fs;
use std::path::Path;

use classify_emulator::{Config, Route, Script};
use common::{Bench, Said, bulk as run, said};
use serde_json::Value;

fn bench() -> Bench {
    let bench = Bench::with(Config::default().scripts(vec![
        Script::file("soup*").matches_nothing(),
        Script::file("torn*").fails("PDF_IS_BROKEN"),
        Script::file("dim*").labels("invoice", 0.5),
        Script::file("stew*").labels("recipe", 0.9),
        Script::any().labels("invoice", 0.9),
    ]));
    bench.file("docs/torn.pdf", "no pdf");
    bench.file("docs/sub/stew.txt", "stew");
    bench
}

/// All files below a folder, with what is in them.
fn tree(bench: &Bench, folder: &str) -> Vec<(String, String)> {
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
    let root = bench.path().join(folder);
    walk(&root, &root, &mut found);
    found.sort();
    found
}

fn names(bench: &Bench, folder: &str) -> Vec<String> {
    tree(bench, folder)
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

fn row(said: &Said, path: &str) -> Value {
    let rows = said.lines();
    let row = rows.iter().find(|row| row["path"] == path);
    row.unwrap_or_else(|| panic!("{path} has no row")).clone()
}

const MOVE: [&str; 2] = ["--move-to", "sorted/{type}/"];
const COPY: [&str; 2] = ["--copy-to", "sorted/{type}/"];

#[test]
fn files_with_a_type_are_moved_and_all_others_stay() {
    let bench = bench();
    let found = run(&bench, &MOVE)
        .ends(3)
        .complains("files: 2 moved, 2 stay (1 without a match, 1 without an answer)");
    assert_eq!(
        names(&bench, "sorted"),
        ["invoice/bill.txt", "recipe/stew.txt"]
    );
    assert_eq!(names(&bench, "docs"), ["soup.txt", "torn.pdf"]);
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
fn a_copy_leaves_the_file_and_is_made_once() {
    let bench = bench();
    let before = tree(&bench, "docs");
    let csv = run(&bench, &[&COPY[..], &["--format", "csv"]].concat()).ends(3);
    assert!(
        csv.stdout
            .lines()
            .next()
            .unwrap()
            .ends_with(",error,copied_to")
    );
    assert!(csv.stdout.contains(",sorted/invoice/bill.txt\n"));
    let again = run(&bench, &COPY)
        .ends(3)
        .complains("files: 0 copied, 2 there already with the same content");
    assert_eq!(
        row(&again, "docs/bill.txt")["copied_to"],
        "sorted/invoice/bill.txt"
    );
    assert_eq!(tree(&bench, "docs"), before);
    assert_eq!(names(&bench, "sorted").len(), 2);
    run(&bench, &[&COPY[..], &MOVE[..]].concat()).ends(2);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_lost() {
    let bench = bench();
    bench.file("sorted/invoice/bill.txt", "theirs");
    bench.file("docs/a/bill.txt", "another bill");
    bench.file("docs/b/bill.txt", "another bill");
    let odd = "<script>/odd \"größe\" \n 請求書 [1].txt";
    bench.file("docs/c.d/bill", "no extension");
    bench.file(&format!("docs/odd/{odd}"), "odd");
    let mut all = tree(&bench, "docs");
    all.extend(tree(&bench, "sorted"));
    run(&bench, &MOVE).ends(3);
    let mut left = tree(&bench, "docs");
    left.extend(tree(&bench, "sorted"));
    let contents = |tree: &[(String, String)]| {
        let mut texts: Vec<_> = tree.iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    };
    assert_eq!(contents(&all), contents(&left));
    let sorted = tree(&bench, "sorted");
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
fn no_type_leads_out_of_the_folder() {
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
    let bench = Bench::with(Config::default().scripts(scripts.collect()));
    for nth in 0..types.len() {
        bench.file(&format!("in/{nth}.txt"), &format!("document {nth}"));
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
        "--limits",
        "10000/s",
    ];
    let found = bench
        .run(&words)
        .ends(0)
        .complains("is no name for a folder");
    assert_eq!(
        names(&bench, "deep/er"),
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
    assert!(names(&bench, "in").is_empty());
}

#[test]
fn a_template_that_cannot_be_is_refused_before_anything_is_sent() {
    let bench = bench();
    for (template, part) in [
        ("sorted/{label}/", "{label} is unknown"),
        ("sorted/", "sorted/{type}/"),
        ("sorted/{type", "not closed"),
    ] {
        for flag in ["--move-to", "--copy-to"] {
            run(&bench, &[flag, template]).ends(2).complains(part);
            run(&bench, &[flag, template, "--dry-run"]).ends(2);
        }
    }
    run(&bench, &[&MOVE[..], &["--dry-run"]].concat()).ends(0);
    assert_eq!(bench.emulator.request_count(), 0);
    assert!(!bench.path().join("sorted").exists());
}

#[test]
fn what_is_to_review_and_what_is_no_file_stays() {
    let bench = bench();
    bench.file("docs/dim.txt", "dim");
    let id = run(&bench, &[]).ends(3);
    let id = row(&id, "docs/bill.txt")["file_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let found = run(
        &bench,
        &[&MOVE[..], &["--review-below", "0.8", &id]].concat(),
    )
    .ends(3)
    .complains("1 given by id")
    .complains("1 to review");
    assert_eq!(row(&found, "docs/dim.txt")["moved_to"], Value::Null);
    assert!(bench.path().join("docs/dim.txt").exists());
    assert!(!bench.path().join("docs/bill.txt").exists());
}

#[test]
fn a_file_that_cannot_be_moved_stops_no_other() {
    let bench = Bench::with(Config::default().scripts(vec![
        Script::file("soup*").labels("recipe", 0.9),
        Script::any().labels("invoice", 0.9),
    ]));
    // A file lies where the folder should be.
    bench.file("sorted/invoice", "in the way");
    let words = [&MOVE[..], &["--format", "json", "--output", "rows.json"]].concat();
    let found = run(&bench, &[&words[..], &["--report", "report.html"]].concat())
        .ends(3)
        .complains("docs/bill.txt is not moved: sorted/invoice")
        .complains("1 file was not moved; each is where it was");
    assert_eq!(found.error()["kind"], "partial");
    assert!(bench.path().join("docs/bill.txt").exists());
    assert!(bench.path().join("sorted/recipe/soup.txt").exists());
    let rows = fs::read_to_string(bench.path().join("rows.json")).unwrap();
    let rows: Value = serde_json::from_str(&rows).unwrap();
    // It has its answer all the same.
    assert_eq!(rows[0]["status"], "COMPLETED");
    assert_eq!(rows[0]["moved_to"], Value::Null);
    assert_eq!(rows[1]["moved_to"], "sorted/recipe/soup.txt");
    let page = fs::read_to_string(bench.path().join("report.html")).unwrap();
    assert!(page.contains("failed: sorted/invoice"), "{page}");
    assert!(!page.contains("The run was not finished"));
}

#[test]
fn a_destination_among_the_documents_is_not_read_again() {
    for flag in ["--move-to", "--copy-to"] {
        let bench = bench();
        let words = [flag, "docs/sorted/{type}"];
        run(&bench, &words).ends(3);
        let once = tree(&bench, "docs");
        let jobs = bench.emulator.job_count();
        let again = run(&bench, &words).ends(3).complains("is passed over");
        assert!(
            again
                .lines()
                .iter()
                .all(|row| { !row["path"].as_str().unwrap().contains("sorted") })
        );
        assert_eq!(tree(&bench, "docs"), once, "{flag}");
        assert_eq!(bench.emulator.job_count(), jobs);
    }
    // Where it is the very folder that is read, what is in place stays there.
    let bench = bench();
    run(&bench, &["--move-to", "docs/{type}"]).ends(3);
    let once = tree(&bench, "docs");
    run(&bench, &["--move-to", "docs/{type}"])
        .ends(3)
        .complains("2 in place already");
    assert_eq!(tree(&bench, "docs"), once);
}

#[test]
fn a_run_that_goes_on_files_what_is_left() {
    let bench = bench();
    let journal = ["--journal", "j", "--resume"];
    run(&bench, &journal).ends(3);
    let creates = bench.emulator.count(Route::ClassifyCreate);
    let first = run(&bench, &[&journal[..], &MOVE].concat()).ends(3);
    assert_eq!(first.lines().len(), 4);
    assert_eq!(names(&bench, "sorted").len(), 2);
    bench.file("docs/new.txt", "new");
    let second = run(&bench, &[&journal[..], &MOVE].concat()).ends(3);
    // What was moved is not in the folder any more, and so not in the rows.
    assert_eq!(second.lines().len(), 3);
    assert_eq!(names(&bench, "sorted").len(), 3);
    assert_eq!(bench.emulator.count(Route::ClassifyCreate), creates + 1);
}

#[test]
fn the_emulator_s_labels_file_documents_too() {
    let bench = Bench::new();
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
    let mut command = common::bare(&words);
    command.current_dir(bench.path());
    said(command).ends(0).complains("files: 2 moved");
    assert!(bench.path().join("invoice/bill.txt").exists());
    assert!(bench.path().join("recipe/soup.txt").exists());
}
