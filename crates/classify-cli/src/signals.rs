//! The signals that end a command: SIGINT, SIGTERM and SIGHUP.
//!
//! A signal that was ignored when the process started stays ignored: `nohup` ignores SIGHUP, and a shell without job
//! control ignores SIGINT for `command &`. Linux says so in the process's own status file. Elsewhere only an unsafe
//! call could find out, so the signals are handled even if they were ignored.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receives the signals that end a command.
#[derive(Debug)]
pub(crate) struct TerminationSignals {
    #[cfg(unix)]
    signals: Vec<Signal>,
}

impl TerminationSignals {
    /// Installs the handlers; call it in a runtime with IO. A signal whose handler cannot be installed ends the
    /// process.
    #[cfg(unix)]
    pub(crate) fn install() -> Self {
        let ignored = ignored_signals();
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        Self {
            signals: kinds
                .into_iter()
                .filter(|kind| !is_in_mask(ignored, kind.as_raw_value()))
                .filter_map(|kind| signal(kind).ok())
                .collect(),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn install() -> Self {
        Self {}
    }

    /// Waits for the next signal: forever if all of them are ignored.
    pub(crate) async fn recv(&mut self) {
        #[cfg(unix)]
        std::future::poll_fn(|cx| {
            if self
                .signals
                .iter_mut()
                .any(|signal| signal.poll_recv(cx).is_ready())
            {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler Ctrl-C ends the process.
            std::future::pending::<()>().await;
        }
    }
}

/// Returns the signals that are ignored, as the kernel's mask. Call it before a handler is installed.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        parse_ignored(&status).unwrap_or_default()
    } else {
        0
    }
}

/// Parses the line `SigIgn: 0000000000001000` of a process's status file.
#[cfg(unix)]
fn parse_ignored(status: &str) -> Option<u64> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

/// Whether the mask has a signal: bit 0 stands for signal 1.
#[cfg(unix)]
fn is_in_mask(mask: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal - 1).ok();
    bit.and_then(|bit| mask.checked_shr(bit))
        .is_some_and(|rest| rest & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_parsed_from_status_file() {
        let status = "Name:\tllamacloud-prod\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n";
        let mask = parse_ignored(status).unwrap();
        for (kind, is_ignored) in [
            (SignalKind::hangup(), true),
            (SignalKind::pipe(), true),
            (SignalKind::interrupt(), false),
            (SignalKind::terminate(), false),
        ] {
            assert_eq!(
                is_in_mask(mask, kind.as_raw_value()),
                is_ignored,
                "{kind:?}"
            );
        }
        assert!(!is_in_mask(u64::MAX, 0));
        assert!(!is_in_mask(u64::MAX, 65));
        assert_eq!(parse_ignored("Name:\tx\n"), None);
    }
}
