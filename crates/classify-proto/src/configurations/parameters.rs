//! The content of a saved configuration, by product.

use std::fmt;

use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::text::open_enum::open_enum;
use crate::v2::Configuration;
use crate::validation::ValidationErrors;

/// Name of the field that identifies the product.
const TAG: &str = "product_type";

open_enum! {
    /// A product of the service with saved configurations.
    pub enum ProductType {
        /// Classification.
        ClassifyV2 = "classify_v2",
        /// Extraction.
        ExtractV2 = "extract_v2",
        /// Parsing.
        ParseV2 = "parse_v2",
        /// Splitting.
        SplitV1 = "split_v1",
        /// Extraction of tables from spreadsheets.
        SpreadsheetV1 = "spreadsheet_v1",
        /// A product for which the service has no name.
        Unspecified = "unknown",
    }
}

/// The content of a saved configuration.
///
/// In JSON it is one object: the configuration's own fields and `product_type`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Parameters {
    /// A configuration of classification.
    Classify(ClassifyParameters),
    /// A configuration of another product, or one of classification that this version cannot parse.
    Other(OtherParameters),
}

/// A configuration of classification, with fields that this version does not know.
#[derive(Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ClassifyParameters {
    /// The rules and settings.
    pub configuration: Configuration,
    /// Fields of the outer object that this version does not know. They are sent back unchanged.
    pub extra: Map<String, Value>,
}

/// A configuration of a product that this crate does not type.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherParameters {
    /// The product, sent as `product_type`.
    pub product_type: ProductType,
    /// All other fields, as raw JSON.
    pub fields: Map<String, Value>,
}

// `Debug` shows only the names of unknown fields: those of another product may contain its credentials.
impl fmt::Debug for ClassifyParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyParameters")
            .field("configuration", &self.configuration)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for OtherParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherParameters")
            .field("product_type", &self.product_type)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Parameters {
    /// Creates a configuration of another product from raw JSON. `product_type` replaces a field of that name.
    #[must_use]
    pub fn other(product_type: impl Into<ProductType>, mut fields: Map<String, Value>) -> Self {
        fields.remove(TAG);
        Self::Other(OtherParameters {
            product_type: product_type.into(),
            fields,
        })
    }

    /// Returns the product.
    #[must_use]
    pub fn product_type(&self) -> &ProductType {
        match self {
            Self::Classify(_) => &ProductType::ClassifyV2,
            Self::Other(other) => &other.product_type,
        }
    }

    /// Returns the configuration of classification; `None` for another product, or if it could not be parsed.
    #[must_use]
    pub fn as_classify(&self) -> Option<&Configuration> {
        match self {
            Self::Classify(classify) => Some(&classify.configuration),
            Self::Other(_) => None,
        }
    }

    pub(crate) fn collect_errors(&self, path: &str, errors: &mut ValidationErrors) {
        if let Some(configuration) = self.as_classify() {
            configuration.collect_errors(path, errors);
        }
    }
}

