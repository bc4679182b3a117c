//! `doctor`

use clap::Args;

/// The flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
It looks at the key (and never shows it), the region, the name's address, the connection, TLS, proxies and the clock, \
and lists one job. Each line says what was found; what is wrong has a line that says what to change. The exit code is \
that of the first thing that is wrong.

Examples:
  llamacloud-prod doctor
  llamacloud-prod doctor --region eu --format json
  llamacloud-prod doctor --ca-cert company.pem
  llamacloud-prod doctor --emulator")]
pub(crate) struct DoctorArgs {}
