//! What is different after a migration.

use std::fmt;

use crate::page_ranges::PageRanges;
use crate::v1::{Language, Mode};

/// One thing that is different after a migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationNote {
    /// One job became several. There is no partial success in v2; [`aggregate`](super::aggregate) makes one of their
    /// statuses.
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
    LanguageUnsupported {
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
    PagesDropped {
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
    MaxPagesWithTargetPages {
        /// How many pages are read at most.
        max_pages: u32,
        /// The pages that are named.
        pages: PageRanges,
    },
    /// v2's published limits refuse it: a rule's type with other characters than letters, digits, spaces, `-` and `_`,
    /// or one that stands twice, which v1's do not, or what v1's refuse as well. It was left as it is, and the creates
    /// are refused until it is changed.
    InvalidInV2 {
        /// The field of the create: `configuration.rules[0].type`.
        field: String,
        /// Why.
        reason: String,
    },
    /// v2 has no such mode. It was left out, so that documents are read by their text alone.
    ModeUnsupported {
        /// As v1 wrote it.
        mode: Mode,
    },
    /// A webhook's header was JSON of another type than text; v2 takes text, so it is that JSON written out.
    WebhookHeaderConvertedToText {
        /// Which of the webhooks, from 0.
        webhook: usize,
        /// The header's name. Its value may be a secret.
        header: String,
    },
    /// A webhook's header had no value (`null`), which v2 does not take. It was left out.
    WebhookHeaderDropped {
        /// Which of the webhooks, from 0.
        webhook: usize,
        /// The header's name.
        header: String,
    },
    /// A webhook asks for an event whose name is none that v2 is known to take.
    UnknownWebhookEvent {
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

impl MigrationNote {
    /// Whether v2 cannot do as v1 did, and not merely says it in other words.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::LanguageUnsupported { .. }
                | Self::PagesDropped { .. }
                | Self::MaxPagesReplaced { .. }
                | Self::InvalidInV2 { .. }
                | Self::ModeUnsupported { .. }
                | Self::WebhookHeaderDropped { .. }
                | Self::UnknownWebhookEvent { .. }
        )
    }
}

impl fmt::Display for MigrationNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneJobPerFile { files } => {
                write!(f, "{files} jobs in place of one: v2 has a job per file")
            }
            Self::LanguageRenamed { from, to } => write!(f, "language {from} is {to} in v2"),
            Self::LanguageUnsupported { language } => write!(
                f,
                "language {language} has no ISO 639-1 code and is left out; v2 will take English"
            ),
            Self::PagesCountedFromOne { from, to } => {
                write!(
                    f,
                    "pages {from:?}, counted from 0, are {to} in v2, counted from 1"
                )
            }
            Self::PagesDropped { from } => {
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
            Self::MaxPagesWithTargetPages { max_pages, pages } => write!(
                f,
                "at most {max_pages} pages and the pages {pages} stand together; how one limits the other is not published"
            ),
            Self::InvalidInV2 { field, reason } => write!(f, "v2 refuses {field}: it {reason}"),
            Self::ModeUnsupported { mode } => {
                write!(f, "mode {mode} is left out: v2 has FAST alone")
            }
            Self::WebhookHeaderConvertedToText { webhook, header } => {
                write!(
                    f,
                    "header {header:?} of webhook {webhook} is written out as text"
                )
            }
            Self::WebhookHeaderDropped { webhook, header } => write!(
                f,
                "header {header:?} of webhook {webhook} has no value and is left out"
            ),
            Self::UnknownWebhookEvent { webhook, event } => write!(
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
