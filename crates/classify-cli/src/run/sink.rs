//! Where the rows of a run go: to stdout, or into a file that is there whole or not at all.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::Format;
use crate::exit::Problem;
use crate::output::sink::Sink;
use crate::output::{Out, Shape};

use super::row::{self, More, Row};

/// A file that is written at the end.
#[derive(Debug, Clone)]
pub(super) struct WholeFile {
    /// Which flag names it.
    flag: &'static str,
    path: PathBuf,
}

/// The file that rows are written to.
#[derive(Debug, Clone)]
pub(super) struct OutputFile {
    file: WholeFile,
    pub(super) shape: Shape,
}

impl WholeFile {
    /// The file that a flag names, if it can be one: better said now than after hours.
    pub(super) fn new(flag: &'static str, path: &Path) -> Result<Self, Problem> {
        can_be_file(flag, path)?;
        Ok(Self {
            flag,
            path: path.to_owned(),
        })
    }

    /// Writes beside the file and then puts it in its place; a device or a pipe is written to.
    pub(super) fn write(&self, text: &str) -> Result<(), Problem> {
        let mut sink = Sink::named_by(self.flag, Some(&self.path))?;
        sink.write(text)?;
        sink.finish()
    }
}

/// Refuses what cannot be a file's name.
pub(super) fn can_be_file(flag: &str, path: &Path) -> Result<(), Problem> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(Problem::usage(format!(
            "{flag} {} is no name for a file",
            path.display()
        )));
    }
    if !folder(path).is_dir() {
        return Err(Problem::usage(format!(
            "{flag} {}: there is no such folder",
            path.display()
        )));
    }
    Ok(())
}

/// Forms that a file's name may ask for and rows do not have.
const NO_ROWS: [&str; 4] = ["yaml", "yml", "html", "htm"];

impl OutputFile {
    /// A file in the format asked for, or that its name's extension tells, or else as JSON lines.
    pub(super) fn new(path: &Path, format: Format) -> Result<Self, Problem> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let extension = extension.to_ascii_lowercase();
        if format == Format::Auto && NO_ROWS.contains(&extension.as_str()) {
            return Err(Problem::usage(format!(
                "--output {}: `classify run` writes no rows in that form",
                path.display()
            ))
            .hint("name it .csv, .json or .jsonl, or say with --format what it shall hold"));
        }
        let shape = match (format, extension.as_str()) {
            (Format::Table | Format::Pretty, _) => Shape::Table,
            (Format::Json, _) | (Format::Auto, "json") => Shape::Json,
            (Format::Csv, _) | (Format::Auto, "csv") => Shape::Csv,
            // YAML and raw are refused before a run begins.
            (Format::Jsonl | Format::Auto | Format::Explore | Format::Yaml | Format::Raw, _) => {
                Shape::Jsonl
            }
        };
        Ok(Self {
            file: WholeFile::new("--output", path)?,
            shape,
        })
    }

    /// Writes all rows.
    pub(super) fn write(&self, rows: &[&Row], more: More) -> Result<(), Problem> {
        let mut out = Out::memory();
        write_all(&mut out, self.shape, rows, more)?;
        self.file.write(&String::from_utf8_lossy(&out.into_bytes()))
    }
}

/// All rows in the form that `shape` gives them.
pub(super) fn write_all<W: Write>(
    out: &mut Out<W>,
    shape: Shape,
    rows: &[&Row],
    more: More,
) -> Result<(), Problem> {
    match shape {
        Shape::Json => out.json(&rows),
        Shape::Table => {
            let table = row::as_table(rows, out.onto());
            out.painted(&(table + "\n"))
        }
        Shape::Jsonl => rows.iter().try_for_each(|row| out.json_line(row)),
        Shape::Csv => {
            out.csv(more.columns())?;
            rows.iter().try_for_each(|row| out.csv(row.record()))
        }
    }
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let file = OutputFile::new(&path, Format::Auto).unwrap();
        assert_eq!(file.shape, Shape::Csv);
        file.write(&[&Row::error(Path::new("a.txt"), "gone")], More::default())
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("a.txt,ERROR,,,,,,gone\n"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(file.write(&[], More::default()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for bad in [folder.path().join("no/out.csv"), path, "..".into()] {
            assert!(OutputFile::new(&bad, Format::Auto).is_err());
        }
    }
}
