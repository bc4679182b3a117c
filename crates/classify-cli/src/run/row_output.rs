//! The rows of a run, on stdout or in a file.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::output::OutputWriter;
use crate::output::format::Format;
use crate::output::format::RowFormat;
use crate::output::sink::OutputSink;

use super::row::{self, ExtraColumns, Row};

/// A file that is replaced at the end of the run.
#[derive(Debug, Clone)]
pub(super) struct AtomicFile {
    /// The flag that names it.
    flag: &'static str,
    path: PathBuf,
}

/// The file that `--output` names, and the format of its rows.
#[derive(Debug, Clone)]
pub(super) struct RowFile {
    file: AtomicFile,
    pub(super) format: RowFormat,
}

impl AtomicFile {
    /// Checks that the path can be a file before the run starts.
    pub(super) fn new(flag: &'static str, path: &Path) -> Result<Self, CliError> {
        check_file_path(flag, path)?;
        Ok(Self {
            flag,
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file atomically; a device or a pipe is written directly.
    pub(super) fn write(&self, text: &str) -> Result<(), CliError> {
        let mut sink = OutputSink::open_for_flag(self.flag, Some(&self.path))?;
        sink.write(text)?;
        sink.finish()
    }
}

/// Rejects the path of a folder, and a path in a folder that does not exist.
pub(super) fn check_file_path(flag: &str, path: &Path) -> Result<(), CliError> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(CliError::usage(format!(
            "{flag} {} is not a file name",
            path.display()
        )));
    }
    if !parent_folder(path).is_dir() {
        return Err(CliError::usage(format!(
            "{flag} {}: the folder does not exist",
            path.display()
        ))
        .path_hint(path));
    }
    Ok(())
}

/// Extensions of formats that rows do not have.
const UNSUPPORTED_EXTENSIONS: [&str; 4] = ["yaml", "yml", "html", "htm"];

impl RowFile {
    /// Returns the format of `--format`, of the extension, or else JSON lines.
    pub(super) fn new(path: &Path, format: Format) -> Result<Self, CliError> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let extension = extension.to_ascii_lowercase();
        if format == Format::Auto && UNSUPPORTED_EXTENSIONS.contains(&extension.as_str()) {
            return Err(CliError::usage(format!(
                "--output {}: `classify run` does not write this format",
                path.display()
            ))
            .hint("name it .csv, .json or .jsonl, or select a format with --format"));
        }
        let row_format = match (format, extension.as_str()) {
            (Format::Table | Format::Pretty, _) => RowFormat::Table,
            (Format::Json, _) | (Format::Auto, "json") => RowFormat::Json,
            (Format::Csv, _) | (Format::Auto, "csv") => RowFormat::Csv,
            // YAML and raw are rejected before a run begins.
            (Format::Jsonl | Format::Auto | Format::Explore | Format::Yaml | Format::Raw, _) => {
                RowFormat::Jsonl
            }
        };
        Ok(Self {
            file: AtomicFile::new("--output", path)?,
            format: row_format,
        })
    }

    /// Writes all rows.
    pub(super) fn write(&self, rows: &[&Row], extra: ExtraColumns) -> Result<(), CliError> {
        let mut output = OutputWriter::memory();
        write_rows(&mut output, self.format, rows, extra)?;
        self.file
            .write(&String::from_utf8_lossy(&output.into_bytes()))
    }
}

/// Writes rows in a format.
pub(super) fn write_rows<W: Write>(
    output: &mut OutputWriter<W>,
    format: RowFormat,
    rows: &[&Row],
    extra: ExtraColumns,
) -> Result<(), CliError> {
    match format {
        RowFormat::Json => output.json(&rows),
        RowFormat::Table => {
            let table = row::as_table(rows, output.target());
            output.styled(&(table + "\n"))
        }
        RowFormat::Jsonl => rows.iter().try_for_each(|row| output.json_line(row)),
        RowFormat::Csv => {
            output.csv_record(extra.columns())?;
            rows.iter()
                .try_for_each(|row| output.csv_record(row.csv_record()))
        }
    }
}

/// Returns the folder of a file.
pub(super) fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_file_is_written_atomically() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let file = RowFile::new(&path, Format::Auto).unwrap();
        assert_eq!(file.format, RowFormat::Csv);
        file.write(
            &[&Row::error(Path::new("a.txt"), "gone")],
            ExtraColumns::default(),
        )
        .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("a.txt,ERROR,,,,,,gone\n"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(file.write(&[], ExtraColumns::default()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for bad in [folder.path().join("no/out.csv"), path, "..".into()] {
            assert!(RowFile::new(&bad, Format::Auto).is_err());
        }
    }
}
