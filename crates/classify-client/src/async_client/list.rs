//! Lists as streams.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use classify_proto::machine::Pager;
use classify_proto::{Error, Page, Paged};
use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::running::Running;
use super::transport::Transport;

/// A [`Stream`] of the pages of a list. Made by [`Client::pages`](super::Client::pages).
///
/// The next page is requested while you use the current one. The stream ends after the last page or the first error.
///
/// ```
/// use classify_client::classify_proto::{Error, v2::ListJobs};
/// use classify_client::{Client, Transport};
///
/// async fn print_pages<T: Transport>(client: &Client<T>) -> Result<(), Error> {
///     let mut pages = client.pages(ListJobs::new());
///     while let Some(page) = pages.next().await {
///         println!("{} jobs", page?.items.len());
///     }
///     Ok(())
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

    /// Returns the next page; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Page<O::Item>, Error>> {
        poll_fn(|cx| self.poll_page(cx)).await
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<O::Item>, Error>>> {
        if let Some(Ok(running)) = &mut self.running {
            if let Some(page) = ready!(running.poll_event(cx)) {
                return Poll::Ready(Some(Ok(page)));
            }
        }
        let end = match self.running.take() {
            Some(Ok(running)) => running.into_output().and_then(Result::err),
            Some(Err(error)) => Some(error),
            None => None,
        };
        Poll::Ready(end.map(Err))
    }
}

// `Running` is `Unpin`.
impl<T: Transport, O: Paged> Unpin for Pages<T, O> {}

impl<T: Transport, O: Paged> Stream for Pages<T, O> {
    type Item = Result<Page<O::Item>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_page(cx)
    }
}

impl<T: Transport, O: Paged> FusedStream for Pages<T, O> {
    fn is_terminated(&self) -> bool {
        self.running.is_none()
    }
}

impl<T: Transport, O: Paged> fmt::Debug for Pages<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("has_ended", &self.is_terminated())
            .finish_non_exhaustive()
    }
}

/// A [`Stream`] of the items of a list. Made by [`Client::list`](super::Client::list).
///
/// The next page is requested while you use the items of the current one. The stream ends after the last item or the
/// first error.
///
/// ```
/// use classify_client::classify_proto::{Error, v2::ListJobs};
/// use classify_client::{Client, Transport};
///
/// async fn first_id<T: Transport>(client: &Client<T>) -> Result<Option<String>, Error> {
///     let mut jobs = client.list(ListJobs::new());
///     Ok(jobs.next().await.transpose()?.map(|job| job.id))
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

    /// Returns the next item; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<O::Item, Error>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<O::Item, Error>>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(self.pages.poll_page(cx)) {
                Some(Ok(page)) => self.items = page.items.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

// Items are not pinned.
impl<T: Transport, O: Paged> Unpin for List<T, O> {}

impl<T: Transport, O: Paged> Stream for List<T, O> {
    type Item = Result<O::Item, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl<T: Transport, O: Paged> FusedStream for List<T, O> {
    fn is_terminated(&self) -> bool {
        self.items.as_slice().is_empty() && self.pages.is_terminated()
    }
}

impl<T: Transport, O: Paged> fmt::Debug for List<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
