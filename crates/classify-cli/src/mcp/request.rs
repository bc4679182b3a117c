//! The request of `estimate` and `classify`: documents, and rules or a saved configuration. The run id is derived from it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use classify_proto::v2::{Configuration, CreateJob, JobOptions, ParsingConfiguration, Rule};
use classify_proto::{Api, Operation as _};
use classify_ureq::classify_client::path_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::root::RootFolder;
use crate::error::CliError;
use crate::inputs::{FoundInputs, Input, NameFilter, Search, find_inputs};
use crate::rules;
use crate::yaml::LostText;

/// The maximum number of invalid fields that an error lists.
const MAX_LISTED_ERRORS: usize = 20;
/// The length of a run id without its prefix: 80 bits, in hexadecimal digits.
const RUN_ID_DIGITS: usize = 20;
const RUN_ID_PREFIX: &str = "run-";

/// A type, and how to recognize its documents.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleArgs {
    /// The type that matching documents get, such as invoice: 1 to 50 characters.
    pub(super) r#type: String,
    /// How to recognize a document of this type: 10 to 500 characters.
    pub(super) description: String,
}

/// The arguments of `estimate` and `classify`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestArgs {
    /// Files, folders (searched with their subfolders) and globs such as **/*.pdf, relative to the root; or ids of
    /// uploaded files (dfl-…) or parse jobs (pjb-…).
    pub(super) paths: Vec<String>,
    /// Skip files that match one of these globs. A glob without a / is compared with each name in a path.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
    /// Only files that match one of these globs.
    #[serde(default)]
    pub(super) include: Vec<String>,
    /// The rules. Give these, `rules_file`, or `configuration_id`. Add a rule of type other for all other documents.
    #[serde(default)]
    pub(super) rules: Vec<RuleArgs>,
    /// A YAML, JSON or TOML file with rules, relative to the root. Rules of both are combined.
    #[serde(default)]
    pub(super) rules_file: Option<String>,
    /// The id of a saved configuration (cfg-…), instead of rules.
    #[serde(default)]
    pub(super) configuration_id: Option<String>,
    /// The language of the documents, such as en or de.
    #[serde(default)]
    pub(super) lang: Option<String>,
    /// Read only these pages, counted from 1, such as 1,3,5-7.
    #[serde(default)]
    pub(super) target_pages: Option<String>,
    /// Read at most this many pages of each document. Fewer pages cost less.
    #[serde(default)]
    pub(super) max_pages: Option<u32>,
}

/// A request whose paths and rules are valid.
#[derive(Debug)]
pub(super) struct RunRequest {
    pub(super) run_id: String,
    pub(super) options: JobOptions,
    /// The pages to read; those of a saved configuration are unknown.
    pub(super) parsing: Option<ParsingConfiguration>,
    paths: Vec<PathBuf>,
    filter: NameFilter,
}

/// The documents that the paths of a request lead to, at most as many as a call accepts.
#[derive(Debug)]
pub(super) struct RequestDocuments {
    pub(super) inputs: Vec<Input>,
    pub(super) found: FoundInputs,
}

/// Everything that a run id is derived from. A change of it, or of its order, changes all run ids.
#[derive(Serialize)]
struct RunIdentity<'a> {
    version: u32,
    base_url: &'a str,
    organization: Option<&'a str>,
    project: Option<&'a str>,
    root: String,
    paths: BTreeSet<String>,
    exclude: BTreeSet<&'a str>,
    include: BTreeSet<&'a str>,
    configuration: Option<&'a Configuration>,
    configuration_id: Option<&'a str>,
}

impl RunRequest {
    /// Validates the arguments. Nothing is sent, and no document is read.
    pub(super) fn new(args: &RequestArgs, root: &RootFolder, api: &Api) -> Result<Self, CliError> {
        if args.paths.is_empty() {
            return Err(
                CliError::usage("`paths` is empty").hint("`.` is every document in the root")
            );
        }
        let paths: Vec<PathBuf> = args
            .paths
            .iter()
            .map(|path| root.relative_path(path))
            .collect::<Result<_, _>>()?;
        let filter = NameFilter::new(&args.exclude, &args.include)?;
        let (options, parsing) = job_options(args, root, api.validates())?;
        let identity = RunIdentity {
            version: 1,
            base_url: api.base_url(),
            organization: api.organization(),
            project: api.project(),
            root: path_name(root.path()),
            paths: paths.iter().map(|path| path_name(path)).collect(),
            exclude: args.exclude.iter().map(String::as_str).collect(),
            include: args.include.iter().map(String::as_str).collect(),
            configuration: options.configuration.as_deref(),
            configuration_id: options.configuration_id.as_deref(),
        };
        Ok(Self {
            run_id: identity.run_id(),
            options,
            parsing,
            paths,
            filter,
        })
    }

