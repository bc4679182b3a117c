//! Lists as iterators.

use std::fmt;

use classify_proto::machine::Pager;
use classify_proto::{Error, Page, Paged};

use crate::client::Client;
use crate::drive::Told;

/// The pages of a list, each asked for when it is wanted. Made by [`Client::pages`].
///
/// It ends after the last page, or after the first error.
#[must_use = "nothing is sent before the first page is asked for"]
pub struct Pages<O: Paged> {
    client: Client,
    /// Gone when the list has ended; an error where there never was one.
    pager: Option<Result<Pager<O>, Error>>,
}

impl<O: Paged> Pages<O> {
    pub(crate) fn new(client: Client, pager: Result<Pager<O>, Error>) -> Self {
        Self {
            client,
            pager: Some(pager),
        }
    }
}

impl<O: Paged> Iterator for Pages<O> {
    type Item = Result<Page<O::Item>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.pager.take()? {
            Err(error) => Some(Err(error)),
            Ok(mut pager) => match self.client.driver().next(&mut pager) {
                Told::Event(page) => {
                    self.pager = Some(Ok(pager));
                    Some(Ok(page))
                }
                Told::Done(end) => end.err().map(Err),
            },
        }
    }
}

impl<O: Paged> std::iter::FusedIterator for Pages<O> {}

impl<O: Paged> fmt::Debug for Pages<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("pager", &self.pager)
            .finish_non_exhaustive()
    }
}

/// The items of a list, whose pages are asked for as they are reached. Made by [`Client::list`].
///
/// It ends after the last item, or after the first error.
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
}

impl<O: Paged> Iterator for List<O> {
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

impl<O: Paged> std::iter::FusedIterator for List<O> {}

impl<O: Paged> fmt::Debug for List<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
