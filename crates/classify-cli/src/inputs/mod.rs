//! The inputs of a run: files, folders, globs, objects and ids, in a stable order.

mod filter;
mod glob;
#[cfg(feature = "cloud")]
mod objects;
mod path_list;

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use classify_proto::machine::{ContentKey, HashedDocument, KnownKeys};
use classify_ureq::Document;
use classify_ureq::classify_client::{FolderEntry, SkipReason, path_name};
use serde::Serialize;

pub(crate) use self::filter::NameFilter;
pub(crate) use self::glob::is_glob;
use self::glob::{PathMatcher, literal_base};

use crate::args::values::Shard;
use crate::error::CliError;
use crate::path_hint::path_hint;

/// A document that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    /// The path as it is printed: the argument, or a path below it.
    pub(crate) path: PathBuf,
    /// Why it cannot be classified, if that is known without reading it.
    pub(crate) error: Option<String>,
    pub(crate) kind: InputKind,
}

/// Where the content of a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// In a file, folder or pipe: the path is that of the file system.
    File,
    /// At the service: the path is the id of a file or of a parse job.
    Id,
    /// In an object store: the path is a URL. `None` if the object cannot be classified.
    #[cfg(feature = "cloud")]
    Object(Option<Box<classify_object_store::Object>>),
}

/// The paths to search, and the filters.
#[derive(Debug, Default)]
pub(crate) struct Search<'a> {
    /// Files, folders, globs, URLs of objects and ids; `-` is a list on stdin.
    pub(crate) arguments: &'a [PathBuf],
    /// A file that lists more of them.
    pub(crate) files_from: Option<&'a Path>,
    /// The run's own files and folders.
    pub(crate) own_files: Vec<&'a Path>,
    pub(crate) filter: NameFilter,
    /// Also follow links to folders outside of the searched folder.
    pub(crate) follow_links: bool,
    /// The maximum file size in bytes; `None` for no limit.
    pub(crate) max_bytes: Option<u64>,
    /// The search ends when it has found more documents than this; `None` for no limit.
    pub(crate) max_documents: Option<usize>,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct FoundInputs {
    pub(crate) inputs: Vec<Input>,
    /// Notes about skipped paths.
    pub(crate) notes: Vec<String>,
    /// The run's own files that were found.
    pub(crate) excluded_files: Vec<PathBuf>,
    /// The number of links to folders that were not followed.
    pub(crate) unfollowed_links: u64,
    pub(crate) skipped: SkippedCounts,
    /// A folder or a list was found, perhaps an empty one.
    pub(crate) has_source: bool,
}

/// Skipped files, by reason. The fields are keys of the JSON output of a dry run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub(crate) struct SkippedCounts {
    /// Files whose name, or the name of a folder of theirs, begins with a period.
    pub(crate) hidden: u64,
    /// Lock files and temporary files of programs.
    pub(crate) temporary: u64,
    /// Pipes, sockets and devices.
    pub(crate) not_regular: u64,
    /// Skipped by `--exclude` and `--include`.
    pub(crate) excluded: u64,
}

#[cfg(feature = "cloud")]
impl SkippedCounts {
    fn total(self) -> u64 {
        self.hidden + self.temporary + self.not_regular + self.excluded
    }
}

/// Finds the documents of the arguments. Skips the run's own files, and its own folders inside an argument.
///
/// An argument that is the path of a file is that file, whatever its name; others are parsed as ids or globs. A link to
/// a folder is followed if it stays inside the argument, or on request: only what the arguments name is sent.
pub(crate) fn find_inputs(search: &Search<'_>) -> Result<FoundInputs, CliError> {
    let mut finder = Finder {
        own_files: search
            .own_files
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .collect(),
        search,
        found: FoundInputs::default(),
        canonical_paths: HashSet::new(),
        duplicates: 0,
        temporary: None,
        not_regular: None,
        #[cfg(feature = "cloud")]
        objects: objects::ObjectSearch::default(),
    };
    #[cfg(feature = "cloud")]
    finder.stat_objects(search.arguments)?;
    for argument in search.arguments {
        if argument == Path::new("-") && !argument.exists() {
            finder.add_list(argument)?;
        } else {
            finder.add_argument(argument)?;
        }
    }
    if let Some(list) = search.files_from {
        finder.add_list(list)?;
    }
    finder.add_notes();
    Ok(finder.found)
}

/// Returns the error for arguments that lead to no document and no folder.
pub(crate) fn no_inputs_error(arguments: &[PathBuf]) -> CliError {
    let paths: Vec<_> = arguments
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    CliError::usage(format!("no documents found in {}", paths.join(", ")))
        .hint("folders and globs skip hidden files; name a file to classify it")
}

