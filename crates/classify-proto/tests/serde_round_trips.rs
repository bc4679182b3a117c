//! Every object of the service keeps its known fields, unknown fields and unknown enum values. A field that is missing,
//! null or of a wrong type does not affect other fields.

use classify_proto::configurations::SavedConfiguration;
use classify_proto::webhooks::{Event, SavedWebhook};
use classify_proto::{Bytes, Error, Operation, configurations, files, http, v1, v2, webhooks};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The change to one field of the JSON object.
#[derive(Debug, Clone)]
enum Fate {
    Kept,
    Missing,
    Null,
    /// Replaced by an unknown enum value; only for fields that are enums.
    NewWord(String),
    /// Replaced by a value of another type, which is kept as it came.
    WrongType(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Kept),
        1 => Just(Fate::Missing),
        1 => Just(Fate::Null),
        1 => "[A-Z_a-z.]{1,9}".prop_map(Fate::NewWord),
        1 => (0usize..6).prop_map(Fate::WrongType),
    ]
}

/// A value of another type than the given one.
fn other_type(than: &Value, pick: usize) -> Value {
    let values = [
        json!(7.5),
        json!(true),
        json!("?"),
        json!([1, null]),
        json!({"a": {"b": 1}}),
        json!(-1),
    ];
    let differs = |value: &&Value| std::mem::discriminant(*value) != std::mem::discriminant(than);
    let (before, after) = values.split_at(pick);
    let mut others = after.iter().chain(before).filter(differs);
    others.next().unwrap().clone()
}

/// Fates for as many fields as any example has, and fields of tomorrow.
fn changes() -> impl Strategy<Value = (Vec<Fate>, Map<String, Value>)> {
    let value = prop_oneof![
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        Just(json!({"x": [null, 1.5]})),
        Just(Value::Null),
    ];
    let new = proptest::collection::btree_map("new_[a-z]{1,5}", value, 0..4);
    (
        proptest::collection::vec(fate(), 20),
        new.prop_map(|fields| fields.into_iter().collect()),
    )
}

/// One kind of object: what it needs, and where words stand that may be new.
struct Kind<'a> {
    example: Value,
    required: &'a [&'a str],
    words: &'a [&'a str],
    /// Not written back as they came.
    secret: &'a [&'a str],
}

/// `read` reads an answer as the operation does that has it.
fn check<T: Serialize + DeserializeOwned>(
    kind: &Kind<'_>,
    (fates, new): &(Vec<Fate>, Map<String, Value>),
    read: impl Fn(Bytes) -> Result<T, Error>,
) {
    let read = |value: &Value| read(value.to_string().into());
    let mut plain = true;
    let mut given = kind.example.as_object().unwrap().clone();
    let mut expected = given.clone();
    for (fate, name) in fates.iter().zip(kind.example.as_object().unwrap().keys()) {
        let needed = kind.required.contains(&&**name);
        match fate {
            Fate::Missing if !needed => {
                given.remove(name);
                expected.remove(name);
            }
            Fate::Null if !needed => {
                given.insert(name.clone(), Value::Null);
                expected.remove(name);
            }
            Fate::NewWord(word) if kind.words.contains(&&**name) => {
                given.insert(name.clone(), json!(word));
                expected.insert(name.clone(), json!(word));
            }
            Fate::WrongType(pick) if !needed => {
                let value = other_type(&kind.example[name], *pick);
                given.insert(name.clone(), value.clone());
                expected.insert(name.clone(), value);
                plain = false;
            }
            _ => {}
        }
    }
    given.extend(new.clone());
    expected.extend(new.clone());

    let given_value = Value::Object(given.clone());
    let first = read(&given_value).unwrap();
    let mut written = serde_json::to_value(&first).unwrap();
    let again = read(&written).unwrap();
    if plain {
        let by_serde: T = serde_json::from_value(given_value).unwrap();
        assert_eq!(serde_json::to_value(&by_serde).unwrap(), written);
    }
    assert_eq!(serde_json::to_value(&again).unwrap(), written);
    for name in kind.secret {
        expected.remove(*name);
        written.as_object_mut().unwrap().remove(*name);
    }
    assert_eq!(written, Value::Object(expected));

    for name in kind.required {
        for without in [None, Some(Value::Null)] {
            let mut given = given.clone();
            given.remove(*name);
            given.extend(without.map(|null| ((*name).to_owned(), null)));
            assert!(read(&Value::Object(given)).is_err(), "{name}");
        }
        let mut given = given.clone();
        given.insert((*name).to_owned(), json!({"of": "another type"}));
        assert!(read(&Value::Object(given)).is_err(), "{name}");
    }
}

