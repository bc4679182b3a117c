//! Settings that the blocking and the async client share, and the machines made from them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use classify_proto::machine::{Context, Limiter, Observer, PollInterval, RateLimits, Retry};
use classify_proto::{Api, CallOptions, Time, TransportLimits};

/// The settings of a client. Clones share the rate limits.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) api: Arc<Api>,
    pub(crate) limits: TransportLimits,
    pub(crate) limiter: Arc<Mutex<Limiter>>,
    pub(crate) rate_limits: Option<Arc<dyn RateLimits + Send + Sync>>,
    pub(crate) observer: Option<Arc<dyn Observer + Send + Sync>>,
    pub(crate) retry: Retry,
    pub(crate) poll_interval: PollInterval,
    /// Whether the caller has set `poll_interval`. Bulk runs have another default.
    pub(crate) has_poll_interval: bool,
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) options: CallOptions,
}

impl Settings {
    pub(crate) fn new(api: Api) -> Self {
        Self {
            api: Arc::new(api),
            limits: TransportLimits::default(),
            limiter: Arc::default(),
            rate_limits: None,
            observer: None,
            retry: Retry::default(),
            poll_interval: PollInterval::default(),
            has_poll_interval: false,
            wait_timeout: None,
            options: CallOptions::default(),
        }
    }

