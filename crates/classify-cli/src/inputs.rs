//! The inputs of a run: files, folders, globs and ids, in a stable order.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Component, Path, PathBuf};

use classify_proto::machine::ContentKey;
use classify_ureq::Document;
use classify_ureq::classify_client::{FolderEntry, LeftOut, path_name};
use globset::{GlobBuilder, GlobMatcher};

use crate::args::values::Shard;
use crate::error::CliError;

/// A document that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// The path as it is printed: the argument, or a path below it.
    pub(crate) path: PathBuf,
    /// Why it cannot be classified, if that is known without reading it.
    pub(crate) error: Option<String>,
    /// Whether the path is the id of a file or of a parse job of the service.
    pub(crate) is_id: bool,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct FoundInputs {
    pub(crate) inputs: Vec<Input>,
    /// Notes about what was skipped.
    pub(crate) notes: Vec<String>,
    /// The excluded files that were found.
    pub(crate) excluded_files: Vec<PathBuf>,
    /// The number of links to folders that were not followed.
    pub(crate) unfollowed_links: u64,
    /// The canonical paths, so that no document is classified twice.
    canonical_paths: HashSet<PathBuf>,
    /// The run's own files and folders.
    excluded: HashSet<PathBuf>,
    duplicates: usize,
    /// Whether all links to folders are followed.
    follow_links: bool,
}

/// Finds the documents of the arguments. Skips the `excluded` files, and the `excluded` folders inside an argument.
///
/// An argument that is the path of a file is that file, whatever its name; others are parsed as ids or globs. A link to a
/// folder is followed if it stays inside the argument, or if `follow_links` is set: only what the arguments name is sent.
pub(crate) fn find_inputs(
    arguments: &[PathBuf],
    excluded: &[&Path],
    follow_links: bool,
) -> Result<FoundInputs, CliError> {
    let mut found = FoundInputs {
        follow_links,
        excluded: excluded
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect(),
        ..FoundInputs::default()
    };
    for argument in arguments {
        match std::fs::metadata(argument) {
            Ok(metadata) if metadata.is_dir() => found.add_folder(argument, None),
            Ok(metadata) => found.add_file(argument.clone(), &metadata),
            Err(_) if is_id(argument) => found.add(Input {
                path: argument.clone(),
                error: None,
                is_id: true,
            }),
            Err(error) => match as_glob(argument) {
                Some(pattern) => found.add_glob(pattern)?,
                None => found.add_unreadable(argument.clone(), &error),
            },
        }
    }
    if found.duplicates > 0 {
        let paths = match found.duplicates {
            1 => "1 path leads to a document that is".to_owned(),
            many => format!("{many} paths lead to documents that are"),
        };
        found.notes.push(format!(
            "{paths} listed already; each document is classified once"
        ));
    }
    if found.unfollowed_links > 0 {
        let links = if found.unfollowed_links == 1 {
            "1 link leads to a folder outside of the one that it was found in, and is not followed"
        } else {
            "links lead to folders outside of the one that they were found in, and are not followed"
        };
        let number = match found.unfollowed_links {
            1 => String::new(),
            many => format!("{many} "),
        };
        found
            .notes
            .push(format!("{number}{links}; --follow-links follows them"));
    }
    Ok(found)
}

/// Returns the error if there are no documents.
pub(crate) fn no_inputs_error(arguments: &[PathBuf]) -> CliError {
    let paths: Vec<_> = arguments
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    CliError::usage(format!("there are no documents in {}", paths.join(", ")))
        .hint("hidden files are left out of folders and globs; name them to have them classified")
}

impl Input {
    /// Returns the document, if it may be classified.
    pub(crate) fn document(&self) -> Option<Document> {
        if self.error.is_some() {
            return None;
        }
        Some(if self.is_id {
            Document::id(path_name(&self.path))
        } else {
            Document::path(&self.path)
        })
    }

    /// Whether a document that cannot be read belongs to a shard. It has no content, so its name decides.
    pub(crate) fn is_in_shard(&self, shard: Option<Shard>) -> bool {
        let name = path_name(&self.path);
        shard.is_none_or(|shard| shard.contains(ContentKey::of(name.as_bytes())))
    }
}

