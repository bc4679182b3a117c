//! Saved configurations: `/api/v1/beta/configurations`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{rules, saved};
use crate::ask::Ask;
use crate::check::{Check, Node};
use crate::page::PageRequest;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::Store;
use crate::state::configuration::Configuration;
use crate::world::World;

const PRODUCTS: [&str; 6] = [
    "classify_v2",
    "extract_v2",
    "parse_v2",
    "split_v1",
    "spreadsheet_v1",
    "unknown",
];

/// Checks the tagged union of parameters; only those of the classifier are looked into.
fn parameters(node: &Node<'_>) -> Option<(String, Value)> {
    node.object()?;
    let product = node
        .field("product_type")
        .word(&PRODUCTS, "union_tag_invalid")?;
    if product == "classify_v2" {
        rules::configuration(node);
    }
    Some((product, node.any()?.clone()))
}

pub(super) fn create(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let name = node.field("name").string(1, 255);
    let given = parameters(&node.field("parameters"));
    check.finish()?;
    let (Some(name), Some((product, parameters))) = (name, given) else {
        return Err(Refusal::bad_request("name and parameters are required"));
    };
    let now = world.now();
    let mut store = world.store();
    // One configuration for each name and product of a project: a second create changes the first.
    let same = |one: &Configuration| {
        one.name == name && one.product == product && one.project == tenant.project
    };
    let existing = store
        .configurations
        .iter()
        .find(|(_, one)| same(one))
        .map(|(_, one)| one.id.clone());
    if let Some(found) = existing.and_then(|id| store.configurations.find_mut(&id)) {
        found.parameters = parameters;
        found.updated = now;
        found.revision += 1;
        return Ok(Reply::created(found.show()));
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
    let shown = configuration.show();
    store.configurations.insert(configuration);
    Ok(Reply::created(shown))
}

pub(super) fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let query = &ask.query;
    let size = query.integer(&check, "page_size", 1, 1_000).unwrap_or(50);
    let products = query.all("product_type");
    for product in &products {
        if !PRODUCTS.contains(product) {
            let message = format!("Input should be one of: {}", PRODUCTS.join(", "));
            check.problem("query", "product_type", "enum", &message, product);
        }
    }
    let name = query.one("name");
    let latest_only = query.flag(&check, "latest_only");
    check.finish()?;
    let filters = (&tenant.project, &products, name, latest_only);
    let token = query.one("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &filters,
        ask.fault,
    )?;
    let store = world.store();
    let fits = |one: &Configuration| {
        one.project == tenant.project
            && (products.is_empty() || products.contains(&one.product.as_str()))
            && name.is_none_or(|name| one.name == name)
    };
    let latest = latest_only.then(|| latest(&store, &fits));
    let rows = store
        .configurations
        .newest_below(page.cursor.key.unwrap_or(u64::MAX));
    let rows = rows.filter(|(key, one)| {
        fits(one) && latest.as_ref().is_none_or(|latest| latest.contains(key))
    });
    Ok(Reply::ok(page.envelope(
        rows.map(|(key, one)| (key, String::new(), one.show())),
    )))
}

/// The newest of those with the same name and product; a rename can make two of a kind.
fn latest(store: &Store, fits: &dyn Fn(&Configuration) -> bool) -> HashSet<u64> {
    let mut newest: Vec<(u64, &Configuration)> = store
        .configurations
        .iter()
        .filter(|(_, one)| fits(one))
        .collect();
    newest.sort_by_key(|(key, one)| std::cmp::Reverse((one.updated, one.revision, *key)));
    let mut seen = HashSet::new();
    newest.retain(|(_, one)| seen.insert((&one.name, &one.product)));
    newest.into_iter().map(|(key, _)| key).collect()
}

pub(super) fn get(world: &Arc<World>, ask: &Ask) -> Answer {
    saved::get::<Configuration>(world, ask)
}

pub(super) fn update(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let name = node
        .field("name")
        .given()
        .and_then(|name| name.string(1, 255));
    let given = node
        .field("parameters")
        .given()
        .and_then(|given| parameters(&given));
    check.finish()?;
    let now = world.now();
    let mut store = world.store();
    let id = saved::find::<Configuration>(&store, &tenant, &ask.id)?
        .id
        .clone();
    let Some(found) = store.configurations.find_mut(&id) else {
        return Err(Refusal::not_found("Configuration not found"));
    };
    if let Some(name) = name {
        found.name = name;
    }
    if let Some((product, parameters)) = given {
        found.product = product;
        found.parameters = parameters;
    }
    found.updated = now;
    found.revision += 1;
    Ok(Reply::ok(found.show()))
}

pub(super) fn delete(world: &Arc<World>, ask: &Ask) -> Answer {
    saved::delete::<Configuration>(world, ask)
}
