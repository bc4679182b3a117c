//! From v1 to v2, and back where that is exact.
//!
//! [`to_v2`] turns one v1 create into v2 creates, one per file, and says in [`Note`]s what changes. [`to_v1`] goes back
//! where nothing is lost. [`aggregate`] reads the jobs of one migrated create as v1 would have read them.
//! `docs/migration.md` in the repository is the guide in prose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::parsing::DEFAULT_MAX_PAGES;
use super::{
    Create, JobStatus, Language, MaxPages, Mode, ParsingConfiguration, WebhookConfiguration,
};
use crate::error::Error;
use crate::operation::{Operation as _, Problems};
use crate::pages::PageRanges;
use crate::secret::{Secret, SecretValue};
use crate::v2;
use crate::webhooks::WebhookEvent;

/// What became of a v1 create.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Migration {
    /// One create per file, in the order of the files. None has a transaction id yet; a
    /// [`Call`](crate::machine::Call) gives each its own.
    pub creates: Vec<v2::Create>,
    /// What is different now, each thing once.
    pub notes: Vec<Note>,
}

impl Migration {
    /// The notes about what v2 cannot do as v1 did; somebody should look at these.
    pub fn losses(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(|note| note.is_loss())
    }
}

/// One thing that is different after a migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// One job became several. There is no partial success in v2; [`aggregate`] makes one of their statuses.
    OneJobPerFile {
        /// How many jobs there are now.
        files: usize,
    },
    /// The language has another code in v2.
    LanguageRenamed {
        /// As v1 wrote it.
        from: Language,
        /// As v2 writes it.
        to: String,
    },
    /// The language has no ISO 639-1 code, which v2 asks for. It was left out, so that the service takes English.
    LanguageWithoutCode {
        /// As v1 wrote it.
        language: Language,
    },
    /// Pages are counted from 1 in v2, and written as ranges.
    PagesCountedFromOne {
        /// As v1 wrote them.
        from: Vec<u32>,
        /// As v2 writes them.
        to: PageRanges,
    },
    /// The pages cannot be written for v2: none is named, or one is too large. They were left out, so that all are
    /// read, up to the most that are.
    PagesLeftOut {
        /// As v1 wrote them.
        from: Vec<u32>,
    },
    /// Where nothing is said v1 reads five pages and v2 reads all; so it is said now, and the cost stays what it was.
    MaxPagesMadeExplicit {
        /// What is said.
        pages: u32,
    },
    /// `max_pages` was 0. Whatever v1 makes of that, v2 takes no less than 1 page, and would read all of them if it were
    /// left out; so it is what v1 takes where nothing is said, and the cost is bounded.
    MaxPagesReplaced {
        /// As v1 wrote it.
        from: u32,
        /// What is said now.
        to: u32,
    },
    /// `max_pages` stands beside `target_pages`. Whether it counts among the pages that are named is published for
    /// neither version; v1's was once said to exclude the other.
    MaxPagesBesidePages {
        /// How many pages are read at most.
        max_pages: u32,
        /// The pages that are named.
        pages: PageRanges,
    },
    /// v2 refuses what v1 does not: a rule's type with other characters than letters, digits, spaces, `-` and `_`, or
    /// one that stands twice. It was left as it is, and the creates are refused until it is changed.
    RefusedByV2 {
        /// The field of the create: `configuration.rules[0].type`.
        field: String,
        /// Why.
        why: String,
    },
    /// v2 has no such mode. It was left out, so that documents are read by their text alone.
    ModeWithoutReplacement {
        /// As v1 wrote it.
        mode: Mode,
    },
    /// A webhook's header was JSON of another type than text; v2 takes text, so it is that JSON written out.
    WebhookHeaderMadeText {
        /// Which of the webhooks, from 0.
        webhook: usize,
        /// The header's name. Its value may be a secret.
        header: String,
    },
    /// A webhook's header had no value (`null`), which v2 does not take. It was left out.
    WebhookHeaderLeftOut {
        /// Which of the webhooks, from 0.
        webhook: usize,
        /// The header's name.
        header: String,
    },
    /// A webhook asks for an event whose name is none that v2 is known to take.
    WebhookEventUnknown {
        /// Which of the webhooks, from 0.
        webhook: usize,
        /// The name.
        event: String,
    },
    /// Webhooks are told of every file now, and not of the job as a whole.
    WebhooksPerFile {
        /// How many webhooks there are.
        webhooks: usize,
    },
}

