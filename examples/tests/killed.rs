//! `bulk.rs` is killed again and again: each document is classified once and paid for once.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use classify_emulator::{Config, Emulator, Fault, FaultSchedule, RateLimits};

const DOCUMENTS: usize = 500;
const KILLS: u64 = 20;

#[test]
fn bulk_program_killed_twenty_times_creates_one_job_per_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let inbox = folder.path().join("inbox");
    fs::create_dir(&inbox).expect("a folder");
    for number in 0..DOCUMENTS {
        let text = format!("Invoice {number}, total amount {number}.00");
        fs::write(inbox.join(format!("{number:03}.txt")), text).expect("a document");
    }
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .running_after(Duration::from_millis(5))
        .completed_after(Duration::from_millis(300))
        .faults(FaultSchedule::new().with(Fault::ResetAfter.every(20)));
    let emulator = Emulator::start(config).expect("an emulator");
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk"));
        command
            .arg(&inbox)
            .current_dir(folder.path())
            .env("LLAMA_CLOUD_API_KEY", emulator.key())
            .env("LLAMA_CLOUD_BASE_URL", emulator.base_url())
            .stderr(Stdio::inherit());
        command
    };

    // Arbitrary times, the same in every run.
    let mut random = 7_u64;
    for _ in 0..KILLS {
        let mut process = program().stdout(Stdio::null()).spawn().expect("a process");
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        thread::sleep(Duration::from_millis(random >> 54));
        process.kill().expect("a kill");
        process.wait().expect("an end");
    }
    let output = program().output().expect("a process");
    assert!(output.status.success(), "{:?}", output.status);
    let lines = String::from_utf8(output.stdout).expect("text");
    let names: BTreeSet<_> = lines
        .lines()
        .filter(|line| line.contains("Matched"))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!((lines.lines().count(), names.len()), (DOCUMENTS, DOCUMENTS));
    assert_eq!(emulator.job_count(), DOCUMENTS);
}
