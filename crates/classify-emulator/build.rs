//! Writes the stop words of seven languages into one text.
//!
//! The crate's tables of all its languages would be in every binary, and their 11,500 pointers relocated at every start.

use std::path::Path;
use std::{env, fs};

/// A text need not be in the configured language, so these are searched together.
const LANGUAGES: [&str; 7] = ["en", "de", "es", "fr", "it", "pt", "nl"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let words: Vec<&str> = LANGUAGES
        .iter()
        .flat_map(|language| stop_words::get(language).iter().copied())
        .collect();
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&folder).join("stop_words.txt"), words.join("\n"))
        .expect("OUT_DIR is writable");
}
