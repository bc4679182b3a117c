//! One page of a list.

use serde::{Deserialize, Deserializer};

use crate::operation::Operation;
use crate::text::response_object::{LenientCount, null_as_default};

/// One page of a list, with the token that asks for the next.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the service's order. A page may be empty and still have a successor.
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: Vec<T>,
    /// What to ask for next; `None` on the last page.
    #[serde(default, deserialize_with = "non_empty")]
    pub next_page_token: Option<String>,
    /// How many items the whole list has, where the service says so; it may be an estimate.
    #[serde(default, deserialize_with = "count")]
    pub total_size: Option<u64>,
}

/// An empty token ends a list as an absent one does.
fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|token| !token.is_empty()))
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    LenientCount::deserialize(deserializer).map(|count| count.0)
}

/// An operation that lists, a page at a time.
pub trait Paged: Operation<Output = Page<Self::Item>> + Clone {
    /// What is listed.
    type Item;

    /// The token of the page this operation asks for; `None` for the first.
    fn page_token(&self) -> Option<&str>;

    /// The same list, from another page on. Every filter is kept.
    #[must_use]
    fn with_page_token(&self, token: Option<String>) -> Self;

    /// Moves this list to another page. As [`with_page_token`](Self::with_page_token), but the list is not copied if the
    /// operation can do without.
    fn set_page_token(&mut self, token: Option<String>) {
        *self = self.with_page_token(token);
    }
}

/// Makes a [`Paged`] operation of a list that keeps the token of its page in a field called `page_token`.
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
