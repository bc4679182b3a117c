//! How a delivery's body is written.

use crate::text::open_enum::open_enum;

open_enum! {
    /// How a webhook's body is written. [`Event::parse`](super::Event::parse) reads both.
    pub enum WebhookOutputFormat {
        /// The payload as a JSON string inside JSON; the service's default.
        String = "string",
        /// The payload as a JSON object.
        Json = "json",
    }
}
