//! The root folder: the only folder whose files are read for a client.
//!
//! A path is checked twice. Before anything is listed, its links are resolved, so that an error can name it. When a file
//! is opened, the operating system resolves the path below an open handle of the root, so that a link that was replaced
//! in between does not lead out either.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use classify_proto::{ContentSource, Failure, OpenedContent};
use classify_ureq::classify_client::{name_path, path_name};

use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::inputs::{is_glob, is_id};
use classify_rules::parse_message::shorten;

/// The maximum length of a path in an error, in characters.
const MAX_PATH_CHARS: usize = 300;

/// An open folder. Its paths are relative to it.
#[derive(Debug)]
pub(super) struct RootFolder {
    /// The path without links.
    path: PathBuf,
    folder: Dir,
    /// Files in the root that are not read, such as that of the API key.
    denied: Vec<PathBuf>,
}

impl RootFolder {
    /// Opens the root. `denied` are files that are never read.
    pub(super) fn open(path: &Path, denied: &[&Path]) -> Result<Self, CliError> {
        let unusable = |error: io::Error| {
            CliError::usage(format!("--root {}: {error}", path.display()))
                .hint("name a folder that exists")
                .path_hint(path)
        };
        let canonical = path.canonicalize().map_err(unusable)?;
        let folder = Dir::open_ambient_dir(&canonical, ambient_authority()).map_err(unusable)?;
        let denied = denied.iter().filter_map(|path| path.canonicalize().ok());
        Ok(Self {
            path: canonical,
            folder,
            denied: denied.collect(),
        })
    }

    /// Returns the path of the root, without links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path, a glob or an id as a path relative to the root. Rejects a path outside of the root, also through
    /// links, and a path that does not exist.
    pub(super) fn relative_path(&self, text: &str) -> Result<PathBuf, CliError> {
        let path = &*name_path(text);
        let shown = shorten(text, MAX_PATH_CHARS);
        if text.trim().is_empty() {
            return Err(CliError::usage("a path is empty; `.` is the root"));
        }
        let relative = match path.strip_prefix(&self.path) {
            Ok(relative) => relative.to_owned(),
            // The root may have several names.
            Err(_) if path.is_absolute() => {
                let canonical = path.canonicalize().ok();
                let canonical = canonical.as_deref().unwrap_or(path);
                let relative = canonical.strip_prefix(&self.path);
                relative.map_err(|_| self.outside(&shown, "is"))?.to_owned()
            }
            Err(_) => path.to_owned(),
        };
        let mut plain = PathBuf::new();
        for part in relative.components() {
            match part {
                Component::Normal(part) => plain.push(part),
                Component::CurDir => {}
                _ => return Err(self.outside(&shown, "may be")),
            }
        }
        let is_found = self.path.join(&plain).symlink_metadata().is_ok();
        // Of a glob, the folder before its first special character exists.
        let existing = plain.ancestors().find_map(|path| {
            let joined = self.path.join(path);
            joined.symlink_metadata().is_ok().then_some(joined)
        });
        match existing.map(|path| path.canonicalize()) {
            Some(Ok(path)) if path.starts_with(&self.path) => {}
            Some(Ok(_)) => return Err(self.outside(&shown, "is a link that leads")),
            // A link to a file that does not exist.
            Some(Err(_)) | None => return Err(self.missing(&shown, path)),
        }
        if !is_found && !is_glob(path) && !is_id(path) {
            return Err(self.missing(&shown, path));
        }
        if plain.as_os_str().is_empty() {
            plain.push(".");
        }
        Ok(plain)
    }

