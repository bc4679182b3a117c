//! Validates the webhooks of a create.

use crate::state::job::WebhookTarget;
use crate::validate::Node;

/// Validates a map of header names to texts.
pub(super) fn headers(node: &Node<'_>) -> Vec<(String, String)> {
    let names: Vec<String> = node
        .object()
        .map(|object| object.keys().cloned().collect())
        .unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), node.field(&name).string(0, 4_000)?)))
        .collect()
}

/// Validates the URL of a webhook.
pub(super) fn url(node: &Node<'_>) -> Option<String> {
    let url = node.string(1, 4_000)?;
    if !url.starts_with("http:") && !url.starts_with("https:") {
        node.add_error("value_error", "A webhook's URL begins with http: or https:");
        return None;
    }
    Some(url)
}

/// The events of version 2.
const EVENTS: [&str; 38] = [
    "batch.cancelled",
    "batch.error",
    "batch.pending",
    "batch.running",
    "batch.success",
    "classify.cancelled",
    "classify.error",
    "classify.partial_success",
    "classify.pending",
    "classify.running",
    "classify.success",
    "extract.cancelled",
    "extract.error",
    "extract.partial_success",
    "extract.pending",
    "extract.success",
    "parse.cancelled",
    "parse.error",
    "parse.partial_success",
    "parse.pending",
    "parse.running",
    "parse.success",
    "sheets.cancelled",
    "sheets.error",
    "sheets.partial_success",
    "sheets.pending",
    "sheets.success",
    "split.cancelled",
    "split.error",
    "split.pending",
    "split.processing",
    "split.success",
    "unmapped_event",
    "verify.cancelled",
    "verify.error",
    "verify.pending",
    "verify.running",
    "verify.success",
];

/// Maximum number of webhooks of a create. The API documents none, and each costs a delivery per event.
const MAX_INLINE: usize = 100;

/// Validates a list of at least `min` event names.
pub(super) fn events(node: &Node<'_>, min: usize) -> Option<Vec<String>> {
    let items = node.items(min, usize::MAX)?;
    let names = items.iter().filter_map(|item| item.one_of(&EVENTS, "enum"));
    Some(names.collect())
}

/// Validates the inline webhooks of version 2. A webhook without a URL is accepted and never sent.
pub(super) fn inline_v2(node: &Node<'_>) -> Vec<WebhookTarget> {
    let items = node
        .non_null()
        .and_then(|list| list.items(0, MAX_INLINE))
        .unwrap_or_default();
    items.iter().filter_map(target_v2).collect()
}

fn target_v2(item: &Node<'_>) -> Option<WebhookTarget> {
    item.object()?;
    let value = InlineFields {
        headers: item
            .field("webhook_headers")
            .non_null()
            .map(|value| headers(&value)),
        // An empty list is rejected only in saved webhooks.
        events: item
            .field("webhook_events")
            .non_null()
            .and_then(|value| events(&value, 0)),
        format: item.field("webhook_output_format").optional_string(50),
    };
    target(item, value)
}

/// The fields of a webhook of version 1; others are rejected.
const FIELDS_V1: [&str; 5] = [
    "webhook_url",
    "webhook_headers",
    "webhook_events",
    "webhook_output_format",
    "webhook_signing_secret",
];

/// Validates the webhooks of version 1, whose list is not nullable and whose headers may have any values.
pub(super) fn inline_v1(node: &Node<'_>) -> Vec<WebhookTarget> {
    let items = node
        .present()
        .and_then(|list| list.items(0, MAX_INLINE))
        .unwrap_or_default();
    items.iter().filter_map(target_v1).collect()
}

fn target_v1(item: &Node<'_>) -> Option<WebhookTarget> {
    item.object()?;
    item.deny_unknown(&FIELDS_V1);
    let text = |value: &serde_json::Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let pairs = item.field("webhook_headers").non_null().and_then(|value| {
        let pairs = value.object()?.iter();
        Some(
            pairs
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        )
    });
    let value = InlineFields {
        headers: pairs,
        events: item
            .field("webhook_events")
            .non_null()
            .and_then(|value| value.strings(0, usize::MAX)),
        format: item
            .field("webhook_output_format")
            .non_null()
            .and_then(|format| format.one_of(&["string", "json"], "enum")),
    };
    target(item, value)
}

/// The fields of an inline webhook that each version validates in its own way.
struct InlineFields {
    headers: Option<Vec<(String, String)>>,
    events: Option<Vec<String>>,
    format: Option<String>,
}

/// Validates the other fields of an inline webhook. Returns it if it has a URL.
fn target(item: &Node<'_>, value: InlineFields) -> Option<WebhookTarget> {
    let address = item
        .field("webhook_url")
        .non_null()
        .and_then(|value| url(&value));
    let secret = item.field("webhook_signing_secret").optional_string(1_000);
    Some(WebhookTarget {
        url: address?,
        headers: value.headers.unwrap_or_default(),
        events: value.events.filter(|events| !events.is_empty()),
        as_object: value.format.as_deref() == Some("json"),
        secret,
    })
}
