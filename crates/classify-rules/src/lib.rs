//! Rules and configurations as people write them, in YAML, JSON or TOML.
//!
//! ```text
//! text -> tree (ordered maps) -> the API's form -> known keys -> the core's types
//! ```
//!
//! `llamacloud-prod` and `classify-worker` use this crate, so that the same text gives the same rules and the same
//! transaction ids in both.
//!
//! # In scope
//!
//! - Rules files ([`mod@file`]), and the same shapes in flags, on stdin and in bodies of the API ([`shapes`]).
//! - Unknown keys ([`keys`]) and texts that YAML cuts short ([`yaml`]): both cost money if they stay unnoticed.
//! - Errors in plain words that name the place and the remedy and quote no secret ([`parse_message`]).
//! - Text in UTF-8 and UTF-16 ([`text_encoding`]).
//!
//! # Out of scope
//!
//! The limits of the service, for example the number of rules: `classify-proto` validates them.
//!
//! # Example
//!
//! ```
//! use classify_rules::file::{RulesFormat, parse};
//!
//! let rules = parse("invoice: asks for payment\nother: anything else", RulesFormat::Yaml)?;
//! assert_eq!(rules.rules[1].r#type, "other");
//!
//! let error = parse("rules:\n  - typ: invoice\n    description: asks for payment", RulesFormat::Yaml).unwrap_err();
//! assert!(error.contains("typ"), "{error}");
//! # Ok::<(), String>(())
//! ```

pub mod file;
pub mod keys;
pub mod parse_message;
pub mod shapes;
pub mod text_encoding;
mod tree;
pub mod yaml;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
