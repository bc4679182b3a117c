//! Migration from v1 to v2, and back if nothing is lost.
//!
//! [`to_v2`] converts one v1 create to v2 creates, one per file, and reports what changes in [`MigrationNote`]s.
//! [`to_v1()`] converts back if nothing is lost. [`aggregate`] combines the statuses of the v2 jobs to a v1 status.
//! `docs/migration.md` in the repository is a guide.

mod migration_note;
mod to_v1;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::parsing::DEFAULT_MAX_PAGES;
use super::{CreateJob, JobStatus, MaxPages, Mode, ParsingConfiguration, WebhookConfiguration};
use crate::error::Error;
use crate::job_phase::JobPhase;
use crate::operation::Operation as _;
use crate::page_ranges::PageRanges;
use crate::secret::Secret;
use crate::v2;
use crate::webhooks::WebhookEvent;

pub use self::to_v1::to_v1;
pub use migration_note::MigrationNote;

/// The result of migrating a v1 create.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Migration {
    /// One create per file, in the order of the files, without transaction ids; a [`Call`](crate::machine::Call) sets
    /// them.
    pub creates: Vec<v2::CreateJob>,
    /// The differences, each once.
    pub notes: Vec<MigrationNote>,
}

impl Migration {
    /// Returns the notes about features of v1 that v2 lacks. Review them.
    pub fn losses(&self) -> impl Iterator<Item = &MigrationNote> {
        self.notes.iter().filter(|note| note.is_loss())
    }
}

/// Converts a v1 create to v2 creates, one per file, and reports the differences.
///
/// ```
/// use classify_proto::v1::{CreateJob, Mode, ParsingConfiguration, Rule, migrate};
///
/// let old = CreateJob::new(["f-1", "f-2"], [Rule::new("invoice", "has an invoice number")])
///     .mode(Mode::Multimodal)
///     .parsing_configuration(ParsingConfiguration::new().lang("ch_sim").target_pages([0, 2, 3, 4]));
/// let migration = migrate::to_v2(&old)?;
/// assert_eq!(migration.creates.len(), 2);
/// let notes: Vec<_> = migration.losses().map(ToString::to_string).collect();
/// assert_eq!(notes, ["mode MULTIMODAL is omitted: v2 has only FAST"]);
/// # Ok::<(), classify_proto::Error>(())
/// ```
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) if a webhook's header is a secret that a saved state omitted.
pub fn to_v2(create: &CreateJob) -> Result<Migration, Error> {
    let mut notes = Vec::new();
    if create.file_ids.len() > 1 {
        notes.push(MigrationNote::OneJobPerFile {
            files: create.file_ids.len(),
        });
    }
    let mut configuration = v2::Configuration::new(create.rules.iter().cloned());
    configuration.mode = match create.mode.as_ref() {
        None => None,
        Some(Mode::Fast) => Some(v2::Mode::Fast),
        Some(mode) => {
            notes.push(MigrationNote::ModeUnsupported { mode: mode.clone() });
            None
        }
    };
    let default_parsing = ParsingConfiguration::default();
    let parsing = create
        .parsing_configuration
        .as_ref()
        .unwrap_or(&default_parsing);
    configuration.parsing_configuration = Some(parsing_to_v2(parsing, &mut notes));

    let mut webhooks = Vec::new();
    for (index, webhook) in create.webhooks().iter().enumerate() {
        webhooks.push(webhook_to_v2(index, webhook, &mut notes)?);
    }
    if !webhooks.is_empty() && create.file_ids.len() > 1 {
        notes.push(MigrationNote::WebhooksPerFile {
            webhooks: webhooks.len(),
        });
    }
    let mut options = v2::JobOptions::new(Arc::new(configuration));
    options.scope = create.scope.clone();
    let options = webhooks.into_iter().fold(options, v2::JobOptions::webhook);
    let creates: Vec<_> = create
        .file_ids
        .iter()
        .map(|file| v2::CreateJob::new(file, &options))
        .collect();
    note_invalid_fields(&creates, &mut notes);
    Ok(Migration { creates, notes })
}

/// Notes the fields that v2 would reject, each once: the creates differ only in their input.
fn note_invalid_fields(creates: &[v2::CreateJob], notes: &mut Vec<MigrationNote>) {
    let mut invalid = BTreeSet::new();
    for create in creates {
        let Err(error) = create.validate() else {
            continue;
        };
        for found in error.field_errors() {
            if invalid.insert(found.field.clone()) {
                notes.push(MigrationNote::InvalidInV2 {
                    field: found.field.clone(),
                    reason: found.message.clone(),
                });
            }
        }
    }
}

