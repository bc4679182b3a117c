//! One emulator's whole state, shared by its connections, its readers and its handle.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::clock::{Clock, Millis, machine_now};
use crate::config::{Config, Time};
use crate::faults::Faults;
use crate::journal::Journal;
use crate::limits::Limiter;
use crate::read::pool::Pool;
use crate::read::{Assignment, Source};
use crate::script::Script;
use crate::state::job::{InputKind, Job};
use crate::state::{self, Event, Store};
use crate::webhook::Delivery;

/// The project that requests belong to which name none.
pub(crate) const DEFAULT_PROJECT: &str = "5e0a11ce-0000-4000-8000-000000000001";

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) uploads: PathBuf,
    store: Mutex<Store>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    scripts: Mutex<Arc<Vec<Script>>>,
    limiter: Mutex<Limiter>,
    pool: Pool,
    deliveries: Mutex<VecDeque<Delivery>>,
    /// Rings when the timetable may have changed.
    pub(crate) timetable: Notify,
    pub(crate) events: mpsc::UnboundedSender<Event>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under a lock would be a defect of ours; going on with the state as it is helps the caller more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(
        config: Config,
        base_url: String,
        uploads: PathBuf,
        events: mpsc::UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let mut store = Store::new(config.seed);
        let kept = match &config.state_file {
            Some(path) => state::log::open(path, &mut store)?,
            None => None,
        };
        let clock = match config.time {
            Time::Real => Clock::real(),
            // A clock that was kept goes on where it stood, unless it is told otherwise.
            Time::VirtualFromNow => Clock::standing_at(kept.unwrap_or_else(machine_now)),
            Time::VirtualFrom(start) => Clock::standing_at(start),
        };
        Ok(Self {
            store: Mutex::new(store),
            journal: Mutex::new(Journal::new(config.journal_limit)),
            faults: Mutex::new(config.faults.clone()),
            scripts: Mutex::new(Arc::new(config.scripts.clone())),
            limiter: Mutex::new(Limiter::new(config.limits)),
            pool: Pool::new(config.readers),
            deliveries: Mutex::default(),
            timetable: Notify::new(),
            clock,
            uploads,
            events,
            base_url,
            config,
        })
    }

    /// Takes up what an earlier process left: documents still to be read, and files that nothing knows of.
    pub(crate) fn take_up(self: &Arc<Self>) {
        let store = self.store();
        let unread = store
            .jobs
            .iter()
            .filter(|(_, job)| !job.phase.is_terminal() && !job.is_read());
        for (_, job) in unread {
            self.read_documents(&store, job);
        }
        if self.config.state_file.is_some()
            && let Ok(entries) = std::fs::read_dir(&self.uploads)
        {
            for entry in entries.flatten() {
                let known = entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| store.files.find(name).is_some());
                if !known {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The state, moved on to now.
    pub(crate) fn store(&self) -> StoreGuard<'_> {
        let mut guard = StoreGuard {
            world: self,
            store: lock(&self.store),
        };
        guard.store.tick(self.now());
        guard
    }

    /// Moves the state on, and says when that will have to be done again.
    pub(crate) fn tick(&self) -> Option<Millis> {
        StoreGuard {
            world: self,
            store: lock(&self.store),
        }
        .store
        .tick(self.now())
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        lock(&self.limiter)
    }

    pub(crate) fn deliveries(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        lock(&self.deliveries)
    }

    pub(crate) fn scripts(&self) -> Arc<Vec<Script>> {
        Arc::clone(&lock(&self.scripts))
    }

    pub(crate) fn set_scripts(&self, scripts: Vec<Script>) {
        *lock(&self.scripts) = Arc::new(scripts);
    }

    /// Where a stored file's bytes are.
    pub(crate) fn path_of(&self, file_id: &str) -> PathBuf {
        self.uploads.join(file_id)
    }

    /// Has a job's documents read, off the request's path.
    pub(crate) fn read_documents(self: &Arc<Self>, store: &Store, job: &Job) {
        for (index, input) in job.inputs.iter().enumerate() {
            if input.outcome.is_some() {
                continue;
            }
            let source = match &input.kind {
                InputKind::ParseJob(id) => Source::ParseJob(store.parse_jobs.get(id).cloned()),
                InputKind::File(id) => Source::Stored {
                    path: self.path_of(id),
                    name: store
                        .files
                        .find(id)
                        .map(|file| file.name.clone())
                        .unwrap_or_default(),
                },
            };
            let assignment = Assignment {
                source,
                instructions: Arc::clone(&job.instructions),
                scripts: self.scripts(),
                threshold: self.config.threshold,
            };
            // The pool belongs to the world: a strong reference here would keep both alive for ever.
            let world = Arc::downgrade(self);
            let id = job.id.clone();
            self.pool.submit(move || {
                let verdict = assignment.judge();
                if let Some(world) = world.upgrade() {
                    let now = world.now();
                    world.store().store.settle(&id, index, verdict, now);
                    world.timetable.notify_one();
                }
            });
        }
        self.timetable.notify_one();
    }

    /// Moves a virtual clock forward, after everything asked for so far has been read.
    pub(crate) fn advance(&self, by: Duration) {
        self.pool.wait_until_idle(Duration::from_secs(120));
        self.clock.advance(by);
        let now = self.now();
        let mut store = self.store();
        if self.clock.is_virtual() {
            store.log_clock(now);
        }
        drop(store);
        self.timetable.notify_one();
    }

    /// Forgets files, jobs, configurations, the journal and the limits' windows; scripts, faults and the clock stay.
    pub(crate) fn reset(&self) {
        let files: Vec<String> = {
            let mut guard = self.store();
            let ids = guard
                .files
                .iter()
                .map(|(_, file)| file.id.clone())
                .collect();
            guard.clear();
            ids
        };
        for id in files {
            // Already gone is as good.
            let _ = std::fs::remove_file(self.path_of(&id));
        }
        self.journal().clear();
        self.deliveries().clear();
        *self.limiter() = Limiter::new(self.config.limits);
    }

    /// Removes files whose time is up, from the state and from disk.
    pub(crate) fn expire_files(&self) {
        let now = self.now();
        let expired: BTreeSet<String> = {
            let mut guard = self.store();
            // The oldest come first, so that a look at the first one is mostly enough.
            let old = guard
                .files
                .iter()
                .take_while(|(_, file)| file.expires <= now);
            let ids: BTreeSet<String> = old.map(|(_, file)| file.id.clone()).collect();
            for id in &ids {
                guard.files.remove(id);
            }
            ids
        };
        for id in expired {
            let _ = std::fs::remove_file(self.path_of(&id));
        }
    }

    pub(crate) fn close(&self) {
        self.pool.close();
        // A reader may hold the world for a moment longer: it must neither write to the state file nor keep it locked
        // when the next emulator takes it up.
        let mut store = self.store();
        store.write_log();
        store.log = None;
    }
}

/// The locked state; what has happened is handed to the webhooks when it is let go.
pub(crate) struct StoreGuard<'w> {
    world: &'w World,
    store: MutexGuard<'w, Store>,
}

impl std::ops::Deref for StoreGuard<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl std::ops::DerefMut for StoreGuard<'_> {
    fn deref_mut(&mut self) -> &mut Store {
        &mut self.store
    }
}

impl Drop for StoreGuard<'_> {
    fn drop(&mut self) {
        self.store.write_log();
        for event in self.store.take_events() {
            // Nobody is left to hear of it once the emulator stops.
            let _ = self.world.events.send(event);
        }
    }
}
