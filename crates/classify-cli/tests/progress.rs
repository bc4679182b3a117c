//! The progress display of `classify run` on the screen of a real terminal.

#![cfg(unix)]

mod common;

use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, RateLimits, Route, Script};
use common::terminal::{Attached, Terminal};
use common::{RUN, Sandbox, interrupt};

/// Two jobs that end, one that fails, one that never ends, and a copy of a document that never ends.
fn sandbox() -> Sandbox {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .script(Script::file("broken*").fails("PDF_IS_BROKEN"))
        .script(Script::file("stuck*").never_ends());
    let sandbox = Sandbox::with(config);
    sandbox.file("docs/broken.txt", "Invoice: broken.");
    sandbox.file("docs/stuck-1.txt", "never ends");
    sandbox.file("docs/stuck-2.txt", "never ends");
    sandbox
}

fn start(sandbox: &Sandbox, ends: Attached, columns: u16, words: &[&str]) -> Terminal {
    Terminal::start(
        &mut sandbox.command(&[&RUN[..], words].concat()),
        ends,
        columns,
    )
}

#[test]
fn progress_shows_counts_and_rate_until_interrupt() {
    let sandbox = sandbox();
    let mut terminal = start(&sandbox, Attached::Stderr, 80, &[]);
    let screen = terminal.wait_until(|screen| screen.contains("2 done, 1 failed"));
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("━━"), "{screen}");
    assert!(lines[0].contains("─  3 of 5   "), "{screen}");
    assert!(
        lines[0].contains("/s   ") || lines[0].contains("/min   "),
        "{screen}"
    );
    assert!(lines[0].ends_with(" left"), "{screen}");
    assert!(
        lines[1].starts_with("0 uploaded, 1 waiting, 2 done, 1 failed   0:"),
        "{screen}"
    );
    assert_eq!(lines.len(), 2, "{screen}");

    terminal.interrupt();
    let screen = terminal.assert_exit(130);
    assert!(
        !screen.contains('━') && !screen.contains("waiting,"),
        "the view is gone:\n{screen}"
    );
    assert!(screen.contains("5 documents in "), "{screen}");
    assert!(screen.contains("interrupted"), "{screen}");
}

#[test]
fn progress_on_narrow_terminal_does_not_wrap() {
    for (columns, counts) in [
        (40, "0 uploaded, 1 waiting, 2 done, 1 failed"),
        (36, "0 up, 1 wait, 2 done, 1 fail"),
        (20, "0 up, 1 wait, 2 don"),
    ] {
        let sandbox = sandbox();
        let mut terminal = start(&sandbox, Attached::Stderr, columns, &[]);
        let screen =
            terminal.wait_until(|screen| screen.contains("3 of 5") && screen.contains(counts));
        assert!(!terminal.wraps(), "{screen}");
        assert_eq!(screen.lines().count(), 2, "{screen}");
        terminal.interrupt();
        let screen = terminal.assert_exit(130);
        assert!(!screen.contains(" wait"), "{screen}");
    }
}

#[test]
fn progress_is_erased_before_results_are_printed() {
    let sandbox = Sandbox::with(Config::default().rate_limits(RateLimits::none()));
    let mut terminal = start(&sandbox, Attached::Both, 80, &[]);
    let screen = terminal.assert_exit(0);
    assert!(
        screen.starts_with("docs\n") || screen.contains("bill.txt"),
        "{screen}"
    );
    assert!(screen.contains("2 documents in "), "{screen}");
    assert!(
        !screen.contains('━') && !screen.contains("waiting,"),
        "{screen}"
    );

    // Lines that are printed during the run are above the display, and each is complete.
    let sandbox = self::sandbox();
    let mut terminal = start(&sandbox, Attached::Both, 200, &["--format", "csv"]);
    let screen = terminal.wait_until(|screen| screen.contains("2 done, 1 failed"));
    let rows = screen
        .lines()
        .filter(|line| line.starts_with("docs/"))
        .count();
    assert_eq!(rows, 3, "{screen}");
    terminal.interrupt();
    let screen = terminal.assert_exit(130);
    assert_eq!(screen.matches("path,status").count(), 1, "{screen}");
    assert!(!screen.contains('━'), "{screen}");
}

