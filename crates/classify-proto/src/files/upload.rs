//! `POST /api/v1/beta/files`

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::{File, ROUTE};
use crate::api::Api;
use crate::body::{Body, Content};
use crate::content_key::ContentKey;
use crate::error::Error;
use crate::operation::Operation;
use crate::scope::{Scope, scope_setters};
use crate::semantics::{RateClass, Semantics, UniqueField};
use crate::text::json::read_json;
use crate::text::multipart;
use crate::text::open_enum::open_enum;
use crate::validation::ValidationErrors;

open_enum! {
    /// The purpose of an uploaded file.
    pub enum Purpose {
        /// Classification.
        Classify = "classify",
        /// Parsing.
        Parse = "parse",
        /// Extraction of fields.
        Extract = "extract",
        /// Splitting.
        Split = "split",
        /// Reading a spreadsheet.
        Sheet = "sheet",
        /// The user's own purpose.
        UserData = "user_data",
        /// An agent application.
        AgentApp = "agent_app",
    }
}

/// Maximum size of a document in bytes: 512 MiB.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Uploads a document. Returns the [`File`](super::File).
///
/// An empty document, or one larger than [`MAX_FILE_BYTES`], is rejected before anything is sent: with
/// [`is_invalid`](Error::is_invalid) if the document is in memory, and with [`is_content`](Error::is_content) if it is
/// a file or a source, whose length is known once the driver has opened it. [`ApiBuilder::validate`](crate::ApiBuilder::validate)
/// turns both checks off.
///
/// An upload may be repeated: a second copy costs nothing and expires. A path is opened again for each attempt, so
/// every attempt sends the whole document.
///
/// ```
/// use classify_proto::files::UploadFile;
///
/// let upload = UploadFile::new("scan.txt", b"Invoice 4711".to_vec()).external_file_id("scan-4711");
/// # let _ = upload;
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UploadFile {
    /// The name of the file. The service derives the file type from its extension.
    pub name: String,
    /// The document, in memory or as the path of a file.
    pub content: Content,
    /// The purpose of the file. [`Purpose::Classify`] by default.
    pub purpose: Purpose,
    /// The caller's own id of the file.
    pub external_file_id: Option<String>,
    /// The media type; derived from the name's extension if `None`.
    pub content_type: Option<String>,
    boundary: Option<String>,
    /// The hash of the content, if it is known. Clients compare it with the content during the upload, and fail the
    /// upload if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_key: Option<ContentKey>,
    /// The project and organization; those of the [`Api`](crate::Api) if unset.
    pub scope: Scope,
}

impl UploadFile {
    /// Uploads `content` as `name`, whose extension tells the service the file type.
    #[must_use]
    pub fn new(name: impl Into<String>, content: impl Into<Content>) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            purpose: Purpose::Classify,
            external_file_id: None,
            content_type: None,
            boundary: None,
            content_key: None,
            scope: Scope::default(),
        }
    }

    /// Uploads a file under its own name. The driver opens the file when it sends the request.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) if the path has no file name.
    pub fn path(path: impl Into<std::path::PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match path.file_name() {
            // A name that is not Unicode is sent with replacement characters; the service only displays it.
            Some(name) => Ok(Self::new(name.to_string_lossy().into_owned(), path)),
            None => Err(Error::invalid(
                "path",
                format!("{} has no file name", path.display()),
            )),
        }
    }

    scope_setters!();

    /// Sets the purpose of the file. Default: [`Purpose::Classify`].
    #[must_use]
    pub fn purpose(mut self, purpose: impl Into<Purpose>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Sets the caller's own id of the file, by which it can be found again.
    #[must_use]
    pub fn external_file_id(mut self, id: impl Into<String>) -> Self {
        self.external_file_id = Some(id.into());
        self
    }

    /// Sets the media type, in place of the one derived from the name's extension.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Fails the upload if the content has another hash.
    #[must_use]
    pub fn content_key(mut self, key: ContentKey) -> Self {
        self.content_key = Some(key);
        self
    }

    /// Sets the document, which a saved state does not contain if it is in memory.
    pub fn set_content(&mut self, content: impl Into<Content>) {
        self.content = content.into();
    }

    /// Sets the scope to that of a job.
    pub(crate) fn scoped(mut self, scope: &Scope) -> Self {
        self.scope = scope.clone();
        self
    }

    fn media_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| {
            mime_guess::from_path(&self.name)
                .first_raw()
                .unwrap_or("application/octet-stream")
                .to_owned()
        })
    }
}

