//! One document is classified once and paid for once, by any number of calls and clients.

use std::time::Duration;

use classify_client::Document;
use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::ErrorKind;
use classify_proto::configurations::{CreateConfiguration, UpdateConfiguration};
use classify_proto::machine::{ContentKey, HashedDocument, Retry, transaction_id};
use classify_proto::v2::{Configuration, GetJob, JobOptions, JobStatus, Rule};

use crate::driver::{Driver, Settings};
use crate::test_bench::{TestBench, api, rules};

const TEXT: &str = "Invoice 4711. Total amount: 12.00.";

fn document() -> Document {
    Document::bytes("invoice.txt", TEXT)
}

/// The same content with the same rules is the same job: called twice, under another name, from a file or a reader, and
/// by another client. Other content, other rules and another project give other jobs.
pub fn classify_same_content_again_returns_same_job<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let first = bench
        .driver
        .classify(document(), rules().into())
        .expect("a job");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.txt");
    std::fs::write(&path, TEXT).expect("a file");
    let another = D::new(
        api(bench.emulator.base_url(), bench.emulator.key()),
        Settings::default(),
    );
    let again = [
        (&bench.driver, document()),
        (&bench.driver, Document::bytes("other.txt", TEXT)),
        (&bench.driver, Document::open(&path).expect("a file")),
        (&bench.driver, Document::reader("r.txt", TEXT.as_bytes())),
        (&another, document()),
    ];
    for (driver, document) in again {
        let name = document.name().to_owned();
        let job = driver.classify(document, rules().into()).expect("a job");
        assert_eq!(job.id, first.id, "{name}");
    }
    assert_eq!(bench.emulator.job_count(), 1);
    let id = transaction_id(None, &rules().into(), ContentKey::of(TEXT.as_bytes()), 0);
    assert_eq!(first.transaction_id, Some(id));

    let reworded = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let others = [
        (Document::bytes("a.txt", "Invoice 4712."), rules().into()),
        (document(), JobOptions::from(reworded)),
    ];
    for (document, options) in others {
        bench.driver.classify(document, options).expect("a job");
    }
    assert_eq!(bench.emulator.job_count(), 3);
}

/// A parse job or an uploaded file is identified by its id.
pub fn classify_same_id_again_returns_same_job<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let classify = || {
        let job = bench.driver.classify(Document::id("pjb-1"), rules().into());
        job.expect("a job").id
    };
    assert_eq!(classify(), classify());
    assert_eq!(bench.emulator.job_count(), 1);
    assert_eq!(bench.emulator.file_count(), 0);
}

/// The response to a create is lost and the retries are used up. Calling again, as the error advises, returns the job.
pub fn classify_again_after_lost_response_returns_same_job<D: Driver>() {
    let settings = Settings {
        retry: Retry::never(),
        ..Settings::default()
    };
    for fault in [Fault::ResetAfter, Fault::BodyCut, Fault::ServerErrorAfter] {
        let schedule = FaultSchedule::new().with(fault.nth(1).on(Route::ClassifyCreate));
        let bench = TestBench::<D>::with_settings(Config::default().faults(schedule), settings);
        let error = bench
            .driver
            .classify(document(), rules().into())
            .unwrap_err();
        assert!(error.is_ambiguous(), "{error}");
        assert_eq!(bench.emulator.job_count(), 1, "{}", fault.name());
        let job = bench.driver.classify(document(), rules().into());
        assert_eq!(job.expect("the job").status, JobStatus::Completed);
        assert_eq!(bench.emulator.job_count(), 1, "{}", fault.name());
    }
}

/// A timeout around the call ends it. The next call returns the job.
pub fn classify_again_after_timeout_returns_same_job<D: Driver>() {
    let settings = Settings {
        wait_timeout: Duration::from_millis(1),
        ..Settings::default()
    };
    let script = Script::any().takes(Duration::from_secs(3600));
    let bench = TestBench::<D>::with_settings(Config::default().script(script), settings);
    for _ in 0..3 {
        let error = bench
            .driver
            .classify(document(), rules().into())
            .unwrap_err();
        assert!(error.is_deadline(), "{error}");
    }
    assert_eq!(bench.emulator.job_count(), 1);
}

/// A failed job is the result unless the caller requests a new one. With `retry_failed`, a call pays at most once; with
/// `fresh`, each call pays.
pub fn classify_failed_job_is_paid_again_only_on_request<D: Driver>() {
    let config = || Config::default().script(Script::file("invoice.txt").fails("PDF_IS_BROKEN"));
    let bench = TestBench::<D>::new(config());
    let failed = |options: JobOptions| {
        let error = bench.driver.classify(document(), options).unwrap_err();
        assert!(error.is_job_failed(), "{error}");
        assert!(
            error
                .job()
                .is_some_and(|job| job.status == JobStatus::Failed)
        );
        bench.emulator.job_count()
    };
    let options = || JobOptions::from(rules());
    assert_eq!(failed(options()), 1);
    assert_eq!(failed(options()), 1);
    assert_eq!(failed(options().retry_failed()), 2);
    assert_eq!(failed(options().retry_failed()), 3);
    assert_eq!(failed(options()), 3);
    assert_eq!(failed(options().fresh()), 4);
    assert_eq!(failed(options().fresh()), 5);

    // A job with a result is paid again only with `fresh`.
    bench.emulator.set_scripts(Vec::new()).expect("no script");
    let job = |options: JobOptions| {
        bench
            .driver
            .classify(document(), options)
            .expect("a job")
            .id
    };
    let found = job(options().retry_failed());
    assert_eq!(bench.emulator.job_count(), 6);
    assert_eq!(job(options().retry_failed()), found);
    assert_eq!(bench.emulator.job_count(), 6);
    assert_ne!(job(options().fresh()), found);
    assert_eq!(bench.emulator.job_count(), 7);
}

