//! The shared suite over hyper.

mod driver;

use classify_scenarios::Capability;
use classify_transports::hyper::Hyper;
use driver::{Async, Subject};

impl Subject for Hyper {
    const OPT_OUTS: &'static [Capability] = &[
        // `HttpConnector` supports plain http; TLS needs another connector.
        Capability::Tls,
        // hyper has no decompression and no proxies; both are layers or connectors around it.
        Capability::Gzip,
        Capability::Proxy,
    ];

    fn build() -> Self {
        Self::new()
    }
}

classify_scenarios::suite!(Async<Hyper>);
