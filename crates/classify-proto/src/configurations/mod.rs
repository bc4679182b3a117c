//! Saved configurations, `/api/v1/beta/configurations`: rules under a name, which jobs refer to by id.
//!
//! | operation | request | repeated after a lost response |
//! | --- | --- | --- |
//! | [`CreateConfiguration`] | `POST /api/v1/beta/configurations` | yes; the same name overwrites |
//! | [`GetConfiguration`] | `GET /api/v1/beta/configurations/{config_id}` | yes |
//! | [`UpdateConfiguration`] | `PUT /api/v1/beta/configurations/{config_id}` | yes |
//! | [`ListConfigurations`] | `GET /api/v1/beta/configurations` | yes |
//! | [`DeleteConfiguration`] | `DELETE /api/v1/beta/configurations/{config_id}` | yes; a 404 is then success |
//!
//! The service stores configurations of all its products here. Those of classification are typed; others are raw JSON:
//! see [`Parameters`].

mod create;
mod delete;
mod get;
mod list;
mod parameters;
mod saved;
mod update;

pub use create::CreateConfiguration;
pub use delete::DeleteConfiguration;
pub use get::GetConfiguration;
pub use list::ListConfigurations;
pub use parameters::{ClassifyParameters, OtherParameters, Parameters, ProductType};
pub use saved::SavedConfiguration;
pub use update::UpdateConfiguration;

/// The path of the operations of this module.
const ROUTE: &str = "/api/v1/beta/configurations";

#[cfg(test)]
pub(crate) mod examples {
    /// A configuration with all fields of the service's schema.
    pub(crate) const CONFIGURATION: &str = r#"{
        "id": "cfg-11111111-2222-3333-4444-555555555555",
        "name": "preset one",
        "product_type": "classify_v2",
        "version": "2019-12-27T18:11:19.117Z",
        "parameters": {
            "product_type": "classify_v2",
            "rules": [{"type": "invoice", "description": "contains invoice number, line items, and total amount"}],
            "mode": "FAST",
            "parsing_configuration": {"lang": "en", "max_pages": 10, "target_pages": "1,3,5-7"}
        },
        "created_at": "2019-12-27T18:11:19.117Z",
        "updated_at": "2019-12-27T18:11:19.117Z"
    }"#;
}
