//! `classify run` with objects of an S3 store.
#![cfg(feature = "cloud")]

mod common;

use common::s3_stub::{Fault, S3Stub};
use common::{CommandOutput, Sandbox, run_to_end};
use serde_json::Value;

const INVOICE: &str = "Invoice: the amount is due by Friday, payment by transfer.";
const RECIPE: &str = "Recipe: cook the ingredients for an hour. A meal for four.";

struct Bucket {
    sandbox: Sandbox,
    s3: S3Stub,
}

impl Bucket {
    /// Starts a bucket with ten documents in `inbox/`, two of which are equal.
    fn start() -> Self {
        let s3 = S3Stub::start();
        for number in 0..9 {
            s3.put(
                &format!("inbox/{number}.txt"),
                format!("{INVOICE} Number {number}."),
            );
        }
        s3.put("inbox/sub/copy.txt", format!("{INVOICE} Number 0."));
        s3.put("inbox/.hidden.txt", RECIPE);
        s3.put("inbox/half.pdf.part", RECIPE);
        s3.put("other/soup.txt", RECIPE);
        Self {
            sandbox: Sandbox::new(),
            s3,
        }
    }

    fn run(&self, words: &[&str]) -> CommandOutput {
        let words = [&["classify", "run"], words, &["--rules", "rules.yaml"]].concat();
        let mut command = self.sandbox.command(&words);
        command
            .env("AWS_ENDPOINT_URL", self.s3.url())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "canary-secret");
        let output = run_to_end(command);
        assert!(!output.stderr.contains("canary-secret"), "{output:?}");
        output
    }

    fn jobs(&self) -> usize {
        self.sandbox.emulator.job_count()
    }
}

