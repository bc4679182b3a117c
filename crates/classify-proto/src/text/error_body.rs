//! Parses the body of an error response, which may have any shape.

use serde_json::Value;

/// An invalid field of a request, found by client-side validation or named by the service in a 422.
///
/// ```
/// use classify_proto::v2::Configuration;
///
/// let error = Configuration::new([]).validate().unwrap_err();
/// assert_eq!(error.field_errors()[0].field, "configuration.rules");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The field, such as `configuration.rules[2].description`, or the service's path joined with dots.
    pub field: String,
    /// The problem, such as `is empty`.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Maximum length in bytes of a quoted message.
const MAX_MESSAGE_BYTES: usize = 300;
/// Number of field errors in the message; all of them are kept as data.
const MAX_LISTED_FIELDS: usize = 3;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// One line; empty if the body has no message.
    pub(crate) message: String,
    pub(crate) fields: Vec<FieldError>,
}

/// Parses `{"detail": "text"}`, `{"detail": [{loc, msg, type}]}`, other JSON with a message, HTML, text, or nothing.
///
/// The `input` and the `ctx` of a validation error are never used: they repeat the request, which may contain text of a
/// document or a secret.
pub(crate) fn read(body: &[u8]) -> ErrorBody {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return from_json(&value);
    }
    let text = String::from_utf8_lossy(body);
    let message = if is_html(body) {
        html_title(&text)
    } else if text.trim_start().starts_with('<') {
        "an XML document".to_owned()
    } else {
        one_line(&text)
    };
    ErrorBody {
        message,
        fields: Vec::new(),
    }
}

/// Names of fields with an error message.
const MESSAGE_KEYS: [&str; 4] = ["detail", "message", "error", "msg"];
/// The message if a validation error has none that may be quoted.
const DEFAULT_MESSAGE: &str = "the request is invalid";
/// Maximum nesting depth of messages.
const MAX_DEPTH: usize = 4;

fn from_json(value: &Value) -> ErrorBody {
    match value {
        // Any other type is data and not a message.
        Value::String(_) | Value::Object(_) => extract(value, MAX_DEPTH).unwrap_or_default(),
        _ => ErrorBody::default(),
    }
}

/// The messages in a value: texts in the known fields, and the messages of validation errors. No other part of the
/// JSON, since an error may repeat the request.
fn extract(value: &Value, depth: usize) -> Option<ErrorBody> {
    let message_only = |message: String| ErrorBody {
        message,
        fields: Vec::new(),
    };
    match value {
        Value::String(text) => Some(message_only(one_line(text))),
        Value::Number(_) | Value::Bool(_) => Some(message_only(value.to_string())),
        Value::Array(entries) => Some(from_entries(entries)),
        Value::Object(_) => {
            if let Some(field) = field_error(value) {
                return Some(from_fields(vec![field], &[]));
            }
            let message = MESSAGE_KEYS
                .iter()
                .find_map(|name| value.get(name).filter(|value| !value.is_null()))?;
            depth
                .checked_sub(1)
                .and_then(|depth| extract(message, depth))
                .or_else(|| Some(message_only(DEFAULT_MESSAGE.to_owned())))
        }
        Value::Null => None,
    }
}

/// A list of validation errors; some services put plain texts among them.
fn from_entries(entries: &[Value]) -> ErrorBody {
    let mut fields = Vec::new();
    let mut texts = Vec::new();
    for entry in entries {
        match entry {
            Value::String(text) => texts.push(one_line(text)),
            entry => match (field_error(entry), entry.get("msg").and_then(Value::as_str)) {
                (Some(field), _) => fields.push(field),
                (None, Some(message)) => texts.push(one_line(message)),
                (None, None) => {}
            },
        }
    }
    from_fields(fields, &texts)
}

fn from_fields(fields: Vec<FieldError>, texts: &[String]) -> ErrorBody {
    let messages: Vec<_> = fields
        .iter()
        .map(|field| format!("{}: {}", field.field, field.message))
        .chain(texts.iter().cloned())
        .collect();
    let mut message = match messages.get(..MAX_LISTED_FIELDS) {
        Some(listed) if messages.len() > MAX_LISTED_FIELDS => {
            format!(
                "{}; and {} more",
                listed.join("; "),
                messages.len() - MAX_LISTED_FIELDS
            )
        }
        _ => messages.join("; "),
    };
    if message.is_empty() {
        DEFAULT_MESSAGE.clone_into(&mut message);
    }
    ErrorBody {
        message: one_line(&message),
        fields,
    }
}

/// The field and the message of one validation error, `{loc, msg}`; `None` if it names no field.
fn field_error(entry: &Value) -> Option<FieldError> {
    let path = match entry.get("loc")? {
        Value::Array(steps) => {
            let steps: Vec<_> = steps
                .iter()
                .filter_map(|step| match step {
                    Value::String(name) => Some(name.clone()),
                    Value::Number(index) => Some(index.to_string()),
                    _ => None,
                })
                .collect();
            steps.join(".")
        }
        Value::String(path) => path.clone(),
        _ => return None,
    };
    let message = entry.get("msg").and_then(Value::as_str);
    Some(FieldError::new(
        one_line(&path),
        message.map_or_else(|| "is invalid".to_owned(), one_line),
    ))
}

/// Whether a body is an HTML page. The service answers with JSON only.
pub(crate) fn is_html(body: &[u8]) -> bool {
    const STARTS: [&str; 7] = [
        "<!doctype html",
        "<html",
        "<head",
        "<title",
        "<body",
        "<script",
        "<meta",
    ];
    // The start is enough: after a byte order mark, comments and an XML declaration.
    let start = String::from_utf8_lossy(&body[..body.len().min(MAX_HTML_START)]);
    let mut rest = start.trim_start_matches('\u{feff}').trim_start();
    for (open, close) in [("<?xml", "?>"), ("<!--", "-->"), ("<!--", "-->")] {
        if rest.starts_with(open) {
            rest = rest
                .split_once(close)
                .map_or("", |(_, rest)| rest)
                .trim_start();
        }
    }
    let mut start: String = rest.chars().take(16).collect();
    start.make_ascii_lowercase();
    STARTS.iter().any(|tag| start.starts_with(tag))
}

