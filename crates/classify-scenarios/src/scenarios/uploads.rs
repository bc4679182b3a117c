//! An upload carries the whole document, every time, or says why not.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::files::Upload;
use classify_proto::machine::{Call, Cx, Fan, FanEvent, Machine, Step, Ticket};
use classify_proto::v2::Get;
use classify_proto::{Error, ErrorKind, Limits, Reply, Seed};

use crate::driver::{Driver, Setup};
use crate::listener::{Listener, Plan, Seen, response};
use crate::world::{World, api, create, spin};

const FILE: &[u8] = br#"{"id": "dfl-1", "name": "x"}"#;

/// Larger than what sockets hold on to, so that a server that stops reading stops the client; and no multiple of any
/// buffer's size.
const LARGE: u64 = (24 << 20) + 77;

struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn on_disk(name: &str, content: &[u8]) -> OnDisk {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a file");
    OnDisk {
        _folder: folder,
        path,
    }
}

fn large(name: &str) -> OnDisk {
    let file = on_disk(name, b"");
    let opened = OpenOptions::new().write(true).open(&file.path);
    opened
        .and_then(|opened| opened.set_len(LARGE))
        .expect("a sparse file");
    file
}

fn at<D: Driver>(listener: &Listener) -> D {
    D::new(api(&listener.base_url(), "llx-key"), Setup::default())
}

fn holds(seen: &Seen, text: &str) -> bool {
    seen.body
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The connection is reset when half of the document is up: the second attempt carries every byte, under one name.
pub fn a_reset_half_way_sends_the_whole_again_under_the_same_name<D: Driver>() {
    let file = large("größe.pdf");
    let in_memory = Upload::new("größe.pdf", vec![0; usize::try_from(LARGE).unwrap_or(0)]);
    for upload in [Upload::path(&file.path).expect("a file"), in_memory] {
        let listener = Listener::start(|number, _| match number {
            0 => Plan::Reset(1 << 20),
            _ => Plan::Answer(response(200, &[], FILE)),
        });
        at::<D>(&listener).call(upload).expect("the second attempt");
        let seen = listener.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].announced(), seen[1].announced());
        assert_eq!(
            seen[0].header("content-type"),
            seen[1].header("content-type")
        );
        assert!(seen[0].body.len() <= 1 << 20);
        assert_eq!(Some(seen[1].body.len()), seen[1].announced());
        assert!(seen[1].body.starts_with(&seen[0].body[..1000]));
        assert!(holds(&seen[1], "filename=\"größe.pdf\""));
        assert!(seen[1].body.len() as u64 > LARGE);
    }
}

/// The service stores what was given, whether it came from memory or from a file, also when the first answer is lost.
pub fn bytes_and_files_are_framed_alike<D: Driver>() {
    let content = "Invoice 4711 – total amount 12.00 €".as_bytes();
    let file = on_disk("invoice.txt", content);
    for upload in [
        Upload::path(&file.path).expect("a file"),
        Upload::new("invoice.txt", content.to_vec()),
    ] {
        let world = World::<D>::new(
            Config::default()
                .faults(FaultSchedule::new().with(Fault::ResetBefore.nth(1).on(Route::FileCreate))),
        );
        let job = world.driver.classify(upload, create()).expect("a result");
        assert_eq!(job.outcome().matched(), Some("invoice"));
        assert_eq!(world.emulator.file_count(), 1);
        let stored: Vec<_> = fs::read_dir(world.emulator.upload_dir())
            .expect("the emulator's folder")
            .filter_map(|entry| fs::read(entry.ok()?.path()).ok())
            .collect();
        assert_eq!(stored, [content]);
        assert_eq!(world.emulator.count(Route::FileCreate), 2);
    }
}

