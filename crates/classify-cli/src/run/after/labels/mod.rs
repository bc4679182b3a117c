//! Labels that are known to be right: a file of them, and the documents that they are of.

mod file;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::file::Label;
use crate::exit::Problem;
use crate::inputs::Document;

/// What is known of the documents of a run.
#[derive(Debug, Default, PartialEq)]
pub(in crate::run) struct Labels {
    /// By the document's place in the list: its type, or `None` where no rule should match.
    by_place: HashMap<usize, Option<String>>,
    /// Labels that are of none of the documents.
    strangers: usize,
    /// The first of them.
    stranger: Option<String>,
}

impl Labels {
    pub(in crate::run) fn of(&self, place: usize) -> Option<&Option<String>> {
        self.by_place.get(&place)
    }

    /// How many labels there are that are of none of the documents.
    pub(super) fn strangers(&self) -> usize {
        self.strangers
    }

    /// The first label's path, where no label is of any document.
    pub(super) fn of_nothing(&self) -> Option<&str> {
        let first = self.stranger.as_deref();
        first.filter(|_| self.by_place.is_empty())
    }

    /// All types that the labels name.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.by_place.values().filter_map(Option::as_deref)
    }

    /// Reads a file, and finds the documents that it speaks of.
    pub(super) fn read(file: &Path, documents: &[Document]) -> Result<Self, Problem> {
        let wrong = |why: String| Problem::usage(format!("--labels {}: {why}", file.display()));
        let labels = file::read(file).map_err(wrong)?;
        if labels.is_empty() {
            return Err(wrong("there are no labels in it".to_owned()));
        }
        assign(labels, file, documents).map_err(wrong)
    }
}

