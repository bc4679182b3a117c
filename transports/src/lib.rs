//! Examples of transports for [`classify_client`] over other HTTP libraries.
//!
//! | transport | library | shows |
//! | --- | --- | --- |
//! | [`hyper::Hyper`] | hyper-util's legacy client in tokio | an async transport |
//! | [`hyper::HyperService`] | the same client | the same through `TowerTransport`, with any tower layer around it |
//! | [`curl::Curl`] | libcurl, with its own TLS and SOCKS | a blocking transport |
//! | `Fetch`, in the package `fetch/` | `fetch` of a JavaScript host | a transport in WebAssembly, whose futures are not `Send` |
//!
//! Copy the code that you need; the package is not published. Each native transport passes the scenarios of
//! `classify-scenarios`, except those that it opts out of in `tests/`, with a reason.

pub mod curl;
pub mod hyper;
