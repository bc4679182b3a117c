//! The pools of a worker: one for each set of rules, in which documents of many invocations are one bulk run.

mod hold;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use classify_proto::ErrorCode;
use classify_proto::machine::{DocumentStatus, ErrorScope, transaction_id};
use classify_proto::v2::JobOptions;
use classify_reqwest::{Client, Finished, Pool};
use serde::Serialize;
use tokio::sync::watch;

use self::hold::Hold;
use crate::document::Submission;
use crate::inputs;
use crate::results_target::ResultsTarget;
use crate::row::Row;
use crate::telemetry::Instruments;

/// A document returns to the engine after this time, before the engine takes it back.
const MAX_STAY: Duration = Duration::from_secs(165 * 60);
/// How often a document may end without a final status in this process before it fails.
const MAX_TRIES: u32 = 10;
/// The number of pools that are kept for further documents.
const MAX_POOLS: usize = 64;
/// The number of documents whose tries are counted.
const MAX_COUNTED: usize = 100_000;

/// Classifies documents in pools.
pub(crate) struct Pools {
    client: Client,
    options: PoolsOptions,
    /// The pool of each set of rules, by the rules in JSON.
    by_rules: Mutex<HashMap<String, Pool>>,
    /// How often documents ended without a final status.
    tries: Mutex<HashMap<String, u32>>,
    /// The number of documents that this worker holds.
    held: AtomicUsize,
    hold: Hold,
    drain: watch::Sender<Drain>,
}

/// The settings of [`Pools`].
pub(crate) struct PoolsOptions {
    pub(crate) project: Option<String>,
    /// The rules of submissions that have none.
    pub(crate) default: Option<JobOptions>,
    pub(crate) results: Option<ResultsTarget>,
    pub(crate) instruments: Option<Instruments>,
    pub(crate) hold: Duration,
    pub(crate) give_up_after: Duration,
}

/// How far the process is with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Drain {
    No,
    /// No further document is accepted.
    Started,
    /// Waiting documents return to the engine.
    Ended,
}

/// Why a document has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The engine hands the document out again.
    Later(String),
    /// The document failed. It is classified again only if it is submitted again.
    Failure(Box<Row>),
}

impl Pools {
    pub(crate) fn new(client: Client, options: PoolsOptions) -> Self {
        let hold = Hold::new(options.hold, options.give_up_after);
        Self {
            client,
            options,
            by_rules: Mutex::default(),
            tries: Mutex::default(),
            held: AtomicUsize::new(0),
            hold,
            drain: watch::Sender::new(Drain::No),
        }
    }

    /// Accepts no further documents.
    pub(crate) fn start_drain(&self) {
        self.drain.send_replace(Drain::Started);
    }

    /// Returns the waiting documents to the engine.
    pub(crate) fn end_drain(&self) {
        self.drain.send_replace(Drain::Ended);
    }

