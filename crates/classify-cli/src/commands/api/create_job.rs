//! `classify create`: creates a job under a transaction id.

use classify_proto::machine::Call;
use classify_proto::v2::{CreateJob, JobOptions, WebhookConfiguration};
use classify_proto::{Bytes, CallOptions};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::cancel::Cancel;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::graceful_stop::{self, DriveEnd};
use crate::{rules, yaml};
use classify_rules::parse_message::describe_json;

/// Returns the create operation for a body.
///
/// The configuration and webhooks are converted to the core's types, which validate them. Without validation they are
/// sent unchanged.
pub(super) fn create_operation(
    body: &Map<String, Value>,
    validates: bool,
) -> Result<(CreateJob, CallOptions), CliError> {
    let mut body = body.clone();
    let mut unvalidated = Vec::new();
    let mut text = |name: &str| match body.remove(name) {
        Some(Value::String(text)) => Some(text),
        Some(Value::Null) | None => None,
        Some(other) => Some(other.to_string()),
    };
    let inputs: Vec<String> = ["file_input", "file_id", "parse_job_id"]
        .into_iter()
        .filter_map(&mut text)
        .collect();
    let [input] = inputs.as_slice() else {
        let message = if inputs.is_empty() {
            "`llamacloud-prod classify create` needs --file-input"
        } else {
            "--file-input, --file-id and --parse-job-id cannot be combined; use one of them"
        };
        return Err(CliError::usage(message)
            .hint("`llamacloud-prod classify create --help` shows how to write it"));
    };
    let mut job = JobOptions::default();
    job.configuration_id = text("configuration_id");
    let transaction_id = text("transaction_id");
    if !validates {
        let webhooks = body
            .get("webhook_configurations")
            .filter(|value| !value.is_null());
        unvalidated
            .extend(webhooks.map(|value| ("webhook_configurations".to_owned(), value.clone())));
    }
    if let Some(value) = take_value(&mut body, "configuration") {
        let converted = rules::to_configuration(value.clone());
        if validates {
            let configuration = converted
                .map_err(|message| CliError::usage(format!("--configuration: {message}")))?;
            job.configuration = Some(configuration.into());
        } else if let Ok(configuration) = converted
            && serde_json::to_value(&configuration).ok().as_ref() == Some(&value)
        {
            job.configuration = Some(configuration.into());
        } else {
            unvalidated.push(("configuration".to_owned(), value));
        }
    }
    if let Some(ids) = convert::<Vec<String>>(&mut body, "webhook_configuration_ids", true)? {
        job = job.webhook_configuration_ids(ids);
    }
    let webhooks: Option<Vec<WebhookConfiguration>> =
        convert(&mut body, "webhook_configurations", validates)?;
    for webhook in webhooks.unwrap_or_default() {
        job = job.webhook(webhook);
    }
    let others = body.into_iter().filter(|(_, value)| !value.is_null());
    let options = others
        .chain(unvalidated)
        .fold(CallOptions::new(), |options, (name, value)| {
            options.body_field(name, value)
        });
    let mut create = CreateJob::new(input, job);
    if let Some(id) = transaction_id {
        create = create.transaction_id(id);
    }
    Ok((create, options))
}

/// Removes a value that is not null.
fn take_value(body: &mut Map<String, Value>, name: &str) -> Option<Value> {
    body.remove(name).filter(|value| !value.is_null())
}

fn convert<T: DeserializeOwned>(
    body: &mut Map<String, Value>,
    name: &str,
    validates: bool,
) -> Result<Option<T>, CliError> {
    let Some(value) = take_value(body, name) else {
        return Ok(None);
    };
    let converted = serde_path_to_error::deserialize(value);
    if !validates {
        return Ok(converted.ok());
    }
    converted.map(Some).map_err(|error| {
        let message = yaml::at_path(&error.path().clone(), &describe_json(&error.into_inner()));
        CliError::usage(format!("--{}: {message}", name.replace('_', "-")))
    })
}

/// Creates the job. Returns the body of the response, and the transaction id.
pub(super) fn send_create(
    client: &classify_ureq::Client,
    create: CreateJob,
    options: CallOptions,
) -> Result<(Bytes, Option<String>), CliError> {
    let call = Call::new(create, client.seed()?).options(options);
    let transaction_id = call.operation().transaction_id.clone();
    let cancel = Cancel::on_interrupt();
    match graceful_stop::drive(client, call.with_raw_response(), &cancel, |_| {})? {
        DriveEnd::Finished(response) => {
            let response = response.map_err(CliError::from)?;
            Ok((response.body, transaction_id))
        }
        DriveEnd::Stopped => Err(CliError::new(
            ExitCode::Interrupted,
            "interrupted; the job may have been created",
        )
        .hint(format!(
            "repeat the command with --transaction-id {} to get that job; this creates no second job",
            transaction_id.unwrap_or_default()
        ))),
    }
}