    /// Finds the documents. Rejects more than `max_documents`. The working folder must be the root.
    pub(super) fn find_documents(
        self,
        root: &RootFolder,
        own_folder: &Path,
        max_bytes: Option<u64>,
        max_documents: usize,
    ) -> Result<RequestDocuments, CliError> {
        let mut found = find_inputs(&Search {
            arguments: &self.paths,
            own_files: vec![own_folder],
            filter: self.filter,
            max_bytes,
            max_documents: Some(max_documents),
            ..Search::default()
        })?;
        let mut inputs = std::mem::take(&mut found.inputs);
        for note in &mut found.notes {
            // There is no such flag here.
            if let Some(text) = note.strip_suffix("; --follow-links follows them") {
                *note = text.to_owned();
            }
        }
        if inputs.len() > max_documents {
            return Err(CliError::usage(format!(
                "more than {max_documents} documents were found; that is the limit of one call"
            ))
            .hint(
                "nothing was sent; give fewer paths, or split the folder with narrower globs in several calls; \
                 `llamacloud-prod mcp --max-documents` raises the limit",
            ));
        }
        if inputs.is_empty() {
            return Err(CliError::usage("no documents were found").hint(
                found.notes.first().cloned().unwrap_or_else(|| {
                    "folders and globs skip hidden files; name a file to classify it".to_owned()
                }),
            ));
        }
        for input in &mut inputs {
            if let Ok(path) = input.path.strip_prefix(".") {
                input.path = path.to_owned();
            }
            if !input.is_id() && input.error.is_none() {
                input.error = root.refusal(&input.path);
            }
        }
        Ok(RequestDocuments { inputs, found })
    }
}

