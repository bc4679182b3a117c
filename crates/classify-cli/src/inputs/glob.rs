//! Globs in place of paths.

use std::path::{Component, Path, PathBuf};

use classify_ureq::classify_client::path_name;
use globset::{GlobBuilder, GlobMatcher};

use crate::error::CliError;

/// A glob of whole paths.
pub(super) struct PathMatcher {
    matcher: GlobMatcher,
    /// The glob is not UTF-8, and is compared with the names of paths.
    is_of_names: bool,
}

impl PathMatcher {
    pub(super) fn new(glob: &Path) -> Result<Self, CliError> {
        let (pattern, is_of_names) = match glob.to_str() {
            Some(pattern) => (pattern.to_owned(), false),
            None => (path_name(glob).replace("\\x", "\\\\x"), true),
        };
        Ok(Self {
            matcher: compile_glob(&pattern).map_err(CliError::usage)?,
            is_of_names,
        })
    }

    pub(super) fn is_match(&self, path: &Path) -> bool {
        if self.is_of_names {
            self.matcher.is_match(path_name(path))
        } else {
            self.matcher.is_match(path)
        }
    }
}

/// Whether an argument that is not a file has special characters of globs.
pub(crate) fn is_glob(argument: &Path) -> bool {
    let bytes = argument.as_os_str().as_encoded_bytes();
    bytes.iter().any(|byte| b"*?[{".contains(byte))
}

pub(super) fn compile_glob(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("{pattern}: {}", error.kind()))
}

/// Returns the folders before the first part with a special character.
pub(super) fn literal_base(glob: &Path) -> PathBuf {
    let parts: Vec<Component<'_>> = glob.components().collect();
    parts
        .iter()
        // The last part is always the name of the file.
        .take(parts.len().saturating_sub(1))
        .take_while(|part| !is_glob(Path::new(part.as_os_str())))
        .collect()
}
