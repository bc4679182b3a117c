//! The emulator's own routes below `/_emulator`, to inspect and change it at run time.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::clock::{ClockChange, format_timestamp, parse_timestamp};
use crate::reply::{ApiError, Content, HandlerResult, Reply};
use crate::request_context::RequestContext;
use crate::scenario_file::{self, ScriptEntry};
use crate::schedule::FaultSchedule;
use crate::script::Script;
use crate::shared_state::SharedState;

pub(crate) async fn dispatch(
    shared: &Arc<SharedState>,
    method: &Method,
    context: &RequestContext,
) -> HandlerResult {
    let segments: Vec<&str> = context
        .path
        .trim_start_matches('/')
        .split('/')
        .skip(1)
        .collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", [] | [""]) => Ok(Reply::ok(endpoints())),
        ("GET", ["health"]) => Ok(Reply::ok(health(shared))),
        ("GET", ["content", id]) => content(shared, context, id),
        ("GET", ["counters"]) => Ok(Reply::ok(counters(shared))),
        ("GET", ["requests"]) => {
            let entries = shared.request_log().all();
            Ok(Reply::ok(serde_json::to_value(entries).unwrap_or_default()))
        }
        ("GET", ["deliveries"]) => {
            let entries: Vec<_> = shared.deliveries().iter().cloned().collect();
            Ok(Reply::ok(serde_json::to_value(entries).unwrap_or_default()))
        }
        ("GET", ["clock"]) => Ok(Reply::ok(clock(shared))),
        ("POST", ["clock"]) => advance(shared, context).await,
        ("GET", ["scripts"]) => Ok(Reply::ok(scripts_json(&shared.scripts()))),
        ("PUT", ["scripts"]) => {
            let scripts = read_scripts(context)?;
            shared.set_scripts(scripts);
            Ok(Reply::ok(scripts_json(&shared.scripts())))
        }
        ("POST", ["scripts"]) => {
            // In front: a new script takes precedence over the existing ones.
            let mut scripts = read_scripts(context)?;
            scripts.extend(shared.scripts().iter().cloned());
            shared.set_scripts(scripts);
            Ok(Reply::ok(scripts_json(&shared.scripts())))
        }
        ("DELETE", ["scripts"]) => {
            shared.set_scripts(Vec::new());
            Ok(Reply::ok(json!([])))
        }
        ("GET", ["faults"]) => Ok(Reply::ok(faults(shared))),
        ("PUT", ["faults"]) => {
            let schedule: FaultSchedule = read(context)?;
            *shared.faults() = schedule;
            Ok(Reply::ok(faults(shared)))
        }
        ("DELETE", ["faults"]) => {
            *shared.faults() = FaultSchedule::new();
            Ok(Reply::ok(faults(shared)))
        }
        ("PUT", ["parse-jobs", id]) if !id.is_empty() => {
            let body: Value = read(context)?;
            let text = body["text"]
                .as_str()
                .ok_or_else(|| ApiError::bad_request("text must be a string"))?;
            shared
                .store()
                .add_parse_job((*id).to_owned(), text.to_owned());
            Ok(Reply::ok(json!({ "id": id })))
        }
        ("POST", ["reset"]) => {
            shared.reset();
            Ok(Reply::ok(counters(shared)))
        }
        _ => Err(ApiError::not_found(
            "The emulator has no such route; GET /_emulator lists the routes",
        )),
    }
}

fn endpoints() -> Value {
    json!({
        "GET /_emulator/health": "status and clock",
        "GET /_emulator/counters": "requests by route, faults by name, jobs, files, deliveries",
        "GET /_emulator/requests": "the request log",
        "GET /_emulator/deliveries": "webhook attempts",
        "GET /_emulator/clock": "the time; POST {\"advance_ms\": n} or {\"to\": time} moves a virtual clock",
        "GET /_emulator/scripts": "the scripts; PUT replaces them, POST adds in front, DELETE removes them",
        "GET /_emulator/faults": "the fault schedule; PUT replaces it, DELETE removes it",
        "PUT /_emulator/parse-jobs/{id}": "{\"text\": ...} registers the text of a parse job",
        "POST /_emulator/reset": "removes files, jobs, saved configurations and webhooks, parse jobs, request log, counters and deliveries; \
            scripts, faults and the clock are kept",
    })
}

