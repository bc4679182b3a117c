//! Running a command that the tables describe.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use classify_proto::files::UploadFile;
use classify_proto::machine::Call;
use classify_proto::v2::{Configuration, CreateJob, ListJobs, WebhookConfiguration};
use classify_proto::{Bytes, Error, Operation as _, With, WithResponse};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::call::{Raw, Request};
use super::given::Given;
use super::{Answer, Endpoint};
use crate::args::Global;
use crate::commands::how_to_wait;
use crate::connect::Connection;
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::interrupt::{self, Ending, Switch};
use crate::output::values::{Expects, Shows, Values};

/// No file that comes on stdin may be larger: it must be held in memory, because it may be sent twice.
const LARGEST_UPLOAD: u64 = 512 * 1024 * 1024;

/// Runs one command.
pub(crate) fn run(
    endpoint: &Endpoint,
    matches: &ArgMatches,
    global: &Global,
    console: Console,
) -> Result<(), Problem> {
    let stdin_is_key = global.api_key_file.as_deref() == Some(std::path::Path::new("-"));
    let stdin_is_file = matches
        .try_get_one::<String>("file")
        .is_ok_and(|file| file.is_some_and(|file| file == "-"));
    let stdin_is_free = !stdin_is_key && !stdin_is_file && !global.no_stdin;
    let given = Given::read(endpoint, matches, stdin_is_free, !global.no_checks, console)?;
    let file = matches.get_one::<PathBuf>("output").map(PathBuf::as_path);
    let shows = match endpoint.answer {
        Answer::Job | Answer::Jobs => Shows::Jobs,
        _ => Shows::Anything,
    };
    let is_create = endpoint.resource == "classify" && endpoint.name == "create";
    let create = is_create
        .then(|| create(&given.body(endpoint), !global.no_checks))
        .transpose()?;
    let is_upload = endpoint.resource == "files" && endpoint.name == "create";
    let upload = is_upload.then(|| upload(&given)).transpose()?;
    if let (true, Some(file)) = (is_upload, file) {
        spare(&given, file)?;
    }

    if endpoint.answer == Answer::Jobs && !global.no_checks {
        check_times(&given)?;
    }
    let expects = if endpoint.answer.is_list() {
        Expects::Many
    } else {
        Expects::One
    };
    let mut values = Values::open(global, file, shows, expects)?;
    let connection = Connection::open(global, console)?;
    let client = &connection.client;
    if let Some(create) = create {
        let (body, transaction) = send_create(client, create)?;
        let made = Made::of(endpoint, &body, transaction);
        made.print(values, &text(&body))?;
        let id = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|job| job["id"].as_str().map(str::to_owned));
        if let Some(id) = id {
            console.chat(&how_to_wait(&[id]));
        }
        return Ok(());
    }
    if let Some(upload) = upload {
        let answer = client.call(WithResponse::new(upload))?;
        return Made::of(endpoint, &answer.body, None).print(values, &text(&answer.body));
    }
    let request = given.request(endpoint);
    if endpoint.answer.is_list() && !values.is_raw() {
        let most = matches.get_one::<i64>("max-items").copied().unwrap_or(-1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for item in (endpoint.calls.items)(client, request).take(most) {
            match item {
                Ok(item) => values.take(item.get())?,
                Err(error) => {
                    // What was listed so far is worth having; the exit code says that it is not all.
                    if file.is_none() {
                        values.finish()?;
                    }
                    return Err(error.into());
                }
            }
        }
        return values.finish();
    }
    let body = (endpoint.calls.once)(client, request.clone())?;
    if endpoint.answer == Answer::Nothing && body.is_empty() {
        return values.finish();
    }
    if endpoint.answer == Answer::Merged && !values.is_raw() {
        values.take(&merged(endpoint, client, &request, text(&body))?)?;
        return values.finish();
    }
    Made::of(endpoint, &body, None).print(values, &text(&body))
}

/// The names and values of an object, as they came and in their order.
type Fields = Vec<(String, Raw)>;

