//! `POST /api/v2/classify`

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::webhook::WireWebhook;
use super::{Configuration, Job, JobOptions, ROUTE, Rerun, WebhookConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::{Error, is_file_id};
use crate::operation::Operation;
use crate::scope::Scope;
use crate::semantics::{RateClass, ReservedField, Semantics, UniqueField};
use crate::text::id::{find_job_id, same_id};
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Creates a job that classifies one document.
///
/// A job is charged, so a create is only repeated with a transaction id: the service answers a second create with the
/// same id with the first job. [`machine::Call`](crate::machine::Call) sets a transaction id before it sends the
/// create, unless there is one.
///
/// The service ignores the body of such a second create. The returned job is therefore compared with the request;
/// another input or another configuration is an [`is_conflict`](Error::is_conflict) error.
///
/// ```
/// use classify_proto::v2::{Configuration, CreateJob, Rule};
///
/// let rules = Configuration::new([Rule::new("invoice", "has an invoice number and a total amount")]);
/// let create = CreateJob::new("dfl-1", rules).transaction_id("order-4711");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateJob {
    /// The id of the file (`dfl-…`) or parse job (`pjb-…`) to classify.
    pub file_input: String,
    /// Rules, webhooks, project and headers of the job.
    #[serde(flatten)]
    pub options: JobOptions,
    /// The idempotency key. [`Operation::prepare`] sets it if it is `None`.
    pub transaction_id: Option<String>,
    /// The transaction id identifies the document's content, so the job of another copy is accepted.
    #[serde(default)]
    accepts_any_copy: bool,
    /// The current content of the saved configuration. An earlier job with the same transaction id may have been
    /// created before the configuration was edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration_in_force: Option<Arc<Configuration>>,
}

impl CreateJob {
    /// Creates the operation for an uploaded file (`dfl-…`) or for the text of an earlier parse job (`pjb-…`).
    ///
    /// The input is sent as `file_input`, which replaces `file_id` and `parse_job_id`, both deprecated by the service.
    #[must_use]
    pub fn new(file_input: impl Into<String>, options: impl Into<JobOptions>) -> Self {
        Self {
            file_input: file_input.into(),
            options: options.into(),
            transaction_id: None,
            accepts_any_copy: false,
            configuration_in_force: None,
        }
    }

    /// Sets the transaction id, unique within the project: 1 to 255 characters. It makes the create safe to repeat.
    #[must_use]
    pub fn transaction_id(mut self, id: impl Into<String>) -> Self {
        self.transaction_id = Some(id.into()).filter(|id| !id.is_empty());
        self
    }

    /// The transaction id, if the service accepts it: in a saved state it may be an empty string.
    pub(crate) fn idempotency_key(&self) -> Option<&str> {
        self.transaction_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Sets the input, for a create with the same options for another document.
    #[must_use]
    pub fn for_input(mut self, file_input: impl Into<String>) -> Self {
        self.file_input = file_input.into();
        self
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.options.scope
    }

    /// Accepts the job of any copy of the document: the transaction id is derived from the content.
    pub(crate) fn accepts_any_copy(mut self) -> Self {
        self.accepts_any_copy = true;
        self
    }

    /// Accepts only a job with this configuration, the current content of the saved configuration.
    pub(crate) fn configuration_in_force(mut self, configuration: Arc<Configuration>) -> Self {
        self.configuration_in_force = Some(configuration);
        self
    }

    /// The rules of the create, and the id of the saved configuration.
    pub(crate) fn rules(&self) -> (Option<&Configuration>, Option<&str>) {
        (
            self.options.configuration.as_deref(),
            self.options.configuration_id.as_deref(),
        )
    }

    /// The first difference between the returned job and the requested one.
    fn difference(&self, job: &Job) -> Option<String> {
        if let Some(input) = job.file_input.as_ref().filter(|_| !self.accepts_any_copy) {
            if !same_id(input, &self.file_input) {
                return Some(format!(
                    "file_input is {input:?}, requested was {:?}",
                    self.file_input
                ));
            }
        }
        if let (Some(asked), Some(made)) = (self.idempotency_key(), &job.transaction_id) {
            if asked != made {
                return Some(format!("transaction_id is {made:?}"));
            }
        }
        if let Some(asked) = &self.options.configuration_id {
            if let Some(made) = &job.configuration_id {
                if !same_id(made, asked) {
                    return Some(format!(
                        "configuration_id is {made:?}, requested was {asked:?}"
                    ));
                }
            }
            return None;
        }
        match (&self.options.configuration, &job.configuration) {
            (Some(asked), Some(made)) => asked
                .difference(made)
                .map(|field| format!("the configuration differs in {field}")),
            _ => None,
        }
    }
}

impl CreateJob {
    /// The field in which the saved configuration was edited after the job was created.
    fn edited_since(&self, job: &Job) -> Option<&'static str> {
        let in_force = self.configuration_in_force.as_ref()?;
        let made = job.configuration.as_ref()?;
        // Either side may omit a field that the other one has.
        let difference = in_force.difference(made);
        difference.or_else(|| made.difference(in_force))
    }
}

