//! Where results go: stdout, or a file that is there whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Out;
use super::table::Onto;
use crate::exit::{Code, Problem};

/// Takes text, and keeps it once it is complete.
#[derive(Debug)]
pub(crate) enum Sink {
    Stdout(Out),
    /// Beside its final place until it is complete.
    New {
        file: NamedTempFile,
        path: PathBuf,
        /// Which flag names it.
        flag: &'static str,
    },
    /// A pipe or a device, which cannot be replaced.
    Open {
        file: fs::File,
        path: PathBuf,
        flag: &'static str,
    },
}

impl Sink {
    /// Opens stdout, or the file of `--output`; `-` is stdout.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Problem> {
        Self::named_by("--output", path)
    }

    /// Opens stdout, or the file that this flag names.
    pub(crate) fn named_by(flag: &'static str, path: Option<&Path>) -> Result<Self, Problem> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(Out::stdout()));
        };
        // A link stays a link: what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let unwritable = |error: io::Error| unwritable(flag, &path, &error);
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err(Problem::usage(format!(
                "{flag}: {} is a folder; name a file in it",
                path.display()
            ))),
            Ok(found) if !found.is_file() => {
                let file = fs::OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .map_err(unwritable)?;
                Ok(Self::Open { file, path, flag })
            }
            _ => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let file = beside(folder.unwrap_or(Path::new("."))).map_err(unwritable)?;
                Ok(Self::New { file, path, flag })
            }
        }
    }

    pub(crate) fn onto(&self) -> Onto {
        match self {
            Self::Stdout(_) => Onto::Stdout,
            Self::New { .. } | Self::Open { .. } => Onto::File,
        }
    }

    /// Text with a line break after it.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Problem> {
        self.write(&format!("{text}\n"))
    }

    /// A table with a line break after it.
    pub(crate) fn table(&mut self, text: &str) -> Result<(), Problem> {
        match self {
            Self::Stdout(out) => out.painted(&format!("{text}\n")),
            _ => self.line(text),
        }
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<(), Problem> {
        match self {
            Self::Stdout(out) => out.raw(text),
            Self::New { file, path, flag } => file
                .write_all(text.as_bytes())
                .map_err(|error| unwritable(flag, path, &error)),
            Self::Open { file, path, flag } => file
                .write_all(text.as_bytes())
                .map_err(|error| unwritable(flag, path, &error)),
        }
    }

    /// Puts the file in its place.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Self::New { file, path, flag } = self else {
            return Ok(());
        };
        file.as_file()
            .sync_all()
            .map_err(|error| unwritable(flag, &path, &error))?;
        file.persist(&path)
            .map_err(|error| unwritable(flag, &path, &error.error))?;
        Ok(())
    }
}

/// A new file with the rights that the shell would give it.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".llamacloud-prod-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn unwritable(flag: &str, path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        Code::Unexpected,
        format!("{flag}: {} cannot be written: {error}", path.display()),
    )
}
