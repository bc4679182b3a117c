//! Saved webhook configurations: `/api/v1/beta/webhook-configs` and `/api/v2/webhook-configs`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{saved_resource, webhook_fields};
use crate::page::PageRequest;
use crate::reply::{HandlerResult, Reply};
use crate::request_context::RequestContext;
use crate::shared_state::SharedState;
use crate::state::configuration::{MASK, WebhookConfiguration};
use crate::validate::{Node, Validator};

/// The fields that create and update share. Absent fields are unchanged.
fn apply_fields(node: &Node<'_>, to: &mut WebhookConfiguration) {
    if let Some(events) = node.field("webhook_events").present() {
        to.events = events
            .non_null()
            .and_then(|events| webhook_fields::events(&events, 1));
    }
    if let Some(headers) = node.field("webhook_headers").present() {
        to.headers = headers
            .non_null()
            .map(|headers| unmask(&headers, to.headers.as_deref().unwrap_or_default()));
    }
    if let Some(format) = node.field("webhook_output_format").present() {
        to.format = format
            .non_null()
            .and_then(|format| format.one_of(&["json", "string"], "enum"));
    }
    if let Some(secret) = node.field("webhook_signing_secret").non_null() {
        to.secret = secret.string(1, 1_000);
    }
}

/// Headers whose value is the mask keep their stored value.
fn unmask(node: &Node<'_>, stored: &[(String, String)]) -> Vec<(String, String)> {
    let headers = webhook_fields::headers(node).into_iter();
    headers
        .map(|(name, value)| {
            if value != MASK {
                return (name, value);
            }
            let kept = stored.iter().find(|(known, _)| *known == name);
            if kept.is_none() {
                let message = "This is a mask, and there is no stored value for it";
                node.field(&name).add_error("value_error", message);
            }
            (name, kept.map_or(value, |(_, value)| value.clone()))
        })
        .collect()
}

pub(super) fn create(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let now = shared.now();
    let mut created = WebhookConfiguration {
        id: String::new(),
        project: tenant.project,
        url: webhook_fields::url(&node.field("webhook_url")).unwrap_or_default(),
        events: None,
        headers: None,
        format: None,
        secret: None,
        created: now,
        updated: now,
    };
    apply_fields(&node, &mut created);
    validator.finish()?;
    let mut store = shared.store();
    created.id = format!("whc-{}", store.uuid());
    let json = created.to_json();
    store.webhooks.insert(created);
    Ok(Reply::created(json))
}

pub(super) fn get(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    saved_resource::get::<WebhookConfiguration>(shared, context)
}

pub(super) fn update(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let url = node
        .field("webhook_url")
        .non_null()
        .and_then(|value| webhook_fields::url(&value));
    let now = shared.now();
    let mut store = shared.store();
    let mut changed =
        saved_resource::find::<WebhookConfiguration>(&store, &tenant, &context.id)?.clone();
    apply_fields(&node, &mut changed);
    validator.finish()?;
    // A URL with the mask keeps its stored password.
    if let Some(url) = url.filter(|url| *url != changed.masked_url()) {
        changed.url = url;
    }
    changed.updated = now;
    let json = changed.to_json();
    if let Some(found) = store.webhooks.find_mut(&changed.id.clone()) {
        *found = changed;
    }
    Ok(Reply::ok(json))
}

pub(super) fn delete(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    saved_resource::delete::<WebhookConfiguration>(shared, context)
}

/// The older list: all webhooks in an array, newest first.
pub(super) fn list(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    // It has no pages, and rejects a size below 1 like every list.
    context.query.integer(&validator, "page_size", 1, u64::MAX);
    validator.finish()?;
    let store = shared.store();
    let rows = store
        .webhooks
        .newest_below(u64::MAX)
        .filter(|(_, row)| row.project == tenant.project);
    Ok(Reply::ok(
        rows.map(|(_, row)| row.to_json())
            .collect::<Vec<Value>>()
            .into(),
    ))
}

pub(super) fn list_pages(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let size = context
        .query
        .integer(&validator, "page_size", 1, 1_000)
        .unwrap_or(50);
    let with_total = context.query.boolean(&validator, "include_total");
    validator.finish()?;
    let token = context.query.get("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &tenant.project,
        context.fault,
    )?;
    let store = shared.store();
    let in_project = |row: &WebhookConfiguration| row.project == tenant.project;
    let rows = store
        .webhooks
        .newest_below(page.cursor.key.unwrap_or(u64::MAX))
        .filter(|(_, row)| in_project(row));
    let mut envelope = page.envelope(rows.map(|(key, row)| (key, String::new(), row.to_json())));
    if with_total {
        envelope["total_size"] = json!(
            store
                .webhooks
                .iter()
                .filter(|(_, row)| in_project(row))
                .count()
        );
    }
    Ok(Reply::ok(envelope))
}
