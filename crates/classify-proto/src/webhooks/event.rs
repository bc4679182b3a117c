//! The body of a webhook's delivery.

use serde_json::Value;

use super::WebhookEvent;
use crate::Timestamp;
use crate::error::Error;
use crate::text::lenient;
use crate::text::response_object::response_object;

/// How often a body may be a JSON string that contains JSON: once in the `string` format, and once more by a proxy.
const MAX_WRAPPINGS: usize = 2;

response_object! {
    /// One delivery of a webhook: an event and its data.
    ///
    /// Use it as a signal and not as a result: the API's documentation does not describe `data` for classifications.
    /// Read the job with the id from [`job_id`](Self::job_id) for its result.
    pub struct Event {
        /// The id of the delivery; the same in all attempts to deliver it.
        optional event_id: String,
        /// The kind of event.
        required event_type: WebhookEvent,
        /// Seconds since the Unix epoch. [`occurred_at`](Self::occurred_at) converts it.
        optional timestamp: f64,
        /// The data of the event, unparsed.
        optional data: Value,
    }
}

impl Event {
    /// Parses a delivery's body in either format: a JSON object, or a JSON string that contains one.
    ///
    /// This does not prove where the body came from. Call `verify` with the same bytes first.
    ///
    /// ```
    /// use classify_proto::webhooks::{Event, WebhookEvent};
    ///
    /// let body = br#""{\"event_type\": \"classify.success\", \"data\": {\"job_id\": \"clj-1\"}}""#;
    /// let event = Event::parse(body)?;
    /// assert_eq!(event.event_type, WebhookEvent::ClassifySuccess);
    /// assert_eq!(event.job_id(), Some("clj-1"));
    /// # Ok::<(), classify_proto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`is_decode`](Error::is_decode) if the body is not such JSON, or has no `event_type`.
    pub fn parse(raw_body: &[u8]) -> Result<Self, Error> {
        let mut text = std::borrow::Cow::Borrowed(raw_body);
        for _ in 0..MAX_WRAPPINGS {
            if text.trim_ascii_start().first() != Some(&b'"') {
                break;
            }
            let inner: String =
                serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
            text = inner.into_bytes().into();
        }
        serde_json::from_slice(&text).or_else(|error| {
            // A signed event may be delivered only once, so an unexpected timestamp must not lose it.
            lenient::read(&text).ok_or_else(|| unreadable(&error))
        })
    }

    /// Returns the id of the event's job; `None` if the delivery names none.
    #[must_use]
    pub fn job_id(&self) -> Option<&str> {
        let data = self.data.as_ref()?;
        ["job_id", "id"]
            .iter()
            .find_map(|name| data.get(name)?.as_str())
            .filter(|id| !id.is_empty())
    }

    /// Returns the time of the event; `None` if it is absent or cannot be parsed.
    #[must_use]
    pub fn occurred_at(&self) -> Option<Timestamp> {
        let micros = self.timestamp? * 1e6;
        // A cast of a value out of range would give the nearest value in range, which is a wrong time.
        let is_sane = micros.abs() < 1e18;
        if !is_sane {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "its size was just checked, and parts of a microsecond are nobody's loss"
        )]
        Timestamp::from_unix_micros(micros.round() as i64)
    }

    /// Returns a key that is equal for deliveries of the same event. Store it, and process each key once.
    ///
    /// For a classification, the key consists of the event's kind and the job, so it is the same for all attempts and
    /// all webhooks. For other events, or if no job is named, it is the delivery's id. `None` if there is neither; such
    /// a delivery cannot be distinguished from its repetition.
    #[must_use]
    pub fn dedup_key(&self) -> Option<String> {
        match self.job_id() {
            Some(job) if self.event_type.is_classify() => {
                Some(format!("{}:{job}", self.event_type))
            }
            _ => self.event_id.clone().filter(|id| !id.is_empty()),
        }
    }
}

