//! One file to a new place: nothing is overwritten and nothing lost, whoever else is at work there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::run::row::How;

/// Puts files into folders, and remembers which names it has seen taken.
#[derive(Debug)]
pub(super) struct Placer {
    how: How,
    /// By the name without a number: the length of what is at 1, 2, 3 and so on, where it is a file.
    taken: HashMap<PathBuf, Vec<Option<u64>>>,
}

/// Where a file has been put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placed {
    At(PathBuf),
    /// A copy was there already.
    Found(PathBuf),
    /// It lies in that folder.
    Same,
}

impl Placer {
    pub(super) fn new(how: How) -> Self {
        Self {
            how,
            taken: HashMap::new(),
        }
    }

    /// Puts a file into a folder, which is made if need be.
    pub(super) fn place(&mut self, source: &Path, folder: &Path) -> io::Result<Placed> {
        let name = source
            .file_name()
            .ok_or_else(|| io::Error::other("it has no name"))?;
        let found = fs::metadata(source)?;
        if !found.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        fs::create_dir_all(folder)?;
        if lies_in(source, folder) {
            return Ok(Placed::Same);
        }
        let first = folder.join(name);
        // What is seen taken once stays so: many files of one name would else be counted through for each.
        let mut taken = self.taken.remove(&first).unwrap_or_default();
        let placed = self.place_beside(source, &found, &first, &mut taken);
        self.taken.insert(first, taken);
        placed
    }

