//! The network: TLS, proxies, and the log of requests.

pub(crate) mod agent;
mod ca_certificates;
mod request_log;
