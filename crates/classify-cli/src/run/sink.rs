//! Where the rows of a run go: to stdout, or into a file that is there whole or not at all.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::Format;
use crate::exit::Problem;
use crate::output::sink::Sink;
use crate::output::{Out, Shape};

use super::row::{self, Row};

/// The file that rows are written to at the end.
#[derive(Debug, Clone)]
pub(super) struct OutputFile {
    path: PathBuf,
    pub(super) shape: Shape,
}

impl OutputFile {
    /// A file in the format asked for, or that its name's extension tells, or else as JSON lines.
    pub(super) fn new(path: &Path, format: Format) -> Result<Self, Problem> {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        let shape = match (format, extension.to_ascii_lowercase().as_str()) {
            (Format::Table, _) => Shape::Table,
            (Format::Json, _) | (Format::Auto, "json") => Shape::Json,
            (Format::Csv, _) | (Format::Auto, "csv") => Shape::Csv,
            // YAML and raw are refused before a run begins.
            (Format::Jsonl | Format::Auto | Format::Yaml | Format::Raw, _) => Shape::Jsonl,
        };
        // Better said now than after hours.
        if path.file_name().is_none() || path.is_dir() {
            return Err(Problem::usage(format!(
                "--output {} is no name for a file",
                path.display()
            )));
        }
        if !folder(path).is_dir() {
            return Err(Problem::usage(format!(
                "--output {}: there is no such folder",
                path.display()
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            shape,
        })
    }

    /// Writes all rows beside the file and then puts them in its place; a device or a pipe is written to.
    pub(super) fn write(&self, rows: &[Row]) -> Result<(), Problem> {
        let mut out = Out::memory();
        write_all(&mut out, self.shape, rows)?;
        let mut sink = Sink::open(Some(&self.path))?;
        sink.write(&String::from_utf8_lossy(&out.into_bytes()))?;
        sink.finish()
    }
}

/// All rows in the form that `shape` gives them.
pub(super) fn write_all<W: Write>(
    out: &mut Out<W>,
    shape: Shape,
    rows: &[Row],
) -> Result<(), Problem> {
    match shape {
        Shape::Json => out.json(&rows),
        Shape::Table => {
            let table = row::as_table(rows, out.onto());
            out.text(&table)
        }
        Shape::Jsonl => rows.iter().try_for_each(|row| out.json_line(row)),
        Shape::Csv => {
            out.csv(row::KEYS)?;
            rows.iter().try_for_each(|row| out.csv(row.record()))
        }
    }
}

fn folder(path: &Path) -> &Path {
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
        file.write(&[Row::error(Path::new("a.txt"), "gone")])
            .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("a.txt,ERROR,,,,,,gone\n"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(file.write(&[]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for bad in [folder.path().join("no/out.csv"), path, "..".into()] {
            assert!(OutputFile::new(&bad, Format::Auto).is_err());
        }
    }
}
