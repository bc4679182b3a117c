//! What the benches share: the plain code to measure against, a measure, and an allocator that counts.
//!
//! Where something stands beside ours, the figure is a ratio taken in one run, because a machine that is shared gives no
//! two runs the same second: the two sides take turns, and the medians are compared. Allocations are counted, not timed,
//! and are the same every time.
//!
//! `cargo bench -p classify-bench --bench core` does what the core does most, each beside plain code where there is
//! such: it parses a page of 100 jobs, builds every request, reads page ranges and steps a machine. `cargo bench -p classify-bench --bench bulk` runs a million documents in virtual time
//! and prints CPU time and memory as it goes; `--bench loopback` runs a thousand through each driver against the
//! emulator; `--bench processor_time` compares bulk runs over both adapters with the same requests by hand. `crates/classify-bench/instructions` counts instructions under callgrind and holds them to `budgets.txt`;
//! `crates/classify-bench/peers/listing.py` lists 20,000 jobs beside loops written by hand and the official clients;
//! `crates/classify-bench/sizes` measures what each driver weighs. `crates/classify-bench/report` runs them all.

pub mod counting_allocator;
pub mod fixtures;
pub mod measure;
pub mod plain;
pub mod process;
pub mod workloads;