fn parsing_to_v2(
    parsing: &ParsingConfiguration,
    notes: &mut Vec<MigrationNote>,
) -> v2::ParsingConfiguration {
    let mut migrated = v2::ParsingConfiguration::new();
    if let Some(language) = &parsing.lang {
        migrated.lang = language.iso_639_1().map(str::to_owned);
        match &migrated.lang {
            None => notes.push(MigrationNote::LanguageUnsupported {
                language: language.clone(),
            }),
            Some(code) if code != language.as_str() => notes.push(MigrationNote::LanguageRenamed {
                from: language.clone(),
                to: code.clone(),
            }),
            Some(_) => {}
        }
    }
    migrated.max_pages = match parsing.max_pages {
        MaxPages::Default => {
            notes.push(MigrationNote::MaxPagesMadeExplicit {
                pages: DEFAULT_MAX_PAGES,
            });
            Some(DEFAULT_MAX_PAGES)
        }
        MaxPages::Unlimited => None,
        MaxPages::Limit(0) => {
            notes.push(MigrationNote::MaxPagesReplaced {
                from: 0,
                to: DEFAULT_MAX_PAGES,
            });
            Some(DEFAULT_MAX_PAGES)
        }
        MaxPages::Limit(pages) => Some(pages),
    };
    if let Some(from) = &parsing.target_pages {
        let from = from.clone();
        match PageRanges::from_zero_based(from.iter().copied()) {
            Ok(to) => {
                migrated.target_pages = Some(to.to_string());
                notes.push(MigrationNote::PagesCountedFromOne {
                    from,
                    to: to.clone(),
                });
                notes.extend(migrated.max_pages.map(|max_pages| {
                    MigrationNote::MaxPagesWithTargetPages {
                        max_pages,
                        pages: to,
                    }
                }));
            }
            Err(_) => notes.push(MigrationNote::PagesDropped { from }),
        }
    }
    migrated
}

fn webhook_to_v2(
    index: usize,
    webhook: &WebhookConfiguration,
    notes: &mut Vec<MigrationNote>,
) -> Result<v2::WebhookConfiguration, Error> {
    let mut migrated = v2::WebhookConfiguration::default();
    migrated.webhook_url.clone_from(&webhook.webhook_url);
    migrated
        .webhook_output_format
        .clone_from(&webhook.webhook_output_format);
    migrated
        .webhook_signing_secret
        .clone_from(&webhook.webhook_signing_secret);
    if let Some(headers) = &webhook.webhook_headers {
        let mut texts = BTreeMap::new();
        for (name, value) in headers {
            let header = name.clone();
            let text = match value.expose_secret() {
                None => {
                    return Err(crate::webhooks::validate::missing_secret(format!(
                        "webhook_configurations[{index}].webhook_headers.{name}"
                    )));
                }
                Some(Value::Null) => {
                    notes.push(MigrationNote::WebhookHeaderDropped {
                        webhook: index,
                        header,
                    });
                    continue;
                }
                Some(Value::String(text)) => text.clone(),
                Some(other) => {
                    notes.push(MigrationNote::WebhookHeaderConvertedToText {
                        webhook: index,
                        header,
                    });
                    other.to_string()
                }
            };
            texts.insert(name.clone(), Secret::new(text));
        }
        migrated.webhook_headers = Some(texts);
    }
    if let Some(events) = &webhook.webhook_events {
        let events: Vec<_> = events
            .iter()
            .map(|event| WebhookEvent::from(&**event))
            .collect();
        for event in &events {
            if let WebhookEvent::Unknown(word) = event {
                notes.push(MigrationNote::UnknownWebhookEvent {
                    webhook: index,
                    event: word.as_str().to_owned(),
                });
            }
        }
        migrated.webhook_events = Some(events);
    }
    Ok(migrated)
}

/// Returns the v1 status of a create that was migrated to these v2 jobs; `None` if there are no jobs.
///
/// `PENDING` while any job has not ended or has an unknown status; `SUCCESS` if all completed; `PARTIAL_SUCCESS` if
/// some completed; `CANCELLED` if all were cancelled; `ERROR` otherwise.
///
/// ```
/// use classify_proto::v1::{JobStatus, migrate::aggregate};
/// use classify_proto::v2::JobStatus::{Completed, Failed};
///
/// assert_eq!(aggregate([&Completed, &Failed]), Some(JobStatus::PartialSuccess));
/// ```
pub fn aggregate<'a>(statuses: impl IntoIterator<Item = &'a v2::JobStatus>) -> Option<JobStatus> {
    let (mut completed, mut failed, mut cancelled, mut pending) = (0u64, 0u64, 0u64, 0u64);
    for status in statuses {
        *match status.phase() {
            JobPhase::Succeeded => &mut completed,
            JobPhase::Failed => &mut failed,
            JobPhase::Cancelled => &mut cancelled,
            JobPhase::Pending => &mut pending,
        } += 1;
    }
    Some(match (completed, failed, cancelled, pending) {
        (0, 0, 0, 0) => return None,
        (_, _, _, 1..) => JobStatus::Pending,
        (1.., 0, 0, 0) => JobStatus::Success,
        (1.., _, _, 0) => JobStatus::PartialSuccess,
        (0, 0, 1.., 0) => JobStatus::Cancelled,
        (0, _, _, 0) => JobStatus::Error,
    })
}

