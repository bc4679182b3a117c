//! Timestamps: the result equals that of another library, and round-trips.

#![no_main]

use classify_proto::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = data.first_chunk::<8>() {
        let micros = i64::from_be_bytes(*bytes);
        if let Some(timestamp) = Timestamp::from_unix_micros(micros) {
            assert_eq!(timestamp.as_unix_micros(), micros);
            assert_round_trip(timestamp);
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = text.parse::<Timestamp>();
    if let Ok(timestamp) = &parsed {
        assert_round_trip(*timestamp);
    }
    // The other library supports leap seconds.
    if let Ok(expected_time) = chrono::DateTime::parse_from_rfc3339(text)
        && expected_time.timestamp_subsec_nanos() < 1_000_000_000
        && !text.contains(":60")
        // Before 1970, the two libraries round fractions of a microsecond differently.
        && (expected_time.timestamp() >= 0 || expected_time.timestamp_subsec_nanos() % 1_000 == 0)
    {
        // Timestamps within a day of the end of the year 9999 are not supported.
        let expected = Timestamp::from_unix_micros(expected_time.timestamp_micros());
        assert_eq!(parsed.ok(), expected, "{text:?} is {expected_time}");
    }
});

fn assert_round_trip(timestamp: Timestamp) {
    let written = timestamp.to_string();
    assert_eq!(
        written.parse::<Timestamp>().expect("what we wrote"),
        timestamp
    );
    let json = serde_json::to_string(&timestamp).expect("text");
    assert_eq!(
        serde_json::from_str::<Timestamp>(&json).expect("what we wrote"),
        timestamp
    );
}
