//! The format of a delivery's body.

use crate::text::open_enum::open_enum;

open_enum! {
    /// The format of a delivery's body. [`Event::parse`](super::Event::parse) accepts both.
    pub enum WebhookOutputFormat {
        /// The payload as a JSON string inside JSON; the service's default.
        String = "string",
        /// The payload as a JSON object.
        Json = "json",
    }
}