/// The error does not quote the body, which may contain text of a document.
fn unreadable(error: &serde_json::Error) -> Error {
    Error::unreadable(format!(
        "the webhook's body is not an event: line {} column {}",
        error.line(),
        error.column()
    ))
    .with_operation("webhooks.parse")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const PARSE: &str = r#"{"event_id":"3f0c","event_type":"parse.success","timestamp":1577470279.117,"data":{"id":"pjb-1","job_id":"pjb-1"}}"#;

    #[test]
    fn webhook_event_plain_and_wrapped_json_are_equal() {
        let plain = Event::parse(PARSE.as_bytes()).unwrap();
        let wrapped = serde_json::to_string(PARSE).unwrap();
        let twice = serde_json::to_string(&wrapped).unwrap();
        for body in [&wrapped, &twice, &format!(" \n{wrapped}")] {
            assert_eq!(Event::parse(body.as_bytes()).unwrap(), plain);
        }
        assert_eq!(plain.event_type, WebhookEvent::ParseSuccess);
        assert_eq!(plain.job_id(), Some("pjb-1"));
        assert_eq!(
            plain.occurred_at().unwrap().to_string(),
            "2019-12-27T18:11:19.117Z"
        );
        assert_eq!(plain.dedup_key().as_deref(), Some("3f0c"));
    }

    #[test]
    fn webhook_event_dedup_key_is_event_type_and_job_id() {
        let event = |id: &str, kind: &str, job: &str| {
            let body = json!({"event_id": id, "event_type": kind, "data": {"id": job}});
            Event::parse(body.to_string().as_bytes())
                .unwrap()
                .dedup_key()
        };
        let key = event("1", "classify.success", "clj-1");
        assert_eq!(key.as_deref(), Some("classify.success:clj-1"));
        assert_eq!(event("2", "classify.success", "clj-1"), key);
        assert_ne!(event("1", "classify.success", "clj-2"), key);
        assert_ne!(event("1", "classify.running", "clj-1"), key);
        assert_eq!(event("1", "classify.success", "").as_deref(), Some("1"));
        assert_eq!(event("", "classify.success", ""), None);
    }

    #[test]
    fn webhook_event_missing_or_unknown_fields_are_accepted() {
        let event = Event::parse(br#"{"event_type":"classify.paused","new":1,"data":7}"#).unwrap();
        assert_eq!(event.event_type.as_str(), "classify.paused");
        assert_eq!(event.extra("new"), Some(&json!(1)));
        assert_eq!((event.job_id(), event.occurred_at()), (None, None));
        assert_eq!(event.dedup_key(), None);
        for seconds in ["1e300", "-1e300", "9e17"] {
            let body = format!(r#"{{"event_type":"x.y","timestamp":{seconds}}}"#);
            assert_eq!(Event::parse(body.as_bytes()).unwrap().occurred_at(), None);
        }
    }

    #[test]
    fn webhook_event_parse_error_redacts_body() {
        let thrice = (0..3).fold(PARSE.to_owned(), |text, _| {
            serde_json::to_string(&text).unwrap()
        });
        for body in [
            "",
            "canary",
            "{}",
            "[]",
            "\"canary\"",
            r#"{"event_type":null,"data":"canary"}"#,
            r#"{"event_type":"canary""#,
            "\"canary",
            &thrice,
        ] {
            let error = Event::parse(body.as_bytes()).unwrap_err();
            assert!(error.is_decode(), "{body}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn webhook_event_malformed_timestamp_and_id_are_kept_raw() {
        for odd in ["\"2019-12-27T18:11:19Z\"", "true", "[1]", "{\"a\":1}"] {
            let body = format!(
                r#"{{"event_type":"classify.success","timestamp":{odd},"event_id":{odd},"data":{{"job_id":"clj-1"}}}}"#
            );
            let event = Event::parse(body.as_bytes()).unwrap();
            assert_eq!(event.job_id(), Some("clj-1"));
            assert_eq!(event.timestamp, None);
            assert_eq!(event.extra("timestamp").unwrap().to_string(), odd);
        }
    }

    proptest! {
        #[test]
        fn webhook_event_parse_of_any_bytes_does_not_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::parse(&body);
        }

        #[test]
        fn webhook_event_parse_of_any_field_values_round_trips(kind in ".{0,12}", id in proptest::option::of(".{0,12}"), timestamp in any::<f64>(), job in ".{0,12}") {
            let body = json!({"event_type": kind, "event_id": id, "timestamp": timestamp, "data": {"job_id": job}}).to_string();
            let event = Event::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(&Event::parse(serde_json::to_string(&body).unwrap().as_bytes()).unwrap(), &event);
            let _ = (event.occurred_at(), event.dedup_key());
            let again: Event = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
            prop_assert_eq!(again, event);
        }
    }
}