/// Describes an HTML page by its title; `None` if the body is something else.
pub(crate) fn html_page(body: &[u8]) -> Option<String> {
    is_html(body).then(|| html_title(&String::from_utf8_lossy(body)))
}

/// How many bytes of a body are searched for the start of a page.
const MAX_HTML_START: usize = 4096;

/// The title of a page.
fn html_title(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|open| {
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        // ASCII lower case does not change byte positions.
        Some(one_line(&text[start..end]))
    });
    match title {
        Some(title) if !title.is_empty() => format!("an HTML page titled {title:?}"),
        _ => "an HTML page".to_owned(),
    }
}

/// A short piece of foreign text that is not secret, in one line.
pub(crate) fn short(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let line = one_line(text);
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// One line of printable text, shortened to a length that suits a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MAX_MESSAGE_BYTES {
            let mut end = MAX_MESSAGE_BYTES;
            while !line.is_char_boundary(end) {
                end -= 1;
            }
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn error_body_message_is_extracted_from_known_shapes() {
        assert_eq!(
            read(br#"{"detail": "Job not found"}"#).message,
            "Job not found"
        );
        assert_eq!(read(br#"{"error": {"message": "boom"}}"#).message, "boom");
        assert_eq!(read(br#"{"message": "boom"}"#).message, "boom");
        assert_eq!(read(br#""boom""#).message, "boom");
    }

    #[test]
    fn error_body_validation_error_lists_fields_without_input() {
        let words = read(
            br#"{"detail": [
                {"loc": ["body", "configuration", "rules", 0, "description"], "msg": "too short", "type": "x", "input": "canary"},
                {"loc": ["query", "page_size"], "msg": "too large", "type": "y"}
            ]}"#,
        );
        assert_eq!(
            words.message,
            "body.configuration.rules.0.description: too short; query.page_size: too large"
        );
        assert_eq!(
            words.fields[1],
            FieldError::new("query.page_size", "too large")
        );
    }

    #[test]
    fn redact_input_in_every_shape_of_error_body() {
        for body in [
            r#"{"detail":[{"loc":null,"msg":"bad","input":"canary"}]}"#,
            r#"{"detail":[{"loc":["body"],"input":"canary"}]}"#,
            r#"{"detail":[{"loc":"body.x","msg":7,"ctx":{"given":"canary"}}]}"#,
            r#"{"detail":["text",{"input":"canary"}]}"#,
            r#"{"detail":[["canary"]]}"#,
            r#"{"detail":{"loc":["body"],"msg":"bad","input":"canary"}}"#,
            r#"{"detail":{"input":"canary"}}"#,
            r#"{"error":{"errors":[{"input":"canary"}]}}"#,
            r#"{"detail":{"detail":{"input":"canary"}}}"#,
            r#"[{"loc":["body"],"msg":"bad","input":"canary"}]"#,
        ] {
            let words = read(body.as_bytes());
            assert!(
                !format!("{words:?}").contains("canary"),
                "{body}: {words:?}"
            );
        }
        let words = read(br#"{"detail":[{"loc":null,"msg":"bad","input":"canary"}]}"#);
        assert_eq!(words.message, "bad");
        let words = read(br#"{"detail":{"loc":["body","x"],"msg":"bad","input":1}}"#);
        assert_eq!(words.fields, [FieldError::new("body.x", "bad")]);
        let words = read(br#"{"detail":[{"loc":"body.x","msg":"bad"},"and more"]}"#);
        assert_eq!(words.message, "body.x: bad; and more");
        assert_eq!(
            read(br#"{"detail":[{"input":"x"}]}"#).message,
            "the request is invalid"
        );
    }

    #[test]
    fn error_body_html_empty_and_plain_text() {
        assert_eq!(
            read(b"<html><head><TITLE>502 Bad\n Gateway</TITLE>").message,
            "an HTML page titled \"502 Bad Gateway\""
        );
        assert_eq!(read(b"<!doctype html><p>oops").message, "an HTML page");
        assert_eq!(read(b"").message, "");
        assert_eq!(read(b"{}").message, "");
        assert_eq!(
            read(b"upstream connect error\r\n\x1b[31m").message,
            "upstream connect error [31m"
        );
        assert_eq!(
            read(b"<?xml version=\"1.0\"?><Error>canary</Error>").message,
            "an XML document"
        );
    }

    #[test]
    fn error_body_html_is_recognized_by_its_start() {
        for page in [
            "<!DOCTYPE html><title>x</title>",
            "\u{feff}\r\n <HTML lang=de>",
            "<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE html PUBLIC>",
            "<script>location.href='/login'</script>",
            "<head></head>",
        ] {
            assert!(is_html(page.as_bytes()), "{page}");
        }
        for other in [
            "",
            "{}",
            "<",
            "<Error/>",
            "<?xml version=\"1.0\"?><Error/>",
            "a <html>",
        ] {
            assert!(!is_html(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn error_body_long_message_is_truncated() {
        let message = read("ä".repeat(1000).as_bytes()).message;
        assert!(message.len() <= MAX_MESSAGE_BYTES + '…'.len_utf8());
    }

    proptest! {
        #[test]
        fn error_body_of_any_bytes_gives_one_line(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let words = read(&body);
            prop_assert!(!words.message.contains('\n'));
        }
    }
}
