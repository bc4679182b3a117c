//! Parsing a response body as JSON.

use bytes::Bytes;

use super::error_body::{html_page, one_line};
use super::lenient;
use crate::error::Error;

/// Parses the body of a 2xx response as JSON.
///
/// Parses strictly first; if that fails, leniently, and then once more for the position of the error. UTF-8 is
/// validated for the whole body, since that costs a tenth of validating string by string, and most of a body is
/// strings.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    response: http::Response<Bytes>,
) -> Result<T, Error> {
    let text = std::str::from_utf8(response.body()).ok();
    if let Some(value) = text.and_then(|text| serde_json::from_str(text).ok()) {
        return Ok(value);
    }
    if let Some(value) = lenient::read(response.body()) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(response.body());
    let (place, error) = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => match json.end() {
            // The invalid UTF-8 is in a field that is ignored.
            Ok(()) => return Ok(value),
            Err(error) => (String::new(), error),
        },
        Err(traced) if traced.path().iter().len() > 0 => {
            // A name in it may be of any length.
            let path = one_line(&traced.path().to_string());
            (format!("at {path}: "), traced.into_inner())
        }
        Err(traced) => (String::new(), traced.into_inner()),
    };
    if let Some(page) = html_page(response.body()) {
        return Err(Error::decode(
            response,
            format!("it is {page}, not JSON"),
            false,
        ));
    }
    let size = response.body().len();
    let message = format!("{place}{} ({size} bytes)", describe(&error));
    let is_json = error.is_data();
    // The parser's error is not kept as a cause: its text quotes values of the response.
    Err(Error::decode(response, message, is_json))
}

/// Checks a 2xx response whose body is ignored. An HTML page was not sent by the service.
pub(crate) fn read_nothing(response: http::Response<Bytes>) -> Result<(), Error> {
    match html_page(response.body()) {
        Some(page) => Err(Error::decode(response, format!("it is {page}"), false)),
        None => Ok(()),
    }
}

/// Describes a JSON error without quoting the JSON, which may be a document, a secret, or of any length.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Syntax => format!(
            "not JSON at line {} column {}",
            error.line(),
            error.column()
        ),
        Category::Eof => "the JSON ends too early".to_owned(),
        Category::Data | Category::Io => without_quotes(&error.to_string()),
    }
}

/// The message without the parts that quote the body, which may be text of a document. The names of missing fields come
/// from this crate and are kept.
fn without_quotes(message: &str) -> String {
    let mut message = message.to_owned();
    for quote in ['"', '`'] {
        let is_ours = quote == '`' && message.starts_with("missing field `");
        if let (false, Some(start), Some(end)) =
            (is_ours, message.find(quote), message.rfind(quote))
        {
            message.replace_range(start..=end, "…");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn decode_error_names_json_path_without_value() {
        let response = |body: &'static str| http::Response::new(Bytes::from(body));
        let error = read_json::<Vec<u8>>(response("[1, 2, \"x\"]")).unwrap_err();
        assert!(error.to_string().contains("[2]"), "{error}");
        assert!(!error.is_malformed());
        let error = read_json::<Vec<u8>>(response("[\"canary \\\" x\"]")).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
        for malformed in ["[1, 2", "[1, 2] 3", "<html>", ""] {
            assert!(
                read_json::<Vec<u8>>(response(malformed))
                    .unwrap_err()
                    .is_malformed(),
                "{malformed}"
            );
        }
    }

    #[test]
    fn decode_error_for_invalid_utf8_only_in_fields_that_are_read() {
        #[derive(Debug, Deserialize)]
        struct Named {
            name: String,
        }
        let read =
            |body: &'static [u8]| read_json::<Named>(http::Response::new(Bytes::from_static(body)));
        let error = read(b"{\"name\": \"\xff\"}").unwrap_err();
        assert!(error.is_malformed(), "{error}");
        assert!(error.to_string().contains("at name"), "{error}");
        let passed_over = read(b"{\"name\": \"a\", \"new\": \"\xff\"}").unwrap();
        assert_eq!(passed_over.name, "a");
        let error = read(b"{\"name\": \"a\", \"new\": \"\xff\"} {}").unwrap_err();
        assert!(error.is_malformed(), "{error}");
    }

    #[test]
    fn redact_response_body_in_decode_error_chain() {
        #[derive(Debug, Deserialize)]
        struct Numbered {
            #[expect(dead_code, reason = "it is never read whole")]
            number: u8,
        }
        for body in [
            r#"{"number":"canary"}"#,
            r#"{"number":7.777}"#,
            r#"{"number":77777}"#,
            r#"{"number":true}"#,
            r#"{"number":7"#,
            r#"{"number":"a `canary` b \" canary"}"#,
        ] {
            let error = read_json::<Numbered>(http::Response::new(body.into())).unwrap_err();
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(one) = cause {
                let shown = format!("{one} {one:?}");
                for secret in ["canary", "777", "true"] {
                    assert!(!shown.contains(secret), "{body}: {shown}");
                }
                cause = one.source();
            }
        }
    }
}
