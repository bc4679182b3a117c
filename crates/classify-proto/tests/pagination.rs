//! Every list continues from a page token and keeps its filters.

use classify_proto::{Api, Paged, configurations, files, v1, v2, webhooks};

fn assert_next_page_keeps_filters<O: Paged>(list: &O) {
    let api = Api::builder("llx-key").build().unwrap();
    let asks = |list: &O| {
        let request = list.build_request(&api).unwrap();
        let body = request.body().in_memory().unwrap_or_default();
        let body = String::from_utf8(body.to_vec()).unwrap();
        format!("{} {body}", request.uri())
    };
    assert_eq!(list.page_token(), None, "{}", list.name());
    let next = list.with_page_token(Some("further-on".into()));
    assert_eq!(next.page_token(), Some("further-on"), "{}", list.name());
    let (first, second) = (asks(list), asks(&next));
    assert!(!first.contains("further-on") && second.contains("further-on"));
    // The filter of the first page applies to the next page.
    assert!(
        first.contains("narrowed") && second.contains("narrowed"),
        "{second}"
    );
    assert_eq!(asks(&next.with_page_token(None)), first);
}

#[test]
fn pagination_next_page_changes_only_the_token() {
    assert_next_page_keeps_filters(&v2::ListJobs::new().project("narrowed"));
    assert_next_page_keeps_filters(&v1::ListJobs::new().project("narrowed"));
    assert_next_page_keeps_filters(&v1::GetJobResults::new("job-1").project("narrowed"));
    assert_next_page_keeps_filters(&files::ListFiles::new().project("narrowed"));
    assert_next_page_keeps_filters(&files::QueryFiles::new().project("narrowed"));
    assert_next_page_keeps_filters(&configurations::ListConfigurations::new().project("narrowed"));
    assert_next_page_keeps_filters(&webhooks::ListWebhookConfigurations::new().project("narrowed"));
}

#[test]
fn validation_page_size_below_1_is_refused_on_every_list() {
    fn is_refused(list: &impl Paged) {
        let api = Api::builder("llx-key").build().unwrap();
        let error = list.build_request(&api).unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|f| &*f.field).collect();
        assert_eq!(fields, ["page_size"], "{}", list.name());
        assert!(error.to_string().contains("is 0"), "{error}");
        let lenient = Api::builder("llx-key").validate(false).build().unwrap();
        list.build_request(&lenient).unwrap();
    }
    is_refused(&v2::ListJobs::new().page_size(0));
    is_refused(&v1::ListJobs::new().page_size(0));
    is_refused(&files::ListFiles::new().page_size(0));
    is_refused(&files::QueryFiles::new().page_size(0));
    is_refused(&configurations::ListConfigurations::new().page_size(0));
    is_refused(&webhooks::ListWebhookConfigurations::new().page_size(0));
}
