//! Runs a command of the tables.

use std::path::PathBuf;

use clap::ArgMatches;
use classify_proto::v2::ListJobs;
use classify_proto::{Bytes, Operation as _};
use classify_ureq::Client;
use serde_json::Value;
use serde_json::value::RawValue;

use super::create_job::{create_operation, send_create};
use super::endpoint::{Endpoint, ResponseKind};
use super::operation::{ApiCall, ApiList, RawJson};
use super::parameter_values::ParameterValues;
use super::request::Request;
use super::upload_file::{check_output_file, upload_operation};
use crate::args::global::GlobalArgs;
use crate::client::CliClient;
use crate::commands::wait::{V2, wait_hint};
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::output::results::{ResultCount, ResultKind, ResultWriter, parse_fields};
use crate::printer::Printer;
use classify_rules::parse_message::describe_json;

/// Runs the command of an endpoint.
pub(crate) fn execute(
    endpoint: &Endpoint,
    matches: &ArgMatches,
    global: &GlobalArgs,
    printer: Printer,
) -> Result<(), CliError> {
    let stdin_is_key = global.api_key_file.as_deref() == Some(std::path::Path::new("-"));
    let stdin_is_file = matches
        .try_get_one::<String>("file")
        .is_ok_and(|file| file.is_some_and(|file| file == "-"));
    let may_read_stdin = !stdin_is_key && !stdin_is_file && !global.no_stdin;
    let validates = !global.no_validate;
    let values = ParameterValues::parse(endpoint, matches, may_read_stdin, validates, printer)?;
    let file = matches.get_one::<PathBuf>("output").map(PathBuf::as_path);
    let kind = match endpoint.response {
        ResponseKind::Job | ResponseKind::JobPages => ResultKind::Job,
        _ => ResultKind::Other,
    };
    let is_create = endpoint.resource == "classify" && endpoint.name == "create";
    let create = is_create
        .then(|| create_operation(&values.body(endpoint), validates))
        .transpose()?;
    let is_upload = endpoint.resource == "files" && endpoint.name == "create";
    let upload = is_upload
        .then(|| upload_operation(&values, validates))
        .transpose()?;
    if let (true, Some(file)) = (is_upload, file) {
        check_output_file(&values, file)?;
    }

    if endpoint.response == ResponseKind::JobPages && validates {
        check_times(&values)?;
    }
    let count = if endpoint.response.is_list() {
        ResultCount::Many
    } else {
        ResultCount::One
    };
    let mut results = ResultWriter::open(global.result_settings(), file, kind, count)?;
    let cli_client = CliClient::open(global, printer)?;
    let client = &cli_client.client;
    if let Some((create, options)) = create {
        let (body, transaction_id) = send_create(client, create, options)?;
        let created = CreatedIds::of(endpoint, &body, transaction_id);
        created.print(results, &to_text(&body))?;
        let id = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|job| job["id"].as_str().map(str::to_owned));
        if let Some(id) = id {
            printer.status(&wait_hint(V2, &[id]));
        }
        return Ok(());
    }
    if let Some(upload) = upload {
        let response = client.call_raw(upload)?;
        return CreatedIds::of(endpoint, &response.body, None)
            .print(results, &to_text(&response.body));
    }
    let request = values.request(endpoint);
    if endpoint.response.is_list() && !results.is_raw() {
        let max_items = matches.get_one::<i64>("max-items").copied().unwrap_or(-1);
        let mut left = usize::try_from(max_items).unwrap_or(usize::MAX);
        let mut pages = client.pages(list(endpoint, request));
        while left > 0 {
            let Some(page) = pages.next() else { break };
            match page {
                Ok(mut page) => {
                    page.items.truncate(left);
                    left -= page.items.len();
                    results.write_page(page.items.iter().map(|item| item.get()))?;
                }
                Err(error) => {
                    // The items so far are printed; the exit code shows that the list is incomplete.
                    if file.is_none() {
                        results.finish()?;
                    }
                    return Err(error.into());
                }
            }
        }
        return results.finish();
    }
    let body = client.call(ApiCall {
        name: endpoint.operation,
        request: request.clone(),
    })?;
    if endpoint.response == ResponseKind::Empty && body.is_empty() {
        return results.finish();
    }
    if endpoint.response == ResponseKind::MergedPages && !results.is_raw() {
        results.write(&merge_pages(endpoint, client, &request, to_text(&body))?)?;
        return results.finish();
    }
    CreatedIds::of(endpoint, &body, None).print(results, &to_text(&body))
}

/// The fields of an object in their order.
type RawFields = Vec<(String, RawJson)>;

/// Returns a page with the items of all following pages. A missing page is an error.
fn merge_pages(
    endpoint: &Endpoint,
    client: &Client,
    request: &Request,
    page: String,
) -> Result<String, CliError> {
    let token = |page: &str| {
        serde_json::from_str::<Value>(page).ok()?["next_page_token"]
            .as_str()
            .map(str::to_owned)
    };
    let Some(token) = token(&page).filter(|token| !token.is_empty()) else {
        return Ok(page);
    };
    let unreadable = |error: serde_json::Error| {
        CliError::new(
            ExitCode::Unexpected,
            format!("a page cannot be read: {}", describe_json(&error)),
        )
    };
    let mut fields: RawFields = parse_fields(&page)?;
    for (name, value) in &mut fields {
        match name.as_str() {
            "items" => {
                let mut items: Vec<RawJson> =
                    serde_json::from_str(value.get()).map_err(unreadable)?;
                let next = request.with_page_token(Some(token.clone()));
                for item in client.list(list(endpoint, next)) {
                    items.push(item?);
                }
                *value = serde_json::value::to_raw_value(&items).map_err(unreadable)?;
            }
            "next_page_token" => *value = RawValue::NULL.to_owned(),
            _ => {}
        }
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.get()))
        .collect();
    Ok(format!("{{{}}}", fields.join(",")))
}

/// The ids of created objects. They must not be lost if the response cannot be printed.
struct CreatedIds(Vec<(&'static str, String)>);

impl CreatedIds {
    fn of(endpoint: &Endpoint, body: &[u8], transaction_id: Option<String>) -> Self {
        let name = match endpoint.resource {
            _ if endpoint.name != "create" => return Self(Vec::new()),
            "classify" | "classifier:jobs" => "job_id",
            "files" => "file_id",
            _ => "config_id",
        };
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let id = body["id"].as_str().map(|id| (name, id.to_owned()));
        let transaction_id = transaction_id.map(|id| ("transaction_id", id));
        Self(id.into_iter().chain(transaction_id).collect())
    }

    /// Prints the response. Its error contains the ids.
    fn print(self, mut results: ResultWriter, response: &str) -> Result<(), CliError> {
        results
            .write(response)
            .and_then(|()| results.finish())
            .map_err(|error| error.created(self.0))
    }
}

/// Validates the times of a list before anything is sent.
fn check_times(values: &ParameterValues) -> Result<(), CliError> {
    let mut list = ListJobs::new();
    if let Some(time) = values.text("created_at_on_or_after") {
        list = list.created_at_on_or_after(time);
    }
    if let Some(time) = values.text("created_at_on_or_before") {
        list = list.created_at_on_or_before(time);
    }
    Ok(list.validate()?)
}

fn to_text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

/// Returns the operation of a list.
fn list(endpoint: &Endpoint, request: Request) -> ApiList {
    ApiList {
        name: endpoint.operation,
        request,
    }
}
