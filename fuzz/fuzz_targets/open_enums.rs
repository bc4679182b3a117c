//! Open enums: any word goes in and comes out as it was.

#![no_main]

use std::fmt::{Debug, Display};

use classify_proto::configurations::ProductType;
use classify_proto::files::{OrderBy, Purpose};
use classify_proto::machine::DocumentStatus;
use classify_proto::v1;
use classify_proto::v2::{DocumentInputType, JobStatus, Mode};
use classify_proto::webhooks::{WebhookEvent, WebhookOutputFormat};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

fuzz_target!(|word: &str| {
    round_trip::<Purpose>(word);
    round_trip::<DocumentStatus>(word);
    round_trip::<DocumentInputType>(word);
    round_trip::<JobStatus>(word);
    round_trip::<Mode>(word);
    round_trip::<v1::JobStatus>(word);
    round_trip::<v1::Mode>(word);
    round_trip::<ProductType>(word);
    round_trip::<OrderBy>(word);
    round_trip::<WebhookEvent>(word);
    round_trip::<WebhookOutputFormat>(word);
});

fn round_trip<T>(word: &str)
where
    T: for<'a> From<&'a str> + Serialize + DeserializeOwned + Display + Debug + Eq + Ord,
{
    let value = T::from(word);
    assert_eq!(value.to_string(), word);
    let json = serde_json::to_string(&value).expect("a word");
    assert_eq!(json, serde_json::to_string(word).expect("text"));
    assert_eq!(
        serde_json::from_str::<T>(&json).expect("what we wrote"),
        value
    );
    let held: T = serde_json::from_value(word.into()).expect("a word");
    assert_eq!(held, value);
}
