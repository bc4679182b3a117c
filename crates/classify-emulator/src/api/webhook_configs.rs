//! Saved webhook configurations: `/api/v1/beta/webhook-configs` and `/api/v2/webhook-configs`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{hooks, saved};
use crate::ask::Ask;
use crate::check::{Check, Node};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};
use crate::state::configuration::WebhookConfiguration;
use crate::world::World;

/// The fields that create and update share; absent ones stay as they are.
fn apply(node: &Node<'_>, to: &mut WebhookConfiguration) {
    if let Some(events) = node.field("webhook_events").present() {
        to.events = events.given().and_then(|events| hooks::events(&events, 1));
    }
    if let Some(headers) = node.field("webhook_headers").present() {
        to.headers = headers.given().map(|headers| hooks::headers(&headers));
    }
    if let Some(format) = node.field("webhook_output_format").present() {
        to.format = format
            .given()
            .and_then(|format| format.word(&["json", "string"], "enum"));
    }
    if let Some(secret) = node.field("webhook_signing_secret").given() {
        to.secret = secret.string(1, 1_000);
    }
}

pub(super) fn create(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let now = world.now();
    let mut created = WebhookConfiguration {
        id: String::new(),
        project: tenant.project,
        url: hooks::url(&node.field("webhook_url")).unwrap_or_default(),
        events: None,
        headers: None,
        format: None,
        secret: None,
        created: now,
        updated: now,
    };
    apply(&node, &mut created);
    check.finish()?;
    let mut store = world.store();
    created.id = format!("whc-{}", store.uuid());
    let shown = created.show();
    store.webhooks.insert(created);
    Ok(Reply::created(shown))
}

pub(super) fn get(world: &Arc<World>, ask: &Ask) -> Answer {
    saved::get::<WebhookConfiguration>(world, ask)
}

pub(super) fn update(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let url = node
        .field("webhook_url")
        .given()
        .and_then(|given| hooks::url(&given));
    let now = world.now();
    let mut store = world.store();
    let mut changed = saved::find::<WebhookConfiguration>(&store, &tenant, &ask.id)?.clone();
    apply(&node, &mut changed);
    check.finish()?;
    if let Some(url) = url {
        changed.url = url;
    }
    changed.updated = now;
    let shown = changed.show();
    if let Some(found) = store.webhooks.find_mut(&changed.id.clone()) {
        *found = changed;
    }
    Ok(Reply::ok(shown))
}

pub(super) fn delete(world: &Arc<World>, ask: &Ask) -> Answer {
    saved::delete::<WebhookConfiguration>(world, ask)
}

/// The older list: a bare array, newest first.
pub(super) fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let store = world.store();
    let rows = store
        .webhooks
        .newest_below(u64::MAX)
        .filter(|(_, one)| one.project == tenant.project);
    Ok(Reply::ok(
        rows.map(|(_, one)| one.show())
            .collect::<Vec<Value>>()
            .into(),
    ))
}

pub(super) fn pages(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let size = ask
        .query
        .integer(&check, "page_size", 1, 1_000)
        .unwrap_or(50);
    let with_total = ask.query.flag(&check, "include_total");
    check.finish()?;
    let token = ask.query.one("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &tenant.project,
        ask.fault,
    )?;
    let store = world.store();
    let own = |one: &WebhookConfiguration| one.project == tenant.project;
    let rows = store
        .webhooks
        .newest_below(page.cursor.key.unwrap_or(u64::MAX))
        .filter(|(_, one)| own(one));
    let mut envelope = page.envelope(rows.map(|(key, one)| (key, String::new(), one.show())));
    if with_total {
        envelope["total_size"] = json!(store.webhooks.iter().filter(|(_, one)| own(one)).count());
    }
    Ok(Reply::ok(envelope))
}
