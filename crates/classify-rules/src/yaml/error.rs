//! Rewrites the errors of the YAML library: the position, the error and the remedy.
//!
//! The library's messages are for programmers ("set `DuplicateKeyPolicy`"). The most frequent error in a rules file is
//! a text that needs quotes, so each message says where to put them.

use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::{Error, Location};

use crate::parse_message::{describe as describe_message, quote};

/// The remedy of errors that have no better one.
const GENERAL_REMEDY: &str =
    "check the indentation and the brackets, and put texts with special characters in quotes";

/// Describes an error: `line 3, column 23: …`.
pub(super) fn describe(error: &Error, text: &str) -> String {
    let error = innermost(error);
    match error.location().filter(|place| *place != Location::UNKNOWN) {
        Some(place) => {
            let position = Position {
                text,
                line: usize::try_from(place.line()).unwrap_or(usize::MAX),
                column: usize::try_from(place.column()).unwrap_or(usize::MAX),
            };
            let reason = reason(error, Some(position));
            format!(
                "line {}, column {}: {reason}",
                position.line, position.column
            )
        }
        None => reason(error, None),
    }
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

/// A position in a text, from 1.
#[derive(Clone, Copy)]
struct Position<'a> {
    text: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Position<'a> {
    fn line_text(self) -> &'a str {
        self.text
            .lines()
            .nth(self.line.saturating_sub(1))
            .unwrap_or_default()
    }

    /// The character at the position.
    fn character(self) -> Option<char> {
        self.line_text().chars().nth(self.column.saturating_sub(1))
    }

    /// The key whose value the position is in, if it begins on the same line.
    fn key(self) -> Option<&'a str> {
        let line = self.line_text();
        let end = line
            .char_indices()
            .nth(self.column.saturating_sub(1))
            .map_or(line.len(), |(index, _)| index);
        let before = &line[..end];
        let (start, _) = before.split_once(": ")?;
        let key = start.rsplit(['{', '[', ',']).next().unwrap_or(start);
        let key = key.trim().trim_start_matches("- ").trim();
        let key = key.trim_matches(['"', '\'']);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        (!key.is_empty() && key.chars().count() <= 40 && key.chars().all(is_name)).then_some(key)
    }
}

fn reason(error: &Error, position: Option<Position<'_>>) -> String {
    match error {
        Error::ExternalMessage { source, .. } => match &**source {
            ExternalMessageSource::Parser(error) => syntax_reason(error.kind(), position),
            _ => invalid(),
        },
        Error::Eof { .. } => "it is empty".to_owned(),
        Error::MultipleDocuments { .. } => {
            "a second document begins here; keep one, and remove the lines `---` and `...`"
                .to_owned()
        }
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("{} is given twice; keys and types must differ", quote(key)),
            None => "a key is given twice; keys and types must differ".to_owned(),
        },
        Error::NullIntoString { .. } => {
            "the text is missing; write it after the colon, in quotes if it begins with # or is `null` or `~`"
                .to_owned()
        }
        Error::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        Error::Unexpected { expected, .. } => unexpected(expected, position),
        Error::InvalidScalar { ty, .. } => format!("expected {}", number_kind(ty)),
        Error::NonFiniteFloat { .. } => "expected a number that is not infinite; a text needs quotes".to_owned(),
        Error::UnknownAnchor { .. } | Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "`*` refers to an anchor that is not defined before it; a text that begins with `*` needs quotes"
                .to_owned()
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } | Error::MergeKeyNotAllowed { .. } => {
            "the key `<<` merges objects, and its value is not one; put the key in quotes, or remove it"
                .to_owned()
        }
        Error::UnsupportedTag { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. }
        | Error::BytesNotSupportedMissingBinaryTag { .. }
        | Error::TaggedStructFieldName { .. }
        | Error::TaggedEnumMismatch { .. }
        | Error::UnsupportedIncludeForm { .. }
        | Error::CyclicInclude { .. }
        | Error::ResolverError { .. } => {
            "`!` begins a tag, which is not supported here; remove it, or put the text in quotes".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "it is too large or nested too deeply; write fewer values, levels and aliases".to_owned()
        }
        Error::InvalidUtf8Input | Error::IOError { .. } => "the text is not UTF-8; save it as UTF-8".to_owned(),
        Error::FoldedBlockScalarMustIndentContent { .. } => block_text(),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            describe_message(&format!("invalid type: {unexpected}, expected {expected}"))
        }
        Error::SerdeInvalidValue { unexpected, expected, .. } => {
            describe_message(&format!("invalid value: {unexpected}, expected {expected}"))
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            describe_message(&format!("invalid length {len}, expected {expected}"))
        }
        Error::SerdeUnknownField { field, expected, .. } => {
            // In `{description: pays, by Friday}` the comma ends the text.
            let remedy = if field.contains(' ') {
                "; a text with a comma or a colon needs quotes"
            } else {
                ""
            };
            format!("unknown key {}; expected {}{remedy}", quote(field), list(expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown value {}; expected {}", quote(variant), list(expected))
        }
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::Message { msg, .. } => describe_message(msg),
        _ => invalid(),
    }
}

