//! What the system notes of this process. Linux only: zero where nothing is noted.

use std::fs;
use std::time::Duration;

/// The most memory that the process ever had, in KiB.
#[must_use]
pub fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        let value = line.strip_prefix("VmHWM:")?;
        value.split_whitespace().next()?.parse().ok()
    });
    peak.unwrap_or_default()
}

/// The processor time that the process has used, in user and in system, to the hundredth of a second.
#[must_use]
pub fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses, which may hold spaces. The two times are the 14th and
    // the 15th field, in hundredths of a second.
    let fields = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split_whitespace());
    let hundredths: u64 = fields
        .into_iter()
        .flatten()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(hundredths * 10)
}
