//! The whole state of an emulator, shared by its connections, its readers and its handle.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::clock::{Clock, ClockChange, Millis, system_now};
use crate::config::{ClockMode, Config};
use crate::rate_limits::RateLimiter;
use crate::read::pool::ReaderPool;
use crate::read::{ReadTask, Source};
use crate::request_log::RequestLog;
use crate::schedule::FaultSchedule;
use crate::script::Script;
use crate::state::file::parse_file_id;
use crate::state::job::{InputKind, Job};
use crate::state::{self, JobEvent, Store};
use crate::webhook::Delivery;

/// The project of requests that name none.
pub(crate) const DEFAULT_PROJECT: &str = "5e0a11ce-0000-4000-8000-000000000001";

#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) config: Config,
    pub(crate) base_url: String,
    pub(crate) clock: Clock,
    pub(crate) uploads: PathBuf,
    /// Whether the state contains all of this emulator's uploads in the folder: a state file of an earlier process
    /// does.
    knows_uploads: bool,
    /// The number of resets.
    generation: AtomicU64,
    store: Mutex<Store>,
    request_log: Mutex<RequestLog>,
    faults: Mutex<FaultSchedule>,
    scripts: Mutex<Arc<Vec<Script>>>,
    limiter: Mutex<RateLimiter>,
    reader_pool: ReaderPool,
    deliveries: Mutex<VecDeque<Delivery>>,
    /// Notified when the next due time may have changed.
    pub(crate) schedule_changed: Notify,
    pub(crate) events: mpsc::UnboundedSender<(u64, JobEvent)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held would be a bug of the emulator; continuing with the state is more useful.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedState {
    pub(crate) fn new(
        config: Config,
        base_url: String,
        uploads: PathBuf,
        events: mpsc::UnboundedSender<(u64, JobEvent)>,
    ) -> io::Result<Self> {
        let mut store = Store::new(config.seed);
        let opened = match &config.state_file {
            Some(path) => Some(state::log::open(path, &mut store)?),
            None => None,
        };
        let saved_clock = opened.as_ref().and_then(|opened| opened.clock);
        let clock = match config.clock_mode {
            ClockMode::Real => Clock::real(),
            // A saved clock continues at its last time, unless the configuration sets another.
            ClockMode::VirtualFromNow => Clock::virtual_at(saved_clock.unwrap_or_else(system_now)),
            ClockMode::VirtualFrom(start) => Clock::virtual_at(start),
        };
        let knows_uploads = opened.as_ref().is_some_and(|opened| opened.existed);
        if let Some(opened) = opened {
            let virtual_now = clock.is_virtual().then(|| clock.now());
            opened.start_writing(&mut store, virtual_now.or(saved_clock))?;
        }
        Ok(Self {
            store: Mutex::new(store),
            request_log: Mutex::new(RequestLog::new(config.request_log_size)),
            faults: Mutex::new(config.faults.clone()),
            scripts: Mutex::new(Arc::new(config.scripts.clone())),
            limiter: Mutex::new(RateLimiter::new(config.rate_limits)),
            reader_pool: ReaderPool::new(config.reader_threads),
            deliveries: Mutex::default(),
            schedule_changed: Notify::new(),
            clock,
            uploads,
            knows_uploads,
            generation: AtomicU64::new(0),
            events,
            base_url,
            config,
        })
    }

    /// Resumes the work of an earlier process: unread documents, and leftover files.
    pub(crate) fn recover(self: &Arc<Self>) {
        let store = self.store();
        let unread = store
            .jobs
            .iter()
            .filter(|(_, job)| !job.state.is_terminal() && !job.is_read());
        for (_, job) in unread {
            self.submit_documents(&store, job);
        }
        if self.config.state_file.is_some()
            && let Ok(entries) = std::fs::read_dir(&self.uploads)
        {
            for entry in entries.flatten() {
                let name = entry.file_name();
                // The folder may contain other files: only files that an emulator must have left are removed.
                let is_leftover = name.to_str().is_some_and(|name| {
                    is_partial_upload(name)
                        || self.knows_uploads
                            && parse_file_id(name).is_some_and(|id| id == name)
                            && store.files.find(name).is_none()
                });
                if is_leftover {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// The generation, which each reset increases.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The state, advanced to the current time.
    pub(crate) fn store(&self) -> StoreGuard<'_> {
        let mut guard = StoreGuard {
            shared: self,
            store: lock(&self.store),
        };
        guard.store.tick(self.now());
        guard
    }

    /// Advances the state, and returns the time of the next change.
    pub(crate) fn tick(&self) -> Option<Millis> {
        StoreGuard {
            shared: self,
            store: lock(&self.store),
        }
        .store
        .tick(self.now())
    }

    pub(crate) fn request_log(&self) -> MutexGuard<'_, RequestLog> {
        lock(&self.request_log)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultSchedule> {
        lock(&self.faults)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, RateLimiter> {
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

    /// The path of a stored file.
    pub(crate) fn path_of(&self, file_id: &str) -> PathBuf {
        self.uploads.join(file_id)
    }

    /// Queues a job's documents for reading, outside of the request.
    pub(crate) fn submit_documents(self: &Arc<Self>, store: &Store, job: &Job) {
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
            let task = ReadTask {
                source,
                configuration: Arc::clone(&job.configuration),
                scripts: self.scripts(),
                threshold: self.config.threshold,
            };
            // The pool belongs to the shared state: with a strong reference, neither would ever be dropped.
            let shared = Arc::downgrade(self);
            let id = job.id.clone();
            self.reader_pool.submit(move || {
                let timed_outcome = task.classify();
                if let Some(shared) = shared.upgrade() {
                    let now = shared.now();
                    let default_duration = shared.config.completed_after;
                    shared.store().store.record_outcome(
                        &id,
                        index,
                        timed_outcome,
                        default_duration,
                        now,
                    );
                    shared.schedule_changed.notify_one();
                }
            });
        }
        self.schedule_changed.notify_one();
    }

    /// Moves a virtual clock forward, after all documents sent so far have been read. Returns whether it could.
    pub(crate) fn advance(&self, to: ClockChange) -> bool {
        self.reader_pool.wait_until_idle(Duration::from_secs(120));
        // Under the lock, so that the last time in the log is the latest.
        let mut store = self.store();
        let moved = self.clock.advance(to);
        if self.clock.is_virtual() {
            store.log_clock(self.now());
        }
        drop(store);
        self.schedule_changed.notify_one();
        moved
    }

    /// Removes files, jobs, saved configurations and webhooks, parse jobs, the request log, the deliveries and the
    /// windows of the rate limits; scripts, faults and the clock are kept. Requests in progress are no longer logged.
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
            // The file may be gone already.
            let _ = std::fs::remove_file(self.path_of(&id));
        }
        self.request_log().clear();
        self.deliveries().clear();
        *self.limiter() = RateLimiter::new(self.config.rate_limits);
    }

    /// Removes expired files from the state and from disk.
    pub(crate) fn expire_files(&self) {
        let now = self.now();
        let expired: BTreeSet<String> = {
            let mut guard = self.store();
            // Sorted by age, so that checking the first one is usually enough.
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
        self.reader_pool.close();
        // A reader may hold the shared state a moment longer: it must not write to the state file, nor keep it locked
        // when the next emulator opens it.
        let mut store = self.store();
        store.write_log();
        store.log = None;
    }
}

/// The locked state. Its events are passed to the webhooks when it is unlocked.
pub(crate) struct StoreGuard<'w> {
    shared: &'w SharedState,
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
            // No receiver is left while the emulator stops.
            let _ = self.shared.events.send((self.shared.generation(), event));
        }
    }
}

/// The name of an incomplete upload has this prefix and the suffix below.
pub(crate) const PARTIAL_UPLOAD_PREFIX: &str = "upload-";
pub(crate) const PARTIAL_UPLOAD_SUFFIX: &str = ".part";

fn is_partial_upload(name: &str) -> bool {
    name.strip_prefix(PARTIAL_UPLOAD_PREFIX)
        .and_then(|name| name.strip_suffix(PARTIAL_UPLOAD_SUFFIX))
        .is_some_and(|random| {
            random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}
