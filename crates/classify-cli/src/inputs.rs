//! The documents: files, folders, globs and ids, in an order that is the same every time.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use crate::exit::Problem;

/// A document, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// As it is shown: the argument, and what lies below it.
    pub(crate) path: PathBuf,
    /// Why it cannot be classified, where that is plain without reading it.
    pub(crate) trouble: Option<String>,
    /// It is no path but the id of a file or of a parse job that the service holds.
    pub(crate) is_id: bool,
}

/// What the arguments lead to.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) documents: Vec<Document>,
    /// What was passed over, to be told on stderr.
    pub(crate) notes: Vec<String>,
    /// The run's own files that stand where documents are looked for.
    pub(crate) met: Vec<PathBuf>,
    /// Links to folders that are not followed.
    pub(crate) unfollowed: u64,
    /// Where each document really is, so that none is paid for twice.
    places: HashSet<PathBuf>,
    /// Files of the run's own, which are no documents, and folders that it fills.
    own: HashSet<PathBuf>,
    repeated: usize,
    /// Whether every link to a folder is followed.
    follows: bool,
}

/// Finds the documents that the arguments name, passing over files of the run's `own`, and over folders of its own where
/// they lie in one that is named.
///
/// An argument that names a file, however odd its name, is that file; only one that names nothing is read as an id or
/// a glob. A link to a folder is followed where that lies in the folder that was named, or where `follows` says so: what
/// is sent, and paid for, is what somebody has named.
pub(crate) fn collect(
    arguments: &[PathBuf],
    own: &[&Path],
    follows: bool,
) -> Result<Found, Problem> {
    let mut found = Found {
        follows,
        own: own
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect(),
        ..Found::default()
    };
    for argument in arguments {
        match std::fs::metadata(argument) {
            Ok(metadata) if metadata.is_dir() => found.folder(argument, None),
            Ok(metadata) => found.file(argument.clone(), &metadata),
            Err(_) if is_id(argument) => found.push(Document {
                path: argument.clone(),
                trouble: None,
                is_id: true,
            }),
            Err(error) => match as_glob(argument) {
                Some(pattern) => found.glob(pattern)?,
                None => found.lost(argument.clone(), &error),
            },
        }
    }
    if found.repeated > 0 {
        let paths = match found.repeated {
            1 => "1 path leads to a document that is".to_owned(),
            many => format!("{many} paths lead to documents that are"),
        };
        found.notes.push(format!(
            "{paths} listed already; each document is classified once"
        ));
    }
    if found.unfollowed > 0 {
        let links = if found.unfollowed == 1 {
            "1 link leads to a folder outside of the one that it was found in, and is not followed"
        } else {
            "links lead to folders outside of the one that they were found in, and are not followed"
        };
        let number = match found.unfollowed {
            1 => String::new(),
            many => format!("{many} "),
        };
        found
            .notes
            .push(format!("{number}{links}; --follow-links follows them"));
    }
    Ok(found)
}

/// What is said where there is nothing to do.
pub(crate) fn nothing_in(arguments: &[PathBuf]) -> Problem {
    let shown: Vec<_> = arguments
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Problem::usage(format!("there are no documents in {}", shown.join(", ")))
        .hint("hidden files are left out of folders and globs; name them to have them classified")
}

impl Found {
    fn file(&mut self, path: PathBuf, metadata: &Metadata) {
        let trouble = if !metadata.is_file() {
            Some("is not a regular file".to_owned())
        } else if metadata.len() == 0 {
            Some("is empty: 0 bytes".to_owned())
        } else {
            None
        };
        self.push(Document {
            path,
            trouble,
            is_id: false,
        });
    }

    fn lost(&mut self, path: PathBuf, error: &std::io::Error) {
        self.push(Document {
            path,
            trouble: Some(format!("cannot be read: {error}")),
            is_id: false,
        });
    }

    fn push(&mut self, document: Document) {
        let place = document
            .path
            .canonicalize()
            .unwrap_or_else(|_| document.path.clone());
        if self.own.contains(&place) {
            self.met.push(place);
            return self.pass_over(&document.path);
        }
        if self.places.insert(place) {
            self.documents.push(document);
        } else {
            self.repeated += 1;
        }
    }

    fn is_own(&self, path: &Path) -> bool {
        !self.own.is_empty()
            && path
                .canonicalize()
                .is_ok_and(|place| self.own.contains(&place))
    }

