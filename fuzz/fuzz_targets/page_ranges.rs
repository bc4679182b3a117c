//! `PageRanges`, compared with a naive model: a set of page numbers.

#![no_main]

use std::collections::BTreeSet;

use classify_proto::PageRanges;
use libfuzzer_sys::fuzz_target;

/// Ranges longer than this are not expanded by the model.
const MAX_EXPANDED_RANGE: u32 = 5_000;

fuzz_target!(|text: &str| {
    let parsed = text.parse::<PageRanges>();
    let Some(model) = model(text) else {
        assert!(parsed.is_err(), "{text:?} is refused by the model");
        return;
    };
    let pages = parsed.expect("the model takes it");
    let written = pages.to_string();
    let reparsed: PageRanges = written.parse().expect("what we wrote");
    assert_eq!(reparsed, pages);
    let normalized = pages.normalized();
    assert_eq!(normalized.normalized(), normalized);
    assert_eq!(normalized.count(), pages.count());
    let Some(set) = model
        .iter()
        .try_fold(BTreeSet::new(), |mut set, (first, last)| {
            let short = last - first < MAX_EXPANDED_RANGE;
            short.then(|| set.extend(*first..=*last))?;
            Some(set)
        })
    else {
        assert!(pages.count() >= u64::from(MAX_EXPANDED_RANGE));
        assert!(
            pages
                .to_zero_based(MAX_EXPANDED_RANGE as usize - 1)
                .is_err()
        );
        return;
    };
    assert_eq!(pages.count(), set.len() as u64);
    let zero_based: Vec<_> = set.iter().map(|page| page - 1).collect();
    assert_eq!(
        pages.to_zero_based(set.len()).expect("the limit"),
        zero_based
    );
    assert!(pages.to_zero_based(set.len() - 1).is_err());
    assert_eq!(
        PageRanges::from_zero_based(zero_based).expect("pages"),
        normalized
    );
    for page in set
        .iter()
        .flat_map(|page| [page - 1, *page, page.saturating_add(1)])
    {
        assert_eq!(
            pages.contains(page),
            set.contains(&page),
            "{page} of {text:?}"
        );
    }
});

/// Returns the first and last pages as written; `None` if the text is not a list of pages.
fn model(text: &str) -> Option<Vec<(u32, u32)>> {
    text.split(',')
        .map(|item| {
            let ends: Vec<_> = item.split('-').map(|end| number(end.trim())).collect();
            match ends[..] {
                [Some(page)] => Some((page, page)),
                [Some(first), Some(last)] if first <= last => Some((first, last)),
                _ => None,
            }
        })
        .collect()
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.chars().all(|digit| matches!(digit, '0'..='9'));
    let number: u32 = digits.then(|| text.parse().ok())??;
    (number > 0).then_some(number)
}
