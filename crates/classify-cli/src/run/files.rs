//! The files of a run: what it reads and what it writes are different files, however they are spelled.
//!
//! A run replaces its output and its report. Should one of them be the file of rules, or a document, that would be gone
//! after hours of work, or before them; so places are compared here, before anything is opened.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{journal, report_page, row, sink};
use crate::args::Global;
use crate::args::run::RunArgs;
use crate::exit::Problem;

/// How many links lead on from one to the next before they are taken for a loop.
const LINKS: usize = 40;
/// How much of a file is looked at to tell what wrote it.
const BEGINNING: u64 = 256 * 1024;

/// What a file is to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Read,
    Rows,
    Page,
    Journal,
}

/// A file that a flag names.
#[derive(Debug)]
struct Named {
    /// The flag and the file, as they are written.
    shown: String,
    place: PathBuf,
    part: Part,
}

/// The files that the flags of a run name.
#[derive(Debug)]
pub(super) struct Files(Vec<Named>);

impl Files {
    /// Finds the files, and refuses flags that would have one of them written over.
    pub(super) fn of(
        args: &RunArgs,
        global: &Global,
        journal: Option<&Path>,
    ) -> Result<Self, Problem> {
        let mut files = Self(Vec::new());
        let authorities = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let read = [
            ("--rules", args.rules.as_deref()),
            ("--labels", args.labels.as_deref()),
            ("--ca-cert", global.ca_cert.as_deref()),
            ("--api-key-file", global.api_key_file.as_deref()),
            ("SSL_CERT_FILE", authorities.as_deref()),
        ];
        for (flag, path) in read {
            files.add(flag, path, Part::Read)?;
        }
        files.add("--output", args.output.as_deref(), Part::Rows)?;
        files.add("--report", args.report.as_deref(), Part::Page)?;
        let flag = match args.journal {
            Some(_) => "--journal",
            None => "the journal beside --output,",
        };
        files.add(flag, journal, Part::Journal)?;
        Ok(files)
    }

    fn add(&mut self, flag: &str, path: Option<&Path>, part: Part) -> Result<(), Problem> {
        // `-` is a stream and no file, but to a journal, which has no use for one.
        let is_stream = |path: &&Path| *path == Path::new("-") && part != Part::Journal;
        let Some(path) = path.filter(|path| !is_stream(path)) else {
            return Ok(());
        };
        let place = place(path);
        // A device and a pipe are not replaced; and a terminal is both stdin and stdout.
        if fs::metadata(&place).is_ok_and(|found| !found.is_file()) {
            return Ok(());
        }
        let shown = format!("{flag} {}", path.display());
        let same = |other: &&Named| {
            other.place == place && (part != Part::Read || other.part != Part::Read)
        };
        if let Some(other) = self.0.iter().find(same) {
            return Err(Problem::usage(format!(
                "{} and {shown} are the same file; give two",
                other.shown
            ))
            .hint("nothing was sent, and the file is as it was"));
        }
        self.0.push(Named { shown, place, part });
        Ok(())
    }

    /// Refuses to write over documents. `met` are the run's own files that stand among its documents: that is in order
    /// for what an earlier run wrote there.
    pub(super) fn spare(&self, met: &[PathBuf]) -> Result<(), Problem> {
        let written = self.0.iter().filter(|file| file.part != Part::Read);
        for file in written.filter(|file| met.contains(&file.place)) {
            let is_ours = match file.part {
                Part::Read => true,
                Part::Rows => beginning(&file.place).is_some_and(|text| are_rows(&text)),
                Part::Page => beginning(&file.place)
                    .is_some_and(|text| text.is_empty() || report_page::begins(&text)),
                Part::Journal => {
                    beginning(&file.place).is_some_and(|text| journal::may_begin(&text))
                }
            };
            if !is_ours {
                return Err(Problem::usage(format!(
                    "{} is one of the documents, and would be written over",
                    file.shown
                ))
                .hint("give it another name; nothing was sent, and the file is as it was"));
            }
        }
        Ok(())
    }
}

/// Where a path leads: by no links, and whether there is such a file already or not.
fn place(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(found) = path.canonicalize() {
            return found;
        }
        let folder = sink::folder(&path);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let Some(name) = path.file_name() else {
            return path;
        };
        let there = folder.join(name);
        match fs::read_link(&there) {
            // A link to what is not there yet.
            Ok(target) => path = folder.join(target),
            Err(_) => return there,
        }
    }
    path
}

fn beginning(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(BEGINNING).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Whether a file begins as the rows of a run do, in any of their forms.
fn are_rows(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    if text.is_empty() || text.trim() == "[]" || text.starts_with(&row::KEYS.join(",")) {
        return true;
    }
    // A folder that is common to all documents stands above a table.
    let lines: Vec<&str> = text.lines().take(4).collect();
    let is_head = |two: &[&str]| row::is_heading(two[0]) && two[1].starts_with('─');
    if lines.windows(2).any(is_head) {
        return true;
    }
    // One object is enough; the next may be cut off.
    let objects = text.trim_start_matches(['[', '\n', ' ']);
    let mut objects = serde_json::Deserializer::from_str(objects).into_iter::<Map<String, Value>>();
    let first = objects.next().and_then(Result::ok);
    first.is_some_and(|first| row::KEYS.iter().all(|key| first.contains_key(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_of_a_run_look_like_them() {
        for text in [
            "",
            "[]\n",
            "path,status,type,confidence,reasoning,job_id,file_id,error\na.txt,ERROR,,,,,,gone\n",
            "path,status,type,confidence,reasoning,job_id,file_id,error,review\n",
            "Document  Type     Conf.  Reason\n─────────────────────\n",
            "docs\n\nDocument  Type     Conf.  Review  Reason\n─────────────────────\n",
        ] {
            assert!(are_rows(text.as_bytes()), "{text:?}");
        }
        let row = r#"{"path":"a","status":"b","type":null,"confidence":1,"reasoning":"","job_id":"","file_id":"","error":null}"#;
        for text in [
            row.to_owned(),
            format!("{row}\n{{\"pa"),
            format!("[\n  {row},\n  {{"),
        ] {
            assert!(are_rows(text.as_bytes()), "{text:?}");
        }
        for text in [
            "path,type\n",
            "{\"path\":\"a\"}\n",
            "[1]",
            "Document\n",
            "my thesis",
            "{",
        ] {
            assert!(!are_rows(text.as_bytes()), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_place_is_the_same_by_every_way() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("there"), "x").unwrap();
        symlink("../there", root.join("sub/link")).unwrap();
        symlink("../new", root.join("sub/dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for way in ["there", "./there", "sub/../there", "sub/link"] {
            assert_eq!(place(&root.join(way)), root.join("there"), "{way}");
        }
        for way in ["new", "sub/.././new", "sub/dangling"] {
            assert_eq!(place(&root.join(way)), root.join("new"), "{way}");
        }
        place(&root.join("loop"));
    }
}
