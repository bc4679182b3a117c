//! The input and output files of a run. They must be different files, whatever their paths look like.
//!
//! A run replaces its output and its report. If one of them were the rules file or a document, that would be lost. So
//! the resolved paths are compared before anything is opened.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{journal_file, report_page, row, row_output};
use crate::args::global::GlobalArgs;
use crate::args::run::RunArgs;
use crate::error::CliError;

/// The maximum number of links to follow.
const MAX_LINKS: usize = 40;
/// The number of bytes that are read to recognize a file's content.
const SNIFF_BYTES: u64 = 256 * 1024;

/// The role of a file in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileRole {
    Input,
    Rows,
    Report,
    Journal,
}

/// A file that a flag names.
#[derive(Debug)]
struct RunFile {
    /// The flag and the path, for errors.
    label: String,
    /// The canonical path.
    path: PathBuf,
    role: FileRole,
}

/// The files that the flags of a run name.
#[derive(Debug)]
pub(super) struct RunFiles(Vec<RunFile>);

impl RunFiles {
    /// Collects the files. Rejects flags that name an input and an output by the same path, or two outputs.
    pub(super) fn new(
        args: &RunArgs,
        global: &GlobalArgs,
        journal: Option<&Path>,
    ) -> Result<Self, CliError> {
        let mut files = Self(Vec::new());
        let ssl_cert_file = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let inputs = [
            ("--rules", args.rules.as_deref()),
            ("--labels", args.labels.as_deref()),
            ("--ca-cert", global.ca_cert.as_deref()),
            ("--api-key-file", global.api_key_file.as_deref()),
            ("SSL_CERT_FILE", ssl_cert_file.as_deref()),
        ];
        for (flag, path) in inputs {
            files.add(flag, path, FileRole::Input)?;
        }
        files.add("--output", args.output.as_deref(), FileRole::Rows)?;
        files.add("--report", args.report.as_deref(), FileRole::Report)?;
        let flag = match args.journal {
            Some(_) => "--journal",
            None => "the journal beside --output,",
        };
        files.add(flag, journal, FileRole::Journal)?;
        Ok(files)
    }

    fn add(&mut self, flag: &str, path: Option<&Path>, role: FileRole) -> Result<(), CliError> {
        // `-` is a stream, except for a journal.
        let is_stream = |path: &&Path| *path == Path::new("-") && role != FileRole::Journal;
        let Some(path) = path.filter(|path| !is_stream(path)) else {
            return Ok(());
        };
        let resolved = resolve_path(path);
        // A device and a pipe are not replaced; and a terminal is both stdin and stdout.
        if fs::metadata(&resolved).is_ok_and(|found| !found.is_file()) {
            return Ok(());
        }
        let label = format!("{flag} {}", path.display());
        let same = |other: &&RunFile| {
            other.path == resolved && (role != FileRole::Input || other.role != FileRole::Input)
        };
        if let Some(other) = self.0.iter().find(same) {
            return Err(CliError::usage(format!(
                "{} and {label} are the same file; use two files",
                other.label
            ))
            .hint("nothing was sent, and the file was not changed"));
        }
        self.0.push(RunFile {
            label,
            path: resolved,
            role,
        });
        Ok(())
    }

    /// Checks that no document is overwritten. `excluded_files` are the run's own files that were found among its
    /// documents, which is allowed if an earlier run has written them.
    pub(super) fn check_overwrites(&self, excluded_files: &[PathBuf]) -> Result<(), CliError> {
        let outputs = self.0.iter().filter(|file| file.role != FileRole::Input);
        for file in outputs.filter(|file| excluded_files.contains(&file.path)) {
            let is_output_of_a_run = match file.role {
                FileRole::Input => true,
                FileRole::Rows => read_start(&file.path).is_some_and(|text| looks_like_rows(&text)),
                FileRole::Report => read_start(&file.path)
                    .is_some_and(|text| text.is_empty() || report_page::looks_like_report(&text)),
                FileRole::Journal => read_start(&file.path)
                    .is_some_and(|text| journal_file::looks_like_journal(&text)),
            };
            if !is_output_of_a_run {
                return Err(CliError::usage(format!(
                    "{} is one of the documents and would be overwritten",
                    file.label
                ))
                .hint("use another name; nothing was sent, and the file was not changed"));
            }
        }
        Ok(())
    }
}

/// Returns the canonical path, also of a file that does not exist yet.
fn resolve_path(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(found) = path.canonicalize() {
            return found;
        }
        let folder = row_output::parent_folder(&path);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Some(name) = path.file_name() else {
            return path;
        };
        let candidate = folder.join(name);
        match fs::read_link(&candidate) {
            // A link to a file that does not exist yet.
            Ok(target) => path = folder.join(target),
            Err(_) => return candidate,
        }
    }
    path
}

fn read_start(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(SNIFF_BYTES).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Whether a text is the start of the rows of a run, in any format.
fn looks_like_rows(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.is_empty() || text.trim() == "[]" || text.starts_with(&row::COLUMNS.join(",")) {
        return true;
    }
    // Above a table may be a line with the common folder.
    let lines: Vec<&str> = text.lines().take(4).collect();
    let is_header = |two: &[&str]| row::is_table_header(two[0]) && two[1].starts_with('─');
    if lines.windows(2).any(is_header) {
        return true;
    }
    // The first object is enough; the next may be incomplete.
    let objects = text.trim_start_matches(['[', '\n', ' ']);
    let mut objects = serde_json::Deserializer::from_str(objects).into_iter::<Map<String, Value>>();
    let first = objects.next().and_then(Result::ok);
    first.is_some_and(|first| row::COLUMNS.iter().all(|key| first.contains_key(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwrite_check_recognizes_rows_of_earlier_run() {
        for text in [
            "",
            "[]\n",
            "path,status,type,confidence,reasoning,job_id,file_id,error\na.txt,ERROR,,,,,,gone\n",
            "path,status,type,confidence,reasoning,job_id,file_id,error,review\n",
            "\u{feff}path,status,type,confidence,reasoning,job_id,file_id,error\n",
            "Document  Type     Conf.  Reason\n─────────────────────\n",
            "docs\n\nDocument  Type     Conf.  Review  Reason\n─────────────────────\n",
        ] {
            assert!(looks_like_rows(text.as_bytes()), "{text:?}");
        }
        let row = r#"{"path":"a","status":"b","type":null,"confidence":1,"reasoning":"","job_id":"","file_id":"","error":null}"#;
        for text in [
            row.to_owned(),
            format!("{row}\n{{\"pa"),
            format!("[\n  {row},\n  {{"),
        ] {
            assert!(looks_like_rows(text.as_bytes()), "{text:?}");
        }
        for text in [
            "path,type\n",
            "{\"path\":\"a\"}\n",
            "[1]",
            "Document\n",
            "my thesis",
            "{",
        ] {
            assert!(!looks_like_rows(text.as_bytes()), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn overwrite_check_resolves_path_spellings_and_symlinks() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("there"), "x").unwrap();
        symlink("../there", root.join("sub/link")).unwrap();
        symlink("../new", root.join("sub/dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for way in ["there", "./there", "sub/../there", "sub/link"] {
            assert_eq!(resolve_path(&root.join(way)), root.join("there"), "{way}");
        }
        for way in ["new", "sub/.././new", "sub/dangling"] {
            assert_eq!(resolve_path(&root.join(way)), root.join("new"), "{way}");
        }
        resolve_path(&root.join("loop"));
    }
}