const TIME: &str = "2019-12-27T18:11:19.117Z";

fn v2_job() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "id",
            "configuration": {
                "rules": [{"description": "contains invoice number, line items, and total amount", "type": "invoice"}],
                "mode": "FAST",
                "parsing_configuration": {"lang": "en", "max_pages": 10, "target_pages": "1,3,5-7"},
            },
            "document_input_type": "url", "file_input": "file_input", "project_id": "project_id",
            "status": "PENDING", "user_id": "user_id", "configuration_id": "configuration_id",
            "created_at": TIME, "error_message": "error_message", "parse_job_id": "parse_job_id",
            "result": {"confidence": 0.0, "reasoning": "reasoning", "type": "type"},
            "transaction_id": "transaction_id", "updated_at": TIME,
            "usage": {"credits": 1.5, "parse_credits": 2.0},
        }),
        required: &["id", "status"],
        words: &["status", "document_input_type", "created_at", "file_input"],
        secret: &[],
    }
}

fn v1_job() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "project_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "rules": [{"description": "contains invoice number, line items, and total amount", "type": "invoice"}],
            "status": "PENDING", "user_id": "user_id", "created_at": TIME, "effective_at": TIME,
            "error_message": "error_message", "job_record_id": "job_record_id", "mode": "FAST",
            "parsing_configuration": {"lang": "af", "max_pages": 0, "target_pages": [0]}, "updated_at": TIME,
        }),
        required: &["id", "status"],
        words: &["status", "mode", "created_at", "effective_at"],
        secret: &[],
    }
}

fn v1_result() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "classify_job_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "created_at": TIME, "file_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
            "result": {"confidence": 0.0, "reasoning": "reasoning", "type": "type"}, "updated_at": TIME,
        }),
        required: &["id"],
        words: &["created_at", "updated_at"],
        secret: &[],
    }
}

fn file() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "dfl-1", "name": "invoice.pdf", "project_id": "p", "external_file_id": "ext-1", "file_type": "pdf",
            "last_modified_at": TIME, "expires_at": TIME, "purpose": "classify",
            "download_url": {"url": "https://s.example/a?b=c", "expires_at": TIME},
        }),
        required: &["id"],
        words: &["purpose", "file_type", "expires_at"],
        secret: &[],
    }
}

fn presigned_url() -> Kind<'static> {
    Kind {
        example: json!({"url": "https://s.example/a?b=c", "expires_at": TIME, "form_fields": {"a": "b"}}),
        required: &["url"],
        words: &["expires_at", "url"],
        secret: &["form_fields"],
    }
}

fn saved_configuration() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "cfg-1", "name": "preset one", "product_type": "classify_v2", "version": TIME,
            "parameters": {"product_type": "classify_v2", "rules": [{"type": "a", "description": "b"}], "mode": "FAST"},
            "created_at": TIME, "updated_at": TIME,
        }),
        required: &["id"],
        words: &["product_type", "version", "created_at"],
        secret: &[],
    }
}

fn saved_webhook() -> Kind<'static> {
    Kind {
        example: json!({
            "id": "whc-1", "tenant_type": "project", "tenant_id": "p", "webhook_url": "https://example.com",
            "has_secret": true, "webhook_headers": {"X-A": "b"}, "webhook_events": ["classify.success", "of.tomorrow"],
            "webhook_output_format": "json", "created_at": TIME, "updated_at": TIME,
        }),
        required: &["id"],
        words: &["tenant_type", "webhook_output_format", "updated_at"],
        secret: &["webhook_headers"],
    }
}

fn event() -> Kind<'static> {
    Kind {
        example: json!({
            "event_id": "1", "event_type": "classify.success", "timestamp": 1_577_470_279.117,
            "data": {"id": "clj-1", "job_id": "clj-1"},
        }),
        required: &["event_type"],
        words: &["event_type", "event_id"],
        secret: &[],
    }
}

fn deleted() -> Kind<'static> {
    Kind {
        example: json!({"id": "clj-1", "project_id": "p"}),
        required: &["id"],
        words: &[],
        secret: &[],
    }
}

