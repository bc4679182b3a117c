//! Shared handlers of saved configurations and saved webhooks: find, show and delete by id.

use std::sync::Arc;

use serde_json::Value;

use crate::reply::{ApiError, HandlerResult, Reply};
use crate::request_context::{RequestContext, Tenant};
use crate::shared_state::SharedState;
use crate::state::Store;
use crate::state::configuration::{Configuration, WebhookConfiguration};
use crate::state::table::{Row, Table};
use crate::validate::Validator;

/// An object that a project saves under an id.
pub(super) trait SavedResource: Row + Sized {
    /// The name in error messages.
    const NAME: &'static str;

    fn table(store: &Store) -> &Table<Self>;
    fn table_mut(store: &mut Store) -> &mut Table<Self>;
    fn project(&self) -> &str;
    fn to_json(&self) -> Value;
}

impl SavedResource for Configuration {
    const NAME: &'static str = "Configuration";

    fn table(store: &Store) -> &Table<Self> {
        &store.configurations
    }

    fn table_mut(store: &mut Store) -> &mut Table<Self> {
        &mut store.configurations
    }

    fn project(&self) -> &str {
        &self.project
    }

    fn to_json(&self) -> Value {
        self.to_json()
    }
}

impl SavedResource for WebhookConfiguration {
    const NAME: &'static str = "Webhook configuration";

    fn table(store: &Store) -> &Table<Self> {
        &store.webhooks
    }

    fn table_mut(store: &mut Store) -> &mut Table<Self> {
        &mut store.webhooks
    }

    fn project(&self) -> &str {
        &self.project
    }

    fn to_json(&self) -> Value {
        self.to_json()
    }
}

pub(super) fn find<'s, T: SavedResource>(
    store: &'s Store,
    tenant: &Tenant,
    id: &str,
) -> Result<&'s T, ApiError> {
    T::table(store)
        .find(id)
        .filter(|row| tenant.may_see(row.project()))
        .ok_or_else(|| ApiError::not_found(format!("{} not found", T::NAME)))
}

pub(super) fn get<T: SavedResource>(
    shared: &Arc<SharedState>,
    context: &RequestContext,
) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let store = shared.store();
    Ok(Reply::ok(
        find::<T>(&store, &tenant, &context.id)?.to_json(),
    ))
}

pub(super) fn delete<T: SavedResource>(
    shared: &Arc<SharedState>,
    context: &RequestContext,
) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let mut store = shared.store();
    let id = find::<T>(&store, &tenant, &context.id)?.id().to_owned();
    T::table_mut(&mut store).remove(&id);
    Ok(Reply::no_content())
}
