//! Pages: opaque tokens, and the envelope of the items.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::reply::ApiError;

/// The position of a page: after the last row of the page before, so that new rows do not shift it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The key of the last row; `None` at the start.
    #[serde(rename = "k", skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<u64>,
    /// Its sort text, in lists sorted by a text.
    #[serde(rename = "s", default, skip_serializing_if = "String::is_empty")]
    pub(crate) sort: String,
    /// A hash of the filters, which must be the same for every page.
    #[serde(rename = "f")]
    filters: u64,
    /// Which of the two tokens of a cycle this is.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cycle: Option<bool>,
    /// The number of empty pages before, so that each has its own token.
    #[serde(rename = "e", default, skip_serializing_if = "is_zero")]
    empty: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Cursor {
    fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// A request for one page.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    pub(crate) size: usize,
    pub(crate) cursor: Cursor,
    token: Option<String>,
    fault: Option<Fault>,
}

impl PageRequest {
    /// Parses the token and compares it with the request's filters.
    pub(crate) fn new(
        size: usize,
        token: Option<&str>,
        filters: &impl std::hash::Hash,
        fault: Option<Fault>,
    ) -> Result<Self, ApiError> {
        use std::hash::{DefaultHasher, Hasher};
        let mut hasher = DefaultHasher::new();
        filters.hash(&mut hasher);
        let filters = hasher.finish();
        let cursor = match token {
            None => Cursor {
                filters,
                ..Cursor::default()
            },
            Some(token) => {
                let bytes = URL_SAFE_NO_PAD.decode(token).ok();
                let cursor: Option<Cursor> =
                    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                let Some(cursor) = cursor else {
                    return Err(ApiError::bad_request(
                        "page_token was not issued by this server",
                    ));
                };
                if cursor.filters != filters {
                    return Err(ApiError::bad_request(
                        "page_token belongs to a request with other filters",
                    ));
                }
                cursor
            }
        };
        Ok(Self {
            size,
            cursor,
            token: token.map(str::to_owned),
            fault,
        })
    }

    /// The envelope of one page. `rows` begins after the cursor; each row consists of its key, its sort text and its
    /// JSON.
    pub(crate) fn envelope(&self, rows: impl Iterator<Item = (u64, String, Value)>) -> Value {
        let mut items = Vec::new();
        let mut last = None;
        let mut next = None;
        for (key, sort, shown) in rows {
            if items.len() == self.size {
                next = last;
                break;
            }
            last = Some(Cursor {
                key: Some(key),
                sort,
                filters: self.cursor.filters,
                ..Cursor::default()
            });
            items.push(shown);
        }
        let mut token = next.as_ref().map(Cursor::token);
        let restarted = || Cursor {
            cycle: None,
            empty: 0,
            ..self.cursor.clone()
        };
        match self.fault {
            Some(Fault::EmptyPage) => {
                items.clear();
                token = Some(
                    Cursor {
                        empty: self.cursor.empty + 1,
                        ..restarted()
                    }
                    .token(),
                );
            }
            Some(Fault::RepeatedToken) => {
                token = self
                    .token
                    .clone()
                    .or(token)
                    .or_else(|| Some(restarted().token()));
            }
            Some(Fault::CyclicTokens) => {
                let base = if self.token.is_some() {
                    restarted()
                } else {
                    next.unwrap_or_else(restarted)
                };
                let cycle = Some(self.cursor.cycle == Some(false));
                token = Some(Cursor { cycle, ..base }.token());
            }
            _ => {}
        }
        json!({ "items": items, "next_page_token": token, "total_size": null })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(token: Option<&str>, fault: Option<Fault>) -> (Vec<u64>, Option<String>) {
        let request = PageRequest::new(2, token, &"same", fault).expect("a good token");
        let base = request.cursor.key.map_or(1, |key| key + 1);
        let envelope = request.envelope((base..=5).map(|key| (key, String::new(), json!(key))));
        let items = envelope["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        (
            items,
            envelope["next_page_token"].as_str().map(str::to_owned),
        )
    }

    #[test]
    fn pagination_tokens_lead_to_the_last_page() {
        let (items, token) = page(None, None);
        assert_eq!(items, [1, 2]);
        let (items, token) = page(token.as_deref(), None);
        assert_eq!(items, [3, 4]);
        let (items, token) = page(token.as_deref(), None);
        assert_eq!((items, token), (vec![5], None));
    }

    #[test]
    fn pagination_empty_page_fault_loses_no_items() {
        let (_, token) = page(None, None);
        let (items, empty) = page(token.as_deref(), Some(Fault::EmptyPage));
        assert!(items.is_empty());
        assert_ne!(empty, token);
        assert_eq!(page(empty.as_deref(), None).0, [3, 4]);
        let restarted = page(empty.as_deref(), Some(Fault::EmptyPage)).1;
        assert_ne!(restarted, empty, "a second empty page has a new token");
    }

    #[test]
    fn pagination_token_faults_repeat_and_cycle() {
        let (_, first) = page(None, Some(Fault::RepeatedToken));
        assert_eq!(page(first.as_deref(), Some(Fault::RepeatedToken)).1, first);
        let (_, a) = page(None, Some(Fault::CyclicTokens));
        let (_, b) = page(a.as_deref(), Some(Fault::CyclicTokens));
        let (_, c) = page(b.as_deref(), Some(Fault::CyclicTokens));
        assert_ne!(a, b);
        assert_eq!(a, c);
    }

    #[test]
    fn pagination_token_is_bound_to_its_filters() {
        let (_, token) = page(None, None);
        assert!(PageRequest::new(2, token.as_deref(), &"other", None).is_err());
        assert!(PageRequest::new(2, Some("%%%"), &"same", None).is_err());
    }
}
