//! Webhooks given with a create: whole objects, or their fields one flag at a time.
//!
//! An inner flag fills the last webhook, or begins another when that has the field already; so the order in which
//! the flags stand matters, and is read from the matches by hand.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use classify_proto::Secret;
use classify_proto::v2::{WebhookConfiguration, WebhookEvent};
use std::collections::BTreeMap;

use super::values::{is_null, object};
use crate::exit::Problem;

/// What the help shows; the values are read from the matches, in their order.
#[derive(Debug, Args)]
#[command(next_help_heading = "Webhooks")]
struct Flags {
    /// A webhook to report to: an object with the fields below; may be repeated
    #[arg(long = "webhook-configuration", value_name = "OBJECT")]
    whole: Vec<String>,

    /// Where to deliver
    #[arg(long = "webhook-configuration.webhook-url", value_name = "URL")]
    url: Vec<String>,

    /// Which events to deliver, as a list; all by default
    #[arg(long = "webhook-configuration.webhook-events", value_name = "LIST")]
    events: Vec<String>,

    /// Headers of every delivery, as an object
    #[arg(long = "webhook-configuration.webhook-headers", value_name = "OBJECT")]
    headers: Vec<String>,

    /// How the body is written: string or json
    #[arg(
        long = "webhook-configuration.webhook-output-format",
        value_name = "FORMAT"
    )]
    output_format: Vec<String>,

    /// Signs each delivery
    #[arg(
        long = "webhook-configuration.webhook-signing-secret",
        value_name = "SECRET"
    )]
    signing_secret: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Url,
    Events,
    Headers,
    OutputFormat,
    SigningSecret,
}

const PARTS: [(&str, Part); 6] = [
    ("whole", Part::Whole),
    ("url", Part::Url),
    ("events", Part::Events),
    ("headers", Part::Headers),
    ("output_format", Part::OutputFormat),
    ("signing_secret", Part::SigningSecret),
];

/// The flags about webhooks, in the order in which they stand.
#[derive(Clone, Default)]
pub(crate) struct Webhooks(Vec<(Part, String)>);

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers and signing secrets are among the values.
        f.debug_list()
            .entries(self.0.iter().map(|(part, _)| part))
            .finish()
    }
}

impl Args for Webhooks {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for Webhooks {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Vec::new();
        for (id, part) in PARTS {
            if let (Some(places), Some(values)) =
                (matches.indices_of(id), matches.get_many::<String>(id))
            {
                found.extend(
                    places
                        .zip(values)
                        .map(|(place, value)| (place, part, value.clone())),
                );
            }
        }
        found.sort_by_key(|(place, ..)| *place);
        Ok(Self(
            found
                .into_iter()
                .map(|(_, part, value)| (part, value))
                .collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Webhooks {
    /// The webhooks that the flags make.
    pub(crate) fn read(&self) -> Result<Vec<WebhookConfiguration>, Problem> {
        let mut webhooks: Vec<WebhookConfiguration> = Vec::new();
        for (part, text) in &self.0 {
            if *part == Part::Whole {
                webhooks.extend(whole(text)?);
                continue;
            }
            if is_null(text) {
                continue;
            }
            let mut webhook = match webhooks.pop() {
                Some(last) if has(&last, *part) => {
                    webhooks.push(last);
                    WebhookConfiguration::default()
                }
                Some(last) => last,
                None => WebhookConfiguration::default(),
            };
            fill(&mut webhook, *part, text)?;
            webhooks.push(webhook);
        }
        Ok(webhooks)
    }
}

/// One object, or a list of them.
fn whole(text: &str) -> Result<Vec<WebhookConfiguration>, Problem> {
    const FLAG: &str = "webhook-configuration";
    Ok(if text.trim_start().starts_with('[') {
        object(FLAG, text)?.unwrap_or_default()
    } else {
        object(FLAG, text)?.into_iter().collect()
    })
}

fn has(webhook: &WebhookConfiguration, part: Part) -> bool {
    match part {
        Part::Whole => true,
        Part::Url => webhook.webhook_url.is_some(),
        Part::Events => webhook.webhook_events.is_some(),
        Part::Headers => webhook.webhook_headers.is_some(),
        Part::OutputFormat => webhook.webhook_output_format.is_some(),
        Part::SigningSecret => webhook.webhook_signing_secret.is_some(),
    }
}

fn fill(webhook: &mut WebhookConfiguration, part: Part, text: &str) -> Result<(), Problem> {
    match part {
        Part::Whole => {}
        Part::Url => webhook.webhook_url = Some(text.to_owned()),
        Part::Events => {
            webhook.webhook_events = if text.trim_start().starts_with('[') {
                object("webhook-configuration.webhook-events", text)?
            } else {
                Some(vec![WebhookEvent::from(text)])
            };
        }
        Part::Headers => {
            let headers: Option<BTreeMap<String, String>> =
                object("webhook-configuration.webhook-headers", text)?;
            webhook.webhook_headers = headers.map(|headers| {
                headers
                    .into_iter()
                    .map(|(name, value)| (name, Secret::new(value)))
                    .collect()
            });
        }
        Part::OutputFormat => webhook.webhook_output_format = Some(text.into()),
        Part::SigningSecret => webhook.webhook_signing_secret = Some(Secret::new(text)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhooks(flags: &[&str]) -> Vec<WebhookConfiguration> {
        let command = Webhooks::augment_args(Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(flags).unwrap();
        Webhooks::from_arg_matches(&matches)
            .unwrap()
            .read()
            .unwrap()
    }

    #[test]
    fn inner_flags_fill_the_last_webhook_or_begin_another() {
        let found = webhooks(&[
            "--webhook-configuration.webhook-url=https://a.example",
            "--webhook-configuration.webhook-output-format=json",
            "--webhook-configuration.webhook-url=https://b.example",
            "--webhook-configuration.webhook-events=[classify.success]",
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].webhook_url.as_deref(), Some("https://a.example"));
        assert!(found[0].webhook_output_format.is_some() && found[0].webhook_events.is_none());
        assert_eq!(found[1].webhook_url.as_deref(), Some("https://b.example"));
        assert_eq!(
            found[1].webhook_events,
            Some(vec![WebhookEvent::ClassifySuccess])
        );
    }

    #[test]
    fn whole_objects_add_up_and_can_be_filled() {
        let found = webhooks(&[
            "--webhook-configuration={webhook_url: https://a.example}",
            "--webhook-configuration.webhook-headers={X-A: '1'}",
            "--webhook-configuration=[{webhook_url: https://b.example}, {webhook_url: https://c.example}]",
        ]);
        assert_eq!(found.len(), 3);
        assert!(found[0].webhook_headers.is_some());
    }

    #[test]
    fn secrets_are_not_shown() {
        let command = Webhooks::augment_args(Command::new("test").no_binary_name(true));
        let matches = command
            .try_get_matches_from(["--webhook-configuration.webhook-signing-secret=canary"])
            .unwrap();
        let found = Webhooks::from_arg_matches(&matches).unwrap();
        assert!(!format!("{found:?}").contains("canary"));
    }
}
