//! `POST /api/v1/beta/files`: the upload, streamed to disk as it comes.

use std::sync::Arc;

use http::StatusCode;
use hyper::body::Incoming;
use multer::{Field, Multipart};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::meter::{Meter, Metered};
use crate::ask::{Ask, Tenant, promised};
use crate::check::Check;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::file::{File, LIFETIME};
use crate::world::{BEGUN, World};

/// The longest text part; a file's name and an external id are far below.
const LONGEST_TEXT: usize = 16 * 1024;

/// What a form may have besides the file's bytes.
const FORM_OVERHEAD: u64 = 1024 * 1024;

/// The file part on disk, not yet under its name.
struct Stored {
    temporary: NamedTempFile,
    name: String,
    size: u64,
}

/// What a form has brought so far. Dropped before it is stored, it takes its temporary file along.
#[derive(Default)]
struct Form {
    file: Option<Stored>,
    purpose: Option<String>,
    external_id: Option<String>,
}

pub(crate) async fn create(world: &Arc<World>, ask: &Ask, body: &mut Incoming) -> Answer {
    let check = Check::new();
    let tenant = ask.tenant(&check);
    check.finish()?;
    let kind = ask
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(kind) else {
        return Err(Refusal::bad_request(
            "the body must be multipart/form-data with a part named file",
        ));
    };
    let meter = Arc::new(Meter::default());
    let most = world.config.upload_limit.saturating_add(FORM_OVERHEAD);
    let mut reader = Reader {
        world,
        meter: Arc::clone(&meter),
    };
    if promised(&ask.headers).is_some_and(|promised| promised > most) {
        return Err(reader.too_large());
    }
    let mut parts = Multipart::new(Metered::new(body, meter, most), boundary);
    let mut form = Form::default();
    while let Some(mut part) = reader.next(parts.next_field()).await? {
        match part.name() {
            Some("file") => form.file = Some(reader.stored(&mut part).await?),
            Some("purpose") => form.purpose = Some(reader.text(&mut part).await?),
            Some("external_file_id") => form.external_id = Some(reader.text(&mut part).await?),
            // Unknown parts are read over, as unknown fields are.
            _ => while reader.next(part.chunk()).await?.is_some() {},
        }
    }
    finish(world, tenant, form)
}

/// Reads a form piece by piece, within its limits.
struct Reader<'w> {
    world: &'w World,
    meter: Arc<Meter>,
}

impl Reader<'_> {
    fn too_large(&self) -> Refusal {
        let text = format!(
            "the file is larger than {} bytes",
            self.world.config.upload_limit
        );
        Refusal::Detail(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// Waits for the next piece of the body; a client that stays silent or breaks off ends the upload.
    async fn next<T>(
        &mut self,
        piece: impl Future<Output = Result<T, multer::Error>>,
    ) -> Result<T, Refusal> {
        let came = tokio::time::timeout(self.world.config.patience, piece).await;
        self.meter.progress();
        match came {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(_))
                if self.meter.total()
                    > self.world.config.upload_limit.saturating_add(FORM_OVERHEAD) =>
            {
                Err(self.too_large())
            }
            Ok(Err(error)) => {
                // The library's own text leaves out what was wrong with the stream.
                let why = match &error {
                    multer::Error::StreamReadFailed(cause) => cause.to_string(),
                    other => other.to_string(),
                };
                Err(Refusal::bad_request(format!(
                    "the multipart body cannot be read: {why}"
                )))
            }
            Err(_) => Err(Refusal::Detail(
                StatusCode::REQUEST_TIMEOUT,
                "the upload has stopped coming".to_owned(),
            )),
        }
    }

    async fn text(&mut self, part: &mut Field<'_>) -> Result<String, Refusal> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next(part.chunk()).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LONGEST_TEXT {
                return Err(Refusal::bad_request("a text part of the form is too long"));
            }
        }
        String::from_utf8(bytes)
            .map_err(|_| Refusal::bad_request("a text part of the form is not UTF-8"))
    }

    /// Writes the file part to disk.
    async fn stored(&mut self, part: &mut Field<'_>) -> Result<Stored, Refusal> {
        let name = part
            .file_name()
            .map(str::to_owned)
            .filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(Refusal::bad_request("the part named file has no filename"));
        };
        let temporary = tempfile::Builder::new()
            .prefix(BEGUN.0)
            .suffix(BEGUN.1)
            .tempfile_in(&self.world.uploads)
            .map_err(disk)?;
        let mut out = tokio::fs::File::from_std(temporary.reopen().map_err(disk)?);
        let mut size: u64 = 0;
        while let Some(chunk) = self.next(part.chunk()).await? {
            size += chunk.len() as u64;
            if size > self.world.config.upload_limit {
                return Err(self.too_large());
            }
            out.write_all(&chunk).await.map_err(disk)?;
        }
        out.flush().await.map_err(disk)?;
        Ok(Stored {
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
fn disk(error: std::io::Error) -> Refusal {
    Refusal::Detail(
        StatusCode::INSUFFICIENT_STORAGE,
        format!("the upload cannot be stored: {error}"),
    )
}

fn finish(world: &Arc<World>, tenant: Tenant, form: Form) -> Answer {
    let Some(Stored {
        temporary,
        name,
        size,
    }) = form.file
    else {
        return Err(Refusal::bad_request("the form has no part named file"));
    };
    if size == 0 {
        return Err(Refusal::bad_request("the file is empty"));
    }
    let check = Check::new();
    if name.chars().count() > 3_000 {
        check.problem(
            "body",
            "file",
            "string_too_long",
            "A file's name has at most 3000 characters",
            "",
        );
    }
    let purpose = form.purpose.filter(|purpose| !purpose.is_empty());
    if purpose.is_none() {
        check.problem("body", "purpose", "missing", "Field required", "");
    }
    check.finish()?;
    let now = world.now();
    let mut store = world.store();
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
        .persist(world.path_of(&file.id))
        .map_err(|error| disk(error.error))?;
    let shown = file.show();
    store.files.insert(file);
    Ok(Reply::created(shown))
}
