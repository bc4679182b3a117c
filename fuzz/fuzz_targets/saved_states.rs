//! Arbitrary saved states are rejected, or give a machine that follows the rules.

#![no_main]

use std::fmt::Debug;

use classify_fuzz::check_error;
use classify_fuzz::driver::FuzzDriver;
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Concurrent, Context, Machine, Pager, Reconcile, ResultsWaiter, Run, Saved, Step,
    UploadOnce, Waiter,
};
use classify_proto::v2::{CancelJob, CreateJob, DeleteJob, GetJob, ListJobs};
use classify_proto::{Api, Time, configurations, v1, webhooks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    load::<Call<CreateJob>>(text);
    load::<Call<GetJob>>(text);
    load::<Call<CancelJob>>(text);
    load::<Call<DeleteJob>>(text);
    load::<Call<UploadFile>>(text);
    load::<Pager<ListJobs>>(text);
    load::<Waiter>(text);
    load::<Run>(text);
    load::<Concurrent<Run>>(text);
    load::<Call<v1::CreateJob>>(text);
    load::<Call<configurations::UpdateConfiguration>>(text);
    load::<Call<webhooks::CreateWebhookConfiguration>>(text);
    load::<Waiter<v1::GetJob>>(text);
    load::<ResultsWaiter>(text);
    load::<Reconcile>(text);
    load::<UploadOnce>(text);
});

fn load<M: Saved + Debug>(text: &str) {
    let mut machine = match M::load(text) {
        Ok(machine) => machine,
        Err(error) => return check_error(&error),
    };
    // A loaded machine is the same after it is saved and loaded again.
    let saved = machine.save().expect("it came from text");
    let reloaded = M::load(&saved).expect("what we wrote");
    assert_eq!(reloaded.save().expect("it came from text"), saved);
    let driver = FuzzDriver::new(&[]);
    poll_until_wait(&mut machine, &driver.api, driver.now);
}

/// Polls while steps follow immediately; a state may contain any number of pending requests.
fn poll_until_wait<M: Machine>(machine: &mut M, api: &Api, now: u64) {
    let now = Time::from_millis(now);
    for _ in 0..200 {
        match machine.poll(Context::new(api, now)) {
            Step::Wait(until) => {
                assert!(until.is_none_or(|until| until > now), "a wait that is over");
                return;
            }
            Step::Send(..) | Step::Event(_) | Step::Done(_) => {}
        }
    }
}