/// Returns the v2 status of a v1 job with one file; `None` for `PARTIAL_SUCCESS`, which has no equivalent, and for
/// values that this version does not know. `PENDING` may be `RUNNING` in v2: v1 does not distinguish them.
#[must_use]
pub fn status_to_v2(status: &JobStatus) -> Option<v2::JobStatus> {
    Some(match status {
        JobStatus::Pending => v2::JobStatus::Pending,
        JobStatus::Success => v2::JobStatus::Completed,
        JobStatus::Error => v2::JobStatus::Failed,
        JobStatus::Cancelled => v2::JobStatus::Cancelled,
        JobStatus::PartialSuccess | JobStatus::Unknown(_) => return None,
    })
}

/// Compiles the programs in the guide as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../../../docs/migration.md")]
struct MigrationGuide;

#[cfg(test)]
mod property_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{Language, Rule};
    use serde_json::json;

    fn rule() -> Rule {
        Rule::new("invoice", "contains an invoice number")
    }

    fn configuration(migration: &Migration) -> &v2::Configuration {
        migration.creates[0]
            .options
            .configuration
            .as_deref()
            .unwrap()
    }

    #[test]
    fn migrate_to_v2_makes_one_create_per_file() {
        let old = CreateJob::new(["a", "b", "c"], [rule()])
            .project("p")
            .organization("o")
            .mode(Mode::Fast);
        let migration = to_v2(&old).unwrap();
        let inputs: Vec<_> = migration
            .creates
            .iter()
            .map(|create| &*create.file_input)
            .collect();
        assert_eq!(inputs, ["a", "b", "c"]);
        assert_eq!(configuration(&migration).mode, Some(v2::Mode::Fast));
        assert_eq!(migration.creates[2].options.scope, old.scope);
        assert_eq!(
            migration.notes,
            [
                MigrationNote::OneJobPerFile { files: 3 },
                MigrationNote::MaxPagesMadeExplicit { pages: 5 }
            ]
        );
        assert_eq!(migration.losses().count(), 0);
    }

    #[test]
    fn migrate_to_v2_keeps_max_pages_and_makes_default_explicit() {
        let old = CreateJob::new(["a"], [rule()]);
        let pages = |create: &CreateJob| {
            let migration = to_v2(create).unwrap();
            let parsing = configuration(&migration).parsing_configuration.clone();
            (parsing.unwrap().max_pages, migration.notes.len())
        };
        assert_eq!(pages(&old), (Some(5), 1));
        let output = ParsingConfiguration::new().max_pages(9);
        assert_eq!(
            pages(&old.clone().parsing_configuration(output)),
            (Some(9), 0)
        );
        let all = ParsingConfiguration::new().all_pages();
        assert_eq!(pages(&old.clone().parsing_configuration(all)), (None, 0));
        let zero = ParsingConfiguration::new().max_pages(0);
        let old = old.parsing_configuration(zero);
        assert_eq!(pages(&old), (Some(5), 1));
        let replaced = MigrationNote::MaxPagesReplaced { from: 0, to: 5 };
        assert_eq!(
            to_v2(&old).unwrap().losses().collect::<Vec<_>>(),
            [&replaced]
        );
    }

    #[test]
    fn migrate_to_v2_reports_values_invalid_in_v2_as_loss() {
        let slash = Rule::new("invoice/receipt", "contains an invoice number");
        let old = CreateJob::new(["a", "b"], [rule(), slash, rule()]);
        old.validate().unwrap();
        let migration = to_v2(&old).unwrap();
        let refused: Vec<_> = migration.losses().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                "v2 rejects configuration.rules[1].type: it contains '/'; only letters, digits, spaces, - and _ are allowed",
                "v2 rejects configuration.rules[2].type: it is \"invoice\", as in rules[0]; types must differ",
            ]
        );
        let long = CreateJob::new(["a".to_owned(), "b".repeat(201)], [rule()]);
        long.validate().unwrap();
        let migration = to_v2(&long).unwrap();
        assert!(
            matches!(migration.losses().next(), Some(MigrationNote::InvalidInV2 { field, .. }) if field == "file_input")
        );
    }

    #[test]
    fn migrate_to_v2_maps_or_reports_every_language() {
        for word in Language::KNOWN {
            let parsing = ParsingConfiguration::new().lang(*word).max_pages(1);
            let old = CreateJob::new(["a"], [rule()]).parsing_configuration(parsing);
            let migration = to_v2(&old).unwrap();
            let lang = configuration(&migration)
                .parsing_configuration
                .as_ref()
                .unwrap()
                .lang
                .as_deref();
            let language = Language::from(*word);
            match lang {
                Some(code) if code == *word => assert_eq!(migration.notes, []),
                Some(code) => assert_eq!(
                    migration.notes,
                    [MigrationNote::LanguageRenamed {
                        from: language,
                        to: code.to_owned()
                    }]
                ),
                None => {
                    assert_eq!(
                        migration.notes,
                        [MigrationNote::LanguageUnsupported { language }]
                    );
                    assert_eq!(migration.losses().count(), 1);
                }
            }
        }
    }

    #[test]
    fn migrate_to_v2_target_pages_become_one_based() {
        let with = |pages: &[u32]| {
            let parsing = ParsingConfiguration::new()
                .all_pages()
                .target_pages(pages.iter().copied());
            let old = CreateJob::new(["a"], [rule()]).parsing_configuration(parsing);
            let migration = to_v2(&old).unwrap();
            let parsing = configuration(&migration).parsing_configuration.clone();
            (parsing.unwrap().target_pages, migration.notes)
        };
        let (pages, notes) = with(&[0, 2, 3, 4]);
        assert_eq!(pages.as_deref(), Some("1,3-5"));
        assert!(
            matches!(&notes[..], [MigrationNote::PagesCountedFromOne { from, to }] if from == &[0, 2, 3, 4] && to.to_string() == "1,3-5")
        );
        for odd in [&[][..], &[u32::MAX]] {
            let (pages, notes) = with(odd);
            assert_eq!(pages, None);
            assert_eq!(notes, [MigrationNote::PagesDropped { from: odd.to_vec() }]);
        }
        let both = ParsingConfiguration::new()
            .max_pages(2)
            .target_pages([0, 1, 2]);
        let old = CreateJob::new(["a"], [rule()]).parsing_configuration(both);
        let migration = to_v2(&old).unwrap();
        assert!(
            matches!(&migration.notes[1], MigrationNote::MaxPagesWithTargetPages { max_pages: 2, pages } if pages.to_string() == "1-3")
        );
        assert_eq!(migration.losses().count(), 0);
    }

    #[test]
    fn migrate_to_v2_reports_features_missing_in_v2_as_loss() {
        let old = CreateJob::new(["a", "b"], [rule()])
            .mode(Mode::Multimodal)
            .parsing_configuration(ParsingConfiguration::new().max_pages(1))
            .webhook(
                WebhookConfiguration::new("https://example.com")
                    .header("X-A", json!(["canary"]))
                    .header("X-B", Value::Null)
                    .header("X-C", "canary")
                    .events(["classify.success", "of.tomorrow"])
                    .signing_secret("canary"),
            );
        let migration = to_v2(&old).unwrap();
        assert_eq!(configuration(&migration).mode, None);
        assert_eq!(
            migration.notes,
            [
                MigrationNote::OneJobPerFile { files: 2 },
                MigrationNote::ModeUnsupported {
                    mode: Mode::Multimodal
                },
                MigrationNote::WebhookHeaderConvertedToText {
                    webhook: 0,
                    header: "X-A".to_owned()
                },
                MigrationNote::WebhookHeaderDropped {
                    webhook: 0,
                    header: "X-B".to_owned()
                },
                MigrationNote::UnknownWebhookEvent {
                    webhook: 0,
                    event: "of.tomorrow".to_owned()
                },
                MigrationNote::WebhooksPerFile { webhooks: 1 },
            ]
        );
        assert_eq!(migration.losses().count(), 3);
        let headers = migration.creates[1]
            .options
            .webhook_configurations
            .as_deref()
            .unwrap()[0]
            .webhook_headers
            .clone();
        let headers = headers.unwrap();
        assert_eq!(headers["X-A"].expose_secret(), Some(r#"["canary"]"#));
        assert_eq!(headers["X-C"].expose_secret(), Some("canary"));
        assert_eq!(headers.len(), 2);
        let shown: String = migration.notes.iter().map(ToString::to_string).collect();
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn migrate_to_v2_redacted_webhook_header_is_an_error() {
        let old = CreateJob::new(["a"], [rule()])
            .webhook(WebhookConfiguration::new("https://example.com").header("X-A", "b"));
        let loaded: CreateJob =
            serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
        let error = to_v2(&loaded).unwrap_err();
        assert!(error.to_string().contains("webhook_headers.X-A"), "{error}");
    }

    #[test]
    fn migrate_status_to_v2_is_inverse_of_aggregate() {
        for word in JobStatus::KNOWN {
            let status = JobStatus::from(*word);
            match status_to_v2(&status) {
                Some(counterpart) => assert_eq!(aggregate([&counterpart]), Some(status)),
                None => assert_eq!(status, JobStatus::PartialSuccess),
            }
        }
    }
}