#[expect(clippy::too_many_lines, reason = "a table of all errors of the parser")]
fn syntax_reason(kind: &ErrorKind, position: Option<Position<'_>>) -> String {
    let text = match kind {
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::FlowMappingValueAdjacentCollection
        | ErrorKind::InvalidMappingValueWhitespace => return colon(position),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "this line has no `key: value`; indent it deeper than the key if it continues a text, or write a space after the colon"
        }
        // After a key on the same line, the indentation is not the cause.
        ErrorKind::ExpectedBlockMappingKey if position.and_then(Position::key).is_some() => {
            "the text continues after its closing bracket; put all of it in quotes"
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::UnexpectedEofBlockMapping
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::InvalidFlowScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
            if position.and_then(Position::character) != Some(',') =>
        {
            "the indentation does not fit; indent the keys of an object alike, and begin each item of a list with `- `"
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => "a tab cannot indent YAML; replace it by spaces",
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            "there is a control character; remove it, or save the file as UTF-8 text"
        }
        ErrorKind::UnexpectedCharacter { .. }
        | ErrorKind::PlainScalarStartsWithDashFlowIndicator
        | ErrorKind::UnexpectedEndOfPlainScalar
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::ExpectedNodeContent
        | ErrorKind::UnexpectedEofBlockMapping => return first_character(position),
        ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::BlockEntryInFlowCollection => {
            "a comma or a closing bracket is missing, or there is one too many; put texts that have brackets or commas in quotes"
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            return format!(
                "the bracket `{open}` is not closed; close it, or put the text in quotes"
            );
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return format!(
                "the bracket `{open}` that begins here is closed by `{close}`; close it by the bracket that belongs to it, or put the text in quotes"
            );
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            "this bracket closes nothing; remove it, or put the text in quotes"
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            "the quote that begins here is not closed; add the closing quote"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "the text continues after its closing quote; put all of it in quotes, and write a single quote inside as ''"
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "the text continues after its closing quote; put all of it in quotes, and write a double quote inside as \\\", or add the missing comma or colon"
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            "a backslash in this text begins an unknown escape; write it as \\\\, or use single quotes"
        }
        ErrorKind::CommentInterceptedScalar | ErrorKind::CommentNotSeparated => {
            "a comment interrupts the text; put the text in quotes if the # belongs to it"
        }
        ErrorKind::InvalidBlockScalarHeader
        | ErrorKind::ZeroBlockScalarIndent
        | ErrorKind::InvalidBlockScalarIndent => return block_text(),
        ErrorKind::UnknownAnchor
        | ErrorKind::MissingAnchorOrAliasName
        | ErrorKind::AnchorCountOverflow => {
            "`&` and `*` name anchors; a text that begins with one needs quotes"
        }
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::ExpectedTagBang
        | ErrorKind::InvalidGlobalTagCharacter
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidTagUtf8LeadingByte
        | ErrorKind::InvalidTagUtf8TrailingByte
        | ErrorKind::InvalidTagUtf8 => "`!` begins a tag; a text that begins with it needs quotes",
        ErrorKind::DuplicateVersionDirective
        | ErrorKind::UnsupportedYamlMajorVersion
        | ErrorKind::DuplicateTagDirective
        | ErrorKind::ExpectedTagDirectiveBang
        | ErrorKind::InvalidDirectiveTerminator
        | ErrorKind::DirectiveDisallowed
        | ErrorKind::MissingYamlVersionSeparator
        | ErrorKind::MissingDirectiveName
        | ErrorKind::InvalidDirectiveName
        | ErrorKind::DirectiveByteLimitExceeded { .. }
        | ErrorKind::TooManyReservedDirectiveParams { .. }
        | ErrorKind::YamlVersionTooLong
        | ErrorKind::MissingYamlVersion
        | ErrorKind::InvalidTagDirectiveTerminator => {
            "a line that begins with `%` is a directive of YAML; remove it, or put the text in quotes"
        }
        ErrorKind::ExpectedDocumentStart
        | ErrorKind::InvalidDocumentEnd
        | ErrorKind::MissingDocumentEndBeforeDirective
        | ErrorKind::MultipleDocumentsUnsupported => {
            "the document ends before this line; remove the lines `---` and `...`"
        }
        ErrorKind::BomInsideDocument => "there is a byte order mark inside the text; remove it",
        ErrorKind::RecursionLimitExceeded => "it is nested too deeply; write fewer levels",
        _ => return invalid(),
    };
    text.to_owned()
}

