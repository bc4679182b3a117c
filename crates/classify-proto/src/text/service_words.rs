//! What the service says in the body of an error, whatever shape that body has.

use serde::Deserialize;
use serde_json::Value;

/// A field of a request and what is wrong with it: found by a check before sending, or named by the service in a 422.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Where: `configuration.rules[2].description`, or the service's own path joined by dots.
    pub field: String,
    /// What is wrong.
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

/// The longest message that is repeated from a response.
const LONGEST: usize = 300;
/// How many field errors are listed in one line; all of them are kept as data.
const LISTED: usize = 3;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceWords {
    /// One line; empty when the body says nothing.
    pub(crate) message: String,
    pub(crate) fields: Vec<FieldError>,
}

/// Reads `{"detail": "text"}`, `{"detail": [{loc, msg, type}]}`, other JSON with a message, HTML, text, or nothing.
///
/// The `input` that a validation error repeats is left out: it may be part of a document or a secret.
pub(crate) fn read(body: &[u8]) -> ServiceWords {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return from_json(&value);
    }
    let text = String::from_utf8_lossy(body);
    let message = if text.trim_start().starts_with('<') {
        html_title(&text)
    } else {
        one_line(&text)
    };
    ServiceWords {
        message,
        fields: Vec::new(),
    }
}

fn from_json(value: &Value) -> ServiceWords {
    let said = ["detail", "message", "error"]
        .iter()
        .find_map(|name| value.get(name).filter(|said| !said.is_null()));
    match said {
        Some(Value::Array(entries)) => {
            let fields: Vec<_> = entries.iter().filter_map(field_error).collect();
            if fields.is_empty() {
                return ServiceWords {
                    message: one_line(&Value::Array(entries.clone()).to_string()),
                    fields,
                };
            }
            let mut message = fields
                .iter()
                .take(LISTED)
                .map(|field| format!("{}: {}", field.field, field.message))
                .collect::<Vec<_>>()
                .join("; ");
            if fields.len() > LISTED {
                message += "; and ";
                message += &(fields.len() - LISTED).to_string();
                message += " more";
            }
            ServiceWords {
                message: one_line(&message),
                fields,
            }
        }
        Some(Value::String(text)) => ServiceWords {
            message: one_line(text),
            fields: Vec::new(),
        },
        // {"error": {"message": "…"}} and the like.
        Some(nested @ Value::Object(_)) => match from_json(nested) {
            words if words.message.is_empty() => ServiceWords {
                message: one_line(&nested.to_string()),
                fields: Vec::new(),
            },
            words => words,
        },
        Some(other) => ServiceWords {
            message: one_line(&other.to_string()),
            fields: Vec::new(),
        },
        None => match value {
            Value::String(text) => ServiceWords {
                message: one_line(text),
                fields: Vec::new(),
            },
            Value::Null => ServiceWords::default(),
            _ => ServiceWords {
                message: String::new(),
                fields: Vec::new(),
            },
        },
    }
}

#[derive(Deserialize)]
struct ValidationEntry {
    #[serde(default)]
    loc: Vec<Value>,
    msg: String,
}

fn field_error(entry: &Value) -> Option<FieldError> {
    let entry = ValidationEntry::deserialize(entry).ok()?;
    let place: Vec<_> = entry
        .loc
        .iter()
        .map(|step| {
            step.as_str()
                .map_or_else(|| step.to_string(), str::to_owned)
        })
        .collect();
    Some(FieldError::new(
        one_line(&place.join(".")),
        one_line(&entry.msg),
    ))
}

/// A gateway's page, told by its title.
fn html_title(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|open| {
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        // ASCII lower case keeps every byte's place.
        Some(one_line(&text[start..end]))
    });
    match title {
        Some(title) if !title.is_empty() => format!("an HTML page titled {title:?}"),
        _ => "an HTML page".to_owned(),
    }
}

/// One line of printable text, cut at a length that a terminal can bear.
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
        if line.len() > LONGEST {
            let mut end = LONGEST;
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
    fn a_business_error() {
        assert_eq!(
            read(br#"{"detail": "Job not found"}"#).message,
            "Job not found"
        );
        assert_eq!(read(br#"{"error": {"message": "boom"}}"#).message, "boom");
        assert_eq!(read(br#"{"message": "boom"}"#).message, "boom");
        assert_eq!(read(br#""boom""#).message, "boom");
    }

    #[test]
    fn a_validation_error_names_its_fields_and_not_their_input() {
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
    fn gateways_and_silence() {
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
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = read("ä".repeat(1000).as_bytes()).message;
        assert!(message.len() <= LONGEST + '…'.len_utf8());
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_line(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let words = read(&body);
            prop_assert!(!words.message.contains('\n'));
        }
    }
}
