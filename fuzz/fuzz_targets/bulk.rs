//! Bulk runs, played arbitrary replies and delays, killed and taken up again from their journal.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use classify_fuzz::play::Player;
use classify_fuzz::{CANARY, create, seed};
use classify_proto::machine::{Bulk, BulkEvent, BulkOptions, Document, FedEvent, Journal, Record};
use libfuzzer_sys::fuzz_target;

const MOST_PROCESSES: usize = 4;

fuzz_target!(|data: &[u8]| {
    let mut player = Player::new(data);
    let count = player.chance.int_in_range(0..=8u8).unwrap_or(3);
    let documents: Vec<_> = (0..count)
        .map(
            |place| match player.chance.int_in_range(0..=5u8).unwrap_or(0) {
                kind @ 0..=3 => Document::bytes(format!("{place}.txt"), format!("canary {kind}")),
                kind => Document::id(format!("dfl-{kind}")),
            },
        )
        .collect();
    let options = BulkOptions::default()
        .max_in_flight(player.chance.int_in_range(1..=9).unwrap_or(4))
        .max_requests(player.chance.int_in_range(1..=4).unwrap_or(2))
        .report_cache_size(player.chance.int_in_range(0..=9).unwrap_or(9))
        .retry_failed(player.chance.arbitrary().unwrap_or(false));
    let mut journal = Vec::new();
    if player.chance.ratio(1u8, 4u8).unwrap_or(false) {
        fed(&mut player, &documents, options, &mut journal);
        return;
    }
    let mut transactions = BTreeMap::new();
    for process in 1.. {
        let killed = process < MOST_PROCESSES;
        if run(
            &mut player,
            &documents,
            &options,
            &mut journal,
            &mut transactions,
            killed,
        ) {
            break;
        }
        player.lose_everything();
    }
});

/// One process; whether it came to its end.
fn run(
    player: &mut Player<'_>,
    documents: &[Document],
    options: &BulkOptions,
    journal: &mut Vec<u8>,
    transactions: &mut BTreeMap<String, BTreeSet<String>>,
    may_be_killed: bool,
) -> bool {
    let (read, sound) = Journal::read(journal).expect("our own journal");
    journal.truncate(sound);
    let mut bulk = Bulk::new(&player.api, create(""), options.clone(), seed())
        .expect("a good template")
        .with_journal(read)
        .expect("the journal of this run");
    let mut source = documents.iter();
    let mut reported: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        if may_be_killed && player.happens(1, 64) {
            return false;
        }
        match player.chance.int_in_range(0..=255u8).unwrap_or(255) {
            0 => bulk.stop(),
            1 => bulk.stop_and_cancel(),
            _ => {}
        }
        let mut events = Vec::new();
        let output = player.step(&mut bulk, &mut |event| events.push(event));
        for event in events {
            match event {
                BulkEvent::NeedDocuments(room) => {
                    assert!(room > 0 && room == bulk.capacity());
                    source
                        .by_ref()
                        .take(room)
                        .for_each(|document| bulk.push(document.clone()));
                }
                BulkEvent::Record(record) => {
                    if let Record::Created {
                        key,
                        transaction_id,
                        ..
                    } = &record
                    {
                        transactions
                            .entry(key.to_string())
                            .or_default()
                            .insert(transaction_id.clone());
                    }
                    let line = record.to_line();
                    assert!(
                        !line.contains(CANARY),
                        "a document is in the journal: {line}"
                    );
                    journal.extend_from_slice(line.as_bytes());
                }
                BulkEvent::Finished(settled) => {
                    for name in settled.names {
                        *reported.entry(name).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        if let Some(summary) = output {
            let settled: usize = reported.values().sum();
            assert_eq!(settled, summary.documents() + summary.duplicates);
            let stopped = bulk.is_stopping();
            assert!(
                stopped || settled == documents.len(),
                "{settled} of {}",
                documents.len()
            );
            if !options.retry_failed && !stopped {
                let ids = transactions.values().map(BTreeSet::len).max();
                assert!(
                    ids.is_none_or(|ids| ids <= 1 + MOST_PROCESSES),
                    "{transactions:?}"
                );
            }
            return true;
        }
    }
}

/// Processes that are fed by an iterator and whose journal may fill its device; each goes on from what the last left.
fn fed(
    player: &mut Player<'_>,
    documents: &[Document],
    options: BulkOptions,
    journal: &mut Vec<u8>,
) {
    for _ in 0..MOST_PROCESSES {
        let (read, sound) = Journal::read(journal).expect("our own journal");
        journal.truncate(sound);
        let space = player.chance.int_in_range(0..=4_000usize).unwrap_or(4_000);
        let most = journal.len() + space;
        let mut is_full = false;
        let mut store = |record: &Record| {
            assert!(!is_full, "a record after one that is there in part");
            let line = record.to_line();
            let room = most.saturating_sub(journal.len()).min(line.len());
            journal.extend_from_slice(&line.as_bytes()[..room]);
            is_full = room < line.len();
            if is_full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        };
        let mut run = Bulk::new(&player.api, create(""), options.clone(), seed())
            .expect("a good template")
            .with_journal(read)
            .expect("the journal of this run")
            .fed_by(documents.iter().cloned(), &mut store);
        let mut settled = 0;
        let summary = loop {
            let mut count = |event| {
                if let FedEvent::Finished(document) = event {
                    settled += document.names.len();
                }
            };
            if let Some(summary) = player.step(&mut run, &mut count) {
                break summary;
            }
        };
        let left = run.into_rest().count();
        assert_eq!(settled, summary.documents() + summary.duplicates);
        assert_eq!(settled + left, documents.len());
        assert!(summary.stopped.is_some() || left == 0);
        assert!(summary.stopped.is_some() || !is_full);
        player.lose_everything();
    }
}
