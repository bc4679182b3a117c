//! The virtual object that keeps the state of a shared rate limit.

use restate_sdk::prelude::*;

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