    /// Returns the reason why a file that was found is not read; `None` if it may be read.
    pub(super) fn refusal(&self, relative: &Path) -> Option<String> {
        match self.resolve(relative) {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Opens a regular file. The path is relative to the root.
    pub(super) fn open_file(&self, relative: &Path) -> io::Result<File> {
        self.open_resolved(&self.resolve(relative)?)
    }

    /// Opens a regular file whose path was resolved. The operating system resolves it again, below the root.
    fn open_resolved(&self, resolved: &Path) -> io::Result<File> {
        // Checked before opening: opening a pipe would wait for its writer.
        if !self.folder.metadata(resolved)?.is_file() {
            return Err(not_regular());
        }
        let file = self.folder.open(resolved)?.into_std();
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(not_regular())
        }
    }

    /// Reads a file of at most `max_bytes` bytes, or one byte more of a longer one.
    pub(super) fn read(&self, relative: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let file = self.open_file(relative)?;
        file.take(max_bytes + 1).read_to_end(&mut content)?;
        Ok(content)
    }

    /// Resolves the links of a path. Returns it relative to the root.
    fn resolve(&self, relative: &Path) -> io::Result<PathBuf> {
        let canonical = self.path.join(relative).canonicalize()?;
        if self.denied.contains(&canonical) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "contains the API key; it is never read",
            ));
        }
        match canonical.strip_prefix(&self.path) {
            Ok(resolved) => Ok(resolved.to_owned()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "is a link that leads out of the root; copy the file into the root, or start `llamacloud-prod mcp` with another --root",
            )),
        }
    }

    fn outside(&self, shown: &str, what: &str) -> CliError {
        CliError::usage(format!(
            "{shown} {what} outside of the root {}",
            self.path.display()
        ))
        .hint(
            "give a path in the root without `..`, or start `llamacloud-prod mcp` with another --root",
        )
    }

    fn missing(&self, shown: &str, path: &Path) -> CliError {
        CliError::new(
            ExitCode::Usage,
            format!("{shown} does not exist in the root {}", self.path.display()),
        )
        .hint("paths are relative to the root; `.` is the root, and `**/*.pdf` are all PDF files in it")
        .path_hint(path)
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file")
}

/// A document in the root. The file is opened in the root for each read.
pub(super) struct RootFile {
    root: Arc<RootFolder>,
    path: PathBuf,
    /// The path with `/` between its parts, since the last part names the upload.
    name: String,
}

impl RootFile {
    pub(super) fn new(root: Arc<RootFolder>, path: PathBuf) -> Self {
        let mut name = path_name(&path);
        if cfg!(windows) {
            name = name.replace('\\', "/");
        }
        Self { root, path, name }
    }
}

impl ContentSource for RootFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<OpenedContent, Failure> {
        let failure = |error: io::Error| {
            Failure::content(format!("{}: {error}", self.name)).with_io_kind(error.kind())
        };
        let file = self.root.open_file(&self.path).map_err(failure)?;
        let length = file.metadata().map_err(failure)?.len();
        Ok(OpenedContent::new(file, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn message(error: &CliError) -> String {
        let report = error.report().unwrap();
        format!(
            "{} {}",
            report.message,
            report.hint.as_deref().unwrap_or_default()
        )
    }

    /// A folder with the root `in`, and a secret beside it.
    fn tree() -> (tempfile::TempDir, RootFolder) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("in/sub")).unwrap();
        fs::create_dir_all(path.join("out")).unwrap();
        fs::write(path.join("in/sub/a.txt"), "invoice").unwrap();
        fs::write(path.join("in/key.txt"), "llx-1").unwrap();
        fs::write(path.join("out/secret.txt"), "secret").unwrap();
        let root = RootFolder::open(&path.join("in"), &[&path.join("in/key.txt")]).unwrap();
        (folder, root)
    }

    #[test]
    fn root_paths_are_relative_whatever_their_spelling() {
        let (folder, root) = tree();
        let absolute = root.path().join("sub/a.txt");
        let alias = folder.path().join("out/../in/sub/a.txt");
        for (text, expected) in [
            (".", "."),
            ("./", "."),
            ("sub", "sub"),
            ("./sub/./a.txt", "sub/a.txt"),
            (absolute.to_str().unwrap(), "sub/a.txt"),
            (alias.to_str().unwrap(), "sub/a.txt"),
            ("sub/**/*.pdf", "sub/**/*.pdf"),
            ("none/*.pdf", "none/*.pdf"),
            ("dfl-123", "dfl-123"),
        ] {
            assert_eq!(
                root.relative_path(text).unwrap(),
                Path::new(expected),
                "{text}"
            );
        }
        for text in ["", " ", "sub/b.txt", "~/a.txt", "https://example.com/a.pdf"] {
            let error = message(&root.relative_path(text).unwrap_err());
            assert!(!error.contains("outside"), "{text}: {error}");
        }
    }

