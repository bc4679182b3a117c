//! A prefix of `serve --results` in an object store: each worker writes objects of its own.
//!
//! An object cannot be appended to, so the rows of five seconds are one object. A document has its answer when the object
//! with its row is written.

use std::time::Duration;

use classify_object_store::{ObjectUrl, Stores};
use classify_proto::{Bytes, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::error::CliError;
use crate::results_folder::process_name;
use crate::row::Row;

/// Rows are gathered for this long.
const GATHER: Duration = Duration::from_secs(5);
/// The maximum number of rows of an object.
const ROWS_PER_OBJECT: usize = 10_000;

/// Writes rows to objects. The rows of a document may occur twice, if the worker ended between the object and the engine's
/// receipt.
#[derive(Clone)]
pub(crate) struct ResultsObjects(mpsc::Sender<PendingRow>);

struct PendingRow {
    line: Vec<u8>,
    written: oneshot::Sender<Result<(), String>>,
}

impl ResultsObjects {
    /// Starts the task that writes objects below `prefix`.
    ///
    /// # Errors
    ///
    /// The URL does not name a prefix.
    pub(crate) fn open(stores: Stores, prefix: ObjectUrl) -> Result<Self, CliError> {
        if !prefix.is_prefix() {
            return Err(CliError::usage(format!(
                "--results {prefix}: the URL of a prefix ends with /"
            )));
        }
        Ok(Self::start(prefix, move |url, content| {
            stores.write(&url, content)
        }))
    }

    fn start(
        prefix: ObjectUrl,
        write: impl Fn(ObjectUrl, Bytes) -> Result<(), Error> + Clone + Send + 'static,
    ) -> Self {
        let (sender, rows) = mpsc::channel(ROWS_PER_OBJECT);
        tokio::spawn(write_objects(prefix, write, rows));
        Self(sender)
    }

    /// Writes a row with the next object.
    pub(crate) async fn append(&self, row: &Row) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        let (written, answer) = oneshot::channel();
        let is_sent = self.0.send(PendingRow { line, written }).await.is_ok();
        match answer.await {
            Ok(Ok(())) if is_sent => Ok(()),
            Ok(Err(error)) => Err(std::io::Error::other(error)),
            _ => Err(std::io::Error::other("the task that writes results ended")),
        }
    }
}

async fn write_objects(
    prefix: ObjectUrl,
    write: impl Fn(ObjectUrl, Bytes) -> Result<(), Error> + Clone + Send + 'static,
    mut rows: mpsc::Receiver<PendingRow>,
) {
    let process = process_name();
    let mut number = 0_u32;
    while let Some(first) = rows.recv().await {
        let mut pending = vec![first];
        let end = Instant::now() + GATHER;
        while pending.len() < ROWS_PER_OBJECT
            && let Ok(Some(row)) = timeout_at(end, rows.recv()).await
        {
            pending.push(row);
        }
        number += 1;
        let key = format!("{}results-{process}-{number:06}.jsonl", prefix.key());
        let content: Vec<u8> = pending
            .iter()
            .flat_map(|row| row.line.iter().copied())
            .collect();
        let (write, url) = (write.clone(), prefix.with_key(key));
        let writing = tokio::task::spawn_blocking(move || write(url?, Bytes::from(content)));
        let written = match writing.await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("the thread that wrote results ended".to_owned()),
        };
        for row in pending {
            // The document has returned to the engine if nobody waits.
            let _ = row.written.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use classify_proto::Failure;
    use classify_proto::machine::DocumentStatus;
    use object_store::memory::InMemory;

    use super::*;

    fn row(path: &str) -> Row {
        Row::without_result(path, &DocumentStatus::Failed, "not readable", None)
    }

    #[tokio::test(start_paused = true)]
    async fn rows_of_a_few_seconds_are_one_object() {
        let prefix: ObjectUrl = "s3://bucket/results/".parse().unwrap();
        let stores = Stores::from_env().unwrap();
        let stores = stores.with_store(&prefix, Arc::new(InMemory::new()));
        let results = ResultsObjects::open(stores.clone(), prefix.clone()).unwrap();
        let (first, second) = (row("a.pdf"), row("b.pdf"));
        let (first, second) = tokio::join!(results.append(&first), results.append(&second));
        first.and(second).unwrap();
        results.append(&row("c.pdf")).await.unwrap();
        let objects: Vec<_> = stores.list(&prefix).unwrap().map(Result::unwrap).collect();
        assert_eq!(objects.len(), 2, "{objects:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn row_whose_object_is_not_written_is_an_error() {
        let prefix: ObjectUrl = "s3://bucket/results/".parse().unwrap();
        let results = ResultsObjects::start(prefix, |url, _| {
            Err(Failure::content(format!("{url}: access denied")).into())
        });
        let error = results.append(&row("a.pdf")).await.unwrap_err();
        assert!(error.to_string().contains("access denied"), "{error}");
    }

    #[tokio::test]
    async fn url_of_an_object_is_rejected() {
        let url: ObjectUrl = "s3://bucket/results".parse().unwrap();
        assert!(ResultsObjects::open(Stores::from_env().unwrap(), url).is_err());
    }
}
