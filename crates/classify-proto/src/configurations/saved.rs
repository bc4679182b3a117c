//! A saved configuration, as returned by the service.

use super::{Parameters, ProductType};
use crate::Timestamp;
use crate::text::response_object::response_object;

response_object! {
    /// A saved configuration: a name, a version and the content.
    pub struct SavedConfiguration {
        /// The id, such as `cfg-…`. Jobs take it as their `configuration_id`.
        required id: String,
        /// The name, unique per product and project.
        optional name: String,
        /// The product, such as `classify_v2`.
        optional product_type: ProductType,
        /// The version of the name, as opaque text. It looks like a timestamp.
        optional version: String,
        /// The rules and settings, by product.
        optional parameters: Parameters,
        /// The time of the create.
        timestamp created_at: Timestamp,
        /// The time of the last change.
        timestamp updated_at: Timestamp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configurations::examples;

    #[test]
    fn configuration_saved_round_trips() {
        let saved: SavedConfiguration = serde_json::from_str(examples::CONFIGURATION).unwrap();
        let given: serde_json::Value = serde_json::from_str(examples::CONFIGURATION).unwrap();
        assert_eq!(serde_json::to_value(&saved).unwrap(), given);
        assert_eq!(saved.extras().count(), 0);
        let configuration = saved.parameters.as_ref().unwrap().as_classify().unwrap();
        assert_eq!(configuration.rules[0].r#type, "invoice");
    }
}
