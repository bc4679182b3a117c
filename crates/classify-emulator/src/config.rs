//! Configuration of an emulator.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Millis;
use crate::rate_limits::RateLimits;
use crate::schedule::FaultSchedule;
use crate::script::Script;

/// The configuration of an emulator. The defaults suit tests.
///
/// ```
/// use std::time::Duration;
/// use classify_emulator::{Config, Fault, FaultSchedule};
///
/// let config = Config::default()
///     .completed_after(Duration::from_millis(20))
///     .faults(FaultSchedule::new().with(Fault::Unavailable.first(2)));
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    pub(crate) port: u16,
    pub(crate) keys: Vec<String>,
    pub(crate) running_after: Duration,
    pub(crate) completed_after: Duration,
    pub(crate) threshold: f64,
    pub(crate) scripts: Vec<Script>,
    pub(crate) faults: FaultSchedule,
    pub(crate) rate_limits: RateLimits,
    pub(crate) upload_limit: u64,
    pub(crate) body_limit: usize,
    pub(crate) seed: Option<u64>,
    pub(crate) clock_mode: ClockMode,
    pub(crate) request_log_size: usize,
    pub(crate) reader_threads: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) drip_interval: Duration,
    pub(crate) redirect_to: String,
    pub(crate) allow_loopback_webhooks: bool,
    pub(crate) webhook_retry_delay: Duration,
    pub(crate) state_file: Option<PathBuf>,
    pub(crate) upload_dir: Option<PathBuf>,
}

/// The clock of the emulator.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClockMode {
    Real,
    VirtualFromNow,
    VirtualFrom(Millis),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            keys: Vec::new(),
            running_after: Duration::from_millis(50),
            completed_after: Duration::from_millis(150),
            threshold: 0.2,
            scripts: Vec::new(),
            faults: FaultSchedule::new(),
            rate_limits: RateLimits::default(),
            upload_limit: 512 * 1024 * 1024,
            body_limit: 4 * 1024 * 1024,
            seed: None,
            clock_mode: ClockMode::Real,
            request_log_size: 20_000,
            reader_threads: 2,
            read_timeout: Duration::from_secs(30),
            drip_interval: Duration::from_millis(5),
            redirect_to: "http://elsewhere.invalid".to_owned(),
            allow_loopback_webhooks: false,
            webhook_retry_delay: Duration::from_secs(1),
            state_file: None,
            upload_dir: None,
        }
    }
}

macro_rules! setters {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty,)+) => {
        impl Config {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(mut self, $name: $kind) -> Self {
                    self.$name = $name;
                    self
                }
            )+
        }
    };
}

setters! {
    /// Sets the port on 127.0.0.1. Default: 0, any free port.
    port: u16,
    /// Sets the time from a job's creation to RUNNING. Default: 50 ms.
    running_after: Duration,
    /// Sets the time from a job's creation to its end; the job takes longer if the document has not been read by then.
    /// Default: 150 ms.
    completed_after: Duration,
    /// Sets the confidence, from 0 to 1, below which no rule matches and `type` is null. Default: 0.2.
    threshold: f64,
    /// Sets the scripts, which fix the outcomes of documents. The first one that matches a document applies. Default:
    /// none.
    scripts: Vec<Script>,
    /// Sets the fault schedule. Default: no faults.
    faults: FaultSchedule,
    /// Sets the rate limits. Default: the service's published limits of a paid plan.
    rate_limits: RateLimits,
    /// Sets the maximum size of a file in bytes. Default: 512 MiB.
    upload_limit: u64,
    /// Sets the maximum size of a JSON body in bytes. Default: 4 MiB.
    body_limit: usize,
    /// Sets how many requests the request log keeps. Default: 20,000. Counters include older requests.
    request_log_size: usize,
    /// Sets how many documents are read at once. Default: 2.
    reader_threads: usize,
    /// Sets how long a client may take to send a JSON body, or pause during an upload, before it gets a 408. Default:
    /// 30 s.
    read_timeout: Duration,
    /// Sets the pause between two pieces of a response under [`Fault::SlowDrip`](crate::Fault::SlowDrip). Default: 5
    /// ms.
    drip_interval: Duration,
    /// Sets whether webhooks may be sent to loopback and private addresses, which the service rejects. Default:
    /// `false`.
    allow_loopback_webhooks: bool,
    /// Sets the delay before a webhook's second attempt; it doubles for the third. Default: 1 s, as on the service.
    webhook_retry_delay: Duration,
}

impl Config {
    /// Sets the keys that are accepted. Default: any key, but a request without a key is rejected.
    #[must_use]
    pub fn keys<I: IntoIterator<Item = S>, S: Into<String>>(mut self, keys: I) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the seed of ids: the same seed and requests give the same ids. Default: random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Uses a clock that stands still until it is moved ([`Emulator::advance`](crate::Emulator::advance),
    /// `POST /_emulator/clock`). It starts at the machine's time, or at the time in the state file.
    #[must_use]
    pub fn virtual_clock(mut self) -> Self {
        self.clock_mode = ClockMode::VirtualFromNow;
        self
    }

    /// Uses a clock that stands still until it is moved, and starts at this time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn virtual_clock_at(mut self, unix_millis: i64) -> Self {
        self.clock_mode = ClockMode::VirtualFrom(unix_millis);
        self
    }

    /// Adds a script after the existing ones.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.scripts.push(script);
        self
    }

    /// Sets the base URL that [`Fault::Redirect`](crate::Fault::Redirect) redirects to. Default: a URL that does not
    /// resolve.
    #[must_use]
    pub fn redirect_to(mut self, base_url: impl Into<String>) -> Self {
        let base_url: String = base_url.into();
        base_url
            .trim_end_matches('/')
            .clone_into(&mut self.redirect_to);
        self
    }

    /// Keeps files, jobs and configurations across restarts in this file and, for uploads, in a folder beside it with
    /// the same name and the suffix `.files`. Default: all state is lost when the emulator stops.
    ///
    /// The file contains webhook secrets as plain text. Only one emulator at a time can use it: it locks a file with
    /// the same name and the suffix `.lock`, which is not removed.
    ///
    /// At its start, the emulator removes files from the folder that an earlier one left behind: incomplete uploads
    /// (`upload-….part`) and, unless the state file is new, files named by a UUID that the state does not contain. It
    /// leaves all other files alone.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Sets the folder for uploads, which only one emulator may use. Default: a temporary folder that is removed at the
    /// end, or the folder beside the [`state_file`](Self::state_file).
    #[must_use]
    pub fn upload_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.upload_dir = Some(path.into());
        self
    }
}
