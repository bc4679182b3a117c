//! The objects below a prefix.

use std::fmt;
use std::iter::FusedIterator;

use classify_client::{Document, SkipReason};
use classify_proto::{Error, Failure};
use futures_util::StreamExt as _;
use object_store::{GetOptions, ObjectMeta};
use tokio::sync::mpsc::{Receiver, channel};

use crate::error;
use crate::object::{Facts, Object, Unlisted, is_missing};
use crate::object_url::ObjectUrl;
use crate::runtime::{Task, block_on};

/// The number of objects that are listed ahead: a page of S3.
const LIST_AHEAD: usize = 1000;

/// An entry of a listing.
#[derive(Debug)]
#[non_exhaustive]
pub enum ObjectEntry {
    /// An object to classify.
    Object(Object),
    /// An object that is skipped, with the reason.
    Skipped(ObjectUrl, SkipReason),
}

/// The objects below a prefix, in the order of the store, which is that of the keys. Made by
/// [`Stores::list`](crate::Stores::list).
///
/// The pages of the listing are requested while the iterator advances, which blocks. After an error it ends.
pub struct Objects {
    prefix: Object,
    listed: Receiver<object_store::Result<ObjectMeta>>,
    is_ended: bool,
    _task: Task,
}

impl Objects {
    /// Lists the objects below the key of `prefix`.
    pub(crate) fn new(prefix: Object) -> Self {
        let (sender, listed) = channel(LIST_AHEAD);
        let (store, path) = (prefix.store.clone(), prefix.path.clone());
        let task = prefix.runtime.spawn(async move {
            let mut objects = store.list(Some(&path));
            while let Some(listed) = objects.next().await {
                if let Some(empty) = listed.as_ref().ok().filter(|object| object.size == 0) {
                    // Consoles mark a folder by an empty object `folder/`, which is listed without its slash.
                    let options = GetOptions::new().with_head(true);
                    let found = store.get_opts(&empty.location, options).await;
                    if found.err().as_ref().is_some_and(is_missing) {
                        continue;
                    }
                }
                if sender.send(listed).await.is_err() {
                    return;
                }
            }
        });
        Self {
            prefix,
            listed,
            is_ended: false,
            _task: task,
        }
    }

    /// Returns the documents. An error of the listing is the error of a last document, named as the prefix.
    #[must_use]
    pub fn documents(self) -> Documents {
        Documents(self)
    }

    fn next_entry(&mut self) -> Option<Result<ObjectEntry, Failure>> {
        if self.is_ended {
            return None;
        }
        let url = &self.prefix.url;
        let meta = match block_on(self.listed.recv()) {
            Some(Ok(meta)) => meta,
            Some(Err(error)) => {
                self.is_ended = true;
                return Some(Err(error::failure(url, &error)));
            }
            None => {
                self.is_ended = true;
                return None;
            }
        };
        let object = Object {
            facts: Some(Facts::from(&meta)),
            url: url.at(&meta.location),
            path: meta.location,
            ..self.prefix.clone()
        };
        let reason = SkipReason::of_name(object.url.key_below(url).as_ref());
        Some(Ok(match reason {
            Some(reason) => ObjectEntry::Skipped(object.url, reason),
            None => ObjectEntry::Object(object),
        }))
    }
}

impl Iterator for Objects {
    type Item = Result<ObjectEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_entry()?.map_err(Error::from))
    }
}

impl FusedIterator for Objects {}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("prefix", &self.prefix.url.to_string())
            .finish_non_exhaustive()
    }
}

/// The documents below a prefix, without the objects that are skipped. Made by [`Objects::documents`].
#[derive(Debug)]
pub struct Documents(Objects);

impl Iterator for Documents {
    type Item = Document;

    fn next(&mut self) -> Option<Document> {
        loop {
            match self.0.next_entry()? {
                Ok(ObjectEntry::Object(object)) => return Some(object.document()),
                Ok(ObjectEntry::Skipped(..)) => {}
                Err(failure) => {
                    return Some(Document::source(Unlisted {
                        name: self.0.prefix.url.to_string(),
                        failure,
                    }));
                }
            }
        }
    }
}

impl FusedIterator for Documents {}
