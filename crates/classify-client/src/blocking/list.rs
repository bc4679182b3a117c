//! Lists as iterators.

use std::fmt;

use classify_proto::machine::Pager;
use classify_proto::{Error, Page, Paged};

use super::running::Running;
use super::transport::Transport;

/// An iterator over the pages of a list. Made by [`Client::pages`](super::Client::pages).
///
/// Each page is requested when it is reached. The iterator ends after the last page or the first error.
///
/// ```
/// use classify_client::blocking::{Client, Transport};
/// use classify_client::classify_proto::{Error, v2::ListJobs};
///
/// fn count_pages<T: Transport>(client: &Client<T>) -> Result<usize, Error> {
///     let mut count = 0;
///     for page in client.pages(ListJobs::new()) {
///         println!("{} jobs", page?.items.len());
///         count += 1;
///     }
///     Ok(count)
/// }
/// ```
#[must_use = "nothing is sent before the first page is requested"]
pub struct Pages<T: Transport, O: Paged> {
    /// `None` after the end.
    running: Option<Result<Running<T, Pager<O>>, Error>>,
}

impl<T: Transport, O: Paged> Pages<T, O> {
    pub(crate) fn new(running: Result<Running<T, Pager<O>>, Error>) -> Self {
        Self {
            running: Some(running),
        }
    }
}

impl<T: Transport, O: Paged> Iterator for Pages<T, O> {
    type Item = Result<Page<O::Item>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(Ok(running)) = &mut self.running {
            if let Some(page) = running.next() {
                return Some(Ok(page));
            }
        }
        match self.running.take()? {
            Ok(running) => running.into_output()?.err().map(Err),
            Err(error) => Some(Err(error)),
        }
    }
}

impl<T: Transport, O: Paged> std::iter::FusedIterator for Pages<T, O> {}

impl<T: Transport, O: Paged> fmt::Debug for Pages<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("has_ended", &self.running.is_none())
            .finish_non_exhaustive()
    }
}

/// An iterator over the items of a list. Made by [`Client::list`](super::Client::list).
///
/// Each page is requested when its first item is reached. The iterator ends after the last item or the first error.
///
/// ```
/// use classify_client::blocking::{Client, Transport};
/// use classify_client::classify_proto::{Error, v2::ListJobs};
///
/// fn first_ids<T: Transport>(client: &Client<T>) -> Result<Vec<String>, Error> {
///     client.list(ListJobs::new()).take(10).map(|job| Ok(job?.id)).collect()
/// }
/// ```
#[must_use = "nothing is sent before the first item is requested"]
pub struct List<T: Transport, O: Paged> {
    pages: Pages<T, O>,
    items: std::vec::IntoIter<O::Item>,
}

impl<T: Transport, O: Paged> List<T, O> {
    pub(crate) fn new(pages: Pages<T, O>) -> Self {
        Self {
            pages,
            items: Vec::new().into_iter(),
        }
    }
}

impl<T: Transport, O: Paged> Iterator for List<T, O> {
    type Item = Result<O::Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            match self.pages.next()? {
                Ok(page) => self.items = page.items.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<T: Transport, O: Paged> std::iter::FusedIterator for List<T, O> {}

impl<T: Transport, O: Paged> fmt::Debug for List<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
