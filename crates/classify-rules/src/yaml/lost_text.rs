//! Texts that YAML cuts short without an error: `Invoice #5` ends before the `#`, and `&co` is an anchor.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use crate::parse_message::shorten;

/// The key of a description.
const DESCRIPTION: &str = "description";
/// The key of a type.
const TYPE: &str = "type";
/// The key of the rules.
const RULES: &str = "rules";
/// The key of headers, whose values are texts.
const WEBHOOK_HEADERS: &str = "webhook_headers";
/// Other keys whose texts may begin or end with a special character.
const TEXT_KEYS: [&str; 3] = ["name", "webhook_url", "webhook_signing_secret"];
/// The maximum number of texts that are reported.
const MAX_LOST_TEXTS: usize = 20;

/// A text of which a part is not sent.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostText {
    /// The line of the file, from 1.
    pub line: usize,
    /// The path of the value, such as `rules[0].description`.
    pub path: String,
    /// The part that is ignored, and the remedy.
    pub message: String,
}

/// An open list or object.
struct Frame {
    is_map: bool,
    /// The key of the next value; `None` if the next scalar is a key.
    key: Option<String>,
    /// The index of the next item of a list.
    index: usize,
}

impl Frame {
    /// Advances behind a value.
    fn advance(&mut self) {
        self.key = None;
        self.index += 1;
    }
}

/// Returns the descriptions, types and values of webhooks of which YAML ignores a part. A text that is not valid YAML
/// has none.
///
/// A comment behind a description is reported too, since it may have been meant as a part of it: quotes around the
/// description tell the two apart.
#[must_use]
pub fn lost_texts(text: &str) -> Vec<LostText> {
    let lines: Vec<&str> = text.lines().collect();
    let mut frames: Vec<Frame> = Vec::new();
    let mut lost: Vec<(Option<usize>, LostText)> = Vec::new();
    let mut used_anchors = BTreeSet::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else {
            return Vec::new();
        };
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => frames.push(Frame {
                is_map: matches!(event, Event::MappingStart(..)),
                key: None,
                index: 0,
            }),
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
                if let Some(frame) = frames.last_mut() {
                    frame.advance();
                }
            }
            Event::Alias(id) => {
                used_anchors.insert(id);
                if let Some(frame) = frames.last_mut() {
                    frame.advance();
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                let is_key = frames
                    .last()
                    .is_some_and(|frame| frame.is_map && frame.key.is_none());
                if is_key {
                    if let Some(frame) = frames.last_mut() {
                        frame.key = Some(value.into_owned());
                    }
                    continue;
                }
                if let Some(kind) = text_kind(&frames, &value) {
                    let mut add = |line, anchor, message: String| {
                        let path = path(&frames);
                        lost.push((
                            anchor,
                            LostText {
                                line,
                                path,
                                message,
                            },
                        ));
                    };
                    let rest = lines
                        .get(span.end.line().saturating_sub(1))
                        .map(|line| line.chars().skip(span.end.col()).collect::<String>());
                    let comment = rest
                        .as_deref()
                        .unwrap_or_default()
                        .trim_start()
                        .strip_prefix('#');
                    let is_cut = |comment: &str| {
                        kind == DESCRIPTION || comment.starts_with(|c: char| !c.is_whitespace())
                    };
                    if style == ScalarStyle::Plain && comment.is_some_and(is_cut) {
                        add(
                            span.end.line(),
                            None,
                            format!(
                                "the {kind} ends before ` #`, which begins a comment; put the {kind} in quotes"
                            ),
                        );
                    }
                    if anchor != 0 {
                        add(
                            span.start.line(),
                            Some(anchor),
                            format!(
                                "the {kind} begins after the word with `&`, which names an anchor; put the {kind} in quotes"
                            ),
                        );
                    }
                    if tag.is_some_and(|tag| tag.is_custom()) {
                        add(
                            span.start.line(),
                            None,
                            format!(
                                "the {kind} begins after the word with `!`, which is a tag; put the {kind} in quotes"
                            ),
                        );
                    }
                }
                if let Some(frame) = frames.last_mut() {
                    frame.advance();
                }
            }
            _ => {}
        }
    }
    // An anchor that an alias refers to was meant as one.
    let is_lost = |anchor: &Option<usize>| anchor.is_none_or(|id| !used_anchors.contains(&id));
    lost.into_iter()
        .filter(|(anchor, _)| is_lost(anchor))
        .map(|(_, lost)| lost)
        .take(MAX_LOST_TEXTS)
        .collect()
}

