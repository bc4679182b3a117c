//! The virtual object that keeps the state of a shared rate limit.

use std::time::Duration;

use restate_sdk::endpoint::ServiceOptions;
use restate_sdk::prelude::*;
use restate_sdk::service::ServiceDefinition;

use super::window::{LeaseGrant, LeaseRequest, Window};

/// The name of the object's service.
pub(crate) const SERVICE: &str = "ClassifyRateLimit";

/// The state's key. Another format of [`Window`] needs another key.
const STATE: &str = "window-1";

/// Grants leases of one limit, one after the other. Its key is the project and the class.
///
/// The handler reads no clock: it must give the same result when the engine runs it again.
pub(crate) struct RateLimitObject;

#[restate_sdk::object(name = "ClassifyRateLimit", client_visibility = "pub(crate)")]
impl RateLimitObject {
    #[handler]
    async fn lease(
        &self,
        ctx: ObjectContext<'_>,
        request: Json<LeaseRequest>,
    ) -> HandlerResult<Json<LeaseGrant>> {
        let Json(request) = request;
        let window = ctx.get::<Json<Window>>(STATE).await?;
        let mut window = window.map(Json::into_inner).unwrap_or_default();
        let grant = window.lease(&request);
        ctx.set(STATE, Json(window));
        Ok(Json(grant))
    }
}

/// Returns the service of the object.
pub(crate) fn service() -> ServiceDefinition {
    RateLimitObject.into_service_definition().options(
        ServiceOptions::new()
            // There are several leases per second, of which nobody reads the journal.
            .journal_retention(Duration::ZERO)
            .retry_policy_initial_interval(Duration::from_millis(100))
            .retry_policy_max_interval(Duration::from_secs(1))
            .retry_policy_max_attempts(20)
            // A lease that is paused would hold up all others. The worker that asked for it asks again.
            .retry_policy_kill_on_max_attempts(),
    )
}
