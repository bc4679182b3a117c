//! Documents of object stores, classified by both clients.

mod support;

use std::io::{self, Read as _};
use std::sync::Arc;

use classify_client::SkipReason;
use classify_object_store::{ObjectEntry, ObjectUrl, Stores};
use classify_proto::machine::{ContentKey, HashedDocument, RunEnd, Summary};
use classify_proto::v2::{Configuration, Rule};
use classify_proto::{Body, ErrorCode};
use classify_ureq::{Client, Document, Finished};
use support::{Fault, TestStore};

fn url(text: &str) -> ObjectUrl {
    text.parse().unwrap()
}

fn stores(store: &Arc<TestStore>) -> Stores {
    let store = Arc::clone(store);
    Stores::from_env()
        .unwrap()
        .with_store(&url("s3://bucket"), store)
}

fn rules() -> Configuration {
    Configuration::new([Rule::new("invoice", "An invoice with a total")])
}

struct Service {
    emulator: classify_emulator::Emulator,
    client: Client,
    folder: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let emulator = classify_emulator::Emulator::start(classify_emulator::Config::default());
        let emulator = emulator.unwrap();
        let api = classify_ureq::Api::builder(emulator.key())
            .base_url(emulator.base_url())
            .build()
            .unwrap();
        Self {
            client: Client::new(api).limiter(classify_proto::machine::Limiter::unlimited()),
            emulator,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Classifies what is below `s3://bucket/inbox`, with a journal.
    fn run(&self, stores: &Stores) -> (Vec<Finished>, Summary) {
        let documents = stores.list(&url("s3://bucket/inbox")).unwrap().documents();
        let journal = self.folder.path().join("run.journal");
        let mut run = self
            .client
            .bulk(rules())
            .journal(journal)
            .run_ahead(documents)
            .unwrap();
        let mut finished: Vec<_> = run.by_ref().collect();
        finished.sort_by_key(Finished::position);
        (finished, run.into_summary().unwrap())
    }
}

fn invoice(number: usize) -> Vec<u8> {
    format!("Invoice {number} with a total of {number} EUR").into_bytes()
}

#[test]
fn object_is_read_twice_and_not_again_after_resume() {
    let store = TestStore::new();
    for number in 0..20 {
        store.put(&format!("inbox/{number:02}.txt"), invoice(number));
    }
    store.put("inbox/sub/copy.txt", invoice(0));
    store.put("elsewhere/x.txt", invoice(99));
    let (service, stores) = (Service::start(), stores(&store));
    let (finished, _) = service.run(&stores);
    assert_eq!(finished.len(), 21);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!(finished[20].name(), "s3://bucket/inbox/sub/copy.txt");
    assert_eq!(service.emulator.job_count(), 20);
    // The copy is not uploaded. Each upload asks for the version that was hashed.
    assert_eq!((store.gets(), store.conditional_gets()), (41, 20));

    let (finished, summary) = service.run(&stores);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!((finished.len(), summary.restored), (21, 20));
    assert_eq!(store.gets(), 41, "the versions are known");

    store.put("inbox/03.txt", invoice(103));
    store.put("inbox/new.txt", invoice(104));
    service.run(&stores);
    assert_eq!(store.gets(), 45);
    assert_eq!(service.emulator.job_count(), 22);
}

#[tokio::test]
async fn async_client_classifies_objects_without_reading_them_again_after_resume() {
    let store = TestStore::new();
    for number in 0..5 {
        store.put(&format!("inbox/{number}.txt"), invoice(number));
    }
    let (service, stores) = (Service::start(), stores(&store));
    let api = service.client.api().clone();
    let client = classify_reqwest::Client::new(api);
    let journal = service.folder.path().join("async.journal");
    for reads in [10, 10] {
        let documents = stores.list(&url("s3://bucket/inbox/")).unwrap().documents();
        let run = client.bulk(rules()).journal(&journal).run(documents);
        let mut run = run.await.unwrap();
        let mut names = Vec::new();
        while let Some(finished) = run.next().await {
            assert!(finished.outcome().is_ok(), "{finished:?}");
            names.push(finished.name().to_owned());
        }
        assert_eq!((names.len(), store.gets()), (5, reads));
    }
    assert_eq!(service.emulator.job_count(), 5);
}

#[test]
fn object_that_changes_between_hash_and_upload_creates_no_job_until_next_run() {
    let store = TestStore::new();
    store.put("inbox/a.txt", invoice(1));
    store.put("inbox/b.txt", invoice(2));
    store.on_get("inbox/a.txt", 1, Fault::Replace(invoice(7)));
    let (service, stores) = (Service::start(), stores(&store));
    let (finished, summary) = service.run(&stores);
    let error = finished[0].outcome().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("s3://bucket/inbox/a.txt: changed since its content was hashed"),
        "{text}"
    );
    assert_eq!(error.code().map(ErrorCode::as_str), Some("content"));
    assert!(finished[1].outcome().is_ok());
    assert!(matches!(summary.end, RunEnd::Complete));
    assert_eq!(service.emulator.job_count(), 1);

