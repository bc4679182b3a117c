//! A store in memory that counts reads and fails as planned.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use classify_proto::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

/// A planned failure of a read.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The object is replaced before the read.
    Replace(Vec<u8>),
    /// The object does not exist at this moment.
    Missing,
    /// The store answers 403 with this code.
    Denied(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct TestStore {
    memory: InMemory,
    gets: AtomicUsize,
    conditional_gets: AtomicUsize,
    pieces: Arc<AtomicUsize>,
    /// By key: the number of the read, and its fault.
    faults: Mutex<BTreeMap<String, (usize, Fault)>>,
    reads: Mutex<BTreeMap<String, usize>>,
    /// By key: the number and the length of the pieces of a large object.
    large: Mutex<BTreeMap<String, (usize, usize)>>,
}

impl TestStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn put(&self, key: &str, content: Vec<u8>) {
        let path = Path::parse(key).unwrap();
        now(self.memory.put(&path, content.into()));
    }

    pub(crate) fn put_pieces(&self, key: &str, count: usize, length: usize) {
        self.put(key, b"x".to_vec());
        let mut large = self.large.lock().unwrap();
        large.insert(key.to_owned(), (count, length));
    }

    /// Plans a fault for a read of an object, counted from 0. Facts are requested without a read, and count too if there
    /// was no read.
    pub(crate) fn on_get(&self, key: &str, number: usize, fault: Fault) {
        let mut faults = self.faults.lock().unwrap();
        faults.insert(key.to_owned(), (number, fault));
    }

    pub(crate) fn clear_faults(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// The number of reads of contents.
    pub(crate) fn gets(&self) -> usize {
        self.gets.load(Ordering::SeqCst)
    }

    /// The number of reads with an `ETag` as their condition.
    pub(crate) fn conditional_gets(&self) -> usize {
        self.conditional_gets.load(Ordering::SeqCst)
    }

    /// The number of pieces of large objects that were taken.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.load(Ordering::SeqCst)
    }
}

/// Returns the output of a future of a store in memory, which never waits. Works on async threads too.
fn now<T>(future: impl Future<Output = Result<T>>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("the store waits"),
    }
}

#[async_trait::async_trait]
impl ObjectStore for TestStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = location.as_ref();
        let is_head = options.head;
        let number = {
            let mut reads = self.reads.lock().unwrap();
            let count = reads.entry(key.to_owned()).or_default();
            let number = *count;
            *count += usize::from(!is_head);
            number
        };
        if !is_head {
            self.gets.fetch_add(1, Ordering::SeqCst);
        }
        if options.if_match.is_some() {
            self.conditional_gets.fetch_add(1, Ordering::SeqCst);
        }
        let fault = self.faults.lock().unwrap().get(key).cloned();
        match fault
            .filter(|(at, _)| *at == number)
            .map(|(_, fault)| fault)
        {
            None => {}
            Some(Fault::Replace(content)) => {
                self.memory.put(location, content.into()).await?;
            }
            Some(Fault::Missing) => {
                return Err(object_store::Error::NotFound {
                    path: key.to_owned(),
                    source: "404".into(),
                });
            }
            Some(Fault::Denied(code)) => {
                let body = format!("<Error><Code>{code}</Code><Message>planned</Message></Error>");
                // A response to HEAD has no body.
                let body = if is_head { String::new() } else { body };
                return Err(object_store::Error::PermissionDenied {
                    path: key.to_owned(),
                    source: format!("403: {body}").into(),
                });
            }
        }
        let mut result = self.memory.get_opts(location, options).await?;
        let large = self.large.lock().unwrap().get(key).copied();
        if let Some((count, length)) = large {
            let pieces = Arc::clone(&self.pieces);
            let stream = futures_util::stream::iter(0..count).map(move |_| {
                pieces.fetch_add(1, Ordering::SeqCst);
                Ok(Bytes::from(vec![7; length]))
            });
            result.meta.size = (count * length) as u64;
            result.range = 0..result.meta.size;
            result.payload = GetResultPayload::Stream(stream.boxed());
        }
        Ok(result)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.memory.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.memory.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(locations)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

impl fmt::Display for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}
