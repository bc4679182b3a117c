//! Webhooks that come inside a create.

use crate::check::Node;
use crate::state::job::Hook;

/// Checks a map of header names to texts.
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

/// Checks an address that events may be sent to.
pub(super) fn url(node: &Node<'_>) -> Option<String> {
    let url = node.string(1, 4_000)?;
    if !url.starts_with("http:") && !url.starts_with("https:") {
        node.problem("value_error", "A webhook's URL begins with http: or https:");
        return None;
    }
    Some(url)
}

/// Checks a list of event names, which must not be empty.
pub(super) fn events(node: &Node<'_>) -> Option<Vec<String>> {
    node.strings(1, usize::MAX)
}

/// Checks the inline webhooks of version 2. One without an address is accepted, and never heard of.
pub(super) fn inline_v2(node: &Node<'_>) -> Vec<Hook> {
    let items = node
        .given()
        .and_then(|list| list.items(0, usize::MAX))
        .unwrap_or_default();
    items.iter().filter_map(hook_v2).collect()
}

fn hook_v2(item: &Node<'_>) -> Option<Hook> {
    item.object()?;
    let url = item
        .field("webhook_url")
        .given()
        .and_then(|given| url(&given));
    let headers = item
        .field("webhook_headers")
        .given()
        .map(|given| headers(&given));
    let events = item
        .field("webhook_events")
        .given()
        .and_then(|given| given.strings(0, usize::MAX));
    let format = item.field("webhook_output_format").optional_string(50);
    let secret = item.field("webhook_signing_secret").optional_string(1_000);
    Some(Hook {
        url: url?,
        headers: headers.unwrap_or_default(),
        events: events.filter(|events| !events.is_empty()),
        as_object: format.as_deref() == Some("json"),
        secret,
    })
}

/// The fields that a webhook of version 1 may have; others are refused.
const FIELDS_V1: [&str; 5] = [
    "webhook_url",
    "webhook_headers",
    "webhook_events",
    "webhook_output_format",
    "webhook_signing_secret",
];

/// Checks the webhooks of version 1, whose list is not nullable and whose headers may have any values.
pub(super) fn inline_v1(node: &Node<'_>) -> Vec<Hook> {
    let items = node
        .present()
        .and_then(|list| list.items(0, usize::MAX))
        .unwrap_or_default();
    items.iter().filter_map(hook_v1).collect()
}

fn hook_v1(item: &Node<'_>) -> Option<Hook> {
    item.object()?;
    item.only(&FIELDS_V1);
    let format = item.field("webhook_output_format").given();
    let format = format.and_then(|format| format.word(&["string", "json"], "enum"));
    let headers = item.field("webhook_headers").given().and_then(|given| {
        let pairs = given.object()?.iter();
        let text = |value: &serde_json::Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        Some(
            pairs
                .map(|(name, value)| (name.clone(), text(value)))
                .collect::<Vec<_>>(),
        )
    });
    let url = item
        .field("webhook_url")
        .given()
        .and_then(|given| url(&given));
    let events = item
        .field("webhook_events")
        .given()
        .and_then(|given| given.strings(0, usize::MAX));
    let secret = item.field("webhook_signing_secret").optional_string(1_000);
    Some(Hook {
        url: url?,
        headers: headers.unwrap_or_default(),
        events: events.filter(|events| !events.is_empty()),
        as_object: format.as_deref() == Some("json"),
        secret,
    })
}
