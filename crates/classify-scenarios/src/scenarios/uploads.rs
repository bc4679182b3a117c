//! An upload sends the complete document or returns an error.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Call, Concurrent, ConcurrentEvent, ContentKey, Context, HashedDocument, Machine, Step, Ticket,
};
use classify_proto::v2::GetJob;
use classify_proto::{Error, ErrorKind, Reply, Seed, TransportLimits};

use crate::driver::{Driver, Settings};
use crate::scripted_server::{RecordedRequest, ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, api, rules, wait_until};

const FILE: &[u8] = br#"{"id": "dfl-1", "name": "x"}"#;

/// Larger than the socket buffers, so that a server that stops reading blocks the client; not a multiple of any buffer
/// size.
const LARGE: u64 = (24 << 20) + 77;

struct TempDocument {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn temp_document(name: &str, content: &[u8]) -> TempDocument {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file");
    TempDocument {
        _folder: folder,
        path,
    }
}

fn large_document(name: &str) -> TempDocument {
    let file = temp_document(name, b"");
    let opened = OpenOptions::new().write(true).open(&file.path);
    opened
        .and_then(|opened| opened.set_len(LARGE))
        .expect("a sparse file");
    file
}

fn driver_for<D: Driver>(server: &ScriptedServer) -> D {
    D::new(api(&server.base_url(), "llx-key"), Settings::default())
}

fn body_contains(request: &RecordedRequest, text: &str) -> bool {
    request
        .body
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The connection is reset after half of the document: the second attempt sends every byte, under the same name.
pub fn upload_retry_on_reset_sends_whole_document_with_same_name<D: Driver>() {
    let file = large_document("größe.pdf");
    let in_memory = UploadFile::new("größe.pdf", vec![0; usize::try_from(LARGE).unwrap_or(0)]);
    for upload in [UploadFile::path(&file.path).expect("a file"), in_memory] {
        let server = ScriptedServer::start(|number, _| match number {
            0 => ResponseScript::Reset(1 << 20),
            _ => ResponseScript::Respond(response(200, &[], FILE)),
        });
        driver_for::<D>(&server)
            .call(upload)
            .expect("the second attempt");
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].content_length(), requests[1].content_length());
        assert_eq!(
            requests[0].header("content-type"),
            requests[1].header("content-type")
        );
        assert!(requests[0].body.len() <= 1 << 20);
        assert_eq!(Some(requests[1].body.len()), requests[1].content_length());
        assert!(requests[1].body.starts_with(&requests[0].body[..1000]));
        assert!(body_contains(&requests[1], "filename=\"größe.pdf\""));
        assert!(requests[1].body.len() as u64 > LARGE);
    }
}

/// The service stores the content unchanged, from memory or from a file, also if the first response is lost.
pub fn upload_from_bytes_or_file_stores_identical_content<D: Driver>() {
    let content = "Invoice 4711 – total amount 12.00 €".as_bytes();
    let file = temp_document("invoice.txt", content);
    for document in [
        HashedDocument::path("a", &file.path, ContentKey::of(content)).expect("a file"),
        HashedDocument::bytes("invoice.txt", content.to_vec()),
    ] {
        let bench = TestBench::<D>::new(
            Config::default()
                .faults(FaultSchedule::new().with(Fault::ResetBefore.nth(1).on(Route::FileCreate))),
        );
        let job = bench
            .driver
            .classify(document.into(), rules().into())
            .expect("a result");
        assert_eq!(job.outcome().matched(), Some("invoice"));
        assert_eq!(bench.emulator.file_count(), 1);
        let stored_files: Vec<_> = fs::read_dir(bench.emulator.upload_dir())
            .expect("the emulator's folder")
            .filter_map(|entry| fs::read(entry.ok()?.path()).ok())
            .collect();
        assert_eq!(stored_files, [content]);
        assert_eq!(bench.emulator.count(Route::FileCreate), 2);
    }
}

