//! API version 1, deprecated: `/api/v1/classifier/jobs`.

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
use crate::state::job::{Input, InputKind, Job, JobConfiguration, JobState, Pages, Version};
use crate::validate::{Node, Validator};

/// The languages of version 1.
const LANGUAGES: [&str; 86] = [
    "af",
    "az",
    "bs",
    "cs",
    "cy",
    "da",
    "de",
    "en",
    "es",
    "et",
    "fr",
    "ga",
    "hr",
    "hu",
    "id",
    "is",
    "it",
    "ku",
    "la",
    "lt",
    "lv",
    "mi",
    "ms",
    "mt",
    "nl",
    "no",
    "oc",
    "pi",
    "pl",
    "pt",
    "ro",
    "rs_latin",
    "sk",
    "sl",
    "sq",
    "sv",
    "sw",
    "tl",
    "tr",
    "uz",
    "vi",
    "ar",
    "fa",
    "ug",
    "ur",
    "bn",
    "as",
    "mni",
    "ru",
    "rs_cyrillic",
    "be",
    "bg",
    "uk",
    "mn",
    "abq",
    "ady",
    "kbd",
    "ava",
    "dar",
    "inh",
    "che",
    "lbe",
    "lez",
    "tab",
    "tjk",
    "hi",
    "mr",
    "ne",
    "bh",
    "mai",
    "ang",
    "bho",
    "mah",
    "sck",
    "new",
    "gom",
    "sa",
    "bgc",
    "th",
    "ch_sim",
    "ch_tra",
    "ja",
    "ko",
    "ta",
    "te",
    "kn",
];

/// Number of pages of a document that are read by default.
const DEFAULT_PAGES: u32 = 5;

pub(super) fn create(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let file_ids = file_ids(&node.field("file_ids"));
    let rules = rules::rules(&node.field("rules"));
    let mode = node
        .field("mode")
        .present()
        .and_then(|mode| mode.one_of(&["FAST", "MULTIMODAL"], "enum"));
    let configuration = configuration(&node, rules, mode.as_deref().unwrap_or("FAST"));
    let webhooks = webhook_fields::inline_v1(&node.field("webhook_configurations"));
    validator.finish()?;

    shared.expire_files();
    let mut store = shared.store();
    let mut inputs = Vec::new();
    for (requested_id, id) in file_ids {
        if store
            .files
            .find(&id)
            .is_none_or(|file| file.project != tenant.project)
        {
            return Err(ApiError::bad_request(format!(
                "file {requested_id} is not in this project"
            )));
        }
        let result_id = store.uuid();
        inputs.push(Input {
            requested_id,
            kind: InputKind::File(id),
            outcome: None,
            duration: None,
            result_id,
        });
    }
    let now = shared.now();
    let job = Job {
        id: store.uuid(),
        version: Version::V1,
        project: tenant.project,
        inputs,
        configuration: Arc::new(configuration),
        configuration_id: None,
        transaction_id: None,
        state: JobState::Pending,
        error: None,
        created: now,
        updated: now,
        running_at: now.saturating_add(millis(shared.config.running_after)),
        ends_at: Some(now.saturating_add(millis(shared.config.completed_after))),
        read_at: now,
        parse_job_id: None,
        webhooks,
        due: None,
    };
    let json = job.to_json_v1();
    shared.submit_documents(&store, &job);
    store.add_job(job);
    drop(store);
    shared.schedule_changed.notify_one();
    Ok(Reply::ok(json))
}

/// The files, each with its id as sent and its UUID.
fn file_ids(node: &Node<'_>) -> Vec<(String, String)> {
    let mut ids = Vec::new();
    for item in node.items(1, 500).unwrap_or_default() {
        let Some(requested_id) = item.string(0, 200) else {
            continue;
        };
        match parse_file_id(&requested_id) {
            Some(id) => ids.push((requested_id, id)),
            None => item.add_error("uuid_parsing", "Input should be a UUID"),
        }
    }
    ids
}

fn configuration(
    node: &Node<'_>,
    rules: Vec<crate::state::job::Rule>,
    mode: &str,
) -> JobConfiguration {
    let mut lang = "en".to_owned();
    let mut max_pages = Some(DEFAULT_PAGES);
    let mut pages: Option<Vec<u32>> = None;
    // It may be absent, which means the defaults, and must not be null.
    if let Some(parsing) = node.field("parsing_configuration").present()
        && parsing.object().is_some()
    {
        if let Some(requested_id) = parsing
            .field("lang")
            .present()
            .and_then(|lang| lang.one_of(&LANGUAGES, "enum"))
        {
            lang = requested_id;
        }
        if let Some(requested_id) = parsing.field("max_pages").present() {
            max_pages = requested_id
                .non_null()
                .and_then(|max| max.integer(1))
                .map(|max| u32::try_from(max).unwrap_or(u32::MAX));
        }
        if let Some(requested_id) = parsing.field("target_pages").non_null() {
            let items = requested_id.items(1, usize::MAX).unwrap_or_default();
            let numbers = items.iter().filter_map(|item| item.integer(0));
            pages = Some(
                numbers
                    .filter_map(|page| u32::try_from(page).ok())
                    .collect(),
            );
        }
    }
    let json = json!({
        "rules": rules,
        "mode": mode,
        "parsing_configuration": { "lang": lang, "max_pages": max_pages, "target_pages": pages },
    });
    JobConfiguration {
        rules,
        lang,
        pages: pages.map(|pages| Pages::new(pages.into_iter().map(|page| (page, page)).collect())),
        max_pages,
        json,
    }
}

pub(super) fn list(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    // No maximum is documented: a larger value is valid and counts as the maximum.
    let size = context
        .query
        .integer(&validator, "page_size", 1, u64::MAX)
        .unwrap_or(20)
        .min(1_000);
    validator.finish()?;
    let token = context.query.get("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(20),
        token,
        &tenant.project,
        context.fault,
    )?;
    let store = shared.store();
    let rows = store.jobs.newest_below(page.cursor.key.unwrap_or(u64::MAX));
    let rows = rows.filter(|(_, job)| job.version == Version::V1 && job.project == tenant.project);
    Ok(Reply::ok(page.envelope(
        rows.map(|(key, job)| (key, String::new(), job.to_json_v1())),
    )))
}

fn find<'s>(
    store: &'s Store,
    validator: Validator,
    tenant: &Tenant,
    id: &str,
) -> Result<&'s Job, ApiError> {
    let uuid = uuid::Uuid::parse_str(id).ok().map(|id| id.to_string());
    if uuid.is_none() {
        validator.add_error(
            "path",
            "classify_job_id",
            "uuid_parsing",
            "Input should be a UUID",
            id,
        );
    }
    validator.finish()?;
    let job = uuid.and_then(|id| store.jobs.find(&id));
    job.filter(|job| job.version == Version::V1 && tenant.may_see(&job.project))
        .ok_or_else(|| ApiError::not_found("Classify job not found"))
}

pub(super) fn get(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let store = shared.store();
    Ok(Reply::ok(
        find(&store, validator, &tenant, &context.id)?.to_json_v1(),
    ))
}

/// All results in one page: the operation has no token parameter.
pub(super) fn results(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let store = shared.store();
    let items = find(&store, validator, &tenant, &context.id)?.results_v1();
    Ok(Reply::ok(
        json!({ "items": items, "next_page_token": Value::Null, "total_size": Value::Null }),
    ))
}