/// With `retry_failed`, a create whose response is lost and whose job failed does not pay for another job.
pub fn classify_retry_failed_pays_once_despite_lost_response<D: Driver>() {
    let script = Script::file("invoice.txt").fails("PDF_IS_BROKEN");
    let bench = TestBench::<D>::new(Config::default().script(script));
    let options = || JobOptions::from(rules()).retry_failed();
    bench
        .driver
        .classify(document(), rules().into())
        .unwrap_err();
    // The first create of the second call returns the failed job; the response to the second one is lost.
    let schedule = FaultSchedule::new().with(Fault::ResetAfter.nth(2).on(Route::ClassifyCreate));
    bench.emulator.set_faults(schedule);
    let error = bench.driver.classify(document(), options()).unwrap_err();
    assert!(error.is_job_failed(), "{error}");
    assert_eq!(bench.emulator.job_count(), 2);
}

/// A file that is overwritten after it was hashed is not classified as its old content: the upload fails before the
/// last byte, and no job is created. Hashed again, it is classified.
pub fn classify_file_changed_after_hashing_creates_no_job<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.txt");
    let long = |text: &str| text.repeat(20_000);
    for (before, after) in [
        (
            TEXT.to_owned(),
            "Invoice 4712. Total amount: 12.00.".to_owned(),
        ),
        (TEXT.to_owned(), long(TEXT)),
        (long(TEXT), TEXT.to_owned()),
        (long(TEXT), long("Invoice 4712. Total amount: 12.00.")),
        (TEXT.to_owned(), String::new()),
    ] {
        let key = ContentKey::of(before.as_bytes());
        let document = HashedDocument::path("scan", &path, key).expect("a path to a file");
        std::fs::write(&path, &after).expect("a file");
        let error = bench
            .driver
            .classify(document.into(), rules().into())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content, "{error}");
        assert!(error.to_string().contains("scan.txt"), "{error}");
        assert!(!error.is_ambiguous(), "{error}");
        assert_eq!(bench.emulator.file_count(), 0);
        assert_eq!(bench.emulator.job_count(), 0);
    }
    std::fs::write(&path, TEXT).expect("a file");
    let document = Document::open(&path).expect("a file");
    let job = bench
        .driver
        .classify(document, rules().into())
        .expect("a job");
    assert_eq!(job.outcome().matched(), Some("invoice"));
    assert_eq!(
        bench.driver.call(GetJob::new(&*job.id)).expect("a job").id,
        job.id
    );
}

/// A job that was created before its saved configuration was edited is not the result. The error holds the job, and
/// says how to pay for another one.
pub fn classify_edited_saved_configuration_is_conflict<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let driver = &bench.driver;
    let saved = driver
        .call(CreateConfiguration::new("rules", rules()))
        .expect("a saved configuration");
    let options = || JobOptions::from_configuration_id(&*saved.id);
    let first = driver.classify(document(), options()).expect("a job");
    let again = driver.classify(document(), options()).expect("a job");
    assert_eq!(again.id, first.id);

    let reworded = Configuration::new([Rule::new("invoice", "has an invoice number")]);
    let update = UpdateConfiguration::new(&*saved.id).parameters(reworded);
    driver.call(update).expect("an edited configuration");
    let error = driver.classify(document(), options()).unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(error.job_id(), Some(&*first.id));
    assert!(error.to_string().contains("pays again"), "{error}");
    assert_eq!(bench.emulator.job_count(), 1);
    let fresh = driver
        .classify(document(), options().fresh())
        .expect("a job");
    assert_ne!(fresh.id, first.id);
    assert_eq!(bench.emulator.job_count(), 2);
}

/// An unreadable document is an error before anything is sent.
pub fn classify_unreadable_document_sends_nothing<D: Driver>() {
    struct Broken;

    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }

    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.txt");
    std::fs::write(&path, TEXT).expect("a file");
    let opened = Document::open(&path).expect("a file");
    std::fs::remove_file(&path).expect("the file");
    for (document, reason) in [
        (opened, "scan.txt"),
        (Document::bytes("empty.txt", ""), "empty.txt: is empty"),
        (Document::reader("r.txt", &b""[..]), "r.txt: is empty"),
        (Document::reader("r.txt", Broken), "r.txt: the disk is gone"),
    ] {
        let error = bench.driver.classify(document, rules().into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    for path in [&path, &folder.path().to_owned()] {
        let error = Document::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    }
    assert_eq!(bench.emulator.request_count(), 0);
}

/// A reader of more than 16 MiB is copied to a file, and its content is uploaded unchanged, also if an attempt fails.
pub fn classify_long_reader_is_uploaded_whole<D: Driver>() {
    let content = TEXT.repeat(520_000);
    let schedule = FaultSchedule::new().with(Fault::Unavailable.nth(1).on(Route::FileCreate));
    let bench = TestBench::<D>::new(Config::default().faults(schedule));
    let reader = std::io::Cursor::new(content.clone());
    let job = bench
        .driver
        .classify(Document::reader("long.txt", reader), rules().into())
        .expect("a job");
    assert_eq!(job.outcome().matched(), Some("invoice"));
    let stored: Vec<_> = std::fs::read_dir(bench.emulator.upload_dir())
        .expect("the emulator's folder")
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .collect();
    assert!(stored == [content.as_bytes()]);
}
