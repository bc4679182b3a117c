//! Follows a list to its last page.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::context::Context;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use crate::call_options::CallOptions;
use crate::error::Error;
use crate::page::{Page, Paged};
use crate::reply::Reply;
use crate::seed::Seed;

/// Default limit on the pages of a list.
const DEFAULT_MAX_PAGES: u32 = 100_000;

/// Follows a list to its last page. Each page is an event.
///
/// ```
/// use classify_proto::{Seed, machine::Pager, v2::ListJobs};
///
/// let pager = Pager::new(ListJobs::new().page_size(100), Seed::new([7; 16])).max_pages(10);
/// # let _ = pager;
/// ```
///
/// An empty page with a token does not end the list; an empty or absent token does. A token that occurs twice, which
/// would loop, is an error ([`is_paging`](Error::is_paging)), as is a list of more pages than
/// [`max_pages`](Self::max_pages).
///
/// With [`prefetch`](Self::prefetch), the next page is requested before the current one is returned. The saved state is
/// the oldest page that was not returned, so that after loading no page is missed or repeated.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "O: Serialize", deserialize = "O: Deserialize<'de>"))]
pub struct Pager<O: Paged> {
    /// The list operation, at the oldest page not returned yet.
    list: O,
    #[serde(default, skip_serializing_if = "CallOptions::is_empty")]
    options: CallOptions,
    retry: Retry,
    seed: Seed,
    prefetch: bool,
    max_pages: u32,
    /// Number of pages returned.
    pages: u32,
    /// The tokens of the oldest page and of those before it. Whole strings, because a hash collision would end a list
    /// early.
    seen_tokens: BTreeSet<String>,
    end: ListEnd,
    tickets: Tickets,
    #[serde(skip)]
    ready: Option<Page<O::Item>>,
    #[serde(skip)]
    call: Option<Call<O>>,
    #[serde(skip)]
    error: Option<Error>,
}

/// State of the list after the returned pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ListEnd {
    /// Another page follows.
    Open,
    /// The list is complete.
    Complete,
    /// The token of an earlier page occurred again.
    Repeated,
    /// The limit on pages is reached.
    TooMany,
    /// The end was returned.
    Reported,
}

type PageStep<O> = Step<Page<<O as Paged>::Item>, Result<(), Error>>;