impl Note {
    /// Whether v2 cannot do as v1 did, and not merely says it in other words.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::LanguageWithoutCode { .. }
                | Self::PagesLeftOut { .. }
                | Self::MaxPagesReplaced { .. }
                | Self::RefusedByV2 { .. }
                | Self::ModeWithoutReplacement { .. }
                | Self::WebhookHeaderLeftOut { .. }
                | Self::WebhookEventUnknown { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneJobPerFile { files } => {
                write!(f, "{files} jobs in place of one: v2 has a job per file")
            }
            Self::LanguageRenamed { from, to } => write!(f, "language {from} is {to} in v2"),
            Self::LanguageWithoutCode { language } => write!(
                f,
                "language {language} has no ISO 639-1 code and is left out; v2 will take English"
            ),
            Self::PagesCountedFromOne { from, to } => {
                write!(
                    f,
                    "pages {from:?}, counted from 0, are {to} in v2, counted from 1"
                )
            }
            Self::PagesLeftOut { from } => {
                write!(
                    f,
                    "pages {from:?} cannot be written for v2 and are left out"
                )
            }
            Self::MaxPagesMadeExplicit { pages } => write!(
                f,
                "max_pages is {pages} now: v1 took that where nothing was said, v2 would read all pages"
            ),
            Self::MaxPagesReplaced { from, to } => write!(
                f,
                "max_pages is {to} in place of {from}: v2 takes no less than one page"
            ),
            Self::MaxPagesBesidePages { max_pages, pages } => write!(
                f,
                "at most {max_pages} pages and the pages {pages} stand together; how one limits the other is not published"
            ),
            Self::RefusedByV2 { field, why } => write!(f, "v2 refuses {field}: it {why}"),
            Self::ModeWithoutReplacement { mode } => {
                write!(f, "mode {mode} is left out: v2 has FAST alone")
            }
            Self::WebhookHeaderMadeText { webhook, header } => {
                write!(
                    f,
                    "header {header:?} of webhook {webhook} is written out as text"
                )
            }
            Self::WebhookHeaderLeftOut { webhook, header } => write!(
                f,
                "header {header:?} of webhook {webhook} has no value and is left out"
            ),
            Self::WebhookEventUnknown { webhook, event } => write!(
                f,
                "event {event:?} of webhook {webhook} is none that v2 is known to take"
            ),
            Self::WebhooksPerFile { webhooks } => write!(
                f,
                "{webhooks} webhooks are told of each file's job, and not of all files together"
            ),
        }
    }
}