fn invalid() -> String {
    format!("it is not valid YAML; {GENERAL_REMEDY}")
}

/// A colon where a value cannot begin: in a text, or after a key that is indented too deeply.
fn colon(position: Option<Position<'_>>) -> String {
    match position.and_then(Position::key) {
        Some(key) => {
            format!("the text of `{key}` has a colon in it; put the text in quotes: {key}: \"…\"")
        }
        None => "a colon cannot stand here; put the text in quotes, or indent the key like the keys beside it".to_owned(),
    }
}

/// A character that a text without quotes cannot begin with.
fn first_character(position: Option<Position<'_>>) -> String {
    match position.and_then(Position::character) {
        Some(character) if !character.is_control() => {
            format!("a text cannot begin with `{character}`; put the text in quotes")
        }
        _ => invalid(),
    }
}

fn block_text() -> String {
    "`>` and `|` begin a text on the next, deeper lines; a text that begins with one of them needs quotes".to_owned()
}

/// A value of another kind. The library says which kind it expected.
fn unexpected(expected: &str, position: Option<Position<'_>>) -> String {
    let character = position.and_then(Position::character);
    match expected {
        "string scalar" | "scalar" | "string" => match character {
            Some(bracket @ ('[' | '{')) => {
                format!("expected a text; a text that begins with `{bracket}` needs quotes")
            }
            _ => "expected a text, and not a list or an object".to_owned(),
        },
        "sequence start" => {
            "expected a list; each item begins with a dash and a space, or the list is in brackets: [a, b]".to_owned()
        }
        "mapping start" => {
            "expected an object; write `key: value` with a space after the colon".to_owned()
        }
        _ => invalid(),
    }
}

fn number_kind(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "floating point" => "a number",
        kind if kind.starts_with('u') => "a whole number from 0, without quotes",
        kind if kind.starts_with('i') => "a whole number, without quotes",
        _ => "another kind of value",
    }
}