/// Returns the kind of the next value if it is a text: a description, a type, or a value of a webhook.
fn text_kind(frames: &[Frame], value: &str) -> Option<&'static str> {
    let (frame, parents) = frames.split_last()?;
    let key = frame.key.as_deref()?;
    let parent_key = parents.last().and_then(|parent| parent.key.as_deref());
    // A mapping from type to description: under `rules`, or as the whole file. In the latter a word alone is the value
    // of another key.
    match key {
        DESCRIPTION => Some(DESCRIPTION),
        _ if parent_key == Some(RULES) => Some(DESCRIPTION),
        TYPE => Some(TYPE),
        _ if parent_key == Some(WEBHOOK_HEADERS) || TEXT_KEYS.contains(&key) => Some("value"),
        _ if parents.is_empty() && value.contains(' ') => Some(DESCRIPTION),
        _ => None,
    }
}

fn path(frames: &[Frame]) -> String {
    let mut path = String::new();
    for frame in frames {
        if let Some(key) = &frame.key {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&shorten(key, 40));
        } else {
            if path.is_empty() {
                path.push_str(RULES);
            }
            let _ = write!(path, "[{}]", frame.index);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let texts = lost_texts(text).into_iter();
        texts.map(|lost| (lost.line, lost.path)).collect()
    }

    fn one(line: usize, path: &str) -> Vec<(usize, String)> {
        vec![(line, path.to_owned())]
    }

    #[test]
    fn description_cut_by_comment_is_found_in_every_shape() {
        for (text, line, path) in [
            (
                "rules:\n- type: a\n  description: Invoice #5 of a seller\n",
                3,
                "rules[0].description",
            ),
            (
                "- type: a\n  description: pays\n    by Friday # or later\n",
                3,
                "rules[0].description",
            ),
            ("rules:\n  a: pays\n  b: see #5\n", 3, "rules.b"),
            ("a: asks for #5\nmode: FAST # the cheap one\n", 1, "a"),
            (
                "configuration:\n  rules:\n  - {type: a, description: b #5\n    }",
                3,
                "configuration.rules[0].description",
            ),
            (
                "rules:\r\n- type: a\r\n  description: x #5\r\n",
                3,
                "rules[0].description",
            ),
            (
                "rules:\n- type: a #5\n  description: x\n",
                2,
                "rules[0].type",
            ),
            (
                "rules:\n- type: a\n  description: &co invoices of a company\n",
                3,
                "rules[0].description",
            ),
            ("webhook_url: https://a/b #c\n", 1, "webhook_url"),
            (
                "webhook_signing_secret: abc #def\n",
                1,
                "webhook_signing_secret",
            ),
            (
                "webhook_headers: {X-Token: &ab cd}\n",
                1,
                "webhook_headers.X-Token",
            ),
            (
                "rules:\n- type: a\n  description: !important a due date\n",
                3,
                "rules[0].description",
            ),
        ] {
            assert_eq!(found(text), one(line, path), "{text}");
        }
    }

    #[test]
    fn comments_anchors_and_tags_that_cut_nothing_are_not_found() {
        for text in [
            "rules:\n- type: a # the bill\n  description: \"Invoice #5\" # quoted\n",
            "# above\nrules: # here\n- type: a\n  # between\n  description: a#5\n",
            "rules:\n- type: a\n  description: >\n    Invoice #5\n    of a seller\n",
            "parsing_configuration:\n  lang: en # English\n  max_pages: 5 # only\nmode: FAST # cheap\n",
            "name: bills # mine\nwebhook_url: https://a/b#c # ours\n",
            "file_input: dfl-1 # mine\nconfiguration: {rules: []}\n",
            "rules:\n- type: a\n  description: &text asks for payment\n- type: b\n  description: *text\n",
            "rules:\n- type: !!str 1099\n  description: !!str asks for payment\n",
            r#"{"rules": [{"type": "a", "description": "Invoice #5"}]}"#,
            "rules: [",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn lost_texts_are_bounded() {
        let text = "- {type: a, description: b #5\n  }\n".repeat(1000);
        assert_eq!(lost_texts(&text).len(), MAX_LOST_TEXTS);
    }
}