/// Turns a v1 create into v2 creates, one per file, and says what changes.
///
/// ```
/// use classify_proto::v1::{Create, Mode, ParsingConfiguration, Rule, migrate};
///
/// let old = Create::new(["f-1", "f-2"], [Rule::new("invoice", "has an invoice number")])
///     .mode(Mode::Multimodal)
///     .parsing_configuration(ParsingConfiguration::new().lang("ch_sim").target_pages([0, 2, 3, 4]));
/// let migration = migrate::to_v2(&old)?;
/// assert_eq!(migration.creates.len(), 2);
/// let notes: Vec<_> = migration.losses().map(ToString::to_string).collect();
/// assert_eq!(notes, ["mode MULTIMODAL is left out: v2 has FAST alone"]);
/// # Ok::<(), classify_proto::Error>(())
/// ```
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid) when a webhook's header is a secret that a saved state left out.
pub fn to_v2(create: &Create) -> Result<Migration, Error> {
    let mut notes = Vec::new();
    if create.file_ids().len() > 1 {
        notes.push(Note::OneJobPerFile {
            files: create.file_ids().len(),
        });
    }
    let mut configuration = v2::Configuration::new(create.rules().iter().cloned());
    configuration.mode = match create.get_mode() {
        None => None,
        Some(Mode::Fast) => Some(v2::Mode::Fast),
        Some(mode) => {
            notes.push(Note::ModeWithoutReplacement { mode: mode.clone() });
            None
        }
    };
    let nothing_said = ParsingConfiguration::default();
    let parsing = create.get_parsing_configuration().unwrap_or(&nothing_said);
    configuration.parsing_configuration = Some(parsing_to_v2(parsing, &mut notes));

    let configuration = Arc::new(configuration);
    let mut webhooks = Vec::new();
    for (index, webhook) in create.webhooks().iter().enumerate() {
        webhooks.push(webhook_to_v2(index, webhook, &mut notes)?);
    }
    if !webhooks.is_empty() && create.file_ids().len() > 1 {
        notes.push(Note::WebhooksPerFile {
            webhooks: webhooks.len(),
        });
    }
    let creates: Vec<_> = create
        .file_ids()
        .iter()
        .map(|file| {
            let of_file = v2::Create::new(file)
                .configuration(Arc::clone(&configuration))
                .scoped(create.scope());
            webhooks.iter().cloned().fold(of_file, v2::Create::webhook)
        })
        .collect();
    note_refusals(&creates, &mut notes);
    Ok(Migration { creates, notes })
}

/// What v2 would refuse of the creates, each field once: they differ in nothing but their input.
fn note_refusals(creates: &[v2::Create], notes: &mut Vec<Note>) {
    let mut refused = BTreeSet::new();
    for create in creates {
        let Err(error) = create.check() else {
            continue;
        };
        for found in error.field_errors() {
            if refused.insert(found.field.clone()) {
                notes.push(Note::RefusedByV2 {
                    field: found.field.clone(),
                    why: found.message.clone(),
                });
            }
        }
    }
}

fn parsing_to_v2(
    parsing: &ParsingConfiguration,
    notes: &mut Vec<Note>,
) -> v2::ParsingConfiguration {
    let mut migrated = v2::ParsingConfiguration::new();
    if let Some(language) = &parsing.lang {
        migrated.lang = language.iso_639_1().map(str::to_owned);
        match &migrated.lang {
            None => notes.push(Note::LanguageWithoutCode {
                language: language.clone(),
            }),
            Some(code) if code != language.as_str() => notes.push(Note::LanguageRenamed {
                from: language.clone(),
                to: code.clone(),
            }),
            Some(_) => {}
        }
    }
    migrated.max_pages = match parsing.max_pages {
        MaxPages::Unsaid => {
            notes.push(Note::MaxPagesMadeExplicit {
                pages: DEFAULT_MAX_PAGES,
            });
            Some(DEFAULT_MAX_PAGES)
        }
        MaxPages::NoLimit => None,
        MaxPages::Most(0) => {
            notes.push(Note::MaxPagesReplaced {
                from: 0,
                to: DEFAULT_MAX_PAGES,
            });
            Some(DEFAULT_MAX_PAGES)
        }
        MaxPages::Most(pages) => Some(pages),
    };
    if let Some(from) = &parsing.target_pages {
        let from = from.clone();
        match PageRanges::from_zero_based(from.iter().copied()) {
            Ok(to) => {
                migrated.target_pages = Some(to.to_string());
                notes.push(Note::PagesCountedFromOne {
                    from,
                    to: to.clone(),
                });
                notes.extend(
                    migrated
                        .max_pages
                        .map(|max_pages| Note::MaxPagesBesidePages {
                            max_pages,
                            pages: to,
                        }),
                );
            }
            Err(_) => notes.push(Note::PagesLeftOut { from }),
        }
    }
    migrated
}

