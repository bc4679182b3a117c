//! Page ranges, seen from outside.

use classify_proto::PageRanges;

#[test]
fn page_ranges_limit_is_inclusive() {
    let pages: PageRanges = "1,3,5-7".parse().unwrap();
    assert_eq!(pages.to_zero_based(5).unwrap().len(), 5);
    assert!(pages.to_zero_based(4).is_err());
}

#[test]
fn page_ranges_convert_to_original_text() {
    let pages: PageRanges = "1,3,5-7".parse().unwrap();
    assert_eq!(String::from(pages), "1,3,5-7");
}
