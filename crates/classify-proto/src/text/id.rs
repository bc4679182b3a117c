//! Ids of the service, which differ in form between endpoints.

use serde::{Deserialize, Serialize};

/// Prefixes of ids. Some endpoints write them and others do not.
const PREFIXES: [&str; 4] = ["clj-", "dfl-", "pjb-", "cfg-"];

/// The prefix, if there is one, and the part after it.
fn parts(id: &str) -> (Option<&'static str>, &str) {
    PREFIXES
        .iter()
        .find_map(|prefix| {
            let (head, rest) = id.split_at_checked(prefix.len())?;
            head.eq_ignore_ascii_case(prefix)
                .then_some((Some(*prefix), rest))
        })
        .unwrap_or((None, id))
}

/// Whether two ids are equal: in upper or lower case, since most are UUIDs, and with or without the prefix.
///
/// If a create took its own job for another request's, it could be charged twice, so these forms count as equal.
/// Different prefixes do not: they belong to different kinds of objects.
pub(crate) fn same_id(left: &str, right: &str) -> bool {
    let ((left_prefix, left), (right_prefix, right)) = (parts(left), parts(right));
    let kinds_agree =
        left_prefix.is_none() || right_prefix.is_none() || left_prefix == right_prefix;
    kinds_agree && left.eq_ignore_ascii_case(right)
}

/// An id in normalized form: lower case and without its prefix. Equal if [`same_id`] returns `true`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct NormalizedId(String);

impl NormalizedId {
    pub(crate) fn of(id: &str) -> Self {
        Self(parts(id).1.to_ascii_lowercase())
    }
}

/// Finds the id of a job in a body that cannot be parsed, so that a created job is not lost. In a body that was cut
/// short, the first id counts if `is_id` accepts it.
pub(crate) fn find_job_id(body: &[u8], is_id: impl Fn(&str) -> bool) -> Option<String> {
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        return value.get("id")?.as_str().map(str::to_owned);
    }
    let text = std::str::from_utf8(body).ok()?;
    let value = text
        .split_once("\"id\"")?
        .1
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let (id, _) = value.split_once('"')?;
    is_id(id).then(|| id.to_owned())
}

/// Whether a text has the form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.concat().bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_forms_compare_equal() {
        for form in ["dfl-aB1", "DFL-ab1", "AB1", "ab1"] {
            assert!(same_id(form, "dfl-ab1") && same_id("Ab1", form), "{form}");
            assert_eq!(NormalizedId::of(form), NormalizedId::of("ab1"));
        }
        for other in [
            "",
            "dfl-",
            "ab2",
            "pjb-ab1",
            "abc-ab1",
            "äb1",
            "dfl-dfl-ab1",
        ] {
            assert!(!same_id(other, "dfl-ab1"), "{other}");
        }
        assert!(!same_id("é", "É"), "only ASCII has one case in two forms");
    }
}
