//! Examples of transports for [`classify_client`]: how little it takes to bring an HTTP library of your own.
//!
//! | transport | library | what it shows |
//! | --- | --- | --- |
//! | [`hyper::Hyper`] | hyper-util's legacy client in tokio | an async transport written by hand |
//! | [`hyper::HyperService`] | the same client | the same through `TowerTransport`, with any tower layer around it |
//! | [`curl::Curl`] | libcurl, with its own TLS and SOCKS | a blocking transport |
//! | `Fetch`, in the package `fetch/` | `fetch` of a JavaScript host | a transport in WebAssembly, whose futures are not `Send` |
//!
//! They are programs to copy from, not packages to depend on. Each native one passes the suite of
//! `classify-scenarios`; `tests/` states what each opts out of and why.

pub mod curl;
pub mod hyper;
