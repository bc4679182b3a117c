//! Parsers for the values of flags.

use std::time::Duration;

use classify_proto::machine::{ContentKey, Limiter};
use serde::de::DeserializeOwned;

use crate::error::CliError;
use crate::yaml;

/// Parses a duration: `90` (seconds), `90s`, `5m`, `1h 30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| "write seconds, or a time such as 90s, 5m or 1h30m".to_owned())
}

/// Parses a poll interval: a duration of at least 10 ms.
pub(crate) fn parse_poll_interval(text: &str) -> Result<Duration, String> {
    parse_duration(text).and_then(|time| {
        if time >= Duration::from_millis(10) {
            Ok(time)
        } else {
            Err("write at least 10ms".to_owned())
        }
    })
}

/// Parses a number of concurrent requests.
pub(crate) fn parse_concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err("write a number from 1 to 256".to_owned()),
    }
}

/// Parses a number of documents in flight.
pub(crate) fn parse_max_in_flight(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=100_000) => Ok(number),
        _ => Err("write a number from 1 to 100000".to_owned()),
    }
}

/// Parses the maximum number of documents of one call.
#[cfg(feature = "mcp")]
pub(crate) fn parse_max_documents(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err("write a number from 1 to 10000".to_owned()),
    }
}

/// Parses a confidence from 0 to 1.
pub(crate) fn parse_confidence(text: &str) -> Result<f64, String> {
    match text.trim().parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("write a number from 0 to 1, such as 0.8".to_owned()),
    }
}

/// The rate limit of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimit {
    Paid,
    Free,
    /// Requests per second, of any kind.
    PerSecond(u32),
}

impl RateLimit {
    pub(crate) fn limiter(self) -> Limiter {
        match self {
            RateLimit::Paid => Limiter::paid(),
            RateLimit::Free => Limiter::free_tier(),
            RateLimit::PerSecond(requests) => {
                Limiter::unlimited().total(requests, Duration::from_secs(1))
            }
        }
    }
}

/// Parses `paid`, `free` or `20/s`.
pub(crate) fn parse_rate_limit(text: &str) -> Result<RateLimit, String> {
    match text.trim() {
        "paid" => Ok(RateLimit::Paid),
        "free" => Ok(RateLimit::Free),
        text => text
            .strip_suffix("/s")
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=100_000).contains(number))
            .map(RateLimit::PerSecond)
            .ok_or_else(|| "write paid, free, or requests a second such as 20/s".to_owned()),
    }
}

/// A part of a run that is divided among machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 0.
    pub(crate) index: u32,
    pub(crate) count: u32,
}

impl Shard {
    /// Whether a document belongs to the shard.
    pub(crate) fn contains(self, key: ContentKey) -> bool {
        key.shard(self.count) == self.index
    }
}

/// Parses `2/3`, the second shard of three.
pub(crate) fn parse_shard(text: &str) -> Result<Shard, String> {
    text.split_once('/')
        .and_then(|(number, count)| {
            let (number, count) = (
                number.trim().parse::<u32>().ok()?,
                count.trim().parse().ok()?,
            );
            (1..=count).contains(&number).then(|| Shard {
                index: number - 1,
                count,
            })
        })
        .ok_or_else(|| "write i/n with i from 1 to n, for example 1/3".to_owned())
}

/// Parses an object or a list in YAML or JSON; `null` is `None`.
fn parse_object<T: DeserializeOwned>(flag: &str, text: &str) -> Result<Option<T>, CliError> {
    if is_null(text) {
        return Ok(None);
    }
    yaml::from_str(text).map(Some).map_err(|message| {
        CliError::usage(format!("--{flag}: {message}")).hint(format!(
            "write YAML or JSON in quotes, for example {}",
            example(flag)
        ))
    })
}

