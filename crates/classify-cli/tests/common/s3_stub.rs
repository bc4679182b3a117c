//! A bucket `bucket` with the API of S3, in memory, on loopback. It counts requests and fails as planned.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

/// The number of objects of a page of the listing.
const PAGE: usize = 3;

/// The bucket, until the process ends.
#[derive(Clone)]
pub struct S3Stub {
    url: String,
    bucket: Arc<Mutex<Bucket>>,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Vec<u8>>,
    faults: BTreeMap<String, Fault>,
    log: Vec<String>,
}

/// A planned failure of the next `GET` of an object.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The response is 403 with this code.
    Denied(&'static str),
    /// The object is replaced after the response.
    ReplaceAfter(&'static str),
    /// The object is deleted after the response.
    DeleteAfter,
}

impl S3Stub {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let router = Router::new()
            .route("/bucket", get(list))
            .route("/bucket/{*key}", get(object))
            .with_state(Arc::clone(&bucket));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url, bucket }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.objects.insert(key.to_owned(), content.into());
    }

    pub fn fail(&self, key: &str, fault: Fault) {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.faults.insert(key.to_owned(), fault);
    }

    /// The number of requests that begin with these words: the method, and `LIST` for a listing.
    pub fn count(&self, start: &str) -> usize {
        let bucket = self.bucket.lock().unwrap();
        bucket
            .log
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    }
}

fn etag(content: &[u8]) -> String {
    let sum = content.iter().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    format!("\"{sum:016x}\"")
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>planned</Message></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn list(
    State(bucket): State<Arc<Mutex<Bucket>>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let mut bucket = bucket.lock().unwrap();
    bucket.log.push("LIST".to_owned());
    let value = |name: &str| query.get(name).cloned();
    let prefix = value("prefix").unwrap_or_default();
    let after = value("continuation-token").unwrap_or_default();
    let mut found = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let page: Vec<_> = found.by_ref().take(PAGE).collect();
    let contents = page.iter().map(|(key, content)| {
        let (etag, size) = (etag(content).replace('"', "&quot;"), content.len());
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-30T00:00:00.000Z</LastModified>\
             <ETag>{etag}</ETag><Size>{size}</Size></Contents>"
        )
    });
    let mut parts = vec!["<?xml version=\"1.0\"?><ListBucketResult>".to_owned()];
    parts.extend(contents);
    if let (Some((last, _)), true) = (page.last(), found.next().is_some()) {
        parts.push("<IsTruncated>true</IsTruncated>".to_owned());
        parts.push(format!(
            "<NextContinuationToken>{last}</NextContinuationToken>"
        ));
    }
    parts.push("</ListBucketResult>".to_owned());
    ([(header::CONTENT_TYPE, "application/xml")], parts.concat()).into_response()
}

async fn object(
    State(bucket): State<Arc<Mutex<Bucket>>>,
    method: Method,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut bucket = bucket.lock().unwrap();
    bucket.log.push(format!("{method} {key}"));
    let is_head = method == Method::HEAD;
    let fault = if is_head {
        None
    } else {
        bucket.faults.remove(&key)
    };
    if let Some(Fault::Denied(code)) = fault {
        return error(StatusCode::FORBIDDEN, code);
    }
    let Some(content) = bucket.objects.get(&key).cloned() else {
        return error(StatusCode::NOT_FOUND, "NoSuchKey");
    };
    let etag = etag(&content);
    if headers
        .get(header::IF_MATCH)
        .is_some_and(|expected| *expected != *etag)
    {
        return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    match fault {
        Some(Fault::ReplaceAfter(content)) => {
            bucket.objects.insert(key, content.as_bytes().to_vec());
        }
        Some(Fault::DeleteAfter) => {
            bucket.objects.remove(&key);
        }
        _ => {}
    }
    let headers = [
        (header::ETAG, etag),
        (
            header::LAST_MODIFIED,
            "Mon, 30 Nov 2026 00:00:00 GMT".to_owned(),
        ),
    ];
    (headers, content).into_response()
}
