//! The effects of faults on replies: some replace a reply, others change it.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::clock::{http_date, parse_timestamp};
use crate::fault::Fault;
use crate::reply::{Content, Reply};
use crate::shared_state::SharedState;

const HTML: &str = "text/html";

fn gateway(status: StatusCode, title: &str) -> Reply {
    let page =
        format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    Reply::bytes(status, HTML, page)
}

/// The reply that a fault returns instead of acting; `None` if the fault lets the server act.
pub(super) fn replacement(
    shared: &SharedState,
    fault: Fault,
    path_and_query: &str,
) -> Option<Reply> {
    let limited = || Reply::detail(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded");
    let unavailable = || {
        Reply::detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is switched off for now",
        )
    };
    let reply = match fault {
        Fault::BadGatewayHtml => gateway(StatusCode::BAD_GATEWAY, "502 Bad Gateway"),
        Fault::ForbiddenHtml => gateway(StatusCode::FORBIDDEN, "Access to this site is blocked"),
        Fault::CaptivePortal => gateway(StatusCode::OK, "Sign in to the network"),
        Fault::ServerErrorBefore => {
            Reply::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
        }
        Fault::Unavailable => unavailable(),
        Fault::UnavailableShouldRetry => unavailable().header("x-should-retry", "true"),
        Fault::UnavailableShouldNotRetry => unavailable().header("x-should-retry", "false"),
        Fault::RateLimited => limited(),
        Fault::RateLimitedSeconds => limited().header("retry-after", "1"),
        Fault::RateLimitedMillis => limited().header("retry-after-ms", "20"),
        Fault::RateLimitedDate => limited().header("retry-after", http_date(shared.now() + 1_000)),
        Fault::RateLimitedAbsurd => limited().header("retry-after", "99999999999999"),
        Fault::RateLimitedGarbage => limited().header("retry-after", "soon"),
        Fault::PaymentRequired => Reply::detail(
            StatusCode::PAYMENT_REQUIRED,
            "The plan's credits are used up",
        ),
        Fault::CreditCap => Reply::detail(
            StatusCode::PAYMENT_REQUIRED,
            "The project has reached its daily credit cap",
        ),
        Fault::Unauthorized => Reply::detail(StatusCode::UNAUTHORIZED, "Invalid API key"),
        Fault::ExpiredKey => Reply::detail(StatusCode::UNAUTHORIZED, "The API key has expired"),
        Fault::RequestTimeout => {
            Reply::detail(StatusCode::REQUEST_TIMEOUT, "The request took too long")
        }
        Fault::Conflict => Reply::detail(
            StatusCode::CONFLICT,
            "Another request is changing the same object",
        ),
        Fault::Redirect => {
            let target = format!("{}{path_and_query}", shared.config.redirect_to);
            Reply::bytes(StatusCode::TEMPORARY_REDIRECT, HTML, "").header("location", target)
        }
        _ => return None,
    };
    Some(reply)
}

/// Whether a fault changes a reply. If it does not, it was not applied: errors are returned unchanged, and a page
/// without items has no fields to omit.
pub(super) fn has_effect(fault: Fault, reply: &Reply) -> bool {
    match fault {
        Fault::EmptyPage | Fault::RepeatedToken | Fault::CyclicTokens => reply.status.is_success(),
        Fault::UnknownStatus
        | Fault::MissingFields
        | Fault::NullFields
        | Fault::NaiveTimestamps
        | Fault::OffsetTimestamps
        | Fault::ExtraFields => match (&reply.content, altered(fault, reply.clone()).content) {
            (Content::Json(before), Content::Json(after)) => *before != after,
            _ => false,
        },
        Fault::BodyCut | Fault::WrongLength | Fault::SlowDrip | Fault::Gzip => {
            !matches!(reply.content, Content::Empty)
        }
        _ => true,
    }
}