    #[test]
    fn root_rejects_paths_outside_and_names_them_with_the_remedy() {
        let (folder, root) = tree();
        let absolute = folder.path().join("out/secret.txt");
        for text in [
            "..",
            "../out/secret.txt",
            "../out/*.txt",
            "sub/../../out/secret.txt",
            "sub/../a.txt",
            "/",
            "/*",
            absolute.to_str().unwrap(),
        ] {
            let error = message(&root.relative_path(text).unwrap_err());
            assert!(error.starts_with(text), "{error}");
            assert!(error.contains("outside of the root"), "{error}");
            assert!(error.contains("--root"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn root_rejects_links_that_lead_out_also_when_they_are_opened() {
        use std::os::unix::fs::symlink;
        let (folder, root) = tree();
        let inside = root.path().to_owned();
        symlink("../out/secret.txt", inside.join("file.txt")).unwrap();
        symlink(folder.path().join("out"), inside.join("folder")).unwrap();
        symlink("file.txt", inside.join("chain.txt")).unwrap();
        symlink("nowhere", inside.join("dangling")).unwrap();
        for text in [
            "file.txt",
            "folder",
            "folder/secret.txt",
            "folder/*.txt",
            "chain.txt",
        ] {
            let error = message(&root.relative_path(text).unwrap_err());
            assert!(error.contains("is a link that leads"), "{text}: {error}");
        }
        assert!(message(&root.relative_path("dangling").unwrap_err()).contains("does not exist"));
        for path in ["file.txt", "folder/secret.txt", "chain.txt"] {
            assert!(root.refusal(Path::new(path)).unwrap().contains("--root"));
            assert!(root.open_file(Path::new(path)).is_err(), "{path}");
        }
        // Links that stay inside, relative and absolute.
        symlink("sub/a.txt", inside.join("good.txt")).unwrap();
        symlink(inside.join("sub"), inside.join("good")).unwrap();
        for path in ["good.txt", "good/a.txt"] {
            assert_eq!(root.refusal(Path::new(path)), None);
            assert_eq!(root.read(Path::new(path), 100).unwrap(), b"invoice");
        }
    }

    /// The links of a path were checked before; the operating system checks them again.
    #[cfg(unix)]
    #[test]
    fn root_handle_rejects_a_folder_that_was_replaced_by_a_link() {
        let (folder, root) = tree();
        fs::write(folder.path().join("out/a.txt"), "secret").unwrap();
        fs::rename(root.path().join("sub"), root.path().join("old")).unwrap();
        std::os::unix::fs::symlink("../out", root.path().join("sub")).unwrap();
        let error = root.open_resolved(Path::new("sub/a.txt")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        assert!(root.open_resolved(Path::new("../out/a.txt")).is_err());
        assert!(root.open_resolved(Path::new("old/a.txt")).is_ok());
    }

    #[test]
    fn root_never_reads_the_file_of_the_key() {
        let (_folder, root) = tree();
        let refusal = root.refusal(Path::new("key.txt")).unwrap();
        assert!(refusal.contains("API key"), "{refusal}");
        assert!(root.read(Path::new("key.txt"), 100).is_err());
        assert!(RootFolder::open(Path::new("no/such/folder"), &[]).is_err());
    }

    #[test]
    fn root_file_is_opened_for_each_read() {
        let (_folder, root) = tree();
        let root = Arc::new(root);
        let file = RootFile::new(Arc::clone(&root), "sub/a.txt".into());
        for content in ["invoice", "a longer receipt"] {
            fs::write(root.path().join("sub/a.txt"), content).unwrap();
            let opened = file.open().unwrap();
            assert_eq!(opened.length(), content.len() as u64);
            let mut text = String::new();
            opened.into_reader().read_to_string(&mut text).unwrap();
            assert_eq!(text, content);
        }
        for path in ["sub/b.txt", "sub", "key.txt"] {
            let failure = RootFile::new(Arc::clone(&root), path.into()).open();
            let text = failure.err().unwrap().to_string();
            assert!(text.contains(path), "{text}");
        }
    }
}
