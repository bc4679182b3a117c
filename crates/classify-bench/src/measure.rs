//! Measures two functions and compares them.

use std::hint::black_box;
use std::time::Instant;

use crate::counting_allocator::allocations;

/// The number of turns of each side.
const ROUNDS: usize = 200;

/// Runs `ours` and `plain` in turns, and prints medians, allocations and their ratios as rows of a table.
pub fn compare<A, B>(name: &str, mut ours: impl FnMut() -> A, mut plain: impl FnMut() -> B) {
    let (mut our_times, mut plain_times) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        our_times.push(time(&mut ours));
        plain_times.push(time(&mut plain));
    }
    let (our_time, plain_time) = (median(our_times), median(plain_times));
    let (our_count, our_bytes) = allocations(&mut ours);
    let (plain_count, plain_bytes) = allocations(&mut plain);
    println!(
        "| {name}, time | {our_time:.1} µs | {plain_time:.1} µs | {:.2} |",
        our_time / plain_time
    );
    println!(
        "| {name}, allocations | {our_count} | {plain_count} | {:.2} |",
        ratio(our_count, plain_count)
    );
    println!(
        "| {name}, bytes allocated | {our_bytes} | {plain_bytes} | {:.2} |",
        ratio(our_bytes, plain_bytes)
    );
}

/// Measures a function without a baseline, and prints the same rows.
pub fn measure<T>(name: &str, mut ours: impl FnMut() -> T) {
    let times = (0..ROUNDS).map(|_| time(&mut ours)).collect();
    println!("| {name}, time | {:.1} µs | | |", median(times));
    let (count, bytes) = allocations(&mut ours);
    println!("| {name}, allocations | {count} | | |");
    println!("| {name}, bytes allocated | {bytes} | | |");
}

/// Prints the column names and the separator, in Markdown.
pub fn print_table_header() {
    println!("| | ours | baseline | ours / baseline |\n| --- | ---: | ---: | ---: |");
}

fn time<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64() * 1e6
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one piece of work are far below 2^52"
)]
fn ratio(ours: u64, plain: u64) -> f64 {
    ours as f64 / plain as f64
}
