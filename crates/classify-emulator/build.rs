//! Writes the stop words of seven languages into one text.
//!
//! The tables of `stop-words` contain all its languages, one pointer for each word. They would be in every binary, and the
//! pointers would be relocated at every start.

use std::path::Path;
use std::{env, fs};

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