impl FoundInputs {
    fn add_file(&mut self, path: PathBuf, metadata: &Metadata) {
        let error = if !metadata.is_file() {
            Some("is not a regular file".to_owned())
        } else if metadata.len() == 0 {
            Some("is empty: 0 bytes".to_owned())
        } else {
            None
        };
        self.add(Input {
            path,
            error,
            is_id: false,
        });
    }

    fn add_unreadable(&mut self, path: PathBuf, error: &std::io::Error) {
        self.add(Input {
            path,
            error: Some(format!("cannot be read: {error}")),
            is_id: false,
        });
    }

    fn add(&mut self, input: Input) {
        let canonical = input
            .path
            .canonicalize()
            .unwrap_or_else(|_| input.path.clone());
        if self.excluded.contains(&canonical) {
            self.excluded_files.push(canonical);
            return self.note_skipped(&input.path);
        }
        if self.canonical_paths.insert(canonical) {
            self.inputs.push(input);
        } else {
            self.duplicates += 1;
        }
    }

    fn is_excluded(&self, path: &Path) -> bool {
        !self.excluded.is_empty()
            && path
                .canonicalize()
                .is_ok_and(|path| self.excluded.contains(&path))
    }

    fn note_skipped(&mut self, path: &Path) {
        self.notes.push(format!(
            "{} is this run's own and is passed over",
            path.display()
        ));
    }

    /// Adds the files in a folder that match the filter, sorted by name.
    fn add_folder(&mut self, folder: &Path, filter: Option<&dyn Fn(&Path) -> bool>) {
        let before = self.inputs.len() + self.duplicates;
        let mut entries = match Document::folder(folder) {
            Ok(entries) => entries.follow_links(self.follow_links),
            Err(error) => {
                let error = error.io_kind().unwrap_or(io::ErrorKind::Other).into();
                return self.add_unreadable(folder.to_owned(), &error);
            }
        };
        let is_wanted = |path: &Path| filter.is_none_or(|filter| filter(path));
        while let Some(entry) = entries.next_entry() {
            match entry {
                FolderEntry::Folder(path) if self.is_excluded(&path) => {
                    self.note_skipped(&path);
                    entries.skip_folder();
                }
                FolderEntry::File(path) if is_wanted(&path) => match path.metadata() {
                    Ok(metadata) => self.add_file(path, &metadata),
                    Err(error) => self.add_unreadable(path, &error),
                },
                FolderEntry::Unreadable(path, error) if is_wanted(&path) => {
                    self.add_unreadable(path, &error);
                }
                FolderEntry::LeftOut(_, LeftOut::LinkOut) => self.unfollowed_links += 1,
                FolderEntry::LeftOut(path, LeftOut::LinkLoop) => self.notes.push(format!(
                    "{} leads back to a folder that it is in and is not followed",
                    path.display()
                )),
                _ => {}
            }
        }
        if filter.is_none() && self.inputs.len() + self.duplicates == before {
            self.notes
                .push(format!("{} has no documents in it", folder.display()));
        }
    }

    fn add_glob(&mut self, pattern: &str) -> Result<(), CliError> {
        let before = self.inputs.len() + self.duplicates;
        let matcher = compile_glob(pattern)?;
        let base = literal_base(pattern);
        let start = if base.as_os_str().is_empty() {
            Path::new(".")
        } else {
            base.as_path()
        };
        if start.is_dir() {
            let filter = |path: &Path| {
                let path = path.strip_prefix(".").unwrap_or(path);
                // A folder that matches includes everything in it.
                path.ancestors()
                    .take_while(|part| part.as_os_str().len() > base.as_os_str().len())
                    .any(|part| matcher.is_match(part))
            };
            let first = self.inputs.len();
            self.add_folder(start, Some(&filter));
            if base.as_os_str().is_empty() {
                for input in &mut self.inputs[first..] {
                    if let Ok(short) = input.path.strip_prefix(".") {
                        input.path = short.to_owned();
                    }
                }
            }
        }
        if self.inputs.len() + self.duplicates == before {
            self.notes.push(format!("{pattern} matches no file"));
        }
        Ok(())
    }
}

