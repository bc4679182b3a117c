//! Bulk runs of a client: exactly one item for each document.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use classify_client::{Document, Finished, RunEvent};
use classify_emulator::{Config, Fault, FaultSchedule, Route, Script};
use classify_proto::machine::{
    BulkOptions, ContentKey, DocumentStatus, ErrorScope, HashedDocument, RunEnd, Summary,
};
use classify_proto::v2::{Configuration, JobOptions, Rule};
use classify_proto::{Error, ErrorCode, ErrorKind};

use crate::driver::{BulkSettings, Driver, Settings};
use crate::test_bench::{TestBench, api, rules};

fn document(number: usize) -> Document {
    let text = format!("Invoice {number}, total amount {number}.00");
    Document::bytes(format!("{number}.txt"), text)
}

/// The items of a run, and its end.
#[derive(Debug, Default)]
struct Ended {
    items: Vec<Finished>,
    end: String,
    statuses: BTreeMap<DocumentStatus, usize>,
}

impl Ended {
    fn classified(&self) -> usize {
        let has_result = |item: &&Finished| item.outcome().is_ok();
        self.items.iter().filter(has_result).count()
    }

    /// Asserts that there is one item for each of these names.
    fn assert_names(&self, names: impl IntoIterator<Item = String>) {
        let mut found: Vec<_> = self
            .items
            .iter()
            .map(|item| item.name().to_owned())
            .collect();
        let mut expected: Vec<_> = names.into_iter().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

fn run_until<D: Driver>(
    driver: &D,
    settings: BulkSettings,
    documents: Vec<Document>,
    mut stop: impl FnMut(&Finished) -> bool,
) -> Result<Ended, Error> {
    let mut ended = Ended::default();
    let mut items = Vec::new();
    driver.bulk(
        settings,
        documents,
        &mut |item| {
            let stops = stop(&item);
            items.push(item);
            stops
        },
        &mut |summary: &Summary| {
            ended.end = match &summary.end {
                RunEnd::Complete => "complete".to_owned(),
                RunEnd::Stopped => "stopped".to_owned(),
                RunEnd::Failed(error) => error.to_string(),
                _ => "unknown".to_owned(),
            };
            ended.statuses.clone_from(&summary.statuses);
        },
    )?;
    ended.items = items;
    Ok(ended)
}

fn run<D: Driver>(driver: &D, settings: BulkSettings, documents: Vec<Document>) -> Ended {
    run_until(driver, settings, documents, |_| false).expect("a run")
}

/// Every document has one item, also duplicates, unreadable files and ids.
pub fn bulk_run_yields_one_item_per_document<D: Driver>() {
    let bench =
        TestBench::<D>::new(Config::default().script(Script::file("2.txt").fails("BROKEN")));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gone.txt");
    fs::write(&path, "Invoice").expect("a file");
    let gone = Document::open(&path).expect("a file").named("gone.txt");
    fs::remove_file(&path).expect("the file");
    let mut documents: Vec<_> = (0..5).map(document).collect();
    documents.extend((0..3).map(|number| document(number).named(format!("copy of {number}"))));
    documents.extend([
        gone,
        Document::bytes("empty.txt", ""),
        Document::id("pjb-1"),
    ]);
    let names: Vec<_> = documents.iter().map(|one| one.name().to_owned()).collect();

    let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
    ended.assert_names(names);
    assert_eq!(ended.end, "complete");
    // Unreadable documents are counted too.
    assert_eq!(ended.statuses.get(&DocumentStatus::Error), Some(&2));
    assert_eq!(bench.emulator.job_count(), 6);
    assert_eq!(ended.classified(), 7);
    for item in &ended.items {
        let Err(error) = item.outcome() else { continue };
        assert_eq!(error.scope(), ErrorScope::Document, "{error}");
        let expected = match item.name() {
            "2.txt" | "copy of 2" => DocumentStatus::Failed,
            _ => DocumentStatus::Error,
        };
        assert_eq!(*error.status(), expected, "{error}");
    }
}

/// Returns the stage of a document that an event reports, and the positions of its documents.
fn stage(event: &RunEvent) -> Option<(&'static str, Vec<usize>)> {
    Some(match event {
        RunEvent::Accepted { position, .. } => ("accepted", vec![*position]),
        RunEvent::OtherShard { position } => ("other shard", vec![*position]),
        RunEvent::Uploaded { positions, .. } => ("uploaded", positions.clone()),
        RunEvent::Created { positions, .. } => ("created", positions.clone()),
        RunEvent::Finished(finished) => ("finished", vec![finished.position()?]),
        _ => return None,
    })
}

/// The events of a run report each stage of each document by its position. A copy shares the stages of the first.
pub fn bulk_run_events_tell_each_stage_of_each_document<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let mut documents: Vec<_> = (0..4).map(document).collect();
    // Names may be equal.
    documents.push(document(1));
    documents.push(Document::path("no-such-folder/gone.txt"));
    let mut stages = BTreeMap::<usize, Vec<&str>>::new();
    let mut copies = Vec::new();
    let settings = BulkSettings::new(rules());
    let summary = bench
        .driver
        .bulk_events(settings, documents, &mut |event| {
            if let RunEvent::Accepted {
                position,
                copy_of: Some(first),
            } = event
            {
                copies.push((*position, *first));
            }
            let (stage, positions) = stage(event).expect("an event of a document");
            for position in positions {
                stages.entry(position).or_default().push(stage);
            }
            false
        })
        .expect("a run");
    assert!(summary.is_complete());
    assert_eq!(copies, [(4, 1)]);
    let all = ["accepted", "uploaded", "created", "finished"];
    for position in 0..4 {
        assert_eq!(stages[&position], all, "{position}");
    }
    // The copy may come after the first was uploaded.
    assert_eq!(stages[&4].first(), Some(&"accepted"));
    assert_eq!(stages[&4].last(), Some(&"finished"));
    assert_eq!(stages[&5], ["finished"]);
    assert_eq!(stages.len(), 6);

    let mut shares = Vec::new();
    for index in 0..2 {
        let settings = BulkSettings::new(rules()).shard(index, 2);
        let documents = (0..20).map(document).collect();
        let mut events = BTreeMap::<&str, Vec<usize>>::new();
        let note = &mut |event: &RunEvent| {
            let (stage, positions) = stage(event).expect("an event of a document");
            events.entry(stage).or_default().extend(positions);
            false
        };
        bench
            .driver
            .bulk_events(settings, documents, note)
            .expect("a run");
        let mut finished = events.remove("finished").unwrap_or_default();
        finished.sort_unstable();
        let others = events.remove("other shard").unwrap_or_default();
        assert_eq!(finished.len() + others.len(), 20);
        shares.push((finished, others));
    }
    assert_eq!(shares[0].0, shares[1].1);
    assert_eq!(shares[1].0, shares[0].1);
}

/// A stop handle is reported as an event, and each remaining document has an item.
pub fn bulk_run_stop_handle_is_an_event<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let settings = BulkSettings::new(rules()).limits(BulkOptions::default().max_in_flight(4));
    let (mut finished, mut stops) = (0, 0);
    let summary = bench
        .driver
        .bulk_events(settings, (0..40).map(document).collect(), &mut |event| {
            finished += usize::from(matches!(event, RunEvent::Finished(_)));
            stops += usize::from(matches!(event, RunEvent::Stopping));
            finished == 3 && stops == 0
        })
        .expect("a run");
    assert_eq!((finished, stops), (40, 1));
    assert!(matches!(summary.end, RunEnd::Stopped), "{summary:?}");
    assert!(bench.emulator.job_count() < 40);
}