impl Input {
    /// Returns the document, if it may be classified.
    pub(crate) fn document(&self) -> Option<Document> {
        if self.error.is_some() {
            return None;
        }
        match &self.kind {
            InputKind::File => Some(Document::path(&self.path)),
            InputKind::Id => Some(Document::id(path_name(&self.path))),
            #[cfg(feature = "cloud")]
            InputKind::Object(object) => Some(object.as_ref()?.document()),
        }
    }

    /// Returns the document if its content need not be read: an object that an earlier run has hashed.
    #[cfg_attr(
        not(feature = "cloud"),
        expect(unused_variables, reason = "only objects can be known")
    )]
    pub(crate) fn known_document(&self, known: &KnownKeys) -> Option<HashedDocument> {
        match &self.kind {
            InputKind::File | InputKind::Id => None,
            #[cfg(feature = "cloud")]
            InputKind::Object(object) => {
                let object = object.as_ref()?;
                let key = known.get(&object.url().to_string(), &object.version()?)?;
                Some(object.hashed(key))
            }
        }
    }

    /// Returns the size in bytes of a file or an object; `None` for an id, and if it is not known.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.kind {
            InputKind::File => Some(std::fs::metadata(&self.path).ok()?.len()),
            InputKind::Id => None,
            #[cfg(feature = "cloud")]
            InputKind::Object(object) => object.as_ref()?.size(),
        }
    }

    /// Whether the path is the id of a file or of a parse job of the service.
    pub(crate) fn is_id(&self) -> bool {
        self.kind == InputKind::Id
    }

    /// Whether the path is the URL of an object.
    pub(crate) fn is_object(&self) -> bool {
        !matches!(self.kind, InputKind::File | InputKind::Id)
    }

    /// Whether a document that cannot be read belongs to a shard. It has no content, so its name decides.
    pub(crate) fn is_in_shard(&self, shard: Option<Shard>) -> bool {
        let name = path_name(&self.path);
        shard.is_none_or(|shard| shard.contains(ContentKey::of(name.as_bytes())))
    }
}

/// A search in progress.
struct Finder<'a> {
    search: &'a Search<'a>,
    found: FoundInputs,
    /// So that no document is classified twice.
    canonical_paths: HashSet<PathBuf>,
    own_files: HashSet<PathBuf>,
    duplicates: usize,
    /// The first file that was skipped for this reason.
    temporary: Option<PathBuf>,
    not_regular: Option<PathBuf>,
    #[cfg(feature = "cloud")]
    objects: objects::ObjectSearch,
}

/// The glob that a file must match, and the folder to which the globs of `--exclude` are relative.
#[derive(Clone, Copy)]
struct Scope<'a> {
    root: &'a Path,
    glob: Option<&'a dyn Fn(&Path) -> bool>,
}

impl Scope<'_> {
    fn contains(self, path: &Path) -> bool {
        self.glob.is_none_or(|glob| glob(path))
    }
}

