//! Replies made of arbitrary bytes, of which some are plausible.

use arbitrary::{Result, Unstructured};
use classify_proto::{Bytes, Failure, Reply, http};
use serde_json::{Value, json};

const STATUSES: [u16; 20] = [
    200, 200, 200, 200, 201, 204, 302, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 502, 503,
    504,
];
const JOB_STATUSES: [&str; 7] = [
    "PENDING",
    "RUNNING",
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "PAUSED",
    "",
];
const DELAYS: [&str; 12] = [
    "0",
    "1",
    "2.5",
    "119",
    "121",
    "-1",
    "86400",
    "1e6",
    "1e400",
    "18446744073709551615",
    "Wed, 15 Nov 2023 00:00:00 GMT",
    "soon",
];

/// Returns an arbitrary reply. `request_body` is the last JSON body that was sent; the reply may match it.
///
/// # Errors
///
/// If the bytes are used up.
pub fn reply(u: &mut Unstructured<'_>, request_body: &Value) -> Result<Reply> {
    if u.ratio(1u8, 4u8)? {
        return Ok(Err(failure(u)?));
    }
    let status = if u.ratio(1u8, 16u8)? {
        u.int_in_range(100..=999)?
    } else {
        *u.choose(&STATUSES)?
    };
    let mut response = http::Response::builder().status(status);
    for name in ["retry-after", "retry-after-ms", "x-should-retry"] {
        if u.ratio(1u8, 8u8)? {
            response = response.header(name, header_value(u)?);
        }
    }
    let body = body(u, request_body)?;
    Ok(Ok(response
        .body(body)
        .expect("a status below 1000 and checked headers")))
}

fn header_value(u: &mut Unstructured<'_>) -> Result<http::HeaderValue> {
    let text = match u.int_in_range(0..=2u8)? {
        0 => *u.choose(&DELAYS)?,
        1 => *u.choose(&["true", "false"])?,
        _ => u.arbitrary()?,
    };
    Ok(http::HeaderValue::from_bytes(text.as_bytes())
        .unwrap_or(http::HeaderValue::from_static("1")))
}

fn failure(u: &mut Unstructured<'_>) -> Result<Failure> {
    let failure = match u.int_in_range(0..=5u8)? {
        0 => Failure::connect("refused"),
        1 => Failure::timeout("60 s passed"),
        2 => Failure::broken("reset"),
        3 => Failure::too_large(u.arbitrary()?),
        4 => Failure::content("gone"),
        _ => Failure::refused("no TLS"),
    };
    Ok(if u.arbitrary()? {
        failure
    } else {
        failure.before_sending()
    })
}

fn body(u: &mut Unstructured<'_>, request_body: &Value) -> Result<Bytes> {
    let value = match u.int_in_range(0..=7u8)? {
        0 => return Ok(Bytes::copy_from_slice(u.arbitrary()?)),
        1 => json!({"detail": u.arbitrary::<&str>()?}),
        2 => {
            json!({"detail": [{"loc": ["body", u.arbitrary::<u8>()?], "msg": u.arbitrary::<&str>()?, "type": "x"}]})
        }
        3 => json!({"id": format!("dfl-{}", u.int_in_range(1..=3u8)?), "name": "x"}),
        4 => {
            let count = u.int_in_range(0..=4)?;
            let items = (0..count)
                .map(|_| job(u, request_body))
                .collect::<Result<Vec<_>>>()?;
            let token = match u.int_in_range(0..=8u8)? {
                0..=3 => Value::Null,
                4 => json!(""),
                token => json!(format!("t{token}")),
            };
            json!({"items": items, "next_page_token": token})
        }
        _ => job(u, request_body)?,
    };
    let text = value.to_string();
    let end = if u.ratio(1u8, 10u8)? {
        u.int_in_range(0..=text.len())?
    } else {
        text.len()
    };
    Ok(Bytes::copy_from_slice(&text.as_bytes()[..end]))
}

fn job(u: &mut Unstructured<'_>, request_body: &Value) -> Result<Value> {
    let mut job = json!({
        "id": format!("clj-{}", u.int_in_range(1..=4u8)?),
        "status": *u.choose(&JOB_STATUSES)?,
    });
    // Most replies match the request.
    if !u.ratio(1u8, 8u8)? {
        for field in ["configuration", "file_input", "transaction_id"] {
            job[field] = request_body[field].clone();
        }
    }
    if u.ratio(3u8, 4u8)? {
        job["result"] = json!({"type": "invoice", "confidence": 0.5, "reasoning": "because"});
    }
    Ok(job)
}
