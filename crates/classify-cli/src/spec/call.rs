//! One call as the tables describe it: the request, the answer as it came, and the pages of a list.

use std::marker::PhantomData;

use classify_proto::http::{self, Method};
use classify_proto::{
    Api, Body, Bytes, Error, Idempotency, Operation, Page, Paged, RateClass, RawOperation, v2,
};
use classify_ureq::Client;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A request in the making.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: Option<String>,
    pub(crate) then: &'static str,
    pub(crate) query: Vec<(String, String)>,
    /// `None` sends no body.
    pub(crate) body: Option<Map<String, Value>>,
    pub(crate) idempotency: Idempotency,
}

const TOKEN: &str = "page_token";

impl Request {
    fn untyped(&self) -> RawOperation {
        let mut call = RawOperation::new(self.method.clone(), self.path, self.idempotency);
        if let Some(id) = &self.id {
            call = call.segment(id);
        }
        if !self.then.is_empty() {
            call = call.then(self.then);
        }
        for (name, value) in &self.query {
            call = call.query(name, value);
        }
        match &self.body {
            Some(body) => call.json(body.clone()),
            None => call,
        }
    }

    /// A list that is asked for by POST has its token in the body, any other in the query.
    fn page_token(&self) -> Option<&str> {
        if let Some(body) = &self.body {
            body.get(TOKEN)?.as_str()
        } else {
            let found = self.query.iter().find(|(name, _)| name == TOKEN);
            found.map(|(_, token)| token.as_str())
        }
    }

    pub(crate) fn with_page_token(&self, token: Option<String>) -> Self {
        let mut request = self.clone();
        if let Some(body) = &mut request.body {
            body.remove(TOKEN);
            body.extend(token.map(|token| (TOKEN.to_owned(), token.into())));
        } else {
            request.query.retain(|(name, _)| name != TOKEN);
            request
                .query
                .extend(token.map(|token| (TOKEN.to_owned(), token)));
        }
        request
    }
}

/// An item of a list, or a whole answer, as it came.
pub(crate) type Raw = Box<RawValue>;

/// The items of a list, one by one.
pub(crate) type Items = Box<dyn Iterator<Item = Result<Raw, Error>>>;

/// How a command calls the service: its name is part of the type, because the core keeps names in types.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) once: fn(&Client, Request) -> Result<Bytes, Error>,
    pub(crate) items: fn(&Client, Request) -> Items,
}

/// The [`Calls`] under this name.
macro_rules! named {
    ($name:literal) => {{
        struct Name;
        impl crate::spec::call::Named for Name {
            const NAME: &'static str = $name;
        }
        crate::spec::call::Calls {
            once: crate::spec::call::once::<Name>,
            items: crate::spec::call::items::<Name>,
        }
    }};
}
pub(crate) use named;

/// A name that errors carry.
pub(crate) trait Named: 'static {
    const NAME: &'static str;
}

pub(crate) fn once<N: Named>(client: &Client, request: Request) -> Result<Bytes, Error> {
    client.call(One::<N>(request, PhantomData))
}

pub(crate) fn items<N: Named>(client: &Client, request: Request) -> Items {
    Box::new(client.list(Listed::<N>(request, PhantomData)))
}

/// One answer, as it came.
struct One<N>(Request, PhantomData<fn() -> N>);

impl<N: Named> Operation for One<N> {
    type Output = Bytes;

    const NAME: &'static str = N::NAME;

    fn idempotency(&self) -> Idempotency {
        self.0.idempotency
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn secrets(&self) -> Vec<String> {
        self.0.untyped().secrets()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.0.untyped().build_request_unvalidated(api)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Bytes, Error> {
        let body = response.body().clone();
        // Read for its mistakes: what is no JSON is told with the status and the request's id.
        self.0.untyped().parse_success(response).map(|_| body)
    }

    fn recover(&self, refusal: &Error) -> classify_proto::Recovery<Bytes> {
        // The lost attempt has deleted it: that is what was asked.
        if self.0.method == Method::DELETE && refusal.is_not_found() {
            classify_proto::Recovery::Resolved(Bytes::new())
        } else {
            classify_proto::Recovery::Failed
        }
    }

    fn annotate(&self, error: Error) -> Error {
        self.0.untyped().annotate(error)
    }
}

/// One page of items, as they came.
struct Listed<N>(Request, PhantomData<fn() -> N>);

impl<N> Clone for Listed<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<N: Named> Operation for Listed<N> {
    type Output = Page<Raw>;

    const NAME: &'static str = N::NAME;

    fn idempotency(&self) -> Idempotency {
        Idempotency::Safe
    }

    fn rate_class(&self) -> RateClass {
        RateClass::Other
    }

    fn secrets(&self) -> Vec<String> {
        self.0.untyped().secrets()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        self.0.untyped().build_request_unvalidated(api)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<Page<Raw>, Error> {
        match serde_json::from_slice(response.body()) {
            Ok(page) => Ok(page),
            // Read once more by the core, whose error tells what was wrong with the page.
            Err(_) => Err(v2::ListJobs::new()
                .parse_success(response)
                .err()
                .unwrap_or_else(no_page)),
        }
    }

    fn annotate(&self, error: Error) -> Error {
        self.0.untyped().annotate(error)
    }
}

/// Only reached if two readers of the same page disagree.
fn no_page() -> Error {
    classify_proto::Failure::refused("the answer is no page of a list").into()
}

impl<N: Named> Paged for Listed<N> {
    type Item = Raw;

    fn page_token(&self) -> Option<&str> {
        self.0.page_token()
    }

    fn with_page_token(&self, token: Option<String>) -> Self {
        Self(self.0.with_page_token(token), PhantomData)
    }
}