/// With `read_rest`, a run that an error has stopped yields the results that the journal has of the remaining
/// documents.
pub fn bulk_run_reads_rest_after_stop_if_asked<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().keys(["llx-right"]));
    let driver = |key| D::new(api(bench.emulator.base_url(), key), Settings::default());
    let folder = tempfile::tempdir().expect("a folder");
    let settings = || {
        BulkSettings::new(rules())
            .journal(folder.path().join("run.journal"))
            .limits(BulkOptions::default().max_in_flight(1))
    };
    let ended = run(
        &driver("llx-right"),
        settings(),
        (1..6).map(document).collect(),
    );
    assert_eq!(ended.classified(), 5);
    let documents = || {
        let mut documents: Vec<_> = (1..2).chain(0..8).map(document).collect();
        documents.push(document(1).named("copy of 1"));
        documents.push(Document::path("no-such-folder/gone.txt"));
        documents
    };
    // The first document finishes before the run stops, and so do its copies.
    for (settings, restored) in [(settings(), 1), (settings().read_rest(), 7)] {
        let ended = run(&driver("llx-wrong"), settings, documents());
        assert!(ended.end.contains("401"), "{}", ended.end);
        assert_eq!((ended.items.len(), ended.classified()), (11, restored));
        for item in &ended.items {
            assert_eq!(item.is_restored(), item.outcome().is_ok());
            if let Err(error) = item.outcome() {
                assert_eq!(error.scope(), ErrorScope::Run, "{error}");
            }
        }
    }
    assert_eq!(bench.emulator.job_count(), 5);
}

