//! Properties of every v1 create, migrated to v2 and back.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::v1::{Language, Rule};

fn parsing() -> impl Strategy<Value = ParsingConfiguration> {
    let words = prop_oneof![
        4 => proptest::sample::select(Language::KNOWN).prop_map(str::to_owned),
        1 => proptest::sample::select(&["el", "he", "of-tomorrow", ""][..]).prop_map(str::to_owned),
    ];
    let max_pages = prop_oneof![
        Just(MaxPages::Default),
        Just(MaxPages::Unlimited),
        (0u32..100).prop_map(MaxPages::Limit),
    ];
    let pages = prop_oneof![
        4 => proptest::collection::btree_set(0u32..50, 1..9).prop_map(|set| set.into_iter().collect()),
        1 => proptest::collection::vec(0u32..9, 0..5),
        1 => Just(vec![0, u32::MAX]),
        1 => Just((0..10_002).collect()),
    ];
    (
        proptest::option::of(words),
        max_pages,
        proptest::option::of(pages),
    )
        .prop_map(|(lang, max_pages, pages)| {
            let mut parsing = ParsingConfiguration::new();
            parsing.lang = lang.map(Language::from);
            parsing.max_pages = max_pages;
            parsing.target_pages = pages;
            parsing
        })
}

fn webhook() -> impl Strategy<Value = WebhookConfiguration> {
    let known = proptest::sample::subsequence(WebhookEvent::KNOWN, 0..4);
    let events = (known, any::<bool>()).prop_map(|(known, new)| {
        let new = new.then_some("of.tomorrow");
        known.into_iter().chain(new).collect::<Vec<_>>()
    });
    let header = prop_oneof![
        3 => "[a-z]{0,5}".prop_map(Value::from),
        1 => Just(json!(5)),
        1 => Just(Value::Null),
        1 => Just(json!("a\nb")),
    ];
    (
        proptest::option::of(events),
        proptest::option::of(header),
        proptest::sample::select(&["https://example.com", "ftp://x"][..]),
    )
        .prop_map(|(events, header, url)| {
            let mut webhook = WebhookConfiguration::new(url);
            if let Some(events) = events {
                webhook = webhook.events(events);
            }
            if let Some(header) = header {
                webhook = webhook.header("X-A", header);
            }
            webhook
        })
}

fn creates() -> impl Strategy<Value = CreateJob> {
    let file = prop_oneof![
        9 => "[a-f0-9]{1,8}",
        1 => Just("pjb-1".to_owned()),
        1 => Just("x".repeat(201)),
        1 => Just(String::new()),
    ];
    let kind = prop_oneof![
        9 => "[a-zA-Z_ -]{1,9}",
        1 => Just("invoice/receipt".to_owned()),
        1 => Just("invoice".to_owned()),
        1 => Just("x".repeat(51)),
    ];
    (
        proptest::collection::vec(file, 0..6),
        proptest::collection::vec(kind, 0..4),
        proptest::option::of(proptest::sample::select(Mode::KNOWN)),
        proptest::option::of(parsing()),
        proptest::option::of(webhook()),
    )
        .prop_map(|(files, kinds, mode, parsing, webhook)| {
            let rules = kinds
                .iter()
                .map(|kind| Rule::new(kind, "contains an invoice number"));
            let mut create = CreateJob::new(files, rules).project("p");
            if let Some(mode) = mode {
                create = create.mode(mode);
            }
            if let Some(parsing) = parsing {
                create = create.parsing_configuration(parsing);
            }
            if let Some(webhook) = webhook {
                create = create.webhook(webhook);
            }
            create
        })
}

/// Whether `to_v1` rejects the result, according to its documentation.
fn is_one_way(old: &CreateJob, migration: &Migration) -> bool {
    let files: BTreeSet<_> = old.file_ids.iter().collect();
    let parsing = old.parsing_configuration.as_ref();
    let lang = parsing.and_then(|parsing| parsing.lang.as_ref());
    let code = lang.and_then(Language::iso_639_1);
    // Omitted pages do not prevent the way back.
    let pages = migration.notes.iter().find_map(|note| match note {
        MigrationNote::PagesCountedFromOne { to, .. } => Some(to.count()),
        _ => None,
    });
    files.is_empty()
        || files.len() < old.file_ids.len()
        || files.iter().any(|id| id.starts_with("pjb-"))
        || matches!(code, Some("zh" | "sr"))
        || (code.is_some() && matches!(lang, Some(Language::Unknown(_))))
        || pages.is_some_and(|pages| pages > 10_000)
}

proptest! {
    /// Creates of a migration without losses pass validation.
    #[test]
    fn migrate_to_v2_without_loss_passes_validation(old in creates()) {
        let migration = to_v2(&old).unwrap();
        if old.validate().is_ok() && migration.losses().count() == 0 {
            for create in &migration.creates {
                create.validate().unwrap();
            }
        }
    }

    #[test]
    fn migrate_round_trip_keeps_the_request(old in creates()) {
        let migration = to_v2(&old).unwrap();
        let back = to_v1(&migration.creates);
        prop_assert_eq!(back.is_err(), is_one_way(&old, &migration), "{:?}", back);
        let left_as_it_is = |note: &MigrationNote| matches!(note, MigrationNote::InvalidInV2 { .. });
        let is_made_text = |note: &MigrationNote| matches!(note, MigrationNote::WebhookHeaderConvertedToText { .. });
        let changed = migration
            .notes
            .iter()
            .any(|note| is_made_text(note) || (note.is_loss() && !left_as_it_is(note) && !matches!(note, MigrationNote::UnknownWebhookEvent { .. })));
        if let (Ok(back), false) = (back, changed) {
            // v1's own defaults are said now, and pages are in order; all else is as it was.
            let mut expected = old.parsing_configuration.clone().unwrap_or_default();
            if expected.max_pages.is_absent() {
                expected.max_pages = MaxPages::Limit(5);
            }
            if let Some(pages) = &mut expected.target_pages {
                pages.sort_unstable();
                pages.dedup();
            }
            prop_assert_eq!(&back, &old.parsing_configuration(expected));
            prop_assert_eq!(to_v2(&back).unwrap().creates, migration.creates);
        }
    }

    #[test]
    fn migrate_aggregate_status_follows_from_job_statuses(words in proptest::collection::vec(proptest::sample::select(&["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "NEW"][..]), 0..8)) {
        let statuses: Vec<_> = words.iter().map(|word| v2::JobStatus::from(*word)).collect();
        let all = |wanted: &str| words.iter().all(|word| *word == wanted);
        let any = |wanted: &str| words.contains(&wanted);
        match aggregate(&statuses) {
            None => prop_assert!(words.is_empty()),
            Some(JobStatus::Pending) => prop_assert!(any("PENDING") || any("RUNNING") || any("NEW")),
            Some(JobStatus::Success) => prop_assert!(all("COMPLETED")),
            Some(JobStatus::PartialSuccess) => prop_assert!(any("COMPLETED") && (any("FAILED") || any("CANCELLED"))),
            Some(JobStatus::Cancelled) => prop_assert!(all("CANCELLED")),
            Some(JobStatus::Error) => prop_assert!(any("FAILED") && !any("COMPLETED")),
            Some(JobStatus::Unknown(_)) => prop_assert!(false),
        }
    }
}
