//! The stores that URLs lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use classify_proto::Error;
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutOptions};

use crate::error;
use crate::listing::Objects;
use crate::object::{Facts, Object};
use crate::object_url::ObjectUrl;
use crate::provider;
use crate::runtime::Runtime;

/// The number of objects whose facts are requested at once.
const CONCURRENT_STATS: usize = 32;

/// The object stores of URLs, each opened when it is first used. Clones share them.
///
/// ```
/// use std::sync::Arc;
///
/// use classify_object_store::{ObjectUrl, Stores};
/// use object_store::memory::InMemory;
///
/// let bucket: ObjectUrl = "s3://bucket".parse()?;
/// let stores = Stores::from_env()?.with_store(&bucket, Arc::new(InMemory::new()));
/// assert_eq!(stores.list(&bucket)?.count(), 0);
/// # Ok::<(), classify_proto::Error>(())
/// ```
#[derive(Clone)]
pub struct Stores {
    runtime: Runtime,
    /// By the URL of the bucket.
    stores: Arc<Mutex<BTreeMap<ObjectUrl, Arc<dyn ObjectStore>>>>,
}

impl Stores {
    /// Creates stores that are configured by the variables `AWS_…`, `GOOGLE_…` and `AZURE_…`, which are read when a
    /// bucket is first used. Starts the background thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](classify_proto::ErrorKind::State) if the system gives no thread.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            runtime: Runtime::start()?,
            stores: Arc::default(),
        })
    }

    /// Uses a store of the `object_store` crate for the bucket of `url`, whatever the environment says.
    #[must_use]
    pub fn with_store(self, url: &ObjectUrl, store: Arc<dyn ObjectStore>) -> Self {
        self.opened().insert(url.bucket_url(), store);
        self
    }

    /// Lists the objects below a prefix or in a bucket. Whether the URL ends with `/` makes no difference: `s3://b/a` has
    /// `a/1.pdf` below it, but not `ab.pdf`. The request is sent when the iterator is used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the store cannot be configured. Errors of the
    /// listing are items of the iterator.
    pub fn list(&self, url: &ObjectUrl) -> Result<Objects, Error> {
        Ok(Objects::new(self.object(url)?))
    }

    /// Returns an object with its size and `ETag`. Sends a `HEAD` request and blocks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the object or the store cannot be read;
    /// [`io_kind`](Error::io_kind) is [`NotFound`](std::io::ErrorKind::NotFound) if the object does not exist.
    pub fn stat(&self, url: &ObjectUrl) -> Result<Object, Error> {
        let stated = self.stat_all([url.clone()]).pop();
        stated.unwrap_or_else(|| Err(error::panicked(url).into()))
    }

    /// Returns the results of [`stat`](Self::stat) of many objects, in the same order. Up to 32 requests run at once.
    pub fn stat_all(
        &self,
        urls: impl IntoIterator<Item = ObjectUrl>,
    ) -> Vec<Result<Object, Error>> {
        let mut results: Vec<_> = urls.into_iter().map(|url| self.object(&url)).collect();
        let objects = results.iter().enumerate().filter_map(|(index, object)| {
            let object = object.as_ref().ok()?;
            Some((index, object.store.clone(), object.path.clone()))
        });
        let requests: Vec<_> = objects
            .map(|(index, store, path)| async move { (index, stat(&*store, &path).await) })
            .collect();
        let responses = futures_util::stream::iter(requests).buffer_unordered(CONCURRENT_STATS);
        let responses: Option<Vec<_>> = self.runtime.run(responses.collect());
        for (index, facts) in responses.unwrap_or_default() {
            let Some(Ok(object)) = results.get_mut(index) else {
                continue;
            };
            match facts {
                Ok(facts) => object.facts = Some(facts),
                Err(error) => results[index] = Err(error::failure(&object.url, &error).into()),
            }
        }
        results.into_iter().map(answered).collect()
    }

    /// Returns an object without a request, so that its size and `ETag` are unknown.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the store cannot be configured.
    pub fn object(&self, url: &ObjectUrl) -> Result<Object, Error> {
        Ok(Object {
            path: url.path()?,
            store: self.store(url)?,
            runtime: self.runtime.clone(),
            url: url.clone(),
            facts: None,
        })
    }

    /// Writes an object, and replaces one with the same key. Blocks until the store has it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use classify_object_store::{ObjectUrl, Stores};
    /// # use object_store::memory::InMemory;
    /// # let bucket: ObjectUrl = "s3://bucket".parse()?;
    /// # let stores = Stores::from_env()?.with_store(&bucket, Arc::new(InMemory::new()));
    /// let url: ObjectUrl = "s3://bucket/results.jsonl".parse()?;
    /// stores.write(&url, "{}\n".into())?;
    /// assert_eq!(stores.stat(&url)?.size(), Some(3));
    /// # Ok::<(), classify_proto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Content`](classify_proto::ErrorKind::Content) if the store cannot be configured or rejects the object.
    pub fn write(&self, url: &ObjectUrl, content: Bytes) -> Result<(), Error> {
        let Object { store, path, .. } = self.object(url)?;
        let written = self.runtime.run(async move {
            let options = PutOptions::default();
            store.put_opts(&path, content.into(), options).await
        });
        match written {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error::failure(url, &error).into()),
            None => Err(error::panicked(url).into()),
        }
    }

    fn store(&self, url: &ObjectUrl) -> Result<Arc<dyn ObjectStore>, Error> {
        let bucket = url.bucket_url();
        let mut opened = self.opened();
        if let Some(store) = opened.get(&bucket) {
            return Ok(Arc::clone(store));
        }
        let store = provider::open(&bucket)?;
        opened.insert(bucket, Arc::clone(&store));
        Ok(store)
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectUrl, Arc<dyn ObjectStore>>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests the facts of an object. If they are refused without a cause, one byte is requested to learn it.
async fn stat(store: &dyn ObjectStore, path: &Path) -> object_store::Result<Facts> {
    let options = GetOptions::new().with_head(true);
    match store.get_opts(path, options).await {
        Ok(found) => Ok(Facts::from(&found.meta)),
        Err(error) if error::is_unexplained(&error) => {
            let options = GetOptions::new().with_range(Some(0..1_u64));
            Err(store.get_opts(path, options).await.err().unwrap_or(error))
        }
        Err(error) => Err(error),
    }
}

/// Returns the error of an object whose request panicked.
fn answered(result: Result<Object, Error>) -> Result<Object, Error> {
    let object = result?;
    if object.facts.is_none() {
        return Err(error::panicked(&object.url).into());
    }
    Ok(object)
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.opened().keys().map(ObjectUrl::to_string).collect();
        f.debug_struct("Stores")
            .field("opened", &urls)
            .finish_non_exhaustive()
    }
}
