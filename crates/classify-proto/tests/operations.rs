//! No parser panics: every response becomes an output or an error.

use classify_proto::{
    Bytes, Idempotency, Operation, RawOperation, Recovery, Seed, configurations, files, http, v1,
    v2, webhooks,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Placeholder for a key, a secret or a document's text in a response.
const CANARY: &str = "canary-5b1f";

/// Parses an answer with every operation there is.
fn parse_with_all(status: u16, body: &Bytes) {
    let rule = v2::Rule::new("invoice", "contains an invoice number");
    let rules = v2::Configuration::new([rule.clone()]);
    macro_rules! all {
        ($($operation:expr),+ $(,)?) => { $( {
            let operation = $operation;
            let response = http::Response::builder().status(status).body(body.clone()).unwrap();
            if let Err(error) = operation.parse(response) {
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(one) = cause {
                    let shown = format!("{one} {one:?}");
                    assert!(!shown.contains('\n'), "{shown}");
                    assert!(!shown.contains(CANARY), "{shown}");
                    cause = one.source();
                }
                if let Recovery::Verify(verification) = operation.semantics().recovery {
                    let _ = (verification.applies_to)(&error);
                }
            }
        } )+ };
    }
    all!(
        v2::CreateJob::new("dfl-1", rules.clone()),
        v2::ListJobs::new(),
        v2::GetJob::new("1"),
        v2::CancelJob::new("1"),
        v2::DeleteJob::new("1"),
        v1::CreateJob::new(["1"], [rule]),
        v1::ListJobs::new(),
        v1::GetJob::new("1"),
        v1::GetJobResults::new("1"),
        files::UploadFile::new("a.txt", b"x".to_vec()),
        files::ListFiles::new(),
        files::GetFile::new("1"),
        files::GetFileContent::new("1"),
        files::DeleteFile::new("1"),
        files::QueryFiles::new(),
        configurations::CreateConfiguration::new("n", rules),
        configurations::GetConfiguration::new("1"),
        configurations::UpdateConfiguration::new("1"),
        configurations::ListConfigurations::new(),
        configurations::DeleteConfiguration::new("1"),
        webhooks::CreateWebhookConfiguration::new("https://example.com"),
        webhooks::GetWebhookConfiguration::new("1"),
        webhooks::UpdateWebhookConfiguration::new("1"),
        webhooks::ListWebhookConfigurations::new(),
        webhooks::ListAllWebhookConfigurations::new(),
        webhooks::DeleteWebhookConfiguration::new("1"),
        RawOperation::new(http::Method::GET, "/x", Idempotency::Safe),
    );
}

/// JSON that has the service's names with values of any type, so that every field meets every wrong one.
fn near_misses() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        Just(json!("classify_v2")),
        Just(json!("COMPLETED")),
        Just(json!("2019-12-27T18:11:19.117Z")),
    ];
    any_with(leaf.boxed())
}

/// The same with words in it that no error may repeat. Under the names below a service puts what it means to say.
fn secretive() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(CANARY)), Just(json!(1)), Just(Value::Null)];
    any_with(leaf.boxed()).prop_filter("it says so itself", |value| !is_said(value, false))
}

/// Whether the canary stands where a service says what is wrong, or whose the answer is.
fn is_said(value: &Value, output: bool) -> bool {
    match value {
        Value::String(text) => output && text == CANARY,
        Value::Array(items) => items.iter().any(|item| is_said(item, output)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let says = ["detail", "msg", "loc", "id", "classify_job_id"].contains(&&**name);
            is_said(value, output || says)
        }),
        _ => false,
    }
}

