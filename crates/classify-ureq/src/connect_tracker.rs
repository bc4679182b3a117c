//! How far the request on this thread has got: whether there was a connection yet.
//!
//! ureq tells what went wrong but not when: a reset during the TLS handshake and one after the request was written are
//! the same error. For the first nothing was sent, and that decides whether a create may be repeated and what a 404
//! after it means. An agent of our own therefore resolves names and connects through the two wrappers here.
//!
//! ureq runs a request on the thread that asked, so that a note of the thread's own is enough. It does not promise the two
//! traits for ever, so no more is asked of them than to be passed through.

use std::cell::Cell;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

thread_local! {
    /// How many steps towards a connection were begun and did not succeed. They nest: the way to a proxy is a
    /// connection too.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// Forgets the request before.
pub(crate) fn begin() {
    BEGUN.set(0);
}

/// Whether the request that failed on this thread just now found no connection. `false` also where nobody looked.
pub(crate) fn failed_before_connect() -> bool {
    BEGUN.get() > 0
}

/// Takes a step; one that fails, or panics, stays begun.
fn step<T>(take: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    BEGUN.set(BEGUN.get().saturating_add(1));
    let taken = take()?;
    BEGUN.set(BEGUN.get().saturating_sub(1));
    Ok(taken)
}

/// Resolves names as ureq does.
#[derive(Debug, Default)]
pub(crate) struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        step(|| self.0.resolve(uri, config, timeout))
    }
}

/// Connects as ureq does. It is not asked where an idle connection is taken up again.
#[derive(Debug, Default)]
pub(crate) struct Connections(DefaultConnector);

impl Connector for Connections {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        step(|| self.0.connect(details, chained))
    }
}
