//! The temporary files of long readers are deleted. In a program of its own, whose temporary folder is its own.

use std::fs;
use std::io::Cursor;

use classify_emulator::{Config, Emulator};
use classify_scenarios::{api, rules};
use classify_ureq::{Client, Document};

#[test]
fn temporary_file_of_long_reader_is_deleted_also_if_journal_has_its_result() {
    let folder = tempfile::tempdir().expect("a folder");
    // It has a temporary folder too.
    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let temporary = folder.path().join("temporary");
    fs::create_dir(&temporary).expect("a folder");
    tempfile::env::override_temp_dir(&temporary).expect("the first override");
    let files = || fs::read_dir(&temporary).expect("a folder").count();
    let client = Client::new(api(emulator.base_url(), emulator.key()));
    let text = "Invoice 4711. Total amount: 12.00.".repeat(520_000);
    for is_restored in [false, true] {
        let name = |number| format!("{number}.txt");
        let documents = (0..3).map(|number| {
            // The first is in the run.
            assert!(is_restored || number != 1 || files() > 0);
            Document::reader(name(number), Cursor::new(text.clone()))
        });
        let run = client
            .bulk(rules())
            .journal(folder.path().join("run.journal"))
            .run(documents)
            .expect("a run");
        let finished: Vec<_> = run.collect();
        assert_eq!(finished.len(), 3);
        for item in finished {
            assert!(item.outcome().is_ok());
            assert_eq!(item.is_restored(), is_restored);
        }
        assert_eq!(files(), 0);
    }
    assert_eq!(emulator.job_count(), 1);
}
