//! From flags and environment to a client: the key, the base URL, and the emulator in their place.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use classify_emulator::{Config, Emulator, RateLimits};
use classify_proto::machine::PollInterval;
use classify_proto::{Api, Region};
use classify_ureq::Client;

use crate::args::Global;
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::network;

const KEY: &str = "LLAMA_CLOUD_API_KEY";
const SECOND_KEY: &str = "LLAMA_PARSE_API_KEY";
const BASE_URL: &str = "LLAMA_CLOUD_BASE_URL";
/// No key is longer; a larger file is something else.
const LONGEST_KEY: u64 = 64 * 1024;

/// A client, with the emulator that it speaks to, if there is one.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    _emulator: Option<Emulator>,
}

impl Connection {
    /// Makes the client that the flags ask for.
    pub(crate) fn open(global: &Global, console: Console) -> Result<Self, Problem> {
        if global.emulator {
            return Self::emulated(global, console);
        }
        let key = key(global, console)?;
        let api = api(global, key.as_deref())?;
        Ok(Self {
            client: client(api, global, false)?,
            _emulator: None,
        })
    }

    fn emulated(global: &Global, console: Console) -> Result<Self, Problem> {
        if global.base_url.is_some() || global.region.is_some() {
            return Err(Problem::usage(
                "--emulator takes the place of the service; leave out --base-url and --region",
            ));
        }
        // Rate limits would only make a trial slow; `--limits` brings them back.
        let config = Config::default().rate_limits(RateLimits::none());
        let emulator = Emulator::start(config).map_err(|error| {
            Problem::new(
                Code::Unexpected,
                format!("the emulator cannot start: {error}"),
            )
        })?;
        console.note("a local emulator answers, and its labels are not the service's");
        let mut builder = Api::builder(emulator.key())
            .base_url(emulator.base_url())
            .user_agent_suffix(AGENT)
            .validate(!global.no_checks);
        if let Some(id) = &global.project_id {
            builder = builder.project(id);
        }
        if let Some(id) = &global.organization_id {
            builder = builder.organization(id);
        }
        // Its jobs take a fraction of a second, so it is asked sooner than the service would be.
        let poll_interval = PollInterval::new(Duration::from_millis(100), Duration::from_secs(1));
        Ok(Self {
            client: client(builder.build()?, global, true)?.poll_interval(poll_interval),
            _emulator: Some(emulator),
        })
    }
}

/// What requests would be made with, where none is made: nobody needs a key for that.
pub(crate) fn without_key(global: &Global) -> Result<Api, Problem> {
    if global.emulator {
        // Where it would listen makes no difference: one on this machine is like another.
        let here = Global {
            base_url: Some("http://127.0.0.1:1".to_owned()),
            region: None,
            ..global.clone()
        };
        return api(&here, Some("none"));
    }
    api(global, Some("none"))
}

fn api(global: &Global, key: Option<&str>) -> Result<Api, Problem> {
    if global.base_url.is_some() && global.region.is_some() {
        return Err(Problem::usage(
            "--base-url and --region exclude each other; give one of the two",
        ));
    }
    let builder = Api::from_lookup(|name| match name {
        KEY | SECOND_KEY => key.map(str::to_owned),
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
    let mut builder = builder.user_agent_suffix(AGENT).validate(!global.no_checks);
    if let Some(id) = &global.project_id {
        builder = builder.project(id);
    }
    if let Some(id) = &global.organization_id {
        builder = builder.organization(id);
    }
    builder.build().map_err(explain)
}

/// The client, by the way that the flags ask for.
fn client(api: Api, global: &Global, is_local: bool) -> Result<Client, Problem> {
    let proxy = if is_local {
        // The emulator of this process is nobody's to relay.
        None
    } else {
        network::proxy(&api)?
    };
    Ok(match network::agent(global, proxy.as_ref())? {
        Some(agent) => Client::with_agent(agent, api),
        None => Client::new(api),
    })
}

const AGENT: &str = concat!("llamacloud-prod/", env!("CARGO_PKG_VERSION"));

/// The key by the first way that has one: flag, file, environment.
fn key(global: &Global, console: Console) -> Result<Option<String>, Problem> {
    if global.api_key.is_some() && global.api_key_file.is_some() {
        return Err(Problem::usage(
            "--api-key and --api-key-file exclude each other; give one of the two",
        ));
    }
    if let Some(key) = &global.api_key {
        console.warn(
            "--api-key shows the key to everyone who can list this machine's processes, and to the shell's history; \
             better use --api-key-file or LLAMA_CLOUD_API_KEY",
        );
        return Ok(key.expose_secret().map(str::to_owned));
    }
    if let Some(path) = &global.api_key_file {
        return read_key(path).map(Some);
    }
    let filled = |name| {
        std::env::var(name)
            .ok()
            .filter(|key: &String| !key.trim().is_empty())
    };
    match filled(KEY).or_else(|| filled(SECOND_KEY)) {
        Some(key) => Ok(Some(key)),
        None => Err(Problem::new(
            Code::Auth,
            "there is no API key: set LLAMA_CLOUD_API_KEY, or give --api-key-file FILE",
        )
        .hint("to try it without a key and without the network, add --emulator")),
    }
}

/// Where the key is from, in words.
pub(crate) fn source(global: &Global) -> String {
    let filled = |name| std::env::var(name).is_ok_and(|key| !key.trim().is_empty());
    if global.api_key.is_some() {
        "--api-key".to_owned()
    } else if let Some(path) = &global.api_key_file {
        format!("the file {}", path.display())
    } else if filled(KEY) {
        KEY.to_owned()
    } else {
        SECOND_KEY.to_owned()
    }
}

fn read_key(path: &Path) -> Result<String, Problem> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LONGEST_KEY)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST_KEY).read_to_string(&mut text))
    };
    match read {
        Ok(_) if text.trim().is_empty() => Err(Problem::new(
            Code::Auth,
            format!("the key file {} is empty", path.display()),
        )),
        // An editor ends the file with a line break that is no part of the key.
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(Problem::new(
            Code::Auth,
            format!("the key file {} cannot be read: {error}", path.display()),
        )),
    }
}

/// A setting that cannot be used, in the words of the command line.
fn explain(error: classify_proto::Error) -> Problem {
    let field = error
        .field_errors()
        .first()
        .map(|found| found.field.clone());
    match field.as_deref() {
        Some("api_key") => Problem::new(Code::Auth, error.to_string()),
        Some("base_url") => Problem::usage(error.to_string())
            .hint("it comes from --base-url, or from LLAMA_CLOUD_BASE_URL"),
        Some(field) if field.starts_with("headers") => {
            Problem::usage(error.to_string()).hint("it comes from LLAMA_CLOUD_CUSTOM_HEADERS")
        }
        _ => error.into(),
    }
}
