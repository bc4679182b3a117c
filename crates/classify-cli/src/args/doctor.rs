//! `doctor`

use clap::Args;

/// The flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Checks the key (without printing it), the region, name resolution, the connection, TLS, proxies and the clock, and \
lists one job. Each check prints one line; a failed check prints a second line with the remedy. The exit code is that \
of the first failed check.

Examples:
  llamacloud-prod doctor
  llamacloud-prod doctor --region eu --format json
  llamacloud-prod doctor --ca-cert company.pem
  llamacloud-prod doctor --emulator")]
pub(crate) struct DoctorArgs {}
