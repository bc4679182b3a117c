//! Version 1, deprecated: `/api/v1/classifier/jobs`.

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
use crate::state::job::{Input, InputKind, Instructions, Job, Pages, Phase, Version};
use crate::world::World;

/// The languages that version 1 takes.
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

/// How many pages of a document are read unless the caller says.
const DEFAULT_PAGES: u32 = 5;

pub(super) fn create(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let file_ids = file_ids(&node.field("file_ids"));
    let rules = rules::rules(&node.field("rules"));
    let mode = node
        .field("mode")
        .present()
        .and_then(|mode| mode.word(&["FAST", "MULTIMODAL"], "enum"));
    let instructions = instructions(&node, rules, mode.as_deref().unwrap_or("FAST"));
    let hooks = hooks::inline_v1(&node.field("webhook_configurations"));
    check.finish()?;

    world.expire_files();
    let mut store = world.store();
    let mut inputs = Vec::new();
    for (given, id) in file_ids {
        if store
            .files
            .find(&id)
            .is_none_or(|file| file.project != tenant.project)
        {
            return Err(Refusal::bad_request(format!(
                "file {given} is not in this project"
            )));
        }
        let result_id = store.uuid();
        inputs.push(Input {
            given,
            kind: InputKind::File(id),
            outcome: None,
            takes: None,
            result_id,
        });
    }
    let now = world.now();
    let job = Job {
        id: store.uuid(),
        version: Version::V1,
        project: tenant.project,
        inputs,
        instructions: Arc::new(instructions),
        configuration_id: None,
        transaction_id: None,
        phase: Phase::Pending,
        error: None,
        created: now,
        updated: now,
        running_at: now.saturating_add(millis(world.config.running_after)),
        ends_at: Some(now.saturating_add(millis(world.config.completed_after))),
        read_at: now,
        parse_job_id: None,
        hooks,
        due: None,
    };
    let shown = job.show_v1();
    world.read_documents(&store, &job);
    store.add_job(job);
    drop(store);
    world.timetable.notify_one();
    Ok(Reply::ok(shown))
}

/// The files, each as it was given and by its bare id.
fn file_ids(node: &Node<'_>) -> Vec<(String, String)> {
    let mut ids = Vec::new();
    for item in node.items(1, 500).unwrap_or_default() {
        let Some(given) = item.string(0, 200) else {
            continue;
        };
        match bare_id(&given) {
            Some(id) => ids.push((given, id)),
            None => item.problem("uuid_parsing", "Input should be a UUID"),
        }
    }
    ids
}

fn instructions(node: &Node<'_>, rules: Vec<crate::state::job::Rule>, mode: &str) -> Instructions {
    let mut lang = "en".to_owned();
    let mut max_pages = Some(DEFAULT_PAGES);
    let mut pages: Option<Vec<u32>> = None;
    // Absent it has defaults; null it must not be.
    if let Some(parsing) = node.field("parsing_configuration").present()
        && parsing.object().is_some()
    {
        if let Some(given) = parsing
            .field("lang")
            .present()
            .and_then(|lang| lang.word(&LANGUAGES, "enum"))
        {
            lang = given;
        }
        if let Some(given) = parsing.field("max_pages").present() {
            max_pages = given
                .given()
                .and_then(|max| max.integer(1))
                .map(|max| u32::try_from(max).unwrap_or(u32::MAX));
        }
        if let Some(given) = parsing.field("target_pages").given() {
            let items = given.items(1, usize::MAX).unwrap_or_default();
            let numbers = items.iter().filter_map(|item| item.integer(0));
            pages = Some(
                numbers
                    .filter_map(|page| u32::try_from(page).ok())
                    .collect(),
            );
        }
    }
    let shown = json!({
        "rules": rules,
        "mode": mode,
        "parsing_configuration": { "lang": lang, "max_pages": max_pages, "target_pages": pages },
    });
    Instructions {
        rules,
        lang,
        pages: pages.map(|pages| Pages::new(pages.into_iter().map(|page| (page, page)).collect())),
        max_pages,
        shown,
    }
}

pub(super) fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    // No bound is published: what is beyond ours is not wrong, and is cut to it.
    let size = ask
        .query
        .integer(&check, "page_size", 1, u64::MAX)
        .unwrap_or(20)
        .min(1_000);
    check.finish()?;
    let token = ask.query.one("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(20),
        token,
        &tenant.project,
        ask.fault,
    )?;
    let store = world.store();
    let rows = store.jobs.newest_below(page.cursor.key.unwrap_or(u64::MAX));
    let rows = rows.filter(|(_, job)| job.version == Version::V1 && job.project == tenant.project);
    Ok(Reply::ok(page.envelope(
        rows.map(|(key, job)| (key, String::new(), job.show_v1())),
    )))
}

fn find<'s>(store: &'s Store, check: Check, tenant: &Tenant, id: &str) -> Result<&'s Job, Refusal> {
    let bare = uuid::Uuid::parse_str(id).ok().map(|id| id.to_string());
    if bare.is_none() {
        check.problem(
            "path",
            "classify_job_id",
            "uuid_parsing",
            "Input should be a UUID",
            id,
        );
    }
    check.finish()?;
    let job = bare.and_then(|id| store.jobs.find(&id));
    job.filter(|job| job.version == Version::V1 && tenant.may_see(&job.project))
        .ok_or_else(|| Refusal::not_found("Classify job not found"))
}

pub(super) fn get(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let store = world.store();
    Ok(Reply::ok(find(&store, check, &tenant, &ask.id)?.show_v1()))
}

/// All results in one page: the operation takes no token.
pub(super) fn results(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let store = world.store();
    let items = find(&store, check, &tenant, &ask.id)?.results_v1();
    Ok(Reply::ok(
        json!({ "items": items, "next_page_token": Value::Null, "total_size": Value::Null }),
    ))
}
