//! Moves or copies one file. Nothing is overwritten or lost, even if another process writes to the same folder.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::run::row::FileAction;

/// Moves or copies files into folders. Remembers which names are taken.
#[derive(Debug)]
pub(super) struct FileMover {
    action: FileAction,
    /// By the path without a number: the lengths of the files with the numbers 1, 2, 3 and so on. `None` is not a file.
    taken: HashMap<PathBuf, Vec<Option<u64>>>,
}

/// The result for one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MoveOutcome {
    Moved(PathBuf),
    /// A copy with the same content was already there.
    AlreadyThere(PathBuf),
    /// The file is already in that folder.
    InPlace,
}

impl FileMover {
    pub(super) fn new(action: FileAction) -> Self {
        Self {
            action,
            taken: HashMap::new(),
        }
    }

    /// Moves or copies a file into a folder, which is created if necessary.
    pub(super) fn move_file(&mut self, source: &Path, folder: &Path) -> io::Result<MoveOutcome> {
        let name = source
            .file_name()
            .ok_or_else(|| io::Error::other("the file has no name"))?;
        let metadata = fs::metadata(source)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no longer a file"));
        }
        fs::create_dir_all(folder)?;
        if is_in_folder(source, folder) {
            return Ok(MoveOutcome::InPlace);
        }
        let first = folder.join(name);
        // Taken names are remembered: otherwise every file of that name would try all numbers.
        let mut taken = self.taken.remove(&first).unwrap_or_default();
        let outcome = self.move_numbered(source, &metadata, &first, &mut taken);
        self.taken.insert(first, taken);
        outcome
    }

    fn move_numbered(
        &self,
        source: &Path,
        metadata: &Metadata,
        first: &Path,
        taken: &mut Vec<Option<u64>>,
    ) -> io::Result<MoveOutcome> {
        let is_copy = |path: &Path, length: Option<u64>| {
            Ok::<_, io::Error>(
                self.action == FileAction::Copy
                    && length == Some(metadata.len())
                    && same_content(source, path)?,
            )
        };
        for (number, length) in (1..).zip(taken.iter()) {
            let path = numbered(first, number);
            if is_copy(&path, *length)? {
                return Ok(MoveOutcome::AlreadyThere(path));
            }
        }
        loop {
            let path = numbered(first, taken.len() + 1);
            let result = match self.action {
                FileAction::Move => move_file(source, &path),
                FileAction::Copy => copy(source, &path).map(drop),
            };
            match result {
                Ok(()) => {
                    taken.push(Some(metadata.len()));
                    return Ok(MoveOutcome::Moved(path));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let existing = fs::symlink_metadata(&path).ok();
            let length = existing
                .filter(Metadata::is_file)
                .map(|existing| existing.len());
            taken.push(length);
            if is_copy(&path, length)? {
                return Ok(MoveOutcome::AlreadyThere(path));
            }
        }
    }
}

/// The maximum length of a file name in bytes: file systems allow 255, of one unit or another.
const MAX_NAME_BYTES: usize = 255;
/// A longer extension is a part of the name, which may be shortened.
const MAX_EXTENSION_BYTES: usize = 100;

/// `scan.pdf`, `scan (2).pdf`, `scan (3).pdf`. The stem of a long name is shortened, so that the number fits.
fn numbered(first: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return first.to_owned();
    }
    let extension = first
        .extension()
        .filter(|extension| extension.len() <= MAX_EXTENSION_BYTES);
    let stem = match extension {
        Some(_) => first.file_stem(),
        None => first.file_name(),
    };
    let mut ending = OsString::from(format!(" ({number})"));
    if let Some(extension) = extension {
        ending.push(".");
        ending.push(extension);
    }
    let mut name = shorten(
        stem.unwrap_or_default(),
        MAX_NAME_BYTES.saturating_sub(ending.len()),
    );
    name.push(ending);
    first.with_file_name(name)
}