/// Finds each label's document: by the path that the rows show, or else by where the path leads from the file of labels.
fn assign(labels: Vec<Label>, file: &Path, documents: &[Document]) -> Result<Labels, String> {
    let shown: HashMap<_, _> = documents
        .iter()
        .enumerate()
        .map(|(place, document)| (document.path.to_string_lossy(), place))
        .collect();
    // Asked of the file system only where the text alone does not do.
    let mut real: Option<HashMap<PathBuf, usize>> = None;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut found = Labels::default();
    let mut lines: HashMap<usize, u64> = HashMap::new();
    let mut strangers: HashMap<String, u64> = HashMap::new();
    for label in labels {
        let mut place_of = |path: &str| {
            shown.get(path).copied().or_else(|| {
                let real = real.get_or_insert_with(|| really(documents));
                [folder.join(path), PathBuf::from(path)]
                    .iter()
                    .filter_map(|path| path.canonicalize().ok())
                    .find_map(|path| real.get(&path).copied())
            })
        };
        // A name may begin with a blank; more often one was written after a comma.
        let short = label.path.trim_start();
        let place = place_of(&label.path).or_else(|| place_of(short));
        let earlier = if let Some(place) = place {
            found.by_place.insert(place, label.r#type);
            lines.insert(place, label.line)
        } else {
            found.stranger.get_or_insert_with(|| label.path.clone());
            strangers.insert(label.path.clone(), label.line)
        };
        if let Some(earlier) = earlier {
            return Err(format!(
                "line {}: {} has its label on line {earlier} already",
                label.line, label.path
            ));
        }
    }
    found.strangers = strangers.len();
    Ok(found)
}

fn really(documents: &[Document]) -> HashMap<PathBuf, usize> {
    documents
        .iter()
        .enumerate()
        .filter(|(_, document)| !document.is_id)
        .filter_map(|(place, document)| Some((document.path.canonicalize().ok()?, place)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(path: impl Into<PathBuf>) -> Document {
        Document {
            path: path.into(),
            trouble: None,
            is_id: false,
        }
    }

    fn read(name: &str, text: &str) -> Result<Labels, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let documents = ["a.txt", "b, \"c\".txt", "dfl-1"].map(document);
        Labels::read(&file, &documents).map_err(|problem| match problem {
            Problem::Told(told) => told.message,
            Problem::Pipe => String::new(),
        })
    }

    #[test]
    fn every_form_says_the_same() {
        let csv = read(
            "t.csv",
            "\u{feff}path,seen by,type\na.txt,me,invoice\n\"b, \"\"c\"\".txt\",,\ngone.txt,,x\n",
        )
        .unwrap();
        assert_eq!(csv.of(0), Some(&Some("invoice".to_owned())));
        assert_eq!(csv.of(1), Some(&None));
        assert_eq!((csv.of(2), csv.strangers()), (None, 1));
        let json = r#"[{"path":"a.txt","type":"invoice","page":1},{"path":"b, \"c\".txt","type":null},{"path":"gone.txt","type":"x"}]"#;
        assert_eq!(read("t.json", json).unwrap(), csv);
        let lines = json.trim_matches(['[', ']']).replace("},{", "}\n\n{");
        assert_eq!(read("t.jsonl", &lines).unwrap(), csv);
    }

    #[test]
    fn the_rows_of_a_run_are_labels() {
        let found = read(
            "t.csv",
            "path,status,type,confidence,reasoning,job_id,file_id,error,review\n\
             a.txt,FAILED,,,,,,broken,true\n\
             dfl-1,FAILED,invoice,,,,,broken,true\n",
        )
        .unwrap();
        // Nobody has said what the first is.
        assert_eq!(found.of(0), None);
        assert_eq!(found.of(2), Some(&Some("invoice".to_owned())));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (name, text, parts) in [
            ("t.csv", "", &["no column `path`"][..]),
            (
                "t.csv",
                "a.txt,invoice\n",
                &["line 1", "no column `path`", "`invoice`"],
            ),
            (
                "t.csv",
                "path,label\na.txt,x\n",
                &["no column `type`", "`label`"],
            ),
            ("t.csv", "path;type\na.txt;x\n", &["separated by commas"]),
            (
                "t.csv",
                "path,type,type\na.txt,x,y\n",
                &["two columns `type`"],
            ),
            ("t.csv", "path,type\n", &["no labels"]),
            (
                "t.csv",
                "path,type\na.txt,x\n\na.txt,x\n",
                &["line 4", "a.txt", "line 2"],
            ),
            (
                "t.csv",
                "path,type\nno.txt,x\nno.txt,y\n",
                &["line 3", "line 2"],
            ),
            ("t.csv", "path,type\na.txt\n", &["line: 2"]),
            ("t.csv", "path,type\n,x\n", &["line 2", "no path"]),
            ("t.json", "{}", &["no list of objects"]),
            (
                "t.json",
                r#"[{"path":"a.txt"}]"#,
                &["number 1", "no `type`"],
            ),
            (
                "t.json",
                r#"[{"path":"a.txt","type":5}]"#,
                &["`type` is no text"],
            ),
            (
                "t.jsonl",
                "{\"path\":\"a.txt\",\"type\":\"x\"}\n5",
                &["line 2", "no object"],
            ),
        ] {
            let error = read(name, text).unwrap_err();
            for part in parts {
                assert!(
                    error.contains(part),
                    "{text:?}: {part:?} is not in {error:?}"
                );
            }
        }
    }

    #[test]
    fn a_path_is_the_row_s_or_leads_there_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("docs")).unwrap();
        let path = root.join("docs/a.txt");
        std::fs::write(&path, "a").unwrap();
        let file = root.join("truth.csv");
        let documents = [document(&path)];
        for told in ["docs/a.txt", "./docs/../docs/a.txt", path.to_str().unwrap()] {
            std::fs::write(&file, format!("path,type\n{told},invoice\n")).unwrap();
            let labels = Labels::read(&file, &documents).unwrap();
            assert_eq!(labels.of(0), Some(&Some("invoice".to_owned())), "{told}");
        }
        // Two ways to write one path are one document.
        std::fs::write(&file, "path,type\ndocs/a.txt,x\n./docs/a.txt,x\n").unwrap();
        assert!(Labels::read(&file, &documents).is_err());
    }
}
