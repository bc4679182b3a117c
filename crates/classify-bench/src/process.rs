//! Processor time and memory of this process.

use std::fs;
use std::time::Duration;

/// Returns the most memory that the process ever had, in KiB. Linux only: zero elsewhere.
#[must_use]
pub fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        let value = line.strip_prefix("VmHWM:")?;
        value.split_whitespace().next()?.parse().ok()
    });
    peak.unwrap_or_default()
}

/// Returns the processor time that the process has used, in user and in system.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}
