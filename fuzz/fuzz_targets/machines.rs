//! Pagers, waiters, runs and fans, played arbitrary replies, delays, crashes and strays.

#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use classify_fuzz::play::Player;
use classify_fuzz::{check_error, create, rules, seed};
use classify_proto::Error;
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Concurrent, ConcurrentEvent, Pager, Reconcile, ResultsWaiter, Run, RunEvent, UploadOnce, Waiter,
};
use classify_proto::v1;
use classify_proto::v2::{Job, JobStatus, ListJobs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, data @ ..] = data else {
        return;
    };
    let mut player = Player::new(data);
    match which % 8 {
        0 => pager(&mut player),
        1 => waiter(&mut player),
        2 => run(&mut player, Run::new(create("dfl-1"), seed())),
        3 => {
            let upload = UploadFile::new("a.txt", b"canary document".to_vec());
            run(&mut player, Run::upload(upload, create(""), seed()));
        }
        4 => fan(&mut player),
        5 => {
            let results = ResultsWaiter::new("1", seed()).timeout(Duration::from_secs(600));
            told(player.play(results, |_| {}));
        }
        6 => {
            let asked = v1::CreateJob::new(["dfl-1"], rules().rules);
            let since = "2023-11-14T00:00:00Z".parse().expect("a timestamp");
            told(player.play(Reconcile::new(asked, since, seed()), |never| match never {}));
        }
        _ => {
            let upload =
                UploadFile::new("a.txt", b"canary document".to_vec()).external_file_id("mine");
            told(player.play(UploadOnce::new(upload, seed()), |never| match never {}));
        }
    }
});

fn told<T>(result: Result<T, Error>) {
    if let Err(error) = &result {
        check_error(error);
    }
}

fn pager(player: &mut Player<'_>) {
    let most = player.chance.int_in_range(1..=6u32).unwrap_or(6);
    let prefetch = player.chance.arbitrary().unwrap_or(false);
    let pager = Pager::new(ListJobs::new(), seed())
        .prefetch(prefetch)
        .max_pages(most);
    let (mut pages, mut tokens) = (0, BTreeSet::new());
    let result = player.play(pager, |page| {
        pages += 1;
        if let Some(token) = &page.next_page_token {
            // A token that came before ends the list: nothing comes after it.
            assert!(tokens.len() + 1 == pages, "a page after a repeated token");
            tokens.insert(token.clone());
        }
    });
    assert!(pages <= most as usize);
    match &result {
        Ok(()) => assert!(pages > 0),
        Err(error) => check_error(error),
    }
    let most_sends = (most as usize + 1 + player.losses) * 6 + player.losses;
    assert!(
        player.sends <= most_sends,
        "{} requests for {pages} pages",
        player.sends
    );
}

fn waiter(player: &mut Player<'_>) {
    let timeout = player.chance.int_in_range(0..=600_000).unwrap_or(600_000);
    let waiter = Waiter::new("clj-1", seed()).timeout(Duration::from_millis(timeout));
    let result = player.play(waiter, |_| {});
    ended(&result);
}

fn run(player: &mut Player<'_>, run: Run) {
    let run = run.timeout(Duration::from_secs(600));
    let mut created = 0;
    let result = player.play(run, |event| {
        created += usize::from(matches!(event, RunEvent::Created(_)));
    });
    ended(&result);
    // A crash may take the job's event with it, and ask for the job again.
    assert!(created <= 1 + player.losses);
}

fn ended(result: &Result<Job, Error>) {
    match result {
        Ok(job) => assert_eq!(job.status, JobStatus::Completed),
        Err(error) => {
            check_error(error);
            // The truth about a job comes with the job.
            if error.is_job_failed() || error.is_cancelled() {
                assert!(error.job_id().is_some(), "{error}");
            }
        }
    }
}

fn fan(player: &mut Player<'_>) {
    let count = player.chance.int_in_range(0..=6).unwrap_or(3);
    let max_concurrency = player.chance.int_in_range(0..=4).unwrap_or(2);
    let runs = (0..count).map(|place| {
        Run::new(create(&format!("dfl-{place}")), seed().derive(place))
            .timeout(Duration::from_secs(60))
    });
    let fan = Concurrent::new(runs.collect::<Vec<_>>(), max_concurrency);
    let mut ended_places = BTreeSet::new();
    player.play(fan, |event| {
        if let ConcurrentEvent::Finished(place, result) = event {
            ended(&result);
            assert!(ended_places.insert(place), "{place} ended twice");
        }
    });
    assert_eq!(ended_places.len() as u64, count);
}
