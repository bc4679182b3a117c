//! `files create`: uploads a file or stdin.

use std::path::Path;

use classify_proto::Bytes;
use classify_proto::files::UploadFile;

use super::parameter_values::ParameterValues;
use crate::error::CliError;

/// The maximum size of an upload from stdin. It is held in memory, because it may be sent twice.
const MAX_STDIN_BYTES: u64 = 512 * 1024 * 1024;

/// Checks that the response does not replace the uploaded file.
pub(super) fn check_output_file(values: &ParameterValues, file: &Path) -> Result<(), CliError> {
    let uploaded = values.text("file").unwrap_or_default();
    let uploaded = Path::new(uploaded.strip_prefix('@').unwrap_or(&uploaded)).canonicalize();
    match (uploaded, file.canonicalize()) {
        (Ok(uploaded), Ok(file)) if uploaded == file && file.is_file() => Err(CliError::usage(
            "--file and --output are the same file; give two",
        )),
        _ => Ok(()),
    }
}

/// Returns the upload of the flags.
pub(super) fn upload_operation(values: &ParameterValues) -> Result<UploadFile, CliError> {
    let path = values.text("file").unwrap_or_default();
    let upload = if path == "-" {
        let mut bytes = Vec::new();
        let mut stdin = std::io::Read::take(std::io::stdin().lock(), MAX_STDIN_BYTES + 1);
        std::io::Read::read_to_end(&mut stdin, &mut bytes)
            .map_err(|error| CliError::usage(format!("stdin cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_STDIN_BYTES {
            return Err(CliError::usage(
                "stdin holds more than 512 MB, which is the most that the service takes",
            ));
        }
        UploadFile::new("stdin", Bytes::from(bytes))
    } else {
        // Other flags name a file as `@scan.pdf`, so it works here too.
        let path = match path.strip_prefix('@') {
            Some(rest) if !std::path::Path::new(&path).exists() => rest.to_owned(),
            _ => path,
        };
        let metadata = std::fs::metadata(&path)
            .map_err(|error| CliError::usage(format!("--file: {path} cannot be read: {error}")))?;
        if !metadata.is_file() {
            return Err(CliError::usage(format!("--file: {path} is no file")));
        }
        UploadFile::path(path)?
    };
    let upload = upload.purpose(values.text("purpose").unwrap_or_default());
    Ok(match values.text("external_file_id") {
        Some(id) => upload.external_file_id(id),
        None => upload,
    })
}
