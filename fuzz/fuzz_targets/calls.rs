//! Calls with arbitrary replies, delays, crashes and stray replies.

#![no_main]

use std::fmt::Debug;
use std::time::Duration;

use classify_fuzz::driver::FuzzDriver;
use classify_fuzz::{check_error, create, rules, seed};
use classify_proto::machine::{Call, Retry};
use classify_proto::v2::{CancelJob, DeleteJob, GetJob, ListJobs};
use classify_proto::{Operation, configurations, files, v1};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|data: &[u8]| {
    let [selector, data @ ..] = data else {
        return;
    };
    match selector % 8 {
        0 => fuzz_call(create("dfl-1"), data),
        1 => fuzz_call(GetJob::new("clj-1"), data),
        2 => fuzz_call(ListJobs::new(), data),
        3 => fuzz_call(CancelJob::new("clj-1"), data),
        4 => fuzz_call(DeleteJob::new("clj-1"), data),
        5 => fuzz_call(v1::CreateJob::new(["dfl-1"], rules().rules), data),
        6 => fuzz_call(configurations::CreateConfiguration::new("n", rules()), data),
        _ => fuzz_call(
            files::UploadFile::new("a.txt", b"canary document".to_vec()),
            data,
        ),
    }
});

fn fuzz_call<O>(operation: O, data: &[u8])
where
    O: Operation + Debug + Serialize + DeserializeOwned,
    O::Output: Debug,
{
    let mut driver = FuzzDriver::new(data);
    let retries = driver.input.int_in_range(0..=6).unwrap_or(5);
    let total_timeout =
        Duration::from_millis(driver.input.int_in_range(1..=2_000_000).unwrap_or(900_000));
    let start = driver.now;
    let call = Call::new(operation, seed()).retry(
        Retry::default()
            .max_retries(retries)
            .total_timeout(total_timeout),
    );
    let result = driver.run(call, |never| match never {});
    if let Err(error) = &result {
        check_error(error);
        assert!(error.attempts() <= 1 + retries);
    }
    // Each lost response may cause one more attempt, and each lost error response one more read.
    let max_requests = (1 + retries as usize) * (2 + driver.crashes) + driver.crashes;
    assert!(
        driver.requests_sent <= max_requests,
        "{} requests, at most {max_requests}",
        driver.requests_sent
    );
    // A reply after the end of the call belongs to an earlier poll.
    assert!(driver.now <= start + 2_000_000 + 2_000 * (driver.requests_sent as u64 + 1));
}
