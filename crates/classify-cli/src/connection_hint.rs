//! Hints for errors of TLS and proxies. Neither the core nor the driver has an error kind for each of them, so the
//! message is searched.

/// Returns a hint if a message says that the server's certificate was rejected, that the server does not speak TLS, or
/// that a proxy cannot be reached.
pub(crate) fn connection_hint(message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    if message.contains("does not speak tls") {
        // The error of the core has a hint of its own.
        return None;
    }
    if message.contains("invalidcontenttype") || message.contains("wrong version number") {
        Some(
            "the server does not speak TLS on this port: check the port in --base-url and LLAMA_CLOUD_BASE_URL",
        )
    } else if message.contains("no connection to ") && message.contains(" through the proxy ") {
        Some(
            "check the proxy variable, or list the host in NO_PROXY to bypass the proxy; `llamacloud-prod doctor` tests the proxy",
        )
    } else if !message.contains("certificate") {
        None
    } else if message.contains("not valid for name") {
        Some(
            "the server's certificate is for another name: check --base-url and LLAMA_CLOUD_BASE_URL, and the proxy",
        )
    } else if message.contains("expired") || message.contains("not valid yet") {
        Some("the server's certificate is out of date, or this machine's clock is wrong")
    } else {
        Some(
            "a company proxy may use its own certificate authority: add it with --ca-cert FILE or SSL_CERT_FILE",
        )
    }
}
