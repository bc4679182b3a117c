//! `POST /api/v1/classifier/jobs`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::webhook::WireWebhook;
use super::{Job, Mode, ParsingConfiguration, ROUTE, Rule, WebhookConfiguration};
use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::semantics::{RateClass, ReservedField, Semantics};
use crate::text::id::{find_job_id, is_uuid};
use crate::text::json::read_json;
use crate::validation::ValidationErrors;

/// Maximum number of files of a job.
const MAX_FILES: usize = 500;

/// Creates a v1 job: up to 500 files, classified with the same rules. Deprecated, like all of [`v1`](super).
///
/// v1 has no transaction ids, so a second create is a second job and is charged again. A create is repeated only if the
/// service provably did not act: no connection was made, or the request was rejected. Any other failure is
/// [`is_ambiguous`](Error::is_ambiguous); [`machine::Reconcile`](crate::machine::Reconcile) then finds the job before
/// anything is sent again.
///
/// ```
/// use classify_proto::v1::{CreateJob, Rule};
///
/// let rule = Rule::new("invoice", "has an invoice number and a total amount");
/// let create = CreateJob::new(["182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"], [rule]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateJob {
    /// The ids of the files, 1 to 500.
    pub file_ids: Vec<String>,
    /// The rules, at least one.
    pub rules: Vec<Rule>,
    /// The mode; the service's default (FAST) if `None`.
    pub mode: Option<Mode>,
    /// The pages to parse and the language; the service's defaults if `None`.
    pub parsing_configuration: Option<ParsingConfiguration>,
    /// Webhooks to notify.
    pub webhook_configurations: Option<Vec<WebhookConfiguration>>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl CreateJob {
    /// Creates the operation for 1 to 500 files and at least one rule.
    #[must_use]
    pub fn new<S: Into<String>>(
        file_ids: impl IntoIterator<Item = S>,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Self {
        Self {
            file_ids: file_ids.into_iter().map(Into::into).collect(),
            rules: rules.into_iter().collect(),
            mode: None,
            parsing_configuration: None,
            webhook_configurations: None,
            scope: Scope::default(),
        }
    }

    scope_setters!();

    /// Sets how the documents are parsed. Default: FAST.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<Mode>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// Sets the pages to parse and the language.
    #[must_use]
    pub fn parsing_configuration(mut self, parsing: ParsingConfiguration) -> Self {
        self.parsing_configuration = Some(parsing);
        self
    }

    /// Adds a webhook to notify.
    #[must_use]
    pub fn webhook(mut self, webhook: WebhookConfiguration) -> Self {
        self.webhook_configurations
            .get_or_insert_default()
            .push(webhook);
        self
    }

    /// Returns the webhooks that are notified.
    #[must_use]
    pub fn webhooks(&self) -> &[WebhookConfiguration] {
        self.webhook_configurations.as_deref().unwrap_or_default()
    }

    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }

    /// Whether a job may be the one that this create made, judged by all fields of a job. A job does not name its
    /// files.
    pub(crate) fn could_have_created(&self, job: &Job) -> bool {
        let same = |left: &str, right: &str| left.trim() == right.trim();
        let rules = job.rules.as_ref().is_none_or(|made| {
            made.len() == self.rules.len()
                && self.rules.iter().zip(made).all(|(asked, made)| {
                    same(&asked.r#type, &made.r#type) && same(&asked.description, &made.description)
                })
        });
        let mode = job
            .mode
            .as_ref()
            .is_none_or(|made| *made == *self.mode.as_ref().unwrap_or(&Mode::Fast));
        let parsing = job.parsing_configuration.as_ref().is_none_or(|made| {
            self.parsing_configuration
                .as_ref()
                .unwrap_or(&ParsingConfiguration::default())
                .agrees_with(made)
        });
        rules && mode && parsing
    }
}

#[derive(Serialize)]
struct CreateJobBody<'a> {
    file_ids: &'a [String],
    rules: &'a [Rule],
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'a Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parsing_configuration: Option<&'a ParsingConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_configurations: Option<Vec<WireWebhook<'a>>>,
}

