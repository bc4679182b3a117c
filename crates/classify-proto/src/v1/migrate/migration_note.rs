//! Differences after a migration.

use std::fmt;

use crate::page_ranges::PageRanges;
use crate::v1::{Language, Mode};

/// One difference after a migration from v1 to v2. `Display` describes it in one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationNote {
    /// One job became several. v2 has no partial success; [`aggregate`](super::aggregate) combines their statuses.
    OneJobPerFile {
        /// Number of v2 jobs.
        files: usize,
    },
    /// The language has another code in v2.
    LanguageRenamed {
        /// The code in v1.
        from: Language,
        /// The code in v2.
        to: String,
    },
    /// The language has no ISO 639-1 code, which v2 requires. It was omitted, so that v2 uses English.
    LanguageUnsupported {
        /// The code in v1.
        language: Language,
    },
    /// v2 counts pages from 1, and takes ranges.
    PagesCountedFromOne {
        /// The pages in v1, 0-based.
        from: Vec<u32>,
        /// The pages in v2, 1-based.
        to: PageRanges,
    },
    /// The pages have no equivalent in v2: the list is empty, or a number is too large. They were omitted, so that all
    /// pages up to `max_pages` are parsed.
    PagesDropped {
        /// The pages in v1, 0-based.
        from: Vec<u32>,
    },
    /// By default v1 parses five pages and v2 parses all. v1's default is now set explicitly, so the cost stays the
    /// same.
    MaxPagesMadeExplicit {
        /// The maximum that was set.
        pages: u32,
    },
    /// `max_pages` was 0, which v1 does not describe. v2 requires at least 1, and parses all pages if it is omitted; so
    /// it is set to v1's default, which bounds the cost.
    MaxPagesReplaced {
        /// The maximum in v1.
        from: u32,
        /// The maximum in v2.
        to: u32,
    },
    /// `max_pages` is combined with `target_pages`. How one limits the other is not documented for either version; an
    /// old v1 example warned against combining them.
    MaxPagesWithTargetPages {
        /// Maximum number of pages.
        max_pages: u32,
        /// The selected pages.
        pages: PageRanges,
    },
    /// v2's published limits reject the value: for example a rule's type with other characters than letters, digits,
    /// spaces, `-` and `_`, or a type that occurs twice, which v1 accepts. The value was kept, and the creates are
    /// rejected until it is changed.
    InvalidInV2 {
        /// The field of the create, such as `configuration.rules[0].type`.
        field: String,
        /// The problem, such as `contains '/'; …`.
        reason: String,
    },
    /// v2 does not have this mode. It was omitted, so that documents are parsed by their text only.
    ModeUnsupported {
        /// The mode in v1.
        mode: Mode,
    },
    /// The value of a webhook's header was not text, which v2 requires. It was converted to text as JSON.
    WebhookHeaderConvertedToText {
        /// Index of the webhook, from 0.
        webhook: usize,
        /// The name of the header. The value may be secret.
        header: String,
    },
    /// A webhook's header had no value (`null`), which v2 rejects. It was omitted.
    WebhookHeaderDropped {
        /// Index of the webhook, from 0.
        webhook: usize,
        /// The name of the header.
        header: String,
    },
    /// A webhook requests an event whose name is not among the known events of v2.
    UnknownWebhookEvent {
        /// Index of the webhook, from 0.
        webhook: usize,
        /// The name of the event.
        event: String,
    },
    /// Webhooks receive the events of each file's job, and not of one job for all files.
    WebhooksPerFile {
        /// Number of webhooks.
        webhooks: usize,
    },
}

impl MigrationNote {
    /// Returns `true` if v2 lacks something that v1 had; `false` if it is only expressed differently.
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
                write!(f, "{files} jobs in place of one: v2 has one job per file")
            }
            Self::LanguageRenamed { from, to } => write!(f, "language {from} is {to} in v2"),
            Self::LanguageUnsupported { language } => write!(
                f,
                "language {language} has no ISO 639-1 code and is omitted; v2 uses English"
            ),
            Self::PagesCountedFromOne { from, to } => {
                write!(
                    f,
                    "pages {from:?}, counted from 0, are {to} in v2, counted from 1"
                )
            }
            Self::PagesDropped { from } => {
                write!(f, "pages {from:?} have no equivalent in v2 and are omitted")
            }
            Self::MaxPagesMadeExplicit { pages } => write!(
                f,
                "max_pages is set to {pages}, the default of v1; v2 would read all pages"
            ),
            Self::MaxPagesReplaced { from, to } => write!(
                f,
                "max_pages is {to} in place of {from}: v2 requires at least 1"
            ),
            Self::MaxPagesWithTargetPages { max_pages, pages } => write!(
                f,
                "max_pages ({max_pages}) and target_pages ({pages}) are both set; how one limits the other is not documented"
            ),
            Self::InvalidInV2 { field, reason } => write!(f, "v2 rejects {field}: it {reason}"),
            Self::ModeUnsupported { mode } => {
                write!(f, "mode {mode} is omitted: v2 has only FAST")
            }
            Self::WebhookHeaderConvertedToText { webhook, header } => {
                write!(
                    f,
                    "header {header:?} of webhook {webhook} is converted to text"
                )
            }
            Self::WebhookHeaderDropped { webhook, header } => write!(
                f,
                "header {header:?} of webhook {webhook} has no value and is omitted"
            ),
            Self::UnknownWebhookEvent { webhook, event } => write!(
                f,
                "event {event:?} of webhook {webhook} is not a known event of v2"
            ),
            Self::WebhooksPerFile { webhooks } => write!(
                f,
                "{webhooks} webhooks receive the events of each file's job, and none for all files together"
            ),
        }
    }
}
