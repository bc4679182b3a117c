//! The handlers: one file for each resource, each function one operation.

mod classifier;
pub(crate) mod classify;
mod configurations;
pub(crate) mod control;
pub(crate) mod files;
mod hooks;
mod meter;
mod rules;
mod saved;
pub(crate) mod upload;
mod webhook_configs;

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
        Route::ClassifierCreate => classifier::create(world, ask),
        Route::ClassifierList => classifier::list(world, ask),
        Route::ClassifierGet => classifier::get(world, ask),
        Route::ClassifierResults => classifier::results(world, ask),
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
        Route::WebhookCreate => webhook_configs::create(world, ask),
        Route::WebhookList => webhook_configs::list(world, ask),
        Route::WebhookPages => webhook_configs::pages(world, ask),
        Route::WebhookGet => webhook_configs::get(world, ask),
        Route::WebhookUpdate => webhook_configs::update(world, ask),
        Route::WebhookDelete => webhook_configs::delete(world, ask),
        Route::WrongMethod => Err(Refusal::Detail(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method Not Allowed".to_owned(),
        )),
        _ => Err(Refusal::not_found("Not Found")),
    }
}
