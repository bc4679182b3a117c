//! Documents from sources that are opened again for each read.
#![cfg(feature = "async")]

mod support;

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use classify_client::{Client, Document, Finished};
use classify_proto::machine::{Limiter, Summary};
use classify_proto::{Api, ContentSource, Failure, OpenedContent};
use support::{Deferred, SimTransport, Woken, api, rules};

/// An object in a bucket, whose reads are counted.
#[derive(Clone)]
struct Object {
    name: &'static str,
    content: Arc<Mutex<Result<Vec<u8>, io::ErrorKind>>>,
    /// The content after the next read.
    next: Arc<Mutex<Option<Vec<u8>>>>,
    /// The version that this document has read.
    read: Arc<Mutex<Option<String>>>,
    opened: Arc<AtomicUsize>,
}

impl Object {
    fn new(name: &'static str, content: &[u8]) -> Self {
        Self {
            name,
            content: Arc::new(Mutex::new(Ok(content.to_vec()))),
            next: Arc::default(),
            read: Arc::default(),
            opened: Arc::default(),
        }
    }

    fn lost(name: &'static str) -> Self {
        let object = Self::new(name, b"");
        *object.content.lock().unwrap() = Err(io::ErrorKind::ConnectionRefused);
        object
    }

    fn overwrite(&self, content: &[u8]) {
        *self.content.lock().unwrap() = Ok(content.to_vec());
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    fn document(&self) -> Document {
        Document::source(Self {
            read: Arc::default(),
            ..self.clone()
        })
    }
}

impl ContentSource for Object {
    fn name(&self) -> &str {
        self.name
    }

    fn open(&self) -> Result<OpenedContent, Failure> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let content = self.content.lock().unwrap().clone().map_err(|kind| {
            let message = format!("{}: connection refused", self.name);
            Failure::content(message)
                .with_io_kind(kind)
                .source_lost(true)
        })?;
        *self.read.lock().unwrap() = Some(version(&content));
        if let Some(next) = self.next.lock().unwrap().take() {
            self.overwrite(&next);
        }
        let length = content.len() as u64;
        Ok(OpenedContent::new(io::Cursor::new(content), length))
    }

    fn version(&self) -> Option<String> {
        let read = self.read.lock().unwrap().clone();
        read.or_else(|| Some(version(self.content.lock().unwrap().as_ref().ok()?)))
    }
}

fn version(content: &[u8]) -> String {
    format!("{} {:?}", content.len(), content.first())
}

fn client(transport: &SimTransport, api: Api) -> Client<SimTransport> {
    Client::with_transport(transport.clone(), api).limiter(Limiter::unlimited())
}

/// Runs the objects with the journal in a folder, and returns what finished and the summary.
fn run(
    transport: &SimTransport,
    folder: &tempfile::TempDir,
    objects: &[&Object],
) -> (Vec<Finished>, Summary) {
    let documents: Vec<_> = objects.iter().map(|object| object.document()).collect();
    let client = client(transport, api());
    transport.block_on(async {
        let journal = folder.path().join("run.journal");
        let run = client.bulk(rules()).journal(journal).run(documents);
        let mut run = run.await.expect("a run");
        let mut finished = Vec::new();
        while let Some(document) = run.next().await {
            finished.push(document);
        }
        finished.sort_by_key(Finished::position);
        (finished, run.into_summary().expect("a summary"))
    })
}

#[test]
fn source_is_read_once_for_hash_and_once_for_upload_and_not_again_after_resume() {
    let (transport, folder) = (
        SimTransport::new(Duration::from_secs(1)),
        tempfile::tempdir().unwrap(),
    );
    let first = Object::new("s3://b/1.txt", &vec![b'1'; 300_000]);
    let copy = Object::new("s3://b/copy.txt", &vec![b'1'; 300_000]);
    let other = Object::new("s3://b/2.txt", b"2");
    let objects = [&first, &copy, &other];
    let opened = || objects.map(Object::opened);
    let (finished, _) = run(&transport, &folder, &objects);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    // The copy is not uploaded.
    assert_eq!(opened(), [2, 1, 2]);
    assert_eq!(transport.world().service.jobs.len(), 2);

    let (finished, summary) = run(&transport, &folder, &objects);
    assert_eq!((finished.len(), summary.restored), (3, 2));
    assert_eq!(opened(), [2, 1, 2], "the versions are known");

    other.overwrite(b"3");
    let (finished, _) = run(&transport, &folder, &objects);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!(opened(), [2, 1, 4]);
    assert_eq!(transport.world().service.jobs.len(), 3);
}

#[test]
fn source_that_changes_between_hash_and_upload_is_an_error_without_job_until_next_run() {
    let (transport, folder) = (
        SimTransport::new(Duration::ZERO),
        tempfile::tempdir().unwrap(),
    );
    let object = Object::new("s3://b/1.txt", b"before");
    *object.next.lock().unwrap() = Some(b"after".to_vec());
    let (finished, _) = run(&transport, &folder, &[&object]);
    let error = finished[0].outcome().unwrap_err();
    assert!(
        error.to_string().contains("s3://b/1.txt: changed since"),
        "{error}"
    );
    assert!(transport.world().service.jobs.is_empty());

    let (finished, _) = run(&transport, &folder, &[&object]);
    assert!(finished[0].outcome().is_ok());
    assert_eq!(transport.world().service.jobs.len(), 1);
}

#[test]
fn source_lost_stops_run_after_several_documents_and_next_run_reads_them() {
    let (transport, folder) = (
        SimTransport::new(Duration::ZERO),
        tempfile::tempdir().unwrap(),
    );
    let names = ["1", "2", "3", "4", "5", "6", "7"];
    let objects = names.map(Object::lost);
    let objects: Vec<_> = objects.iter().collect();
    let (finished, summary) = run(&transport, &folder, &objects);
    assert_eq!(finished.len(), 7);
    let error = summary.error().expect("an error");
    assert!(error.is_content(), "{error}");
    assert!(
        error.to_string().contains("5 documents in a row"),
        "{error}"
    );
    assert_eq!(objects[6].opened(), 0);

    for object in &objects {
        object.overwrite(object.name.as_bytes());
    }
    let (finished, _) = run(&transport, &folder, &objects);
    assert!(finished.iter().all(|document| document.outcome().is_ok()));
    assert_eq!(transport.world().service.jobs.len(), 7);
}

#[test]
fn source_is_opened_and_read_outside_of_the_polling_thread() {
    let transport = SimTransport::new(Duration::ZERO);
    let deferred = Deferred::default();
    transport.world().deferred = Some(deferred.clone());
    let object = Object::new("s3://b/1.txt", &vec![b'1'; 300_000]);
    let client = client(&transport, api());
    let mut job = pin!(client.classify(object.document(), rules()));
    let woken = Woken::new();
    let (mut steps_of_executor, mut is_done) = (0, false);
    for _ in 0..1_000 {
        let before = object.opened();
        if let Poll::Ready(job) = woken.poll(job.as_mut()) {
            is_done = job.is_ok();
            break;
        }
        assert_eq!(object.opened(), before, "polling reads nothing");
        deferred.run_all();
        steps_of_executor += usize::from(object.opened() > before);
        let unanswered = transport.world().unanswered();
        for id in &unanswered {
            transport.world().reply(*id, support::Fate::Answered);
        }
        if unanswered.is_empty() && !woken.take() {
            transport.world().advance_to_timer();
        }
    }
    assert!(is_done);
    assert_eq!((object.opened(), steps_of_executor), (2, 2));
}
