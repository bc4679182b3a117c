//! Labels: the correct types of documents, from a file.

mod parse;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::parse::Label;
use crate::error::CliError;
use crate::inputs::Input;

/// The labels of the documents of a run.
#[derive(Debug, Default, PartialEq)]
pub(in crate::run) struct Labels {
    /// By the document's place in the list: its type, or `None` where no rule should match.
    by_index: HashMap<usize, Option<String>>,
    /// The number of labels without a document.
    unmatched: usize,
    /// The path of the first of them.
    first_unmatched: Option<String>,
}

impl Labels {
    pub(in crate::run) fn of(&self, index: usize) -> Option<&Option<String>> {
        self.by_index.get(&index)
    }

    /// Returns the number of labels without a document.
    pub(super) fn unmatched(&self) -> usize {
        self.unmatched
    }

    /// Returns the path of the first label if no label matches a document.
    pub(super) fn first_if_none_matched(&self) -> Option<&str> {
        let first = self.first_unmatched.as_deref();
        first.filter(|_| self.by_index.is_empty())
    }

    /// Returns the types of all labels.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.by_index.values().filter_map(Option::as_deref)
    }

    /// Reads a file, and finds the document of each label.
    pub(super) fn read(file: &Path, inputs: &[Input]) -> Result<Self, CliError> {
        let invalid =
            |reason: String| CliError::usage(format!("--labels {}: {reason}", file.display()));
        let labels = parse::read_labels(file).map_err(invalid)?;
        if labels.is_empty() {
            return Err(invalid("there are no labels in it".to_owned()));
        }
        match_documents(labels, file, inputs).map_err(invalid)
    }
}

/// Finds the document of each label: by its path in the rows, or else by the path relative to the file of labels.
fn match_documents(labels: Vec<Label>, file: &Path, inputs: &[Input]) -> Result<Labels, String> {
    let by_path: HashMap<_, _> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| (input.path.to_string_lossy(), index))
        .collect();
    // Computed only if a path does not match literally.
    let mut by_canonical_path: Option<HashMap<PathBuf, usize>> = None;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut found = Labels::default();
    let mut lines: HashMap<usize, u64> = HashMap::new();
    let mut unmatched: HashMap<String, u64> = HashMap::new();
    for label in labels {
        let mut index_of = |path: &str| {
            by_path.get(path).copied().or_else(|| {
                let by_canonical_path =
                    by_canonical_path.get_or_insert_with(|| canonical_paths(inputs));
                [folder.join(path), PathBuf::from(path)]
                    .iter()
                    .filter_map(|path| path.canonicalize().ok())
                    .find_map(|path| by_canonical_path.get(&path).copied())
            })
        };
        // A leading blank is usually one after a comma, but it may belong to the name.
        let trimmed = label.path.trim_start();
        let index = index_of(&label.path).or_else(|| index_of(trimmed));
        let earlier = if let Some(index) = index {
            found.by_index.insert(index, label.r#type);
            lines.insert(index, label.line)
        } else {
            found
                .first_unmatched
                .get_or_insert_with(|| label.path.clone());
            unmatched.insert(label.path.clone(), label.line)
        };
        if let Some(earlier) = earlier {
            return Err(format!(
                "line {}: {} has its label on line {earlier} already",
                label.line, label.path
            ));
        }
    }
    found.unmatched = unmatched.len();
    Ok(found)
}

fn canonical_paths(inputs: &[Input]) -> HashMap<PathBuf, usize> {
    inputs
        .iter()
        .enumerate()
        .filter(|(_, input)| !input.is_id)
        .filter_map(|(index, input)| Some((input.path.canonicalize().ok()?, index)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: impl Into<PathBuf>) -> Input {
        Input {
            path: path.into(),
            error: None,
            is_id: false,
        }
    }

    fn read(name: &str, text: &str) -> Result<Labels, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let inputs = ["a.txt", "b, \"c\".txt", "dfl-1"].map(input);
        Labels::read(&file, &inputs).map_err(|error| match error {
            CliError::Report(report) => report.message,
            CliError::BrokenPipe => String::new(),
        })
    }

    #[test]
    fn labels_in_csv_json_and_jsonl_are_equal() {
        let csv = read(
            "t.csv",
            "\u{feff}path,seen by,type\na.txt,me,invoice\n\"b, \"\"c\"\".txt\",,\ngone.txt,,x\n",
        )
        .unwrap();
        assert_eq!(csv.of(0), Some(&Some("invoice".to_owned())));
        assert_eq!(csv.of(1), Some(&None));
        assert_eq!((csv.of(2), csv.unmatched()), (None, 1));
        let json = r#"[{"path":"a.txt","type":"invoice","page":1},{"path":"b, \"c\".txt","type":null},{"path":"gone.txt","type":"x"}]"#;
        assert_eq!(read("t.json", json).unwrap(), csv);
        let lines = json.trim_matches(['[', ']']).replace("},{", "}\n\n{");
        assert_eq!(read("t.jsonl", &lines).unwrap(), csv);
    }

    #[test]
    fn labels_from_run_rows_skip_failed_rows_without_type() {
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
    fn labels_file_error_names_location_and_cause() {
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
    fn labels_path_may_be_absolute_or_relative_to_labels_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("docs")).unwrap();
        let path = root.join("docs/a.txt");
        std::fs::write(&path, "a").unwrap();
        let file = root.join("truth.csv");
        let inputs = [input(&path)];
        for path_text in ["docs/a.txt", "./docs/../docs/a.txt", path.to_str().unwrap()] {
            std::fs::write(&file, format!("path,type\n{path_text},invoice\n")).unwrap();
            let labels = Labels::read(&file, &inputs).unwrap();
            assert_eq!(
                labels.of(0),
                Some(&Some("invoice".to_owned())),
                "{path_text}"
            );
        }
        // Two ways to write one path are one document.
        std::fs::write(&file, "path,type\ndocs/a.txt,x\n./docs/a.txt,x\n").unwrap();
        assert!(Labels::read(&file, &inputs).is_err());
    }
}