    fn place_beside(
        &self,
        source: &Path,
        found: &Metadata,
        first: &Path,
        taken: &mut Vec<Option<u64>>,
    ) -> io::Result<Placed> {
        let is_same = |path: &Path, length: Option<u64>| {
            Ok::<_, io::Error>(
                self.how == How::Copy && length == Some(found.len()) && same(source, path)?,
            )
        };
        for (nth, length) in (1..).zip(taken.iter()) {
            let path = numbered(first, nth);
            if is_same(&path, *length)? {
                return Ok(Placed::Found(path));
            }
        }
        loop {
            let path = numbered(first, taken.len() + 1);
            let tried = match self.how {
                How::Move => relocate(source, &path),
                How::Copy => copy(source, &path).map(drop),
            };
            match tried {
                Ok(()) => {
                    taken.push(Some(found.len()));
                    return Ok(Placed::At(path));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let there = fs::symlink_metadata(&path).ok();
            let length = there.filter(Metadata::is_file).map(|there| there.len());
            taken.push(length);
            if is_same(&path, length)? {
                return Ok(Placed::Found(path));
            }
        }
    }
}

/// `scan.pdf`, `scan (2).pdf`, `scan (3).pdf`
fn numbered(first: &Path, nth: usize) -> PathBuf {
    if nth == 1 {
        return first.to_owned();
    }
    let mut name = first.file_stem().map(OsString::from).unwrap_or_default();
    name.push(format!(" ({nth})"));
    if let Some(extension) = first.extension() {
        name.push(".");
        name.push(extension);
    }
    first.with_file_name(name)
}

fn lies_in(source: &Path, folder: &Path) -> bool {
    let parent = match source.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match (parent.canonicalize(), folder.canonicalize()) {
        (Ok(parent), Ok(folder)) => parent == folder,
        _ => false,
    }
}

/// Renames, where the system can do it without overwriting; else copies, and removes the first.
fn relocate(source: &Path, path: &Path) -> io::Result<()> {
    // A link that is renamed would lead from its new place to somewhere else.
    if fs::symlink_metadata(source)?.is_symlink() {
        return copy_and_remove(source, path);
    }
    match rename(source, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Another file system, or one that can neither rename so nor link.
        Err(_) => copy_and_remove(source, path),
        Ok(()) => Ok(()),
    }
}

/// Renames a file, and fails with `AlreadyExists` where there is one of the new name.
fn rename(source: &Path, path: &Path) -> io::Result<()> {
    let mut file = TempPath::try_from_path(source)?;
    // It is no temporary file: it stays whatever happens.
    file.disable_cleanup(true);
    file.persist_noclobber(path).map_err(|error| error.error)
}

fn copy_and_remove(source: &Path, path: &Path) -> io::Result<()> {
    let copied = copy(source, path)?;
    // Both names are on the disk before one is taken away. Not every system lets a folder be synchronized.
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    let unchanged = fs::metadata(source).is_ok_and(|now| looks_like(&now, &copied));
    let removed = if unchanged {
        fs::remove_file(source)
    } else {
        Err(io::Error::other("it changed while it was copied"))
    };
    removed.inspect_err(|_| {
        // It is moved or it is not: two would be one too many. The source is untouched.
        let _ = fs::remove_file(path);
    })
}

/// Copies what is under a name to a name that must be free; the copy appears there whole. Returns how the source
/// looked.
fn copy(source: &Path, path: &Path) -> io::Result<Metadata> {
    let mut reader = File::open(source)?;
    let before = reader.metadata()?;
    if fs::symlink_metadata(path).is_ok() {
        // Found out before the work; who comes in between is found out after it.
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::Builder::new()
        .prefix(".llamacloud-prod-")
        .tempfile_in(folder)?;
    let length = io::copy(&mut reader, beside.as_file_mut())?;
    let after = reader.metadata()?;
    if !looks_like(&after, &before) || length != before.len() {
        return Err(io::Error::other("it changed while it was copied"));
    }
    keep_looks(&beside, &before);
    beside.as_file().sync_all()?;
    beside
        .persist_noclobber(path)
        .map_err(|error| error.error)?;
    Ok(before)
}

/// Rights and times as far as the file system has them; a copy without them is a copy.
fn keep_looks(copy: &NamedTempFile, of: &Metadata) {
    if let Ok(modified) = of.modified() {
        let _ = copy.as_file().set_modified(modified);
    }
    let _ = copy.as_file().set_permissions(of.permissions());
}

fn looks_like(one: &Metadata, other: &Metadata) -> bool {
    one.len() == other.len() && one.modified().ok() == other.modified().ok()
}

/// Whether two files have the same content.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    loop {
        for (file, piece) in [(&mut one, &mut here), (&mut other, &mut there)] {
            piece.clear();
            file.take(64 * 1024).read_to_end(piece)?;
        }
        if here != there {
            return Ok(false);
        }
        if here.is_empty() {
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
    fn a_taken_name_gets_a_number_and_is_left_as_it_is() {
        let folder = Folder::new(&[
            ("a/scan.tar.gz", "one"),
            ("b/scan.tar.gz", "two"),
            ("c/scan.tar.gz", "three"),
            ("c/.env", "four"),
            ("out/scan.tar.gz", "theirs"),
            ("out/.env", "theirs"),
        ]);
        let mut placer = Placer::new(How::Move);
        let mut place = |name: &str| placer.place(&folder.at(name), &folder.at("out")).unwrap();
        assert_eq!(
            place("a/scan.tar.gz"),
            Placed::At(folder.at("out/scan.tar (2).gz"))
        );
        assert_eq!(
            place("b/scan.tar.gz"),
            Placed::At(folder.at("out/scan.tar (3).gz"))
        );
        place("c/scan.tar.gz");
        assert_eq!(place("c/.env"), Placed::At(folder.at("out/.env (2)")));
        assert_eq!(folder.text("out/scan.tar.gz").unwrap(), "theirs");
        assert_eq!(folder.text("out/scan.tar (4).gz").unwrap(), "three");
        assert_eq!((folder.count("a"), folder.count("out")), (0, 6));
    }

    #[test]
    fn a_copy_of_the_same_content_is_found_and_made_once() {
        let folder = Folder::new(&[("a/x", "one"), ("b/x", "two"), ("c/x", "one")]);
        let out = folder.at("out");
        for _ in 0..2 {
            let mut placer = Placer::new(How::Copy);
            for name in ["a/x", "b/x", "c/x"] {
                placer.place(&folder.at(name), &out).unwrap();
            }
            assert_eq!(folder.count("out"), 2);
        }
        let mut placer = Placer::new(How::Copy);
        assert_eq!(
            placer.place(&folder.at("b/x"), &out).unwrap(),
            Placed::Found(folder.at("out/x (2)"))
        );
        assert_eq!(folder.text("b/x").unwrap(), "two");
    }

    #[test]
    fn what_lies_there_already_stays_under_its_name() {
        let folder = Folder::new(&[("out/x", "one")]);
        for how in [How::Move, How::Copy] {
            let placed = Placer::new(how).place(&folder.at("out/x"), &folder.at("out/../out"));
            assert_eq!(placed.unwrap(), Placed::Same);
        }
        assert_eq!(folder.count("out"), 1);
    }

    #[test]
    fn a_way_that_is_barred_leaves_the_file_where_it_is() {
        let folder = Folder::new(&[("a/x", "one"), ("out", "a file")]);
        let mut placer = Placer::new(How::Move);
        assert!(placer.place(&folder.at("a/x"), &folder.at("out")).is_err());
        assert!(placer.place(&folder.at("a/gone"), &folder.at("b")).is_err());
        assert!(placer.place(&folder.at("a"), &folder.at("b")).is_err());
        assert_eq!(folder.text("a/x").unwrap(), "one");
    }

    #[cfg(unix)]
    #[test]
    fn of_a_link_what_it_leads_to_is_filed_and_a_link_in_the_way_is_kept() {
        use std::os::unix::fs::symlink;
        let folder = Folder::new(&[("store/real", "one"), ("b/real", "two")]);
        fs::create_dir_all(folder.at("a")).unwrap();
        fs::create_dir_all(folder.at("out")).unwrap();
        symlink("../store/real", folder.at("a/x")).unwrap();
        symlink("nowhere", folder.at("out/x")).unwrap();
        let placed = Placer::new(How::Move)
            .place(&folder.at("a/x"), &folder.at("out"))
            .unwrap();
        assert_eq!(placed, Placed::At(folder.at("out/x (2)")));
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
    fn across_file_systems_a_file_is_copied_and_then_removed() {
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
        Placer::new(How::Move)
            .place(&folder.at("x"), far.path())
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
    fn many_of_one_name_are_all_kept_whoever_is_first() {
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
                    let mut placer = Placer::new(How::Move);
                    for name in half {
                        placer.place(&folder.at(name), out).unwrap();
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
