//! `webhooks verify` and `webhooks listen`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use classify_proto::Secret;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Verify the signature of a delivery and print the event
    Verify(VerifyArgs),
    /// Receive deliveries and print each event
    Listen(ListenArgs),
}

/// The secrets that deliveries are verified with.
#[derive(Debug, Args)]
pub(crate) struct SigningSecrets {
    /// Verify with this secret or @FILE
    #[arg(
        long,
        value_name = "SECRET",
        help = "Verify with this secret or @FILE [env: LLAMA_CLOUD_WEBHOOK_SECRET]",
        long_help = "Verify with this secret or @FILE [env: LLAMA_CLOUD_WEBHOOK_SECRET]\n\n\
            May be repeated while a new secret replaces an old one. In the environment variable, @ has no special \
            meaning."
    )]
    pub(crate) secret: Vec<Secret>,
}

/// The flags of `webhooks verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
The signature covers the bytes of the body, so pass the file exactly as it was received. If the signature does not \
match, the exit code is 1.

Examples:
  llamacloud-prod webhooks verify body.json --signature sha256=8b6a… --secret @secret.txt
  export LLAMA_CLOUD_WEBHOOK_SECRET=…
  cat body.json | llamacloud-prod webhooks verify --signature sha256=8b6a…")]
pub(crate) struct VerifyArgs {
    /// Read the body from this file [default: stdin]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Set the delivery's LC-Signature header
    #[arg(long, value_name = "HEADER")]
    pub(crate) signature: String,

    #[command(flatten)]
    pub(crate) secrets: SigningSecrets,
}

/// The flags of `webhooks listen`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints its address on stderr and each event on stdout. An event that is delivered again is printed once. A delivery is \
acknowledged after its event is printed. Requests to any path are accepted. The service cannot reach this machine \
directly: forward a public address to it with a tunnel or a proxy. Without a secret, events are not verified, and \
anyone can forge them.

Examples:
  llamacloud-prod webhooks listen --port 8090 --secret @secret.txt
  llamacloud-prod webhooks listen --port 8090 --max-items 1 --transform data.job_id --raw-output")]
pub(crate) struct ListenArgs {
    /// Listen on this address or name, such as localhost
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// Listen on this port; 0 selects a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 8090)]
    pub(crate) port: u16,

    /// Exit after this many events
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_items: Option<usize>,

    #[command(flatten)]
    pub(crate) secrets: SigningSecrets,
}