fn webhook_to_v2(
    index: usize,
    webhook: &WebhookConfiguration,
    notes: &mut Vec<Note>,
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
            let text = match value.reveal() {
                None => {
                    return Err(crate::webhooks::check::withheld(format!(
                        "webhook_configurations[{index}].webhook_headers.{name}"
                    )));
                }
                Some(Value::Null) => {
                    notes.push(Note::WebhookHeaderLeftOut {
                        webhook: index,
                        header,
                    });
                    continue;
                }
                Some(Value::String(text)) => text.clone(),
                Some(other) => {
                    notes.push(Note::WebhookHeaderMadeText {
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
                notes.push(Note::WebhookEventUnknown {
                    webhook: index,
                    event: word.as_str().to_owned(),
                });
            }
        }
        migrated.webhook_events = Some(events);
    }
    Ok(migrated)
}

/// Turns v2 creates into one v1 create, where v1 can say exactly the same.
///
/// What [`to_v2`] makes of a create comes back as one that asks for the same, with v1's defaults written out, unless
///
/// - a [`Note`] is a [loss](Note::is_loss): what was left out does not come back;
/// - a webhook's header was not text ([`Note::WebhookHeaderMadeText`]): it comes back as text;
/// - there is no file, a file stands twice, or a file's id begins with `pjb-`: refused;
/// - the language is Chinese or Serbian, for which v1 has two words each, or one of two letters that v1 does not know,
///   such as `el`: refused;
/// - more than 10,000 pages are named: refused.
///
/// No `max_pages` is no limit in v2, and comes back as [`MaxPages::NoLimit`].
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid), naming each field that v1 cannot say, or that differs between the creates.
pub fn to_v1(creates: &[v2::Create]) -> Result<Create, Error> {
    let mut problems = Problems::default();
    let Some(first) = creates.first() else {
        return Err(Error::invalid(
            "creates",
            "is empty; a v1 job has 1 to 500 files",
        ));
    };
    if creates
        .iter()
        .any(|other| other.clone().for_input(first.file_input()) != *first)
    {
        problems.add(
            "creates",
            "differ in more than their input; a v1 job has one of everything",
        );
    }
    let mut files = BTreeSet::new();
    for (index, create) in creates.iter().enumerate() {
        let field = || format!("creates[{index}].file_input");
        if create.file_input().starts_with("pjb-") {
            problems.add(field(), "is a parse job; v1 takes files alone");
        }
        if !files.insert(create.file_input()) {
            problems.add(field(), "stands twice; a v1 job has one result per file");
        }
    }
    if first.get_transaction_id().is_some() {
        problems.add("transaction_id", "is unknown to v1");
    }
    if first.get_webhook_configuration_ids().is_some() {
        problems.add("webhook_configuration_ids", "are unknown to v1");
    }
    if first.get_configuration_id().is_some() {
        problems.add(
            "configuration_id",
            "is unknown to v1; give the rules themselves",
        );
    }
    let nothing = v2::Configuration::default();
    let configuration = first.get_configuration().unwrap_or(&nothing);
    let mode = match &configuration.mode {
        None => None,
        Some(v2::Mode::Fast) => Some(Mode::Fast),
        Some(mode) => {
            problems.add(
                "configuration.mode",
                format!("is {mode}; v1 may read it otherwise"),
            );
            None
        }
    };
    let parsing = parsing_to_v1(configuration.parsing_configuration.as_ref(), &mut problems);
    problems.finish()?;

    let ids = creates.iter().map(v2::Create::file_input);
    let mut create = Create::new(ids, configuration.rules.iter().cloned())
        .parsing_configuration(parsing)
        .scoped(first.scope());
    if let Some(mode) = mode {
        create = create.mode(mode);
    }
    let webhooks = first.webhooks().iter().map(webhook_to_v1);
    Ok(webhooks.fold(create, Create::webhook))
}

