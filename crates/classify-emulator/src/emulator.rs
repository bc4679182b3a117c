//! The handle to a running emulator.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Move;
use crate::config::Config;
use crate::faults::{FaultRule, Faults};
use crate::journal::Recorded;
use crate::net::accept::accept;
use crate::route::Route;
use crate::script::Script;
use crate::state::job::Version;
use crate::webhook::{Delivery, deliver};
use crate::world::World;

/// A running emulator. It has a thread and a port of its own, and stops when it is dropped.
///
/// Any number run side by side, for blocking and for async callers alike.
pub struct Emulator {
    world: Arc<World>,
    address: SocketAddr,
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removed with the emulator, after its thread has ended.
    _uploads: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No more: the rest holds keys and webhook secrets.
        f.debug_struct("Emulator")
            .field("base_url", &self.world.base_url)
            .finish_non_exhaustive()
    }
}

/// A job as the emulator knows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobView {
    /// The job's id.
    pub id: String,
    /// The status as the API shows it now.
    pub status: &'static str,
    /// The id that the job was asked to classify; the first, if there are several.
    pub file_input: String,
    /// The idempotency key that it was created with.
    pub transaction_id: Option<String>,
    /// The whole job object as the API shows it now.
    pub shown: Value,
}

impl Emulator {
    /// Starts an emulator; it answers as soon as this returns.
    ///
    /// # Errors
    ///
    /// When the port is taken, a folder cannot be made, the state file cannot be used, a script's pattern is none, or a
    /// rule of the plan of faults can never strike.
    pub fn start(config: Config) -> io::Result<Self> {
        if let Some(problem) = config.scripts.iter().find_map(Script::problem) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a script cannot be used: {problem}"),
            ));
        }
        if let Some(problem) = config.faults.rules().iter().find_map(FaultRule::problem) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the plan of faults cannot be used: {problem}"),
            ));
        }
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("port {} on 127.0.0.1 cannot be had: {error}", config.port),
                )
            })?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (uploads, temporary) = upload_dir(&config)?;
        let (events, heard) = mpsc::unbounded_channel();
        let key = config
            .keys
            .first()
            .cloned()
            .unwrap_or_else(|| "llx-emulator".to_owned());
        let world = World::new(config, format!("http://{address}"), uploads, events)?;
        let world = Arc::new(world);
        world.take_up();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&world);
        let thread = std::thread::Builder::new()
            .name("classify-emulator".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Registered here, since it asks for a running runtime.
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    tokio::select! {
                        () = accept(Arc::clone(&shared), listener) => {}
                        () = keep_time(Arc::clone(&shared)) => {}
                        () = deliver(Arc::clone(&shared), heard) => {}
                        _ = stopped => {}
                    }
                });
                shared.close();
                runtime.shutdown_timeout(Duration::from_secs(1));
            })?;
        Ok(Self {
            world,
            address,
            key,
            stop: Some(stop),
            thread: Some(thread),
            _uploads: temporary,
        })
    }

    /// Where it answers, for example `http://127.0.0.1:49200`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.world.base_url
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A key that is accepted.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The requests so far, oldest first, as many as the journal keeps.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.world.journal().all()
    }

    /// How many requests there were for a route, faulted ones included.
    #[must_use]
    pub fn count(&self, route: Route) -> u64 {
        self.world.journal().count(route)
    }

    /// How many requests there were in all.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.world.journal().total()
    }

    /// The jobs of both versions, in the order of their creation.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        let store = self.world.store();
        let views = store.jobs.iter().map(|(_, job)| JobView {
            id: job.id.clone(),
            status: job.status(),
            file_input: job
                .inputs
                .first()
                .map(|input| input.given.clone())
                .unwrap_or_default(),
            transaction_id: job.transaction_id.clone(),
            shown: if job.version == Version::V2 {
                job.show(true)
            } else {
                job.show_v1()
            },
        });
        views.collect()
    }

    /// How many jobs exist. A document that is billed twice has two.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.world.store().jobs.len()
    }

    /// How many files exist.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.world.store().files.len()
    }

    /// The folder that holds the uploads; one file each, and nothing of those that were cut off.
    #[must_use]
    pub fn upload_dir(&self) -> &Path {
        &self.world.uploads
    }

    /// Registers the text of a parse job, so that a job with this `pjb-…` input has something to read.
    pub fn add_parse_job(&self, id: impl Into<String>, text: impl Into<String>) {
        self.world.store().add_parse_job(id.into(), text.into());
    }

    /// The webhook attempts so far, oldest first, as many as the journal keeps requests.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.world.deliveries().iter().cloned().collect()
    }

    /// Replaces the plan of faults; counting begins anew.
    pub fn set_faults(&self, faults: Faults) {
        *self.world.faults() = faults;
    }

    /// Replaces the scripts, for documents that are read from now on.
    ///
    /// # Errors
    ///
    /// When a script's pattern is none; then the scripts stay as they were.
    pub fn set_scripts(&self, scripts: Vec<Script>) -> io::Result<()> {
        if let Some(problem) = scripts.iter().find_map(Script::problem) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a script cannot be used: {problem}"),
            ));
        }
        self.world.set_scripts(scripts);
        Ok(())
    }

    /// The emulator's time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.world.now()
    }

    /// Moves a virtual clock forward, after every document sent so far has been read. A real clock stays as it is.
    pub fn advance(&self, by: Duration) {
        self.world.advance(Move::By(by));
    }

    /// Forgets files, jobs, saved configurations and webhooks, parse jobs, the journal, the counters, the deliveries and
    /// what was used up of the limits. Scripts, the plan of faults with what it has counted, and the clock stay; the
    /// journal's numbers go on.
    pub fn reset(&self) {
        self.world.reset();
    }

    /// Stops the emulator and waits until it has stopped. Dropping it does the same.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have stopped already.
            let _ = stop.send(());
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
    let fixed = config.upload_dir.clone().or_else(|| {
        let mut name = config.state_file.clone()?.into_os_string();
        name.push(".files");
        Some(PathBuf::from(name))
    });
    if let Some(path) = fixed {
        std::fs::create_dir_all(&path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "the upload folder {} cannot be made: {error}",
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

/// Moves jobs on when their time comes, so that webhooks need no request to set them off.
async fn keep_time(world: Arc<World>) {
    loop {
        let due = world.tick();
        let rung = world.timetable.notified();
        match due {
            Some(due) if !world.clock.is_virtual() => {
                let wait = u64::try_from(due.saturating_sub(world.now())).unwrap_or(0);
                tokio::select! {
                    () = rung => {}
                    () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                }
            }
            _ => rung.await,
        }
    }
}