impl<O: Paged> Pager<O> {
    /// Follows `list` from the page it names, the first by default. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(list: O, seed: Seed) -> Self {
        Self {
            seen_tokens: list.page_token().map(str::to_owned).into_iter().collect(),
            list,
            options: CallOptions::default(),
            retry: Retry::default(),
            seed,
            prefetch: false,
            max_pages: DEFAULT_MAX_PAGES,
            pages: 0,
            end: ListEnd::Open,
            tickets: Tickets::default(),
            ready: None,
            call: None,
            error: None,
        }
    }

    /// Sets the retry policy of every request.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds headers, query parameters and body fields to every request.
    #[must_use]
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets whether the next page is requested before the current one is returned. Default: `false`.
    #[must_use]
    pub fn prefetch(mut self, prefetch: bool) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// Sets the number of pages after which the machine ends with an error. Default: 100,000.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = pages;
        self
    }

    /// Returns the token of the oldest page that was not returned, from which to resume; `None` for the first page.
    #[must_use]
    pub fn page_token(&self) -> Option<&str> {
        self.list.page_token()
    }

    /// The state of the list once a page with this token and the pages before it were returned.
    fn end_after(&self, token: Option<&str>, pages: u32) -> ListEnd {
        match token {
            None => ListEnd::Complete,
            Some(token) if self.seen_tokens.contains(token) => ListEnd::Repeated,
            Some(_) if pages >= self.max_pages => ListEnd::TooMany,
            Some(_) => ListEnd::Open,
        }
    }

    /// Requests the page after the current one, if there is one.
    fn prefetch_next(&mut self, cx: Context<'_>) -> Option<PageStep<O>> {
        if !self.prefetch || self.call.is_some() || self.error.is_some() {
            return None;
        }
        let token = self.ready.as_ref()?.next_page_token.as_deref();
        if self.end_after(token, self.pages + 1) != ListEnd::Open {
            return None;
        }
        let next = self.list.with_page_token(token.map(str::to_owned));
        self.begin_call(next, self.pages + 1);
        match self.poll_call(cx) {
            step @ Some(Step::Send(..)) => step,
            // No request could be built; the current page is returned first, then the error.
            _ => None,
        }
    }

    fn begin_call(&mut self, list: O, page: u32) {
        self.call = Some(
            Call::new(list, self.seed.derive(u64::from(page)))
                .retry(self.retry)
                .options(self.options.clone()),
        );
    }

    fn poll_call(&mut self, cx: Context<'_>) -> Option<PageStep<O>> {
        match self.call.as_mut()?.poll(cx) {
            Step::Send(inner, request) => Some(Step::Send(self.tickets.issue(0, inner), request)),
            Step::Wait(until) => Some(Step::Wait(until)),
            Step::Event(never) => match never {},
            Step::Done(result) => {
                self.call = None;
                self.tickets.forget_all();
                match result {
                    Ok(page) => self.ready = Some(page),
                    Err(error) => self.error = Some(error),
                }
                None
            }
        }
    }

    fn next_page(&mut self) -> Option<Page<O::Item>> {
        let page = self.ready.take()?;
        self.pages += 1;
        self.end = match &page.next_page_token {
            // One lookup of the token instead of two.
            Some(token) if self.pages < self.max_pages => {
                if self.seen_tokens.insert(token.clone()) {
                    self.list.set_page_token(Some(token.clone()));
                    ListEnd::Open
                } else {
                    ListEnd::Repeated
                }
            }
            token => self.end_after(token.as_deref(), self.pages),
        };
        Some(page)
    }

    fn report_end(&mut self) -> PageStep<O> {
        let end = std::mem::replace(&mut self.end, ListEnd::Reported);
        let message = match end {
            ListEnd::Complete => return Step::Done(Ok(())),
            ListEnd::Open | ListEnd::Reported => return Step::Wait(None),
            ListEnd::Repeated => format!(
                "the service repeats a page token after page {}, so the list would never end",
                self.pages
            ),
            ListEnd::TooMany => format!("the list exceeds the limit of {} pages", self.pages),
        };
        Step::Done(Err(Error::paging(message).with_operation(self.list.name())))
    }
}

impl<O: Paged> Machine for Pager<O> {
    type Event = Page<O::Item>;
    type Output = Result<(), Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        loop {
            // With prefetch: first the request for the next page, then this page.
            if let Some(step) = self.prefetch_next(cx) {
                return step;
            }
            if let Some(page) = self.next_page() {
                return Step::Event(page);
            }
            if self.end != ListEnd::Open {
                return self.report_end();
            }
            if let Some(error) = self.error.take() {
                self.end = ListEnd::Reported;
                return Step::Done(Err(error));
            }
            if self.call.is_none() {
                let (list, page) = (self.list.clone(), self.pages);
                self.begin_call(list, page);
            }
            if let Some(step) = self.poll_call(cx) {
                return step;
            }
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        if let (Some((_, inner)), Some(call)) = (self.tickets.redeem(ticket), self.call.as_mut()) {
            call.handle(cx, inner, reply);
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        if let Some(call) = &mut self.call {
            call.resume();
        }
    }
}

impl<O: Paged> fmt::Debug for Pager<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pager")
            .field("operation", &self.list.name())
            .field("pages", &self.pages)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl<O: Paged + Serialize + serde::de::DeserializeOwned> Saved for Pager<O> {
    fn kind(&self) -> String {
        format!("pager {}", self.list.name())
    }
}
