//! Running an emulator as a process of its own.

use std::future::Future;
use std::io;

use crate::config::Config;
use crate::emulator::Emulator;

/// Runs an emulator until `shutdown` is ready. `ready` is called once it answers; an error there ends it again.
///
/// # Errors
///
/// What [`Emulator::start`] and `ready` return.
pub async fn serve(
    config: Config,
    ready: impl FnOnce(&Emulator) -> io::Result<()>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let emulator = Emulator::start(config)?;
    ready(&emulator)?;
    shutdown.await;
    emulator.stop();
    Ok(())
}

/// Runs an emulator until the process is told to stop (SIGTERM or Ctrl-C). It needs no async runtime around it.
///
/// ```no_run
/// use classify_emulator::{Config, run};
///
/// fn main() -> std::io::Result<()> {
///     run(Config::default().port(8080), |emulator| {
///         println!("{}", emulator.base_url());
///         Ok(())
///     })
/// }
/// ```
///
/// # Errors
///
/// What [`Emulator::start`] and `ready` return, and when signals cannot be listened for.
pub fn run(config: Config, ready: impl FnOnce(&Emulator) -> io::Result<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Listened for from here on: a signal that comes during the start must not be lost.
        let shutdown = shutdown_signal()?;
        serve(config, ready, shutdown).await
    })
}

#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn shutdown_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