fn read<T: DeserializeOwned>(context: &RequestContext) -> Result<T, ApiError> {
    serde_json::from_slice(&context.body)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be used: {error}")))
}

fn read_scripts(context: &RequestContext) -> Result<Vec<Script>, ApiError> {
    let entries: Vec<ScriptEntry> = read(context)?;
    scenario_file::scripts(&entries).map_err(ApiError::bad_request)
}

fn scripts_json(scripts: &[Script]) -> Value {
    let entries: Vec<ScriptEntry> = scripts.iter().map(ScriptEntry::from_script).collect();
    serde_json::to_value(entries).unwrap_or_default()
}

fn faults(shared: &SharedState) -> Value {
    serde_json::to_value(&*shared.faults()).unwrap_or_default()
}

fn health(shared: &SharedState) -> Value {
    let error = shared
        .store()
        .log
        .as_ref()
        .and_then(|log| log.write_error.clone());
    json!({
        "status": if error.is_none() { "ok" } else { "degraded" },
        "error": error,
        "base_url": shared.base_url,
        "now": format_timestamp(shared.now()),
    })
}

fn counters(shared: &SharedState) -> Value {
    let (requests, faults, total) = {
        let request_log = shared.request_log();
        let requests: Map<String, Value> = request_log
            .counts()
            .iter()
            .map(|(route, count)| (route.name(), json!(count)))
            .collect();
        let faults: Map<String, Value> = request_log
            .faults()
            .iter()
            .map(|(fault, count)| (fault.name().to_owned(), json!(count)))
            .collect();
        (requests, faults, request_log.total())
    };
    let deliveries = shared.deliveries().len();
    let store = shared.store();
    let mut statuses: Map<String, Value> = Map::new();
    for (_, job) in store.jobs.iter() {
        let count = statuses.entry(job.status()).or_insert_with(|| json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    json!({
        "requests": requests,
        "requests_total": total,
        "faults": faults,
        "jobs": statuses,
        "jobs_total": store.jobs.len(),
        "files": store.files.len(),
        "deliveries": deliveries,
    })
}

fn clock(shared: &SharedState) -> Value {
    json!({ "now": format_timestamp(shared.now()), "now_ms": shared.now(), "virtual": shared.clock.is_virtual() })
}

/// Moves a virtual clock, after all documents sent so far have been read.
async fn advance(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body: Value = read(context)?;
    if !shared.clock.is_virtual() {
        return Err(ApiError::conflict(
            "the clock is the machine's; start the emulator with a virtual clock",
        ));
    }
    let to = match (body.get("advance_ms"), body.get("to")) {
        (Some(by), None) => by.as_u64().map(Duration::from_millis).map(ClockChange::By),
        (None, Some(to)) => to.as_str().and_then(parse_timestamp).map(ClockChange::To),
        _ => None,
    };
    let invalid = || {
        ApiError::bad_request(
            "say {\"advance_ms\": n} or {\"to\": \"2026-01-02T03:04:05Z\"}; time moves only forward",
        )
    };
    let to = to.ok_or_else(invalid)?;
    let state = Arc::clone(shared);
    // Waiting for readers must not block other requests.
    match tokio::task::spawn_blocking(move || state.advance(to)).await {
        Ok(true) => {}
        Ok(false) => return Err(invalid()),
        Err(_) => {
            return Err(ApiError::Detail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the clock could not be moved".to_owned(),
            ));
        }
    }
    Ok(Reply::ok(clock(shared)))
}

/// The content of a file, for a download URL.
fn content(shared: &SharedState, context: &RequestContext, id: &str) -> HandlerResult {
    let expires = context
        .query
        .get("expires")
        .and_then(|text| text.parse::<i64>().ok());
    if expires.is_none_or(|expires| expires <= shared.now()) {
        return Err(ApiError::Detail(
            StatusCode::FORBIDDEN,
            "the link has expired".to_owned(),
        ));
    }
    shared.expire_files();
    let store = shared.store();
    let file = store
        .files
        .find(id)
        .ok_or_else(|| ApiError::not_found("File not found"))?;
    let bytes = Content::File {
        path: shared.path_of(&file.id),
        length: file.size,
    };
    Ok(Reply {
        status: StatusCode::OK,
        headers: Vec::new(),
        content: bytes,
    })
}
