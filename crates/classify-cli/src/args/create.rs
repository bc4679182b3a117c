//! `classify create`

use clap::{ArgGroup, Args};
use classify_proto::v2::{Configuration, Create, Mode, ParsingConfiguration, Rule};

use super::values::{nullable, object, words};
use super::webhooks::Webhooks;
use crate::exit::Problem;

/// The flags of `classify create`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("input").args(["file_input", "file_id", "parse_job_id"]).required(true),
    after_help = HELP,
)]
pub(crate) struct CreateArgs {
    /// What to classify: an uploaded file (dfl-…) or a parse job (pjb-…)
    #[arg(long, value_name = "ID")]
    file_input: Option<String>,

    /// An older name for --file-input
    #[arg(long, value_name = "ID")]
    file_id: Option<String>,

    /// An older name for --file-input
    #[arg(long, value_name = "ID")]
    parse_job_id: Option<String>,

    /// The rules, with all that belongs to them: an object with `rules`, `mode` and `parsing_configuration`
    #[arg(long, value_name = "OBJECT", help_heading = "Configuration")]
    configuration: Option<String>,

    /// The rules of the configuration: a list of objects with type and description
    #[arg(
        long = "configuration.rules",
        value_name = "LIST",
        help_heading = "Configuration"
    )]
    configuration_rules: Option<String>,

    /// The mode of the configuration: FAST
    #[arg(
        long = "configuration.mode",
        value_name = "MODE",
        help_heading = "Configuration"
    )]
    configuration_mode: Option<String>,

    /// How documents are read: an object with `lang`, `max_pages` and `target_pages`
    #[arg(
        long = "configuration.parsing-configuration",
        value_name = "OBJECT",
        help_heading = "Configuration"
    )]
    configuration_parsing: Option<String>,

    /// A saved configuration, in place of rules
    #[arg(long, value_name = "ID", help_heading = "Configuration")]
    configuration_id: Option<String>,

    /// Makes the create repeatable: under the same id there is one job, and one bill [default: drawn at random]
    #[arg(long, value_name = "ID")]
    transaction_id: Option<String>,

    /// A saved webhook to report to; may be repeated, up to four times
    #[arg(long, value_name = "ID", help_heading = "Webhooks")]
    webhook_configuration_id: Vec<String>,

    #[command(flatten)]
    webhooks: Webhooks,
}

impl CreateArgs {
    /// The create as the core sends it.
    pub(crate) fn operation(&self) -> Result<Create, Problem> {
        let input = [&self.file_input, &self.file_id, &self.parse_job_id]
            .into_iter()
            .flatten()
            .next();
        let mut create = Create::new(input.cloned().unwrap_or_default());
        if let Some(configuration) = self.configuration()? {
            create = create.configuration(configuration);
        }
        if let Some(id) = nullable(self.configuration_id.as_ref()) {
            create = create.configuration_id(id);
        }
        if let Some(id) = nullable(self.transaction_id.as_ref()) {
            create = create.transaction_id(id);
        }
        let ids = words("webhook-configuration-id", &self.webhook_configuration_id)?;
        if !ids.is_empty() {
            create = create.webhook_configuration_ids(ids);
        }
        for webhook in self.webhooks.read()? {
            create = create.webhook(webhook);
        }
        Ok(create)
    }

    /// The object, with what the inner flags say in place of what it says itself.
    fn configuration(&self) -> Result<Option<Configuration>, Problem> {
        let mut configuration: Option<Configuration> = match &self.configuration {
            Some(text) => object("configuration", text)?,
            None => None,
        };
        if let Some(text) = &self.configuration_rules {
            let rules: Option<Vec<Rule>> = object("configuration.rules", text)?;
            configuration.get_or_insert_default().rules = rules.unwrap_or_default();
        }
        if let Some(mode) = nullable(self.configuration_mode.as_ref()) {
            configuration.get_or_insert_default().mode = Some(Mode::from(mode));
        }
        if let Some(text) = &self.configuration_parsing {
            let parsing: Option<ParsingConfiguration> =
                object("configuration.parsing-configuration", text)?;
            configuration.get_or_insert_default().parsing_configuration = parsing;
        }
        Ok(configuration)
    }
}

const HELP: &str = "\
The job is printed as soon as it is created; `classify wait` waits for it. Objects and lists are YAML or JSON.

Examples:
  llamacloud-prod classify create --file-input dfl-123 --configuration-id cfg-456
  llamacloud-prod classify create --file-input dfl-123 \\
    --configuration '{rules: [{type: invoice, description: asks for payment by a due date}]}'
  llamacloud-prod classify create --file-input dfl-123 \\
    --configuration.rules '[{type: invoice, description: asks for payment by a due date}]' \\
    --configuration.parsing-configuration '{lang: de, max_pages: 3}' --transaction-id order-4711";
