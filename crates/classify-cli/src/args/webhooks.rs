//! `webhooks verify` and `webhooks listen`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use classify_proto::Secret;

/// The commands of `webhooks`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Check a delivery's signature, and print the event
    Verify(VerifyArgs),
    /// Receive deliveries, and print each event
    Listen(ListenArgs),
}

/// The secrets that deliveries are checked with.
#[derive(Debug, Args)]
pub(crate) struct SigningSecrets {
    /// The signing secret, or @FILE; may be repeated while one replaces another. Without it that of
    /// `LLAMA_CLOUD_WEBHOOK_SECRET`, as it stands there
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<Secret>,
}

/// The flags of `webhooks verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
The signature covers the bytes of the body as they came, so give the file as it was received. A signature that does \
not fit ends with exit code 1.

Examples:
  llamacloud-prod webhooks verify body.json --signature sha256=8b6a… --secret @secret.txt
  export LLAMA_CLOUD_WEBHOOK_SECRET=…
  cat body.json | llamacloud-prod webhooks verify --signature sha256=8b6a…")]
pub(crate) struct VerifyArgs {
    /// The body as it was received; stdin without it
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The delivery's LC-Signature header
    #[arg(long, value_name = "HEADER")]
    pub(crate) signature: String,

    #[command(flatten)]
    pub(crate) secrets: SigningSecrets,
}

/// The flags of `webhooks listen`.
#[derive(Debug, Args)]
#[command(after_help = "\
It prints its address on stderr and every event on stdout, each once however often it is delivered, and acknowledges \
what it has printed. It answers any path. \
The service sends nothing to this machine directly; a tunnel or a proxy with a public address must lead here. Without a \
secret nothing is checked, and anybody can make up events.

Examples:
  llamacloud-prod webhooks listen --port 8090 --secret @secret.txt
  llamacloud-prod webhooks listen --port 8090 --max-items 1 --transform data.job_id --raw-output")]
pub(crate) struct ListenArgs {
    /// The address or name to listen on, such as localhost
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) host: String,

    /// The port; 0 takes a free one
    #[arg(long, value_name = "NUMBER", default_value_t = 8090)]
    pub(crate) port: u16,

    /// Ends after so many events
    #[arg(long, value_name = "NUMBER")]
    pub(crate) max_items: Option<usize>,

    #[command(flatten)]
    pub(crate) secrets: SigningSecrets,
}
