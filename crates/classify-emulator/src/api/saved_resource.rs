//! What saved configurations and saved webhooks have in common: being found, shown and deleted by their id.

use std::sync::Arc;

use serde_json::Value;

use crate::ask::{Ask, Tenant};
use crate::check::Check;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::Store;
use crate::state::configuration::{Configuration, WebhookConfiguration};
use crate::state::table::{Row, Table};
use crate::world::World;

/// A row that a project saves under an id.
pub(super) trait Saved: Row + Sized {
    /// What a refusal calls it.
    const NAME: &'static str;

    fn table(store: &Store) -> &Table<Self>;
    fn table_mut(store: &mut Store) -> &mut Table<Self>;
    fn project(&self) -> &str;
    fn show(&self) -> Value;
}

impl Saved for Configuration {
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

    fn show(&self) -> Value {
        self.show()
    }
}

impl Saved for WebhookConfiguration {
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

    fn show(&self) -> Value {
        self.show()
    }
}

pub(super) fn find<'s, T: Saved>(
    store: &'s Store,
    tenant: &Tenant,
    id: &str,
) -> Result<&'s T, Refusal> {
    T::table(store)
        .find(id)
        .filter(|one| tenant.may_see(one.project()))
        .ok_or_else(|| Refusal::not_found(format!("{} not found", T::NAME)))
}

pub(super) fn get<T: Saved>(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let store = world.store();
    Ok(Reply::ok(find::<T>(&store, &tenant, &ask.id)?.show()))
}

pub(super) fn delete<T: Saved>(world: &Arc<World>, ask: &Ask) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let mut store = world.store();
    let id = find::<T>(&store, &tenant, &ask.id)?.id().to_owned();
    T::table_mut(&mut store).remove(&id);
    Ok(Reply::no_content())
}
