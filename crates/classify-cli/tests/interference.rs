//! Errors that stop a run and belong to no document: a captive portal, a firewall, a credit cap, an expired key, a rate
//! limit.

mod common;

use classify_emulator::{Config, Fault, FaultRule, FaultSchedule, RateLimits, Route};
use common::{CommandOutput, Sandbox};

const RUN: [&str; 5] = ["classify", "run", "docs", "--rules", "rules.yaml"];

fn sandbox(fault: FaultRule) -> Sandbox {
    Sandbox::with(
        Config::default()
            .rate_limits(RateLimits::none())
            .faults(FaultSchedule::new().with(fault)),
    )
}

/// The fault ends, and the same command classifies every document once.
fn resumes_later(sandbox: &Sandbox) {
    sandbox.emulator.set_faults(FaultSchedule::new());
    let rows = sandbox.run(&RUN).assert_exit(0).lines();
    assert!(rows.iter().all(|row| row["status"] == "COMPLETED"));
    assert_eq!(sandbox.emulator.job_count(), 2);
}

#[test]
fn captive_portal_receives_each_upload_once_and_stops_the_run() {
    let sandbox = sandbox(Fault::CaptivePortal.always());
    let output = sandbox
        .run(&RUN)
        .assert_exit(1)
        .assert_stderr("\"Sign in to the network\"")
        .assert_stderr("captive portal");
    let uploads = sandbox.emulator.count(Route::FileCreate);
    assert!((1..=2).contains(&uploads), "{uploads}: {output:?}");
    resumes_later(&sandbox);
}

#[test]
fn firewall_page_does_not_blame_the_key() {
    let sandbox = sandbox(Fault::ForbiddenHtml.always());
    for words in [&["classify", "list"][..], &RUN, &["doctor"]] {
        let output = sandbox.run(words).assert_exit(4);
        let CommandOutput { stdout, stderr, .. } = &output;
        let all = format!("{stdout}{stderr}");
        assert!(all.contains("Access to this site is blocked"), "{all}");
        assert!(all.contains("firewall"), "{all}");
        assert!(!all.contains("check the key"), "{all}");
    }
    resumes_later(&sandbox);
}

#[test]
fn credit_cap_and_expired_key_stop_a_run_that_can_be_resumed() {
    for (fault, code, hint) in [
        (
            Fault::CreditCap,
            5,
            "has reached its credit cap: go on when",
        ),
        (Fault::ExpiredKey, 4, "the key has expired: create another"),
    ] {
        let sandbox = sandbox(fault.always().on(Route::ClassifyCreate));
        sandbox
            .run(&RUN)
            .assert_exit(code)
            .assert_stderr(hint)
            .assert_stderr("to resume: ");
        assert_eq!(sandbox.emulator.job_count(), 0);
        resumes_later(&sandbox);
    }
}

#[test]
fn rate_limit_429_under_default_limits_mentions_limits_free() {
    let sandbox = sandbox(Fault::RateLimitedMillis.first(1).on(Route::ClassifyCreate));
    sandbox
        .run(&RUN)
        .assert_exit(0)
        .assert_stderr("creates are reduced to 20 in 1 s")
        .assert_stderr("--limits free");
    let listing = sandbox_of_rate_limited_list();
    listing
        .run(&["classify", "list"])
        .assert_exit(7)
        .assert_stderr("--limits free");
}

fn sandbox_of_rate_limited_list() -> Sandbox {
    sandbox(Fault::RateLimitedAbsurd.always().on(Route::ClassifyList))
}