impl RunIdentity<'_> {
    fn run_id(&self) -> String {
        use std::fmt::Write as _;

        // Nothing in it has a value that JSON cannot represent.
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut id = RUN_ID_PREFIX.to_owned();
        for byte in &Sha256::digest(text)[..RUN_ID_DIGITS / 2] {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
}

/// Whether a text has the form of a run id. Other texts are not used in paths.
pub(super) fn is_run_id(text: &str) -> bool {
    let digits = text.strip_prefix(RUN_ID_PREFIX).unwrap_or_default();
    digits.len() == RUN_ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the rules of the arguments, and the texts of the file that YAML cuts short.
pub(super) fn read_rules(
    rules: &[RuleArgs],
    rules_file: Option<&str>,
    root: &RootFolder,
) -> Result<(Configuration, Vec<LostText>), CliError> {
    let (mut configuration, lost_texts) = match rules_file {
        Some(text) => {
            let path = root.relative_path(text)?;
            let content = root
                .read(&path, rules::file::MAX_FILE_BYTES)
                .map_err(|error| {
                    CliError::usage(format!(
                        "the rules file {} cannot be read: {error}",
                        path.display()
                    ))
                    .hint("give the path of a YAML, JSON or TOML file in the root, or `rules`")
                })?;
            let file = rules::file::from_bytes(&path, content)?;
            (file.configuration, file.lost_texts)
        }
        None => (Configuration::new([]), Vec::new()),
    };
    configuration.rules.extend(
        rules
            .iter()
            .map(|rule| Rule::new(&rule.r#type, &rule.description)),
    );
    Ok((configuration, lost_texts))
}

fn job_options(
    args: &RequestArgs,
    root: &RootFolder,
    validates: bool,
) -> Result<(JobOptions, Option<ParsingConfiguration>), CliError> {
    let has_rules = !args.rules.is_empty() || args.rules_file.is_some();
    let has_parsing =
        args.lang.is_some() || args.target_pages.is_some() || args.max_pages.is_some();
    if let Some(id) = &args.configuration_id {
        if has_rules || has_parsing {
            return Err(CliError::usage(
                "`configuration_id` cannot be combined with `rules`, `rules_file`, `lang`, `target_pages` or `max_pages`",
            )
            .hint("a saved configuration contains them; remove one or the other"));
        }
        if id.trim().is_empty() {
            return Err(CliError::usage("`configuration_id` is empty")
                .hint("give the id of a saved configuration (cfg-…), or `rules`"));
        }
        return Ok((JobOptions::from_configuration_id(id), None));
    }
    if !has_rules {
        return Err(CliError::usage("no rules").hint(
            "give `rules`, a list of types with their descriptions, or `rules_file`, or `configuration_id`",
        ));
    }
    let (mut configuration, _) = read_rules(&args.rules, args.rules_file.as_deref(), root)?;
    if has_parsing {
        let parsing = configuration.parsing_configuration.get_or_insert_default();
        parsing.lang = args.lang.clone().or(parsing.lang.take());
        parsing.target_pages = args.target_pages.clone().or(parsing.target_pages.take());
        parsing.max_pages = args.max_pages.or(parsing.max_pages);
    }
    let parsing = configuration.parsing_configuration.clone();
    let options = JobOptions::from(configuration);
    if validates {
        let checked = CreateJob::new("dfl-to-be-uploaded", &options).validate();
        checked.map_err(|error| invalid_rules(&error))?;
    }
    Ok((options, parsing))
}

fn invalid_rules(error: &classify_proto::Error) -> CliError {
    let errors = error.field_errors();
    let mut lines: Vec<String> = errors
        .iter()
        .take(MAX_LISTED_ERRORS)
        .map(|error| format!("{} {}", error.field, error.message))
        .collect();
    if errors.len() > MAX_LISTED_ERRORS {
        lines.push(format!("and {} more", errors.len() - MAX_LISTED_ERRORS));
    }
    CliError::usage(lines.join("; ")).hint("nothing was sent; correct the rules")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn api(base_url: &str, project: Option<&str>) -> Api {
        let builder = Api::builder("llx-1").base_url(base_url);
        match project {
            Some(project) => builder.project(project),
            None => builder,
        }
        .build()
        .unwrap()
    }

    fn tree() -> (tempfile::TempDir, RootFolder) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt", "b.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let rules = "rules:\n- {type: invoice, description: asks for payment by a date}\n";
        std::fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let root = RootFolder::open(folder.path(), &[]).unwrap();
        (folder, root)
    }

    const URL: &str = "https://example.com";

    fn arguments(change: impl FnOnce(&mut Value)) -> RequestArgs {
        let mut args = json!({
            "paths": ["a.txt", "b.txt"],
            "rules": [{"type": "invoice", "description": "asks for payment by a date"}],
        });
        change(&mut args);
        serde_json::from_value(args).unwrap()
    }

    fn run_id(root: &RootFolder, api: &Api, change: impl FnOnce(&mut Value)) -> String {
        RunRequest::new(&arguments(change), root, api)
            .unwrap()
            .run_id
    }

    #[test]
    fn run_id_is_equal_for_equal_requests() {
        let (_folder, root) = tree();
        let api = api(URL, None);
        let id = run_id(&root, &api, |_| {});
        assert!(is_run_id(&id), "{id}");
        let absolute = root.path().join("b.txt");
        let absolute = absolute.to_str().unwrap();
        for paths in [
            json!(["b.txt", "a.txt"]),
            json!(["./a.txt", "b.txt", "a.txt"]),
            json!(["a.txt", absolute]),
        ] {
            assert_eq!(run_id(&root, &api, |args| args["paths"] = paths), id);
        }
        let from_file = run_id(&root, &api, |args| {
            args["rules_file"] = "rules.yaml".into();
            args["rules"] = json!([]);
        });
        assert_eq!(from_file, id);
    }

    #[test]
    fn run_id_differs_by_everything_that_is_asked() {
        let (_folder, root) = tree();
        let (_other_folder, other_root) = tree();
        let base = api(URL, None);
        let longer = "asks for payment by a later date";
        let mut ids = vec![
            run_id(&root, &base, |_| {}),
            run_id(&other_root, &base, |_| {}),
            run_id(&root, &api("https://example.org", None), |_| {}),
            run_id(&root, &api(URL, Some("p")), |_| {}),
            run_id(&root, &base, |args| args["paths"] = json!(["a.txt"])),
            run_id(&root, &base, |args| args["exclude"] = json!(["a*"])),
            run_id(&root, &base, |args| args["include"] = json!(["a*"])),
            run_id(&root, &base, |args| {
                args["rules"][0]["description"] = longer.into();
            }),
            run_id(&root, &base, |args| args["max_pages"] = 1.into()),
            run_id(&root, &base, |args| args["lang"] = "de".into()),
            run_id(&root, &base, |args| {
                args["rules"] = json!([]);
                args["configuration_id"] = "cfg-1".into();
            }),
        ];
        let number = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), number);
    }

    #[test]
    fn run_id_form_excludes_paths() {
        for text in [
            "",
            "run-",
            "run-../../../../etc/pas",
            "run-0123456789abcdef012",
            "run-0123456789abcdef012345",
            "0123456789abcdef0123",
        ] {
            assert!(!is_run_id(text), "{text}");
        }
        assert!(is_run_id("run-0123456789abcdef0123"));
    }

    #[test]
    fn request_without_rules_or_with_both_kinds_is_rejected() {
        let (_folder, root) = tree();
        let api = api(URL, None);
        let error = |change: &dyn Fn(&mut Value)| {
            let error = RunRequest::new(&arguments(change), &root, &api).unwrap_err();
            error.report().unwrap().message.clone()
        };
        assert_eq!(error(&|args| args["rules"] = json!([])), "no rules");
        let both = error(&|args| args["configuration_id"] = "cfg-1".into());
        assert!(both.contains("cannot be combined"), "{both}");
        let short = error(&|args| args["rules"][0]["description"] = "bill".into());
        assert!(short.contains("rules[0].description"), "{short}");
        let none = error(&|args| args["paths"] = json!([]));
        assert!(none.contains("`paths` is empty"), "{none}");
        let unknown = json!({"paths": ["."], "path": "a"});
        assert!(serde_json::from_value::<RequestArgs>(unknown).is_err());
    }
}
