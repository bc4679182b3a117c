//! The emulator's own surface, below `/_emulator`: for looking inside and for changing the course while it runs.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::ask::Ask;
use crate::clock::{Move, parse_stamp, stamp};
use crate::faults::Faults;
use crate::reply::{Answer, Content, Refusal, Reply};
use crate::scenario::{self, Entry};
use crate::script::Script;
use crate::world::World;

pub(crate) async fn act(world: &Arc<World>, method: &Method, ask: &Ask) -> Answer {
    let segments: Vec<&str> = ask
        .path
        .trim_start_matches('/')
        .split('/')
        .skip(1)
        .collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", [] | [""]) => Ok(Reply::ok(contents())),
        ("GET", ["health"]) => Ok(Reply::ok(health(world))),
        ("GET", ["content", id]) => content(world, ask, id),
        ("GET", ["counters"]) => Ok(Reply::ok(counters(world))),
        ("GET", ["requests"]) => {
            let kept = world.journal().all();
            Ok(Reply::ok(serde_json::to_value(kept).unwrap_or_default()))
        }
        ("GET", ["deliveries"]) => {
            let kept: Vec<_> = world.deliveries().iter().cloned().collect();
            Ok(Reply::ok(serde_json::to_value(kept).unwrap_or_default()))
        }
        ("GET", ["clock"]) => Ok(Reply::ok(clock(world))),
        ("POST", ["clock"]) => advance(world, ask).await,
        ("GET", ["scripts"]) => Ok(Reply::ok(spelled(&world.scripts()))),
        ("PUT", ["scripts"]) => {
            let scripts = read_scripts(ask)?;
            world.set_scripts(scripts);
            Ok(Reply::ok(spelled(&world.scripts())))
        }
        ("POST", ["scripts"]) => {
            // In front: a new script takes precedence over what was there.
            let mut scripts = read_scripts(ask)?;
            scripts.extend(world.scripts().iter().cloned());
            world.set_scripts(scripts);
            Ok(Reply::ok(spelled(&world.scripts())))
        }
        ("DELETE", ["scripts"]) => {
            world.set_scripts(Vec::new());
            Ok(Reply::ok(json!([])))
        }
        ("GET", ["faults"]) => Ok(Reply::ok(faults(world))),
        ("PUT", ["faults"]) => {
            let plan: Faults = read(ask)?;
            *world.faults() = plan;
            Ok(Reply::ok(faults(world)))
        }
        ("DELETE", ["faults"]) => {
            *world.faults() = Faults::new();
            Ok(Reply::ok(faults(world)))
        }
        ("PUT", ["parse-jobs", id]) if !id.is_empty() => {
            let body: Value = read(ask)?;
            let text = body["text"]
                .as_str()
                .ok_or_else(|| Refusal::bad_request("text must be a string"))?;
            world
                .store()
                .add_parse_job((*id).to_owned(), text.to_owned());
            Ok(Reply::ok(json!({ "id": id })))
        }
        ("POST", ["reset"]) => {
            world.reset();
            Ok(Reply::ok(counters(world)))
        }
        _ => Err(Refusal::not_found(
            "The emulator has no such place; GET /_emulator lists them",
        )),
    }
}

fn contents() -> Value {
    json!({
        "GET /_emulator/health": "whether it works, and its clock",
        "GET /_emulator/counters": "requests by route, faults by name, jobs, files, deliveries",
        "GET /_emulator/requests": "the request journal",
        "GET /_emulator/deliveries": "webhook attempts",
        "GET /_emulator/clock": "the time; POST {\"advance_ms\": n} or {\"to\": time} moves a virtual clock",
        "GET /_emulator/scripts": "the scripts; PUT replaces them, POST adds in front, DELETE removes them",
        "GET /_emulator/faults": "the plan of faults; PUT replaces it, DELETE removes it",
        "PUT /_emulator/parse-jobs/{id}": "{\"text\": ...} registers the text of a parse job",
        "POST /_emulator/reset": "forgets files, jobs, saved configurations and webhooks, parse jobs, journal, counters and deliveries; \
            scripts, faults and the clock stay",
    })
}

