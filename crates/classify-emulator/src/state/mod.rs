//! The state of the emulator, and the schedule of job transitions.

pub(crate) mod configuration;
pub(crate) mod file;
pub(crate) mod job;
pub(crate) mod log;
pub(crate) mod table;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::clock::{Millis, millis};
use crate::outcome::{DocumentOutcome, TimedOutcome};
use configuration::{Configuration, WebhookConfiguration};
use file::File;
use job::{Job, JobState, WebhookTarget};
use table::Table;

/// A job has entered a state for which webhooks may exist.
#[derive(Debug, Clone)]
pub(crate) struct JobEvent {
    pub(crate) job_id: String,
    pub(crate) state: JobState,
    pub(crate) at: Millis,
    pub(crate) webhooks: Vec<WebhookTarget>,
}

/// A random UUID.
pub(crate) fn uuid(rng: &mut fastrand::Rng) -> String {
    let mut bytes = [0_u8; 16];
    rng.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) jobs: Table<Job>,
    pub(crate) files: Table<File>,
    pub(crate) configurations: Table<Configuration>,
    pub(crate) webhooks: Table<WebhookConfiguration>,
    /// The texts of registered parse jobs.
    pub(crate) parse_jobs: HashMap<String, String>,
    /// Jobs by project and transaction id.
    pub(crate) transactions: HashMap<(String, String), String>,
    /// The next transition of every job that has one.
    due: BTreeSet<(Millis, u64)>,
    events: Vec<JobEvent>,
    /// Documents that were read since the log was last written, by their job's key and their index in it.
    documents_read: BTreeSet<(u64, usize)>,
    /// The log of changes, if there is a state file.
    pub(crate) log: Option<log::StateLog>,
    pub(crate) rng: fastrand::Rng,
}

impl Store {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            jobs: Table::default(),
            files: Table::default(),
            configurations: Table::default(),
            webhooks: Table::default(),
            parse_jobs: HashMap::new(),
            transactions: HashMap::new(),
            due: BTreeSet::new(),
            events: Vec::new(),
            documents_read: BTreeSet::new(),
            log: None,
            rng: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        }
    }

    /// Rebuilds the data that the log does not contain: transactions, the schedule, and a random generator that repeats
    /// no id.
    fn rebuild_indexes(&mut self) {
        let mut keys = Vec::new();
        for (key, job) in self.jobs.iter() {
            keys.push(key);
            if let Some(transaction) = &job.transaction_id {
                self.transactions
                    .insert((job.project.clone(), transaction.clone()), job.id.clone());
            }
        }
        for key in keys {
            self.schedule(key);
        }
        // A seed that starts again would repeat ids.
        self.rng = fastrand::Rng::new();
    }

    /// Clears everything except the random number generator.
    pub(crate) fn clear(&mut self) {
        let fresh = Self::new(None);
        let log = self.log.take();
        let rng = self.rng.clone();
        *self = Self { log, rng, ..fresh };
        self.clear_log();
    }

    pub(crate) fn add_parse_job(&mut self, id: String, text: String) {
        self.log_parse_job(&id, &text);
        self.parse_jobs.insert(id, text);
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.rng)
    }

    /// Adds a new job, with its transaction id if it has one.
    pub(crate) fn add_job(&mut self, job: Job) -> u64 {
        if let Some(transaction) = &job.transaction_id {
            self.transactions
                .insert((job.project.clone(), transaction.clone()), job.id.clone());
        }
        if !job.webhooks.is_empty() {
            let event = JobEvent {
                job_id: job.id.clone(),
                state: job.state,
                at: job.created,
                webhooks: job.webhooks.clone(),
            };
            self.events.push(event);
        }
        let key = self.jobs.insert(job);
        self.schedule(key);
        key
    }

    /// The job with this transaction id.
    pub(crate) fn transaction(&self, project: &str, transaction: &str) -> Option<&Job> {
        let id = self
            .transactions
            .get(&(project.to_owned(), transaction.to_owned()))?;
        self.jobs.find(id)
    }

    pub(crate) fn remove_job(&mut self, id: &str) {
        let Some(key) = self.jobs.key(id) else { return };
        let Some(job) = self.jobs.remove(id) else {
            return;
        };
        if let Some(due) = job.due {
            self.due.remove(&(due, key));
        }
        if let Some(transaction) = job.transaction_id {
            self.transactions.remove(&(job.project, transaction));
        }
    }

    pub(crate) fn cancel_job(&mut self, id: &str, now: Millis) {
        let Some(key) = self.jobs.key(id) else { return };
        self.set_state(key, JobState::Cancelled, None, now);
    }

    /// Advances every job whose time has come. Returns the time of the next transition.
    pub(crate) fn tick(&mut self, now: Millis) -> Option<Millis> {
        while let Some(&(due, key)) = self.due.first() {
            if due > now {
                return Some(due);
            }
            self.due.remove(&(due, key));
            let Some(job) = self.jobs.get_mut(key) else {
                continue;
            };
            job.due = None;
            if job.state == JobState::Pending {
                if job.parse_job_id.is_none() {
                    job.parse_job_id = job
                        .inputs
                        .first()
                        .map(|input| format!("pjb-{}", input.result_id));
                }
                self.set_state(key, JobState::Running, None, due);
            } else {
                let (state, error) = job.final_state();
                let at = due.max(job.read_at);
                self.set_state(key, state, error, at);
            }
        }
        None
    }

    /// Stores the outcome of one of a job's documents. It takes `default_duration`, unless a script sets another.
    pub(crate) fn record_outcome(
        &mut self,
        id: &str,
        index: usize,
        timed_outcome: TimedOutcome,
        default_duration: Duration,
        now: Millis,
    ) {
        let Some(key) = self.jobs.key(id) else { return };
        let Some(job) = self.jobs.get_mut_untracked(key) else {
            return;
        };
        if let Some(input) = job.inputs.get_mut(index) {
            input.duration = match timed_outcome.outcome {
                DocumentOutcome::Endless => None,
                _ => Some(millis(timed_outcome.duration.unwrap_or(default_duration))),
            };
            input.outcome = Some(timed_outcome.outcome);
        }
        job.read_at = now;
        if job.is_read() {
            // The slowest document decides, regardless of the order of reading.
            let duration = job.inputs.iter().map(|input| input.duration);
            let slowest = duration.max_by_key(|duration| duration.unwrap_or(Millis::MAX));
            job.ends_at = slowest
                .flatten()
                .map(|duration| job.created.saturating_add(duration));
        }
        self.documents_read.insert((key, index));
        self.schedule(key);
    }

    /// Returns and removes the events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<JobEvent> {
        std::mem::take(&mut self.events)
    }

    /// Adds a job's next transition to the schedule.
    pub(crate) fn schedule(&mut self, key: u64) {
        // The schedule is rebuilt from the rows and is not logged.
        let Some(job) = self.jobs.get_mut_untracked(key) else {
            return;
        };
        if let Some(due) = job.due.take() {
            self.due.remove(&(due, key));
        }
        job.due = job.next_transition();
        if let Some(due) = job.due {
            self.due.insert((due, key));
        }
    }

    fn set_state(&mut self, key: u64, state: JobState, error: Option<String>, at: Millis) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        job.state = state;
        job.error = error;
        job.updated = at.max(job.updated);
        if !job.webhooks.is_empty() {
            let event = JobEvent {
                job_id: job.id.clone(),
                state,
                at,
                webhooks: job.webhooks.clone(),
            };
            self.events.push(event);
        }
        self.schedule(key);
    }
}
