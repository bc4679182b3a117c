//! Scenario files: scripts and faults in YAML, and the same in JSON at run time.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_saphyr::UserMessageFormatter;

use crate::config::Config;
use crate::outcome::DocumentOutcome;
use crate::schedule::FaultSchedule;
use crate::script::Script;

/// The scripts and faults of a scenario file, in any format with a serde deserializer. See [`Config::scenario_file`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "ScenarioFile")]
pub struct Scenario {
    scripts: Vec<Script>,
    faults: Option<FaultSchedule>,
}

impl TryFrom<ScenarioFile> for Scenario {
    type Error = String;

    fn try_from(file: ScenarioFile) -> Result<Self, String> {
        Ok(Self {
            scripts: scripts(&file.scripts)?,
            faults: file.faults,
        })
    }
}

/// A scenario file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioFile {
    #[serde(default)]
    scripts: Vec<ScriptEntry>,
    #[serde(default)]
    faults: Option<FaultSchedule>,
}

/// A script as written in a file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takes_ms: Option<u64>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fails: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    no_match: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    cancelled: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    never_ends: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl ScriptEntry {
    /// The script, or the reason why the entry is invalid.
    pub(crate) fn script(&self) -> Result<Script, String> {
        let outcomes = [
            self.label.is_some(),
            self.fails.is_some(),
            self.no_match,
            self.cancelled,
            self.never_ends,
        ];
        if outcomes.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err(
                "a script has at most one of type, fails, no_match, cancelled and never_ends"
                    .to_owned(),
            );
        }
        if self.label.is_none() && (self.confidence.is_some() || self.reasoning.is_some()) {
            return Err("confidence and reasoning require a type".to_owned());
        }
        if self
            .confidence
            .is_some_and(|confidence| !(0.0..=1.0).contains(&confidence))
        {
            return Err("confidence must be between 0 and 1".to_owned());
        }
        let mut script = Script::any();
        if let Some(glob) = &self.file {
            script = script.and_file(glob);
        }
        if let Some(expression) = &self.content {
            script = script.and_content(expression);
        }
        if let Some(pattern_error) = script.pattern_error() {
            return Err(pattern_error);
        }
        if let Some(millis) = self.takes_ms {
            script = script.takes(Duration::from_millis(millis));
        }
        Ok(if let Some(label) = &self.label {
            let confidence = self.confidence.unwrap_or(0.9);
            match &self.reasoning {
                Some(reasoning) => script.labels_because(label, confidence, reasoning),
                None => script.labels(label, confidence),
            }
        } else if let Some(code) = &self.fails {
            script.fails(code)
        } else if self.no_match {
            script.matches_nothing()
        } else if self.cancelled {
            script.is_cancelled()
        } else if self.never_ends {
            script.never_ends()
        } else {
            script
        })
    }

    /// The entry of a script.
    pub(crate) fn from_script(script: &Script) -> Self {
        let mut entry = Self {
            file: script.file.as_ref().map(|pattern| pattern.text.clone()),
            content: script.content.as_ref().map(|pattern| pattern.text.clone()),
            takes_ms: script
                .duration
                .map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
            ..Self::default()
        };
        match &script.outcome {
            None => {}
            Some(DocumentOutcome::Labelled { label: None, .. }) => entry.no_match = true,
            Some(DocumentOutcome::Labelled {
                label,
                confidence,
                reasoning,
                ..
            }) => {
                entry.label.clone_from(label);
                entry.confidence = Some(*confidence);
                entry.reasoning = Some(reasoning.clone());
            }
            Some(DocumentOutcome::Failed { code, .. }) => {
                entry.fails = Some(code.as_str().to_owned());
            }
            Some(DocumentOutcome::Cancelled) => entry.cancelled = true,
            Some(DocumentOutcome::Endless) => entry.never_ends = true,
        }
        entry
    }
}

/// The scripts of the entries, or the error of the first invalid one.
pub(crate) fn scripts(entries: &[ScriptEntry]) -> Result<Vec<Script>, String> {
    let numbered = entries.iter().enumerate();
    numbered
        .map(|(index, entry)| {
            entry
                .script()
                .map_err(|reason| format!("script {}: {reason}", index + 1))
        })
        .collect()
}

impl Config {
    /// Adds scripts and faults from a YAML file after the existing ones. A seed that the fault schedule already has
    /// takes precedence over the file's.
    ///
    /// ```yaml
    /// scripts:                       # the first one that matches a document applies
    ///   - file: "*.scan.pdf"         # a glob on the file's name
    ///     content: "(?i)invoice"     # a regular expression on its text
    ///     type: invoice
    ///     confidence: 0.93
    ///   - { file: "broken*", fails: PDF_IS_BROKEN }
    ///   - { file: "slow*", takes_ms: 2000 }
    ///   - { file: "stuck*", never_ends: true }
    ///   - { file: "gone*", cancelled: true }
    ///   - { file: "odd*", no_match: true }
    /// faults:
    ///   seed: 7
    ///   rules:
    ///     - { fault: reset-after, route: classify.create, when: { nth: 3 } }
    ///     - { fault: "503", when: { chance: 0.1 } }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or does not have this form; the error names the file and the position.
    pub fn scenario_file(self, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let with_path = |kind, reason: String| {
            io::Error::new(
                kind,
                format!(
                    "the scenario file {} cannot be used: {reason}",
                    path.display()
                ),
            )
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| with_path(error.kind(), error.to_string()))?;
        let scenario: Scenario = serde_saphyr::from_str(&text).map_err(|error| {
            // The library's default texts are meant for its callers, not for users.
            let reason = error.render_with_formatter(&UserMessageFormatter);
            with_path(io::ErrorKind::InvalidData, reason)
        })?;
        Ok(self.scenario(scenario))
    }

