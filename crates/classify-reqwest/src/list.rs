//! Lists as streams.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use classify_proto::machine::Pager;
use classify_proto::{Error, Page, Paged};
use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::client::Client;
use crate::engine::{Engine, Told};

/// The pages of a list, as a [`Stream`]. Made by [`Client::pages`].
///
/// While the caller has a page, the next is on its way. It ends after the last page, or after the first error.
#[must_use = "nothing is sent before the first page is asked for"]
pub struct Pages<O: Paged> {
    /// Gone when the list has ended; an error where there never was one.
    engine: Option<Result<Engine<Pager<O>>, Error>>,
}

impl<O: Paged> Pages<O> {
    pub(crate) fn new(client: Client, pager: Result<Pager<O>, Error>) -> Self {
        Self {
            engine: Some(pager.map(|pager| Engine::new(client, pager.prefetch(true)))),
        }
    }

    /// The next page; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Page<O::Item>, Error>> {
        poll_fn(|cx| self.poll_page(cx)).await
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page<O::Item>, Error>>> {
        let end = match self.engine.as_mut() {
            None => return Poll::Ready(None),
            Some(Ok(engine)) => match ready!(engine.poll(cx)) {
                Told::Event(page) => return Poll::Ready(Some(Ok(page))),
                Told::Done(end) => end.err(),
            },
            Some(Err(_)) => None,
        };
        match self.engine.take() {
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            _ => Poll::Ready(end.map(Err)),
        }
    }
}

// Nothing in it is pinned.
impl<O: Paged> Unpin for Pages<O> {}

impl<O: Paged> Stream for Pages<O> {
    type Item = Result<Page<O::Item>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_page(cx)
    }
}

impl<O: Paged> FusedStream for Pages<O> {
    fn is_terminated(&self) -> bool {
        self.engine.is_none()
    }
}

impl<O: Paged> fmt::Debug for Pages<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("ended", &self.is_terminated())
            .finish_non_exhaustive()
    }
}

/// The items of a list, as a [`Stream`]. Made by [`Client::list`].
///
/// While the caller works on the items of one page, the next page is on its way. It ends after the last item, or after
/// the first error.
#[must_use = "nothing is sent before the first item is asked for"]
pub struct List<O: Paged> {
    pages: Pages<O>,
    items: std::vec::IntoIter<O::Item>,
}

impl<O: Paged> List<O> {
    pub(crate) fn new(pages: Pages<O>) -> Self {
        Self {
            pages,
            items: Vec::new().into_iter(),
        }
    }

    /// The next item; `None` after the last.
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

// Nothing in it is pinned.
impl<O: Paged> Unpin for List<O> {}

impl<O: Paged> Stream for List<O> {
    type Item = Result<O::Item, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl<O: Paged> FusedStream for List<O> {
    fn is_terminated(&self) -> bool {
        self.items.as_slice().is_empty() && self.pages.is_terminated()
    }
}

impl<O: Paged> fmt::Debug for List<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
