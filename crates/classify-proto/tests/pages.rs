//! Page ranges, seen from outside.

use classify_proto::PageRanges;

#[test]
fn a_limit_on_pages_lets_through_just_as_many() {
    let pages: PageRanges = "1,3,5-7".parse().unwrap();
    assert_eq!(pages.to_zero_based(5).unwrap().len(), 5);
    assert!(pages.to_zero_based(4).is_err());
}

#[test]
fn pages_become_the_text_they_were_read_from() {
    let pages: PageRanges = "1,3,5-7".parse().unwrap();
    assert_eq!(String::from(pages), "1,3,5-7");
}