/// A stop handle also ends the reading of the rest.
pub fn bulk_run_stop_handle_ends_reading_of_rest<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().keys(["llx-right"]));
    let driver = D::new(
        api(bench.emulator.base_url(), "llx-wrong"),
        Settings::default(),
    );
    let read = Arc::new(AtomicUsize::new(0));
    let documents = (0..600).map(|number| {
        let reader = Counted {
            text: Cursor::new(format!("Invoice {number}")),
            read: Arc::clone(&read),
        };
        Document::reader(format!("{number}.txt"), reader)
    });
    let settings = BulkSettings::new(rules())
        .read_rest()
        .limits(BulkOptions::default().max_in_flight(1));
    let (mut finished, mut has_stopped) = (0, false);
    let summary = driver
        .bulk_events(settings, documents.collect(), &mut |event| {
            finished += usize::from(matches!(event, RunEvent::Finished(_)));
            has_stopped |= matches!(event, RunEvent::Stopping);
            finished == 20 && !has_stopped
        })
        .expect("a run");
    assert!(has_stopped && matches!(summary.end, RunEnd::Failed(_)));
    assert_eq!(finished, 600);
    let read = read.load(Ordering::Relaxed);
    assert!(read < 300, "{read}");
}

/// A document that counts when it is read.
struct Counted {
    text: Cursor<String>,
    read: Arc<AtomicUsize>,
}

impl std::io::Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.text.position() == 0 {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
        self.text.read(buffer)
    }
}

/// Files that are gone one by one, from a folder that is there, stop no run.
pub fn bulk_run_over_files_that_are_gone_classifies_the_others<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<_> = (0..20)
        .map(|number| folder.path().join(format!("{number}.txt")))
        .collect();
    for (number, path) in paths.iter().enumerate().skip(12) {
        fs::write(path, format!("Invoice {number}")).expect("a file");
    }
    let documents = paths.iter().map(Document::path).collect();
    let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
    assert_eq!((ended.classified(), &*ended.end), (8, "complete"));
    assert_eq!(ended.statuses.get(&DocumentStatus::Error), Some(&12));
}