fn parsing_to_v1(
    parsing: Option<&v2::ParsingConfiguration>,
    problems: &mut Problems,
) -> ParsingConfiguration {
    const PATH: &str = "configuration.parsing_configuration";
    let nothing = v2::ParsingConfiguration::default();
    let parsing = parsing.unwrap_or(&nothing);
    let mut back = ParsingConfiguration::new();
    if let Some(code) = &parsing.lang {
        back.lang = Language::from_iso_639_1(code);
        if back.lang.is_none() {
            problems.add(
                format_args!("{PATH}.lang"),
                format!("is {code:?}, for which v1 has no word, or two"),
            );
        }
    }
    back.max_pages = parsing.max_pages.into();
    if let Some(text) = &parsing.target_pages {
        let pages = text.parse::<PageRanges>();
        match pages.and_then(|pages| ParsingConfiguration::new().page_ranges(&pages)) {
            Ok(with_pages) => back.target_pages = with_pages.target_pages,
            Err(error) => problems.add(format_args!("{PATH}.target_pages"), error.message()),
        }
    }
    back
}

fn webhook_to_v1(webhook: &v2::WebhookConfiguration) -> WebhookConfiguration {
    let mut back = WebhookConfiguration::default();
    back.webhook_url.clone_from(&webhook.webhook_url);
    back.webhook_output_format
        .clone_from(&webhook.webhook_output_format);
    back.webhook_signing_secret
        .clone_from(&webhook.webhook_signing_secret);
    back.webhook_headers = webhook.webhook_headers.as_ref().map(|headers| {
        headers
            .iter()
            .map(|(name, value)| (name.clone(), SecretValue::from(value)))
            .collect()
    });
    back.webhook_events = webhook.webhook_events.as_ref().map(|events| {
        events
            .iter()
            .map(|event| event.as_str().to_owned())
            .collect()
    });
    back
}

/// The status that a v1 job of these v2 jobs would have; `None` when there is none.
///
/// While any goes on (or stands at an unknown word) it is `PENDING`. Then: all completed is `SUCCESS`; some completed is
/// `PARTIAL_SUCCESS`; none completed is `CANCELLED` when all were cancelled, else `ERROR`.
///
/// ```
/// use classify_proto::v1::{JobStatus, migrate::aggregate};
/// use classify_proto::v2::JobStatus::{Completed, Failed};
///
/// assert_eq!(aggregate([&Completed, &Failed]), Some(JobStatus::PartialSuccess));
/// ```
pub fn aggregate<'a>(statuses: impl IntoIterator<Item = &'a v2::JobStatus>) -> Option<JobStatus> {
    let (mut completed, mut failed, mut cancelled, mut going_on) = (0u64, 0u64, 0u64, 0u64);
    for status in statuses {
        *match status {
            v2::JobStatus::Completed => &mut completed,
            v2::JobStatus::Failed => &mut failed,
            v2::JobStatus::Cancelled => &mut cancelled,
            _ => &mut going_on,
        } += 1;
    }
    Some(match (completed, failed, cancelled, going_on) {
        (0, 0, 0, 0) => return None,
        (_, _, _, 1..) => JobStatus::Pending,
        (1.., 0, 0, 0) => JobStatus::Success,
        (1.., _, _, 0) => JobStatus::PartialSuccess,
        (0, 0, 1.., 0) => JobStatus::Cancelled,
        (0, _, _, 0) => JobStatus::Error,
    })
}

/// The v2 status of a v1 job of one file; `None` for `PARTIAL_SUCCESS`, which has no counterpart, and for words that
/// this version does not know. `PENDING` may be `RUNNING`: v1 does not tell them apart.
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

