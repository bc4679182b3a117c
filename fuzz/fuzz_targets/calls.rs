//! Calls, played arbitrary replies, delays, crashes and strays.

#![no_main]

use std::fmt::Debug;
use std::time::Duration;

use classify_fuzz::play::Player;
use classify_fuzz::{check_error, create, rules, seed};
use classify_proto::machine::{Call, Retry};
use classify_proto::v2::{CancelJob, DeleteJob, GetJob, ListJobs};
use classify_proto::{Operation, configurations, files, v1};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| {
    let [which, data @ ..] = data else {
        return;
    };
    match which % 8 {
        0 => play(create("dfl-1"), data),
        1 => play(GetJob::new("clj-1"), data),
        2 => play(ListJobs::new(), data),
        3 => play(CancelJob::new("clj-1"), data),
        4 => play(DeleteJob::new("clj-1"), data),
        5 => play(v1::CreateJob::new(["dfl-1"], rules().rules), data),
        6 => play(configurations::CreateConfiguration::new("n", rules()), data),
        _ => play(
            files::UploadFile::new("a.txt", b"canary document".to_vec()),
            data,
        ),
    }
});

fn play<O>(operation: O, data: &[u8])
where
    O: Operation + Debug + Serialize + DeserializeOwned,
    O::Output: Debug,
{
    let mut player = Player::new(data);
    let retries = player.chance.int_in_range(0..=6).unwrap_or(5);
    let total = Duration::from_millis(player.chance.int_in_range(1..=2_000_000).unwrap_or(900_000));
    let start = player.now;
    let call =
        Call::new(operation, seed()).retry(Retry::default().max_retries(retries).total(total));
    let result = player.play(call, |never| match never {});
    if let Err(error) = &result {
        check_error(error);
        assert!(error.attempts() <= 1 + retries);
    }
    // Each loss may bring one more attempt, and each loss of a refusal one more look.
    let most = (1 + retries as usize) * (2 + player.losses) + player.losses;
    assert!(
        player.sends <= most,
        "{} requests, at most {most}",
        player.sends
    );
    // A reply that came later than the call's end was a reply to an earlier poll.
    assert!(player.now <= start + 2_000_000 + 2_000 * (player.sends as u64 + 1));
}