/// Whether an argument is the id of a file or of a parse job.
fn is_id(argument: &Path) -> bool {
    let id = argument.to_str().and_then(|text| {
        text.strip_prefix("dfl-")
            .or_else(|| text.strip_prefix("pjb-"))
    });
    id.is_some_and(|id| {
        !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

/// Returns the argument as a glob, if it has special characters of globs.
fn as_glob(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    text.contains(['*', '?', '[', '{'])
        .then_some(text.strip_prefix("./").unwrap_or(text))
}

fn compile_glob(pattern: &str) -> Result<GlobMatcher, CliError> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| CliError::usage(format!("{pattern}: {}", error.kind())))
}

/// Returns the folders before the first part with a special character.
fn literal_base(pattern: &str) -> PathBuf {
    let is_literal = |part: &OsStr| !part.to_string_lossy().contains(['*', '?', '[', '{']);
    let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
    parts
        .iter()
        // The last part is always the name of the file.
        .take(parts.len().saturating_sub(1))
        .take_while(|part| is_literal(part.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn names(root: &Path, arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<_> = arguments.iter().map(|name| root.join(name)).collect();
        let found = find_inputs(&arguments, &[], false).unwrap();
        found
            .inputs
            .iter()
            .map(|input| {
                let path = input.path.strip_prefix(root).unwrap();
                path.to_str().unwrap().replace('\\', "/")
            })
            .collect()
    }

    const FILES: [&str; 8] = [
        "b.txt",
        "a.pdf",
        "sub/c.pdf",
        "sub/deep/d.PDF",
        "sub/.hidden.pdf",
        ".git/e.pdf",
        "[x].pdf",
        "ü ñ.txt",
    ];

    #[test]
    fn inputs_of_folder_are_sorted_and_skip_hidden_files() {
        let root = tree(&FILES);
        assert_eq!(
            names(root.path(), &[""]),
            [
                "[x].pdf",
                "a.pdf",
                "b.txt",
                "sub/c.pdf",
                "sub/deep/d.PDF",
                "ü ñ.txt"
            ]
        );
        assert_eq!(
            names(root.path(), &["sub/.hidden.pdf"]),
            ["sub/.hidden.pdf"]
        );
    }

    #[test]
    fn inputs_glob_matches_as_in_a_shell() {
        let root = tree(&FILES);
        assert_eq!(names(root.path(), &["*.pdf"]), ["[x].pdf", "a.pdf"]);
        assert_eq!(
            names(root.path(), &["**/*.{pdf,PDF}"]),
            ["[x].pdf", "a.pdf", "sub/c.pdf", "sub/deep/d.PDF"]
        );
        assert_eq!(
            names(root.path(), &["su?"]),
            ["sub/c.pdf", "sub/deep/d.PDF"]
        );
        assert_eq!(names(root.path(), &["sub/*/*"]), ["sub/deep/d.PDF"]);
        // What exists is a name and no glob.
        assert_eq!(names(root.path(), &["[x].pdf"]), ["[x].pdf"]);
    }

    #[test]
    fn inputs_are_deduplicated_in_argument_order() {
        let root = tree(&FILES);
        assert_eq!(
            names(root.path(), &["sub", "a.pdf", "sub/c.pdf"]),
            ["sub/c.pdf", "sub/deep/d.PDF", "a.pdf"]
        );
    }

    #[test]
    fn inputs_ids_are_recognized_and_own_files_skipped() {
        let root = tree(&["a.txt", "own.jsonl"]);
        let own = root.path().join("own.jsonl");
        let arguments = ["dfl-1a", "pjb-2", "dfl-", "dfl-1a", "dfl-x.pdf"].map(PathBuf::from);
        let found = find_inputs(
            &[&arguments[..], &[root.path().to_owned()]].concat(),
            &[&own],
            false,
        )
        .unwrap();
        let ids: Vec<_> = found.inputs.iter().map(|input| input.is_id).collect();
        assert_eq!(ids, [true, true, false, false, false]);
        assert!(found.inputs[2].error.is_some() && found.inputs[3].error.is_some());
        assert!(found.inputs[4].path.ends_with("a.txt"));
        assert!(found.notes.iter().any(|note| note.contains("passed over")));
    }

    #[test]
    fn inputs_output_folder_is_skipped_unless_named() {
        let root = tree(&["a.txt", "out/b.txt", "out/sub/c.txt", "z.txt"]);
        let out = root.path().join("out");
        let count = |argument: &Path| {
            let found = find_inputs(&[argument.to_owned()], &[&out], false).unwrap();
            (found.inputs.len(), found.notes.len())
        };
        assert_eq!(count(root.path()), (2, 1));
        assert_eq!(count(&root.path().join("**/*.txt")), (2, 1));
        assert_eq!(count(&out), (2, 0));
        assert_eq!(count(&out.join("sub")), (1, 0));
    }

    #[test]
    fn inputs_empty_or_missing_file_is_listed_with_reason() {
        let root = tree(&["a.txt"]);
        fs::write(root.path().join("empty.txt"), "").unwrap();
        let found = find_inputs(
            &[root.path().to_owned(), root.path().join("gone.txt")],
            &[],
            false,
        )
        .unwrap();
        let errors: Vec<_> = found
            .inputs
            .iter()
            .map(|input| input.error.as_deref())
            .collect();
        assert_eq!(errors[0], None);
        assert_eq!(errors[1], Some("is empty: 0 bytes"));
        assert!(errors[2].unwrap().contains("cannot be read"));
    }

    #[test]
    fn inputs_unmatched_glob_is_noted_and_invalid_glob_rejected() {
        let root = tree(&["a.txt"]);
        let found = find_inputs(
            &[root.path().join("*.pdf"), root.path().join("a.txt")],
            &[],
            false,
        )
        .unwrap();
        assert_eq!(found.inputs.len(), 1);
        assert!(found.notes[0].contains("*.pdf matches no file"));
        assert!(find_inputs(&[root.path().join("a{.pdf")], &[], false).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn inputs_symlink_out_of_folder_is_followed_only_on_request() {
        use std::os::unix::fs::symlink;
        let root = tree(&["named/a.txt", "named/sub/b.txt", "beside/c.txt", "d.txt"]);
        let named = root.path().join("named");
        symlink("..", named.join("up")).unwrap();
        symlink("../../beside", named.join("sub/side")).unwrap();
        symlink("sub", named.join("within")).unwrap();
        symlink("../d.txt", named.join("d.txt")).unwrap();
        let count = |argument: &Path, follow_links| {
            let found = find_inputs(&[argument.to_owned()], &[], follow_links).unwrap();
            (found.inputs.len(), found.unfollowed_links)
        };
        // A link to a file is that file.
        assert_eq!(count(&named, false), (3, 3));
        assert_eq!(count(&named, true), (4, 0));
        assert_eq!(count(&named.join("**/*.txt"), false), (3, 3));
        // Who names a link means what it leads to.
        assert_eq!(count(&named.join("sub/side"), false), (1, 0));
        assert_eq!(count(&named.join("up"), false).1, 0);
    }

    #[cfg(unix)]
    #[test]
    fn inputs_symlink_loop_ends_and_dangling_symlink_is_listed() {
        use std::os::unix::fs::symlink;
        let root = tree(&["sub/a.txt"]);
        symlink(root.path(), root.path().join("sub/loop")).unwrap();
        symlink("nowhere", root.path().join("sub/dangling.txt")).unwrap();
        symlink("a.txt", root.path().join("sub/same.txt")).unwrap();
        let found = find_inputs(&[root.path().to_owned()], &[], false).unwrap();
        let names: Vec<_> = found
            .inputs
            .iter()
            .map(|input| {
                (
                    input.path.file_name().unwrap().to_str().unwrap(),
                    input.error.is_some(),
                )
            })
            .collect();
        assert_eq!(names, [("a.txt", false), ("dangling.txt", true)]);
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("leads back to"))
        );
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("listed already"))
        );
    }
}