impl Finder<'_> {
    fn add_list(&mut self, list: &Path) -> Result<(), CliError> {
        self.found.has_source = true;
        let paths = path_list::read(list)?;
        if paths.is_empty() {
            let list = path_list::describe(list);
            self.found.notes.push(format!("{list} contains no paths"));
        }
        #[cfg(feature = "cloud")]
        self.stat_objects(&paths)?;
        for path in paths {
            self.add_argument(&path)?;
        }
        Ok(())
    }

    fn add_argument(&mut self, argument: &Path) -> Result<(), CliError> {
        #[cfg(feature = "cloud")]
        if let Some(url) = objects::object_url(argument) {
            return self.add_object_url(url);
        }
        match std::fs::metadata(argument) {
            Ok(metadata) if metadata.is_dir() => {
                let scope = Scope {
                    root: argument,
                    glob: None,
                };
                self.found.has_source = true;
                self.add_folder(argument, scope);
            }
            Ok(metadata) => self.add_file(argument.to_owned(), argument, &metadata),
            Err(_) if is_id(argument) => self.add(Input {
                path: argument.to_owned(),
                error: None,
                kind: InputKind::Id,
            }),
            // The `?` of a URL does not make it a glob.
            Err(_) if is_glob(argument) && path_hint(argument).is_none() => {
                self.add_glob(argument)?;
            }
            Err(error) => self.add_unreadable(argument.to_owned(), &error),
        }
        Ok(())
    }

    /// Adds a file. `relative` is its path in the folder that was given.
    fn add_file(&mut self, path: PathBuf, relative: &Path, metadata: &Metadata) {
        if !self.search.filter.is_wanted(relative) {
            self.found.skipped.excluded += 1;
            return;
        }
        let error = if metadata.is_file() {
            self.size_problem(metadata.len())
        } else {
            Some("is not a regular file".to_owned())
        };
        self.add(Input {
            path,
            error,
            kind: InputKind::File,
        });
    }

    /// Returns the reason why the service accepts no document of this size.
    fn size_problem(&self, bytes: u64) -> Option<String> {
        if bytes == 0 {
            return Some("is empty: 0 bytes".to_owned());
        }
        let max_bytes = self.search.max_bytes?;
        (bytes > max_bytes).then(|| {
            format!("is too large: {bytes} bytes; the service accepts at most {max_bytes}")
        })
    }

    fn add_unreadable(&mut self, path: PathBuf, error: &io::Error) {
        let mut reason = if error.kind() == io::ErrorKind::NotFound && path.is_symlink() {
            "is a link to a path that does not exist".to_owned()
        } else {
            format!("cannot be read: {error}")
        };
        if path.as_os_str().as_encoded_bytes().ends_with(b"\r") {
            reason.push_str("; its name ends with a carriage return (\\r)");
        }
        self.add(Input {
            path,
            error: Some(reason),
            kind: InputKind::File,
        });
    }

    fn add(&mut self, input: Input) {
        let canonical = input
            .path
            .canonicalize()
            .unwrap_or_else(|_| input.path.clone());
        if self.own_files.contains(&canonical) {
            self.found.excluded_files.push(canonical);
            return self.note_own(&input.path);
        }
        if self.canonical_paths.insert(canonical) {
            self.found.inputs.push(input);
        } else {
            self.duplicates += 1;
        }
    }

    fn is_own(&self, path: &Path) -> bool {
        !self.own_files.is_empty()
            && path
                .canonicalize()
                .is_ok_and(|path| self.own_files.contains(&path))
    }

    fn note_own(&mut self, path: &Path) {
        self.found
            .notes
            .push(format!("skipped {}, which this run writes", path.display()));
    }

    /// Whether more documents were found than the search may find.
    fn is_full(&self) -> bool {
        let max = self.search.max_documents;
        max.is_some_and(|max| self.found.inputs.len() > max)
    }

    /// The number of documents that were found, including duplicates.
    fn count(&self) -> usize {
        self.found.inputs.len() + self.duplicates
    }

    /// Adds the files in a folder that are in the scope, sorted by name.
    fn add_folder(&mut self, folder: &Path, scope: Scope<'_>) {
        let before = self.count();
        let hidden_before = self.found.skipped.hidden;
        let mut entries = match Document::folder(folder) {
            Ok(entries) => entries.follow_links(self.search.follow_links),
            Err(error) => {
                let error = error.io_kind().unwrap_or(io::ErrorKind::Other).into();
                return self.add_unreadable(folder.to_owned(), &error);
            }
        };
        while let Some(entry) = entries.next_entry() {
            if self.is_full() {
                break;
            }
            match entry {
                FolderEntry::Folder(path) if self.is_own(&path) => {
                    self.note_own(&path);
                    entries.skip_folder();
                }
                FolderEntry::File(path) if scope.contains(&path) => match path.metadata() {
                    Ok(metadata) => {
                        let relative = path.strip_prefix(scope.root).unwrap_or(&path).to_owned();
                        self.add_file(path, &relative, &metadata);
                    }
                    Err(error) => self.add_unreadable(path, &error),
                },
                FolderEntry::Unreadable(path, error) if scope.contains(&path) => {
                    self.add_unreadable(path, &error);
                }
                FolderEntry::Skipped(path, reason) => self.skip(path, reason, scope),
                _ => {}
            }
        }
        if scope.glob.is_none() && self.count() == before {
            let hidden = if self.found.skipped.hidden > hidden_before {
                " except hidden ones, which are skipped"
            } else {
                ""
            };
            self.found.notes.push(format!(
                "{} contains no documents{hidden}",
                folder.display()
            ));
        }
    }

    fn skip(&mut self, path: PathBuf, reason: SkipReason, scope: Scope<'_>) {
        match reason {
            SkipReason::LinkOut => self.found.unfollowed_links += 1,
            SkipReason::LinkLoop => self.found.notes.push(format!(
                "skipped {}, a link to a folder that contains it",
                path.display()
            )),
            _ if !scope.contains(&path) => {}
            reason => self.count_skipped(path, reason),
        }
    }

    fn count_skipped(&mut self, path: PathBuf, reason: SkipReason) {
        let counts = &mut self.found.skipped;
        match reason {
            SkipReason::Hidden => counts.hidden += 1,
            SkipReason::Temporary => {
                counts.temporary += 1;
                self.temporary.get_or_insert(path);
            }
            SkipReason::NotRegular => {
                counts.not_regular += 1;
                self.not_regular.get_or_insert(path);
            }
            _ => {}
        }
    }

    fn add_notes(&mut self) {
        let found = &mut self.found;
        let counts = found.skipped;
        let number = |count: u64, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        if let Some(path) = &self.temporary {
            found.notes.push(format!(
                "{} skipped, such as {}; name a file to classify it",
                number(
                    counts.temporary,
                    "lock or temporary file",
                    "lock and temporary files"
                ),
                path.display()
            ));
        }
        if let Some(path) = &self.not_regular {
            found.notes.push(format!(
                "{} skipped, such as {}",
                number(
                    counts.not_regular,
                    "pipe, socket or device",
                    "pipes, sockets and devices"
                ),
                path.display()
            ));
        }
        if counts.excluded > 0 {
            found.notes.push(format!(
                "{} skipped by --exclude or --include",
                number(counts.excluded, "file", "files")
            ));
        }
        if self.duplicates > 0 {
            let paths = match self.duplicates {
                1 => "1 path is a duplicate of a path".to_owned(),
                many => format!("{many} paths are duplicates of paths"),
            };
            found.notes.push(format!(
                "{paths} listed earlier; each document is classified once"
            ));
        }
        if found.unfollowed_links > 0 {
            let links = number(
                found.unfollowed_links,
                "link to a folder outside of the one searched was not followed",
                "links to folders outside of the one searched were not followed",
            );
            found
                .notes
                .push(format!("{links}; --follow-links follows them"));
        }
    }

    fn add_glob(&mut self, glob: &Path) -> Result<(), CliError> {
        let before = self.count();
        let glob = glob.strip_prefix("./").unwrap_or(glob);
        let matcher = PathMatcher::new(glob)?;
        let base = literal_base(glob);
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
            // An empty folder that was named is not an error; a glob in the current folder that matches nothing may be
            // one.
            self.found.has_source |= !base.as_os_str().is_empty();
            let first = self.found.inputs.len();
            let scope = Scope {
                root: start,
                glob: Some(&filter),
            };
            self.add_folder(start, scope);
            if base.as_os_str().is_empty() {
                for input in &mut self.found.inputs[first..] {
                    if let Ok(short) = input.path.strip_prefix(".") {
                        input.path = short.to_owned();
                    }
                }
            }
        }
        if self.count() == before {
            self.found
                .notes
                .push(format!("{} matches no file", glob.display()));
        }
        Ok(())
    }
}

