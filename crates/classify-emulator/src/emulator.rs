//! The handle of a running emulator.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::clock::ClockChange;
use crate::config::Config;
use crate::net::accept::accept;
use crate::request_log::LoggedRequest;
use crate::route::Route;
use crate::schedule::{FaultRule, FaultSchedule};
use crate::script::Script;
use crate::shared_state::SharedState;
use crate::state::job::Version;
use crate::webhook::{Delivery, deliver};

/// A running emulator. It has its own thread and port, and stops when it is dropped.
///
/// Any number of emulators can run at once, from blocking and async code.
///
/// ```
/// use classify_emulator::{Config, Emulator, Route};
///
/// let emulator = Emulator::start(Config::default())?;
/// // Send requests to `emulator.base_url()` with the key `emulator.key()`, then check them:
/// assert_eq!(emulator.count(Route::ClassifyCreate), 0);
/// assert!(emulator.jobs().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Emulator {
    shared: Arc<SharedState>,
    address: SocketAddr,
    key: String,
    stop_sender: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The temporary folder, removed after the emulator's thread has ended.
    _uploads: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Nothing else: the other fields contain keys and webhook secrets.
        f.debug_struct("Emulator")
            .field("base_url", &self.shared.base_url)
            .finish_non_exhaustive()
    }
}

/// A job of the emulator.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobView {
    /// The id of the job.
    pub id: String,
    /// The status that the API returns now.
    pub status: &'static str,
    /// The id that was classified; the first if there are several.
    pub file_input: String,
    /// The transaction id of the create.
    pub transaction_id: Option<String>,
    /// The complete job object that the API returns now.
    pub json: Value,
}

impl Emulator {
    /// Starts an emulator. It accepts requests as soon as this function returns.
    ///
    /// # Errors
    ///
    /// If the port is in use, a folder cannot be created, the state file cannot be used, a script's pattern is invalid,
    /// or a fault rule can never trigger.
    pub fn start(config: Config) -> io::Result<Self> {
        if let Some(pattern_error) = config.scripts.iter().find_map(Script::pattern_error) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a script cannot be used: {pattern_error}"),
            ));
        }
        if let Some(pattern_error) = config
            .faults
            .rules()
            .iter()
            .find_map(FaultRule::validation_error)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the fault schedule cannot be used: {pattern_error}"),
            ));
        }
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("port {} on 127.0.0.1 cannot be used: {error}", config.port),
                )
            })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (uploads, temporary) = upload_dir(&config)?;
        let (events, event_receiver) = mpsc::unbounded_channel();
        let key = config
            .keys
            .first()
            .cloned()
            .unwrap_or_else(|| "llx-emulator".to_owned());
        let shared = SharedState::new(config, format!("http://{address}"), uploads, events)?;
        let shared = Arc::new(shared);
        shared.recover();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop_sender, stop_receiver) = oneshot::channel();
        let server = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("classify-emulator".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Registered here, because it needs a running runtime.
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = accept(Arc::clone(&server), listener) => {}
                        () = run_timers(Arc::clone(&server)) => {}
                        () = deliver(Arc::clone(&server), event_receiver) => {}
                        _ = stop_receiver => {}
                    }
                });
                server.close();
                runtime.shutdown_timeout(Duration::from_secs(1));
            })?;
        Ok(Self {
            shared,
            address,
            key,
            stop_sender: Some(stop_sender),
            thread: Some(thread),
            _uploads: temporary,
        })
    }

    /// Returns the base URL, such as `http://127.0.0.1:49200`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a key that is accepted.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the requests so far, oldest first, up to the size of the request log.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.request_log().all()
    }

    /// Returns the number of requests for a route, including those with faults.
    #[must_use]
    pub fn count(&self, route: Route) -> u64 {
        self.shared.request_log().count(route)
    }

    /// Returns the number of all requests.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.shared.request_log().total()
    }

    /// Returns the jobs of both versions, in the order of their creation.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        let store = self.shared.store();
        let views = store.jobs.iter().map(|(_, job)| JobView {
            id: job.id.clone(),
            status: job.status(),
            file_input: job
                .inputs
                .first()
                .map(|input| input.requested_id.clone())
                .unwrap_or_default(),
            transaction_id: job.transaction_id.clone(),
            json: if job.version == Version::V2 {
                job.to_json(true)
            } else {
                job.to_json_v1()
            },
        });
        views.collect()
    }

    /// Returns the number of jobs. A document that was charged twice has two.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.shared.store().jobs.len()
    }

    /// Returns the number of files.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.shared.store().files.len()
    }

    /// Returns the folder with the uploads: one file each, without incomplete uploads.
    #[must_use]
    pub fn upload_dir(&self) -> &Path {
        &self.shared.uploads
    }

    /// Registers the text of a parse job, so that a job can have this `pjb-…` id as its input.
    pub fn add_parse_job(&self, id: impl Into<String>, text: impl Into<String>) {
        self.shared.store().add_parse_job(id.into(), text.into());
    }

    /// Returns the webhook deliveries so far, one entry per attempt, oldest first, up to the size of the request log.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries().iter().cloned().collect()
    }

    /// Replaces the fault schedule and restarts its counters.
    pub fn set_faults(&self, faults: FaultSchedule) {
        *self.shared.faults() = faults;
    }

    /// Replaces the scripts, for documents that are read from now on.
    ///
    /// # Errors
    ///
    /// If a script's pattern is invalid. The scripts are then unchanged.
    pub fn set_scripts(&self, scripts: Vec<Script>) -> io::Result<()> {
        if let Some(pattern_error) = scripts.iter().find_map(Script::pattern_error) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a script cannot be used: {pattern_error}"),
            ));
        }
        self.shared.set_scripts(scripts);
        Ok(())
    }

    /// Returns the emulator's time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.shared.now()
    }

    /// Moves a virtual clock forward, after all documents sent so far have been read. Does nothing to a real clock.
    pub fn advance(&self, by: Duration) {
        self.shared.advance(ClockChange::By(by));
    }

    /// Removes files, jobs, saved configurations and webhooks, parse jobs, the request log, the counters, the
    /// deliveries and the usage of the rate limits. Scripts, the fault schedule with its counters, and the clock are
    /// kept; the numbering of requests continues.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Stops the emulator and waits until it has stopped. Dropping it does the same.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if let Some(stop_sender) = self.stop_sender.take() {
            // It may have stopped already.
            let _ = stop_sender.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn upload_dir(config: &Config) -> io::Result<(PathBuf, Option<tempfile::TempDir>)> {
    let configured = config.upload_dir.clone().or_else(|| {
        let mut name = config.state_file.clone()?.into_os_string();
        name.push(".files");
        Some(PathBuf::from(name))
    });
    if let Some(path) = configured {
        std::fs::create_dir_all(&path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "the upload folder {} cannot be created: {error}",
                    path.display()
                ),
            )
        })?;
        return Ok((path, None));
    }
    let temporary = tempfile::Builder::new()
        .prefix("classify-emulator-")
        .tempdir()?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Advances jobs when their time comes, so that webhooks are sent without a request.
async fn run_timers(shared: Arc<SharedState>) {
    loop {
        let next_due = shared.tick();
        let changed = shared.schedule_changed.notified();
        match next_due {
            Some(next_due) if !shared.clock.is_virtual() => {
                let wait = u64::try_from(next_due.saturating_sub(shared.now())).unwrap_or(0);
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                }
            }
            _ => changed.await,
        }
    }
}
