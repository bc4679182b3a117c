//! Code that the benches share: the baseline, measurements, and an allocator that counts.
//!
//! A comparison with a baseline is a ratio of medians. Both sides take turns in one run, because times on a shared
//! machine vary between runs. Allocations are counted and are the same in every run.
//!
//! | bench | measures |
//! | --- | --- |
//! | `--bench core` | parsing a page of 100 jobs, building every request, page ranges, the steps of a machine |
//! | `--bench bulk` | a million documents in virtual time: processor time and memory |
//! | `--bench loopback` | a thousand documents through each adapter against the emulator |
//! | `--bench processor_time` | bulk runs over both adapters, compared with the same hand-written requests |
//! | `instructions` | instructions under callgrind, checked against `budgets.txt` |
//! | `peers/listing.py` | listing 20,000 jobs, compared with hand-written loops and the official clients |
//! | `sizes` | the crates and the binary size of each adapter |
//! | `report` | all of these |

pub mod counting_allocator;
pub mod fixtures;
pub mod measure;
pub mod plain;
pub mod process;
pub mod workloads;
