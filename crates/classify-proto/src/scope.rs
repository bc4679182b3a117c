//! The project and organization of a request.

use serde::{Deserialize, Serialize};

/// The project and the organization of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The project; that of the [`Api`](crate::Api) if `None`.
    pub project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The organization; that of the [`Api`](crate::Api) if `None`.
    pub organization_id: Option<String>,
}

/// The setters of a field called `scope`.
macro_rules! scope_setters {
    () => {
        /// Sets the project, in place of that of the [`Api`](crate::Api).
        #[must_use]
        pub fn project(mut self, id: impl Into<String>) -> Self {
            self.scope.project_id = Some(id.into());
            self
        }

        /// Sets the organization, in place of that of the [`Api`](crate::Api).
        #[must_use]
        pub fn organization(mut self, id: impl Into<String>) -> Self {
            self.scope.organization_id = Some(id.into());
            self
        }
    };
}
pub(crate) use scope_setters;

/// Implements `From` for an operation that `new` creates from an id alone.
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