/// Whether an argument is the id of a file or of a parse job.
pub(crate) fn is_id(argument: &Path) -> bool {
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

    fn find(arguments: &[PathBuf]) -> FoundInputs {
        find_inputs(&Search {
            arguments,
            ..Search::default()
        })
        .unwrap()
    }

    fn names(root: &Path, arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<_> = arguments.iter().map(|name| root.join(name)).collect();
        let found = find(&arguments);
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
        // An existing path is a name and not a glob.
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
        let found = find_inputs(&Search {
            arguments: &[&arguments[..], &[root.path().to_owned()]].concat(),
            own_files: vec![&own],
            ..Search::default()
        })
        .unwrap();
        let ids: Vec<_> = found.inputs.iter().map(Input::is_id).collect();
        assert_eq!(ids, [true, true, false, false, false]);
        assert!(found.inputs[2].error.is_some() && found.inputs[3].error.is_some());
        assert!(found.inputs[4].path.ends_with("a.txt"));
        assert!(found.notes.iter().any(|note| note.starts_with("skipped ")));
    }

    #[test]
    fn inputs_output_folder_is_skipped_unless_named() {
        let root = tree(&["a.txt", "out/b.txt", "out/sub/c.txt", "z.txt"]);
        let out = root.path().join("out");
        let count = |argument: &Path| {
            let found = find_inputs(&Search {
                arguments: &[argument.to_owned()],
                own_files: vec![&out],
                ..Search::default()
            })
            .unwrap();
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
        let found = find(&[root.path().to_owned(), root.path().join("gone.txt")]);
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
        let found = find(&[root.path().join("*.pdf"), root.path().join("a.txt")]);
        assert_eq!(found.inputs.len(), 1);
        assert!(found.notes[0].contains("*.pdf matches no file"));
        let invalid = Search {
            arguments: &[root.path().join("a{.pdf")],
            ..Search::default()
        };
        assert!(find_inputs(&invalid).is_err());
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
            let found = find_inputs(&Search {
                arguments: &[argument.to_owned()],
                follow_links,
                ..Search::default()
            })
            .unwrap();
            (found.inputs.len(), found.unfollowed_links)
        };
        // A link to a file is that file.
        assert_eq!(count(&named, false), (3, 3));
        assert_eq!(count(&named, true), (4, 0));
        assert_eq!(count(&named.join("**/*.txt"), false), (3, 3));
        // A link that was named stands for its target.
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
        let found = find(&[root.path().to_owned()]);
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
                .any(|note| note.contains("a link to a folder that contains it"))
        );
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("listed earlier"))
        );
    }
}
