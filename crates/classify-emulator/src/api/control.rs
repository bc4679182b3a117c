//! The emulator's own surface, below `/_emulator`.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::json;

use crate::ask::Ask;
use crate::reply::{Answer, Content, Refusal, Reply};
use crate::world::World;

pub(crate) async fn act(world: &Arc<World>, method: &Method, ask: &Ask) -> Answer {
    let segments: Vec<&str> = ask
        .path
        .trim_start_matches('/')
        .split('/')
        .skip(1)
        .collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["health"]) => Ok(Reply::ok(json!({ "status": "ok" }))),
        ("GET", ["content", id]) => content(world, ask, id),
        _ => Err(Refusal::not_found("Not Found")),
    }
}

/// The bytes behind a file's link.
fn content(world: &World, ask: &Ask, id: &str) -> Answer {
    let expires = ask
        .query
        .one("expires")
        .and_then(|text| text.parse::<i64>().ok());
    if expires.is_none_or(|expires| expires <= world.now()) {
        return Err(Refusal::Detail(
            StatusCode::FORBIDDEN,
            "the link has expired".to_owned(),
        ));
    }
    world.expire_files();
    let store = world.store();
    let file = store
        .files
        .find(id)
        .ok_or_else(|| Refusal::not_found("File not found"))?;
    let content = Content::File {
        path: world.path_of(&file.id),
        length: file.size,
    };
    Ok(Reply {
        status: StatusCode::OK,
        headers: Vec::new(),
        content,
    })
}
