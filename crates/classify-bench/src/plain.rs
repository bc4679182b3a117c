//! What a program without this library would write: plain structs, derived.

use serde::{Deserialize, Serialize};

/// A page of jobs.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The jobs.
    pub items: Vec<Job>,
    /// What comes next.
    pub next_page_token: Option<String>,
    /// How many there are.
    pub total_size: Option<u64>,
}

/// A job, every field as text or number.
#[derive(Debug, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub status: String,
    /// What it was made with.
    pub configuration: Configuration,
    /// What kind of input it has.
    pub document_input_type: String,
    /// Its input.
    pub file_input: String,
    /// Its project.
    pub project_id: String,
    /// Who made it.
    pub user_id: String,
    /// The saved configuration.
    pub configuration_id: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// The parse job.
    pub parse_job_id: Option<String>,
    /// The result.
    pub result: Option<Result>,
    /// The idempotency key.
    pub transaction_id: Option<String>,
    /// When it changed.
    pub updated_at: Option<String>,
}

/// A result.
#[derive(Debug, Deserialize)]
pub struct Result {
    /// How sure.
    pub confidence: f64,
    /// Why.
    pub reasoning: String,
    /// What.
    pub r#type: Option<String>,
}

/// A configuration.
#[derive(Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// How documents are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsing_configuration: Option<Parsing>,
}

/// A rule.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rule {
    /// Its type.
    pub r#type: String,
    /// Its description.
    pub description: String,
}

/// How documents are read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parsing {
    /// In what language.
    pub lang: Option<String>,
    /// How many pages.
    pub max_pages: Option<u32>,
    /// Which pages.
    pub target_pages: Option<String>,
}

/// The body of a create.
#[derive(Debug, Serialize)]
pub struct Create {
    /// What is classified.
    pub file_input: String,
    /// By which rules.
    pub configuration: Configuration,
    /// Under which key.
    pub transaction_id: String,
}
