//! `GET /api/v1/beta/configurations`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{ProductType, ROUTE, SavedConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, paged};
use crate::scope::{Scope, scope_setters};
use crate::semantics::Semantics;
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Lists saved configurations, one page per request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListConfigurations {
    /// Only configurations of these products; all products if empty.
    pub product_types: Vec<ProductType>,
    /// Only configurations with this name.
    pub name: Option<String>,
    /// Whether only the latest version of each name is returned; the service's default (all versions) if `None`.
    pub latest_only: Option<bool>,
    /// Configurations per page; the service's default if `None`.
    pub page_size: Option<u32>,
    /// The token of the page to return; the first page if `None`.
    pub page_token: Option<String>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl ListConfigurations {
    /// Creates the operation for all configurations of the project, of every product.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    scope_setters!();

    /// Returns configurations of this product, in addition to products set before.
    #[must_use]
    pub fn product_type(mut self, product: impl Into<ProductType>) -> Self {
        self.product_types.push(product.into());
        self
    }

    /// Returns only configurations with this name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns only the latest version of each name. Default of the service: all versions.
    #[must_use]
    pub fn latest_only(mut self, latest_only: bool) -> Self {
        self.latest_only = Some(latest_only);
        self
    }

    /// Sets the number of configurations per page: at least 1. No maximum is documented.
    #[must_use]
    pub fn page_size(mut self, configurations: u32) -> Self {
        self.page_size = Some(configurations);
        self
    }

    /// Sets the token of the page to return.
    #[must_use]
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.page_token = Some(token.into());
        self
    }
}

impl Operation for ListConfigurations {
    type Output = Page<SavedConfiguration>;

    fn name(&self) -> &'static str {
        "configurations.list"
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
        let products: Vec<_> = self.product_types.iter().map(ProductType::as_str).collect();
        api.request(Method::GET, ROUTE)
            .query(
                "latest_only",
                self.latest_only
                    .map(|only| if only { "true" } else { "false" }),
            )
            .query("name", self.name.as_deref())
            .query("page_size", page_size.as_deref())
            .query("page_token", self.page_token.as_deref())
            .query_all("product_type", &products)
            .scope(&self.scope)
            .empty()
    }

    fn parse_success(
        &self,
        response: http::Response<Bytes>,
    ) -> Result<Page<SavedConfiguration>, Error> {
        read_json(response)
    }
}

paged!(ListConfigurations of SavedConfiguration);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configurations::examples;
    use crate::v2::examples::{api, ok};

    #[test]
    fn configuration_list_sends_every_filter() {
        let list = ListConfigurations::new()
            .product_type(ProductType::ClassifyV2)
            .product_type("extract_v2")
            .name("preset one")
            .latest_only(false)
            .page_size(10)
            .page_token("t")
            .project("p");
        assert_eq!(
            list.build_request(&api()).unwrap().uri().query().unwrap(),
            "latest_only=false&name=preset%20one&page_size=10&page_token=t\
             &product_type=classify_v2&product_type=extract_v2&project_id=p"
        );
        let page = list
            .parse(ok(format!(
                r#"{{"items":[{},{{"id":"cfg-2","product_type":"of_tomorrow","parameters":{{"product_type":"of_tomorrow","x":1}}}}]}}"#,
                examples::CONFIGURATION
            )))
            .unwrap();
        assert_eq!(page.items.len(), 2);
        assert!(
            page.items[1]
                .parameters
                .as_ref()
                .unwrap()
                .as_classify()
                .is_none()
        );
    }
}