/// A missing file: nothing is sent, and the error names the path.
pub fn upload_of_missing_file_fails_before_sending_and_names_path<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let path = "/no/such/folder/lost.pdf";
    let document = HashedDocument::path("a", path, ContentKey::of(b"x")).expect("a path to a file");
    let error = bench
        .driver
        .classify(document.into(), rules().into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(
        error.to_string().contains("/no/such/folder/lost.pdf"),
        "{error}"
    );
    assert!(error.is_content() && !error.is_ambiguous());
    assert_eq!(error.io_kind(), Some(io::ErrorKind::NotFound), "{error}");
    assert_eq!((error.attempts(), bench.emulator.request_count()), (0, 0));
}

/// A folder instead of a file: nothing is sent, and the error says so.
pub fn upload_of_directory_fails_before_sending<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let document = HashedDocument::path("a", folder.path(), ContentKey::of(b"x")).expect("a path");
    let error = bench
        .driver
        .classify(document.into(), rules().into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert_eq!(
        error.io_kind(),
        Some(io::ErrorKind::IsADirectory),
        "{error}"
    );
    assert_eq!((error.attempts(), bench.emulator.request_count()), (0, 0));
}

/// The first attempt fails, and the file is deleted before the second.
pub fn upload_retry_of_deleted_file_fails_and_names_it<D: Driver>() {
    let file = temp_document("brief.txt", b"here now, gone soon");
    let path = file.path.clone();
    let server = ScriptedServer::start(move |_, _| {
        fs::remove_file(&path).expect("the file was there");
        ResponseScript::Reset(0)
    });
    let upload = UploadFile::path(&file.path).expect("a file");
    let error = driver_for::<D>(&server).call(upload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(error.to_string().contains("brief.txt"), "{error}");
    // The second attempt was not sent.
    assert_eq!(
        (error.attempts(), server.requests().len()),
        (1, 1),
        "{error}"
    );
}

/// A file that is truncated while it is sent: the error says so, and the document does not arrive completely.
pub fn upload_of_shrinking_file_fails_and_is_not_sent_as_complete<D: Driver>() {
    let file = large_document("shrinking.pdf");
    let path = file.path.clone();
    let server = ScriptedServer::start(move |_, _| {
        File::create(&path).expect("the file is cut");
        ResponseScript::Respond(response(200, &[], FILE))
    });
    let upload = UploadFile::path(&file.path).expect("a file");
    let error = driver_for::<D>(&server).call(upload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(error.to_string().contains("shrinking.pdf"), "{error}");
    assert_eq!(
        error.io_kind(),
        Some(io::ErrorKind::UnexpectedEof),
        "{error}"
    );
    assert_eq!(error.attempts(), 1, "{error}");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(Some(requests[0].body.len()) < requests[0].content_length());
}

/// A file that grows while it is sent: exactly the announced length arrives, followed by the end of the multipart body.
pub fn upload_of_growing_file_sends_announced_length<D: Driver>() {
    let file = large_document("growing.pdf");
    let path = file.path.clone();
    let server = ScriptedServer::start(move |_, _| {
        let opened = OpenOptions::new().write(true).open(&path);
        opened
            .and_then(|opened| opened.set_len(LARGE + (1 << 20)))
            .expect("the file grows");
        ResponseScript::Respond(response(200, &[], FILE))
    });
    let upload = UploadFile::path(&file.path).expect("a file");
    driver_for::<D>(&server).call(upload).expect("it is sent");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(Some(requests[0].body.len()), requests[0].content_length());
    assert!(requests[0].body.ends_with(b"--\r\n"));
}

/// The service rejects a large document before it has read it: the error is returned, and the document is not sent
/// again.
pub fn upload_early_rejection_is_returned_without_retry<D: Driver>() {
    let file = large_document("unwanted.pdf");
    let server =
        ScriptedServer::start(|_, _| ResponseScript::RespondEarly(response(401, &[], b"")));
    let upload = UploadFile::path(&file.path).expect("a file");
    let error = driver_for::<D>(&server).call(upload.clone()).unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert_eq!(server.requests().len(), 1);

    let bench = TestBench::<D>::new(Config::default().keys(["llx-right"]));
    let wrong_key_client = D::new(
        api(bench.emulator.base_url(), "llx-wrong"),
        Settings::default(),
    );
    let error = wrong_key_client.call(upload).unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert_eq!(bench.emulator.request_count(), 1);
}

/// The server does not read the document: the attempt ends at its time limit.
pub fn upload_timeout_ends_attempt_when_server_does_not_read<D: Driver>() {
    let file = large_document("unread.pdf");
    let server = ScriptedServer::start(|_, _| ResponseScript::Ignore);
    let settings = Settings {
        retry: Settings::default().retry.max_retries(1),
        limits: TransportLimits::default()
            .attempt(Duration::from_millis(1_500))
            .min_upload_rate(u64::MAX),
        ..Settings::default()
    };
    let driver = D::new(api(&server.base_url(), "llx-key"), settings);
    let error = driver
        .call(UploadFile::path(&file.path).expect("a file"))
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!((error.attempts(), server.requests().len()), (2, 2));
}

/// An upload or a get, run concurrently.
enum UploadOrGet {
    Upload(Call<UploadFile>),
    Get(Call<GetJob>),
}

impl Machine for UploadOrGet {
    type Event = Infallible;
    type Output = Result<(), Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Infallible, Self::Output> {
        fn discard_output<T>(
            step: Step<Infallible, Result<T, Error>>,
        ) -> Step<Infallible, Result<(), Error>> {
            match step {
                Step::Send(ticket, request) => Step::Send(ticket, request),
                Step::Wait(until) => Step::Wait(until),
                Step::Event(never) => match never {},
                Step::Done(result) => Step::Done(result.map(drop)),
            }
        }
        match self {
            Self::Upload(call) => discard_output(call.poll(cx)),
            Self::Get(call) => discard_output(call.poll(cx)),
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        match self {
            Self::Upload(call) => call.handle(cx, ticket, reply),
            Self::Get(call) => call.handle(cx, ticket, reply),
        }
    }

    fn resume(&mut self) {
        match self {
            Self::Upload(call) => call.resume(),
            Self::Get(call) => call.resume(),
        }
    }
}

/// With two concurrent requests and two uploads, which may take hours, queued first, short requests do not wait for the
/// uploads.
pub fn upload_does_not_block_short_requests_at_max_concurrency<D: Driver>() {
    let polled = Arc::new(AtomicBool::new(false));
    let server = ScriptedServer::start(move |_, request| {
        if request.head.starts_with("GET ") {
            polled.store(true, Ordering::SeqCst);
            let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
            return ResponseScript::Respond(response(200, &[], job));
        }
        // No upload ends before the job was polled.
        wait_until(|| polled.load(Ordering::SeqCst));
        assert!(
            polled.load(Ordering::SeqCst),
            "the poll waits for the upload"
        );
        ResponseScript::Respond(response(200, &[], FILE))
    });
    let settings = Settings {
        limits: TransportLimits::default().max_concurrency(2),
        retry: Settings::default().retry.max_retries(0),
        ..Settings::default()
    };
    let driver = D::new(api(&server.base_url(), "llx-key"), settings);
    let seed = |n| Seed::new([n; 16]);
    let upload = |n| {
        let upload = UploadFile::new("a.txt", b"text".to_vec());
        UploadOrGet::Upload(Call::new(upload, seed(n)).retry(settings.retry))
    };
    let get = UploadOrGet::Get(Call::new(GetJob::new("clj-1"), seed(9)).retry(settings.retry));
    let mut ended = 0;
    driver.drive(Concurrent::new([upload(1), upload(2), get], 3), |event| {
        let ConcurrentEvent::Finished(_, result) = event;
        result.expect("an answer");
        ended += 1;
    });
    assert_eq!(ended, 3);
}