fn example(flag: &str) -> &'static str {
    match flag {
        "configuration.rules" => "'[{type: invoice, description: asks for payment}]'",
        "configuration.parsing-configuration" => "'{lang: en, max_pages: 5}'",
        "webhook-configuration" => "'{webhook_url: https://example.com/hook}'",
        "webhook-configuration.webhook-events" => "'[classify.success, classify.error]'",
        "webhook-configuration.webhook-headers" => "'{X-Team: blue}'",
        "configuration" => "'{rules: [{type: invoice, description: asks for payment}]}'",
        _ => "'[a, b]'",
    }
}

/// Whether a value is `null`.
pub(crate) fn is_null(text: &str) -> bool {
    text.trim() == "null"
}

/// Returns the values of a repeated flag. Each may be a list itself: `--job-id a --job-id '[b, c]'`.
pub(crate) fn parse_list(flag: &str, values: &[String]) -> Result<Vec<String>, CliError> {
    let mut list = Vec::new();
    for text in values {
        if text.trim_start().starts_with('[') {
            list.extend(parse_object::<Vec<String>>(flag, text)?.unwrap_or_default());
        } else if !is_null(text) {
            list.push(text.clone());
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::v2::{Configuration, Rule};

    #[test]
    fn duration_parses_units_and_rejects_invalid_text() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("1h 30m", 5400),
            ("0", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "-5s", "soon", "1 fortnight"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rate_limit_and_shard_parse_and_shards_partition_keys() {
        for (text, found) in [
            ("paid", RateLimit::Paid),
            ("free", RateLimit::Free),
            ("20/s", RateLimit::PerSecond(20)),
        ] {
            assert_eq!(parse_rate_limit(text), Ok(found));
        }
        for text in ["", "0/s", "20", "20/m", "1000000/s", "-1/s"] {
            assert!(parse_rate_limit(text).is_err(), "{text}");
        }
        for text in ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/2"] {
            assert!(parse_shard(text).is_err(), "{text}");
        }
        let shards: Vec<_> = ["1/3", "2/3", "3/3"]
            .map(|text| parse_shard(text).unwrap())
            .into();
        for content in 0..30_u8 {
            let key = ContentKey::of(&[content]);
            assert_eq!(shards.iter().filter(|shard| shard.contains(key)).count(), 1);
        }
    }

    #[test]
    fn confidence_must_be_from_0_to_1() {
        assert_eq!(parse_confidence("0.8"), Ok(0.8));
        assert_eq!(
            (parse_confidence("0"), parse_confidence("1")),
            (Ok(0.0), Ok(1.0))
        );
        for text in ["", "1.01", "-0.1", "NaN", "inf", "80%", "0,8"] {
            assert!(parse_confidence(text).is_err(), "{text}");
        }
    }

    #[test]
    fn configuration_flag_parses_yaml_or_json_and_error_names_field() {
        for text in [
            "{rules: [{type: invoice, description: asks for payment}]}",
            r#"{"rules": [{"type": "invoice", "description": "asks for payment"}]}"#,
            "rules:\n- type: invoice\n  description: asks for payment",
        ] {
            let found: Configuration = parse_object("configuration", text).unwrap().unwrap();
            assert_eq!(found.rules, [Rule::new("invoice", "asks for payment")]);
        }
        assert_eq!(
            parse_object::<Configuration>("configuration", " null ").unwrap(),
            None
        );
        let Err(CliError::Report(report)) =
            parse_object::<Configuration>("configuration", "{rules: 5}")
        else {
            panic!("5 is not a list of rules")
        };
        assert!(
            report.message.contains("--configuration: rules:"),
            "{}",
            report.message
        );
    }

    #[test]
    fn list_flag_accepts_repeated_values_and_inline_list() {
        let values = ["a".to_owned(), "[b, 12]".to_owned(), "null".to_owned()];
        assert_eq!(parse_list("job-id", &values).unwrap(), ["a", "b", "12"]);
        assert!(parse_list("job-id", &["[a".to_owned()]).is_err());
    }
}