    fn pass_over(&mut self, path: &Path) {
        self.notes.push(format!(
            "{} is this run's own and is passed over",
            path.display()
        ));
    }

    /// All files in a folder, sorted by name; only those that fit, if there is something to fit.
    fn folder(&mut self, folder: &Path, fits: Option<&dyn Fn(&Path) -> bool>) {
        let before = self.documents.len() + self.repeated;
        let inside = folder.canonicalize().ok();
        let leads_out = |entry: &DirEntry| {
            entry.depth() > 0
                && entry.path_is_symlink()
                && !(inside.as_ref()).is_some_and(|inside| {
                    entry
                        .path()
                        .canonicalize()
                        .is_ok_and(|target| target.starts_with(inside))
                })
        };
        let mut walk = WalkDir::new(folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
        while let Some(entry) = walk.next() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() > 0 && self.is_own(entry.path()) {
                        self.pass_over(entry.path());
                        walk.skip_current_dir();
                    } else if !self.follows && leads_out(&entry) {
                        self.unfollowed += 1;
                        walk.skip_current_dir();
                    }
                }
                Ok(entry) => {
                    if fits.is_none_or(|fits| fits(entry.path())) {
                        match entry.metadata() {
                            // A folder may hold sockets and pipes; they are no documents, and reading one would hang.
                            Ok(metadata) if metadata.is_file() => {
                                self.file(entry.into_path(), &metadata);
                            }
                            Ok(_) => {}
                            Err(error) => self.lost(entry.path().to_owned(), &error.into()),
                        }
                    }
                }
                Err(error) => self.walk_error(folder, error, fits),
            }
        }
        if fits.is_none() && self.documents.len() + self.repeated == before {
            self.notes
                .push(format!("{} has no documents in it", folder.display()));
        }
    }

    fn walk_error(
        &mut self,
        folder: &Path,
        error: walkdir::Error,
        fits: Option<&dyn Fn(&Path) -> bool>,
    ) {
        let path = error.path().unwrap_or(folder).to_owned();
        if let Some(ancestor) = error.loop_ancestor() {
            self.notes.push(format!(
                "{} leads back to {} and is not followed",
                path.display(),
                ancestor.display()
            ));
        } else if fits.is_none_or(|fits| fits(&path)) {
            self.lost(path, &error.into());
        }
    }

    fn glob(&mut self, pattern: &str) -> Result<(), Problem> {
        let before = self.documents.len() + self.repeated;
        let matcher = compile(pattern)?;
        let base = base_of(pattern);
        let start = if base.as_os_str().is_empty() {
            Path::new(".")
        } else {
            base.as_path()
        };
        if start.is_dir() {
            let fits = |path: &Path| {
                let path = path.strip_prefix(".").unwrap_or(path);
                // A folder that matches brings all that is in it.
                path.ancestors()
                    .take_while(|part| part.as_os_str().len() > base.as_os_str().len())
                    .any(|part| matcher.is_match(part))
            };
            let first = self.documents.len();
            self.folder(start, Some(&fits));
            if base.as_os_str().is_empty() {
                for document in &mut self.documents[first..] {
                    if let Ok(short) = document.path.strip_prefix(".") {
                        document.path = short.to_owned();
                    }
                }
            }
        }
        if self.documents.len() + self.repeated == before {
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

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// The argument as a glob, if it has any of a glob's signs.
fn as_glob(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    text.contains(['*', '?', '[', '{'])
        .then_some(text.strip_prefix("./").unwrap_or(text))
}

fn compile(pattern: &str) -> Result<GlobMatcher, Problem> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Problem::usage(format!("{pattern}: {}", error.kind())))
}

