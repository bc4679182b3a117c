//! The destination of results: stdout, or a file that is replaced atomically.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::OutputWriter;
use super::table::RenderTarget;
use crate::error::CliError;
use crate::exit_code::ExitCode;

/// The destination of results.
#[derive(Debug)]
pub(crate) enum OutputSink {
    Stdout(OutputWriter),
    /// A temporary file, which replaces the file when it is complete.
    Replace {
        file: NamedTempFile,
        path: PathBuf,
        /// The flag that names the file.
        flag: &'static str,
    },
    /// A pipe or a device, which cannot be replaced.
    Stream {
        file: fs::File,
        path: PathBuf,
        flag: &'static str,
    },
}

impl OutputSink {
    /// Opens the file of `--output`, or stdout if there is none or it is `-`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        Self::open_for_flag("--output", path)
    }

    /// Opens stdout for a list, which may go to a pager.
    pub(crate) fn open_paged() -> Self {
        Self::Stdout(OutputWriter::paged())
    }

    /// The same as [`open`](Self::open) for the file of another flag.
    pub(crate) fn open_for_flag(flag: &'static str, path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(OutputWriter::stdout()));
        };
        // A link is kept, and its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let write_error = |error: io::Error| write_error(flag, &path, &error);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Err(CliError::usage(format!(
                "{flag}: {} is a folder; name a file in it",
                path.display()
            ))),
            Ok(metadata) if !metadata.is_file() => {
                let file = fs::OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .map_err(write_error)?;
                Ok(Self::Stream { file, path, flag })
            }
            _ => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let file = temp_file_in(folder.unwrap_or(Path::new("."))).map_err(write_error)?;
                Ok(Self::Replace { file, path, flag })
            }
        }
    }

    pub(crate) fn target(&self) -> RenderTarget {
        match self {
            Self::Stdout(_) => RenderTarget::Stdout,
            Self::Replace { .. } | Self::Stream { .. } => RenderTarget::File,
        }
    }

    /// Returns the rows of the screen if the output may go to a pager.
    pub(crate) fn pager_rows(&self) -> Option<usize> {
        match self {
            Self::Stdout(out) => out.pager_rows(),
            Self::Replace { .. } | Self::Stream { .. } => None,
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => out.line(text),
            _ => self.write(&format!("{text}\n")),
        }
    }

    /// Buffers the output to stdout until [`release`](Self::release).
    pub(crate) fn hold(&mut self) {
        if let Self::Stdout(out) = self {
            out.hold();
        }
    }

    /// Writes the buffered output, and stops buffering.
    pub(crate) fn release(&mut self) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => out.release(),
            _ => Ok(()),
        }
    }

    /// Writes a table and a line break.
    pub(crate) fn table(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => out.styled(&format!("{text}\n")),
            _ => self.line(text),
        }
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Self::Stdout(out) => out.text(text),
            Self::Replace { file, path, flag } => file
                .write_all(text.as_bytes())
                .map_err(|error| write_error(flag, path, &error)),
            Self::Stream { file, path, flag } => file
                .write_all(text.as_bytes())
                .map_err(|error| write_error(flag, path, &error)),
        }
    }

    /// Replaces the file with the temporary one, or waits until the user quits the pager.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        let (file, path, flag) = match self {
            Self::Stdout(out) => return out.finish(),
            Self::Stream { .. } => return Ok(()),
            Self::Replace { file, path, flag } => (file, path, flag),
        };
        file.as_file()
            .sync_all()
            .map_err(|error| write_error(flag, &path, &error))?;
        file.persist(&path)
            .map_err(|error| write_error(flag, &path, &error.error))?;
        Ok(())
    }
}

/// Creates a temporary file with the permissions that a shell would give it.
fn temp_file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".llamacloud-prod-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn write_error(flag: &str, path: &Path, error: &io::Error) -> CliError {
    CliError::new(
        ExitCode::Unexpected,
        format!("{flag}: {} cannot be written: {error}", path.display()),
    )
}