#[derive(Serialize)]
struct CreateJobBody<'a> {
    file_input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<&'a Configuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_configuration_ids: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_configurations: Option<Vec<WireWebhook<'a>>>,
}

impl Operation for CreateJob {
    type Output = Job;

    fn name(&self) -> &'static str {
        "classify.create"
    }

    fn semantics(&self) -> Semantics<Self> {
        const FIELDS: &[ReservedField] = &[
            ReservedField::new("file_input", "CreateJob::new"),
            ReservedField::new("file_id", "CreateJob::new"),
            ReservedField::new("parse_job_id", "CreateJob::new"),
            ReservedField::new("transaction_id", "CreateJob::transaction_id"),
            ReservedField::new("configuration", "JobOptions::new"),
            ReservedField::new("configuration_id", "JobOptions::from_configuration_id"),
        ];
        let semantics = if self.idempotency_key().is_some() {
            Semantics::idempotent()
        } else {
            Semantics::non_idempotent()
        };
        // The options of a create without rules may hold rules in an unknown form; its response is not compared with
        // them.
        let reserved = match self.rules() {
            (None, None) => FIELDS.get(..4).unwrap_or_default(),
            _ => FIELDS,
        };
        semantics
            .rate_class(RateClass::Create)
            .reserved_fields(reserved)
    }

    fn unique_field(&mut self) -> Option<UniqueField<'_>> {
        Some(UniqueField::new(&mut self.transaction_id, ""))
    }

    fn secrets(&self) -> Vec<String> {
        let webhooks = self.options.webhook_configurations.iter().flatten();
        let headers = self.options.call_options.secrets();
        webhooks
            .flat_map(WebhookConfiguration::secrets)
            .chain(headers)
            .collect()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.length("file_input", &self.file_input, 1, 200);
        self.options.collect_rule_errors(&mut errors);
        if let Some(id) = self.idempotency_key() {
            errors.length("transaction_id", id, 1, 255);
        }
        self.options.collect_webhook_errors(&mut errors);
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let webhook_configurations = match &self.options.webhook_configurations {
            None => None,
            Some(webhooks) => Some(
                webhooks
                    .iter()
                    .enumerate()
                    .map(|(index, webhook)| {
                        webhook.to_wire(&format!("webhook_configurations[{index}]"))
                    })
                    .collect::<Result<_, Error>>()?,
            ),
        };
        let request = api
            .request(Method::POST, ROUTE)
            .scope(&self.options.scope)
            .json(&CreateJobBody {
                file_input: &self.file_input,
                configuration: self.options.configuration.as_deref(),
                configuration_id: self.options.configuration_id.as_deref(),
                transaction_id: self.idempotency_key(),
                webhook_configuration_ids: self.options.webhook_configuration_ids.as_deref(),
                webhook_configurations,
            })?;
        self.options
            .call_options
            .apply(request, self.semantics().reserved_fields)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Job, Error> {
        let job: Job = read_json(response)?;
        if let Some(difference) = self.difference(&job) {
            return Err(Error::conflict(
                format!("the service returned the job of another request: {difference}"),
                job,
            ));
        }
        match self.edited_since(&job) {
            None => Ok(job),
            Some(field) => Err(Error::edited_configuration(field, job)),
        }
    }

    fn annotate(&self, error: Error) -> Error {
        let id = error
            .raw_body()
            .filter(|_| error.is_decode())
            .and_then(|body| find_job_id(body, |id| id.starts_with("clj-")));
        let file_id = Some(&*self.file_input).filter(|input| is_file_id(input));
        let error = error
            .with_transaction_id(self.idempotency_key())
            // With these options, the same document is another paid run.
            .with_repeatable(self.accepts_any_copy && self.options.rerun == Rerun::Never)
            .with_file_id(file_id);
        match id {
            Some(id) => error.with_job_id(id),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_options::CallOptions;
    use crate::seed::Seed;
    use crate::semantics::Idempotency;
    use crate::v2::examples::{self, api, ok};
    use crate::v2::{ParsingConfiguration, Rule};

    fn documented() -> CreateJob {
        let rule = Rule::new(
            "invoice",
            "contains invoice number, line items, and total amount",
        );
        let parsing = ParsingConfiguration::new()
            .lang("en")
            .max_pages(10)
            .target_pages("1,3,5-7");
        let rules = Configuration::new([rule])
            .mode("FAST".into())
            .parsing_configuration(parsing);
        CreateJob::new("file_input", rules).transaction_id("transaction_id")
    }

    #[test]
    fn create_request_matches_documented_example() {
        let request = documented().build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "https://api.example/api/v2/classify");
        let body: serde_json::Value =
            serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap();
        let job: serde_json::Value = serde_json::from_str(examples::JOB).unwrap();
        assert_eq!(body["configuration"], job["configuration"]);
        assert_eq!(documented().parse(ok(examples::JOB)).unwrap().id, "id");
    }

    #[test]
    fn conflict_if_create_response_differs_from_request() {
        for (create, difference) in [
            (documented().for_input("other"), "file_input"),
            (documented().transaction_id("other"), "transaction_id"),
            (
                CreateJob::new(
                    "file_input",
                    Configuration::new([Rule::new("receipt", "contains a till number")]),
                ),
                "rules",
            ),
            (
                CreateJob::new("file_input", JobOptions::from_configuration_id("cfg-2")),
                "configuration_id",
            ),
        ] {
            let error = create.parse(ok(examples::JOB)).unwrap_err();
            assert!(
                error.is_conflict() && error.to_string().contains(difference),
                "{error}"
            );
            assert_eq!(error.job().unwrap().id, "id");
        }
        let other_form = examples::JOB.replace(
            "\"file_input\": \"file_input\"",
            "\"file_input\": \"dfl-1\"",
        );
        documented().for_input("1").parse(ok(other_form)).unwrap();
        let other_case = examples::JOB.replace(
            "\"file_input\": \"file_input\"",
            "\"file_input\": \"dfl-0a1b\"",
        );
        documented()
            .for_input("0A1B")
            .parse(ok(other_case))
            .unwrap();
        let of_configuration = r#"{"id":"1","status":"PENDING","configuration_id":"cfg-0a1b"}"#;
        let saved = CreateJob::new("f", JobOptions::from_configuration_id("cfg-0A1B"));
        saved.parse(ok(of_configuration)).unwrap();
    }

    #[test]
    fn create_decode_error_keeps_job_id() {
        for body in [r#"{"id": "clj-7", "status": "PEN"#, r#"{"id": "clj-7"}"#] {
            let error = documented().parse(ok(body)).unwrap_err();
            assert!(error.is_decode());
            assert_eq!(error.job_id(), Some("clj-7"));
            assert_eq!(error.transaction_id(), Some("transaction_id"));
        }
    }

    #[test]
    fn idempotency_create_requires_transaction_id() {
        let mut create = CreateJob::new("dfl-1", JobOptions::default());
        assert_eq!(create.semantics().idempotency, Idempotency::NonIdempotent);
        create.prepare(Seed::new([1; 16]));
        assert_eq!(create.semantics().idempotency, Idempotency::Idempotent);
        let first = create.idempotency_key().unwrap().to_owned();
        create.prepare(Seed::new([2; 16]));
        assert_eq!(create.idempotency_key(), Some(&*first));
    }

    /// The service treats an empty id as none, so a repeated create would be a second one.
    #[test]
    fn idempotency_empty_transaction_id_counts_as_none() {
        let mut create = CreateJob::new("dfl-1", JobOptions::default()).transaction_id("");
        assert_eq!(create.semantics().idempotency, Idempotency::NonIdempotent);
        assert_eq!(create.idempotency_key(), None);
        create.prepare(Seed::new([1; 16]));
        assert_eq!(create.semantics().idempotency, Idempotency::Idempotent);
        let saved = serde_json::to_value(CreateJob::new("dfl-1", JobOptions::default())).unwrap();
        let mut edited = saved.clone();
        edited["transaction_id"] = "".into();
        let loaded: CreateJob = serde_json::from_value(edited).unwrap();
        assert_eq!(loaded.semantics().idempotency, Idempotency::NonIdempotent);
    }

    #[test]
    fn validation_create_errors_name_field_and_can_be_disabled() {
        let options = JobOptions::default().webhook_configuration_ids(["1", "2", "3", "4", "5"]);
        let over = CreateJob::new("x".repeat(201), options).transaction_id("y".repeat(256));
        let error = over.build_request(&api()).unwrap_err();
        let fields: Vec<_> = error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect();
        assert_eq!(
            fields,
            [
                "file_input",
                "configuration",
                "transaction_id",
                "webhook_configuration_ids"
            ]
        );
        assert_eq!(error.operation(), Some("classify.create"));
        let unchecked = Api::builder("k").validate(false).build().unwrap();
        over.build_request(&unchecked).unwrap();
    }

    #[test]
    fn redact_create_webhook_secrets_in_debug_and_saved_state() {
        let options = documented().options.header("x-tenant", "canary0").webhook(
            WebhookConfiguration::new("https://example.com")
                .header("X-Token", "canary1")
                .signing_secret("canary2"),
        );
        let create = CreateJob::new("file_input", options);
        let request = create.build_request(&api()).unwrap();
        assert_eq!(request.headers()["x-tenant"], "canary0");
        let body = create
            .build_request(&api())
            .unwrap()
            .body()
            .in_memory()
            .unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains("canary1") && body.contains("canary2"));
        let saved = serde_json::to_string(&create).unwrap();
        assert!(
            !saved.contains("canary") && !format!("{create:?}").contains("canary"),
            "{saved}"
        );
        let mut loaded: CreateJob = serde_json::from_str(&saved).unwrap();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(
            error.to_string().contains("webhook_headers.X-Token"),
            "{error}"
        );
        loaded.options.webhook_configurations = None;
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(
            error.to_string().contains("headers[\"x-tenant\"]"),
            "{error}"
        );
        let mut loaded: CreateJob = serde_json::from_str(&saved).unwrap();
        loaded.options.call_options = CallOptions::new();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("webhook_configurations[0].webhook_headers.X-Token"),
            "{error}"
        );
    }
}
