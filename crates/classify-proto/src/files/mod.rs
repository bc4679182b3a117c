//! Uploaded files, `/api/v1/beta/files`.
//!
//! | operation | request | repeated after a lost response |
//! | --- | --- | --- |
//! | [`UploadFile`] | `POST /api/v1/beta/files` | yes; a second copy costs nothing and expires |
//! | [`ListFiles`] | `GET /api/v1/beta/files` | yes |
//! | [`GetFile`] | `GET /api/v1/beta/files/{file_id}` | yes |
//! | [`GetFileContent`] | `GET /api/v1/beta/files/{file_id}/content` | yes |
//! | [`DeleteFile`] | `DELETE /api/v1/beta/files/{file_id}` | yes; a 404 is then success |
//! | [`QueryFiles`] | `POST /api/v1/beta/files/query` | yes; deprecated in favor of [`ListFiles`] |
//!
//! [`machine::UploadOnce`](crate::machine::UploadOnce) finds an upload by its `external_file_id` and uploads only if
//! there is none.

mod content;
mod delete;
mod file;
mod get;
mod list;
mod query;
mod upload;

pub use content::GetFileContent;
pub use delete::DeleteFile;
pub use file::{File, PresignedUrl, SecretUrl};
pub use get::GetFile;
pub use list::{ListFiles, OrderBy};
pub use query::{Filter, QueryFiles};
pub use upload::{MAX_FILE_BYTES, Purpose, UploadFile};

/// The path of the operations of this module.
const ROUTE: &str = "/api/v1/beta/files";

#[cfg(test)]
pub(crate) mod examples {
    /// A file with all fields of the service's schema.
    pub(crate) const FILE: &str = r#"{
        "id": "dfl-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "name": "invoice.pdf",
        "project_id": "123e4567-e89b-12d3-a456-426614174000",
        "external_file_id": "ext-12345",
        "file_type": "pdf",
        "last_modified_at": "2019-12-27T18:11:19.117Z",
        "expires_at": "2019-12-29T18:11:19.117Z",
        "purpose": "classify",
        "download_url": {
            "url": "https://storage.example/x?signature=canary",
            "expires_at": "2019-12-27T19:11:19.117Z",
            "form_fields": {"key": "canary"}
        }
    }"#;
}
