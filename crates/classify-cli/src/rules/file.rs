//! Rules files, with hints in their errors.

use std::path::Path;

use classify_rules::file::{self, RulesFile, RulesFileError, RulesFileErrorKind};

use crate::error::CliError;

#[cfg(feature = "mcp")]
pub(crate) use classify_rules::file::MAX_FILE_BYTES;

/// Reads a rules file.
pub(crate) fn read(path: &Path) -> Result<RulesFile, CliError> {
    file::read(path).map_err(|error| cli_error(&error, path))
}

/// Parses the content of a rules file. The extension of the path selects the format, and errors name the path.
#[cfg(feature = "mcp")]
pub(crate) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<RulesFile, CliError> {
    file::from_bytes(path, bytes).map_err(|error| cli_error(&error, path))
}

fn cli_error(error: &RulesFileError, path: &Path) -> CliError {
    let cli_error = CliError::usage(error.to_string());
    match error.kind() {
        RulesFileErrorKind::UnknownFormat => cli_error.hint("name the file .yaml, .json or .toml"),
        RulesFileErrorKind::NotFound => cli_error
            .hint("check the path given to --rules")
            .path_hint(path),
        RulesFileErrorKind::Unreadable => cli_error.path_hint(path),
        RulesFileErrorKind::Encoding => cli_error.hint("save the file as UTF-8"),
        RulesFileErrorKind::Invalid => cli_error
            .hint("`llamacloud-prod classify run --help` shows what a rules file looks like"),
        _ => cli_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_file_with_unknown_extension_is_rejected_with_hint() {
        for name in ["rules", "rules.txt"] {
            let Err(CliError::Report(report)) = read(Path::new(name)) else {
                panic!("{name} was read")
            };
            assert!(
                report
                    .hint
                    .as_deref()
                    .is_some_and(|hint| hint.contains(".yaml"))
            );
        }
    }
}