/// A page with the items of all that follow it. A list of which a page is missing is an error and no shorter list.
fn merged(
    endpoint: &Endpoint,
    client: &classify_ureq::Client,
    request: &Request,
    page: String,
) -> Result<String, Problem> {
    let token = |page: &str| {
        serde_json::from_str::<Value>(page).ok()?["next_page_token"]
            .as_str()
            .map(str::to_owned)
    };
    let Some(token) = token(&page).filter(|token| !token.is_empty()) else {
        return Ok(page);
    };
    let unreadable = |error: serde_json::Error| {
        Problem::new(Code::Unexpected, format!("a page cannot be read: {error}"))
    };
    let mut fields: Fields = crate::output::values::read(&page)?;
    for (name, value) in &mut fields {
        match name.as_str() {
            "items" => {
                let mut items: Vec<Raw> = serde_json::from_str(value.get()).map_err(unreadable)?;
                let rest = request.with_page_token(Some(token.clone()));
                for item in (endpoint.calls.items)(client, rest) {
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

/// What the service has made and the caller has not seen yet.
struct Made(Vec<(&'static str, String)>);

impl Made {
    fn of(endpoint: &Endpoint, body: &[u8], transaction: Option<String>) -> Self {
        let name = match endpoint.resource {
            _ if endpoint.name != "create" => return Self(Vec::new()),
            "classify" | "classifier:jobs" => "job_id",
            "files" => "file_id",
            _ => "config_id",
        };
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let id = body["id"].as_str().map(|id| (name, id.to_owned()));
        let transaction = transaction.map(|id| ("transaction_id", id));
        Self(id.into_iter().chain(transaction).collect())
    }

    /// Prints the answer. Where that cannot be done, its ids must not be lost: they are paid for.
    fn print(self, mut values: Values, answer: &str) -> Result<(), Problem> {
        values
            .take(answer)
            .and_then(|()| values.finish())
            .map_err(|problem| problem.made(self.0))
    }
}

/// Times that cannot be read are told before anything is sent, by the core that knows the form.
fn check_times(given: &Given) -> Result<(), Problem> {
    let mut list = ListJobs::new();
    if let Some(time) = given.text("created_at_on_or_after") {
        list = list.created_at_on_or_after(time);
    }
    if let Some(time) = given.text("created_at_on_or_before") {
        list = list.created_at_on_or_before(time);
    }
    Ok(list.validate()?)
}

fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).trim().to_owned()
}

/// Refuses to write the answer over the file that it is about.
fn spare(given: &Given, file: &Path) -> Result<(), Problem> {
    let uploaded = given.text("file").unwrap_or_default();
    let uploaded = Path::new(uploaded.strip_prefix('@').unwrap_or(&uploaded)).canonicalize();
    match (uploaded, file.canonicalize()) {
        (Ok(uploaded), Ok(file)) if uploaded == file && file.is_file() => Err(Problem::usage(
            "--file and --output are the same file; give two",
        )),
        _ => Ok(()),
    }
}

/// The upload that the flags ask for.
fn upload(given: &Given) -> Result<UploadFile, Problem> {
    let path = given.text("file").unwrap_or_default();
    let upload = if path == "-" {
        let mut bytes = Vec::new();
        let mut stdin = std::io::Read::take(std::io::stdin().lock(), LARGEST_UPLOAD + 1);
        std::io::Read::read_to_end(&mut stdin, &mut bytes)
            .map_err(|error| Problem::usage(format!("stdin cannot be read: {error}")))?;
        if bytes.len() as u64 > LARGEST_UPLOAD {
            return Err(Problem::usage(
                "stdin holds more than 512 MB, which is the most that the service takes",
            ));
        }
        UploadFile::new("stdin", Bytes::from(bytes))
    } else {
        // `@scan.pdf` is how other values name a file, so it is understood here too.
        let path = match path.strip_prefix('@') {
            Some(rest) if !std::path::Path::new(&path).exists() => rest.to_owned(),
            _ => path,
        };
        let found = std::fs::metadata(&path)
            .map_err(|error| Problem::usage(format!("--file: {path} cannot be read: {error}")))?;
        if !found.is_file() {
            return Err(Problem::usage(format!("--file: {path} is no file")));
        }
        UploadFile::path(path)?
    };
    let upload = upload.purpose(given.text("purpose").unwrap_or_default());
    Ok(match given.text("external_file_id") {
        Some(id) => upload.external_file_id(id),
        None => upload,
    })
}

/// The create as the core sends it: under a transaction id, so that it may be repeated.
///
/// The configuration and webhooks are read into the core's types, which check them. Without checks they are sent as they
/// were given, whatever those types make of them.
fn create(body: &Map<String, Value>, checks: bool) -> Result<With<CreateJob>, Problem> {
    let mut body = body.clone();
    let mut as_given = Vec::new();
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
        let problem = if inputs.is_empty() {
            "`llamacloud-prod classify create` needs --file-input"
        } else {
            "--file-input, --file-id and --parse-job-id exclude each other; give one of the three"
        };
        return Err(Problem::usage(problem)
            .hint("`llamacloud-prod classify create --help` shows how to write it"));
    };
    let mut create = CreateJob::new(input);
    if let Some(id) = text("configuration_id") {
        create = create.configuration_id(id);
    }
    if let Some(id) = text("transaction_id") {
        create = create.transaction_id(id);
    }
    if !checks {
        let given = body
            .get("webhook_configurations")
            .filter(|value| !value.is_null());
        as_given.extend(given.map(|value| ("webhook_configurations".to_owned(), value.clone())));
    }
    let given = body.get("configuration").cloned();
    if let Some(configuration) = read::<Configuration>(&mut body, "configuration", checks)?
        .filter(|read| checks || serde_json::to_value(read).ok() == given)
    {
        create = create.configuration(configuration);
    } else if let Some(given) = given.filter(|value| !value.is_null()) {
        as_given.push(("configuration".to_owned(), given));
    }
    if let Some(ids) = read::<Vec<String>>(&mut body, "webhook_configuration_ids", true)? {
        create = create.webhook_configuration_ids(ids);
    }
    let webhooks: Option<Vec<WebhookConfiguration>> =
        read(&mut body, "webhook_configurations", checks)?;
    for webhook in webhooks.unwrap_or_default() {
        create = create.webhook(webhook);
    }
    let others = body.into_iter().filter(|(_, value)| !value.is_null());
    Ok(others
        .chain(as_given)
        .fold(With::new(create), |create, (name, value)| {
            create.body_field(name, value)
        }))
}

fn read<T: DeserializeOwned>(
    body: &mut Map<String, Value>,
    name: &str,
    checks: bool,
) -> Result<Option<T>, Problem> {
    let Some(value) = body.remove(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let read = serde_path_to_error::deserialize(value);
    if !checks {
        return Ok(read.ok());
    }
    read.map(Some).map_err(|error| {
        let place =
            crate::rules_file::placed(&error.path().clone(), &error.into_inner().to_string());
        Problem::usage(format!("--{}: {place}", name.replace('_', "-")))
    })
}

/// The answer, and what the create can be repeated under.
fn send_create(
    client: &classify_ureq::Client,
    create: With<CreateJob>,
) -> Result<(Bytes, Option<String>), Problem> {
    let call = Call::new(WithResponse::new(create), client.seed()?);
    let transaction = call
        .operation()
        .inner()
        .inner()
        .get_transaction_id()
        .map(str::to_owned);
    let switch = Switch::on_interrupt();
    match interrupt::drive(client, call, &switch, None, |_| {})? {
        Ending::Done(answer) => {
            let answer = answer.map_err(|error: Error| Problem::from(error))?;
            Ok((answer.body, transaction))
        }
        Ending::Stopped(_) => Err(Problem::new(
            Code::Interrupted,
            "interrupted; the job may have been created",
        )
        .hint(format!(
            "the same command with --transaction-id {} creates no second job",
            transaction.unwrap_or_default()
        ))),
    }
}
