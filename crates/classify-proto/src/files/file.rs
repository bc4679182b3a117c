//! A file, as returned by the service.

use std::collections::BTreeMap;
use std::fmt;

use crate::Timestamp;
use crate::secret::Secret;
use crate::text::response_object::response_object;

response_object! {
    /// An uploaded file. The service returns neither its size nor the time of the upload.
    pub struct File {
        /// The id of the file, such as `dfl-…`. Jobs take it as their input.
        required id: String,
        /// The name under which it was uploaded.
        optional name: String,
        /// The id of the file's project.
        optional project_id: String,
        /// The caller's own id of the file.
        optional external_file_id: String,
        /// The extension of the file's name.
        optional file_type: String,
        /// The time of the last change of the content.
        timestamp last_modified_at: Timestamp,
        /// The time at which the service deletes the file; never if absent.
        timestamp expires_at: Timestamp,
        /// The purpose of the upload.
        optional purpose: String,
        /// A URL to download the content from; only if the request expands `download_url`.
        optional download_url: PresignedUrl,
    }
}

response_object! {
    /// A URL that gives access to anybody who has it, until it expires.
    ///
    /// Request it unchanged and without the API key. `Debug` prints only the scheme and the host.
    pub struct PresignedUrl {
        /// The URL. Its query is a secret.
        required url: SecretUrl,
        /// The time at which the URL becomes invalid.
        timestamp expires_at: Timestamp,
        /// Fields to send along if the URL takes a form. They may contain a signature.
        secret form_fields: BTreeMap<String, Secret>,
    }
}

/// A URL whose path and query may grant access.
///
/// `Debug` prints only the scheme and the host. Unlike a [`Secret`], it is serialized in full: it comes from the
/// service to be passed on, and expires.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Returns the whole URL, including its secret parts.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = crate::text::url_parts::origin(&self.0);
        let shown = origin.map(|origin| format!("{origin}/…"));
        f.write_str(shown.as_deref().unwrap_or("[redacted]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::examples;

    #[test]
    fn file_round_trips_except_redacted_form_fields() {
        let file: File = serde_json::from_str(examples::FILE).unwrap();
        let mut given: serde_json::Value = serde_json::from_str(examples::FILE).unwrap();
        // The only field that is not serialized.
        given["download_url"]["form_fields"]["key"] = "[redacted]".into();
        assert_eq!(serde_json::to_value(&file).unwrap(), given);
        let bare: File = serde_json::from_str(r#"{"id": "1"}"#).unwrap();
        assert_eq!(bare.name, None);
    }

    #[test]
    fn redact_file_download_url_in_debug() {
        let file: File = serde_json::from_str(examples::FILE).unwrap();
        let shown = format!("{file:?}");
        assert!(
            shown.contains("https://storage.example/") && !shown.contains("canary"),
            "{shown}"
        );
        let url = file.download_url.unwrap();
        assert!(url.url.as_str().ends_with("canary"));
        assert_eq!(
            url.form_fields.unwrap()["key"].expose_secret(),
            Some("canary")
        );
        for odd in [
            "canary",
            "//canary",
            "https://user:canary@host/x",
            "\u{1}canary",
        ] {
            assert!(
                !format!("{:?}", SecretUrl(odd.to_owned())).contains("canary"),
                "{odd}"
            );
        }
    }
}
