//! `GET /api/v2/webhook-configs`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{PAGED_ROUTE, SavedWebhook};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Lists saved webhook configurations, one page per request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListWebhookConfigurations {
    /// Configurations per page; the service's default if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// Whether the service counts all configurations; its default if `None`.
    pub include_total: Option<bool>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl ListWebhookConfigurations {
    /// Creates the operation for all webhook configurations of the project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Sets the number of configurations per page: at least 1. No maximum is documented.
    #[must_use]
    pub fn page_size(mut self, webhooks: u32) -> Self {
        self.page_size = Some(webhooks);
        self
    }

    /// Sets the token of the page to return.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }

    /// Sets whether the service counts all configurations, which takes it a second query.
    #[must_use]
    pub fn include_total(mut self, include: bool) -> Self {
        self.include_total = Some(include);
        self
    }
}

impl Operation for ListWebhookConfigurations {
    type Output = Page<SavedWebhook>;

    fn name(&self) -> &'static str {
        "webhook_configs.list"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::safe()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.page_size(self.page_size, None);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let page_size = self.page_size.map(|size| size.to_string());
        let include_total = self.include_total.map(|include| include.to_string());
        api.request(Method::GET, PAGED_ROUTE)
            .query("include_total", include_total.as_deref())
            .query("page_size", page_size.as_deref())
            .query("page_token", self.page_token.as_deref())
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<SavedWebhook>, Error> {
        read_json(response)
    }
}

paged!(ListWebhookConfigurations of SavedWebhook);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Paged;
    use crate::v2::examples::{api, ok};
    use crate::webhooks::examples;

    #[test]
    fn webhook_list_request_and_response() {
        let list = ListWebhookConfigurations::new()
            .page_size(2)
            .page_token("t")
            .include_total(true)
            .organization("o");
        assert_eq!(
            list.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v2/webhook-configs?include_total=true&page_size=2&page_token=t&organization_id=o"
        );
        let page = list
            .parse(ok(format!(
                r#"{{"items":[{}],"next_page_token":"u","total_size":7}}"#,
                examples::WEBHOOK
            )))
            .unwrap();
        assert_eq!((page.items.len(), page.total_size), (1, Some(7)));
    }

    #[test]
    fn pagination_webhook_list_next_page_keeps_options() {
        let list = ListWebhookConfigurations::new()
            .page_size(2)
            .organization("o");
        assert_eq!(Paged::page_token(&list), None);
        let next = list.with_page_token(Some("u".into()));
        assert_eq!(Paged::page_token(&next), Some("u"));
        assert_eq!(
            next.build_request(&api()).unwrap().uri(),
            "https://api.example/api/v2/webhook-configs?page_size=2&page_token=u&organization_id=o"
        );
    }
}
