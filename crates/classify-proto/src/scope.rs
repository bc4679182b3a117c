//! The project and organization of a request.

use serde::{Deserialize, Serialize};

/// The project and the organization that a request names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The project; `None` for the client's.
    pub project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The organization; `None` for the client's.
    pub organization_id: Option<String>,
}

/// The setters of a field called `scope`, alike in every operation.
macro_rules! scope_setters {
    () => {
        /// Names the project, in place of the client's.
        #[must_use]
        pub fn project(mut self, id: impl Into<String>) -> Self {
            self.scope.project_id = Some(id.into());
            self
        }

        /// Names the organization, in place of the client's.
        #[must_use]
        pub fn organization(mut self, id: impl Into<String>) -> Self {
            self.scope.organization_id = Some(id.into());
            self
        }
    };
}
pub(crate) use scope_setters;

/// `From` an id, for an operation that `new` makes from an id alone.
macro_rules! from_id {
    ($operation:ty) => {
        impl From<&str> for $operation {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }

        impl From<String> for $operation {
            fn from(id: String) -> Self {
                Self::new(id)
            }
        }
    };
}
pub(crate) use from_id;
