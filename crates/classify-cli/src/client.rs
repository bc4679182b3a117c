//! The client that the flags and the environment describe.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use classify_proto::machine::PollInterval;
use classify_proto::{Api, Region};
use classify_ureq::Client;

use crate::args::global::GlobalArgs;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::network::agent::{custom_agent, proxy_from_env};
use crate::printer::Printer;

const API_KEY: &str = "LLAMA_CLOUD_API_KEY";
const FALLBACK_API_KEY: &str = "LLAMA_PARSE_API_KEY";
const BASE_URL: &str = "LLAMA_CLOUD_BASE_URL";
/// The maximum size of a key file.
const MAX_KEY_BYTES: u64 = 64 * 1024;

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
                "--emulator takes the place of the service; leave out --base-url and --region",
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
        printer.note("a local emulator answers, and its labels are not the service's");
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
            "--base-url and --region exclude each other; give one of the two",
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
        Some(agent) => Client::with_transport(classify_ureq::Transport::from_agent(agent), api),
        None => Client::new(api),
    })
}

const USER_AGENT: &str = concat!("llamacloud-prod/", env!("CARGO_PKG_VERSION"));

/// Returns the key of the flag, the file or the environment, in this order.
fn api_key(global: &GlobalArgs, printer: Printer) -> Result<Option<String>, CliError> {
    if global.api_key.is_some() && global.api_key_file.is_some() {
        return Err(CliError::usage(
            "--api-key and --api-key-file exclude each other; give one of the two",
        ));
    }
    if let Some(key) = &global.api_key {
        printer.warning(
            "--api-key shows the key to everyone who can list this machine's processes, and to the shell's history; \
             better use --api-key-file or LLAMA_CLOUD_API_KEY",
        );
        return Ok(key.expose_secret().map(str::to_owned));
    }
    if let Some(path) = &global.api_key_file {
        return read_key_file(path).map(Some);
    }
    let from_env = |name| {
        std::env::var(name)
            .ok()
            .filter(|key: &String| !key.trim().is_empty())
    };
    match from_env(API_KEY).or_else(|| from_env(FALLBACK_API_KEY)) {
        Some(key) => Ok(Some(key)),
        None => Err(CliError::new(
            ExitCode::Auth,
            "there is no API key: set LLAMA_CLOUD_API_KEY, or give --api-key-file FILE",
        )
        .hint("to try it without a key and without the network, add --emulator")),
    }
}

/// Describes where the key comes from.
pub(crate) fn api_key_source(global: &GlobalArgs) -> String {
    let is_set = |name| std::env::var(name).is_ok_and(|key| !key.trim().is_empty());
    if global.api_key.is_some() {
        "--api-key".to_owned()
    } else if let Some(path) = &global.api_key_file {
        format!("the file {}", path.display())
    } else if is_set(API_KEY) {
        API_KEY.to_owned()
    } else {
        FALLBACK_API_KEY.to_owned()
    }
}

fn read_key_file(path: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_KEY_BYTES)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_KEY_BYTES).read_to_string(&mut text))
    };
    match read {
        Ok(_) if text.trim().is_empty() => Err(CliError::new(
            ExitCode::Auth,
            format!("the key file {} is empty", path.display()),
        )),
        // An editor ends the file with a line break, which is not part of the key.
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(CliError::new(
            ExitCode::Auth,
            format!("the key file {} cannot be read: {error}", path.display()),
        )
        .path_hint(path)),
    }
}

/// Adds where an invalid setting comes from.
fn settings_error(error: classify_proto::Error) -> CliError {
    let field = error
        .field_errors()
        .first()
        .map(|found| found.field.clone());
    match field.as_deref() {
        Some("api_key") => CliError::new(ExitCode::Auth, error.to_string()),
        Some("base_url") => CliError::usage(error.to_string())
            .hint("it comes from --base-url, or from LLAMA_CLOUD_BASE_URL"),
        Some(field) if field.starts_with("headers") => {
            CliError::usage(error.to_string()).hint("it comes from LLAMA_CLOUD_CUSTOM_HEADERS")
        }
        _ => error.into(),
    }
}
