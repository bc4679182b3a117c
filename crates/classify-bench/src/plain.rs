//! The structs that a program without this library would derive, as the baseline of the benches. The fields have the
//! names of the API.
#![expect(missing_docs, reason = "the names are those of the API")]

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub struct Page {
    pub items: Vec<Job>,
    pub next_page_token: Option<String>,
    pub total_size: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct Job {
    pub id: String,
    pub status: String,
    pub configuration: Configuration,
    pub document_input_type: String,
    pub file_input: String,
    pub project_id: String,
    pub user_id: String,
    pub configuration_id: Option<String>,
    pub created_at: Option<String>,
    pub error_message: Option<String>,
    pub parse_job_id: Option<String>,
    pub result: Option<Result>,
    pub transaction_id: Option<String>,
    pub updated_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Result {
    pub confidence: f64,
    pub reasoning: String,
    pub r#type: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Configuration {
    pub rules: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsing_configuration: Option<Parsing>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Rule {
    pub r#type: String,
    pub description: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Parsing {
    pub lang: Option<String>,
    pub max_pages: Option<u32>,
    pub target_pages: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Create {
    pub file_input: String,
    pub configuration: Configuration,
    pub transaction_id: String,
}
