//! Files: `/api/v1/beta/files`, except the upload.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::clock::{Millis, format_timestamp};
use crate::page::PageRequest;
use crate::reply::{ApiError, HandlerResult, Reply};
use crate::request_context::{RequestContext, Tenant};
use crate::shared_state::SharedState;
use crate::state::Store;
use crate::state::file::{File, parse_file_id};
use crate::validate::Validator;

/// Validity of a download URL in seconds by default.
const LINK_SECONDS: u64 = 3_600;

/// The filters of a list of files.
#[derive(Debug, Default, Hash)]
struct Filter {
    project: String,
    ids: Option<Vec<String>>,
    name: Option<String>,
    external_id: Option<String>,
    order: Order,
}

#[derive(Debug, Default, Hash, Clone, Copy, PartialEq)]
enum Order {
    #[default]
    Newest,
    Name,
    Id,
}

impl Order {
    const VALUES: [&'static str; 3] = ["created_at", "id", "name"];

    fn parse(value: Option<&str>) -> Self {
        match value {
            Some("name") => Self::Name,
            Some("id") => Self::Id,
            _ => Self::Newest,
        }
    }
}

impl Filter {
    fn matches(&self, file: &File) -> bool {
        file.project == self.project
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&file.id))
            && self.name.as_ref().is_none_or(|name| *name == file.name)
            && self
                .external_id
                .as_ref()
                .is_none_or(|id| file.external_id.as_ref() == Some(id))
    }

    fn page(&self, store: &Store, page: &PageRequest, to_json: impl Fn(&File) -> Value) -> Value {
        let cursor = &page.cursor;
        let sort = |file: &File| match self.order {
            Order::Newest => String::new(),
            Order::Name => file.name.clone(),
            Order::Id => file.id.clone(),
        };
        if self.order == Order::Newest {
            let rows = store.files.newest_below(cursor.key.unwrap_or(u64::MAX));
            return page.envelope(
                rows.filter(|(_, f)| self.matches(f))
                    .map(|(key, f)| (key, String::new(), to_json(f))),
            );
        }
        let mut rows: Vec<(String, u64)> = store
            .files
            .iter()
            .filter(|(_, f)| self.matches(f))
            .map(|(key, f)| (sort(f), key))
            .collect();
        rows.sort();
        let after = cursor.key.map(|key| (cursor.sort.clone(), key));
        let rows = rows
            .into_iter()
            .filter(|row| after.as_ref().is_none_or(|after| row > after));
        page.envelope(
            rows.filter_map(|(sort, key)| Some((key, sort, to_json(store.files.get(key)?)))),
        )
    }
}

pub(super) fn list(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let query = &context.query;
    let size = query
        .integer(&validator, "page_size", 1, 1_000)
        .unwrap_or(50);
    let order = Order::parse(query.one_of(&validator, "order_by", &Order::VALUES));
    let ids = query.get_all("file_ids");
    let uuid: Vec<Option<String>> = ids.iter().map(|id| parse_file_id(id)).collect();
    for (id, uuid) in ids.iter().zip(&uuid) {
        if uuid.is_none() {
            validator.add_error(
                "query",
                "file_ids",
                "uuid_parsing",
                "Input should be a UUID",
                id,
            );
        }
    }
    validator.finish()?;
    let filter = Filter {
        project: tenant.project,
        ids: (!ids.is_empty()).then(|| uuid.into_iter().flatten().collect()),
        name: query.get("file_name").map(str::to_owned),
        external_id: query.get("external_file_id").map(str::to_owned),
        order,
    };
    let token = query.get("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &filter,
        context.fault,
    )?;
    let with_link = query.get_all("expand").contains(&"download_url");
    shared.expire_files();
    let store = shared.store();
    Ok(Reply::ok(filter.page(&store, &page, |file| {
        to_json(shared, file, with_link)
    })))
}

