//! API version 2: `/api/v2/classify`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rules;
use super::webhook_fields;
use crate::clock::millis;
use crate::page::PageRequest;
use crate::reply::{ApiError, HandlerResult, Reply};
use crate::request_context::{RequestContext, Tenant};
use crate::shared_state::SharedState;
use crate::state::Store;
use crate::state::file::parse_file_id;
use crate::state::job::{Input, InputKind, Job, JobConfiguration, JobState, Version};
use crate::validate::{Node, Validator};

pub(super) fn create(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let inline = node
        .field("configuration")
        .non_null()
        .map(|value| rules::configuration(&value));
    let saved = node.field("configuration_id").optional_string(200);
    match (&inline, &saved) {
        (None, None) => node.field("configuration").add_error(
            "value_error",
            "One of configuration and configuration_id is required",
        ),
        (Some(_), Some(_)) => node.field("configuration_id").add_error(
            "value_error",
            "configuration and configuration_id exclude each other",
        ),
        _ => {}
    }
    let input = file_input(&node);
    let transaction_id = node.field("transaction_id").optional_string(255);
    let webhook_ids = node
        .field("webhook_configuration_ids")
        .non_null()
        .and_then(|ids| ids.strings(0, 4));
    let inline_webhooks = webhook_fields::inline_v2(&node.field("webhook_configurations"));
    validator.finish()?;
    let Some(input) = input else {
        // `finish` has rejected the request already.
        return Err(ApiError::bad_request("file_input is required"));
    };

    shared.expire_files();
    let mut store = shared.store();
    // Every later create with a transaction id returns its first job, with any body.
    if let Some(transaction) = &transaction_id
        && let Some(job) = store.transaction(&tenant.project, transaction)
    {
        return Ok(Reply::ok(job.to_json(false)));
    }
    let configuration = match (inline, &saved) {
        (Some(inline), _) => inline,
        (None, Some(id)) => saved_configuration(&store, &tenant, id)?,
        (None, None) => return Err(ApiError::bad_request("configuration is required")),
    };
    let kind = resolve(&store, &tenant, &input)?;
    let mut webhooks = inline_webhooks;
    for id in webhook_ids.unwrap_or_default() {
        let found = store
            .webhooks
            .find(&id)
            .filter(|webhook| tenant.may_see(&webhook.project));
        let found = found
            .ok_or_else(|| ApiError::not_found(format!("webhook configuration {id} not found")))?;
        webhooks.push(found.to_target());
    }
    let now = shared.now();
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
            requested_id: input,
            kind,
            outcome: None,
            duration: None,
            result_id,
        }],
        configuration: Arc::new(configuration),
        configuration_id: saved,
        transaction_id,
        state: JobState::Pending,
        error: None,
        created: now,
        updated: now,
        running_at: now.saturating_add(millis(shared.config.running_after)),
        ends_at: Some(now.saturating_add(millis(shared.config.completed_after))),
        read_at: now,
        parse_job_id,
        webhooks,
        due: None,
    };
    let json = job.to_json(false);
    shared.submit_documents(&store, &job);
    store.add_job(job);
    drop(store);
    shared.schedule_changed.notify_one();
    Ok(Reply::ok(json))
}

/// The document's id: from `file_input`, or one of the fields that it replaced.
fn file_input(node: &Node<'_>) -> Option<String> {
    let canonical = node.field("file_input").optional_string(200);
    let file = node.field("file_id").optional_string(200);
    let parse = node.field("parse_job_id").optional_string(200);
    let input = canonical.or(file).or(parse).filter(|id| !id.is_empty());
    if input.is_none() {
        node.field("file_input")
            .add_error("missing", "Field required");
    }
    input
}

/// The rules of a saved configuration.
fn saved_configuration(
    store: &Store,
    tenant: &Tenant,
    id: &str,
) -> Result<JobConfiguration, ApiError> {
    let found = store
        .configurations
        .find(id)
        .filter(|saved| tenant.may_see(&saved.project));
    let found =
        found.ok_or_else(|| ApiError::not_found(format!("configuration {id} not found")))?;
    if found.product != "classify_v2" {
        return Err(ApiError::bad_request(format!(
            "configuration {id} is for {}, not for classify_v2",
            found.product
        )));
    }
    let validator = Validator::new();
    let configuration = rules::configuration(&validator.body(&found.parameters));
    validator.finish().map_err(|_| {
        ApiError::bad_request(format!(
            "the parameters of configuration {id} are not valid"
        ))
    })?;
    Ok(configuration)
}