/// The guide's programs are compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/migration.md")]
struct Guide;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Rule;
    use proptest::prelude::*;
    use serde_json::json;

    fn rule() -> Rule {
        Rule::new("invoice", "contains an invoice number")
    }

    fn configuration(migration: &Migration) -> &v2::Configuration {
        migration.creates[0].get_configuration().unwrap()
    }

    #[test]
    fn one_create_per_file_with_everything_else_alike() {
        let old = Create::new(["a", "b", "c"], [rule()])
            .project("p")
            .organization("o")
            .mode(Mode::Fast);
        let migration = to_v2(&old).unwrap();
        let inputs: Vec<_> = migration
            .creates
            .iter()
            .map(v2::Create::file_input)
            .collect();
        assert_eq!(inputs, ["a", "b", "c"]);
        assert_eq!(configuration(&migration).mode, Some(v2::Mode::Fast));
        assert_eq!(migration.creates[2].scope(), old.scope());
        assert_eq!(
            migration.notes,
            [
                Note::OneJobPerFile { files: 3 },
                Note::MaxPagesMadeExplicit { pages: 5 }
            ]
        );
        assert_eq!(migration.losses().count(), 0);
    }

    #[test]
    fn five_pages_stay_five_and_what_was_said_stays_said() {
        let old = Create::new(["a"], [rule()]);
        let pages = |create: &Create| {
            let migration = to_v2(create).unwrap();
            let parsing = configuration(&migration).parsing_configuration.clone();
            (parsing.unwrap().max_pages, migration.notes.len())
        };
        assert_eq!(pages(&old), (Some(5), 1));
        let said = ParsingConfiguration::new().max_pages(9);
        assert_eq!(
            pages(&old.clone().parsing_configuration(said)),
            (Some(9), 0)
        );
        let all = ParsingConfiguration::new().all_pages();
        assert_eq!(pages(&old.clone().parsing_configuration(all)), (None, 0));
        let zero = ParsingConfiguration::new().max_pages(0);
        let old = old.parsing_configuration(zero);
        assert_eq!(pages(&old), (Some(5), 1));
        let replaced = Note::MaxPagesReplaced { from: 0, to: 5 };
        assert_eq!(
            to_v2(&old).unwrap().losses().collect::<Vec<_>>(),
            [&replaced]
        );
    }

    #[test]
    fn what_v2_refuses_and_v1_does_not_is_a_loss() {
        let slash = Rule::new("invoice/receipt", "contains an invoice number");
        let old = Create::new(["a", "b"], [rule(), slash, rule()]);
        old.check().unwrap();
        let migration = to_v2(&old).unwrap();
        let refused: Vec<_> = migration.losses().map(ToString::to_string).collect();
        assert_eq!(
            refused,
            [
                "v2 refuses configuration.rules[1].type: it holds '/'; the service takes letters, digits, spaces, - and _",
                "v2 refuses configuration.rules[2].type: it is \"invoice\", as in rules[0]; types must differ",
            ]
        );
        let long = Create::new(["a".to_owned(), "b".repeat(201)], [rule()]);
        long.check().unwrap();
        let migration = to_v2(&long).unwrap();
        assert!(
            matches!(migration.losses().next(), Some(Note::RefusedByV2 { field, .. }) if field == "file_input")
        );
    }

    #[test]
    fn every_language_is_mapped_or_reported() {
        for word in Language::KNOWN {
            let parsing = ParsingConfiguration::new().lang(*word).max_pages(1);
            let old = Create::new(["a"], [rule()]).parsing_configuration(parsing);
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
                    [Note::LanguageRenamed {
                        from: language,
                        to: code.to_owned()
                    }]
                ),
                None => {
                    assert_eq!(migration.notes, [Note::LanguageWithoutCode { language }]);
                    assert_eq!(migration.losses().count(), 1);
                }
            }
        }
    }

    #[test]
    fn pages_are_counted_from_one() {
        let with = |pages: &[u32]| {
            let parsing = ParsingConfiguration::new()
                .all_pages()
                .target_pages(pages.iter().copied());
            let old = Create::new(["a"], [rule()]).parsing_configuration(parsing);
            let migration = to_v2(&old).unwrap();
            let parsing = configuration(&migration).parsing_configuration.clone();
            (parsing.unwrap().target_pages, migration.notes)
        };
        let (pages, notes) = with(&[0, 2, 3, 4]);
        assert_eq!(pages.as_deref(), Some("1,3-5"));
        assert!(
            matches!(&notes[..], [Note::PagesCountedFromOne { from, to }] if from == &[0, 2, 3, 4] && to.to_string() == "1,3-5")
        );
        for odd in [&[][..], &[u32::MAX]] {
            let (pages, notes) = with(odd);
            assert_eq!(pages, None);
            assert_eq!(notes, [Note::PagesLeftOut { from: odd.to_vec() }]);
        }
        let both = ParsingConfiguration::new()
            .max_pages(2)
            .target_pages([0, 1, 2]);
        let old = Create::new(["a"], [rule()]).parsing_configuration(both);
        let migration = to_v2(&old).unwrap();
        assert!(
            matches!(&migration.notes[1], Note::MaxPagesBesidePages { max_pages: 2, pages } if pages.to_string() == "1-3")
        );
        assert_eq!(migration.losses().count(), 0);
    }

    #[test]
    fn what_v2_lacks_is_a_loss() {
        let old = Create::new(["a", "b"], [rule()])
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
                Note::OneJobPerFile { files: 2 },
                Note::ModeWithoutReplacement {
                    mode: Mode::Multimodal
                },
                Note::WebhookHeaderMadeText {
                    webhook: 0,
                    header: "X-A".to_owned()
                },
                Note::WebhookHeaderLeftOut {
                    webhook: 0,
                    header: "X-B".to_owned()
                },
                Note::WebhookEventUnknown {
                    webhook: 0,
                    event: "of.tomorrow".to_owned()
                },
                Note::WebhooksPerFile { webhooks: 1 },
            ]
        );
        assert_eq!(migration.losses().count(), 3);
        let headers = migration.creates[1].webhooks()[0].webhook_headers.clone();
        let headers = headers.unwrap();
        assert_eq!(headers["X-A"].reveal(), Some(r#"["canary"]"#));
        assert_eq!(headers["X-C"].reveal(), Some("canary"));
        assert_eq!(headers.len(), 2);
        let shown: String = migration.notes.iter().map(ToString::to_string).collect();
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_secret_that_was_left_out_is_asked_for() {
        let old = Create::new(["a"], [rule()])
            .webhook(WebhookConfiguration::new("https://example.com").header("X-A", "b"));
        let loaded: Create = serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
        let error = to_v2(&loaded).unwrap_err();
        assert!(error.to_string().contains("webhook_headers.X-A"), "{error}");
    }

    #[test]
    fn what_v1_cannot_say_is_named() {
        let exact = || {
            let parsing = v2::ParsingConfiguration::new().max_pages(5);
            let rules = v2::Configuration::new([rule()]).parsing_configuration(parsing);
            v2::Create::new("dfl-1").configuration(rules)
        };
        to_v1(&[exact(), exact().for_input("dfl-2")]).unwrap();
        let parsing = |parsing: v2::ParsingConfiguration| {
            let rules = v2::Configuration::new([rule()]).parsing_configuration(parsing);
            exact().configuration(rules)
        };
        let five = || v2::ParsingConfiguration::new().max_pages(5);
        for (create, field) in [
            (exact().for_input("pjb-1"), "creates[0].file_input"),
            (exact().transaction_id("t"), "transaction_id"),
            (
                exact().webhook_configuration_ids(["whc-1"]),
                "webhook_configuration_ids",
            ),
            (
                v2::Create::new("dfl-1").configuration_id("cfg-1"),
                "configuration_id",
            ),
            (parsing(five().lang("zh")), "lang"),
            (parsing(five().lang("el")), "lang"),
            (parsing(five().target_pages("x")), "target_pages"),
            (parsing(five().target_pages("1-4294967295")), "target_pages"),
            (
                exact().configuration(
                    v2::Configuration::new([rule()])
                        .mode("THOROUGH".into())
                        .parsing_configuration(five()),
                ),
                "configuration.mode",
            ),
        ] {
            let error = to_v1(&[create]).unwrap_err();
            assert!(
                error
                    .field_errors()
                    .iter()
                    .any(|found| found.field.ends_with(field)),
                "{field}: {error}"
            );
        }
        let all = parsing(v2::ParsingConfiguration::new());
        let all = to_v1(&[all]).unwrap();
        let all = all.get_parsing_configuration().unwrap();
        assert_eq!(all.max_pages, MaxPages::NoLimit);
        assert!(to_v1(&[]).is_err());
        assert!(to_v1(&[exact(), exact()]).is_err());
        assert!(to_v1(&[exact(), exact().for_input("b").project("p")]).is_err());
    }

    #[test]
    fn a_status_and_its_counterpart_agree() {
        for word in JobStatus::KNOWN {
            let status = JobStatus::from(*word);
            match status_to_v2(&status) {
                Some(counterpart) => assert_eq!(aggregate([&counterpart]), Some(status)),
                None => assert_eq!(status, JobStatus::PartialSuccess),
            }
        }
    }

    fn parsing() -> impl Strategy<Value = ParsingConfiguration> {
        let words = prop_oneof![
            4 => proptest::sample::select(Language::KNOWN).prop_map(str::to_owned),
            1 => proptest::sample::select(&["el", "he", "of-tomorrow", ""][..]).prop_map(str::to_owned),
        ];
        let max_pages = prop_oneof![
            Just(MaxPages::Unsaid),
            Just(MaxPages::NoLimit),
            (0u32..100).prop_map(MaxPages::Most),
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

    fn creates() -> impl Strategy<Value = Create> {
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
                let mut create = Create::new(files, rules).project("p");
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

    /// Whether the way back refuses, by what its documentation says of it.
    fn is_one_way(old: &Create, migration: &Migration) -> bool {
        let files: BTreeSet<_> = old.file_ids().iter().collect();
        let parsing = old.get_parsing_configuration();
        let lang = parsing.and_then(|parsing| parsing.lang.as_ref());
        let code = lang.and_then(Language::iso_639_1);
        // Pages that were left out do not stand in the way.
        let pages = migration.notes.iter().find_map(|note| match note {
            Note::PagesCountedFromOne { to, .. } => Some(to.count()),
            _ => None,
        });
        files.is_empty()
            || files.len() < old.file_ids().len()
            || files.iter().any(|id| id.starts_with("pjb-"))
            || matches!(code, Some("zh" | "sr"))
            || (code.is_some() && matches!(lang, Some(Language::Unknown(_))))
            || pages.is_some_and(|pages| pages > 10_000)
    }

    proptest! {
        /// Who hears of no loss can send what comes of it.
        #[test]
        fn what_is_no_loss_is_not_refused(old in creates()) {
            let migration = to_v2(&old).unwrap();
            if old.check().is_ok() && migration.losses().count() == 0 {
                for create in &migration.creates {
                    create.check().unwrap();
                }
            }
        }

        #[test]
        fn there_and_back_asks_for_the_same(old in creates()) {
            let migration = to_v2(&old).unwrap();
            let back = to_v1(&migration.creates);
            prop_assert_eq!(back.is_err(), is_one_way(&old, &migration), "{:?}", back);
            let left_as_it_is = |note: &Note| matches!(note, Note::RefusedByV2 { .. });
            let is_made_text = |note: &Note| matches!(note, Note::WebhookHeaderMadeText { .. });
            let changed = migration
                .notes
                .iter()
                .any(|note| is_made_text(note) || (note.is_loss() && !left_as_it_is(note) && !matches!(note, Note::WebhookEventUnknown { .. })));
            if let (Ok(back), false) = (back, changed) {
                // v1's own defaults are said now, and pages are in order; all else is as it was.
                let mut expected = old.get_parsing_configuration().cloned().unwrap_or_default();
                if expected.max_pages.is_unsaid() {
                    expected.max_pages = MaxPages::Most(5);
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
        fn an_aggregate_follows_from_the_counts(words in proptest::collection::vec(proptest::sample::select(&["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "NEW"][..]), 0..8)) {
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
}
