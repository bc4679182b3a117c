//! `classify run` as a person sees it: a real terminal, and what is on its screen.

#![cfg(unix)]

mod common;

use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, RateLimits, Route, Script};
use common::terminal::{Ends, Terminal};
use common::{Bench, RUN, interrupt};

/// Two jobs that end, one that fails, one that never ends, and a copy of a document that never ends.
fn bench() -> Bench {
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .script(Script::file("broken*").fails("PDF_IS_BROKEN"))
        .script(Script::file("stuck*").never_ends());
    let bench = Bench::with(config);
    bench.file("docs/broken.txt", "Invoice: broken.");
    bench.file("docs/stuck-1.txt", "never ends");
    bench.file("docs/stuck-2.txt", "never ends");
    bench
}

fn start(bench: &Bench, ends: Ends, columns: u16, words: &[&str]) -> Terminal {
    Terminal::start(
        &mut bench.command(&[&RUN[..], words].concat()),
        ends,
        columns,
    )
}

#[test]
fn a_run_shows_what_is_done_and_how_fast_until_it_is_interrupted() {
    let bench = bench();
    let mut terminal = start(&bench, Ends::Stderr, 80, &[]);
    let screen = terminal.until(|screen| screen.contains("2 done, 1 failed"));
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
    let screen = terminal.ends(130);
    assert!(
        !screen.contains('━') && !screen.contains("waiting,"),
        "the view is gone:\n{screen}"
    );
    assert!(screen.contains("5 documents in "), "{screen}");
    assert!(screen.contains("interrupted"), "{screen}");
}

#[test]
fn a_narrow_terminal_never_wraps_a_line_of_the_view() {
    for (columns, counts) in [
        (40, "0 uploaded, 1 waiting, 2 done, 1 failed"),
        (36, "0 up, 1 wait, 2 done, 1 fail"),
        (20, "0 up, 1 wait, 2 don"),
    ] {
        let bench = bench();
        let mut terminal = start(&bench, Ends::Stderr, columns, &[]);
        let screen = terminal.until(|screen| screen.contains("3 of 5") && screen.contains(counts));
        assert!(!terminal.wraps(), "{screen}");
        assert_eq!(screen.lines().count(), 2, "{screen}");
        terminal.interrupt();
        let screen = terminal.ends(130);
        assert!(!screen.contains(" wait"), "{screen}");
    }
}

#[test]
fn the_view_is_gone_before_the_results_come() {
    let bench = Bench::with(Config::default().rate_limits(RateLimits::none()));
    let mut terminal = start(&bench, Ends::Both, 80, &[]);
    let screen = terminal.ends(0);
    assert!(
        screen.starts_with("docs\n") || screen.contains("bill.txt"),
        "{screen}"
    );
    assert!(screen.contains("2 documents in "), "{screen}");
    assert!(
        !screen.contains('━') && !screen.contains("waiting,"),
        "{screen}"
    );

    // Lines that are printed while the run goes on stand above the view, and each is whole.
    let bench = self::bench();
    let mut terminal = start(&bench, Ends::Both, 200, &["--format", "csv"]);
    let screen = terminal.until(|screen| screen.contains("2 done, 1 failed"));
    let rows = screen
        .lines()
        .filter(|line| line.starts_with("docs/"))
        .count();
    assert_eq!(rows, 3, "{screen}");
    terminal.interrupt();
    let screen = terminal.ends(130);
    assert_eq!(screen.matches("path,status").count(), 1, "{screen}");
    assert!(!screen.contains('━'), "{screen}");
}

#[test]
fn before_anything_settled_the_time_left_is_unknown() {
    let bench = Bench::with(Config::default().script(Script::file("*").never_ends()));
    let mut terminal = start(&bench, Ends::Stderr, 80, &[]);
    let screen = terminal.until(|screen| screen.contains("2 waiting"));
    assert!(
        screen.contains("0 of 2   -/s   time left unknown"),
        "{screen}"
    );
    // The second Ctrl-C ends at once, while the create's answers are still being waited for.
    terminal.interrupt();
    terminal.ends(130);
}

#[test]
fn a_second_interrupt_ends_at_once_and_leaves_no_view() {
    let faults = FaultSchedule::new().with(Fault::HangAfter.always().on(Route::ClassifyCreate));
    let bench = Bench::with(Config::default().faults(faults));
    let mut terminal = start(&bench, Ends::Stderr, 80, &[]);
    terminal.until(|screen| screen.contains("2 uploaded"));
    terminal.interrupt();
    terminal.until(|screen| screen.contains("Ctrl-C again ends at once") && screen.contains('─'));
    terminal.interrupt();
    let screen = terminal.ends(130);
    assert!(
        !screen.contains('─') && !screen.contains("uploaded,"),
        "{screen}"
    );
}

#[test]
fn what_an_earlier_run_settled_is_no_speed() {
    let bench = bench();
    let first = common::start(&bench, &[&RUN[..], &["--journal", "j"]].concat());
    bench.until(|emulator| {
        let jobs = emulator.jobs();
        let ended = jobs
            .iter()
            .filter(|job| job.status != "RUNNING" && job.status != "PENDING");
        jobs.len() == 4 && ended.count() == 3
    });
    bench.until_looked_at();
    interrupt(first).ends(130);
    let terminal = start(&bench, Ends::Stderr, 80, &["--journal", "j", "--resume"]);
    let screen = terminal.until(|screen| screen.contains("2 done, 1 failed"));
    assert!(
        screen.contains("3 of 5   -/s   time left unknown"),
        "{screen}"
    );
}

#[test]
fn nobody_is_told_who_is_not_there_or_asked_for_quiet() {
    let bench = Bench::with(Config::default().completed_after(Duration::from_millis(300)));
    let mut quiet = start(&bench, Ends::Stderr, 80, &["--quiet"]);
    quiet.ends(0);
    assert_eq!(quiet.written().replace("\x1b]0;end\x07", ""), "");
    // A terminal for stdout only: the table, and nothing that steers it but colours.
    let mut only_out = start(&bench, Ends::Stdout, 80, &[]);
    only_out.ends(0);
    assert!(
        !only_out.written().contains("waiting"),
        "{:?}",
        only_out.written()
    );
    let piped = bench.run(&RUN).ends(0);
    assert_eq!(piped.stderr, "");
}

#[test]
fn a_wait_shows_how_the_job_stands_and_for_how_long() {
    let bench = bench();
    let id = |path: &str| {
        let words = [&["classify", "run", path], &RUN[3..], &["--timeout", "0"]].concat();
        let row = &bench.run(&words).lines()[0];
        row["job_id"].as_str().unwrap().to_owned()
    };
    let (ended, stuck) = (id("docs/bill.txt"), id("docs/stuck-1.txt"));
    let words = ["classify", "wait", &ended, &stuck];
    let mut terminal = Terminal::start(&mut bench.command(&words), Ends::Stderr, 80);
    let screen = terminal.until(|screen| screen.contains("1 of 2 ended   0:"));
    assert_eq!(screen.lines().count(), 1, "{screen}");
    terminal.until(|screen| screen.contains(&format!("{stuck} RUNNING")));
    terminal.interrupt();
    let screen = terminal.ends(130);
    assert!(!screen.contains("of 2 ended"), "{screen}");
    assert!(
        screen.contains("wait for it: llamacloud-prod classify wait clj-"),
        "{screen}"
    );
}