fn read<T: DeserializeOwned>(ask: &Ask) -> Result<T, Refusal> {
    serde_json::from_slice(&ask.body)
        .map_err(|error| Refusal::bad_request(format!("the body cannot be used: {error}")))
}

fn read_scripts(ask: &Ask) -> Result<Vec<Script>, Refusal> {
    let entries: Vec<Entry> = read(ask)?;
    scenario::scripts(&entries).map_err(Refusal::bad_request)
}

fn spelled(scripts: &[Script]) -> Value {
    let entries: Vec<Entry> = scripts.iter().map(Entry::of).collect();
    serde_json::to_value(entries).unwrap_or_default()
}

fn faults(world: &World) -> Value {
    serde_json::to_value(&*world.faults()).unwrap_or_default()
}

fn health(world: &World) -> Value {
    let trouble = world
        .store()
        .log
        .as_ref()
        .and_then(|log| log.trouble.clone());
    json!({
        "status": if trouble.is_none() { "ok" } else { "degraded" },
        "trouble": trouble,
        "base_url": world.base_url,
        "now": stamp(world.now()),
    })
}

fn counters(world: &World) -> Value {
    let (requests, faults, total) = {
        let journal = world.journal();
        let requests: Map<String, Value> = journal
            .counts()
            .iter()
            .map(|(route, count)| (route.name(), json!(count)))
            .collect();
        let faults: Map<String, Value> = journal
            .faults()
            .iter()
            .map(|(fault, count)| (fault.name().to_owned(), json!(count)))
            .collect();
        (requests, faults, journal.total())
    };
    let deliveries = world.deliveries().len();
    let store = world.store();
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

fn clock(world: &World) -> Value {
    json!({ "now": stamp(world.now()), "now_ms": world.now(), "virtual": world.clock.is_virtual() })
}

/// Moves a virtual clock, once everything sent so far has been read.
async fn advance(world: &Arc<World>, ask: &Ask) -> Answer {
    let body: Value = read(ask)?;
    if !world.clock.is_virtual() {
        return Err(Refusal::conflict(
            "the clock is the machine's; start the emulator with a virtual clock",
        ));
    }
    let to = match (body.get("advance_ms"), body.get("to")) {
        (Some(by), None) => by.as_u64().map(Duration::from_millis).map(Move::By),
        (None, Some(to)) => to.as_str().and_then(parse_stamp).map(Move::To),
        _ => None,
    };
    let wrong = || {
        Refusal::bad_request(
            "say {\"advance_ms\": n} or {\"to\": \"2026-01-02T03:04:05Z\"}; time moves only forward",
        )
    };
    let to = to.ok_or_else(wrong)?;
    let shared = Arc::clone(world);
    // Waiting for readers must not hold up the requests of others.
    match tokio::task::spawn_blocking(move || shared.advance(to)).await {
        Ok(true) => {}
        Ok(false) => return Err(wrong()),
        Err(_) => {
            return Err(Refusal::Detail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the clock could not be moved".to_owned(),
            ));
        }
    }
    Ok(Reply::ok(clock(world)))
}

/// The bytes behind a file's link.
fn content(world: &World, ask: &Ask, id: &str) -> Answer {
    let expires = ask
        .query
        .one("expires")
        .and_then(|text| text.parse::<i64>().ok());
    if expires.is_none_or(|expires| expires <= world.now()) {
        return Err(Refusal::Detail(
            StatusCode::FORBIDDEN,
            "the link has expired".to_owned(),
        ));
    }
    world.expire_files();
    let store = world.store();
    let file = store
        .files
        .find(id)
        .ok_or_else(|| Refusal::not_found("File not found"))?;
    let content = Content::File {
        path: world.path_of(&file.id),
        length: file.size,
    };
    Ok(Reply {
        status: StatusCode::OK,
        headers: Vec::new(),
        content,
    })
}