/// The reply after the server has acted, as changed by a fault.
pub(super) fn altered(fault: Fault, mut reply: Reply) -> Reply {
    match fault {
        Fault::ServerErrorAfter => {
            return Reply::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
        }
        Fault::GatewayTimeoutAfter => {
            return gateway(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out");
        }
        Fault::NotJson => {
            return Reply::bytes(StatusCode::OK, "application/json", "{\"id\": \"clj-");
        }
        _ => {}
    }
    // Error responses are unchanged: these faults are about 2xx responses.
    if !reply.status.is_success() {
        return reply;
    }
    if let Content::Json(body) = &mut reply.content {
        match fault {
            Fault::UnknownStatus => for_each_object(body, &mut |object| {
                if let Some(status) = object.get_mut("status") {
                    *status = json!("HIBERNATING");
                }
            }),
            Fault::MissingFields => for_each_object(body, &mut |object| {
                object.retain(|name, _| is_required_field(name));
            }),
            Fault::NullFields => for_each_object(body, &mut |object| {
                for (_, value) in object
                    .iter_mut()
                    .filter(|(name, _)| !is_required_field(name))
                {
                    *value = Value::Null;
                }
            }),
            Fault::NaiveTimestamps => {
                map_timestamps(body, &|at| at.trim_end_matches('Z').to_owned());
            }
            Fault::OffsetTimestamps => {
                map_timestamps(body, &|at| with_offset(at).unwrap_or_else(|| at.to_owned()));
            }
            Fault::ExtraFields => for_each_object(body, &mut |object| {
                object.insert(
                    "x_added_later".to_owned(),
                    json!({ "type": "unknown", "list": [1, null] }),
                );
                object.insert("urgency".to_owned(), json!("none"));
            }),
            _ => {}
        }
    }
    reply
}

fn is_required_field(name: &str) -> bool {
    matches!(name, "id" | "status")
}

/// Changes every object in the body: the items of a page, or the body itself.
fn for_each_object(body: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    match body {
        Value::Array(items) => items
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(change),
        Value::Object(object) => match object.get_mut("items") {
            Some(Value::Array(items)) => items
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(change),
            _ => change(object),
        },
        _ => {}
    }
}

fn map_timestamps(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| map_timestamps(item, change)),
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(at) if name.ends_with("_at") => *at = change(at),
                    other => map_timestamps(other, change),
                }
            }
        }
        _ => {}
    }
}

/// The same instant with the offset +02:00 and microseconds.
fn with_offset(at: &str) -> Option<String> {
    let moment = jiff::Timestamp::from_millisecond(parse_timestamp(at)?).ok()?;
    let there = moment.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
    Some(there.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Reply {
        Reply::ok(
            json!({ "id": "clj-1", "status": "PENDING", "project_id": "p", "created_at": "2026-01-02T03:04:05.678Z" }),
        )
    }

    fn body(reply: &Reply) -> Value {
        match &reply.content {
            Content::Json(body) => body.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fault_on_job_changes_only_its_fields_and_timestamps() {
        let after = |fault| body(&altered(fault, job()));
        assert_eq!(after(Fault::UnknownStatus)["status"], "HIBERNATING");
        assert_eq!(
            after(Fault::MissingFields),
            json!({ "id": "clj-1", "status": "PENDING" })
        );
        assert_eq!(after(Fault::NullFields)["project_id"], Value::Null);
        assert_eq!(
            after(Fault::NaiveTimestamps)["created_at"],
            "2026-01-02T03:04:05.678"
        );
        assert_eq!(
            after(Fault::OffsetTimestamps)["created_at"],
            "2026-01-02T05:04:05.678000+02:00"
        );
        assert_eq!(after(Fault::Gzip), body(&job()));
    }

    #[test]
    fn fault_on_page_changes_items_and_not_envelope() {
        let page = Reply::ok(
            json!({ "items": [body(&job())], "next_page_token": "t", "total_size": null }),
        );
        let page = body(&altered(Fault::MissingFields, page));
        assert_eq!(page["next_page_token"], "t");
        assert_eq!(
            page["items"][0],
            json!({ "id": "clj-1", "status": "PENDING" })
        );
    }

    #[test]
    fn fault_on_fields_leaves_error_responses_unchanged() {
        let refusal = Reply::detail(StatusCode::NOT_FOUND, "no");
        for fault in [Fault::NullFields, Fault::EmptyPage, Fault::NaiveTimestamps] {
            assert!(!has_effect(fault, &refusal), "{fault:?}");
        }
        for fault in [Fault::Gzip, Fault::NotJson, Fault::ServerErrorAfter] {
            assert!(has_effect(fault, &refusal), "{fault:?}");
        }
        assert!(!has_effect(Fault::Gzip, &Reply::no_content()));
        assert!(has_effect(Fault::NullFields, &job()));
        assert_eq!(
            body(&altered(Fault::NullFields, refusal)),
            json!({ "detail": "no" })
        );
    }
}
