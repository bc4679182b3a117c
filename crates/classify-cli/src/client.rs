//! The client that the flags and the environment describe.

use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use classify_proto::machine::PollInterval;
use classify_proto::{Api, Region};
use classify_ureq::Client;

use crate::api_key::{API_KEY, FALLBACK_API_KEY, api_key};
use crate::args::global::GlobalArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::network::agent::{custom_agent, proxy_from_env};
use crate::printer::Printer;

const BASE_URL: &str = "LLAMA_CLOUD_BASE_URL";

/// A client, and the emulator that it uses with `--emulator`.
#[derive(Debug)]
pub(crate) struct CliClient {
    pub(crate) client: Client,
    _emulator: Option<Emulator>,
}

impl CliClient {
    /// Creates the client.
    pub(crate) fn open(global: &GlobalArgs, printer: Printer) -> Result<Self, CliError> {
        if global.emulator {
            return Self::with_emulator(global, printer);
        }
        let key = api_key(global, printer)?;
        let api = build_api(global, key.as_deref())?;
        Ok(Self {
            client: build_client(api, global, false)?,
            _emulator: None,
        })
    }

    fn with_emulator(global: &GlobalArgs, printer: Printer) -> Result<Self, CliError> {
        if global.base_url.is_some() || global.region.is_some() {
            return Err(CliError::usage(
                "--emulator cannot be combined with --base-url and --region; remove them",
            ));
        }
        // Rate limits would only make a trial slow; `--rate-limit` enables them.
        let config = Config::default().rate_limits(RateLimits::none());
        let emulator = Emulator::start(config).map_err(|error| {
            CliError::new(
                ExitCode::Unexpected,
                format!("the emulator cannot start: {error}"),
            )
        })?;
        printer.note("using a local emulator; its labels are not those of the service");
        let mut builder = Api::builder(emulator.key())
            .base_url(emulator.base_url())
            .user_agent_suffix(USER_AGENT)
            .validate(!global.no_validate);
        if let Some(id) = &global.project_id {
            builder = builder.project(id);
        }
        if let Some(id) = &global.organization_id {
            builder = builder.organization(id);
        }
        // Its jobs take a fraction of a second, so they are polled more often than those of the service.
        let poll_interval = PollInterval::new(Duration::from_millis(100), Duration::from_secs(1));
        Ok(Self {
            client: build_client(builder.build()?, global, true)?.poll_interval(poll_interval),
            _emulator: Some(emulator),
        })
    }
}

/// Returns the API settings for a run that sends nothing, which needs no key.
pub(crate) fn api_without_key(global: &GlobalArgs) -> Result<Api, CliError> {
    if global.emulator {
        // The address of the emulator makes no difference.
        let local = GlobalArgs {
            base_url: Some("http://127.0.0.1:1".to_owned()),
            region: None,
            ..global.clone()
        };
        return build_api(&local, Some("none"));
    }
    build_api(global, Some("none"))
}

fn build_api(global: &GlobalArgs, key: Option<&str>) -> Result<Api, CliError> {
    if global.base_url.is_some() && global.region.is_some() {
        return Err(CliError::usage(
            "--base-url and --region cannot be combined; use one of them",
        ));
    }
    let builder = Api::from_lookup(|name| match name {
        API_KEY | FALLBACK_API_KEY => key.map(str::to_owned),
        BASE_URL => global
            .base_url
            .clone()
            .or_else(|| {
                global
                    .region
                    .map(|region| Region::from(region).base_url().to_owned())
            })
            .or_else(|| std::env::var(name).ok()),
        _ => std::env::var(name).ok(),
    });
    let mut builder = builder
        .user_agent_suffix(USER_AGENT)
        .validate(!global.no_validate);
    if let Some(id) = &global.project_id {
        builder = builder.project(id);
    }
    if let Some(id) = &global.organization_id {
        builder = builder.organization(id);
    }
    builder.build().map_err(settings_error)
}

/// Returns a client with the agent that the flags ask for.
fn build_client(api: Api, global: &GlobalArgs, is_local: bool) -> Result<Client, CliError> {
    let proxy = if is_local {
        // The emulator in this process is reached without a proxy.
        None
    } else {
        proxy_from_env(&api)?
    };
    Ok(match custom_agent(global, proxy.as_ref())? {
        Some(agent) => {
            let transport = classify_ureq::Transport::from_agent(agent).named_proxy(proxy);
            Client::with_transport(transport, api)
        }
        None => Client::new(api),
    })
}

const USER_AGENT: &str = concat!("llamacloud-prod/", env!("CARGO_PKG_VERSION"));

/// Adds the source of an invalid setting.
fn settings_error(error: classify_proto::Error) -> CliError {
    let field = error
        .field_errors()
        .first()
        .map(|found| found.field.clone());
    match field.as_deref() {
        Some("api_key") => CliError::new(ExitCode::Auth, error.to_string()),
        Some("base_url") => CliError::usage(error.to_string())
            .hint("it was set by --base-url or LLAMA_CLOUD_BASE_URL"),
        Some(field) if field.starts_with("headers") => {
            CliError::usage(error.to_string()).hint("it was set by LLAMA_CLOUD_CUSTOM_HEADERS")
        }
        _ => error.into(),
    }
}