/// A saved operation is the same operation: it builds the same request.
fn same_after_saving<O>(operation: &O)
where
    O: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let saved = serde_json::to_string(operation).unwrap();
    assert_eq!(
        &serde_json::from_str::<O>(&saved).unwrap(),
        operation,
        "{saved}"
    );
}

proptest! {
    #[test]
    fn round_trip_of_every_object_keeps_all_fields(changes in changes()) {
        fn by<O: Operation>(operation: O) -> impl Fn(Bytes) -> Result<O::Output, Error> {
            move |body| operation.parse(http::Response::new(body))
        }
        const UUID: &str = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e";
        let of_job = by(v1::GetJobResults::new(UUID));
        let result = |body: Bytes| {
            let page = format!(r#"{{"items":[{}]}}"#, std::str::from_utf8(&body).unwrap());
            of_job(page.into()).map(|mut page| page.items.remove(0))
        };
        check::<v2::Job>(&v2_job(), &changes, by(v2::GetJob::new("id")));
        check::<v1::Job>(&v1_job(), &changes, by(v1::GetJob::new(UUID)));
        check::<v1::FileResult>(&v1_result(), &changes, result);
        check::<files::File>(&file(), &changes, by(files::GetFile::new("dfl-1")));
        check::<files::PresignedUrl>(&presigned_url(), &changes, by(files::GetFileContent::new("dfl-1")));
        check::<SavedConfiguration>(&saved_configuration(), &changes, by(configurations::GetConfiguration::new("cfg-1")));
        check::<SavedWebhook>(&saved_webhook(), &changes, by(webhooks::GetWebhookConfiguration::new("whc-1")));
        check::<Event>(&event(), &changes, |body| Event::parse(&body));
        check::<v2::Deleted>(&deleted(), &changes, by(v2::DeleteJob::new("clj-1")));
    }

    #[test]
    fn saved_state_of_every_operation_round_trips(
        id in ".{1,8}", other in proptest::option::of(".{0,8}"), number in proptest::option::of(1u32..9), word in "[a-zA-Z_]{1,8}",
        many in proptest::collection::vec(".{0,5}", 0..3),
    ) {
        let rule = v2::Rule::new(&*id, &*word);
        let rules = v2::Configuration::new([rule.clone()]).mode(word.as_str().into());
        let mut parsing = v1::ParsingConfiguration::new().lang(&*word);
        parsing.max_pages = number.into();
        parsing.target_pages = number.map(|page| vec![page]);
        let mut list = files::ListFiles::new().file_ids(many.clone()).order_by(&*word);
        let mut saved = classify_proto::configurations::ListConfigurations::new().product_type(&*word);
        let mut update = classify_proto::configurations::UpdateConfiguration::new(&*id).parameters(rules.clone());
        if let Some(other) = &other {
            list = list.external_file_id(other).project(other).page_token(other);
            saved = saved.name(other).latest_only(true);
            update = update.name(other);
        }
        same_after_saving(&v2::CreateJob::new(&*id, v2::JobOptions::from(rules.clone()).webhook_configuration_ids(many.clone()).retry_failed()));
        same_after_saving(&v2::GetJob::new(&*id).expand(&*word));
        same_after_saving(&v2::ListJobs::new().status(&*word).job_ids(many.clone()));
        same_after_saving(&v1::CreateJob::new(many.clone(), [rule]).mode(&*word).parsing_configuration(parsing));
        same_after_saving(&v1::GetJob::new(&*id));
        same_after_saving(&v1::ListJobs::new().page_token(&*id));
        same_after_saving(&v1::GetJobResults::new(&*id).page_token(&*word));
        same_after_saving(&list);
        same_after_saving(&files::GetFile::new(&*id).expand(&*word));
        same_after_saving(&files::GetFileContent::new(&*id).expires_at_seconds(7));
        same_after_saving(&files::DeleteFile::new(&*id));
        same_after_saving(&files::QueryFiles::new().order_by(&*word));
        same_after_saving(&classify_proto::configurations::CreateConfiguration::new(&*id, rules));
        same_after_saving(&saved);
        same_after_saving(&update);
        let events = [word.as_str().into()];
        same_after_saving(&classify_proto::webhooks::CreateWebhookConfiguration::new(&*id).events(events).output_format(&*word));
        same_after_saving(&classify_proto::webhooks::ListWebhookConfigurations::new().page_token(&*id).include_total(true));
        same_after_saving(&classify_proto::CallOptions::new().query(&*word, &*id).body_field(&*word, number));
    }
}
