//! The handlers: one file for each resource, each function one operation.

pub(crate) mod classify;
mod configurations;
pub(crate) mod control;
pub(crate) mod files;
mod rules;
pub(crate) mod upload;

use std::sync::Arc;

use http::StatusCode;

use crate::ask::Ask;
use crate::reply::{Answer, Refusal};
use crate::route::Route;
use crate::world::World;

/// Acts on a request whose body has been read. Uploads are not among them: they are streamed.
pub(crate) fn act(world: &Arc<World>, ask: &Ask) -> Answer {
    match ask.route {
        Route::ClassifyCreate => classify::create(world, ask),
        Route::ClassifyList => classify::list(world, ask),
        Route::ClassifyGet => classify::get(world, ask),
        Route::ClassifyDelete => classify::delete(world, ask),
        Route::ClassifyCancel => classify::cancel(world, ask),
        Route::FileList => files::list(world, ask),
        Route::FileGet => files::get(world, ask),
        Route::FileContent => files::content(world, ask),
        Route::FileDelete => files::delete(world, ask),
        Route::FileQuery => files::query(world, ask),
        Route::ConfigurationCreate => configurations::create(world, ask),
        Route::ConfigurationList => configurations::list(world, ask),
        Route::ConfigurationGet => configurations::get(world, ask),
        Route::ConfigurationUpdate => configurations::update(world, ask),
        Route::ConfigurationDelete => configurations::delete(world, ask),
        Route::WrongMethod => Err(Refusal::Detail(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method Not Allowed".to_owned(),
        )),
        _ => Err(Refusal::not_found("Not Found")),
    }
}
