//! Runs each documented command line unchanged against the emulator.
//!
//! The output is compared with snapshots, in which ids and times are replaced by their kinds. `UPDATE_SNAPSHOTS=1`
//! writes the snapshots again.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use classify_emulator::{Config, Emulator};
use common::command_lines::split;
use common::{CommandOutput, bare_command, run_to_end};

/// The key of the documentation, blanks and all.
const KEY: &str = "My API Key";
const UUID: &str = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e";

fn run(emulator: &Emulator, folder: &Path, line: &str) -> CommandOutput {
    let words = split(line);
    assert_eq!(words[0], "llamacloud-prod");
    let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    let mut command: Command = bare_command(&words);
    command
        .current_dir(folder)
        .env("LLAMA_CLOUD_BASE_URL", emulator.base_url())
        .env("LLAMA_CLOUD_API_KEY", common::CANARY);
    let output = run_to_end(command);
    assert!(
        !output.stdout.contains(KEY) && !output.stderr.contains(KEY),
        "{output:?}"
    );
    output
}

/// Replaces the parts that differ between runs.
fn normal(text: &str, emulator: &Emulator) -> String {
    let text = text.replace(emulator.base_url(), "[URL]");
    let mut plain = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.') {
            word.push(c);
            continue;
        }
        plain.push_str(&normal_word(&word));
        word.clear();
        plain.push(c);
    }
    plain.pop();
    plain
}

fn normal_word(word: &str) -> String {
    let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_time =
        word.len() > 18 && word.starts_with("20") && word.as_bytes().get(10) == Some(&b'T');
    if is_time {
        return "[TIME]".to_owned();
    }
    for kind in ["clj-", "dfl-", "cfg-", "whc-"] {
        let rest = word.strip_prefix(kind).unwrap_or_default();
        if rest.len() == 36 && is_hex(rest) {
            return format!("{kind}[ID]");
        }
    }
    if word.len() == 36 && is_hex(word) && word != UUID {
        return "[ID]".to_owned();
    }
    word.to_owned()
}

/// A name, the documented command, and its exit code if the emulator has no such file or job.
const DOCUMENTED: &[(&str, &str, i32)] = &[
    (
        "classify-list",
        "llamacloud-prod classify list \\\n  --api-key 'My API Key'",
        0,
    ),
    (
        "classifier-create",
        "llamacloud-prod classifier:jobs create \\\n  --api-key 'My API Key' \\\n  --file-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e \\\n  --rule \"{description: 'contains invoice number, line items, and total amount', type: invoice}\"",
        // The service has no such file either.
        2,
    ),
    (
        "classifier-list",
        "llamacloud-prod classifier:jobs list \\\n  --api-key 'My API Key'",
        0,
    ),
    (
        "classifier-get",
        "llamacloud-prod classifier:jobs get \\\n  --api-key 'My API Key' \\\n  --classify-job-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        6,
    ),
    (
        "classifier-get-results",
        "llamacloud-prod classifier:jobs get-results \\\n  --api-key 'My API Key' \\\n  --classify-job-id 182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        6,
    ),
];

#[test]
fn documented_commands_match_snapshots() {
    let config = Config::default()
        .keys([KEY])
        .completed_after(Duration::from_secs(600));
    let folder = tempfile::tempdir().unwrap();
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let emulator = Emulator::start(config).unwrap();
    for (name, line, code) in DOCUMENTED {
        let output = run(&emulator, folder.path(), line);
        let found = format!(
            "$ {line}\nexit code: {}\n--- stdout\n{}--- stderr\n{}",
            output.code,
            normal(&output.stdout, &emulator),
            normal(&output.stderr, &emulator)
        );
        assert_eq!(output.code, *code, "{found}");
        let path = snapshots.join(format!("{name}.txt"));
        if update {
            std::fs::create_dir_all(&snapshots).unwrap();
            std::fs::write(&path, &found).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, known, "{name}; UPDATE_SNAPSHOTS=1 writes it again");
    }
}

/// The same lines with the ids of an existing file and job.
#[test]
fn documented_commands_succeed_with_existing_ids() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("a.txt"),
        "Invoice: the total amount is due.",
    )
    .unwrap();
    let config = Config::default()
        .keys([KEY, common::CANARY])
        .completed_after(Duration::from_millis(5));
    let emulator = Emulator::start(config).unwrap();
    let id = |line: &str| {
        let output = run(&emulator, folder.path(), line).assert_exit(0);
        output.stdout.trim().to_owned()
    };
    let file = id("llamacloud-prod files create --file a.txt --purpose classify --transform id -r");
    let create = DOCUMENTED[1].1.replace(UUID, &file);
    let job = id(&format!("{create} --transform id --raw-output"));
    run(
        &emulator,
        folder.path(),
        &format!("llamacloud-prod classifier:jobs wait {job}"),
    )
    .assert_exit(0);
    for (name, line, _) in DOCUMENTED {
        let real = if name.contains("create") { &file } else { &job };
        let output = run(&emulator, folder.path(), &line.replace(UUID, real)).assert_exit(0);
        for line in output.lines() {
            assert!(line.is_object(), "{name}: {line}");
        }
    }
}

#[test]
fn documented_command_is_split_like_in_a_shell() {
    assert_eq!(
        split("a --b 'c d' \\\n  --e \"{f: 'g h'}\""),
        ["a", "--b", "c d", "--e", "{f: 'g h'}"]
    );
}
