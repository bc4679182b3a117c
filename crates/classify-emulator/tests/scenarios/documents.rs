//! Documents of every kind, readable and not.

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::{Value, json};

use crate::test_client::{Client, INVOICE, create_body, pdf, pdf_of};

fn started() -> (Emulator, Client) {
    let emulator =
        Emulator::start(Config::default().rate_limits(RateLimits::none())).expect("an emulator");
    let client = Client::new(&emulator);
    (emulator, client)
}

fn failure(job: &Value) -> String {
    assert_eq!(job["status"], "FAILED", "{job}");
    assert_eq!(job["result"], Value::Null);
    let message = job["error_message"].as_str().expect("a message");
    message.split(':').next().expect("a code").to_owned()
}

#[test]
fn document_of_every_text_format_is_classified() {
    let (_emulator, client) = started();
    let html = format!(
        "<html><style>.contract{{}}</style><script>contract</script><p>{INVOICE}</p></html>"
    );
    let json =
        json!({ "kind": "invoice", "amount due": 60, "terms": "payment in 30 days" }).to_string();
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(INVOICE.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let documents: Vec<(&str, Vec<u8>)> = vec![
        ("a.txt", INVOICE.into()),
        ("a.md", format!("# Invoice\n\n**{INVOICE}**").into()),
        ("a.html", html.into()),
        (
            "a.csv",
            "invoice;amount due;payment terms\n2041;60;30 days\n".into(),
        ),
        ("a.json", json.into()),
        ("a.pdf", pdf(&[INVOICE])),
        ("no-extension", INVOICE.into()),
        ("wide.txt", wide),
    ];
    for (name, bytes) in documents {
        let job = client.classified(name, &bytes);
        assert_eq!(job["status"], "COMPLETED", "{name}: {job}");
        assert_eq!(job["result"]["type"], "invoice", "{name}: {job}");
        let confidence = job["result"]["confidence"].as_f64().expect("a number");
        assert!((0.2..=1.0).contains(&confidence), "{name}: {confidence}");
        assert!(
            job["result"]["reasoning"]
                .as_str()
                .is_some_and(|r| r.contains("\"due\"")),
            "{name}: {job}"
        );
    }
}

#[test]
fn document_without_matching_rule_completes_with_no_match() {
    let (_emulator, client) = started();
    let job = client.classified(
        "soup.txt",
        b"Chop the onions, fry them in butter, add water and salt.",
    );
    assert_eq!(job["status"], "COMPLETED");
    assert_eq!(job["result"]["type"], Value::Null);
    assert!(job["result"]["reasoning"].is_string());
}

#[test]
fn document_that_is_unreadable_fails_job_with_reason() {
    let (_emulator, client) = started();
    let whole = pdf(&[INVOICE]);
    for (name, bytes, code) in [
        (
            "broken.pdf",
            b"%PDF-1.4 and nothing else".to_vec(),
            "PDF_IS_BROKEN",
        ),
        (
            "cut.pdf",
            whole[..whole.len() / 3].to_vec(),
            "PDF_IS_BROKEN",
        ),
        ("empty.pdf", pdf(&[""]), "NO_DATA_FOUND_IN_FILE"),
        (
            "protected.pdf",
            include_bytes!("protected.pdf").to_vec(),
            "PDF_IS_PROTECTED",
        ),
        ("blank.txt", b"  \n\t ".to_vec(), "NO_DATA_FOUND_IN_FILE"),
        (
            "photo.jpg",
            b"\xff\xd8\xff\xe0\x00\x10JFIF".to_vec(),
            "UNSUPPORTED_FILE_TYPE",
        ),
        (
            "letter.docx",
            b"PK\x03\x04".to_vec(),
            "UNSUPPORTED_FILE_TYPE",
        ),
    ] {
        let job = client.classified(name, &bytes);
        assert_eq!(failure(&job), code, "{name}: {job}");
    }
    let job = client.classified("good.txt", INVOICE.as_bytes());
    assert_eq!(
        job["result"]["type"], "invoice",
        "the server goes on: {job}"
    );
}

#[test]
fn pdf_corrupt_or_deeply_nested_still_ends_job() {
    let (_emulator, client) = started();
    let deep = format!(
        "%PDF-1.4\n1 0 obj\n{}\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "[".repeat(200_000)
    );
    let mut corrupted = pdf(&[INVOICE, "two"]);
    let mut seed = fastrand_like(11);
    let jobs: Vec<String> = (0..24)
        .map(|_| {
            for _ in 0..6 {
                let at = seed() % corrupted.len();
                corrupted[at] = u8::try_from(seed() % 256).expect("a byte");
            }
            client.create(&client.upload("bent.pdf", &corrupted))
        })
        .chain([client.create(&client.upload("deep.pdf", deep.as_bytes()))])
        .collect();
    for job in jobs {
        let job = client.ended(&job);
        assert!(
            matches!(job["status"].as_str(), Some("COMPLETED" | "FAILED")),
            "{job}"
        );
    }
}

#[test]
fn pdf_with_reference_cycle_fails_job() {
    let (_emulator, client) = started();
    let text = |text: &str| text.to_owned();
    let stream = |head: &str, content: &str| {
        format!(
            "<< {head} /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        )
    };
    let root = text("<< /Type /Catalog /Pages 2 0 R >>");
    let pages = text("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    let page = |rest: &str| format!("<< /Type /Page /Parent 2 0 R /Contents 4 0 R {rest} >>");
    let form = stream(
        "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >>",
        "/F Do",
    );
    let draws_itself = [
        root.clone(),
        pages.clone(),
        page("/Resources << /XObject << /F 5 0 R >> >>"),
        stream("", "/F Do"),
        form,
    ];
    let is_its_own_parent = [
        root.clone(),
        text("<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 2 0 R >>"),
        page(""),
        stream("", "BT (x) Tj ET"),
    ];
    let is_its_own_child = [root, text("<< /Type /Pages /Kids [2 0 R] /Count 1 >>")];
    let is_itself = [text("1 0 R")];
    for (name, objects) in [
        ("form.pdf", draws_itself.as_slice()),
        ("parent.pdf", &is_its_own_parent),
        ("child.pdf", &is_its_own_child),
        ("self.pdf", &is_itself),
    ] {
        let job = client.classified(name, &pdf_of(objects));
        assert_eq!(job["status"], "FAILED", "{name}: {job}");
    }
    let job = client.classified("good.pdf", &pdf(&[INVOICE]));
    assert_eq!(
        job["result"]["type"], "invoice",
        "the server goes on: {job}"
    );
}

/// A few repeatable numbers (Knuth's linear congruence), so that no run differs from another.
fn fastrand_like(seed: u64) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits")
    }
}

#[test]
fn page_selection_applies_to_pdf_pages() {
    let (_emulator, client) = started();
    let file = client.upload(
        "two.pdf",
        &pdf(&[
            "An agreement between the parties, with clauses and signatures",
            INVOICE,
            "Onions and butter",
        ]),
    );
    let classified = |parsing: Value| {
        let mut body = create_body(&file);
        body["configuration"]["parsing_configuration"] = parsing;
        let job = client.post("/api/v2/classify", &body).ok();
        client.ended(job["id"].as_str().expect("an id"))
    };
    assert_eq!(
        classified(json!({ "target_pages": "1" }))["result"]["type"],
        "contract"
    );
    assert_eq!(
        classified(json!({ "target_pages": "2-3" }))["result"]["type"],
        "invoice"
    );
    assert_eq!(
        classified(json!({ "max_pages": 1 }))["result"]["type"],
        "contract"
    );
    assert_eq!(
        classified(json!({ "target_pages": "2-3", "max_pages": 1 }))["result"]["type"],
        "invoice"
    );
    assert_eq!(
        classified(json!({ "target_pages": "3" }))["result"]["type"],
        Value::Null
    );
    assert_eq!(
        failure(&classified(json!({ "target_pages": "9" }))),
        "NO_DATA_FOUND_IN_FILE"
    );
}

#[test]
fn rules_in_german_match_german_document() {
    let (_emulator, client) = started();
    let file = client.upload(
        "brief.txt",
        "Rechnung Nr. 7: Gesamtbetrag 20 Euro, zahlbar in 14 Tagen".as_bytes(),
    );
    let job = client
        .post("/api/v2/classify", &json!({ "file_input": file, "configuration": {
            "rules": [
                { "type": "Rechnung", "description": "Rechnungen mit Betrag und Zahlungsziel" },
                { "type": "Vertrag", "description": "Verträge zwischen Parteien mit Unterschriften" },
            ],
            "parsing_configuration": { "lang": "de" } } }))
        .ok();
    let job = client.ended(job["id"].as_str().expect("an id"));
    assert_eq!(job["result"]["type"], "Rechnung", "{job}");
}

#[test]
fn page_selection_treats_text_document_as_one_page() {
    let (_emulator, client) = started();
    let file = client.upload("bill.txt", INVOICE.as_bytes());
    let classified = |pages: &str| {
        let mut body = create_body(&file);
        body["configuration"]["parsing_configuration"] = json!({ "target_pages": pages });
        let job = client.post("/api/v2/classify", &body).ok();
        client.ended(job["id"].as_str().expect("an id"))
    };
    assert_eq!(classified("1-2")["result"]["type"], "invoice");
    assert_eq!(failure(&classified("2")), "NO_DATA_FOUND_IN_FILE");
}

#[test]
fn job_does_not_end_before_its_document_is_read() {
    let max_concurrency = std::time::Duration::ZERO;
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .running_after(max_concurrency)
        .completed_after(max_concurrency);
    let emulator = Emulator::start(config).expect("an emulator");
    let client = Client::new(&emulator);
    let long = format!("{INVOICE}\n").repeat(60_000);
    // The first look comes long before the reading is done, and must not find an end without a result.
    let job = client.classified("long.txt", long.as_bytes());
    assert_eq!(job["result"]["type"], "invoice", "{job}");
}
