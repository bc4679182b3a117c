//! Migration from v2 to v1, if nothing is lost.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::page_ranges::PageRanges;
use crate::secret::SecretValue;
use crate::text::quoted;
use crate::v1::{CreateJob, Language, Mode, ParsingConfiguration, WebhookConfiguration};
use crate::v2;
use crate::validation::ValidationErrors;

/// Converts v2 creates to one v1 create, if v1 can express exactly the same.
///
/// A create converted by [`to_v2`](super::to_v2) and back is equivalent to the original, with v1's defaults set
/// explicitly, unless
///
/// - a [`MigrationNote`](super::MigrationNote) is a [loss](super::MigrationNote::is_loss): an omitted value is not
///   restored;
/// - the value of a webhook's header was not text
///   ([`WebhookHeaderConvertedToText`](super::MigrationNote::WebhookHeaderConvertedToText)): it remains text;
/// - there is no file, a file occurs twice, or a file's id begins with `pjb-`: an error;
/// - the language is Chinese or Serbian, for which v1 has two codes each, or has a two-letter code that v1 does not
///   know, such as `el`: an error;
/// - more than 10,000 pages are selected: an error.
///
/// In v2, an absent `max_pages` means unlimited, and becomes [`Unlimited`](crate::v1::MaxPages::Unlimited).
///
/// # Errors
///
/// [`is_invalid`](Error::is_invalid), naming each field that v1 cannot express, or that differs between the creates.
pub fn to_v1(creates: &[v2::CreateJob]) -> Result<CreateJob, Error> {
    let mut errors = ValidationErrors::default();
    let Some(first) = creates.first() else {
        return Err(Error::invalid(
            "creates",
            "is empty; a v1 job has 1 to 500 files",
        ));
    };
    if creates
        .iter()
        .any(|other| other.clone().for_input(&*first.file_input) != *first)
    {
        errors.add(
            "creates",
            "differ in more than their input; a v1 job has the same options for all files",
        );
    }
    let mut files = BTreeSet::new();
    for (index, create) in creates.iter().enumerate() {
        let field = || format!("creates[{index}].file_input");
        if create.file_input.starts_with("pjb-") {
            errors.add(field(), "is a parse job; v1 takes only files");
        }
        if !files.insert(&create.file_input) {
            errors.add(field(), "occurs twice; a v1 job has one result per file");
        }
    }
    if first.transaction_id.is_some() {
        errors.add("transaction_id", "is unknown to v1");
    }
    if first.options.webhook_configuration_ids.is_some() {
        errors.add("webhook_configuration_ids", "are unknown to v1");
    }
    if first.options.configuration_id.is_some() {
        errors.add(
            "configuration_id",
            "does not exist in v1; pass the rules themselves",
        );
    }
    let nothing = v2::Configuration::default();
    let configuration = first.options.configuration.as_deref().unwrap_or(&nothing);
    let mode = match &configuration.mode {
        None => None,
        Some(v2::Mode::Fast) => Some(Mode::Fast),
        Some(mode) => {
            errors.add(
                "configuration.mode",
                format!("is {mode}; v1 may interpret it differently"),
            );
            None
        }
    };
    let parsing = parsing_to_v1(configuration.parsing_configuration.as_ref(), &mut errors);
    errors.finish()?;

    let ids = creates.iter().map(|create| &*create.file_input);
    let mut create = CreateJob::new(ids, configuration.rules.iter().cloned())
        .parsing_configuration(parsing)
        .scoped(first.scope());
    if let Some(mode) = mode {
        create = create.mode(mode);
    }
    let webhooks = first
        .options
        .webhook_configurations
        .iter()
        .flatten()
        .map(webhook_to_v1);
    Ok(webhooks.fold(create, CreateJob::webhook))
}

fn parsing_to_v1(
    parsing: Option<&v2::ParsingConfiguration>,
    errors: &mut ValidationErrors,
) -> ParsingConfiguration {
    const PATH: &str = "configuration.parsing_configuration";
    let nothing = v2::ParsingConfiguration::default();
    let parsing = parsing.unwrap_or(&nothing);
    let mut back = ParsingConfiguration::new();
    if let Some(code) = &parsing.lang {
        back.lang = Language::from_iso_639_1(code);
        if back.lang.is_none() {
            errors.add(
                format_args!("{PATH}.lang"),
                format!("is {}, for which v1 has no code, or two", quoted(code)),
            );
        }
    }
    back.max_pages = parsing.max_pages.into();
    if let Some(text) = &parsing.target_pages {
        let pages = text.parse::<PageRanges>();
        match pages.and_then(|pages| ParsingConfiguration::new().page_ranges(&pages)) {
            Ok(with_pages) => back.target_pages = with_pages.target_pages,
            Err(error) => errors.add(format_args!("{PATH}.target_pages"), error.message()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::{MaxPages, Rule};

    fn rule() -> Rule {
        Rule::new("invoice", "contains an invoice number")
    }

    #[test]
    fn migrate_to_v1_error_names_unsupported_field() {
        let exact = || {
            let parsing = v2::ParsingConfiguration::new().max_pages(5);
            let rules = v2::Configuration::new([rule()]).parsing_configuration(parsing);
            v2::CreateJob::new("dfl-1", rules)
        };
        to_v1(&[exact(), exact().for_input("dfl-2")]).unwrap();
        let parsing = |parsing: v2::ParsingConfiguration| {
            let rules = v2::Configuration::new([rule()]).parsing_configuration(parsing);
            v2::CreateJob::new("dfl-1", rules)
        };
        let five = || v2::ParsingConfiguration::new().max_pages(5);
        for (create, field) in [
            (exact().for_input("pjb-1"), "creates[0].file_input"),
            (exact().transaction_id("t"), "transaction_id"),
            (
                v2::CreateJob::new(
                    "dfl-1",
                    exact().options.webhook_configuration_ids(["whc-1"]),
                ),
                "webhook_configuration_ids",
            ),
            (
                v2::CreateJob::new("dfl-1", v2::JobOptions::from_configuration_id("cfg-1")),
                "configuration_id",
            ),
            (parsing(five().lang("zh")), "lang"),
            (parsing(five().lang("el")), "lang"),
            (parsing(five().target_pages("x")), "target_pages"),
            (parsing(five().target_pages("1-4294967295")), "target_pages"),
            (
                v2::CreateJob::new(
                    "dfl-1",
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
        let all = all.parsing_configuration.as_ref().unwrap();
        assert_eq!(all.max_pages, MaxPages::Unlimited);
        assert!(to_v1(&[]).is_err());
        assert!(to_v1(&[exact(), exact()]).is_err());
        assert!(
            to_v1(&[
                exact(),
                v2::CreateJob::new("b", exact().options.project("p"))
            ])
            .is_err()
        );
    }
}
