//! The handlers: one file per resource, one function per operation.

mod classifier;
pub(crate) mod classify;
mod configurations;
pub(crate) mod control;
pub(crate) mod files;

mod limited_body;
mod rules;
mod saved_resource;
pub(crate) mod upload;
mod webhook_configs;
mod webhook_fields;

use std::sync::Arc;

use http::StatusCode;

use crate::reply::{ApiError, HandlerResult};
use crate::request_context::RequestContext;
use crate::route::Route;
use crate::shared_state::SharedState;

/// Handles a request whose body has been read. Uploads are streamed and handled elsewhere.
pub(crate) fn dispatch(shared: &Arc<SharedState>, context: &RequestContext) -> HandlerResult {
    match context.route {
        Route::ClassifyCreate => classify::create(shared, context),
        Route::ClassifyList => classify::list(shared, context),
        Route::ClassifyGet => classify::get(shared, context),
        Route::ClassifyDelete => classify::delete(shared, context),
        Route::ClassifyCancel => classify::cancel(shared, context),
        Route::ClassifierCreate => classifier::create(shared, context),
        Route::ClassifierList => classifier::list(shared, context),
        Route::ClassifierGet => classifier::get(shared, context),
        Route::ClassifierResults => classifier::results(shared, context),
        Route::FileList => files::list(shared, context),
        Route::FileGet => files::get(shared, context),
        Route::FileContent => files::content(shared, context),
        Route::FileDelete => files::delete(shared, context),
        Route::FileQuery => files::query(shared, context),
        Route::ConfigurationCreate => configurations::create(shared, context),
        Route::ConfigurationList => configurations::list(shared, context),
        Route::ConfigurationGet => configurations::get(shared, context),
        Route::ConfigurationUpdate => configurations::update(shared, context),
        Route::ConfigurationDelete => configurations::delete(shared, context),
        Route::WebhookCreate => webhook_configs::create(shared, context),
        Route::WebhookList => webhook_configs::list(shared, context),
        Route::WebhookPages => webhook_configs::list_pages(shared, context),
        Route::WebhookGet => webhook_configs::get(shared, context),
        Route::WebhookUpdate => webhook_configs::update(shared, context),
        Route::WebhookDelete => webhook_configs::delete(shared, context),
        Route::WrongMethod => Err(ApiError::Detail(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method Not Allowed".to_owned(),
        )),
        _ => Err(ApiError::not_found("Not Found")),
    }
}
