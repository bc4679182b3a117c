//! One emulator's whole state, shared by its connections, its readers and its handle.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::clock::{Clock, Millis, Move, machine_now};
use crate::config::{Config, Time};
use crate::faults::Faults;
use crate::journal::Journal;
use crate::limits::Limiter;
use crate::read::pool::Pool;
use crate::read::{Assignment, Source};
use crate::script::Script;
use crate::state::file::bare_id;
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
    /// Whether the state knows of every upload in the folder that is its own: that of an earlier process does.
    uploads_are_known: bool,
    /// How often everything was forgotten.
    generation: AtomicU64,
    store: Mutex<Store>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    scripts: Mutex<Arc<Vec<Script>>>,
    limiter: Mutex<Limiter>,
    pool: Pool,
    deliveries: Mutex<VecDeque<Delivery>>,
    /// Rings when the timetable may have changed.
    pub(crate) timetable: Notify,
    pub(crate) events: mpsc::UnboundedSender<(u64, Event)>,
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
        events: mpsc::UnboundedSender<(u64, Event)>,
    ) -> io::Result<Self> {
        let mut store = Store::new(config.seed);
        let found = match &config.state_file {
            Some(path) => Some(state::log::open(path, &mut store)?),
            None => None,
        };
        let kept = found.as_ref().and_then(|found| found.clock);
        let clock = match config.time {
            Time::Real => Clock::real(),
            // A clock that was kept goes on where it stood, unless it is told otherwise.
            Time::VirtualFromNow => Clock::standing_at(kept.unwrap_or_else(machine_now)),
            Time::VirtualFrom(start) => Clock::standing_at(start),
        };
        let uploads_are_known = found.as_ref().is_some_and(|found| found.is_known);
        if let Some(found) = found {
            let standing = clock.is_virtual().then(|| clock.now());
            found.go_on(&mut store, standing.or(kept))?;
        }
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
            uploads_are_known,
            generation: AtomicU64::new(0),
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
                let name = entry.file_name();
                // The folder may be somebody's: only what an emulator must have left there is taken away.
                let left_over = name.to_str().is_some_and(|name| {
                    is_begun_upload(name)
                        || self.uploads_are_known
                            && bare_id(name).is_some_and(|id| id == name)
                            && store.files.find(name).is_none()
                });
                if left_over {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// Tells what was before everything was forgotten from what came after.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
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
                    let usual = world.config.completed_after;
                    world.store().store.settle(&id, index, verdict, usual, now);
                    world.timetable.notify_one();
                }
            });
        }
        self.timetable.notify_one();
    }

    /// Moves a virtual clock forward, after everything asked for so far has been read; tells whether it could.
    pub(crate) fn advance(&self, to: Move) -> bool {
        self.pool.wait_until_idle(Duration::from_secs(120));
        // Under the lock: what the log says last is the latest time.
        let mut store = self.store();
        let moved = self.clock.advance(to);
        if self.clock.is_virtual() {
            store.log_clock(self.now());
        }
        drop(store);
        self.timetable.notify_one();
        moved
    }

    /// Forgets files, jobs, saved configurations and webhooks, parse jobs, the journal, the deliveries and the limits'
    /// windows; scripts, faults and the clock stay. What is under way meanwhile is not noted any more.
    pub(crate) fn reset(&self) {
        let files: Vec<String> = {
            let mut guard = self.store();
            let ids = guard
                .files
                .iter()
                .map(|(_, file)| file.id.clone())
                .collect();
            guard.clear();
            self.generation.fetch_add(1, Ordering::SeqCst);
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
            let _ = self.world.events.send((self.world.generation(), event));
        }
    }
}

/// The name of an upload before it is complete.
pub(crate) const BEGUN: (&str, &str) = ("upload-", ".part");

fn is_begun_upload(name: &str) -> bool {
    name.strip_prefix(BEGUN.0)
        .and_then(|name| name.strip_suffix(BEGUN.1))
        .is_some_and(|drawn| drawn.len() == 6 && drawn.bytes().all(|b| b.is_ascii_alphanumeric()))
}