    /// The number of documents that this worker holds.
    pub(crate) fn documents(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Classifies the document with this transaction id.
    ///
    /// # Errors
    ///
    /// There is no answer: the document cannot be read or has changed, the service does not answer, or this process
    /// ends.
    pub(crate) async fn classify(&self, submission: Submission) -> Result<Row, Unanswered> {
        let mut drain = self.drain.subscribe();
        if *drain.borrow() != Drain::No {
            return Err(ending());
        }
        let answer = tokio::select! {
            biased;
            _ = drain.wait_for(|drain| *drain == Drain::Ended) => Err(ending()),
            answer = tokio::time::timeout(MAX_STAY, self.classify_now(submission)) => {
                answer.unwrap_or_else(|_| Err(Unanswered::Later("the document took too long".to_owned())))
            }
        };
        if let Some(instruments) = &self.options.instruments {
            instruments.document(match &answer {
                Ok(row) => &row.status,
                Err(Unanswered::Later(_)) => "later",
                Err(Unanswered::Failure(_)) => "failure",
            });
        }
        answer
    }

    async fn classify_now(&self, submission: Submission) -> Result<Row, Unanswered> {
        let _held = Held::new(&self.held);
        let key = &*submission.key;
        let path = submission.path.clone();
        let options = submission
            .job_options()
            .or_else(|| self.options.default.clone());
        let Some(options) = options else {
            return Err(failure(
                &path,
                "neither the submission nor the worker has rules",
                ErrorCode::Invalid,
            ));
        };
        let document = match inputs::open(&path).await {
            Ok(document) => document,
            Err(reason) => {
                let row = Row::of_unreadable(&path, &reason);
                return Err(Unanswered::Failure(Box::new(row)));
            }
        };
        let content = document.key();
        if content.to_string() != submission.content {
            return Err(failure(
                &path,
                "the content has changed since it was submitted; submit it again",
                ErrorCode::Content,
            ));
        }
        // Another id would be another job, which is paid for again.
        if transaction_id(self.options.project.as_deref(), &options, content, 0) != key {
            return Err(failure(
                &path,
                "this worker has other rules or another project than the submission; if you submit the document again, that is another job, which is charged",
                ErrorCode::Invalid,
            ));
        }
        let pool = self
            .pool(&options)
            .map_err(|error| failure(&path, &error.to_string(), error.code()))?;
        loop {
            let turn = match self.hold.pass().await {
                Ok(turn) => turn,
                Err(reason) => return Err(failure(&path, &reason, ErrorCode::Stopped)),
            };
            let finished = pool.classify(document.clone().into()).await;
            let error = match finished.outcome() {
                Err(error) if error.scope() == ErrorScope::Run => error,
                _ => {
                    turn.passed();
                    return self.answer(key, &path, &finished).await;
                }
            };
            turn.stopped(error.message());
        }
    }

    /// Decides whether a report is an answer.
    async fn answer(&self, key: &str, path: &str, finished: &Finished) -> Result<Row, Unanswered> {
        let report = finished.report();
        let row = Row::from_report(path, report);
        let is_local = report.error_code == Some(ErrorCode::Content);
        let is_answer = match report.status {
            DocumentStatus::Completed
            | DocumentStatus::Failed
            | DocumentStatus::Cancelled
            // Asking again would create another job, at another charge.
            | DocumentStatus::Missing => true,
            DocumentStatus::Error => !is_local,
            _ => false,
        };
        if is_answer {
            self.tries().remove(key);
            if let Some(results) = &self.options.results {
                // Without the line there is no answer: a later try gets the same job, and pays nothing.
                results
                    .append(&row)
                    .await
                    .map_err(|error| Unanswered::Later(error.to_string()))?;
            }
            return Ok(row);
        }
        let reason = row.error.clone().unwrap_or_default();
        if is_local {
            return Err(Unanswered::Failure(Box::new(row)));
        }
        let is_transient = finished
            .outcome()
            .is_err_and(|error| error.scope() == ErrorScope::Transient)
            && report.status == DocumentStatus::NotStarted;
        if is_transient || self.count_try(key) < MAX_TRIES {
            return Err(Unanswered::Later(format!("{}: {reason}", row.status)));
        }
        self.tries().remove(key);
        Err(Unanswered::Failure(Box::new(row)))
    }

    fn pool(&self, options: &JobOptions) -> Result<Pool, classify_proto::Error> {
        #[derive(Serialize)]
        struct RuleSet<'a> {
            configuration: Option<&'a classify_proto::v2::Configuration>,
            id: Option<&'a str>,
        }
        let rules = RuleSet {
            configuration: options.configuration.as_deref(),
            id: options.configuration_id.as_deref(),
        };
        let rules = serde_json::to_string(&rules).unwrap_or_default();
        let mut pools = self.by_rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&rules) {
            return Ok(pool.clone());
        }
        if pools.len() >= MAX_POOLS {
            // Documents in a removed pool finish in it; their invocations hold it.
            pools.clear();
        }
        let pool = self.client.pool(options.clone())?;
        pools.insert(rules, pool.clone());
        Ok(pool)
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_try(&self, key: &str) -> u32 {
        let mut tries = self.tries();
        if tries.len() >= MAX_COUNTED {
            tries.clear();
        }
        let count = tries.entry(key.to_owned()).or_insert(0);
        *count += 1;
        *count
    }
}

/// Counts a document while it exists.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn ending() -> Unanswered {
    Unanswered::Later("this worker ends".to_owned())
}

fn failure(path: &str, reason: &str, code: ErrorCode) -> Unanswered {
    let row = Row::without_result(path, &DocumentStatus::NotStarted, reason, Some(code));
    Unanswered::Failure(Box::new(row))
}
