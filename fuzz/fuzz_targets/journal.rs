//! A journal read from any bytes, and a run that goes on from it.

#![no_main]

use classify_fuzz::{CANARY, api, check_error, rules, seed};
use classify_proto::Time;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, Context, HashedDocument, Journal, Machine, Step,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (journal, valid_length) = match Journal::read(data) {
        Ok(contents) => contents,
        Err(error) => return check_error(&error),
    };
    assert!(valid_length <= data.len());
    assert!(
        valid_length == 0 || data[valid_length - 1] == b'\n',
        "cut within a line"
    );
    assert!(
        !data[valid_length..].contains(&b'\n'),
        "a whole line is cut off"
    );
    let (cut, valid_length_again) = Journal::read(&data[..valid_length]).expect("the sound part");
    assert_eq!(
        (cut.counts(), valid_length_again),
        (journal.counts(), valid_length)
    );
    let (document_count, settled) = journal.counts();
    assert!(settled <= document_count);
    // A torn line after it changes nothing.
    if valid_length > 0 {
        let mut torn = data[..valid_length].to_vec();
        torn.extend_from_slice(b"{\"record\":\"pla");
        assert_eq!(Journal::read(&torn).expect("a torn line").1, valid_length);
    }

    let api = api();
    let bulk = Bulk::new(&api, rules(), BulkOptions::default(), seed()).expect("a good template");
    // What differs is named, and an id in the journal may be any text.
    let shows_canary = journal
        .header()
        .is_some_and(|header| format!("{header:?}").contains(CANARY));
    let mut bulk = match bulk.with_journal(journal) {
        Ok(bulk) => bulk,
        Err(_) if shows_canary => return,
        Err(error) => return check_error(&error),
    };
    let cx = Context::new(&api, Time::from_millis(1_700_000_000_000));
    let mut documents = vec![
        HashedDocument::bytes("a.txt", "a"),
        HashedDocument::id("dfl-1"),
    ];
    for _ in 0..1_000 {
        match bulk.poll(cx) {
            Step::Event(BulkEvent::NeedDocuments(requested)) => {
                documents
                    .drain(..documents.len().min(requested))
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