/// Finds the input of a job. It must belong to the request's project.
fn resolve(store: &Store, tenant: &Tenant, input: &str) -> Result<InputKind, ApiError> {
    if input.starts_with("pjb-") {
        return Ok(InputKind::ParseJob(input.to_owned()));
    }
    let file = parse_file_id(input)
        .and_then(|id| store.files.find(&id))
        .filter(|file| file.project == tenant.project);
    match file {
        Some(file) => Ok(InputKind::File(file.id.clone())),
        None => Err(ApiError::bad_request(format!(
            "file {input} is not in this project"
        ))),
    }
}

pub(super) fn list(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let query = &context.query;
    let size = query.integer(&validator, "page_size", 1, 100).unwrap_or(20);
    let statuses = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
    let status = query.one_of(&validator, "status", &statuses);
    let job_ids = query.get_all("job_ids");
    let configuration_id = query.get("configuration_id");
    let from = query.timestamp(&validator, "created_at_on_or_after");
    let to = query.timestamp(&validator, "created_at_on_or_before");
    validator.finish()?;
    let filters = (
        &tenant.project,
        status,
        &job_ids,
        configuration_id,
        from,
        to,
    );
    let token = query.get("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(20),
        token,
        &filters,
        context.fault,
    )?;

    let store = shared.store();
    let fits = |job: &Job| {
        job.version == Version::V2
            && job.project == tenant.project
            && status.is_none_or(|status| job.status() == status)
            && configuration_id.is_none_or(|id| job.configuration_id.as_deref() == Some(id))
            && from.is_none_or(|from| job.created >= from)
            && to.is_none_or(|to| job.created <= to)
    };
    let below = page.cursor.key.unwrap_or(u64::MAX);
    let to_json = |(key, job): (u64, &Job)| (key, String::new(), job.to_json(false));
    let envelope = if job_ids.is_empty() {
        page.envelope(
            store
                .jobs
                .newest_below(below)
                .filter(|(_, job)| fits(job))
                .map(to_json),
        )
    } else {
        // By key: a hundred ids take a hundred lookups, however many jobs there are.
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
        page.envelope(rows.filter(|(_, job)| fits(job)).map(to_json))
    };
    Ok(Reply::ok(envelope))
}

fn find<'s>(store: &'s Store, tenant: &Tenant, id: &str) -> Result<&'s Job, ApiError> {
    let uuid = uuid::Uuid::parse_str(id).ok().map(|id| format!("clj-{id}"));
    let job = store.jobs.find(id).or_else(|| store.jobs.find(&uuid?));
    job.filter(|job| job.version == Version::V2 && tenant.may_see(&job.project))
        .ok_or_else(|| ApiError::not_found("Classify job not found"))
}

pub(super) fn get(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let with_usage = context.query.get_all("expand").contains(&"usage");
    let store = shared.store();
    Ok(Reply::ok(
        find(&store, &tenant, &context.id)?.to_json(with_usage),
    ))
}

pub(super) fn cancel(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let now = shared.now();
    let mut store = shared.store();
    let job = find(&store, &tenant, &context.id)?;
    if job.state.is_terminal() {
        return Err(ApiError::conflict(format!(
            "The job is {} and cannot be cancelled",
            job.status()
        )));
    }
    let id = job.id.clone();
    store.cancel_job(&id, now);
    let json = store
        .jobs
        .find(&id)
        .map_or(Value::Null, |job| job.to_json(false));
    Ok(Reply::ok(json))
}

pub(super) fn delete(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let mut store = shared.store();
    let job = find(&store, &tenant, &context.id)?;
    if !job.state.is_terminal() {
        return Err(ApiError::conflict(format!(
            "The job is {}; cancel it before deleting it",
            job.status()
        )));
    }
    let (id, project) = (job.id.clone(), job.project.clone());
    store.remove_job(&id);
    Ok(Reply::ok(json!({ "id": id, "project_id": project })))
}