/// A path that leads nowhere: nothing is sent, and the error names it.
pub fn a_path_that_does_not_exist_is_named<D: Driver>() {
    let world = World::<D>::new(Config::default());
    let upload = Upload::path("/no/such/folder/lost.pdf").expect("a path to a file");
    let error = world.driver.classify(upload, create()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(
        error.to_string().contains("/no/such/folder/lost.pdf"),
        "{error}"
    );
    assert!(!error.is_ambiguous());
    assert_eq!(world.emulator.request_count(), 0);
}

/// A folder in place of a file.
pub fn a_folder_is_no_document<D: Driver>() {
    let world = World::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let upload = Upload::path(folder.path()).expect("a path");
    let error = world.driver.classify(upload, create()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert_eq!(world.emulator.request_count(), 0);
}

/// The first attempt fails and the file is gone before the second.
pub fn a_file_that_vanishes_between_attempts_is_named<D: Driver>() {
    let file = on_disk("brief.txt", b"here now, gone soon");
    let path = file.path.clone();
    let listener = Listener::start(move |_, _| {
        fs::remove_file(&path).expect("the file was there");
        Plan::Reset(0)
    });
    let upload = Upload::path(&file.path).expect("a file");
    let error = at::<D>(&listener).call(upload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(error.to_string().contains("brief.txt"), "{error}");
    assert_eq!(listener.seen().len(), 1);
}

/// A file that is cut while it is sent: the error says so, and no document of the announced length arrives.
pub fn a_file_that_shrinks_is_not_sent_as_if_it_were_whole<D: Driver>() {
    let file = large("shrinking.pdf");
    let path = file.path.clone();
    let listener = Listener::start(move |_, _| {
        File::create(&path).expect("the file is cut");
        Plan::Answer(response(200, &[], FILE))
    });
    let upload = Upload::path(&file.path).expect("a file");
    let error = at::<D>(&listener).call(upload).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    assert!(error.to_string().contains("shrinking.pdf"), "{error}");
    let seen = listener.seen();
    assert_eq!(seen.len(), 1);
    assert!(Some(seen[0].body.len()) < seen[0].announced());
}

/// A file that grows while it is sent: exactly the announced length arrives, with the frame's end in its place.
pub fn a_file_that_grows_is_sent_as_announced<D: Driver>() {
    let file = large("growing.pdf");
    let path = file.path.clone();
    let listener = Listener::start(move |_, _| {
        let opened = OpenOptions::new().write(true).open(&path);
        opened
            .and_then(|opened| opened.set_len(LARGE + (1 << 20)))
            .expect("the file grows");
        Plan::Answer(response(200, &[], FILE))
    });
    let upload = Upload::path(&file.path).expect("a file");
    at::<D>(&listener).call(upload).expect("it is sent");
    let seen = listener.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(Some(seen[0].body.len()), seen[0].announced());
    assert!(seen[0].body.ends_with(b"--\r\n"));
}

/// The service refuses a large document before it has read it: the refusal is told, and the document not sent again.
pub fn a_refusal_before_the_document_is_up_is_told<D: Driver>() {
    let file = large("unwanted.pdf");
    let listener = Listener::start(|_, _| Plan::Early(response(401, &[], b"")));
    let upload = Upload::path(&file.path).expect("a file");
    let error = at::<D>(&listener).call(upload.clone()).unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert_eq!(listener.seen().len(), 1);

    let world = World::<D>::new(Config::default().keys(["llx-right"]));
    let stranger = D::new(
        api(world.emulator.base_url(), "llx-wrong"),
        Setup::default(),
    );
    let error = stranger.call(upload).unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert_eq!(world.emulator.request_count(), 1);
}

/// Nobody reads the document: the attempt ends in its time, whatever the transport is about.
pub fn a_document_that_nobody_reads_is_given_up<D: Driver>() {
    let file = large("unread.pdf");
    let listener = Listener::start(|_, _| Plan::Ignore);
    let setup = Setup {
        retry: Setup::default().retry.max_retries(1),
        limits: Limits::default()
            .attempt(Duration::from_millis(1_500))
            .upload_rate(u64::MAX),
        ..Setup::default()
    };
    let driver = D::new(api(&listener.base_url(), "llx-key"), setup);
    let error = driver
        .call(Upload::path(&file.path).expect("a file"))
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!((error.attempts(), listener.seen().len()), (2, 2));
}

/// An upload or a get, side by side in one fan.
enum Either {
    Upload(Call<Upload>),
    Get(Call<Get>),
}

impl Machine for Either {
    type Event = Infallible;
    type Output = Result<(), Error>;

    fn poll(&mut self, cx: Cx<'_>) -> Step<Infallible, Self::Output> {
        fn told<T>(
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
            Self::Upload(call) => told(call.poll(cx)),
            Self::Get(call) => told(call.poll(cx)),
        }
    }

    fn handle(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply) {
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

/// Two requests may be out, and two uploads, which may take hours, come first: what is short does not wait for them.
pub fn a_look_does_not_wait_behind_uploads<D: Driver>() {
    let looked = Arc::new(AtomicBool::new(false));
    let listener = Listener::start(move |_, seen| {
        if seen.head.starts_with("GET ") {
            looked.store(true, Ordering::SeqCst);
            let job = br#"{"id": "clj-1", "status": "RUNNING"}"#;
            return Plan::Answer(response(200, &[], job));
        }
        // No upload is done before the job was looked at.
        spin(|| looked.load(Ordering::SeqCst));
        assert!(looked.load(Ordering::SeqCst), "the look waits for us");
        Plan::Answer(response(200, &[], FILE))
    });
    let setup = Setup {
        limits: Limits::default().at_once(2),
        retry: Setup::default().retry.max_retries(0),
        ..Setup::default()
    };
    let driver = D::new(api(&listener.base_url(), "llx-key"), setup);
    let seed = |n| Seed::new([n; 16]);
    let upload = |n| {
        let upload = Upload::new("a.txt", b"text".to_vec());
        Either::Upload(Call::new(upload, seed(n)).retry(setup.retry))
    };
    let get = Either::Get(Call::new(Get::new("clj-1"), seed(9)).retry(setup.retry));
    let mut ended = 0;
    driver.drive(Fan::new([upload(1), upload(2), get], 3), |event| {
        let FanEvent::Ended(_, result) = event;
        result.expect("an answer");
        ended += 1;
    });
    assert_eq!(ended, 3);
}