/// The folders before the first part that has a glob's sign.
fn base_of(pattern: &str) -> PathBuf {
    let is_plain = |part: &OsStr| !part.to_string_lossy().contains(['*', '?', '[', '{']);
    let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
    parts
        .iter()
        // The last part is the file's name even where a glob has no sign at all.
        .take(parts.len().saturating_sub(1))
        .take_while(|part| is_plain(part.as_os_str()))
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
        let found = collect(&arguments, &[], false).unwrap();
        found
            .documents
            .iter()
            .map(|document| {
                let path = document.path.strip_prefix(root).unwrap();
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
    fn folders_are_sorted_and_without_hidden_files() {
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
    fn globs_match_as_in_a_shell() {
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
    fn each_document_comes_once_and_in_the_order_of_the_arguments() {
        let root = tree(&FILES);
        assert_eq!(
            names(root.path(), &["sub", "a.pdf", "sub/c.pdf"]),
            ["sub/c.pdf", "sub/deep/d.PDF", "a.pdf"]
        );
    }

    #[test]
    fn an_id_is_no_path_unless_there_is_such_a_file() {
        let root = tree(&["a.txt", "own.jsonl"]);
        let own = root.path().join("own.jsonl");
        let arguments = ["dfl-1a", "pjb-2", "dfl-", "dfl-1a", "dfl-x.pdf"].map(PathBuf::from);
        let found = collect(
            &[&arguments[..], &[root.path().to_owned()]].concat(),
            &[&own],
            false,
        )
        .unwrap();
        let ids: Vec<_> = found
            .documents
            .iter()
            .map(|document| document.is_id)
            .collect();
        assert_eq!(ids, [true, true, false, false, false]);
        assert!(found.documents[2].trouble.is_some() && found.documents[3].trouble.is_some());
        assert!(found.documents[4].path.ends_with("a.txt"));
        assert!(found.notes.iter().any(|note| note.contains("passed over")));
    }

    #[test]
    fn a_folder_that_the_run_fills_is_passed_over_unless_it_is_named() {
        let root = tree(&["a.txt", "out/b.txt", "out/sub/c.txt", "z.txt"]);
        let out = root.path().join("out");
        let count = |argument: &Path| {
            let found = collect(&[argument.to_owned()], &[&out], false).unwrap();
            (found.documents.len(), found.notes.len())
        };
        assert_eq!(count(root.path()), (2, 1));
        assert_eq!(count(&root.path().join("**/*.txt")), (2, 1));
        assert_eq!(count(&out), (2, 0));
        assert_eq!(count(&out.join("sub")), (1, 0));
    }

    #[test]
    fn what_cannot_be_classified_is_listed_with_its_reason() {
        let root = tree(&["a.txt"]);
        fs::write(root.path().join("empty.txt"), "").unwrap();
        let found = collect(
            &[root.path().to_owned(), root.path().join("gone.txt")],
            &[],
            false,
        )
        .unwrap();
        let troubles: Vec<_> = found
            .documents
            .iter()
            .map(|document| document.trouble.as_deref())
            .collect();
        assert_eq!(troubles[0], None);
        assert_eq!(troubles[1], Some("is empty: 0 bytes"));
        assert!(troubles[2].unwrap().contains("cannot be read"));
    }

    #[test]
    fn an_idle_glob_is_a_note() {
        let root = tree(&["a.txt"]);
        let found = collect(
            &[root.path().join("*.pdf"), root.path().join("a.txt")],
            &[],
            false,
        )
        .unwrap();
        assert_eq!(found.documents.len(), 1);
        assert!(found.notes[0].contains("*.pdf matches no file"));
        assert!(collect(&[root.path().join("a{.pdf")], &[], false).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_followed_only_when_asked() {
        use std::os::unix::fs::symlink;
        let root = tree(&["named/a.txt", "named/sub/b.txt", "beside/c.txt", "d.txt"]);
        let named = root.path().join("named");
        symlink("..", named.join("up")).unwrap();
        symlink("../../beside", named.join("sub/side")).unwrap();
        symlink("sub", named.join("within")).unwrap();
        symlink("../d.txt", named.join("d.txt")).unwrap();
        let count = |argument: &Path, follows| {
            let found = collect(&[argument.to_owned()], &[], follows).unwrap();
            (found.documents.len(), found.unfollowed)
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
    fn a_loop_of_links_ends_and_a_dangling_link_is_listed() {
        use std::os::unix::fs::symlink;
        let root = tree(&["sub/a.txt"]);
        symlink(root.path(), root.path().join("sub/loop")).unwrap();
        symlink("nowhere", root.path().join("sub/dangling.txt")).unwrap();
        symlink("a.txt", root.path().join("sub/same.txt")).unwrap();
        let found = collect(&[root.path().to_owned()], &[], false).unwrap();
        let names: Vec<_> = found
            .documents
            .iter()
            .map(|document| {
                (
                    document.path.file_name().unwrap().to_str().unwrap(),
                    document.trouble.is_some(),
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