fn paths(output: &CommandOutput) -> Vec<String> {
    let mut paths: Vec<_> = output
        .lines()
        .iter()
        .map(|row| row["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    paths
}

fn row(output: &CommandOutput, path: &str) -> Value {
    let rows = output.lines();
    let row = rows.into_iter().find(|row| row["path"] == path);
    row.unwrap_or_else(|| panic!("no row of {path}: {output:?}"))
}

#[test]
fn prefix_is_classified_and_resumed_without_reading_an_object_again() {
    let bucket = Bucket::start();
    let words = ["s3://bucket/inbox", "--journal", "run.journal", "--resume"];
    let output = bucket.run(&words);
    let output = output.assert_exit(0);
    assert_eq!(output.lines().len(), 10);
    let copy = row(&output, "s3://bucket/inbox/sub/copy.txt");
    assert_eq!(
        (&copy["type"], &copy["status"]),
        (&"invoice".into(), &"COMPLETED".into())
    );
    assert_eq!(bucket.jobs(), 9);
    // Nine are read twice, and the copy once. The listing has several pages.
    assert_eq!(bucket.s3.count("GET "), 19);
    assert!(bucket.s3.count("LIST") >= 4);

    let resumed = bucket.run(&words);
    let resumed = resumed.assert_exit(0);
    assert_eq!(paths(&resumed), paths(&output));
    assert_eq!(bucket.s3.count("GET "), 19);

    // A dry run reads only the new object, and the changed one.
    bucket
        .s3
        .put("inbox/1.txt", format!("{INVOICE} Number 101."));
    bucket
        .s3
        .put("inbox/new.txt", format!("{INVOICE} Number 102."));
    let plan = bucket.run(&[&words[..], &["--dry-run", "--format", "json"]].concat());
    let plan = plan.json();
    assert_eq!((&plan["documents"], &plan["jobs"]), (&11.into(), &2.into()));
    assert_eq!(
        (&plan["settled"], &plan["duplicates"]),
        (&8.into(), &1.into())
    );
    assert_eq!(bucket.s3.count("GET "), 21);

    bucket.run(&words).assert_exit(0);
    assert_eq!(bucket.s3.count("GET "), 25);
    assert_eq!(bucket.jobs(), 11);
}

#[test]
fn objects_files_lists_globs_and_filters_are_mixed() {
    let bucket = Bucket::start();
    let output = bucket.run(&[
        "docs/soup.txt",
        "s3://bucket/other/soup.txt",
        "s3://bucket/inbox/[12]*",
    ]);
    let output = output.assert_exit(0);
    let expected = [
        "docs/soup.txt",
        "s3://bucket/inbox/1.txt",
        "s3://bucket/inbox/2.txt",
        "s3://bucket/other/soup.txt",
    ];
    assert_eq!(paths(&output), expected);
    // The file and the object have the same content, and so one job.
    assert_eq!(bucket.jobs(), 3);

    bucket.sandbox.file(
        "list.txt",
        "s3://bucket/inbox/3.txt\ndocs/bill.txt\ns3://bucket/inbox/.hidden.txt\ns3://bucket/inbox/3.txt\n",
    );
    let output = bucket.run(&["--files-from", "list.txt"]);
    let output = output.assert_exit(0).assert_stderr("1 path is a duplicate");
    let expected = [
        "docs/bill.txt",
        "s3://bucket/inbox/.hidden.txt",
        "s3://bucket/inbox/3.txt",
    ];
    assert_eq!(paths(&output), expected);

    let filters = [
        "--exclude",
        "sub/",
        "--include",
        "[0-3].txt",
        "--include",
        "copy.txt",
    ];
    let output = bucket.run(&[&["s3://bucket/inbox/"], &filters[..]].concat());
    let output = output.assert_exit(0);
    assert_eq!(paths(&output).len(), 4);
    output
        .assert_stderr("6 files skipped by --exclude or --include")
        .assert_stderr("1 lock or temporary file skipped, such as s3://bucket/inbox/half.pdf.part");
}

#[test]
fn object_that_changes_vanishes_or_is_denied_is_an_error_and_read_by_next_run() {
    let bucket = Bucket::start();
    bucket.s3.fail(
        "inbox/1.txt",
        Fault::ReplaceAfter("Invoice: another amount is due."),
    );
    bucket.s3.fail("inbox/2.txt", Fault::DeleteAfter);
    bucket.s3.fail("inbox/3.txt", Fault::Denied("AccessDenied"));
    let words = ["s3://bucket/inbox/", "--journal", "run.journal", "--resume"];
    let output = bucket.run(&words);
    let output = output.assert_exit(3);
    for (number, part) in [
        (1, "changed since its content was hashed"),
        (2, "the object does not exist"),
        (
            3,
            "access denied (AccessDenied: planned); the credentials need s3:ListBucket",
        ),
    ] {
        let row = row(&output, &format!("s3://bucket/inbox/{number}.txt"));
        let error = row["error"].as_str().unwrap();
        assert!(error.contains(part), "{error}");
        assert_eq!(
            (&row["error_code"], &row["status"]),
            (&"content".into(), &"ERROR".into())
        );
    }
    assert_eq!(bucket.jobs(), 6);

    let output = bucket.run(&words);
    let output = output.assert_exit(0);
    // The deleted object is not listed.
    assert_eq!(output.lines().len(), 9);
    assert_eq!(bucket.jobs(), 8);
}

#[test]
fn url_without_object_and_bucket_that_cannot_be_read_are_rows() {
    let bucket = Bucket::start();
    let output = bucket.run(&[
        "s3://bucket/inbox/1.txt",
        "s3://bucket/typo",
        "s3://bucket/a//b",
        "s3://",
    ]);
    let output = output.assert_exit(3);
    for (path, part) in [
        ("s3://bucket/typo", "the object does not exist"),
        ("s3://bucket/typo", "and there is none below it"),
        ("s3://bucket/a//b", "empty part"),
        ("s3://", "no valid bucket"),
    ] {
        let row = row(&output, path);
        let error = row["error"].as_str().unwrap();
        assert!(error.contains(part), "{path}: {error}");
    }
    assert_eq!(bucket.jobs(), 1);
    let output = bucket.run(&["s3://bucket/none/"]);
    output
        .assert_exit(0)
        .assert_stderr("s3://bucket/none/ contains no documents");
}

#[test]
fn expired_credentials_stop_the_run() {
    let bucket = Bucket::start();
    for number in 0..9 {
        bucket.s3.fail(
            &format!("inbox/{number}.txt"),
            Fault::Denied("ExpiredToken"),
        );
    }
    let output = bucket.run(&["s3://bucket/inbox/"]);
    output.assert_exit(3).assert_stderr(
        "the credentials have expired (ExpiredToken: planned); renew AWS_ACCESS_KEY_ID",
    );
    assert_eq!(bucket.jobs(), 0);
}

#[test]
fn endpoint_without_https_needs_a_variable() {
    let bucket = Bucket::start();
    let words = [
        "classify",
        "run",
        "s3://bucket/inbox",
        "--rules",
        "rules.yaml",
    ];
    let mut command = bucket.sandbox.command(&words);
    command
        .env("AWS_ENDPOINT_URL", bucket.s3.url())
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "key");
    let output = run_to_end(command);
    let output = output.assert_exit(3);
    let row = row(&output, "s3://bucket/inbox");
    let error = row["error"].as_str().unwrap();
    assert!(error.contains("AWS_ALLOW_HTTP=true"), "{error}");
}

#[test]
fn objects_are_not_moved() {
    let bucket = Bucket::start();
    for flag in ["--move-to", "--copy-to"] {
        let output = bucket.run(&["docs/", "s3://bucket/inbox", flag, "sorted/{type}"]);
        output.assert_exit(2).assert_stderr(&format!(
            "{flag} needs files, and s3://bucket/inbox/0.txt is an object"
        ));
    }
    assert_eq!(bucket.s3.count("GET "), 0);
    assert_eq!(bucket.jobs(), 0);
}
