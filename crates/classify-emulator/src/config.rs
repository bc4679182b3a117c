//! How an emulator is set up.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Millis;
use crate::rate_limits::RateLimits;
use crate::schedule::FaultSchedule;
use crate::script::Script;

/// How an emulator is set up. Every value has a default that suits a test.
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

/// Which clock the emulator goes by.
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
    /// The port on 127.0.0.1; 0, the default, takes a free one.
    port: u16,
    /// The time from a job's creation to RUNNING; 50 ms by default.
    running_after: Duration,
    /// The time from a job's creation to its end, if the document has been read by then; 150 ms by default.
    completed_after: Duration,
    /// The confidence below which no rule matches and `type` is null, between 0 and 1; 0.2 by default.
    threshold: f64,
    /// Outcomes fixed beforehand; the first script that fits a document counts.
    scripts: Vec<Script>,
    /// What goes wrong and when; nothing by default.
    faults: FaultSchedule,
    /// Rate limits; the service's published ones by default.
    rate_limits: RateLimits,
    /// The largest file accepted, in bytes; 512 MiB by default.
    upload_limit: u64,
    /// The largest JSON body accepted, in bytes; 4 MiB by default.
    body_limit: usize,
    /// How many requests the request log keeps; 20,000 by default. Counters go on beyond that.
    request_log_size: usize,
    /// How many documents are read side by side; 2 by default.
    reader_threads: usize,
    /// How long a client may take over a JSON body, or stay silent in the middle of an upload, before it is answered
    /// with 408; 30 s by default.
    read_timeout: Duration,
    /// The pause between two pieces of a reply under [`Fault::SlowDrip`](crate::Fault::SlowDrip); 5 ms by default.
    drip_interval: Duration,
    /// Whether webhooks may go to loopback and private addresses, which the service refuses; no by default.
    allow_loopback_webhooks: bool,
    /// The delay before a webhook's second attempt, doubled for the third; one second on the service and by default.
    webhook_retry_delay: Duration,
}

impl Config {
    /// The only keys accepted. By default any key is, so long as there is one.
    #[must_use]
    pub fn keys<I: IntoIterator<Item = S>, S: Into<String>>(mut self, keys: I) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Makes ids repeatable: the same seed and requests give the same ids. Otherwise they are drawn anew each time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets time move only when told ([`Emulator::advance`](crate::Emulator::advance), `POST /_emulator/clock`).
    /// The clock starts at the machine's time, or where a state file says that it stood.
    #[must_use]
    pub fn virtual_clock(mut self) -> Self {
        self.clock_mode = ClockMode::VirtualFromNow;
        self
    }

    /// Lets time move only when told, from this moment on, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn virtual_clock_at(mut self, unix_millis: i64) -> Self {
        self.clock_mode = ClockMode::VirtualFrom(unix_millis);
        self
    }

    /// Adds a script after those already there.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.scripts.push(script);
        self
    }

    /// The base URL that [`Fault::Redirect`](crate::Fault::Redirect) points to; by default one that leads nowhere.
    #[must_use]
    pub fn redirect_to(mut self, base_url: impl Into<String>) -> Self {
        let base_url: String = base_url.into();
        base_url
            .trim_end_matches('/')
            .clone_into(&mut self.redirect_to);
        self
    }

    /// Keeps files, jobs and configurations across restarts in this file and, for uploads, in a folder beside it
    /// named after it with `.files` at the end. Without it, all state ends with the emulator.
    ///
    /// The file holds webhook secrets as they were given. One emulator at a time may use it; another is refused, by
    /// means of a lock on a file beside it that has its name with `.lock` at the end and stays there.
    ///
    /// When it starts, the emulator removes from the folder what an earlier one has left behind: uploads that were
    /// never completed (`upload-….part`) and, unless the state file is new, files named by a bare uuid of which the
    /// state knows nothing. It touches nothing else there.
    #[must_use]
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// The folder for uploads, of one emulator only. By default a temporary one that is removed at the end, or with a
    /// [`state_file`](Self::state_file) the folder beside it.
    #[must_use]
    pub fn upload_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.upload_dir = Some(path.into());
        self
    }
}
