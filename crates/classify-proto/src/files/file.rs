//! A file as the service describes it.

use std::collections::BTreeMap;
use std::fmt;

use crate::Timestamp;
use crate::secret::Secret;
use crate::text::response_object::response_object;

response_object! {
    /// An uploaded file. The service says neither its size nor when it was created.
    pub struct File {
        /// The file's id, such as `dfl-…`: what a job takes as its input.
        required id: String,
        /// The name it was uploaded under.
        optional name: String,
        /// The project it belongs to.
        optional project_id: String,
        /// The caller's own id for it.
        optional external_file_id: String,
        /// Its extension.
        optional file_type: String,
        /// When its content last changed.
        timestamp last_modified_at: Timestamp,
        /// When it expires; never where it is absent.
        timestamp expires_at: Timestamp,
        /// What it was uploaded for.
        optional purpose: String,
        /// Where its content can be fetched; only when asked for.
        optional download_url: PresignedUrl,
    }
}

response_object! {
    /// A URL that gives access to whoever holds it, until it expires.
    ///
    /// It is fetched without the key, as it is. `Debug` shows no more of it than the host.
    pub struct PresignedUrl {
        /// The URL. Its query is a secret.
        required url: SecretUrl,
        /// When it stops working.
        timestamp expires_at: Timestamp,
        /// Fields to send along where the URL takes a form; a signature may be among them.
        secret form_fields: BTreeMap<String, Secret>,
    }
}

/// A URL whose path and query may give access to whoever reads them.
///
/// `Debug` prints its scheme and host. Unlike a [`Secret`] it is written out as JSON, since it came from the service
/// to be passed on, and ends by itself.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL as it is.
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
        // The one thing that is not written back.
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
