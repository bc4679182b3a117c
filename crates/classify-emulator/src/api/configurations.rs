//! Saved configurations: `/api/v1/beta/configurations`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{rules, saved_resource};
use crate::page::PageRequest;
use crate::reply::{ApiError, HandlerResult, Reply};
use crate::request_context::RequestContext;
use crate::shared_state::SharedState;
use crate::state::Store;
use crate::state::configuration::Configuration;
use crate::validate::{Node, Validator};

const PRODUCTS: [&str; 6] = [
    "classify_v2",
    "extract_v2",
    "parse_v2",
    "split_v1",
    "spreadsheet_v1",
    "unknown",
];

/// Validates the tagged union of parameters. Only those of classification are validated in detail.
fn parameters(node: &Node<'_>) -> Option<(String, Value)> {
    node.object()?;
    let product = node
        .field("product_type")
        .one_of(&PRODUCTS, "union_tag_invalid")?;
    if product == "classify_v2" {
        rules::configuration(node);
    }
    Some((product, node.any()?.clone()))
}

pub(super) fn create(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let name = node.field("name").string(1, 255);
    let parsed = parameters(&node.field("parameters"));
    validator.finish()?;
    let (Some(name), Some((product, parameters))) = (name, parsed) else {
        return Err(ApiError::bad_request("name and parameters are required"));
    };
    let now = shared.now();
    let mut store = shared.store();
    // Names are unique per product and project: a second create updates the configuration.
    let same = |configuration: &Configuration| {
        configuration.name == name
            && configuration.product == product
            && configuration.project == tenant.project
    };
    let existing = store
        .configurations
        .iter()
        .find(|(_, configuration)| same(configuration))
        .map(|(_, configuration)| configuration.id.clone());
    if let Some(found) = existing.and_then(|id| store.configurations.find_mut(&id)) {
        found.parameters = parameters;
        found.updated = now;
        found.revision += 1;
        return Ok(Reply::created(found.to_json()));
    }
    let configuration = Configuration {
        id: format!("cfg-{}", store.uuid()),
        project: tenant.project,
        name,
        product,
        parameters,
        created: now,
        updated: now,
        revision: 0,
    };
    let json = configuration.to_json();
    store.configurations.insert(configuration);
    Ok(Reply::created(json))
}

pub(super) fn list(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let query = &context.query;
    let size = query
        .integer(&validator, "page_size", 1, 1_000)
        .unwrap_or(50);
    let products = query.get_all("product_type");
    for product in &products {
        if !PRODUCTS.contains(product) {
            let message = format!("Input should be one of: {}", PRODUCTS.join(", "));
            validator.add_error("query", "product_type", "enum", &message, product);
        }
    }
    let name = query.get("name");
    let latest_only = query.boolean(&validator, "latest_only");
    validator.finish()?;
    let filters = (&tenant.project, &products, name, latest_only);
    let token = query.get("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &filters,
        context.fault,
    )?;
    let store = shared.store();
    let fits = |configuration: &Configuration| {
        configuration.project == tenant.project
            && (products.is_empty() || products.contains(&configuration.product.as_str()))
            && name.is_none_or(|name| configuration.name == name)
    };
    let latest = latest_only.then(|| latest(&store, &fits));
    let rows = store
        .configurations
        .newest_below(page.cursor.key.unwrap_or(u64::MAX));
    let rows = rows.filter(|(key, configuration)| {
        fits(configuration) && latest.as_ref().is_none_or(|latest| latest.contains(key))
    });
    Ok(Reply::ok(page.envelope(rows.map(
        |(key, configuration)| (key, String::new(), configuration.to_json()),
    ))))
}

/// The latest version per name and product; after a rename, two configurations can have the same name.
fn latest(store: &Store, fits: &dyn Fn(&Configuration) -> bool) -> HashSet<u64> {
    let mut newest: Vec<(u64, &Configuration)> = store
        .configurations
        .iter()
        .filter(|(_, configuration)| fits(configuration))
        .collect();
    newest.sort_by_key(|(key, configuration)| {
        std::cmp::Reverse((configuration.updated, configuration.revision, *key))
    });
    let mut seen = HashSet::new();
    newest.retain(|(_, configuration)| seen.insert((&configuration.name, &configuration.product)));
    newest.into_iter().map(|(key, _)| key).collect()
}

pub(super) fn get(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    saved_resource::get::<Configuration>(shared, context)
}

pub(super) fn update(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let name = node
        .field("name")
        .non_null()
        .and_then(|name| name.string(1, 255));
    let parsed = node
        .field("parameters")
        .non_null()
        .and_then(|parsed| parameters(&parsed));
    validator.finish()?;
    let now = shared.now();
    let mut store = shared.store();
    let id = saved_resource::find::<Configuration>(&store, &tenant, &context.id)?
        .id
        .clone();
    let Some(found) = store.configurations.find_mut(&id) else {
        return Err(ApiError::not_found("Configuration not found"));
    };
    if let Some(name) = name {
        found.name = name;
    }
    if let Some((product, parameters)) = parsed {
        found.product = product;
        found.parameters = parameters;
    }
    found.updated = now;
    found.revision += 1;
    Ok(Reply::ok(found.to_json()))
}

pub(super) fn delete(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    saved_resource::delete::<Configuration>(shared, context)
}
