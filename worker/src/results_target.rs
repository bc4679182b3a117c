//! The target of `serve --results`: a folder, or a prefix in an object store.

use std::path::Path;

use crate::error::CliError;
use crate::inputs;
use crate::results_folder::ResultsFolder;
use crate::results_objects::ResultsObjects;
use crate::row::Row;

/// Where a worker writes the rows of its documents.
#[derive(Clone)]
pub(crate) enum ResultsTarget {
    Folder(ResultsFolder),
    Objects(ResultsObjects),
}

impl ResultsTarget {
    /// Opens a folder, or the prefix of a URL.
    ///
    /// # Errors
    ///
    /// The folder cannot be written, or the URL is not that of a prefix in an object store.
    pub(crate) fn open(location: &Path) -> Result<Self, CliError> {
        let Some(url) = location.to_str().filter(|text| inputs::is_url(text)) else {
            return ResultsFolder::open(location).map(Self::Folder);
        };
        let usage = |error: classify_proto::Error| CliError::usage(format!("--results: {error}"));
        let stores = inputs::stores().map_err(usage)?;
        ResultsObjects::open(stores, url.parse().map_err(usage)?).map(Self::Objects)
    }

    /// Writes a row, and returns when it is stored.
    pub(crate) async fn append(&self, row: &Row) -> std::io::Result<()> {
        match self {
            Self::Folder(folder) => folder.append(row).await,
            Self::Objects(objects) => objects.append(row).await,
        }
    }
}
