//! `files create`: uploads a file or stdin.

use std::path::{Path, PathBuf};

use classify_proto::Bytes;
use classify_proto::files::{MAX_FILE_BYTES, UploadFile};
use classify_ureq::classify_client::name_path;

use super::parameter_values::ParameterValues;
use crate::error::CliError;

/// Checks that the response does not replace the uploaded file.
pub(super) fn check_output_file(values: &ParameterValues, file: &Path) -> Result<(), CliError> {
    let uploaded = file_path(&values.text("file").unwrap_or_default()).canonicalize();
    match (uploaded, file.canonicalize()) {
        (Ok(uploaded), Ok(file)) if uploaded == file && file.is_file() => Err(CliError::usage(
            "--file and --output are the same file; use two files",
        )),
        _ => Ok(()),
    }
}

/// Returns the path of `--file`: as given, or without the `@` with which other flags name a file.
fn file_path(name: &str) -> PathBuf {
    let names = [Some(name), name.strip_prefix('@')];
    let mut paths = names
        .into_iter()
        .flatten()
        .flat_map(|name| [PathBuf::from(name), name_path(name)]);
    let exists = paths.find(|path| path.exists());
    exists.unwrap_or_else(|| name.strip_prefix('@').unwrap_or(name).into())
}

/// Returns the upload of the flags. With `validates`, an empty file and one that is too large are errors.
pub(super) fn upload_operation(
    values: &ParameterValues,
    validates: bool,
) -> Result<UploadFile, CliError> {
    let path = values.text("file").unwrap_or_default();
    let upload = if path == "-" {
        // It is held in memory, because it may be sent twice.
        let mut bytes = Vec::new();
        let mut stdin = std::io::Read::take(std::io::stdin().lock(), MAX_FILE_BYTES + 1);
        std::io::Read::read_to_end(&mut stdin, &mut bytes)
            .map_err(|error| CliError::usage(format!("stdin cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(CliError::usage(format!(
                "stdin has more than {MAX_FILE_BYTES} bytes, which is the limit of the service"
            )));
        }
        UploadFile::new("stdin", Bytes::from(bytes))
    } else {
        let file = file_path(&path);
        let path = file.display();
        let metadata = std::fs::metadata(&file).map_err(|error| {
            CliError::usage(format!("--file: {path} cannot be read: {error}")).path_hint(&file)
        })?;
        if !metadata.is_file() {
            return Err(CliError::usage(format!("--file: {path} is not a file")));
        }
        let size = metadata.len();
        if validates && size == 0 {
            return Err(CliError::usage(format!(
                "--file: {path} is empty: 0 bytes; the service rejects empty files"
            )));
        }
        if validates && size > MAX_FILE_BYTES {
            return Err(CliError::usage(format!(
                "--file: {path} has {size} bytes; the service accepts at most {MAX_FILE_BYTES}"
            )));
        }
        UploadFile::path(&file)?
    };
    let upload = upload.purpose(values.text("purpose").unwrap_or_default());
    Ok(match values.text("external_file_id") {
        Some(id) => upload.external_file_id(id),
        None => upload,
    })
}