impl Operation for UploadFile {
    type Output = File;

    fn name(&self) -> &'static str {
        "files.create"
    }

    fn semantics(&self) -> Semantics<Self> {
        Semantics::idempotent().rate_class(RateClass::Upload)
    }

    fn unique_field(&mut self) -> Option<UniqueField<'_>> {
        // Random, so that no document can be made to contain the boundary.
        Some(UniqueField::new(&mut self.boundary, "classify-"))
    }

    fn validate(&self) -> Result<(), Error> {
        let mut errors = ValidationErrors::default();
        errors.length("name", &self.name, 1, 3000);
        match &self.content {
            Content::Bytes(bytes) if bytes.is_empty() => {
                errors.add("content", "is empty; the service rejects empty files");
            }
            Content::Bytes(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => {
                let length = bytes.len();
                let limit = format!("at most {MAX_FILE_BYTES} are allowed");
                errors.add("content", format!("has {length} bytes; {limit}"));
            }
            _ => {}
        }
        errors.finish()
    }

    fn build_request_unvalidated(&self, api: &Api) -> Result<http::Request<Body>, Error> {
        if self.content == Content::Omitted {
            return Err(Error::invalid(
                "content",
                "is not part of the saved state; set it again before resuming",
            ));
        }
        let Some(boundary) = &self.boundary else {
            return Err(Error::invalid(
                "boundary",
                "is not set; call `prepare` before building a request",
            ));
        };
        let media_type = self.media_type();
        // It is sent in a header of its part, and parsers stop at any other character.
        if media_type.contains(|c: char| !c.is_ascii() || c.is_ascii_control()) {
            let what = "contains a control character or a character outside ASCII; write a media type such as text/plain";
            return Err(Error::invalid("content_type", what));
        }
        let mut fields = vec![("purpose", self.purpose.as_str())];
        fields.extend(
            self.external_file_id
                .as_deref()
                .map(|id| ("external_file_id", id)),
        );
        let multipart = multipart::frame(
            boundary,
            &fields,
            &self.name,
            &media_type,
            self.content.clone(),
        )
        .content_key(self.content_key)
        .max_content_bytes(api.validates().then_some(MAX_FILE_BYTES));
        api.request(Method::POST, ROUTE)
            .scope(&self.scope)
            .multipart(boundary, multipart)
    }

    fn parse_success(&self, response: http::Response<Bytes>) -> Result<File, Error> {
        read_json(response)
    }

    fn annotate(&self, error: Error) -> Error {
        error.with_subject(&*self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::v2::examples::{api, ok};

    fn prepared(mut upload: UploadFile) -> UploadFile {
        upload.prepare(Seed::new([3; 16]));
        upload
    }

    #[test]
    fn upload_form_and_response() {
        let upload = prepared(
            UploadFile::new("résumé.DOCX", b"hello".to_vec())
                .external_file_id("ext-4")
                .organization("org-1"),
        );
        let request = upload.build_request(&api()).unwrap();
        assert_eq!(
            request.uri(),
            "https://api.example/api/v1/beta/files?organization_id=org-1"
        );
        let content_type = request.headers()["content-type"].to_str().unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let body = request.body().in_memory().unwrap();
        let body = std::str::from_utf8(&body).unwrap().replace(boundary, "B");
        assert_eq!(
            body,
            "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nclassify\r\n\
             --B\r\nContent-Disposition: form-data; name=\"external_file_id\"\r\n\r\next-4\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"résumé.DOCX\"\r\n\
             Content-Type: application/vnd.openxmlformats-officedocument.wordprocessingml.document\r\n\r\nhello\r\n--B--\r\n"
        );
        let file = upload
            .parse(ok(
                r#"{"id":"dfl-1","name":"résumé.DOCX","project_id":"p","expires_at":null}"#,
            ))
            .unwrap();
        assert_eq!(file.id, "dfl-1");
    }

    #[test]
    fn upload_multipart_boundary_is_kept_across_attempts() {
        let mut upload = prepared(UploadFile::new("a.txt", b"x".to_vec()));
        let first = upload.build_request(&api()).unwrap().headers()["content-type"].clone();
        upload.prepare(Seed::new([4; 16]));
        assert_eq!(
            upload.build_request(&api()).unwrap().headers()["content-type"],
            first
        );
    }

    #[test]
    fn validation_upload_requires_prepared_named_non_empty_content() {
        assert!(
            UploadFile::new("a.txt", b"x".to_vec())
                .build_request(&api())
                .unwrap_err()
                .to_string()
                .contains("prepare")
        );
        assert!(
            prepared(UploadFile::new("a.txt", Vec::new()))
                .build_request(&api())
                .unwrap_err()
                .to_string()
                .contains("empty")
        );
        assert!(
            prepared(UploadFile::new("", b"x".to_vec()))
                .build_request(&api())
                .is_err()
        );
        assert!(UploadFile::path("/").is_err());
        assert_eq!(UploadFile::path("a/b.txt").unwrap().name, "b.txt");
        let saved =
            serde_json::to_string(&prepared(UploadFile::new("a.txt", b"canary".to_vec()))).unwrap();
        assert!(!saved.contains("canary"));
        let mut loaded: UploadFile = serde_json::from_str(&saved).unwrap();
        assert!(
            loaded
                .build_request(&api())
                .unwrap_err()
                .to_string()
                .contains("set it again")
        );
        loaded.set_content(b"canary".to_vec());
        loaded.build_request(&api()).unwrap();
    }

    #[test]
    fn validation_upload_over_512_mib_is_refused_and_not_sent() {
        let of_length = |length: u64| {
            let bytes = vec![0; usize::try_from(length).unwrap()];
            prepared(UploadFile::new("a.pdf", bytes)).validate()
        };
        of_length(MAX_FILE_BYTES).unwrap();
        let error = of_length(MAX_FILE_BYTES + 1).unwrap_err();
        assert!(error.is_invalid(), "{error}");
        assert!(error.to_string().contains("at most 536870912"), "{error}");
        // The driver checks the length of a file, unless validation is off.
        for (api, max) in [
            (api(), Some(MAX_FILE_BYTES)),
            (Api::builder("llx-1").validate(false).build().unwrap(), None),
        ] {
            let upload = prepared(UploadFile::path("a.pdf").unwrap());
            let request = upload.build_request(&api).unwrap();
            let Body::Multipart(multipart) = request.body() else {
                panic!("{:?}", request.body())
            };
            assert_eq!(multipart.max_content_bytes, max);
        }
    }

    #[test]
    fn validation_upload_content_type_must_be_a_header_value() {
        let of_type = |text: &str| {
            let upload = UploadFile::new("a.txt", b"x".to_vec()).content_type(text);
            prepared(upload).build_request(&api())
        };
        of_type("text/plain; charset=utf-8").unwrap();
        for refused in ["text/plain\r\nX: y", "text/\u{1b}plain", "text/pläin"] {
            let error = of_type(refused).unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains("content_type"));
        }
    }

    #[test]
    fn multipart_upload_name_line_break_is_escaped() {
        let upload = prepared(UploadFile::new("a\r\nX: y\".txt", b"x".to_vec()));
        let body = upload
            .build_request(&api())
            .unwrap()
            .body()
            .in_memory()
            .unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(body.contains("filename=\"a%0D%0AX: y%22.txt\""), "{body}");
    }
}
