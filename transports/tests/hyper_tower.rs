//! The shared suite over hyper as a tower service.

mod driver;

use classify_client::TowerTransport;
use classify_scenarios::Capability;
use classify_transports::hyper::{self, HyperService};
use driver::{Async, Subject};
use hyper_util::client::legacy::Error;

type Tower = TowerTransport<HyperService, Error>;

impl Subject for Tower {
    const OPT_OUTS: &'static [Capability] = &[
        // `HttpConnector` supports plain http; TLS needs another connector.
        Capability::Tls,
        // hyper has no decompression and no proxies; both are layers or connectors around it.
        Capability::Gzip,
        Capability::Proxy,
        // A service has no runtime to spawn its futures on.
        Capability::Background,
    ];

    fn build() -> Self {
        hyper::tower(hyper::service())
    }
}

classify_scenarios::suite!(Async<Tower>);