/// Cuts a name off after so many bytes, between two characters.
fn shorten(name: &OsStr, max_bytes: usize) -> OsString {
    let bytes = name.as_encoded_bytes();
    if bytes.len() <= max_bytes {
        return name.to_owned();
    }
    // The bytes of a character after its first begin with the bits 10.
    let is_start = |index: &usize| bytes[*index] & 0b1100_0000 != 0b1000_0000;
    let end = (0..=max_bytes).rev().find(is_start).unwrap_or_default();
    #[cfg(unix)]
    return <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&bytes[..end]).to_owned();
    #[cfg(not(unix))]
    String::from_utf8_lossy(&bytes[..end]).into_owned().into()
}

fn is_in_folder(source: &Path, folder: &Path) -> bool {
    let parent = match source.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (parent.canonicalize(), folder.canonicalize()) {
        (Ok(parent), Ok(folder)) => parent == folder,
        _ => false,
    }
}

/// Renames the file if the system can do that without overwriting. Otherwise copies it and removes the source.
fn move_file(source: &Path, path: &Path) -> io::Result<()> {
    // A relative link would have another target in the new folder.
    if fs::symlink_metadata(source)?.is_symlink() {
        return copy_and_remove(source, path);
    }
    match rename(source, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Another file system, or one without such a rename and without links.
        Err(_) => copy_and_remove(source, path),
        Ok(()) => Ok(()),
    }
}

/// Renames a file. Fails with `AlreadyExists` if the new path exists.
fn rename(source: &Path, path: &Path) -> io::Result<()> {
    let mut file = TempPath::try_from_path(source)?;
    // It is not a temporary file and must not be deleted.
    file.disable_cleanup(true);
    file.persist_noclobber(path).map_err(|error| error.error)
}

fn copy_and_remove(source: &Path, path: &Path) -> io::Result<()> {
    let copied = copy(source, path)?;
    // The copy is on the disk before the source is removed. Not every system can synchronize a folder.
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    let unchanged = fs::metadata(source).is_ok_and(|now| is_unchanged(&now, &copied));
    let removed = if unchanged {
        fs::remove_file(source)
    } else {
        Err(io::Error::other("it changed while it was copied"))
    };
    removed.inspect_err(|_| {
        // The source could not be removed, so the copy is.
        let _ = fs::remove_file(path);
    })
}

