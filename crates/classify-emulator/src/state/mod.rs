//! Everything that the emulator remembers, and the timetable by which jobs move on.

pub(crate) mod configuration;
pub(crate) mod file;
pub(crate) mod job;
pub(crate) mod log;
pub(crate) mod table;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::clock::{Millis, millis};
use crate::outcome::{Outcome, Verdict};
use configuration::{Configuration, WebhookConfiguration};
use file::File;
use job::{Hook, Job, Phase};
use table::Table;

/// A job has come to a phase that somebody may want to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) job: String,
    pub(crate) phase: Phase,
    pub(crate) at: Millis,
    pub(crate) hooks: Vec<Hook>,
}

/// A random uuid.
pub(crate) fn uuid(dice: &mut fastrand::Rng) -> String {
    let mut bytes = [0_u8; 16];
    dice.fill(&mut bytes);
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
    /// The texts of parse jobs that were registered.
    pub(crate) parse_jobs: HashMap<String, String>,
    /// Jobs by project and transaction id.
    pub(crate) transactions: HashMap<(String, String), String>,
    /// The next move of every job that has one.
    due: BTreeSet<(Millis, u64)>,
    events: Vec<Event>,
    /// Documents that were read since the log was last written, by their job's key and their place in it.
    documents_read: BTreeSet<(u64, usize)>,
    /// Where changes are written down, if they are.
    pub(crate) log: Option<log::StateLog>,
    pub(crate) dice: fastrand::Rng,
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
            dice: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        }
    }

    /// Makes whole again what a log does not hold: transactions, the timetable, and dice that repeat no id.
    fn recover(&mut self) {
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
        // A seed that began anew would draw ids a second time.
        self.dice = fastrand::Rng::new();
    }

    /// Forgets everything but the dice.
    pub(crate) fn clear(&mut self) {
        let fresh = Self::new(None);
        let log = self.log.take();
        let dice = self.dice.clone();
        *self = Self { log, dice, ..fresh };
        self.clear_log();
    }

    pub(crate) fn add_parse_job(&mut self, id: String, text: String) {
        self.log_parse_job(&id, &text);
        self.parse_jobs.insert(id, text);
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.dice)
    }

    /// Adds a new job, with its transaction id if it has one.
    pub(crate) fn add_job(&mut self, job: Job) -> u64 {
        if let Some(transaction) = &job.transaction_id {
            self.transactions
                .insert((job.project.clone(), transaction.clone()), job.id.clone());
        }
        if !job.hooks.is_empty() {
            let event = Event {
                job: job.id.clone(),
                phase: job.phase,
                at: job.created,
                hooks: job.hooks.clone(),
            };
            self.events.push(event);
        }
        let key = self.jobs.insert(job);
        self.schedule(key);
        key
    }

    /// The job that was created under this transaction id.
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
        self.enter(key, Phase::Cancelled, None, now);
    }

    /// Moves on every job whose time has come; says when the next one will.
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
            if job.phase == Phase::Pending {
                if job.parse_job_id.is_none() {
                    job.parse_job_id = job
                        .inputs
                        .first()
                        .map(|input| format!("pjb-{}", input.result_id));
                }
                self.enter(key, Phase::Running, None, due);
            } else {
                let (phase, error) = job.end();
                let at = due.max(job.read_at);
                self.enter(key, phase, error, at);
            }
        }
        None
    }

    /// Notes what has become of one of a job's documents. It takes the `usual` time, unless a script says otherwise.
    pub(crate) fn settle(
        &mut self,
        id: &str,
        index: usize,
        verdict: Verdict,
        usual: Duration,
        now: Millis,
    ) {
        let Some(key) = self.jobs.key(id) else { return };
        let Some(job) = self.jobs.get_quietly(key) else {
            return;
        };
        if let Some(input) = job.inputs.get_mut(index) {
            input.takes = match verdict.outcome {
                Outcome::Endless => None,
                _ => Some(millis(verdict.takes.unwrap_or(usual))),
            };
            input.outcome = Some(verdict.outcome);
        }
        job.read_at = now;
        if job.is_read() {
            // The slowest document decides, in whatever order they were read.
            let takes = job.inputs.iter().map(|input| input.takes);
            let slowest = takes.max_by_key(|takes| takes.unwrap_or(Millis::MAX));
            job.ends_at = slowest
                .flatten()
                .map(|takes| job.created.saturating_add(takes));
        }
        self.documents_read.insert((key, index));
        self.schedule(key);
    }

    /// What has happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Puts a job's next move into the timetable.
    pub(crate) fn schedule(&mut self, key: u64) {
        // The timetable is made anew from the rows and is in no log.
        let Some(job) = self.jobs.get_quietly(key) else {
            return;
        };
        if let Some(due) = job.due.take() {
            self.due.remove(&(due, key));
        }
        job.due = job.next_move();
        if let Some(due) = job.due {
            self.due.insert((due, key));
        }
    }

    fn enter(&mut self, key: u64, phase: Phase, error: Option<String>, at: Millis) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        job.phase = phase;
        job.error = error;
        job.updated = at.max(job.updated);
        if !job.hooks.is_empty() {
            let event = Event {
                job: job.id.clone(),
                phase,
                at,
                hooks: job.hooks.clone(),
            };
            self.events.push(event);
        }
        self.schedule(key);
    }
}
