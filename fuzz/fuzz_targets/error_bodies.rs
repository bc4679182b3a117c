//! Arbitrary error bodies become one line and do not panic. The first two bytes choose the status.

#![no_main]

use classify_fuzz::check_error;
use classify_proto::v2::GetJob;
use classify_proto::{Bytes, Operation, http};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [high, low, body @ ..] = data else {
        return;
    };
    let code = 300 + u16::from_be_bytes([*high, *low]) % 700;
    let (location, body) = body.split_at(if (300..400).contains(&code) {
        body.len() / 2
    } else {
        0
    });
    let mut response = http::Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = http::StatusCode::from_u16(code).expect("a status below 1000");
    if let Ok(value) = http::HeaderValue::from_bytes(location) {
        response.headers_mut().insert("location", value);
    }
    let error = GetJob::new("clj-1")
        .parse(response)
        .expect_err("no status here is a success");
    check_error(&error);
    assert_eq!(error.status().map(|status| status.as_u16()), Some(code));
    assert!(error.message().chars().count() <= 400, "{error}");
    assert!(!error.is_decode(), "the body masks the status: {error}");
});