fn any_with(leaf: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let names = proptest::sample::select(
        &[
            "id",
            "status",
            "items",
            "next_page_token",
            "total_size",
            "result",
            "type",
            "confidence",
            "configuration",
            "rules",
            "description",
            "parsing_configuration",
            "lang",
            "max_pages",
            "target_pages",
            "created_at",
            "expires_at",
            "parameters",
            "product_type",
            "version",
            "url",
            "form_fields",
            "webhook_headers",
            "webhook_events",
            "has_secret",
            "event_type",
            "event_id",
            "timestamp",
            "data",
            "job_id",
            "usage",
            "credits",
            "detail",
            "loc",
            "msg",
            "file_input",
        ][..],
    );
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn parse_of_any_bytes_does_not_panic(status in 200u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse_with_all(status, &body.into());
    }

    #[test]
    fn parse_of_any_json_with_known_fields_does_not_panic(status in prop_oneof![Just(200u16), Just(422), 200u16..600], body in near_misses()) {
        let body = Bytes::from(body.to_string());
        parse_with_all(status, &body);
        let _ = webhooks::Event::parse(&body);
        let wrapped = serde_json::to_string(std::str::from_utf8(&body).unwrap()).unwrap();
        let _ = webhooks::Event::parse(wrapped.as_bytes());
    }

    #[test]
    fn redact_response_content_in_parse_errors(status in prop_oneof![Just(200u16), Just(422), 200u16..600], body in secretive()) {
        // A text alone is what a service says.
        prop_assume!(!body.is_string());
        parse_with_all(status, &Bytes::from(body.to_string()));
        if let Err(error) = webhooks::Event::parse(body.to_string().as_bytes()) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(CANARY), "{}", shown);
        }
    }
}

/// An id that could be read as more than one segment, or as none, in every operation that has one.
#[test]
fn url_id_is_encoded_as_one_segment_in_every_operation() {
    let api = classify_proto::Api::builder("k")
        .base_url("https://service.example/p")
        .build()
        .unwrap();
    macro_rules! every {
        ($id:expr) => {
            [
                v2::GetJob::new($id).build_request(&api),
                v2::CancelJob::new($id).build_request(&api),
                v2::DeleteJob::new($id).build_request(&api),
                v1::GetJob::new($id).build_request(&api),
                v1::GetJobResults::new($id).build_request(&api),
                files::GetFile::new($id).build_request(&api),
                files::GetFileContent::new($id).build_request(&api),
                files::DeleteFile::new($id).build_request(&api),
                configurations::GetConfiguration::new($id).build_request(&api),
                configurations::UpdateConfiguration::new($id).build_request(&api),
                configurations::DeleteConfiguration::new($id).build_request(&api),
                webhooks::GetWebhookConfiguration::new($id).build_request(&api),
                webhooks::UpdateWebhookConfiguration::new($id).build_request(&api),
                webhooks::DeleteWebhookConfiguration::new($id).build_request(&api),
                RawOperation::new(http::Method::GET, "/x", Idempotency::Safe)
                    .segment($id)
                    .build_request(&api),
            ]
        };
    }
    let plain: Vec<_> = every!("1")
        .into_iter()
        .map(|request| request.unwrap().uri().path().matches('/').count())
        .collect();
    for id in [
        "a/b", "../../x", "a b", "a?b=c", "a#b", "%2e%2e", "a\\b", "ünï",
    ] {
        for (request, slashes) in every!(id).into_iter().zip(&plain) {
            let request = request.unwrap();
            assert_eq!(
                request.uri().path().matches('/').count(),
                *slashes,
                "{}",
                request.uri()
            );
            assert_eq!(request.uri().query(), None);
            assert_eq!(request.uri().host(), Some("service.example"));
        }
    }
    for id in ["", ".", ".."] {
        for request in every!(id) {
            assert!(request.unwrap_err().is_invalid());
        }
    }
}

/// A prepared operation builds the same request twice: nothing in it depends on when or how often it is asked.
#[test]
fn upload_request_built_twice_is_identical() {
    let api = classify_proto::Api::builder("k").build().unwrap();
    let mut upload = files::UploadFile::new("a.txt", b"x".to_vec());
    upload.prepare(Seed::new([1; 16]));
    let body = |request: http::Request<classify_proto::Body>| request.body().in_memory().unwrap();
    assert_eq!(
        body(upload.build_request(&api).unwrap()),
        body(upload.build_request(&api).unwrap())
    );
}