/// If the files are missing, the run stops after a few of them and skips the rest. None of them has finished.
pub fn bulk_run_whose_source_is_gone_stops_and_can_be_continued<D: Driver>() {
    let folder = tempfile::tempdir().expect("a folder");
    let (inbox, away) = (folder.path().join("inbox"), folder.path().join("away"));
    fs::create_dir(&inbox).expect("a folder");
    let paths: Vec<_> = (0..60)
        .map(|number| inbox.join(format!("{number}.txt")))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        fs::write(path, format!("Invoice {number}")).expect("a file");
    }
    let documents = || paths.iter().map(Document::path).collect::<Vec<_>>();
    // Before the files are read, and while they are uploaded.
    for is_read in [false, true] {
        let bench = TestBench::<D>::new(Config::default());
        let journal = folder.path().join(format!("{is_read}.journal"));
        let settings = || BulkSettings::new(rules()).journal(&journal);
        let remove = || fs::rename(&inbox, &away).expect("a move");
        if !is_read {
            remove();
        }
        let limits = BulkOptions::default().max_requests(1);
        let (mut failed, mut unread) = (0, 0);
        let summary = bench
            .driver
            .bulk_events(settings().limits(limits), documents(), &mut |event| {
                match event {
                    RunEvent::Accepted { position: 59, .. } => remove(),
                    RunEvent::Finished(finished) => match finished.report().status {
                        DocumentStatus::Error => {
                            failed += 1;
                            let code = finished.outcome().unwrap_err().code().cloned();
                            assert_eq!(code, Some(ErrorCode::Content));
                        }
                        DocumentStatus::NotStarted => unread += 1,
                        _ => {}
                    },
                    _ => {}
                }
                false
            })
            .expect("a run");
        let RunEnd::Failed(error) = &summary.end else {
            panic!("{summary:?}")
        };
        assert!(error.is_content(), "{error}");
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
        let message = error.to_string();
        assert!(message.contains("5 documents in a row"), "{message}");
        // The transport has a few requests in flight when the fifth has failed.
        assert!((5..20).contains(&failed), "{failed}");
        assert_eq!(failed + unread + bench.emulator.job_count(), 60);

        fs::rename(&away, &inbox).expect("a move");
        let ended = run(&bench.driver, settings(), documents());
        assert_eq!((ended.classified(), &*ended.end), (60, "complete"));
        assert_eq!(bench.emulator.job_count(), 60);
    }
}

/// One request in five fails: one job for each document, and a second run over the same documents finds them.
pub fn bulk_run_with_faults_creates_one_job_per_document<D: Driver>() {
    for fault in [Fault::ResetAfter, Fault::Unavailable, Fault::BodyCut] {
        let schedule = FaultSchedule::new().with(fault.every(5));
        let bench = TestBench::<D>::new(Config::default().faults(schedule));
        for _ in 0..2 {
            let documents = (0..30).map(document).collect();
            let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
            assert_eq!((ended.classified(), &*ended.end), (30, "complete"));
            assert_eq!(bench.emulator.job_count(), 30, "{}", fault.name());
        }
    }
}

/// An error that concerns every document stops the run: the others are not read, and yield an error whose scope is the
/// run.
pub fn bulk_run_error_of_every_document_stops_run_and_yields_rest<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().keys(["llx-right"]));
    let driver = D::new(
        api(bench.emulator.base_url(), "llx-wrong"),
        Settings::default(),
    );
    let mut documents: Vec<_> = (0..300).map(document).collect();
    documents.push(Document::reader("unread.txt", Unread));
    let settings = BulkSettings::new(rules()).limits(BulkOptions::default().max_in_flight(4));
    let ended = run(&driver, settings, documents);
    ended.assert_names(
        (0..300)
            .map(|number| format!("{number}.txt"))
            .chain(["unread.txt".to_owned()]),
    );
    assert!(ended.end.contains("401"), "{}", ended.end);
    assert_eq!(ended.classified(), 0);
    for item in &ended.items {
        let error = item.outcome().unwrap_err();
        assert_eq!(error.scope(), ErrorScope::Run, "{error}");
        assert_eq!(*error.status(), DocumentStatus::NotStarted, "{error}");
    }
    // A program that checks the summary or returns its error notices that the run is not complete.
    let propagates = || -> Result<(), Box<dyn std::error::Error>> {
        for item in &ended.items {
            item.outcome()?;
        }
        Ok(())
    };
    assert!(propagates().is_err());
}

/// A document that must not be read.
struct Unread;

impl std::io::Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("a document was read after the run had stopped")
    }
}

