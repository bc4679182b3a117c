//! A folder of `serve --results`: each worker appends rows to files of its own.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::CliError;
use crate::row::Row;

/// The number of rows after which a new part begins.
const ROWS_PER_PART: u64 = 10_000;

/// Appends rows to parts in a folder. The rows of a document may occur twice, if the worker ended between the row and
/// the engine's receipt.
#[derive(Clone)]
pub(crate) struct ResultsFolder(Arc<Mutex<Part>>);

struct Part {
    folder: PathBuf,
    /// Differs from that of every other process.
    prefix: String,
    number: u32,
    file: File,
    rows: u64,
}

impl ResultsFolder {
    /// Begins the first part of this process.
    ///
    /// # Errors
    ///
    /// The folder cannot be created or written.
    pub(crate) fn open(folder: &Path) -> Result<Self, CliError> {
        let failed = |error: std::io::Error| {
            CliError::usage(format!("--results {}: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let prefix = process_name();
        let file = open(folder, &prefix, 1).map_err(failed)?;
        Ok(Self(Arc::new(Mutex::new(Part {
            folder: folder.to_owned(),
            prefix,
            number: 1,
            file,
            rows: 0,
        }))))
    }

    /// Appends a row.
    pub(crate) async fn append(&self, row: &Row) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let part = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.append(&line)
        })
        .await
        .map_err(std::io::Error::other)?
    }
}

impl Part {
    fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.rows == ROWS_PER_PART {
            self.file = open(&self.folder, &self.prefix, self.number + 1)?;
            self.number += 1;
            self.rows = 0;
        }
        // One write, so that a reader sees whole lines.
        self.file.write_all(line)?;
        self.rows += 1;
        Ok(())
    }
}

/// Returns a name that no other process has.
pub(crate) fn process_name() -> String {
    let started = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    format!("{host}-{}-{started}", std::process::id())
}

fn open(folder: &Path, prefix: &str, number: u32) -> std::io::Result<File> {
    let name = format!("results-{prefix}-{number:05}.jsonl");
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(folder.join(name))
}