impl Operation for CreateJob {
    type Output = Job;

    fn name(&self) -> &'static str {
        "classifier.jobs.create"
    }

    fn semantics(&self) -> Semantics<Self> {
        // `Reconcile` finds a lost job by these fields.
        Semantics::non_idempotent()
            .rate_class(RateClass::Create)
            .reserved_fields(
                const {
                    &[
                        ReservedField::new("file_ids", "CreateJob::new"),
                        ReservedField::new("rules", "CreateJob::new"),
                        ReservedField::new("mode", "CreateJob::mode"),
                        ReservedField::new(
                            "parsing_configuration",
                            "CreateJob::parsing_configuration",
                        ),
                    ]
                },
            )
    }

    fn secrets(&self) -> Vec<String> {
        let webhooks = self.webhook_configurations.iter().flatten();
        webhooks.flat_map(WebhookConfiguration::secrets).collect()
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        match self.file_ids.len() {
            0 => errors.add("file_ids", "is empty; 1 to 500 files are required"),
            files if files > MAX_FILES => errors.add(
                "file_ids",
                format!("has {files} items; 1 to {MAX_FILES} files are allowed"),
            ),
            _ => {}
        }
        for (index, id) in self.file_ids.iter().enumerate() {
            if id.is_empty() {
                errors.add(format!("file_ids[{index}]"), "is empty");
            }
        }
        if self.rules.is_empty() {
            errors.add("rules", "is empty; at least one rule is required");
        }
        // Only the lengths are documented for v1; the service checks the characters of a type.
        for (index, rule) in self.rules.iter().enumerate() {
            errors.length(format_args!("rules[{index}].type"), &rule.r#type, 1, 50);
            errors.length(
                format_args!("rules[{index}].description"),
                &rule.description,
                10,
                2000,
            );
        }
        if let Some(parsing) = &self.parsing_configuration {
            parsing.collect_errors("parsing_configuration", &mut errors);
        }
        for (index, webhook) in self.webhooks().iter().enumerate() {
            webhook.collect_errors(&format!("webhook_configurations[{index}]"), &mut errors);
        }
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        let webhook_configurations = match &self.webhook_configurations {
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
        api.request(Method::POST, ROUTE)
            .scope(&self.scope)
            .json(&CreateJobBody {
                file_ids: &self.file_ids,
                rules: &self.rules,
                mode: self.mode.as_ref(),
                parsing_configuration: self.parsing_configuration.as_ref(),
                webhook_configurations,
            })
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Job, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        // A created job is not lost if other parts of the response are invalid.
        let id = error
            .raw_body()
            .filter(|_| error.is_decode())
            .and_then(|body| find_job_id(body, is_uuid));
        match id {
            Some(id) => error.with_job_id(id),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::examples;
    use crate::v2::examples::{api, ok};

    const FILE: &str = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e";

    fn documented() -> CreateJob {
        CreateJob::new(
            [FILE],
            [Rule::new(
                "invoice",
                "contains invoice number, line items, and total amount",
            )],
        )
    }

    fn fields(error: &Error) -> Vec<&str> {
        error
            .field_errors()
            .iter()
            .map(|found| &*found.field)
            .collect()
    }

    #[test]
    fn v1_create_request_matches_documented_example() {
        let request = documented().build_request(&api()).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "https://api.example/api/v1/classifier/jobs");
        let body: serde_json::Value =
            serde_json::from_slice(&request.body().in_memory().unwrap()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "file_ids": [FILE],
                "rules": [{"type": "invoice", "description": "contains invoice number, line items, and total amount"}],
            })
        );
        assert_eq!(documented().parse(ok(examples::JOB)).unwrap().id, FILE);
    }

    #[test]
    fn validation_v1_create_takes_1_to_500_files() {
        let of = |files: usize| {
            CreateJob::new((0..files).map(|n| n.to_string()), documented().rules)
                .build_request(&api())
        };
        of(1).unwrap();
        of(500).unwrap();
        for files in [0, 501] {
            let error = of(files).unwrap_err();
            assert!(error.is_invalid());
            assert_eq!(fields(&error), ["file_ids"]);
            assert_eq!(error.operation(), Some("classifier.jobs.create"));
        }
    }

    #[test]
    fn validation_v1_create_errors_name_field() {
        let create = CreateJob::new([""], [Rule::new("x".repeat(51), "short")])
            .parsing_configuration(ParsingConfiguration::new().max_pages(0).target_pages([]))
            .webhook(
                WebhookConfiguration::new("ftp://x")
                    .header("X-A", "a\r\nb")
                    .header("bad name", serde_json::json!(["a\nb"]))
                    .events(Vec::<String>::new()),
            );
        assert_eq!(
            fields(&create.build_request(&api()).unwrap_err()),
            [
                "file_ids[0]",
                "rules[0].type",
                "rules[0].description",
                "parsing_configuration.target_pages",
                "webhook_configurations[0].webhook_url",
                "webhook_configurations[0].webhook_headers.X-A",
                "webhook_configurations[0].webhook_headers.bad name",
                "webhook_configurations[0].webhook_events",
            ]
        );
        let error = CreateJob::new(["1"], []).build_request(&api()).unwrap_err();
        assert_eq!(fields(&error), ["rules"]);
    }

    #[test]
    fn redact_v1_create_webhook_secrets_in_debug_and_saved_state() {
        let create = documented().webhook(
            WebhookConfiguration::new("https://example.com")
                .header("X-A", serde_json::json!({"canary1": 1}))
                .signing_secret("canary2"),
        );
        let body = create
            .build_request(&api())
            .unwrap()
            .body()
            .in_memory()
            .unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains(r#""X-A":{"canary1":1}"#) && body.contains("canary2"));
        let saved = serde_json::to_string(&create).unwrap();
        assert!(!format!("{saved}{create:?}").contains("canary"), "{saved}");
        let loaded: CreateJob = serde_json::from_str(&saved).unwrap();
        let error = loaded.build_request(&api()).unwrap_err();
        assert!(error.to_string().contains("webhook_headers.X-A"), "{error}");
    }

    #[test]
    fn v1_create_job_is_compared_with_request() {
        let job: Job = serde_json::from_str(examples::JOB).unwrap();
        let parsing = ParsingConfiguration::new()
            .lang("af")
            .max_pages(0)
            .target_pages([0]);
        let asked = documented().parsing_configuration(parsing);
        assert!(asked.could_have_created(&job));
        assert!(!documented().could_have_created(&job));
        assert!(
            !asked
                .clone()
                .mode(Mode::Multimodal)
                .could_have_created(&job)
        );
        let other = CreateJob::new([FILE], [Rule::new("receipt", "contains a till number")]);
        assert!(!other.could_have_created(&job));
        let bare: Job = serde_json::from_str(r#"{"id":"1","status":"PENDING"}"#).unwrap();
        assert!(other.could_have_created(&bare));
    }

    #[test]
    fn v1_create_decode_error_keeps_job_id() {
        let error = documented().parse(ok(r#"{"id":"7"}"#)).unwrap_err();
        assert_eq!(error.job_id(), Some("7"));
        let cut = format!(r#"{{"project_id": "p", "id": "{FILE}", "sta"#);
        let error = documented().parse(ok(cut)).unwrap_err();
        assert_eq!(error.job_id(), Some(FILE));
        let error = documented()
            .parse(ok(r#"{"id": "182bd5e5-6e1a"#))
            .unwrap_err();
        assert_eq!(error.job_id(), None, "half an id is none");
        let error = documented()
            .parse(ok(r#"{"id": "of-something-else", "#))
            .unwrap_err();
        assert_eq!(error.job_id(), None);
    }
}
