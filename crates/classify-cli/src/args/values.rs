//! Values on the command line: durations, rules, and objects in relaxed YAML or JSON.

use std::time::Duration;

use classify_proto::machine::{ContentKey, Limiter};
use classify_proto::v2::Rule;
use serde::de::DeserializeOwned;

use crate::exit::Problem;
use crate::rules_file::placed;

/// A length of time: `90` (seconds), `90s`, `5m`, `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| "write seconds, or a time such as 90s, 5m or 1h30m".to_owned())
}

/// A length of time that is not nothing.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time >= Duration::from_millis(10) {
            Ok(time)
        } else {
            Err("write at least 10ms".to_owned())
        }
    })
}

/// A number of requests at a time.
pub(crate) fn max_concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=256) => Ok(number),
        _ => Err("write a number from 1 to 256".to_owned()),
    }
}

/// A number of documents on their way.
pub(crate) fn in_flight(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=100_000) => Ok(number),
        _ => Err("write a number from 1 to 100000".to_owned()),
    }
}

/// A share or a confidence.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match text.trim().parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("write a number from 0 to 1, such as 0.8".to_owned()),
    }
}

/// How fast requests may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    Paid,
    Free,
    /// So many requests a second, whatever they are.
    PerSecond(u32),
}

impl Limits {
    pub(crate) fn limiter(self) -> Limiter {
        match self {
            Limits::Paid => Limiter::paid(),
            Limits::Free => Limiter::free_tier(),
            Limits::PerSecond(requests) => {
                Limiter::unlimited().total(requests, Duration::from_secs(1))
            }
        }
    }
}

/// Reads `paid`, `free` or `20/s`.
pub(crate) fn limits(text: &str) -> Result<Limits, String> {
    match text.trim() {
        "paid" => Ok(Limits::Paid),
        "free" => Ok(Limits::Free),
        text => text
            .strip_suffix("/s")
            .and_then(|number| number.parse().ok())
            .filter(|number| (1..=100_000).contains(number))
            .map(Limits::PerSecond)
            .ok_or_else(|| "write paid, free, or requests a second such as 20/s".to_owned()),
    }
}

/// One of several parts of a run, each for a machine of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 0.
    index: u32,
    count: u32,
}

impl Shard {
    /// Whether a document is this part's.
    pub(crate) fn holds(self, key: ContentKey) -> bool {
        key.shard(self.count) == self.index
    }
}

/// Reads `2/3`, the second of three.
pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    text.split_once('/')
        .and_then(|(nth, count)| {
            let (nth, count) = (nth.trim().parse::<u32>().ok()?, count.trim().parse().ok()?);
            (1..=count).contains(&nth).then(|| Shard {
                index: nth - 1,
                count,
            })
        })
        .ok_or_else(|| "write i/n with i from 1 to n, for example 1/3".to_owned())
}

/// A rule as `type=description`.
pub(crate) fn rule(text: &str) -> Result<Rule, String> {
    match text.split_once('=') {
        Some((r#type, description)) => Ok(Rule::new(r#type.trim(), description.trim())),
        None => Err(
            "write type=description, for example 'invoice=asks for payment by a due date'"
                .to_owned(),
        ),
    }
}

/// Reads YAML, of which JSON is a part. The message says where the mistake is.
pub(crate) fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Only `true` and `false` are booleans: `no` is Norwegian, and a type may be called `yes`.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let mut place = None;
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
        serde_path_to_error::deserialize(reader).map_err(|error| {
            place = Some(error.path().clone());
            error.into_inner()
        })
    })
    .map_err(|error| match place {
        Some(path) => placed(&path, &error.to_string()),
        None => error.to_string(),
    })
}

/// Reads an object or a list that was given to a flag; `null` is nothing.
pub(crate) fn object<T: DeserializeOwned>(flag: &str, text: &str) -> Result<Option<T>, Problem> {
    if is_null(text) {
        return Ok(None);
    }
    yaml(text).map(Some).map_err(|message| {
        Problem::usage(format!("--{flag}: {message}")).hint(format!(
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

/// Whether a value is the word for nothing.
pub(crate) fn is_null(text: &str) -> bool {
    text.trim() == "null"
}

/// Words that a repeated flag collected; each may be a list itself: `--job-id a --job-id '[b, c]'`.
pub(crate) fn words(flag: &str, given: &[String]) -> Result<Vec<String>, Problem> {
    let mut words = Vec::new();
    for text in given {
        if text.trim_start().starts_with('[') {
            words.extend(object::<Vec<String>>(flag, text)?.unwrap_or_default());
        } else if !is_null(text) {
            words.push(text.clone());
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_proto::v2::Configuration;

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("1h 30m", 5400),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "-5s", "soon", "1 fortnight"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_and_shards_as_people_write_them() {
        for (text, found) in [
            ("paid", Limits::Paid),
            ("free", Limits::Free),
            ("20/s", Limits::PerSecond(20)),
        ] {
            assert_eq!(limits(text), Ok(found));
        }
        for text in ["", "0/s", "20", "20/m", "1000000/s", "-1/s"] {
            assert!(limits(text).is_err(), "{text}");
        }
        for text in ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/2"] {
            assert!(shard(text).is_err(), "{text}");
        }
        let shards: Vec<_> = ["1/3", "2/3", "3/3"]
            .map(|text| shard(text).unwrap())
            .into();
        for content in 0..30_u8 {
            let key = ContentKey::of(&[content]);
            assert_eq!(shards.iter().filter(|shard| shard.holds(key)).count(), 1);
        }
    }

    #[test]
    fn a_confidence_lies_between_nothing_and_one() {
        assert_eq!(share("0.8"), Ok(0.8));
        assert_eq!((share("0"), share("1")), (Ok(0.0), Ok(1.0)));
        for text in ["", "1.01", "-0.1", "NaN", "inf", "80%", "0,8"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_is_split_at_its_first_equals_sign() {
        let found = rule("invoice = has a total, such as a=b").unwrap();
        assert_eq!(found, Rule::new("invoice", "has a total, such as a=b"));
        assert!(rule("invoice").is_err());
    }

    #[test]
    fn objects_are_relaxed() {
        for text in [
            "{rules: [{type: invoice, description: asks for payment}]}",
            r#"{"rules": [{"type": "invoice", "description": "asks for payment"}]}"#,
            "rules:\n- type: invoice\n  description: asks for payment",
        ] {
            let found: Configuration = object("configuration", text).unwrap().unwrap();
            assert_eq!(found.rules, [Rule::new("invoice", "asks for payment")]);
        }
        assert_eq!(
            object::<Configuration>("configuration", " null ").unwrap(),
            None
        );
        let Err(Problem::Told(told)) = object::<Configuration>("configuration", "{rules: 5}")
        else {
            panic!("5 is no list of rules")
        };
        assert!(
            told.message.contains("--configuration: rules:"),
            "{}",
            told.message
        );
    }

    #[test]
    fn a_list_may_be_repeated_or_written_out() {
        let given = ["a".to_owned(), "[b, 12]".to_owned(), "null".to_owned()];
        assert_eq!(words("job-id", &given).unwrap(), ["a", "b", "12"]);
        assert!(words("job-id", &["[a".to_owned()]).is_err());
    }
}
