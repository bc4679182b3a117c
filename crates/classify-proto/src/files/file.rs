//! A file as the service describes it.

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::text::model::model;

model! {
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
        moment last_modified_at: Timestamp,
        /// When it expires; never where it is absent.
        moment expires_at: Timestamp,
        /// What it was uploaded for.
        optional purpose: String,
        /// Where its content can be fetched; only when asked for.
        optional download_url: PresignedUrl,
    }
}

model! {
    /// A URL that gives access to whoever holds it, until it expires.
    pub struct PresignedUrl {
        /// The URL. Its query is a secret.
        required url: String,
        /// When it stops working.
        moment expires_at: Timestamp,
        /// Fields to send along where the URL takes a form.
        optional form_fields: BTreeMap<String, String>,
    }
}