/// The summary of a stopped run and the items of the documents that were not started report the stop. The run can be
/// resumed.
pub fn bulk_run_stopped_says_so_and_can_be_continued<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let settings = || {
        BulkSettings::new(rules())
            .journal(folder.path().join("run.journal"))
            .limits(BulkOptions::default().max_in_flight(8))
    };
    let documents = || (0..40).map(document).collect::<Vec<_>>();
    let names = || (0..40).map(|number| format!("{number}.txt"));

    let mut seen = 0;
    let ended = run_until(&bench.driver, settings(), documents(), |_| {
        seen += 1;
        seen == 5
    })
    .expect("a run");
    ended.assert_names(names());
    assert_eq!(ended.end, "stopped");
    let classified = ended.classified();
    assert!((5..=13).contains(&classified), "{classified}");
    for error in ended.items.iter().filter_map(|item| item.outcome().err()) {
        assert_eq!(error.scope(), ErrorScope::Run, "{error}");
    }

    let ended = run(&bench.driver, settings(), documents());
    ended.assert_names(names());
    assert_eq!((ended.classified(), &*ended.end), (40, "complete"));
    assert_eq!(bench.emulator.job_count(), 40);
    let restored = ended.items.iter().filter(|item| item.is_restored()).count();
    assert!(restored >= classified, "{restored}");

    // The journal is complete now.
    let before = bench.emulator.request_count();
    let ended = run(&bench.driver, settings(), documents());
    assert_eq!((ended.classified(), &*ended.end), (40, "complete"));
    assert_eq!(bench.emulator.request_count(), before);
}

/// A dropped run continues with its journal, and also without it.
pub fn bulk_run_dropped_continues_without_second_job<D: Driver>() {
    for has_journal in [true, false] {
        let bench = TestBench::<D>::new(Config::default());
        let folder = tempfile::tempdir().expect("a folder");
        let settings = || {
            let settings = BulkSettings::new(rules());
            if has_journal {
                settings.journal(folder.path().join("run.journal"))
            } else {
                settings
            }
        };
        for items in [1, 7, 3] {
            let documents = (0..30).map(document).collect();
            bench.driver.drop_bulk(settings(), documents, items);
        }
        let ended = run(&bench.driver, settings(), (0..30).map(document).collect());
        assert_eq!((ended.classified(), &*ended.end), (30, "complete"));
        assert_eq!(bench.emulator.job_count(), 30);
    }
}

/// A file that changed after it was hashed is not classified. It has not finished, so the next run classifies it.
pub fn bulk_run_changed_file_is_classified_by_next_run<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scan.txt");
    fs::write(&path, "Invoice 4711").expect("a file");
    let settings = || BulkSettings::new(rules()).journal(folder.path().join("run.journal"));
    let key = ContentKey::of(b"Contract between two parties");
    let changed = HashedDocument::path("scan.txt", &path, key).expect("a path to a file");
    let ended = run(&bench.driver, settings(), vec![document(0), changed.into()]);
    assert_eq!((ended.classified(), &*ended.end), (1, "complete"));
    let item = ended.items.iter().find(|item| item.name() == "scan.txt");
    let error = item.expect("an item").outcome().unwrap_err();
    assert!(error.message().contains("changed"), "{error}");
    assert_eq!(*error.status(), DocumentStatus::Error, "{error}");
    assert_eq!(bench.emulator.job_count(), 1);

    // Also with the content that was hashed.
    for text in ["Invoice 4711", "Contract between two parties"] {
        fs::write(&path, text).expect("a file");
        let documents = vec![document(0), Document::open(&path).expect("a file")];
        let ended = run(&bench.driver, settings(), documents);
        assert_eq!((ended.classified(), &*ended.end), (2, "complete"));
    }
    assert_eq!(bench.emulator.job_count(), 3);
}

