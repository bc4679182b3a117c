//! Runs an emulator as a process of its own.

use std::future::Future;
use std::io;

use crate::config::Config;
use crate::emulator::Emulator;

/// Runs an emulator until `shutdown` completes. `ready` is called when it accepts requests; if it fails, the emulator
/// stops.
///
/// Call it in a Tokio runtime:
///
/// ```no_run
/// use classify_emulator::{Config, serve};
///
/// # async fn stop_requested() {}
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> std::io::Result<()> {
///     let ready = |emulator: &classify_emulator::Emulator| {
///         println!("{}", emulator.base_url());
///         Ok(())
///     };
///     serve(Config::default().port(8080), ready, stop_requested()).await
/// }
/// ```
///
/// # Errors
///
/// The errors of [`Emulator::start`] and of `ready`.
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