#[test]
fn progress_time_left_is_unknown_before_first_result() {
    let sandbox = Sandbox::with(Config::default().script(Script::file("*").never_ends()));
    let mut terminal = start(&sandbox, Attached::Stderr, 80, &[]);
    let screen = terminal.wait_until(|screen| screen.contains("2 waiting"));
    assert!(
        screen.contains("0 of 2   -/s   time left unknown"),
        "{screen}"
    );
    // The second Ctrl-C exits at once, while responses to creates are pending.
    terminal.interrupt();
    terminal.assert_exit(130);
}

#[test]
fn progress_is_erased_by_second_interrupt() {
    let faults = FaultSchedule::new().with(Fault::HangAfter.always().on(Route::ClassifyCreate));
    let sandbox = Sandbox::with(Config::default().faults(faults));
    let mut terminal = start(&sandbox, Attached::Stderr, 80, &[]);
    terminal.wait_until(|screen| screen.contains("2 uploaded"));
    terminal.interrupt();
    terminal.wait_until(|screen| {
        screen.contains("Ctrl-C again to exit at once") && screen.contains('─')
    });
    terminal.interrupt();
    let screen = terminal.assert_exit(130);
    assert!(
        !screen.contains('─') && !screen.contains("uploaded,"),
        "{screen}"
    );
}

#[test]
fn progress_rate_after_resume_ignores_earlier_results() {
    let sandbox = sandbox();
    let first = common::start(&sandbox, &[&RUN[..], &["--journal", "j"]].concat());
    sandbox.wait_until(|emulator| {
        let jobs = emulator.jobs();
        let ended = jobs
            .iter()
            .filter(|job| job.status != "RUNNING" && job.status != "PENDING");
        jobs.len() == 4 && ended.count() == 3
    });
    sandbox.wait_for_poll();
    interrupt(first).assert_exit(130);
    let terminal = start(
        &sandbox,
        Attached::Stderr,
        80,
        &["--journal", "j", "--resume"],
    );
    let screen = terminal.wait_until(|screen| screen.contains("2 done, 1 failed"));
    assert!(
        screen.contains("3 of 5   -/s   time left unknown"),
        "{screen}"
    );
}

#[test]
fn progress_is_hidden_if_quiet_or_stderr_is_not_a_terminal() {
    let sandbox = Sandbox::with(Config::default().completed_after(Duration::from_millis(300)));
    let mut quiet = start(&sandbox, Attached::Stderr, 80, &["--quiet"]);
    quiet.assert_exit(0);
    assert_eq!(quiet.written().replace("\x1b]0;end\x07", ""), "");
    // A terminal for stdout only: the table, and no escape sequences but colors.
    let mut only_out = start(&sandbox, Attached::Stdout, 80, &[]);
    only_out.assert_exit(0);
    assert!(
        !only_out.written().contains("waiting"),
        "{:?}",
        only_out.written()
    );
    let piped = sandbox.run(&RUN).assert_exit(0);
    assert_eq!(piped.stderr, "");
}

#[test]
fn progress_of_wait_shows_job_status_and_elapsed_time() {
    let sandbox = sandbox();
    let id = |path: &str| {
        let words = [&["classify", "run", path], &RUN[3..], &["--timeout", "0"]].concat();
        let row = &sandbox.run(&words).lines()[0];
        row["job_id"].as_str().unwrap().to_owned()
    };
    let (ended, stuck) = (id("docs/bill.txt"), id("docs/stuck-1.txt"));
    let words = ["classify", "wait", &ended, &stuck];
    let mut terminal = Terminal::start(&mut sandbox.command(&words), Attached::Stderr, 80);
    let screen = terminal.wait_until(|screen| screen.contains("1 of 2 ended   0:"));
    assert_eq!(screen.lines().count(), 1, "{screen}");
    terminal.wait_until(|screen| screen.contains(&format!("{stuck} RUNNING")));
    terminal.interrupt();
    let screen = terminal.assert_exit(130);
    assert!(!screen.contains("of 2 ended"), "{screen}");
    assert!(
        screen.contains("wait for it: llamacloud-prod classify wait clj-"),
        "{screen}"
    );
}