/// The files of a folder are sorted, hidden files are skipped, and unreadable files have an item.
pub fn bulk_run_over_folder_covers_its_files<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for (name, text) in [
        ("b.txt", "Invoice 2"),
        ("a.txt", "Invoice 1"),
        ("sub/c.txt", "Invoice 3"),
        (".hidden", "Invoice 4"),
        (".git/d.txt", "Invoice 5"),
        ("empty.txt", ""),
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let documents: Vec<_> = Document::folder(root).expect("a folder").collect();
    let name = |name: &str| root.join(name).display().to_string();
    let names: Vec<_> = documents.iter().map(|one| one.name().to_owned()).collect();
    let expected = ["a.txt", "b.txt", "empty.txt", "sub/c.txt"].map(name);
    assert_eq!(names, expected);
    let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
    ended.assert_names(expected);
    assert_eq!(ended.classified(), 3);
    for path in ["gone", "a.txt"] {
        let error = Document::folder(root.join(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Content, "{error}");
    }
}

/// Copies of a document that is read through a temporary file: the first file stays until the document is uploaded.
pub fn bulk_run_over_copies_of_long_reader_uploads_it_once<D: Driver>() {
    let text = "Invoice 4711. Total amount: 12.00.".repeat(520_000);
    let schedule = FaultSchedule::new().with(Fault::Unavailable.nth(1).on(Route::FileCreate));
    let bench = TestBench::<D>::new(Config::default().faults(schedule));
    let reader = |name: &str| Document::reader(name, std::io::Cursor::new(text.clone()));
    let documents = vec![reader("a.txt"), reader("b.txt"), reader("c.txt")];
    let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
    assert_eq!((ended.classified(), &*ended.end), (3, "complete"));
    assert_eq!(bench.emulator.job_count(), 1);
}

/// Each document belongs to exactly one shard.
pub fn bulk_run_shards_divide_documents<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    for (index, count) in [(3, 3), (1, 0), (0, 0)] {
        let settings = BulkSettings::new(rules()).shard(index, count);
        let error = run_until(&bench.driver, settings, vec![document(0)], |_| false).unwrap_err();
        assert!(
            error.is_invalid() && error.to_string().contains("shard"),
            "{error}"
        );
    }
    let mut names = Vec::new();
    for index in 0..3 {
        let settings = BulkSettings::new(rules()).shard(index, 3);
        // An unreadable document belongs to one shard too.
        let mut documents: Vec<_> = (0..20).map(document).collect();
        documents.extend((20..25).map(|number| Document::bytes(format!("{number}.txt"), "")));
        let ended = run(&bench.driver, settings, documents);
        assert_eq!(ended.end, "complete");
        names.extend(ended.items.iter().map(|item| item.name().to_owned()));
    }
    names.sort();
    let mut expected: Vec<_> = (0..25).map(|number| format!("{number}.txt")).collect();
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(bench.emulator.job_count(), 20);
}

/// An unusable journal is an error before anything is sent, and the file is not changed.
pub fn bulk_run_unusable_journal_is_an_error_and_unchanged<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let settings = |rules: Configuration| BulkSettings::new(rules).journal(&path);
    let refused = |settings: BulkSettings, reason: &str| {
        let before = fs::read(&path).ok();
        let requests = bench.emulator.request_count();
        let error = run_until(&bench.driver, settings, vec![document(0)], |_| false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(fs::read(&path).ok(), before);
        assert_eq!(bench.emulator.request_count(), requests);
    };
    for text in [
        "no line break",
        "a line\n",
        "{\"a\": 1}\n",
        "{\"record\":\"ended\"}\n",
    ] {
        fs::write(&path, text).expect("a file");
        refused(settings(rules()), "run.journal");
    }
    fs::remove_file(&path).expect("the file");
    run(&bench.driver, settings(rules()), vec![document(0)]);
    let other = Configuration::new([Rule::new("receipt", "a till receipt of a shop")]);
    refused(settings(other), "another run");
    let lock = classify_client::JournalFile::open(&path).expect("the journal");
    refused(settings(rules()), "another run is writing");
    drop(lock);

    // An incomplete last line is removed, but not from the journal of another run.
    let whole = fs::read(&path).expect("the journal");
    fs::write(&path, [&whole[..], b"{\"record\":\"plan"].concat()).expect("the journal");
    let other = Configuration::new([Rule::new("receipt", "a till receipt of a shop")]);
    refused(settings(other), "another run");
    let ended = run(&bench.driver, settings(rules()), vec![document(0)]);
    assert_eq!(ended.classified(), 1);
    assert_eq!(fs::read(&path).expect("the journal"), whole);
    assert_eq!(bench.emulator.job_count(), 1);
}