    let (finished, _) = service.run(&stores);
    assert!(finished[0].outcome().is_ok(), "{:?}", finished[0]);
    assert_eq!(service.emulator.job_count(), 2);
}

#[test]
fn object_that_is_deleted_or_denied_is_an_error_and_is_read_by_next_run() {
    let store = TestStore::new();
    for name in ["a", "b", "c", "d"] {
        store.put(&format!("inbox/{name}.txt"), name.as_bytes().to_vec());
    }
    store.on_get("inbox/a.txt", 0, Fault::Missing);
    store.on_get("inbox/b.txt", 1, Fault::Missing);
    store.on_get("inbox/c.txt", 0, Fault::Denied("AccessDenied"));
    let (service, stores) = (Service::start(), stores(&store));
    let (finished, summary) = service.run(&stores);
    let errors: Vec<_> = finished
        .iter()
        .map(|document| document.outcome().err().map(|error| error.to_string()))
        .collect();
    for (index, part) in [
        (0, "inbox/a.txt: the object does not exist"),
        (1, "inbox/b.txt: the object does not exist"),
        (
            2,
            "inbox/c.txt: access denied (AccessDenied: planned); the credentials need s3:ListBucket",
        ),
    ] {
        let error = errors[index].as_deref().unwrap();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(errors[3], None);
    assert!(matches!(summary.end, RunEnd::Complete));
    assert_eq!(service.emulator.job_count(), 1);

    let (finished, _) = service.run(&stores);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!(service.emulator.job_count(), 4);
}

#[test]
fn expired_credentials_stop_run_and_next_run_reads_the_rest() {
    let store = TestStore::new();
    for number in 0..9 {
        store.put(&format!("inbox/{number}.txt"), invoice(number));
        store.on_get(
            &format!("inbox/{number}.txt"),
            0,
            Fault::Denied("ExpiredToken"),
        );
    }
    let (service, stores) = (Service::start(), stores(&store));
    let (finished, summary) = service.run(&stores);
    assert_eq!(finished.len(), 9);
    let error = summary.error().expect("an error").to_string();
    assert!(error.contains("5 documents in a row"), "{error}");
    assert!(error.contains("renew AWS_ACCESS_KEY_ID"), "{error}");
    assert_eq!(service.emulator.job_count(), 0);

    store.clear_faults();
    let (finished, _) = service.run(&stores);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!(service.emulator.job_count(), 9);
}

#[test]
fn listing_skips_what_a_folder_skips_and_marks_of_folders() {
    let store = TestStore::new();
    let keys = [
        "inbox/.hidden.txt",
        "inbox/__MACOSX/a.txt",
        "inbox/a.txt",
        "inbox/empty.txt",
        "inbox/half.pdf.part",
        "inbox/sub",
        "inbox/sub/b.txt",
        "inboxes/c.txt",
    ];
    for key in keys {
        let content = if key.ends_with("empty.txt") || key.ends_with("sub") {
            Vec::new()
        } else {
            b"content".to_vec()
        };
        store.put(key, content);
    }
    // A store lists the mark `sub/` as `sub`, and has no object `sub`.
    store.on_get("inbox/sub", 0, Fault::Missing);
    let stores = stores(&store);
    let (mut found, mut skipped) = (Vec::new(), Vec::new());
    for entry in stores.list(&url("s3://bucket/inbox/")).unwrap() {
        match entry.unwrap() {
            ObjectEntry::Object(object) => found.push(object.url().key().to_owned()),
            ObjectEntry::Skipped(url, reason) => skipped.push((url.key().to_owned(), reason)),
            _ => {}
        }
    }
    assert_eq!(found, ["inbox/a.txt", "inbox/empty.txt", "inbox/sub/b.txt"]);
    let skip = |key: &str, reason| (key.to_owned(), reason);
    assert_eq!(
        skipped,
        [
            skip("inbox/.hidden.txt", SkipReason::Hidden),
            skip("inbox/__MACOSX/a.txt", SkipReason::Temporary),
            skip("inbox/half.pdf.part", SkipReason::Temporary),
        ]
    );
    let names: Vec<_> = stores
        .list(&url("s3://bucket/inbox/sub"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn stat_of_many_objects_keeps_their_order_and_reads_none() {
    let store = TestStore::new();
    store.put("a.txt", b"12345".to_vec());
    let stores = stores(&store);
    let urls = ["s3://bucket/none.txt", "s3://bucket/a.txt"].map(url);
    let stated = stores.stat_all(urls);
    let missing = stated[0].as_ref().unwrap_err();
    assert_eq!(missing.io_kind(), Some(io::ErrorKind::NotFound));
    let object = stated[1].as_ref().unwrap();
    assert_eq!(object.size(), Some(5));
    let etag = object.etag().expect("an ETag");
    assert_eq!(
        object.version(),
        Some(format!("{} 5", etag.trim_matches('"')))
    );
    assert_eq!(store.gets(), 0);
    // Without a request, nothing is known.
    let object = stores.object(&url("s3://bucket/a.txt")).unwrap();
    assert_eq!((object.size(), object.version()), (None, None));
}

#[test]
fn stat_that_is_refused_without_a_cause_learns_it_by_a_read_of_one_byte() {
    let store = TestStore::new();
    store.put("a.txt", b"12345".to_vec());
    store.on_get("a.txt", 0, Fault::Denied("SignatureDoesNotMatch"));
    let error = stores(&store).stat(&url("s3://bucket/a.txt")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("the credentials were rejected"), "{error}");
    assert!(error.contains("check AWS_ACCESS_KEY_ID"), "{error}");
    assert_eq!(store.gets(), 1);
}

#[test]
fn hashed_object_is_uploaded_only_in_the_version_that_was_hashed() {
    let store = TestStore::new();
    store.put("inbox/a.txt", invoice(1));
    let (service, stores) = (Service::start(), stores(&store));
    let object = stores.stat(&url("s3://bucket/inbox/a.txt")).unwrap();
    let hashed = object.hashed(ContentKey::of(&invoice(1)));
    assert_eq!(upload_name(&hashed), "a.txt");
    service
        .client
        .classify(Document::from(hashed.clone()), rules())
        .unwrap();
    assert_eq!(store.gets(), 1);
    store.put("inbox/a.txt", invoice(2));
    let error = service
        .client
        .classify(
            Document::from(hashed),
            Configuration::new([Rule::new("letter", "A letter to a person")]),
        )
        .unwrap_err();
    assert!(error.is_content(), "{error}");
    assert_eq!(service.emulator.job_count(), 1);
}

/// Returns the name of the file that the service receives.
fn upload_name(document: &HashedDocument) -> String {
    format!("{document:?}")
        .split("name: \"")
        .nth(2)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn large_object_is_streamed_only_as_far_as_it_is_taken() {
    let store = TestStore::new();
    // Of 64 MiB, in 1,024 pieces.
    store.put_pieces("big.bin", 1024, 64 * 1024);
    let stores = stores(&store);
    let object = stores.stat(&url("s3://bucket/big.bin")).unwrap();
    let mut request = upload_content(&object.hashed(ContentKey::of(b"")));
    let mut first = vec![0; 64 * 1024 * 3];
    request.read_exact(&mut first).unwrap();
    // Each answer of the runtime's thread gives the reader of the stream a turn.
    for _ in 0..100 {
        stores.stat(&url("s3://bucket/big.bin")).unwrap();
    }
    // Three are taken, four wait, one is held by the stream.
    assert!(store.pieces() <= 8, "{}", store.pieces());
    let mut rest = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match request.read(&mut buffer).unwrap() {
            0 => break,
            read => rest += read,
        }
    }
    assert_eq!(rest + first.len(), 64 << 20);
    assert_eq!(store.pieces(), 1024);
}

/// Opens the content of a document.
fn upload_content(document: &HashedDocument) -> Box<dyn io::Read + Send> {
    use classify_proto::machine::{Bulk, BulkEvent, BulkOptions, Context, Machine as _, Step};

    let api = classify_ureq::Api::builder("llx-1").build().unwrap();
    let options = BulkOptions::default();
    let mut bulk = Bulk::new(&api, rules(), options, classify_proto::Seed::new([1; 16])).unwrap();
    let cx = || Context::new(&api, classify_proto::Time::from_millis(0));
    let mut document = Some(document.clone());
    loop {
        match bulk.poll(cx()) {
            Step::Event(BulkEvent::NeedDocuments(_)) => match document.take() {
                Some(document) => bulk.push(document),
                None => bulk.close(),
            },
            Step::Send(_, request) => {
                let Body::Multipart(multipart) = request.into_body() else {
                    panic!("no upload");
                };
                let classify_proto::Content::Source(source) = multipart.content else {
                    panic!("no source");
                };
                return source.open().unwrap().into_reader();
            }
            Step::Event(_) => {}
            _ => panic!("no request"),
        }
    }
}

#[test]
fn url_of_provider_that_is_not_built_in_names_the_feature() {
    if cfg!(feature = "gcp") {
        return;
    }
    let error = Stores::from_env()
        .unwrap()
        .list(&url("gs://bucket"))
        .unwrap_err();
    assert!(
        error.to_string().contains("enable the feature gcp"),
        "{error}"
    );
}