pub(super) fn query(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let body = context.json()?;
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let node = validator.body(&body);
    node.object();
    let mut filter = Filter {
        project: tenant.project,
        ..Filter::default()
    };
    if let Some(filter_node) = node.field("filter").non_null() {
        filter_node.object();
        let ids = filter_node
            .field("file_ids")
            .non_null()
            .and_then(|ids| ids.strings(0, usize::MAX));
        filter.ids = ids.map(|ids| ids.iter().filter_map(|id| parse_file_id(id)).collect());
        filter.name = filter_node.field("file_name").optional_string(3_000);
        filter.external_id = filter_node.field("external_file_id").optional_string(3_000);
        if let Some(project) = filter_node.field("project_id").optional_string(200) {
            filter.project = project;
        }
    }
    // This older list does not document unknown values: they mean newest first.
    filter.order = Order::parse(node.field("order_by").optional_string(200).as_deref());
    let size = node
        .field("page_size")
        .non_null()
        .and_then(|size| size.integer(1))
        .unwrap_or(50)
        .min(1_000);
    let token = node
        .field("page_token")
        .optional_string(10_000)
        .filter(|token| !token.is_empty());
    validator.finish()?;
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token.as_deref(),
        &filter,
        context.fault,
    )?;
    shared.expire_files();
    let store = shared.store();
    Ok(Reply::ok(filter.page(&store, &page, File::to_json)))
}

pub(super) fn get(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let id = path_id(&validator, context);
    validator.finish()?;
    let with_link = context.query.get_all("expand").contains(&"download_url");
    shared.expire_files();
    let store = shared.store();
    Ok(Reply::ok(to_json(
        shared,
        find(&store, &tenant, id.as_deref())?,
        with_link,
    )))
}

pub(super) fn content(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let id = path_id(&validator, context);
    let seconds = context
        .query
        .integer(&validator, "expires_at_seconds", 1, u64::from(u32::MAX))
        .unwrap_or(LINK_SECONDS);
    validator.finish()?;
    shared.expire_files();
    let store = shared.store();
    Ok(Reply::ok(link(
        shared,
        find(&store, &tenant, id.as_deref())?,
        seconds,
    )))
}

pub(super) fn delete(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    let id = path_id(&validator, context);
    validator.finish()?;
    let mut store = shared.store();
    let id = find(&store, &tenant, id.as_deref())?.id.clone();
    store.files.remove(&id);
    drop(store);
    // A reader that has opened the file can still read it after its removal.
    let _ = std::fs::remove_file(shared.path_of(&id));
    Ok(Reply::no_content())
}

fn path_id(validator: &Validator, context: &RequestContext) -> Option<String> {
    let id = parse_file_id(&context.id);
    if id.is_none() {
        validator.add_error(
            "path",
            "file_id",
            "uuid_parsing",
            "Input should be a UUID",
            &context.id,
        );
    }
    id
}

fn find<'s>(store: &'s Store, tenant: &Tenant, id: Option<&str>) -> Result<&'s File, ApiError> {
    let file = id
        .and_then(|id| store.files.find(id))
        .filter(|file| tenant.may_see(&file.project));
    file.ok_or_else(|| ApiError::not_found("File not found"))
}

fn to_json(shared: &SharedState, file: &File, with_link: bool) -> Value {
    let mut json = file.to_json();
    if with_link {
        json["download_url"] = link(shared, file, LINK_SECONDS);
    }
    json
}

/// A URL that works without a key until it expires.
fn link(shared: &SharedState, file: &File, seconds: u64) -> Value {
    let lifetime = Millis::try_from(seconds)
        .unwrap_or(Millis::MAX)
        .saturating_mul(1_000);
    let expires = shared.now().saturating_add(lifetime);
    let url = format!(
        "{}/_emulator/content/{}?expires={expires}",
        shared.base_url, file.id
    );
    json!({ "url": url, "expires_at": format_timestamp(expires), "form_fields": null })
}