/// The journal is unlocked when the run has ended, also if the run is kept for its summary.
pub fn bulk_run_journal_is_unlocked_at_end_of_run<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let mut was_locked = false;
    let mut reopened = None;
    let ended = bench.driver.bulk(
        BulkSettings::new(rules()).journal(&path),
        vec![document(0)],
        &mut |_| {
            was_locked = classify_client::JournalFile::open(&path).is_err();
            false
        },
        &mut |_| reopened = Some(classify_client::JournalFile::open(&path).is_ok()),
    );
    ended.expect("a run");
    assert!(was_locked);
    assert_eq!(reopened, Some(true));
}

/// A write error of the journal stops the run before a job is created that the journal does not have.
pub fn bulk_run_stops_if_journal_cannot_be_written<D: Driver>() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let bench = TestBench::<D>::new(Config::default());
    let settings = BulkSettings::new(rules()).journal("/dev/full");
    let ended = run(&bench.driver, settings, (0..20).map(document).collect());
    assert!(
        ended.end.contains("journal cannot be written"),
        "{}",
        ended.end
    );
    ended.assert_names((0..20).map(|number| format!("{number}.txt")));
    assert_eq!(ended.classified(), 0);
    assert_eq!(bench.emulator.job_count(), 0);
    assert_eq!(bench.emulator.count(Route::FileCreate), 0);
}

/// A run ends at its deadline. Every document has an item, and the next run finds the jobs.
pub fn bulk_run_ends_at_its_deadline<D: Driver>() {
    let hour = Duration::from_secs(3600);
    let config = Config::default().script(Script::any().takes(hour));
    let bench = TestBench::<D>::new(config.virtual_clock());
    let settings = || {
        BulkSettings::new(rules())
            .deadline(Duration::from_millis(300))
            .limits(BulkOptions::default().max_in_flight(5))
    };
    let ended = run(&bench.driver, settings(), (0..20).map(document).collect());
    ended.assert_names((0..20).map(|number| format!("{number}.txt")));
    assert!(ended.end.contains("deadline"), "{}", ended.end);
    for item in &ended.items {
        let error = item.outcome().unwrap_err();
        assert_eq!(error.scope(), ErrorScope::Run, "{error}");
    }
    let created = bench.emulator.job_count();
    assert!(created <= 5, "{created}");
    bench.emulator.advance(hour);
    let documents = (0..created).map(document).collect();
    let ended = run(&bench.driver, BulkSettings::new(rules()), documents);
    assert_eq!((ended.classified(), &*ended.end), (created, "complete"));
    assert_eq!(bench.emulator.job_count(), created);
}

/// `classify` and a bulk run share jobs, also failed ones, unless a new job is requested.
pub fn bulk_run_and_classify_share_jobs<D: Driver>() {
    let bench =
        TestBench::<D>::new(Config::default().script(Script::file("1.txt").fails("BROKEN")));
    let documents = || (0..3).map(document).collect::<Vec<_>>();
    let options = || JobOptions::from(rules());
    for number in 0..3 {
        let result = bench.driver.classify(document(number), options());
        assert_eq!(result.is_err(), number == 1);
    }
    let ended = run(&bench.driver, BulkSettings::new(options()), documents());
    assert_eq!((ended.classified(), bench.emulator.job_count()), (2, 3));
    let ended = run(
        &bench.driver,
        BulkSettings::new(options().retry_failed()),
        documents(),
    );
    assert_eq!((ended.classified(), bench.emulator.job_count()), (2, 4));
    let ended = run(
        &bench.driver,
        BulkSettings::new(options().fresh()),
        documents(),
    );
    assert_eq!((ended.classified(), bench.emulator.job_count()), (2, 7));
    for number in [0, 2] {
        bench
            .driver
            .classify(document(number), options())
            .expect("the first job");
    }
    assert_eq!(bench.emulator.job_count(), 7);
}
