//! Open enums: every value round-trips unchanged.

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

fuzz_target!(|value: &str| {
    round_trip::<Purpose>(value);
    round_trip::<DocumentStatus>(value);
    round_trip::<DocumentInputType>(value);
    round_trip::<JobStatus>(value);
    round_trip::<Mode>(value);
    round_trip::<v1::JobStatus>(value);
    round_trip::<v1::Mode>(value);
    round_trip::<ProductType>(value);
    round_trip::<OrderBy>(value);
    round_trip::<WebhookEvent>(value);
    round_trip::<WebhookOutputFormat>(value);
});

fn round_trip<T>(value: &str)
where
    T: for<'a> From<&'a str> + Serialize + DeserializeOwned + Display + Debug + Eq + Ord,
{
    let parsed = T::from(value);
    assert_eq!(parsed.to_string(), value);
    let json = serde_json::to_string(&parsed).expect("a word");
    assert_eq!(json, serde_json::to_string(value).expect("text"));
    assert_eq!(
        serde_json::from_str::<T>(&json).expect("what we wrote"),
        parsed
    );
    let from_value: T = serde_json::from_value(value.into()).expect("a word");
    assert_eq!(from_value, parsed);
}
