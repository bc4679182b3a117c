//! Running an emulator as a process of its own.

use std::future::Future;
use std::io;

use crate::config::Config;
use crate::emulator::Emulator;

/// Runs an emulator until `shutdown` is ready. `ready` is called once it answers; an error there ends it again.
///
/// It runs in a Tokio runtime:
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
