//! An uploaded file.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table::Row;
use crate::clock::{Millis, format_timestamp};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct File {
    /// The UUID, which is also the name on disk.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) external_id: Option<String>,
    pub(crate) purpose: String,
    pub(crate) created: Millis,
    pub(crate) expires: Millis,
    pub(crate) size: u64,
}

impl Row for File {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Lifetime of an upload on the service.
pub(crate) const LIFETIME: Millis = 48 * 3_600_000;

impl File {
    pub(crate) fn public_id(&self) -> String {
        format!("dfl-{}", self.id)
    }

    pub(crate) fn to_json(&self) -> Value {
        let extension = self
            .name
            .rsplit_once('.')
            .map(|(_, extension)| extension.to_lowercase());
        json!({
            "id": self.public_id(),
            "name": self.name,
            "project_id": self.project,
            "external_file_id": self.external_id,
            "file_type": extension.filter(|extension| !extension.is_empty() && extension.len() <= 16),
            "last_modified_at": format_timestamp(self.created),
            "expires_at": format_timestamp(self.expires),
            "purpose": self.purpose,
        })
    }
}

/// The UUID in a file's id, with or without the prefix `dfl-`.
pub(crate) fn parse_file_id(id: &str) -> Option<String> {
    let uuid = id.strip_prefix("dfl-").unwrap_or(id);
    // Only the hyphenated form: the API returns no other.
    let parsed = uuid::Uuid::parse_str(uuid)
        .ok()
        .filter(|_| uuid.len() == 36);
    parsed.map(|id| id.to_string())
}
