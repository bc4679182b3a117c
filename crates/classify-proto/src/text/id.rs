//! Ids of the service, which one endpoint writes in another form than the next.

use serde::{Deserialize, Serialize};

/// The prefixes that say what an id is of. Some endpoints write them and others leave them out.
const PREFIXES: [&str; 4] = ["clj-", "dfl-", "pjb-", "cfg-"];

/// The prefix, where there is one, and the rest.
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

/// Whether two ids are of one thing: in either case of their letters, since most are UUIDs, and with or without the
/// prefix.
///
/// A create that took its own job for another's would be paid for twice, so the forms are not held against each other.
/// Two prefixes that differ are: they name different kinds of things.
pub(crate) fn same_id(left: &str, right: &str) -> bool {
    let ((left_prefix, left), (right_prefix, right)) = (parts(left), parts(right));
    let kinds_agree =
        left_prefix.is_none() || right_prefix.is_none() || left_prefix == right_prefix;
    kinds_agree && left.eq_ignore_ascii_case(right)
}

/// An id in one form: lowercase and without its prefix. Ids for which [`same_id`] holds are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct NormalizedId(String);

impl NormalizedId {
    pub(crate) fn of(id: &str) -> Self {
        Self(parts(id).1.to_ascii_lowercase())
    }
}

/// The id of a job in a body that cannot be read whole, so that a job that was made is not lost. Of a body that was cut
/// the first id is taken, if `is_id` holds for it.
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