fn list(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    /// Terms of programmers, most of them of the library, that no message may contain.
    const LIBRARY_WORDS: [&str; 23] = [
        "scalar",
        "mapping values",
        "block mapping",
        "sequence",
        "block",
        "flow",
        "EOF",
        "eof",
        "while ",
        "deserialize",
        "Option<",
        "Policy",
        "breach",
        "Budget",
        "token",
        "from_str",
        "u32",
        "struct",
        "alias references",
        "simple key",
        "serde",
        "null into",
        "did not find",
    ];

    /// Parses a rules file and a body, and returns the errors.
    fn errors(text: &str) -> Vec<String> {
        let mut errors = Vec::new();
        errors.extend(crate::file::parse(text, crate::file::RulesFormat::Yaml).err());
        errors.extend(super::super::from_str::<Value>(text).err());
        errors
    }

    fn assert_own_words(text: &str, parts: &[&str]) {
        let errors = errors(text);
        assert!(!errors.is_empty(), "{text:?} is accepted");
        for part in parts {
            assert!(
                errors[0].contains(part),
                "{text:?}: {part:?} is not in {errors:?}"
            );
        }
        for error in &errors {
            for word in LIBRARY_WORDS {
                assert!(!error.contains(word), "{text:?}: {word:?} is in {error}");
            }
        }
    }

    fn description(text: &str) -> String {
        format!(
            "rules:\n  - type: invoice\n    description: {text}\n  - type: b\n    description: c\n"
        )
    }

    #[test]
    fn description_that_needs_quotes_is_named_with_line_and_remedy() {
        for text in [
            "Terms: net 30 days",
            "a:",
            "Total :: x",
            "@home",
            "`x`",
            "%x",
            "*x",
            "> 500 EUR",
            "| x",
            "- item",
            "? x",
            "'a' b",
            "'it's'",
            "\"a\" b",
            "[draft] contract",
            "{a} b",
            "]",
            "}",
            ",",
            "null",
            "~",
            "# all",
        ] {
            assert_own_words(&description(text), &["line 3", "quotes"]);
        }
        let colon = &errors(&description("Terms: net 30 days"))[0];
        assert_eq!(
            colon,
            "rules[0]: line 3, column 23: the text of `description` has a colon in it; put the text in quotes: description: \"…\""
        );
    }

    #[test]
    fn yaml_error_is_in_own_words_with_line_and_remedy() {
        for (text, parts) in [
            (
                description("\"C:\\path\""),
                &["line 3", "backslash", "single quotes"][..],
            ),
            (description("\"open"), &["line 3", "closing quote"]),
            (description(""), &["line 3", "text is missing"]),
            (description("a\n  b: c"), &["line 4", "indent"]),
            (description("a\n      b: c"), &["line 4", "indent"]),
            (description("a\n      # c\n      b"), &["line 5", "indent"]),
            (
                "rules:\n  - type: invoice\n     description: x".into(),
                &["line 3", "indent"],
            ),
            (
                "rules:\n  - type: invoice\n    description: foo\n    bar\n".into(),
                &["line 4", "key: value"],
            ),
            ("rules:\n\t- type: a".into(), &["line 2", "tab"]),
            (
                "rules:\n  - type: a\n\tdescription: b".into(),
                &["line 2", "tab"],
            ),
            (
                "rules:\n  - {type: a, description: b".into(),
                &["line 2", "not closed"],
            ),
            (
                "rules:\n  - {type: a, description: pays, by Friday}".into(),
                &["line 2", "`by Friday`", "comma", "quotes"],
            ),
            (
                "rules: [{type: a, description: b]}".into(),
                &["line 1", "closed by `]`"],
            ),
            ("rules: []}\n".into(), &["line 1", "closes nothing"]),
            (
                "rules: []\n---\nrules: []\n".into(),
                &["line 3", "second document"],
            ),
            ("a: x\na: y\n".into(), &["line 2", "`a` is given twice"]),
            (String::new(), &["no rules"]),
            ("# only".into(), &["no rules"]),
            (
                "rules:\n  - type: [a]\n    description: b".into(),
                &["rules[0]", "line 2", "expected a text"],
            ),
            ("rules: []\n... x".into(), &["line 2", "---"]),
            ("%YAML 3.0\n---\nrules: []".into(), &["line 1", "directive"]),
            ("rules: &a [*a]".into(), &["line 1", "anchor"]),
            ("<<: 5\nrules: []".into(), &["line 1", "`<<`"]),
            ("rules: !!binary zzz".into(), &["line 1", "tag"]),
            ("? [a]\n: b".into(), &["line 1", "expected a text"]),
            ("rules: []\n  x: 5".into(), &["line 2", "indent"]),
            ("type: a\0b".into(), &["line 1", "control character"]),
            ("{\"a\": 1,, }".into(), &["line 1", "comma"]),
            (
                "[".repeat(100) + &"]".repeat(100),
                &["line 1", "too deeply"],
            ),
        ] {
            assert_own_words(&text, parts);
        }
    }

    #[test]
    fn yaml_error_quotes_no_value_and_only_short_keys() {
        let canary = "canary".repeat(20_000);
        for text in [
            format!("\"{canary}\""),
            format!("rules: \"{canary}\""),
            format!("rules: [\"{canary}\"]"),
            format!("rules: [{{type: a, description: [{canary}]}}]"),
            format!("rules: [{{type: a, {canary}: b}}]"),
            format!("{canary}: [5]\nrules: []"),
            format!("{canary}: a\n{canary}: b"),
            format!("rules: {{{canary}: [a]}}"),
            format!("{canary}: a: b"),
            format!("rules: [\"{canary}"),
            format!("rules: !{canary} x"),
            format!("rules: *{canary}"),
            format!("mode: [\"{canary}\"]\nrules: []"),
        ] {
            for error in errors(&text) {
                assert!(error.len() < 400, "{error:.200}");
            }
        }
    }

    proptest! {
        #[test]
        fn yaml_error_of_any_text_is_in_own_words(
            text in "(rules:\n)?(  ?[-a]?[ :#&*!|>%@`'\"{},\\[\\]\\\\?~0\t]{0,6}[ab]?:? ?[ab:,\\]}]{0,3}\n){1,5}",
        ) {
            for error in errors(&text) {
                for word in LIBRARY_WORDS {
                    prop_assert!(!error.contains(word), "{word:?} is in {error}");
                }
            }
        }
    }
}
