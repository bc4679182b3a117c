//! Labels: the correct types of documents, from a file.

mod parse;

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use classify_ureq::classify_client::{name_path, path_name};
use unicode_normalization::UnicodeNormalization as _;

use self::parse::Label;
use super::evaluation_text::Names;
use crate::error::CliError;
use crate::inputs::Input;
use classify_rules::parse_message::shorten;

/// The maximum length of a path in an error, in characters.
const MAX_PATH_CHARS: usize = 200;

/// The labels of the documents of a run.
#[derive(Debug, Default, PartialEq)]
pub(in crate::run) struct Labels {
    /// By the index of the document: its type, or `None` if no rule should match.
    by_index: HashMap<usize, Option<String>>,
    /// The paths of the labels without a document.
    unmatched: Names,
}

impl Labels {
    pub(in crate::run) fn of(&self, index: usize) -> Option<&Option<String>> {
        self.by_index.get(&index)
    }

    /// Returns the paths of labels without a document.
    pub(super) fn unmatched(&self) -> &Names {
        &self.unmatched
    }

    /// Whether no label matches a document.
    pub(super) fn none_matched(&self) -> bool {
        self.by_index.is_empty()
    }

    /// Returns the types of all labels.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.by_index.values().filter_map(Option::as_deref)
    }

    /// Replaces types that differ from one of these in the Unicode form of their letters or in outer spaces only.
    pub(super) fn resolve_types<'a>(&mut self, types: impl IntoIterator<Item = &'a str>) {
        let types: BTreeSet<_> = types.into_iter().collect();
        let mut by_form: HashMap<String, Option<&str>> = HashMap::new();
        for r#type in &types {
            by_form
                .entry(normal_form(r#type.trim()))
                .and_modify(|other| *other = None)
                .or_insert(Some(r#type));
        }
        for label in self.by_index.values_mut().flatten() {
            if types.contains(label.as_str()) {
                continue;
            }
            if let Some(Some(r#type)) = by_form.get(&normal_form(label.trim())) {
                (*r#type).clone_into(label);
            }
        }
    }

    /// Reads a file, and finds the document of each label.
    pub(super) fn read(file: &Path, inputs: &[Input]) -> Result<Self, CliError> {
        let invalid =
            |reason: String| CliError::usage(format!("--labels {}: {reason}", file.display()));
        let labels = parse::read_labels(file).map_err(invalid)?;
        if labels.is_empty() {
            return Err(invalid("the file contains no labels".to_owned()));
        }
        match_documents(labels, file, inputs).map_err(invalid)
    }
}

/// Returns the composed form of a text: macOS decomposes the letters of file names.
fn normal_form(text: &str) -> String {
    text.nfc().collect()
}

/// Finds the document of each label: by its path in the rows, then by the path relative to the labels file, then by one
/// of the two in the composed form.
fn match_documents(labels: Vec<Label>, file: &Path, inputs: &[Input]) -> Result<Labels, String> {
    let documents = Documents::new(inputs, file);
    let mut found = Labels::default();
    let mut lines: HashMap<usize, u64> = HashMap::new();
    let mut others = Vec::new();
    for label in labels {
        match documents.exact(&label.path) {
            Some(index) => add(&mut found, &mut lines, index, label)?,
            None => others.push(label),
        }
    }
    // A label that matches exactly takes precedence, in any line.
    let exact: BTreeSet<usize> = found.by_index.keys().copied().collect();
    let mut unmatched: HashMap<String, u64> = HashMap::new();
    for label in others {
        let index = documents.normalized(&label.path);
        if let Some(index) = index.filter(|index| !exact.contains(index)) {
            add(&mut found, &mut lines, index, label)?;
        } else {
            if let Some(earlier) = unmatched.insert(label.path.clone(), label.line) {
                return Err(second_label(&label, earlier));
            }
            found.unmatched.add(&label.path);
        }
    }
    Ok(found)
}

/// Adds the label of a document, which has at most one.
fn add(
    found: &mut Labels,
    lines: &mut HashMap<usize, u64>,
    index: usize,
    label: Label,
) -> Result<(), String> {
    if let Some(earlier) = lines.insert(index, label.line) {
        return Err(second_label(&label, earlier));
    }
    found.by_index.insert(index, label.r#type);
    Ok(())
}

fn second_label(label: &Label, earlier: u64) -> String {
    format!(
        "line {}: {} already has a label on line {earlier}",
        label.line,
        shorten(&label.path, MAX_PATH_CHARS)
    )
}

/// The documents of a run, to be found by a path.
struct Documents<'a> {
    inputs: &'a [Input],
    /// The folder of the labels file.
    folder: &'a Path,
    /// By the path in the rows.
    by_path: HashMap<String, usize>,
    /// Computed only if a path does not match literally.
    by_canonical_path: OnceCell<HashMap<PathBuf, usize>>,
    /// By the composed forms of their paths; `None` if several documents have one. Computed only if needed.
    by_form: OnceCell<HashMap<String, Option<usize>>>,
}

impl<'a> Documents<'a> {
    fn new(inputs: &'a [Input], labels_file: &'a Path) -> Self {
        let by_path = inputs.iter().enumerate();
        let by_path = by_path.map(|(index, input)| (path_name(&input.path), index));
        Self {
            inputs,
            folder: labels_file.parent().unwrap_or(Path::new("")),
            by_path: by_path.collect(),
            by_canonical_path: OnceCell::new(),
            by_form: OnceCell::new(),
        }
    }

    /// Returns the document of a path. Outer spaces are usually those beside a delimiter, but they may belong to the
    /// name.
    fn exact(&self, path: &str) -> Option<usize> {
        for path in [path, path.trim()] {
            if let Some(index) = self.by_path.get(path) {
                return Some(*index);
            }
            let by_canonical_path = self
                .by_canonical_path
                .get_or_init(|| canonical_paths(self.inputs));
            let named = name_path(path);
            let found = [
                self.folder.join(&named),
                self.folder.join(path),
                named,
                path.into(),
            ]
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .find_map(|path| by_canonical_path.get(&path).copied());
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Returns the only document whose path has the same composed form.
    fn normalized(&self, path: &str) -> Option<usize> {
        let by_form = self.by_form.get_or_init(|| self.forms());
        let path = path.trim();
        [
            Some(PathBuf::from(path)),
            absolute(&self.folder.join(path)),
            absolute(Path::new(path)),
        ]
        .into_iter()
        .flatten()
        .find_map(|path| by_form.get(&normal_form(&path_name(&path))).copied())
        .flatten()
    }

    fn forms(&self) -> HashMap<String, Option<usize>> {
        let mut forms = HashMap::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let canonical = (!input.is_id()).then(|| input.path.canonicalize().ok());
            for path in [Some(input.path.clone()), canonical.flatten()]
                .into_iter()
                .flatten()
            {
                forms
                    .entry(normal_form(&path_name(&path)))
                    .and_modify(|other| {
                        if *other != Some(index) {
                            *other = None;
                        }
                    })
                    .or_insert(Some(index));
            }
        }
        forms
    }
}

/// Returns the absolute path of a file that need not exist, in the spelling of canonical paths if its folders exist.
fn absolute(path: &Path) -> Option<PathBuf> {
    let mut absolute = PathBuf::new();
    for component in std::path::absolute(path).ok()?.components() {
        match component {
            Component::ParentDir => {
                absolute.pop();
            }
            Component::CurDir => {}
            component => absolute.push(component),
        }
        if let Ok(canonical) = absolute.canonicalize() {
            absolute = canonical;
        }
    }
    Some(absolute)
}

fn canonical_paths(inputs: &[Input]) -> HashMap<PathBuf, usize> {
    inputs
        .iter()
        .enumerate()
        .filter(|(_, input)| !input.is_id())
        .filter_map(|(index, input)| Some((input.path.canonicalize().ok()?, index)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use std::ffi::OsStr;

    fn input(path: impl Into<PathBuf>) -> Input {
        Input {
            path: path.into(),
            error: None,
            kind: crate::inputs::InputKind::File,
        }
    }

    fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Labels, String> {
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
        assert_eq!((csv.of(2), csv.unmatched().count()), (None, 1));
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
        // The first has no label.
        assert_eq!(found.of(0), None);
        assert_eq!(found.of(2), Some(&Some("invoice".to_owned())));
    }

    #[test]
    fn labels_file_error_names_location_and_cause() {
        for (name, text, parts) in [
            ("t.csv", "", &["missing column `path`"][..]),
            (
                "t.csv",
                "a.txt,invoice\n",
                &["line 1", "missing column `path`", "`invoice`"],
            ),
            (
                "t.csv",
                "path,label\na.txt,x\n",
                &["missing column `type`", "`label`"],
            ),
            (
                "t.csv",
                "path;kind\na.txt;x\n",
                &["line 1", "missing column `type`", "found `path`, `kind`"],
            ),
            (
                "t.csv",
                "sep=;\npath;type\n\na.txt;x\na.txt;y\n",
                &["line 5", "line 4"],
            ),
            ("t.csv", "path;type\na.txt;x;y\n", &["line 2", "3 columns"]),
            (
                "t.csv",
                "path,type,type\na.txt,x,y\n",
                &["duplicate column `type`"],
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
            ("t.csv", "path,type\n\na.txt\n", &["line 3", "1 columns"]),
            ("t.csv", "path,type\n,x\n", &["line 2", "path is empty"]),
            ("t.json", "{}", &["not a list of objects"]),
            (
                "t.json",
                r#"[{"path":"a.txt"}]"#,
                &["number 1", "missing key `type`"],
            ),
            (
                "t.json",
                r#"[{"path":"a.txt","type":5}]"#,
                &["`type` is not a text"],
            ),
            (
                "t.jsonl",
                "{\"path\":\"a.txt\",\"type\":\"x\"}\n5",
                &["line 2", "not an object"],
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
    fn labels_of_spreadsheets_are_read() {
        let expected = read("t.csv", "path,type\na.txt,invoice\n\"b, \"\"c\"\".txt\",\n").unwrap();
        for text in [
            "path;type\r\na.txt;invoice\r\n\"b, \"\"c\"\".txt\";\r\n",
            "sep=;\r\nPath;Type\r\na.txt;invoice\r\n\"b, \"\"c\"\".txt\";\r\n",
            "\"sep=;\"\nPATH;TYPE\na.txt;invoice\nb, \"c\".txt;\n",
            "SEP=\t\npath\ttype\na.txt\tinvoice\n\"b, \"\"c\"\".txt\"\t\n",
            "path\tnote, long; \ttype\na.txt\tx\tinvoice\nb, \"c\".txt\t\t\n",
            " Path , TYPE\na.txt,invoice\n\"b, \"\"c\"\".txt\",\n",
        ] {
            assert_eq!(read("t.csv", text).as_ref(), Ok(&expected), "{text:?}");
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                let wide: Vec<u8> = format!("\u{feff}{text}")
                    .encode_utf16()
                    .flat_map(unit)
                    .collect();
                assert_eq!(read("t.txt", wide).as_ref(), Ok(&expected), "{text:?}");
            }
        }
    }

    #[test]
    fn labels_in_other_encodings_and_workbooks_are_rejected_with_remedy() {
        for (bytes, part) in [
            (&b"path;type\nGr\xf6\xdfe.pdf;x\n"[..], "line 2"),
            (b"p\0a\0t\0h\0;\0t\0y\0p\0e\0\n\0", "UTF-16"),
            (b"PK\x03\x04rest", "workbook"),
        ] {
            let error = read("t.csv", bytes).unwrap_err();
            assert!(
                error.contains(part) && error.contains("CSV UTF-8"),
                "{error}"
            );
        }
    }

    #[test]
    fn labels_match_file_names_in_either_unicode_form() {
        let folder = tempfile::tempdir().unwrap();
        let (composed, decomposed) = ("r\u{e9}sum\u{e9}.txt", "re\u{301}sume\u{301}.txt");
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        let file = folder.path().join("truth.csv");
        let labels = |names: &[&str], text: &str| {
            let inputs: Vec<_> = names
                .iter()
                .map(|name| {
                    let path = folder.path().join("docs").join(name);
                    std::fs::write(&path, name).unwrap();
                    input(path)
                })
                .collect();
            std::fs::write(&file, format!("path,type\n{text}")).unwrap();
            Labels::read(&file, &inputs).unwrap()
        };
        for (name, label) in [(composed, decomposed), (decomposed, composed)] {
            let found = labels(&[name], &format!("docs/{label},x\n"));
            assert_eq!(found.of(0), Some(&Some("x".to_owned())), "{name:?}");
            std::fs::remove_file(folder.path().join("docs").join(name)).unwrap();
        }
        // The exact form takes precedence.
        let text = format!("docs/{decomposed},d\ndocs/{composed},c\n");
        let found = labels(&[composed, decomposed], &text);
        assert_eq!(found.of(0), Some(&Some("c".to_owned())));
        assert_eq!(found.of(1), Some(&Some("d".to_owned())));
        std::fs::remove_file(folder.path().join("docs").join(decomposed)).unwrap();
        let found = labels(&[composed], &text);
        assert_eq!(found.of(0), Some(&Some("c".to_owned())));
        assert_eq!(found.unmatched().count(), 1);
    }

    #[test]
    fn labels_types_match_in_either_unicode_form_and_without_outer_spaces() {
        let mut found = read(
            "t.csv",
            "path,type\na.txt, re\u{301}sume\u{301} \ndfl-1,Invoice\n",
        )
        .unwrap();
        found.resolve_types(["r\u{e9}sum\u{e9}", "invoice"]);
        assert_eq!(found.of(0), Some(&Some("r\u{e9}sum\u{e9}".to_owned())));
        assert_eq!(found.of(2), Some(&Some("Invoice".to_owned())));
    }

    #[cfg(unix)]
    #[test]
    fn labels_of_names_that_are_not_utf8_are_found_by_their_text() {
        use std::os::unix::ffi::OsStrExt as _;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.csv");
        let inputs = [&b"a\xff.txt"[..], b"a\xfe.txt"].map(|name| input(OsStr::from_bytes(name)));
        std::fs::write(&file, "path,type\na\\xff.txt,x\na\\xfe.txt,y\n").unwrap();
        let found = Labels::read(&file, &inputs).unwrap();
        assert_eq!(found.of(0), Some(&Some("x".to_owned())));
        assert_eq!(found.of(1), Some(&Some("y".to_owned())));
    }

    #[test]
    fn labels_errors_quote_no_long_input() {
        let long = "canary".repeat(20_000);
        for (name, text) in [
            ("t.csv", format!("{long},{long}\na,b\n")),
            ("t.csv", format!("path,type\n{long},x\n{long},y\n")),
            ("t.csv", format!("path,type\n{long}\n")),
            ("t.json", format!("\"{long}\"")),
            ("t.json", long.clone()),
            ("t.jsonl", format!("\"{long}\"")),
            ("t.jsonl", long.clone()),
        ] {
            let error = read(name, &text).unwrap_err();
            assert!(error.len() < 600, "{name}: {error:.200}");
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
        // Two spellings of a path are one document.
        std::fs::write(&file, "path,type\ndocs/a.txt,x\n./docs/a.txt,x\n").unwrap();
        assert!(Labels::read(&file, &inputs).is_err());
    }
}
