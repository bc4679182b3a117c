//! Saved configurations and saved webhook configurations.

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, rules};

fn started() -> (Emulator, Client) {
    let emulator =
        Emulator::start(Config::default().rate_limits(RateLimits::none())).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn body(name: &str) -> Value {
    json!({ "name": name, "parameters": { "product_type": "classify_v2", "rules": rules() } })
}

const PATH: &str = "/api/v1/beta/configurations";

#[test]
fn configuration_is_upserted_by_name_and_product() {
    // Within one moment: versions differ all the same.
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .virtual_clock();
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    let first = client.post(PATH, &body("bills"));
    assert_eq!(first.status, 201);
    let first = first.json();
    assert!(
        first["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("cfg-"))
    );
    assert_eq!(first["product_type"], "classify_v2");
    let mut changed = body("bills");
    changed["parameters"]["rules"][0]["type"] = json!("bill");
    let second = client.post(PATH, &changed).ok();
    assert_eq!(
        second["id"], first["id"],
        "the same name and product: changed, not doubled"
    );
    assert_ne!(second["version"], first["version"]);
    let mut other = body("bills");
    other["parameters"] = json!({ "product_type": "extract_v2", "anything": [1] });
    assert_ne!(
        client.post(PATH, &other).ok()["id"],
        first["id"],
        "another product"
    );

    let id = first["id"].as_str().expect("an id");
    assert_eq!(
        client.get(&format!("{PATH}/{id}")).ok()["parameters"],
        changed["parameters"]
    );
    let renamed = client
        .put(
            &format!("{PATH}/{id}"),
            &json!({ "name": "letters", "parameters": null }),
        )
        .ok();
    assert_eq!(
        (&renamed["name"], &renamed["parameters"]),
        (&json!("letters"), &changed["parameters"])
    );
    assert_eq!(client.delete(&format!("{PATH}/{id}")).status, 204);
    assert_eq!(client.get(&format!("{PATH}/{id}")).status, 404);
    assert_eq!(client.put(&format!("{PATH}/{id}"), &json!({})).status, 404);
}

#[test]
fn configuration_list_supports_filters_and_pagination() {
    let (_emulator, client) = started();
    for name in ["a", "b", "c"] {
        client.post(PATH, &body(name)).ok();
    }
    let c = client
        .post(
            PATH,
            &json!({ "name": "c", "parameters": { "product_type": "parse_v2" } }),
        )
        .ok();
    let names = |query: &str| -> Vec<String> {
        let page = client.get(&format!("{PATH}?{query}")).ok();
        page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|i| i["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(""), ["c", "c", "b", "a"]);
    assert_eq!(names("name=b"), ["b"]);
    assert_eq!(names("product_type=classify_v2"), ["c", "b", "a"]);
    assert_eq!(
        names("product_type=classify_v2&product_type=parse_v2"),
        ["c", "c", "b", "a"]
    );
    assert_eq!(
        client
            .get(&format!("{PATH}?product_type=x"))
            .validation_errors(),
        ["query.product_type: enum"]
    );
    assert_eq!(
        client
            .get(&format!("{PATH}?latest_only=maybe"))
            .validation_errors(),
        ["query.latest_only: bool_parsing"]
    );
    client
        .put(
            &format!("{PATH}/{}", c["id"].as_str().expect("an id")),
            &json!({ "name": "d" }),
        )
        .ok();
    let b = client.get(&format!("{PATH}?name=b")).ok();
    client
        .put(
            &format!("{PATH}/{}", b["items"][0]["id"].as_str().expect("an id")),
            &json!({ "name": "a" }),
        )
        .ok();
    assert_eq!(
        names("latest_only=true"),
        ["d", "c", "a"],
        "of two with one name the newest"
    );
    let first = client.get(&format!("{PATH}?page_size=3")).ok();
    let token = first["next_page_token"].as_str().expect("a token");
    assert_eq!(names(&format!("page_size=3&page_token={token}")), ["a"]);
}

#[test]
fn configuration_passes_validation_and_is_copied_into_jobs() {
    let (_emulator, client) = started();
    let errors = |body: Value| client.post(PATH, &body).validation_errors();
    assert_eq!(
        errors(json!({})),
        ["body.name: missing", "body.parameters: missing"]
    );
    assert_eq!(
        errors(json!({ "name": "", "parameters": { "product_type": "x" } })),
        [
            "body.name: string_too_short",
            "body.parameters.product_type: union_tag_invalid"
        ]
    );
    assert_eq!(
        errors(json!({ "name": "a", "parameters": { "product_type": "classify_v2" } })),
        ["body.parameters.rules: missing"]
    );

    let saved = client.post(PATH, &body("bills")).ok();
    let parse = client
        .post(
            PATH,
            &json!({ "name": "p", "parameters": { "product_type": "parse_v2" } }),
        )
        .ok();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let create = |id: &Value| {
        client.post(
            "/api/v2/classify",
            &json!({ "file_input": file, "configuration_id": id }),
        )
    };
    let job = create(&saved["id"]).ok();
    assert_eq!(
        job["configuration"]["rules"],
        rules(),
        "the configuration is shown in the job"
    );
    assert_eq!(job["configuration_id"], saved["id"]);
    client.delete(&format!("{PATH}/{}", saved["id"].as_str().expect("an id")));
    assert_eq!(
        client.ended(job["id"].as_str().expect("an id"))["result"]["type"],
        "invoice",
        "a copy was used"
    );
    assert_eq!(create(&parse["id"]).status, 400, "of another product");
    assert_eq!(create(&saved["id"]).status, 404, "deleted");
}

#[test]
fn webhook_configuration_crud_hides_signing_secret() {
    let (_emulator, client) = started();
    let path = "/api/v1/beta/webhook-configs";
    let created = client.post(path, &json!({ "webhook_url": "https://example.test/x", "webhook_signing_secret": "s3cret",
        "webhook_events": ["classify.success"], "webhook_headers": { "x-a": "b" }, "webhook_output_format": "json" }));
    assert_eq!(created.status, 201);
    assert!(!created.text.contains("s3cret"));
    let created = created.json();
    assert_eq!(
        (&created["has_secret"], &created["tenant_type"]),
        (&json!(true), &json!("project"))
    );
    assert_eq!(created["webhook_headers"], json!({ "x-a": "********" }));
    let one = format!("{path}/{}", created["id"].as_str().expect("an id"));
    assert_eq!(client.get(&one).ok(), created);
    let updated = client
        .put(
            &one,
            &json!({ "webhook_events": null, "webhook_output_format": "string" }),
        )
        .ok();
    assert_eq!(
        (&updated["webhook_events"], &updated["webhook_url"]),
        (&Value::Null, &created["webhook_url"])
    );
    assert_eq!(
        client
            .put(&one, &json!({ "webhook_events": [] }))
            .validation_errors(),
        ["body.webhook_events: too_short"]
    );
    assert_eq!(
        client
            .post(path, &json!({ "webhook_url": "x" }))
            .validation_errors(),
        ["body.webhook_url: value_error"]
    );
    assert_eq!(
        client
            .post(
                path,
                &json!({ "webhook_url": "http://x", "webhook_output_format": "xml" })
            )
            .validation_errors(),
        ["body.webhook_output_format: enum"]
    );

    let second = client
        .post(path, &json!({ "webhook_url": "http://example.test/y" }))
        .ok();
    let list = client.get(path).ok();
    assert_eq!(
        list[0]["id"], second["id"],
        "a bare array, newest first: {list}"
    );
    let page = client
        .get("/api/v2/webhook-configs?page_size=1&include_total=true")
        .ok();
    assert_eq!(
        (&page["total_size"], &page["items"][0]["id"]),
        (&json!(2), &second["id"])
    );
    let token = page["next_page_token"].as_str().expect("a token");
    let next = client
        .get(&format!(
            "/api/v2/webhook-configs?page_size=1&page_token={token}"
        ))
        .ok();
    assert_eq!(
        (&next["items"][0]["id"], &next["total_size"]),
        (&created["id"], &Value::Null)
    );
    assert_eq!(client.delete(&one).status, 204);
    assert_eq!(client.get(&one).status, 404);
}

#[test]
fn pagination_page_size_below_1_is_refused_on_every_list() {
    let (_emulator, client) = started();
    for list in [
        "/api/v2/classify",
        "/api/v1/classifier/jobs",
        "/api/v1/beta/files",
        "/api/v1/beta/configurations",
        "/api/v1/beta/webhook-configs",
        "/api/v2/webhook-configs",
    ] {
        for size in ["0", "-1"] {
            assert_eq!(
                client
                    .get(&format!("{list}?page_size={size}"))
                    .validation_errors(),
                ["query.page_size: greater_than_equal"],
                "{list}"
            );
        }
        assert_eq!(client.get(&format!("{list}?page_size=1")).status, 200);
    }
    for size in [0, -1] {
        assert_eq!(
            client
                .post("/api/v1/beta/files/query", &json!({ "page_size": size }))
                .validation_errors(),
            ["body.page_size: greater_than_equal"]
        );
    }
}
