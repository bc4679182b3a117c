//! Tracks whether the request on this thread had a connection.
//!
//! ureq reports an error but not its time: a reset during the TLS handshake and a reset after the request was written
//! are the same error. In the first case nothing was sent, which decides whether a create may be retried and how a 404
//! after it is read. The default agent therefore resolves names and connects through the two wrappers in this module.
//!
//! ureq runs a request on the calling thread, so a thread-local counter is enough. The two traits of ureq are unstable,
//! so the wrappers only pass calls through.

use std::cell::Cell;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

thread_local! {
    /// The number of connection steps that were begun and did not succeed. Steps nest: a connection through a proxy
    /// contains a connection to the proxy.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// Resets the counter for a new request.
pub(crate) fn begin() {
    BEGUN.set(0);
}

/// Returns whether the last request of this thread failed before it had a connection. `false` if the agent has no
/// tracker.
pub(crate) fn failed_before_connect() -> bool {
    BEGUN.get() > 0
}

/// Runs a connection step. A step that fails or panics stays counted.
fn step<T>(take: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    BEGUN.set(BEGUN.get().saturating_add(1));
    let taken = take()?;
    BEGUN.set(BEGUN.get().saturating_sub(1));
    Ok(taken)
}

/// Resolves names with ureq's resolver.
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

/// Connects with ureq's connector. It is not called if an idle connection is reused.
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