impl From<Configuration> for Parameters {
    fn from(configuration: Configuration) -> Self {
        Self::Classify(ClassifyParameters {
            configuration,
            extra: Map::new(),
        })
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(TAG, self.product_type())?;
        match self {
            Self::Classify(ClassifyParameters {
                configuration,
                extra,
            }) => {
                map.serialize_entry("rules", &configuration.rules)?;
                if let Some(mode) = &configuration.mode {
                    map.serialize_entry("mode", mode)?;
                }
                if let Some(parsing) = &configuration.parsing_configuration {
                    map.serialize_entry("parsing_configuration", parsing)?;
                }
                // A field that is in both is sent once, from the configuration.
                let of_configuration = configuration.extras();
                let of_both = of_configuration.chain(extra.iter().filter_map(|(name, value)| {
                    configuration
                        .extra(name)
                        .is_none()
                        .then_some((&**name, value))
                }));
                for (name, value) in of_both.filter(|(name, _)| !is_known(name)) {
                    map.serialize_entry(name, value)?;
                }
            }
            Self::Other(other) => {
                for (name, value) in other.fields.iter().filter(|(name, _)| *name != TAG) {
                    map.serialize_entry(name, value)?;
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let product_type = match fields.remove(TAG) {
            Some(Value::String(value)) => ProductType::from(value),
            None | Some(Value::Null) => ProductType::Unspecified,
            Some(_) => return Err(D::Error::custom("product_type is not text")),
        };
        if product_type == ProductType::ClassifyV2 {
            // Parsed from a copy: if that fails, the whole object is kept as raw JSON and only its types are lost.
            let known = fields.iter().filter(|(name, _)| is_known(name));
            let known = known.map(|(name, value)| (name.clone(), value.clone()));
            if let Ok(configuration) = Configuration::deserialize(Value::Object(known.collect())) {
                fields.retain(|name, _| !is_known(name));
                return Ok(Self::Classify(ClassifyParameters {
                    configuration,
                    extra: fields,
                }));
            }
        }
        Ok(Self::Other(OtherParameters {
            product_type,
            fields,
        }))
    }
}

fn is_known(name: &str) -> bool {
    matches!(name, TAG | "rules" | "mode" | "parsing_configuration")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn both_ways(value: &Value) -> Parameters {
        let read: Parameters = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), *value);
        read
    }

    #[test]
    fn configuration_parameters_classify_is_flat_with_product_type() {
        let read = both_ways(&json!({
            "product_type": "classify_v2",
            "rules": [{"type": "a", "description": "b", "examples": [1]}],
            "mode": "FAST",
            "parsing_configuration": {"target_pages": "1-2", "tier": "fast"},
            "of_tomorrow": {"x": 1},
        }));
        let Parameters::Classify(classify) = &read else {
            panic!("{read:?}")
        };
        assert_eq!(classify.extra["of_tomorrow"]["x"], 1);
        assert_eq!(classify.configuration.extras().count(), 0, "it stands once");
        let mut of_a_job: Configuration = serde_json::from_value(json!({"new": 1})).unwrap();
        of_a_job.rules = classify.configuration.rules.clone();
        let saved = serde_json::to_value(Parameters::from(of_a_job)).unwrap();
        assert_eq!(saved["new"], 1);
        assert_eq!(read.as_classify().unwrap().rules[0].r#type, "a");
        assert_eq!(*read.product_type(), ProductType::ClassifyV2);
    }

    #[test]
    fn configuration_parameters_of_other_products_round_trip() {
        for given in [
            json!({"product_type": "extract_v2", "schema": {"a": [null, 1]}, "rules": 7}),
            json!({"product_type": "of_tomorrow"}),
            json!({"product_type": "unknown", "anything": true}),
        ] {
            let read = both_ways(&given);
            assert_eq!(read.as_classify(), None);
            assert_eq!(read.product_type().as_str(), given["product_type"]);
        }
        let other = Parameters::other(
            "parse_v2",
            json!({"product_type": "x", "tier": "fast"})
                .as_object()
                .unwrap()
                .clone(),
        );
        assert_eq!(
            serde_json::to_value(&other).unwrap(),
            json!({"product_type": "parse_v2", "tier": "fast"})
        );
    }

    #[test]
    fn configuration_parameters_unparsable_classify_is_kept_raw() {
        let given = json!({"product_type": "classify_v2", "rules": {"of": "tomorrow"}});
        let read = both_ways(&given);
        assert_eq!(read.as_classify(), None);
        assert_eq!(*read.product_type(), ProductType::ClassifyV2);
    }

    #[test]
    fn configuration_parameters_non_object_is_an_error() {
        for given in [
            json!([]),
            json!("x"),
            json!(null),
            json!({"product_type": 1}),
        ] {
            assert!(serde_json::from_value::<Parameters>(given).is_err());
        }
    }
}
