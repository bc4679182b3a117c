//! Random bytes for machines.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use classify_proto::{Error, Failure, Seed};

/// Returns 16 random bytes from the operating system.
///
/// # Errors
///
/// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub fn random_seed() -> Result<Seed, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::refused(format!(
            "the operating system provides no random bytes: {error}"
        ))
    })?;
    Ok(Seed::new(bytes))
}
