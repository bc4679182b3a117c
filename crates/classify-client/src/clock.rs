//! The current time for machines.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use classify_proto::Time;

/// Returns the current time. It is the wall clock at the first call in this process, advanced by a monotonic clock, so
/// that setting the system clock does not move deadlines.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
#[must_use]
pub fn now() -> Time {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    static START: OnceLock<(Time, Instant)> = OnceLock::new();
    let (start, started) = *START.get_or_init(|| {
        // A clock before 1970 is wrong, but deadlines relative to it are right.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        (Time::from_millis(millis), Instant::now())
    });
    // Rounded down, so that a wait never ends early.
    let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    start + Duration::from_millis(elapsed)
}
