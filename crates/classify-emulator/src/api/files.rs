//! Files: `/api/v1/beta/files`, all but the upload.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::ask::{Ask, Tenant};
use crate::check::Check;
use crate::clock::{Millis, stamp};
use crate::page::PageRequest;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::Store;
use crate::state::file::{File, bare_id};
use crate::world::World;

/// How long a link to a file's content is good for, unless the caller says.
const LINK_SECONDS: u64 = 3_600;

/// What a list of files is narrowed by.
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
    const WORDS: [&'static str; 3] = ["created_at", "id", "name"];

    fn of(word: Option<&str>) -> Self {
        match word {
            Some("name") => Self::Name,
            Some("id") => Self::Id,
            _ => Self::Newest,
        }
    }
}

impl Filter {
    fn fits(&self, file: &File) -> bool {
        file.project == self.project
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&file.id))
            && self.name.as_ref().is_none_or(|name| *name == file.name)
            && self
                .external_id
                .as_ref()
                .is_none_or(|id| file.external_id.as_ref() == Some(id))
    }

    fn page(&self, store: &Store, page: &PageRequest, show: impl Fn(&File) -> Value) -> Value {
        let cursor = &page.cursor;
        let sort = |file: &File| match self.order {
            Order::Newest => String::new(),
            Order::Name => file.name.clone(),
            Order::Id => file.id.clone(),
        };
        if self.order == Order::Newest {
            let rows = store.files.newest_below(cursor.key.unwrap_or(u64::MAX));
            return page.envelope(
                rows.filter(|(_, f)| self.fits(f))
                    .map(|(key, f)| (key, String::new(), show(f))),
            );
        }
        let mut rows: Vec<(String, u64)> = store
            .files
            .iter()
            .filter(|(_, f)| self.fits(f))
            .map(|(key, f)| (sort(f), key))
            .collect();
        rows.sort();
        let behind = cursor.key.map(|key| (cursor.sort.clone(), key));
        let rows = rows
            .into_iter()
            .filter(|row| behind.as_ref().is_none_or(|behind| row > behind));
        page.envelope(rows.filter_map(|(sort, key)| Some((key, sort, show(store.files.get(key)?)))))
    }
}

pub(super) fn list(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let query = &ask.query;
    let size = query.integer(&check, "page_size", 1, 1_000).unwrap_or(50);
    let order = Order::of(query.word(&check, "order_by", &Order::WORDS));
    let ids = query.all("file_ids");
    let bare: Vec<Option<String>> = ids.iter().map(|id| bare_id(id)).collect();
    for (id, bare) in ids.iter().zip(&bare) {
        if bare.is_none() {
            check.problem(
                "query",
                "file_ids",
                "uuid_parsing",
                "Input should be a UUID",
                id,
            );
        }
    }
    check.finish()?;
    let filter = Filter {
        project: tenant.project,
        ids: (!ids.is_empty()).then(|| bare.into_iter().flatten().collect()),
        name: query.one("file_name").map(str::to_owned),
        external_id: query.one("external_file_id").map(str::to_owned),
        order,
    };
    let token = query.one("page_token");
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token,
        &filter,
        ask.fault,
    )?;
    let with_link = query.all("expand").contains(&"download_url");
    world.expire_files();
    let store = world.store();
    Ok(Reply::ok(
        filter.page(&store, &page, |file| show(world, file, with_link)),
    ))
}

pub(super) fn query(world: &Arc<World>, ask: &Ask) -> Answer {
    let body = ask.json()?;
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let node = check.body(&body);
    node.object();
    let mut filter = Filter {
        project: tenant.project,
        ..Filter::default()
    };
    if let Some(given) = node.field("filter").given() {
        given.object();
        let ids = given
            .field("file_ids")
            .given()
            .and_then(|ids| ids.strings(0, usize::MAX));
        filter.ids = ids.map(|ids| ids.iter().filter_map(|id| bare_id(id)).collect());
        filter.name = given.field("file_name").optional_string(3_000);
        filter.external_id = given.field("external_file_id").optional_string(3_000);
        if let Some(project) = given.field("project_id").optional_string(200) {
            filter.project = project;
        }
    }
    // This older list says nothing about words it does not know: it falls back to the newest first.
    filter.order = Order::of(node.field("order_by").optional_string(200).as_deref());
    let size = node
        .field("page_size")
        .given()
        .and_then(|size| size.integer(1))
        .unwrap_or(50)
        .min(1_000);
    let token = node
        .field("page_token")
        .optional_string(10_000)
        .filter(|token| !token.is_empty());
    check.finish()?;
    let page = PageRequest::new(
        usize::try_from(size).unwrap_or(50),
        token.as_deref(),
        &filter,
        ask.fault,
    )?;
    world.expire_files();
    let store = world.store();
    Ok(Reply::ok(filter.page(&store, &page, File::show)))
}

pub(super) fn get(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let id = path_id(&check, ask);
    check.finish()?;
    let with_link = ask.query.all("expand").contains(&"download_url");
    world.expire_files();
    let store = world.store();
    Ok(Reply::ok(show(
        world,
        find(&store, &tenant, id.as_deref())?,
        with_link,
    )))
}

pub(super) fn content(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let id = path_id(&check, ask);
    let seconds = ask
        .query
        .integer(&check, "expires_at_seconds", 1, u64::from(u32::MAX))
        .unwrap_or(LINK_SECONDS);
    check.finish()?;
    world.expire_files();
    let store = world.store();
    Ok(Reply::ok(link(
        world,
        find(&store, &tenant, id.as_deref())?,
        seconds,
    )))
}

pub(super) fn delete(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    let id = path_id(&check, ask);
    check.finish()?;
    let mut store = world.store();
    let id = find(&store, &tenant, id.as_deref())?.id.clone();
    store.files.remove(&id);
    drop(store);
    // A reader that has the file open reads on; the name is gone either way.
    let _ = std::fs::remove_file(world.path_of(&id));
    Ok(Reply::no_content())
}

fn path_id(check: &Check, ask: &Ask) -> Option<String> {
    let id = bare_id(&ask.id);
    if id.is_none() {
        check.problem(
            "path",
            "file_id",
            "uuid_parsing",
            "Input should be a UUID",
            &ask.id,
        );
    }
    id
}

fn find<'s>(store: &'s Store, tenant: &Tenant, id: Option<&str>) -> Result<&'s File, Refusal> {
    let file = id
        .and_then(|id| store.files.find(id))
        .filter(|file| tenant.may_see(&file.project));
    file.ok_or_else(|| Refusal::not_found("File not found"))
}

fn show(world: &World, file: &File, with_link: bool) -> Value {
    let mut shown = file.show();
    if with_link {
        shown["download_url"] = link(world, file, LINK_SECONDS);
    }
    shown
}

/// A link that works without a key, until it expires.
fn link(world: &World, file: &File, seconds: u64) -> Value {
    let life = Millis::try_from(seconds)
        .unwrap_or(Millis::MAX)
        .saturating_mul(1_000);
    let expires = world.now().saturating_add(life);
    let url = format!(
        "{}/_emulator/content/{}?expires={expires}",
        world.base_url, file.id
    );
    json!({ "url": url, "expires_at": stamp(expires), "form_fields": null })
}
