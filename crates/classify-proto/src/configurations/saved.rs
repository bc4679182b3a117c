//! A saved configuration as the service describes it.

use super::{Parameters, ProductType};
use crate::Timestamp;
use crate::text::response_object::response_object;

response_object! {
    /// A saved configuration.
    pub struct SavedConfiguration {
        /// Its id, such as `cfg-…`: what a job takes as its `configuration_id`.
        required id: String,
        /// Its name, unique per product and project.
        optional name: String,
        /// The product it is of.
        optional product_type: ProductType,
        /// Which version of the name it is; it looks like a time, and is only text.
        optional version: String,
        /// What it holds.
        optional parameters: Parameters,
        /// When it was created.
        timestamp created_at: Timestamp,
        /// When it last changed.
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