/// Copies a file atomically to a path that must not exist. Returns the metadata of the source.
fn copy(source: &Path, path: &Path) -> io::Result<Metadata> {
    let mut reader = File::open(source)?;
    let before = reader.metadata()?;
    if fs::symlink_metadata(path).is_ok() {
        // A file that is created in the meantime is detected below.
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temp_file = tempfile::Builder::new()
        .prefix(".llamacloud-prod-")
        .tempfile_in(folder)?;
    let length = io::copy(&mut reader, temp_file.as_file_mut())?;
    let after = reader.metadata()?;
    if !is_unchanged(&after, &before) || length != before.len() {
        return Err(io::Error::other("it changed while it was copied"));
    }
    copy_metadata(&temp_file, &before);
    temp_file.as_file().sync_all()?;
    temp_file
        .persist_noclobber(path)
        .map_err(|error| error.error)?;
    Ok(before)
}

/// Copies permissions and the modification time, if the file system supports them.
fn copy_metadata(copy: &NamedTempFile, of: &Metadata) {
    if let Ok(modified) = of.modified() {
        let _ = copy.as_file().set_modified(modified);
    }
    let _ = copy.as_file().set_permissions(of.permissions());
}

fn is_unchanged(one: &Metadata, other: &Metadata) -> bool {
    one.len() == other.len() && one.modified().ok() == other.modified().ok()
}

/// Whether two files have the same content.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        for (file, chunk) in [(&mut one, &mut left), (&mut other, &mut right)] {
            chunk.clear();
            file.take(64 * 1024).read_to_end(chunk)?;
        }
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for (name, text) in files {
                let path = folder.at(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            folder
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.at(name)).ok()
        }

        /// How many entries a folder has, hidden ones too.
        fn count(&self, name: &str) -> usize {
            fs::read_dir(self.at(name)).unwrap().count()
        }
    }

    #[test]
    fn move_files_numbers_taken_name_and_keeps_existing_file() {
        let folder = Folder::new(&[
            ("a/scan.tar.gz", "one"),
            ("b/scan.tar.gz", "two"),
            ("c/scan.tar.gz", "three"),
            ("c/.env", "four"),
            ("out/scan.tar.gz", "theirs"),
            ("out/.env", "theirs"),
        ]);
        let mut mover = FileMover::new(FileAction::Move);
        let mut move_to_out = |name: &str| {
            mover
                .move_file(&folder.at(name), &folder.at("out"))
                .unwrap()
        };
        assert_eq!(
            move_to_out("a/scan.tar.gz"),
            MoveOutcome::Moved(folder.at("out/scan.tar (2).gz"))
        );
        assert_eq!(
            move_to_out("b/scan.tar.gz"),
            MoveOutcome::Moved(folder.at("out/scan.tar (3).gz"))
        );
        move_to_out("c/scan.tar.gz");
        assert_eq!(
            move_to_out("c/.env"),
            MoveOutcome::Moved(folder.at("out/.env (2)"))
        );
        assert_eq!(folder.text("out/scan.tar.gz").unwrap(), "theirs");
        assert_eq!(folder.text("out/scan.tar (4).gz").unwrap(), "three");
        assert_eq!((folder.count("a"), folder.count("out")), (0, 6));
    }

    #[test]
    fn move_files_shortens_long_name_that_is_taken() {
        let three_bytes = "請".repeat(83);
        for (name, extension) in [
            (format!("{}.pdf", "n".repeat(251)), Some("pdf")),
            (format!("{three_bytes}ab.pdf"), Some("pdf")),
            ("n".repeat(255), None),
            // A suffix that is nearly the whole name is not an extension.
            (format!("n.{}", "x".repeat(253)), None),
        ] {
            assert_eq!(name.len(), 255);
            let folder = Folder::new(&[]);
            for place in ["a", "b", "out"] {
                fs::create_dir(folder.at(place)).unwrap();
                fs::write(folder.at(place).join(&name), place).unwrap();
            }
            let mut mover = FileMover::new(FileAction::Move);
            for (place, number) in [("a", "(2)"), ("b", "(3)")] {
                let source = folder.at(place).join(&name);
                let outcome = mover.move_file(&source, &folder.at("out")).unwrap();
                let MoveOutcome::Moved(path) = outcome else {
                    panic!("{outcome:?}")
                };
                assert_eq!(fs::read_to_string(&path).unwrap(), place);
                let short = path.file_name().unwrap().to_str().unwrap();
                assert!(short.contains(number), "{short}");
                assert!((252..=255).contains(&short.len()), "{short}");
                if extension.is_some() {
                    assert_eq!(path.extension().and_then(OsStr::to_str), extension);
                }
            }
            assert_eq!(folder.count("out"), 3);
        }
    }

    #[cfg(unix)]
    #[test]
    fn move_files_shortens_name_that_is_not_utf_8() {
        use std::os::unix::ffi::OsStrExt as _;
        let name = OsStr::from_bytes(&[0x9b; 255]);
        // No character boundary is known, so nothing of it is kept.
        assert!(shorten(name, 250).is_empty());
        let name = OsStr::from_bytes(&[0xe4; 255]);
        assert_eq!(shorten(name, 250).len(), 250);
    }

    #[test]
    fn copy_files_copies_equal_content_once() {
        let folder = Folder::new(&[("a/x", "one"), ("b/x", "two"), ("c/x", "one")]);
        let out = folder.at("out");
        for _ in 0..2 {
            let mut mover = FileMover::new(FileAction::Copy);
            for name in ["a/x", "b/x", "c/x"] {
                mover.move_file(&folder.at(name), &out).unwrap();
            }
            assert_eq!(folder.count("out"), 2);
        }
        let mut mover = FileMover::new(FileAction::Copy);
        assert_eq!(
            mover.move_file(&folder.at("b/x"), &out).unwrap(),
            MoveOutcome::AlreadyThere(folder.at("out/x (2)"))
        );
        assert_eq!(folder.text("b/x").unwrap(), "two");
    }

    #[test]
    fn move_files_leaves_file_already_in_destination() {
        let folder = Folder::new(&[("out/x", "one")]);
        for action in [FileAction::Move, FileAction::Copy] {
            let placed =
                FileMover::new(action).move_file(&folder.at("out/x"), &folder.at("out/../out"));
            assert_eq!(placed.unwrap(), MoveOutcome::InPlace);
        }
        assert_eq!(folder.count("out"), 1);
    }

    #[test]
    fn move_files_failure_leaves_source_in_place() {
        let folder = Folder::new(&[("a/x", "one"), ("out", "a file")]);
        let mut mover = FileMover::new(FileAction::Move);
        assert!(
            mover
                .move_file(&folder.at("a/x"), &folder.at("out"))
                .is_err()
        );
        assert!(
            mover
                .move_file(&folder.at("a/gone"), &folder.at("b"))
                .is_err()
        );
        assert!(mover.move_file(&folder.at("a"), &folder.at("b")).is_err());
        assert_eq!(folder.text("a/x").unwrap(), "one");
    }

    #[cfg(unix)]
    #[test]
    fn move_files_follows_source_symlink_and_keeps_existing_symlink() {
        use std::os::unix::fs::symlink;
        let folder = Folder::new(&[("store/real", "one"), ("b/real", "two")]);
        fs::create_dir_all(folder.at("a")).unwrap();
        fs::create_dir_all(folder.at("out")).unwrap();
        symlink("../store/real", folder.at("a/x")).unwrap();
        symlink("nowhere", folder.at("out/x")).unwrap();
        let placed = FileMover::new(FileAction::Move)
            .move_file(&folder.at("a/x"), &folder.at("out"))
            .unwrap();
        assert_eq!(placed, MoveOutcome::Moved(folder.at("out/x (2)")));
        assert_eq!(folder.text("out/x (2)").unwrap(), "one");
        assert!(
            !fs::symlink_metadata(folder.at("out/x (2)"))
                .unwrap()
                .is_symlink()
        );
        assert_eq!(folder.text("store/real").unwrap(), "one");
        assert_eq!((folder.count("a"), folder.count("out")), (0, 2));
    }

    /// `/dev/shm` is a file system of its own on Linux.
    #[cfg(target_os = "linux")]
    #[test]
    fn move_files_across_file_systems_copies_then_removes() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let Ok(far) = tempfile::tempdir_in("/dev/shm") else {
            return;
        };
        let folder = Folder::new(&[("x", "one")]);
        if fs::metadata(far.path()).unwrap().dev() == fs::metadata(folder.at("x")).unwrap().dev() {
            return;
        }
        fs::set_permissions(folder.at("x"), fs::Permissions::from_mode(0o640)).unwrap();
        let was = fs::metadata(folder.at("x")).unwrap();
        fs::write(far.path().join("x"), "theirs").unwrap();
        FileMover::new(FileAction::Move)
            .move_file(&folder.at("x"), far.path())
            .unwrap();
        let moved = far.path().join("x (2)");
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one");
        assert_eq!(fs::read_to_string(far.path().join("x")).unwrap(), "theirs");
        assert!(!folder.at("x").exists());
        let is = fs::metadata(&moved).unwrap();
        assert_eq!(is.modified().unwrap(), was.modified().unwrap());
        assert_eq!(is.permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(far.path()).unwrap().count(), 2);
    }

    #[test]
    fn move_files_concurrently_keeps_all_files_of_same_name() {
        let names: Vec<String> = (0..40).map(|nth| format!("in/{nth}/scan.pdf")).collect();
        let files: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        let folder = Folder::new(&files);
        let out = folder.at("out");
        // Two runs at once, each with half of the files.
        std::thread::scope(|scope| {
            for half in names.chunks(20) {
                let (folder, out) = (&folder, &out);
                scope.spawn(move || {
                    let mut mover = FileMover::new(FileAction::Move);
                    for name in half {
                        mover.move_file(&folder.at(name), out).unwrap();
                    }
                });
            }
        });
        let mut found: Vec<_> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        let mut wanted = names.clone();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
    }
}
