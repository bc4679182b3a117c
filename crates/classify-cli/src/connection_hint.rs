//! Hints for TLS errors. Neither the core nor the driver has an error kind for a rejected certificate, so the message is
//! searched.

/// Returns what to do if a message says that the server's certificate was rejected.
pub(crate) fn connection_hint(message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    if !message.contains("certificate") {
        None
    } else if message.contains("not valid for name") {
        Some(
            "the server's certificate is for another name: check --base-url and LLAMA_CLOUD_BASE_URL, and the proxy",
        )
    } else if message.contains("expired") || message.contains("not valid yet") {
        Some("the server's certificate is out of date, or this machine's clock is wrong")
    } else {
        Some(
            "a proxy of your company may sign with its own authority: give it with --ca-cert FILE or SSL_CERT_FILE",
        )
    }
}
