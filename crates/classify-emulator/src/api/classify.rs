//! Version 2: `/api/v2/classify`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::hooks;
use super::rules;
use crate::ask::{Ask, Tenant};
use crate::check::{Check, Node};
use crate::clock::millis;
use crate::page::PageRequest;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::Store;
use crate::state::file::bare_id;
use crate::state::job::{Input, InputKind, Instructions, Job, Phase, Version};
use crate::world::World;

pub(super) fn create(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let inline = node
        .field("configuration")
        .given()
        .map(|given| rules::configuration(&given));
    let saved = node.field("configuration_id").optional_string(200);
    match (&inline, &saved) {
        (None, None) => node.field("configuration").problem(
            "value_error",
            "One of configuration and configuration_id is required",
        ),
        (Some(_), Some(_)) => node.field("configuration_id").problem(
            "value_error",
            "configuration and configuration_id exclude each other",
        ),
        _ => {}
    }
    let input = file_input(&node);
    let transaction_id = node.field("transaction_id").optional_string(255);
    let hook_ids = node
        .field("webhook_configuration_ids")
        .given()
        .and_then(|ids| ids.strings(0, 4));
    let inline_hooks = hooks::inline_v2(&node.field("webhook_configurations"));
    check.finish()?;
    let Some(input) = input else {
        // `finish` has refused the request already.
        return Err(Refusal::bad_request("file_input is required"));
    };

    world.expire_files();
    let mut store = world.store();
    // The first job under a transaction id is the answer to every later create, whatever that one asks.
    if let Some(transaction) = &transaction_id
        && let Some(job) = store.transaction(&tenant.project, transaction)
    {
        return Ok(Reply::ok(job.show(false)));
    }
    let instructions = match (inline, &saved) {
        (Some(inline), _) => inline,
        (None, Some(id)) => saved_instructions(&store, &tenant, id)?,
        (None, None) => return Err(Refusal::bad_request("configuration is required")),
    };
    let kind = resolve(&store, &tenant, &input)?;
    let mut hooks = inline_hooks;
    for id in hook_ids.unwrap_or_default() {
        let found = store
            .webhooks
            .find(&id)
            .filter(|webhook| tenant.may_see(&webhook.project));
        let found = found
            .ok_or_else(|| Refusal::not_found(format!("webhook configuration {id} not found")))?;
        hooks.push(found.hook());
    }
    let now = world.now();
    let uuid = store.uuid();
    let result_id = store.uuid();
    let parse_job_id = match &kind {
        InputKind::ParseJob(id) => Some(id.clone()),
        InputKind::File(_) => None,
    };
    let job = Job {
        id: format!("clj-{uuid}"),
        version: Version::V2,
        project: tenant.project,
        inputs: vec![Input {
            given: input,
            kind,
            outcome: None,
            takes: None,
            result_id,
        }],
        instructions: Arc::new(instructions),
        configuration_id: saved,
        transaction_id,
        phase: Phase::Pending,
        error: None,
        created: now,
        updated: now,
        running_at: now.saturating_add(millis(world.config.running_after)),
        ends_at: Some(now.saturating_add(millis(world.config.completed_after))),
        read_at: now,
        parse_job_id,
        hooks,
        due: None,
    };
    let shown = job.show(false);
    world.read_documents(&store, &job);
    store.add_job(job);
    drop(store);
    world.timetable.notify_one();
    Ok(Reply::ok(shown))
}

/// The document's id: the canonical field, or one of those that it replaced.
fn file_input(node: &Node<'_>) -> Option<String> {
    let canonical = node.field("file_input").optional_string(200);
    let file = node.field("file_id").optional_string(200);
    let parse = node.field("parse_job_id").optional_string(200);
    let input = canonical.or(file).or(parse).filter(|id| !id.is_empty());
    if input.is_none() {
        node.field("file_input")
            .problem("missing", "Field required");
    }
    input
}

/// The instructions of a saved configuration.
fn saved_instructions(store: &Store, tenant: &Tenant, id: &str) -> Result<Instructions, Refusal> {
    let found = store
        .configurations
        .find(id)
        .filter(|saved| tenant.may_see(&saved.project));
    let found = found.ok_or_else(|| Refusal::not_found(format!("configuration {id} not found")))?;
    if found.product != "classify_v2" {
        return Err(Refusal::bad_request(format!(
            "configuration {id} is for {}, not for classify_v2",
            found.product
        )));
    }
    let check = Check::new();
    let instructions = rules::configuration(&check.body(&found.parameters));
    check.finish().map_err(|_| {
        Refusal::bad_request(format!(
            "the parameters of configuration {id} are not valid"
        ))
    })?;
    Ok(instructions)
}

