//! A journal read from any bytes, and a run that goes on from it.

#![no_main]

use classify_fuzz::{api, check_error, create, seed};
use classify_proto::Time;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, Context, Document, Journal, Machine, Step,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (journal, sound) = match Journal::read(data) {
        Ok(read) => read,
        Err(error) => return check_error(&error),
    };
    assert!(sound <= data.len());
    assert!(sound == 0 || data[sound - 1] == b'\n', "cut within a line");
    assert!(!data[sound..].contains(&b'\n'), "a whole line is cut off");
    let (cut, again) = Journal::read(&data[..sound]).expect("the sound part");
    assert_eq!((cut.counts(), again), (journal.counts(), sound));
    let (known, settled) = journal.counts();
    assert!(settled <= known);
    // A torn line after it changes nothing.
    let mut torn = data[..sound].to_vec();
    torn.extend_from_slice(b"{\"record\":\"pla");
    assert_eq!(Journal::read(&torn).expect("a torn line").1, sound);

    let api = api();
    let bulk =
        Bulk::new(&api, create(""), BulkOptions::default(), seed()).expect("a good template");
    let mut bulk = match bulk.with_journal(journal) {
        Ok(bulk) => bulk,
        Err(error) => return check_error(&error),
    };
    let cx = Context::new(&api, Time::from_millis(1_700_000_000_000));
    let mut documents = vec![Document::bytes("a.txt", "a"), Document::id("dfl-1")];
    for _ in 0..1_000 {
        match bulk.poll(cx) {
            Step::Event(BulkEvent::NeedDocuments(room)) => {
                documents
                    .drain(..documents.len().min(room))
                    .for_each(|document| bulk.push(document));
            }
            Step::Event(_) | Step::Send(..) => {}
            Step::Wait(until) => {
                assert!(until.is_none_or(|until| until > cx.now));
                return;
            }
            Step::Done(_) => return,
        }
    }
    panic!("a thousand steps at one time");
});