    /// Returns the context of one step of a machine.
    pub(crate) fn context(&self, now: Time) -> Context<'_> {
        let limits: &dyn RateLimits = match &self.rate_limits {
            Some(limits) => &**limits,
            None => &*self.limiter,
        };
        let context = Context::new(&self.api, now).rate_limits(limits);
        match &self.observer {
            Some(observer) => context.observer(&**observer),
            None => context,
        }
    }

    pub(crate) fn change_rate_limits(&self, limits: &Limiter) {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.change_limits(limits);
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("api", &self.api)
            .field("limits", &self.limits)
            .field("retry", &self.retry)
            .field("poll_interval", &self.poll_interval)
            .field("wait_timeout", &self.wait_timeout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The methods that both clients have: constructors, setters, and the machines made from the settings. `$bound` is the
/// transport's trait, and `$default` the trait of a transport that can build itself.
macro_rules! client_methods {
    ($bound:path, $default:path) => {
        impl<T: $default> Client<T> {
            /// Returns a client with the default transport, which uses the proxy of the environment; see
            /// [`Proxy`](classify_proto::Proxy).
            ///
            /// If the transport cannot be built, every request fails with the reason. [`from_env`](Self::from_env)
            /// returns that error immediately.
            #[must_use]
            pub fn new(api: Api) -> Self {
                let transport = build::<T>(&api).map_err(|error| error.to_string().into());
                Self {
                    transport,
                    settings: Settings::new(api),
                }
            }

            /// Returns a client configured from environment variables; [`Api::from_lookup`] lists them.
            ///
            /// # Errors
            ///
            /// [`is_invalid`](Error::is_invalid) if the key is missing or malformed, or another variable is invalid;
            /// [`is_transport`](Error::is_transport) if the transport cannot be built.
            pub fn from_env() -> Result<Self, Error> {
                let api = api_from_env()?;
                let transport = build::<T>(&api)?;
                Ok(Self {
                    transport: Ok(transport),
                    settings: Settings::new(api),
                })
            }
        }

        fn build<T: $default>(api: &Api) -> Result<Arc<T>, Error> {
            let proxy = proxy_from_env(api)?;
            T::build(&TransportLimits::default(), proxy.as_ref()).map(Arc::new)
        }

        impl<T: $bound> Client<T> {
            /// Returns a client that sends requests with `transport`.
            #[must_use]
            pub fn with_transport(transport: T, api: Api) -> Self {
                Self {
                    transport: Ok(Arc::new(transport)),
                    settings: Settings::new(api),
                }
            }

            /// Sets the rate limits of this client and of clones made after this call. By default, the published limits
            /// of a paid plan.
            #[must_use]
            pub fn limiter(mut self, limiter: Limiter) -> Self {
                self.settings.limiter = Arc::new(Mutex::new(limiter));
                self.settings.rate_limits = None;
                self
            }

            /// Replaces the client's own rate limiter, for example by one that several machines share. Each request
            /// waits for a permit from `limits`.
            #[must_use]
            pub fn rate_limits(mut self, limits: Arc<dyn RateLimits + Send + Sync>) -> Self {
                self.settings.rate_limits = Some(limits);
                self
            }

            /// Changes the rate limits of this client and of all its clones while they run. Requests that were sent in
            /// the current windows still count. Has no effect if [`rate_limits`](Self::rate_limits) is set.
            pub fn change_rate_limits(&self, limits: &Limiter) {
                self.settings.change_rate_limits(limits);
            }

            /// Sets the retry policy. By default, a request is retried up to five times, with random backoffs of up to
            /// 8 seconds.
            #[must_use]
            pub fn retry(mut self, retry: Retry) -> Self {
                self.settings.retry = retry;
                self
            }

            /// Sets how often jobs are polled, also in bulk runs and pools. By default, the interval
            /// grows from one to ten seconds for a single job, and from two to twenty in bulk runs and pools.
            #[must_use]
            pub fn poll_interval(mut self, poll_interval: PollInterval) -> Self {
                self.settings.poll_interval = poll_interval;
                self.settings.has_poll_interval = true;
                self
            }

            /// Sets how long [`wait`](Self::wait), [`run`](Self::run) and [`classify`](Self::classify) wait for a job
            /// before they return an error. Two hours by default. The job continues after the error.
            #[must_use]
            pub fn wait_timeout(mut self, timeout: Duration) -> Self {
                self.settings.wait_timeout = Some(timeout);
                self
            }

            /// Sets the time and size limits of each attempt and the number of concurrent requests. If the transport
            /// depends on the limits, it is rebuilt; if that fails, every request fails with the reason.
            #[must_use]
            pub fn limits(mut self, limits: TransportLimits) -> Self {
                if let Ok(transport) = &self.transport {
                    match transport.rebuild(&limits) {
                        None => {}
                        Some(Ok(transport)) => self.transport = Ok(Arc::new(transport)),
                        Some(Err(error)) => self.transport = Err(error.to_string().into()),
                    }
                }
                self.settings.limits = limits;
                self
            }

            /// Adds headers, query parameters and body fields to [`call`](Self::call), [`call_raw`](Self::call_raw),
            /// [`list`](Self::list), [`pages`](Self::pages) and [`wait`](Self::wait). Set them on a clone for a single
            /// call: `client.clone().options(options).call(operation)`.
            #[must_use]
            pub fn options(mut self, options: CallOptions) -> Self {
                self.settings.options = options;
                self
            }

            /// Calls `observer` at the start and the end of each attempt, before each wait, and when the circuit
            /// breaker of a bulk run changes its state.
            #[must_use]
            pub fn observer(mut self, observer: Arc<dyn Observer + Send + Sync>) -> Self {
                self.settings.observer = Some(observer);
                self
            }

            /// Returns the base URL, API key, organization and project of this client.
            #[must_use]
            pub fn api(&self) -> &Api {
                &self.settings.api
            }

            /// Returns the machine of [`call`](Self::call), for [`start`](Self::start) and [`drive`](Self::drive).
            ///
            /// # Errors
            ///
            /// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
            pub fn prepare<O: Operation>(&self, operation: O) -> Result<Call<O>, Error> {
                Ok(Call::new(operation, self.seed()?)
                    .retry(self.settings.retry)
                    .options(self.settings.options.clone()))
            }

            /// Returns the machine of [`wait`](Self::wait), for [`start`](Self::start) and [`drive`](Self::drive).
            ///
            /// # Errors
            ///
            /// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
            pub fn waiter<W: IntoWaitable>(&self, job: W) -> Result<Waiter<W::Read>, Error> {
                let mut waiter = Waiter::by(job.into_waitable(), self.seed()?)
                    .retry(self.settings.retry)
                    .poll_interval(self.settings.poll_interval)
                    .options(self.settings.options.clone());
                if let Some(timeout) = self.settings.wait_timeout {
                    waiter = waiter.timeout(timeout);
                }
                Ok(waiter)
            }

            /// Returns the machine of [`classify`](Self::classify), for [`start`](Self::start) and
            /// [`drive`](Self::drive), which report its progress and let you save its state. For many documents, use
            /// [`bulk`](Self::bulk).
            ///
            /// # Errors
            ///
            /// [`is_transport`](Error::is_transport) if the operating system provides no random bytes.
            pub fn document_run(
                &self,
                document: HashedDocument,
                options: impl Into<JobOptions>,
            ) -> Result<Run, Error> {
                let run = Run::document(self.api(), document, options, self.seed()?);
                Ok(self.run_settings(run))
            }

            /// Returns the default options of a bulk run of this client.
            pub(crate) fn bulk_options(&self) -> BulkOptions {
                let options = BulkOptions::default().retry(self.settings.retry);
                if self.settings.has_poll_interval {
                    options.poll_interval(self.settings.poll_interval)
                } else {
                    options
                }
            }

            fn run_settings(&self, run: Run) -> Run {
                let run = run
                    .retry(self.settings.retry)
                    .poll_interval(self.settings.poll_interval);
                match self.settings.wait_timeout {
                    Some(timeout) => run.timeout(timeout),
                    None => run,
                }
            }

            fn pager<O: Paged>(&self, list: O) -> Result<Pager<O>, Error> {
                Ok(Pager::new(list, self.seed()?)
                    .retry(self.settings.retry)
                    .options(self.settings.options.clone()))
            }
        }

        impl<T> Clone for Client<T> {
            fn clone(&self) -> Self {
                Self {
                    transport: self.transport.clone(),
                    settings: self.settings.clone(),
                }
            }
        }

        impl<T> fmt::Debug for Client<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Client")
                    .field("settings", &self.settings)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use client_methods;