/// What an input id names; it must be in the request's project.
fn resolve(store: &Store, tenant: &Tenant, input: &str) -> Result<InputKind, Refusal> {
    if input.starts_with("pjb-") {
        return Ok(InputKind::ParseJob(input.to_owned()));
    }
    let file = bare_id(input)
        .and_then(|id| store.files.find(&id))
        .filter(|file| file.project == tenant.project);
    match file {
        Some(file) => Ok(InputKind::File(file.id.clone())),
        None => Err(Refusal::bad_request(format!(
            "file {input} is not in this project"
        ))),
    }
}

pub(super) fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let query = &ask.query;
    let size = query.integer(&check, "page_size", 1, 100).unwrap_or(20);
    let words = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
    let status = query.word(&check, "status", &words);
    let job_ids = query.all("job_ids");
    let configuration_id = query.one("configuration_id");
    let from = query.moment(&check, "created_at_on_or_after");
    let to = query.moment(&check, "created_at_on_or_before");
    check.finish()?;
    let filters = (
        &tenant.project,
        status,
        &job_ids,
        configuration_id,
        from,
        to,
    );
    let token = query.one("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(20),
        token,
        &filters,
        ask.fault,
    )?;

    let store = world.store();
    let fits = |job: &Job| {
        job.version == Version::V2
            && job.project == tenant.project
            && status.is_none_or(|status| job.status() == status)
            && configuration_id.is_none_or(|id| job.configuration_id.as_deref() == Some(id))
            && from.is_none_or(|from| job.created >= from)
            && to.is_none_or(|to| job.created <= to)
    };
    let below = page.cursor.key.unwrap_or(u64::MAX);
    let show = |(key, job): (u64, &Job)| (key, String::new(), job.show(false));
    let envelope = if job_ids.is_empty() {
        page.envelope(
            store
                .jobs
                .newest_below(below)
                .filter(|(_, job)| fits(job))
                .map(show),
        )
    } else {
        // By key, so that a hundred ids among many thousand jobs cost a hundred look-ups.
        let mut keys: Vec<u64> = job_ids
            .iter()
            .filter_map(|id| store.jobs.key(id))
            .filter(|key| *key < below)
            .collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.dedup();
        let rows = keys
            .into_iter()
            .filter_map(|key| store.jobs.get(key).map(|job| (key, job)));
        page.envelope(rows.filter(|(_, job)| fits(job)).map(show))
    };
    Ok(Reply::ok(envelope))
}

fn find<'s>(store: &'s Store, tenant: &Tenant, id: &str) -> Result<&'s Job, Refusal> {
    let bare = uuid::Uuid::parse_str(id).ok().map(|id| format!("clj-{id}"));
    let job = store.jobs.find(id).or_else(|| store.jobs.find(&bare?));
    job.filter(|job| job.version == Version::V2 && tenant.may_see(&job.project))
        .ok_or_else(|| Refusal::not_found("Classify job not found"))
}

pub(super) fn get(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let with_usage = ask.query.all("expand").contains(&"usage");
    let store = world.store();
    Ok(Reply::ok(find(&store, &tenant, &ask.id)?.show(with_usage)))
}

pub(super) fn cancel(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let now = world.now();
    let mut store = world.store();
    let job = find(&store, &tenant, &ask.id)?;
    if job.phase.is_terminal() {
        return Err(Refusal::conflict(format!(
            "The job is {} and cannot be cancelled",
            job.status()
        )));
    }
    let id = job.id.clone();
    store.cancel_job(&id, now);
    let shown = store
        .jobs
        .find(&id)
        .map_or(Value::Null, |job| job.show(false));
    Ok(Reply::ok(shown))
}

pub(super) fn delete(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let mut store = world.store();
    let job = find(&store, &tenant, &ask.id)?;
    if !job.phase.is_terminal() {
        return Err(Refusal::conflict(format!(
            "The job is {}; cancel it before deleting it",
            job.status()
        )));
    }
    let (id, project) = (job.id.clone(), job.project.clone());
    store.remove_job(&id);
    Ok(Reply::ok(json!({ "id": id, "project_id": project })))
}
