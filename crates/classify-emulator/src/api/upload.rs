//! `POST /api/v1/beta/files`: uploads, streamed to disk.

use std::sync::Arc;

use http::StatusCode;
use hyper::body::Incoming;
use multer::{Field, Multipart};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::limited_body::{BodyCounter, LimitedBody};
use crate::reply::{ApiError, HandlerResult, Reply};
use crate::request_context::{RequestContext, Tenant, content_length};
use crate::shared_state::{PARTIAL_UPLOAD_PREFIX, PARTIAL_UPLOAD_SUFFIX, SharedState};
use crate::state::file::{File, LIFETIME};
use crate::validate::Validator;

/// Maximum size of a text part; file names and external ids are much shorter.
const MAX_TEXT_PART: usize = 16 * 1024;

/// Maximum size of a form without the file's bytes.
const FORM_OVERHEAD: u64 = 1024 * 1024;

/// The file part on disk, under a temporary name.
struct StoredPart {
    temporary: NamedTempFile,
    name: String,
    size: u64,
}

/// The parts of a form so far. If it is dropped before the file is stored, its temporary file is removed.
#[derive(Default)]
struct Form {
    file: Option<StoredPart>,
    purpose: Option<String>,
    external_id: Option<String>,
}

pub(crate) async fn create(
    shared: &Arc<SharedState>,
    context: &RequestContext,
    body: &mut Incoming,
) -> HandlerResult {
    let validator = Validator::new();
    let tenant = context.tenant(&validator);
    validator.finish()?;
    let content_type = context
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(content_type) else {
        return Err(ApiError::bad_request(
            "the body must be multipart/form-data with a part named file",
        ));
    };
    let counter = Arc::new(BodyCounter::default());
    let limit = shared.config.upload_limit.saturating_add(FORM_OVERHEAD);
    let mut reader = FormReader {
        shared,
        counter: Arc::clone(&counter),
    };
    if content_length(&context.headers).is_some_and(|content_length| content_length > limit) {
        return Err(reader.too_large());
    }
    let mut parts = Multipart::new(LimitedBody::new(body, counter, limit), boundary);
    let mut form = Form::default();
    while let Some(mut part) = reader.next(parts.next_field()).await? {
        match part.name() {
            Some("file") => form.file = Some(reader.store_part(&mut part).await?),
            Some("purpose") => form.purpose = Some(reader.text(&mut part).await?),
            Some("external_file_id") => form.external_id = Some(reader.text(&mut part).await?),
            // Unknown parts are ignored, like unknown fields.
            _ => while reader.next(part.chunk()).await?.is_some() {},
        }
    }
    finish(shared, tenant, form)
}

/// Reads a form part by part, within its limits.
struct FormReader<'w> {
    shared: &'w SharedState,
    counter: Arc<BodyCounter>,
}

impl FormReader<'_> {
    fn too_large(&self) -> ApiError {
        let text = format!(
            "the file is larger than {} bytes",
            self.shared.config.upload_limit
        );
        ApiError::Detail(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// Waits for the next piece of the body. The upload fails if the client pauses too long or disconnects.
    async fn next<T>(
        &mut self,
        chunk: impl Future<Output = Result<T, multer::Error>>,
    ) -> Result<T, ApiError> {
        let result = tokio::time::timeout(self.shared.config.read_timeout, chunk).await;
        self.counter.reset_unparsed();
        match result {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(_))
                if self.counter.total()
                    > self
                        .shared
                        .config
                        .upload_limit
                        .saturating_add(FORM_OVERHEAD) =>
            {
                Err(self.too_large())
            }
            Ok(Err(error)) => {
                // The library's message does not include the error of the stream.
                let reason = match &error {
                    multer::Error::StreamReadFailed(cause) => cause.to_string(),
                    other => other.to_string(),
                };
                Err(ApiError::bad_request(format!(
                    "the multipart body cannot be read: {reason}"
                )))
            }
            Err(_) => Err(ApiError::Detail(
                StatusCode::REQUEST_TIMEOUT,
                "the upload has stopped".to_owned(),
            )),
        }
    }

    async fn text(&mut self, part: &mut Field<'_>) -> Result<String, ApiError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next(part.chunk()).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_TEXT_PART {
                return Err(ApiError::bad_request("a text part of the form is too long"));
            }
        }
        String::from_utf8(bytes)
            .map_err(|_| ApiError::bad_request("a text part of the form is not UTF-8"))
    }

    /// Writes the file part to disk.
    async fn store_part(&mut self, part: &mut Field<'_>) -> Result<StoredPart, ApiError> {
        let name = part
            .file_name()
            .map(str::to_owned)
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(ApiError::bad_request("the part named file has no filename"));
        };
        let temporary = tempfile::Builder::new()
            .prefix(PARTIAL_UPLOAD_PREFIX)
            .suffix(PARTIAL_UPLOAD_SUFFIX)
            .tempfile_in(&self.shared.uploads)
            .map_err(storage_error)?;
        let mut out = tokio::fs::File::from_std(temporary.reopen().map_err(storage_error)?);
        let mut size: u64 = 0;
        while let Some(chunk) = self.next(part.chunk()).await? {
            size += chunk.len() as u64;
            if size > self.shared.config.upload_limit {
                return Err(self.too_large());
            }
            out.write_all(&chunk).await.map_err(storage_error)?;
        }
        out.flush().await.map_err(storage_error)?;
        Ok(StoredPart {
            temporary,
            name,
            size,
        })
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what map_err hands over"
)]
fn storage_error(error: std::io::Error) -> ApiError {
    ApiError::Detail(
        StatusCode::INSUFFICIENT_STORAGE,
        format!("the upload cannot be stored: {error}"),
    )
}

fn finish(shared: &Arc<SharedState>, tenant: Tenant, form: Form) -> HandlerResult {
    let Some(StoredPart {
        temporary,
        name,
        size,
    }) = form.file
    else {
        return Err(ApiError::bad_request("the form has no part named file"));
    };
    if size == 0 {
        return Err(ApiError::bad_request("the file is empty"));
    }
    let validator = Validator::new();
    if name.chars().count() > 3_000 {
        validator.add_error(
            "body",
            "file",
            "string_too_long",
            "A file's name has at most 3000 characters",
            "",
        );
    }
    let purpose = form.purpose.filter(|purpose| !purpose.is_empty());
    if purpose.is_none() {
        validator.add_error("body", "purpose", "missing", "Field required", "");
    }
    validator.finish()?;
    let now = shared.now();
    let mut store = shared.store();
    let file = File {
        id: store.uuid(),
        name,
        project: tenant.project,
        external_id: form.external_id,
        purpose: purpose.unwrap_or_default(),
        created: now,
        expires: now.saturating_add(LIFETIME),
        size,
    };
    temporary
        .persist(shared.path_of(&file.id))
        .map_err(|error| storage_error(error.error))?;
    let json = file.to_json();
    store.files.insert(file);
    Ok(Reply::created(json))
}