    /// Adds the scripts and faults of a scenario, like [`Config::scenario_file`].
    #[must_use]
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scripts.extend(scenario.scripts);
        if let Some(faults) = scenario.faults {
            self.faults = self.faults.merge(faults);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::route::Route;

    fn read(text: &str) -> io::Result<Config> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Config::default().scenario_file(file.path())
    }

    #[test]
    fn scenario_file_documented_example_is_parsed() {
        let config = read(
            "scripts:\n  - file: \"*.scan.pdf\"\n    content: \"(?i)invoice\"\n    type: invoice\n    confidence: 0.93\n  \
             - { file: \"broken*\", fails: PDF_IS_BROKEN }\n  - { file: \"slow*\", takes_ms: 2000 }\n  \
             - { file: \"stuck*\", never_ends: true }\n  - { file: \"gone*\", cancelled: true }\n  \
             - { file: \"odd*\", no_match: true }\nfaults:\n  seed: 7\n  rules:\n    \
             - { fault: reset-after, route: classify.create, when: { nth: 3 } }\n    \
             - { fault: \"503\", when: { chance: 0.1 } }\n",
        )
        .expect("a scenario");
        assert_eq!(config.scripts.len(), 6);
        let entry = ScriptEntry::from_script(&config.scripts[0]);
        assert_eq!(
            (entry.label.as_deref(), entry.confidence),
            (Some("invoice"), Some(0.93))
        );
        assert_eq!(config.scripts[2].duration, Some(Duration::from_secs(2)));
        assert_eq!(
            config.faults.rules()[0],
            Fault::ResetAfter.nth(3).on(Route::ClassifyCreate)
        );
        assert_eq!(config.faults.rules()[1], Fault::Unavailable.chance(0.1));
    }

    #[test]
    fn scenario_file_extends_existing_config() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "scripts: [{ type: b }]\nfaults: { seed: 7, rules: [{ fault: gzip }] }\n";
        std::fs::write(file.path(), text).expect("written");
        let read = |faults: FaultSchedule| {
            let config = Config::default()
                .script(Script::any().labels("a", 0.5))
                .faults(faults);
            config.scenario_file(file.path()).expect("a scenario")
        };
        let mine = || FaultSchedule::new().with(Fault::Unavailable.always());
        let config = read(mine());
        assert_eq!(
            config.faults.rules(),
            [Fault::Unavailable.always(), Fault::Gzip.always()]
        );
        assert_eq!(
            ScriptEntry::from_script(&config.scripts[0])
                .label
                .as_deref(),
            Some("a")
        );
        let seed =
            |config: &Config| serde_json::to_value(&config.faults).expect("JSON")["seed"].clone();
        assert_eq!(seed(&config), 7);
        assert_eq!(seed(&read(mine().seed(9))), 9);
    }

    #[test]
    fn scenario_file_errors_name_the_problem() {
        for (text, part) in [
            (
                "scripts:\n  - { file: \"*\", type: a, fails: B }\n",
                "script 1: a script has at most one",
            ),
            ("scripts:\n  - { file: \"[\" }\n", "is not a glob"),
            ("scripts:\n  - { typ: a }\n", "typ"),
            ("scripts:\n  - { confidence: 0.5 }\n", "require a type"),
            ("faults:\n  rules:\n    - { fault: flood }\n", "flood"),
            ("faults:\n  rule:\n    - { fault: gzip }\n", "rule"),
            (
                "faults:\n  rules:\n    - { fault: \"503\", rout: classify.list }\n",
                "rout",
            ),
            (
                "faults:\n  rules:\n    - { fault: gzip, when: { nth: 0 } }\n",
                "counted from 1",
            ),
            ("scripts: [\n", "scenario file"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
        let absent = Config::default()
            .scenario_file("/no/such/file.yaml")
            .expect_err("no file");
        assert!(
            absent.to_string().contains("/no/such/file.yaml"),
            "{absent}"
        );
    }

    #[test]
    fn script_round_trips_through_scenario_file_entry() {
        for script in [
            Script::file("a*").labels("x", 0.25),
            Script::content("b").fails("TIMEOUT"),
            Script::any().is_cancelled().takes(Duration::from_millis(3)),
            Script::any().never_ends(),
            Script::any().matches_nothing(),
        ] {
            let json = serde_json::to_value(ScriptEntry::from_script(&script)).expect("JSON");
            let reparsed: ScriptEntry = serde_json::from_value(json.clone()).expect("an entry");
            let reparsed = reparsed.script().expect("a script");
            assert_eq!(
                serde_json::to_value(ScriptEntry::from_script(&reparsed)).expect("JSON"),
                json
            );
        }
    }
}
