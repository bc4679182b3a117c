//! Multipart bodies, parsed by an independent library.

#![no_main]

use std::convert::Infallible;

use arbitrary::{Arbitrary, Unstructured};
use classify_fuzz::{api, check_error};
use classify_proto::{Operation, Seed, files::UploadFile};
use futures_util::{FutureExt, stream};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    name: &'a str,
    external_file_id: Option<&'a str>,
    purpose: Option<&'a str>,
    content_type: Option<&'a str>,
    seed: [u8; 16],
    content: &'a [u8],
}

fuzz_target!(|data: &[u8]| {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut upload = UploadFile::new(input.name, input.content.to_vec());
    if let Some(id) = input.external_file_id {
        upload = upload.external_file_id(id);
    }
    if let Some(purpose) = input.purpose {
        upload = upload.purpose(purpose);
    }
    if let Some(content_type) = input.content_type {
        upload = upload.content_type(content_type);
    }
    upload.prepare(Seed::new(input.seed));
    let request = match upload.build_request(&api()) {
        Ok(request) => request,
        Err(error) => return check_error(&error),
    };
    let content_type = request.headers()["content-type"].to_str().expect("ASCII");
    let boundary = multer::parse_boundary(content_type).expect("a boundary");
    let body = request.body().in_memory().expect("held in memory");
    // The boundary is random, so that no document contains it. Here the text may be chosen to contain it.
    let texts = [input.external_file_id, input.purpose, Some(input.name)];
    if input
        .content
        .windows(boundary.len())
        .any(|part| part == boundary.as_bytes())
        || texts.iter().flatten().any(|text| text.contains(&boundary))
    {
        return;
    }
    let parts = parts(body, boundary)
        .now_or_never()
        .expect("the whole body is there");
    let text = |text: &str| text.as_bytes().to_vec();
    let mut expected = vec![(
        "purpose".to_owned(),
        text(input.purpose.unwrap_or("classify")),
    )];
    expected.extend(
        input
            .external_file_id
            .map(|id| ("external_file_id".to_owned(), text(id))),
    );
    expected.push(("file".to_owned(), input.content.to_vec()));
    let parsed: Vec<_> = parts
        .iter()
        .map(|part| (part.name.clone(), part.content.clone()))
        .collect();
    assert_eq!(parsed, expected);
    let file = parts.last().expect("the file");
    // multer reads two backslashes before the closing quote of a name as an escaped quote.
    if !input.name.ends_with('\\') {
        assert_eq!(
            file.file_name.as_deref(),
            Some(&*as_parsed_by_multer(input.name))
        );
    }
});

/// Returns a name as multer reads it: it decodes neither percent-encoding nor doubled backslashes.
fn as_parsed_by_multer(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '"' => "%22".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_ascii_control() => format!("%{:02X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

struct Part {
    name: String,
    file_name: Option<String>,
    content: Vec<u8>,
}

async fn parts(body: bytes::Bytes, boundary: String) -> Vec<Part> {
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(body, boundary);
    let mut parts = Vec::new();
    while let Some(part) = form.next_field().await.expect("a sound part") {
        parts.push(Part {
            name: part.name().expect("a name").to_owned(),
            file_name: part.file_name().map(str::to_owned),
            content: part.bytes().await.expect("sound content").to_vec(),
        });
    }
    parts
}
