//! One page of a list.

use serde::{Deserialize, Deserializer};

use crate::operation::Operation;
use crate::text::response_object::{LenientCount, null_as_default};

/// One page of a list, and the token of the next page.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the service's order. A page may be empty without being the last.
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: Vec<T>,
    /// The token of the next page; `None` on the last page.
    #[serde(default, deserialize_with = "non_empty")]
    pub next_page_token: Option<String>,
    /// Number of items in the whole list; `None` if the service does not send it. It may be an estimate.
    #[serde(default, deserialize_with = "count")]
    pub total_size: Option<u64>,
}

/// An empty token ends a list, like an absent one.
fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|token| !token.is_empty()))
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    LenientCount::deserialize(deserializer).map(|count| count.0)
}

/// An operation that returns a page of a list.
pub trait Paged: Operation<Output = Page<Self::Item>> + Clone {
    /// The type of the items.
    type Item;

    /// Returns the token of the requested page; `None` for the first page.
    fn page_token(&self) -> Option<&str>;

    /// Returns the same operation for another page. All filters are kept.
    #[must_use]
    fn with_page_token(&self, token: Option<String>) -> Self;

    /// Changes the requested page. Like [`with_page_token`](Self::with_page_token), but without copying if the
    /// operation can do that.
    fn set_page_token(&mut self, token: Option<String>) {
        *self = self.with_page_token(token);
    }
}

/// Implements [`Paged`] for an operation with the field `page_token`.
macro_rules! paged {
    ($list:ident of $item:ty) => {
        impl $crate::page::Paged for $list {
            type Item = $item;

            fn page_token(&self) -> Option<&str> {
                self.page_token.as_deref()
            }

            fn with_page_token(&self, token: Option<String>) -> Self {
                Self {
                    page_token: token,
                    ..self.clone()
                }
            }

            fn set_page_token(&mut self, token: Option<String>) {
                self.page_token = token;
            }
        }
    };
}
pub(crate) use paged;
