//! `--exclude` and `--include`: selects the files to classify.

use std::path::Path;

use globset::GlobMatcher;

use super::glob::compile_glob;
use crate::error::CliError;

/// Globs that exclude files.
#[derive(Debug, Default)]
pub(crate) struct NameFilter {
    exclude: Vec<NameGlob>,
    include: Vec<NameGlob>,
}

/// A glob of a file's name, or with a `/` of its path in the folder that was given.
#[derive(Debug)]
struct NameGlob {
    matcher: GlobMatcher,
    is_path: bool,
}

impl NameFilter {
    pub(crate) fn new(exclude: &[String], include: &[String]) -> Result<Self, CliError> {
        let globs = |flag: &str, patterns: &[String]| {
            let glob = |pattern: &String| NameGlob::new(flag, pattern);
            patterns.iter().map(glob).collect::<Result<_, _>>()
        };
        Ok(Self {
            exclude: globs("--exclude", exclude)?,
            include: globs("--include", include)?,
        })
    }

    /// Whether a file is classified. `path` is its path in the folder that was given, or the path that was given.
    pub(super) fn is_wanted(&self, path: &Path) -> bool {
        !self.exclude.iter().any(|glob| glob.matches(path))
            && (self.include.is_empty() || self.include.iter().any(|glob| glob.matches(path)))
    }
}

impl NameGlob {
    fn new(flag: &str, pattern: &str) -> Result<Self, CliError> {
        let pattern = pattern.trim_start_matches("./");
        // `drafts/` matches the folder and everything in it.
        let name = pattern.trim_end_matches('/');
        Ok(Self {
            matcher: compile_glob(name)
                .map_err(|error| CliError::usage(format!("{flag}: {error}")))?,
            is_path: name.contains('/'),
        })
    }

    /// Whether the glob matches the file or a folder that contains it.
    fn matches(&self, path: &Path) -> bool {
        path.ancestors().any(|part| {
            if self.is_path {
                self.matcher.is_match(part)
            } else {
                part.file_name()
                    .is_some_and(|name| self.matcher.is_match(name))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wanted(exclude: &[&str], include: &[&str], path: &str) -> bool {
        let owned = |globs: &[&str]| {
            globs
                .iter()
                .map(|glob| (*glob).to_owned())
                .collect::<Vec<_>>()
        };
        let filter = NameFilter::new(&owned(exclude), &owned(include)).unwrap();
        filter.is_wanted(Path::new(path))
    }

    #[test]
    fn filter_matches_names_anywhere_and_paths_in_the_folder() {
        for (exclude, path, wanted) in [
            ("*.tmp", "a.tmp", false),
            ("*.tmp", "sub/deep/a.tmp", false),
            ("*.tmp", "a.tmpl", true),
            ("drafts", "drafts/a.pdf", false),
            ("drafts/", "2024/drafts/x/a.pdf", false),
            ("drafts/*.pdf", "drafts/a.pdf", false),
            ("drafts/*.pdf", "2024/drafts/a.pdf", true),
            ("**/drafts/*.pdf", "2024/drafts/a.pdf", false),
            ("./a.pdf", "a.pdf", false),
            ("A.pdf", "a.pdf", true),
        ] {
            assert_eq!(is_wanted(&[exclude], &[], path), wanted, "{exclude} {path}");
            assert_eq!(
                is_wanted(&[], &[exclude], path),
                !wanted,
                "{exclude} {path}"
            );
        }
        assert!(is_wanted(&["draft*"], &["*.pdf", "*.docx"], "a.docx"));
        assert!(!is_wanted(
            &["draft*"],
            &["*.pdf", "*.docx"],
            "draft 2.docx"
        ));
        assert!(!is_wanted(&[], &["*.pdf", "*.docx"], "a.txt"));
    }

    #[test]
    fn filter_with_invalid_glob_names_the_flag() {
        let error = NameFilter::new(&["a{".to_owned()], &[]).unwrap_err();
        let report = error.report().unwrap();
        assert!(
            report.message.contains("--exclude: a{"),
            "{}",
            report.message
        );
    }
}
