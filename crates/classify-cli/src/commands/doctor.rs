//! `doctor`: checks the connection to the service, step by step.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime};

use classify_proto::{Hint, Proxy, http, v2};
use serde::Serialize;

use crate::api_key::api_key_source;
use crate::args::global::GlobalArgs;
use crate::client::CliClient;
use crate::connection_hint::connection_hint;
use crate::error::CliError;
use crate::exit_code::ExitCode;
use crate::network::agent::{build_agent, proxy_from_env};
use crate::output::OutputWriter;
use crate::output::results::{ResultCount, ResultKind, ResultWriter};
use crate::printer::Printer;
use crate::terminal::escape;

/// The timeout of each TCP connection attempt, and of the request without the key.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum clock skew in seconds. With more, signed URLs and certificates fail.
const MAX_CLOCK_SKEW: u64 = 60;
const PROXY_VARIABLES: [&str; 8] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// The result of a step. The serialized fields are the keys of the JSON output.
#[derive(Debug, Serialize)]
struct StepResult {
    check: &'static str,
    result: &'static str,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    #[serde(skip)]
    code: Option<ExitCode>,
}

impl StepResult {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            result: "ok",
            found: found.into(),
            change: None,
            code: None,
        }
    }

    fn warning(check: &'static str, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self {
            result: "warning",
            change: Some(change.into()),
            ..Self::ok(check, found)
        }
    }

    fn error(
        check: &'static str,
        code: ExitCode,
        found: impl Into<String>,
        change: impl Into<String>,
    ) -> Self {
        Self {
            result: "error",
            code: Some(code),
            ..Self::warning(check, found, change)
        }
    }
}

/// Runs all steps, and prints a remedy for each that fails.
pub(crate) fn doctor(global: &GlobalArgs, printer: Printer) -> Result<(), CliError> {
    let mut steps = StepPrinter::new(global)?;
    let cli_client = match CliClient::open(global, printer) {
        Ok(cli_client) => cli_client,
        Err(CliError::Report(report)) => {
            let change = report.hint.clone().unwrap_or_else(|| {
                "correct the setting, then run `llamacloud-prod doctor` again".to_owned()
            });
            steps.add(&StepResult::error(
                "settings",
                report.code,
                &*report.message,
                change,
            ))?;
            return steps.finish();
        }
        Err(error) => return Err(error),
    };
    steps.add(&check_key(global))?;
    let base_url = cli_client.client.api().base_url().to_owned();
    steps.add(&check_region(&base_url, global))?;
    let uri = cli_client.client.api().base_uri().clone();
    let host = uri
        .host()
        .unwrap_or_default()
        .trim_matches(['[', ']'])
        .to_owned();
    let default_port = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = uri.port_u16().unwrap_or(default_port);

    let proxy = proxy_from_env(cli_client.client.api())?;
    let proxy_step = check_proxy(&cli_client, &host, proxy.as_ref());
    steps.add(&proxy_step)?;
    if proxy_step.code.is_some() {
        // Everything that follows would fail in the same way.
        return steps.finish();
    }
    if proxy.is_some() {
        steps.add(&StepResult::ok("dns", "resolved by the proxy"))?;
    } else {
        match resolve(&host, port) {
            Ok(addresses) => {
                steps.add(&StepResult::ok(
                    "dns",
                    format!("{host} is {}", addresses[0].ip()),
                ))?;
                steps.add(&check_tcp(&addresses))?;
            }
            Err(step) => steps.add(&step)?,
        }
    }
    for step in check_tls_and_clock(&uri, proxy.as_ref(), global)? {
        steps.add(&step)?;
    }
    steps.add(&check_list(&cli_client))?;
    steps.finish()
}

/// Prints each result at once.
struct StepPrinter {
    /// `None` prints for people.
    results: Option<ResultWriter>,
    output: OutputWriter,
    first_code: Option<ExitCode>,
    errors: usize,
}

impl StepPrinter {
    fn new(global: &GlobalArgs) -> Result<Self, CliError> {
        let results = (!global.prints_for_people())
            .then(|| {
                ResultWriter::open(
                    global.result_settings(),
                    None,
                    ResultKind::Other,
                    ResultCount::Many,
                )
            })
            .transpose()?;
        Ok(Self {
            results,
            output: OutputWriter::stdout(),
            first_code: None,
            errors: 0,
        })
    }

    fn add(&mut self, step: &StepResult) -> Result<(), CliError> {
        if let Some(code) = step.code {
            self.first_code.get_or_insert(code);
            self.errors += 1;
        }
        if let Some(results) = &mut self.results {
            let json = serde_json::to_string(step).unwrap_or_default();
            return results.write(&json);
        }
        let line = format!("{:<8} {:<9} {}", step.result, step.check, step.found);
        self.output.line(&escape(&line))?;
        match &step.change {
            Some(change) => self
                .output
                .line(&escape(&format!("{:<18} -> {change}", ""))),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(), CliError> {
        if let Some(results) = self.results {
            results.finish()?;
        }
        match self.first_code {
            None => Ok(()),
            Some(code) => Err(CliError::new(
                code,
                format!(
                    "{} found; see above",
                    if self.errors == 1 {
                        "1 problem".to_owned()
                    } else {
                        format!("{} problems", self.errors)
                    }
                ),
            )),
        }
    }
}

/// Checks the key without printing it or its length.
fn check_key(global: &GlobalArgs) -> StepResult {
    if global.emulator {
        return StepResult::ok("key", "not needed by the emulator");
    }
    let source = api_key_source(global);
    if global.api_key.is_some() {
        return StepResult::warning(
            "key",
            format!("set by {source}"),
            "it is visible in the process list; use --api-key-file or LLAMA_CLOUD_API_KEY",
        );
    }
    StepResult::ok("key", format!("set by {source}"))
}

fn check_region(base_url: &str, global: &GlobalArgs) -> StepResult {
    use classify_proto::Region;
    let name = if base_url == Region::Na.base_url() {
        "North America (na)"
    } else if base_url == Region::Eu.base_url() {
        "Europe (eu)"
    } else if global.emulator {
        "the emulator in this process"
    } else {
        "not a region of the service; requests go to the base URL"
    };
    StepResult::ok("region", format!("{base_url}: {name}"))
}

fn check_proxy(cli_client: &CliClient, host: &str, proxy: Option<&Proxy>) -> StepResult {
    let set: Vec<&str> = PROXY_VARIABLES
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    let names = set.join(", ");
    if let Some(proxy) = proxy {
        // The address alone: a name and a password may stand beside it.
        return match reach(proxy) {
            Ok(()) => StepResult::ok("proxy", format!("{proxy} answers ({names} set)")),
            Err(reason) => StepResult::error(
                "proxy",
                ExitCode::Unexpected,
                format!(
                    "{proxy}, from {}, cannot be reached: {reason}",
                    proxy.variable()
                ),
                format!(
                    "correct {}, or list {host} in NO_PROXY to bypass the proxy",
                    proxy.variable()
                ),
            ),
        };
    }
    if set.iter().all(|name| name.eq_ignore_ascii_case("NO_PROXY")) {
        return StepResult::ok("proxy", "none");
    }
    let without_exceptions = Proxy::from_lookup(cli_client.client.api(), |name| {
        let lookup = || std::env::var(name).ok();
        (!name.eq_ignore_ascii_case("NO_PROXY")).then(lookup)?
    });
    if !matches!(without_exceptions, Ok(None)) {
        let found = format!("not used, because of NO_PROXY ({names} set)");
        return StepResult::ok("proxy", found);
    }
    let address = host.parse::<std::net::IpAddr>();
    if address.is_ok_and(|address| address.is_loopback()) || host.ends_with("localhost") {
        let found = format!("not used for this machine ({names} set)");
        return StepResult::ok("proxy", found);
    }
    StepResult::warning(
        "proxy",
        format!("not used, although {names} is set"),
        "for a base URL with https, set HTTPS_PROXY or ALL_PROXY",
    )
}

/// Opens a connection to the proxy and closes it.
fn reach(proxy: &Proxy) -> Result<(), String> {
    let host = proxy.host().trim_matches(['[', ']']);
    let addresses = (host, proxy.port())
        .to_socket_addrs()
        .map_err(|error| error.to_string())?;
    let mut last = "the host has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, STEP_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// Describes a proxy that rejects `CONNECT` for good; `None` for any other error.
fn check_connect(error: &ureq::Error, proxy: Option<&Proxy>, host: &str) -> Option<StepResult> {
    let (ureq::Error::ConnectProxyFailed(reason), Some(proxy)) = (error, proxy) else {
        return None;
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let digits = &reason[reason.find(is_digit)?..];
    let status: u16 = digits.split(|c| !is_digit(c)).next()?.parse().ok()?;
    let variable = proxy.variable();
    let change = match status {
        407 => {
            format!("add a user name and a password to {variable}: http://USER:PASSWORD@HOST:PORT")
        }
        400..500 => format!(
            "ask the operator of the proxy to allow {host}, or list it in NO_PROXY to bypass the proxy"
        ),
        _ => return None,
    };
    Some(StepResult::error(
        "proxy",
        ExitCode::Unexpected,
        format!("{proxy}, from {variable}, rejected the connection to {host} with status {status}"),
        change,
    ))
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, StepResult> {
    let error = |reason: String| {
        StepResult::error(
            "dns",
            ExitCode::Unexpected,
            format!("{host} cannot be resolved: {reason}"),
            "check the base URL, the DNS of this machine, and whether HTTPS_PROXY should be set",
        )
    };
    match (host, port).to_socket_addrs() {
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() {
                Err(error("no address found".to_owned()))
            } else {
                Ok(addresses)
            }
        }
        Err(cause) => Err(error(cause.to_string())),
    }
}

fn check_tcp(addresses: &[SocketAddr]) -> StepResult {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, STEP_TIMEOUT) {
            Ok(_) => return StepResult::ok("tcp", format!("{address} answers")),
            Err(error) => last = Some(format!("{address}: {error}")),
        }
    }
    StepResult::error(
        "tcp",
        ExitCode::Unexpected,
        format!("no connection: {}", last.unwrap_or_default()),
        "check for a firewall and whether HTTPS_PROXY should be set; if the server is your own, check that it is running",
    )
}

/// Sends a request without the key: checks TLS, and the clock by the date of the response.
fn check_tls_and_clock(
    uri: &http::Uri,
    proxy: Option<&Proxy>,
    global: &GlobalArgs,
) -> Result<Vec<StepResult>, CliError> {
    let agent = build_agent(global, proxy)?;
    let result = agent
        .get(uri)
        .config()
        .timeout_global(Some(STEP_TIMEOUT))
        .build()
        .call();
    let is_tls = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
    let response = match result {
        Ok(response) => response,
        Err(error) => {
            if let Some(step) = check_connect(&error, proxy, uri.host().unwrap_or_default()) {
                return Ok(vec![step]);
            }
            let text = error.to_string();
            let change = connection_hint(&text).unwrap_or(
                "check --base-url, the proxy variables, and for a firewall that closes connections",
            );
            let check = if is_tls { "tls" } else { "http" };
            return Ok(vec![StepResult::error(
                check,
                ExitCode::Unexpected,
                text,
                change,
            )]);
        }
    };
    let tls = if is_tls {
        StepResult::ok("tls", "the certificate is trusted")
    } else {
        StepResult::ok("http", "not used, because the base URL begins with http://")
    };
    let date = response
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let clock = match date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
        None => StepResult::ok("clock", "the response has no date to compare with"),
        Some(date) => {
            let server_time = date.timestamp().as_second();
            let local_time = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
                });
            let skew = server_time.abs_diff(local_time);
            if skew > MAX_CLOCK_SKEW {
                StepResult::warning(
                    "clock",
                    format!("{skew} s different from the service's clock"),
                    "set the clock of this machine, for example by NTP",
                )
            } else {
                StepResult::ok("clock", "agrees with the service's clock")
            }
        }
    };
    Ok(vec![tls, clock])
}

fn check_list(cli_client: &CliClient) -> StepResult {
    match cli_client.client.call(v2::ListJobs::new().page_size(1)) {
        Ok(_) => StepResult::ok("list", "the service lists jobs for this key"),
        Err(error) => {
            let code = ExitCode::of(&error);
            let has = |hint| error.hints().any(|given| given == hint);
            let change = match code {
                _ if error.is_intercepted() => {
                    "a captive portal or a firewall answers instead of the service: sign in to the network, ask its administrator, or check --base-url"
                }
                _ if has(Hint::CreditCap) => {
                    "the project has reached its credit cap: wait until its day or month ends, or raise the cap"
                }
                _ if has(Hint::ExpiredKey) => "create a new key in the same project",
                ExitCode::Auth => {
                    "the key is wrong, expired, revoked, or of another region: check --region"
                }
                ExitCode::Quota => "the plan has no credits left; see the service's billing page",
                ExitCode::RateLimited => "wait a minute: the free tier allows 20 requests in one",
                ExitCode::NotFound => {
                    "this URL is not the API: check --base-url and LLAMA_CLOUD_BASE_URL"
                }
                _ => "check the lines above; if they are all ok, try again later",
            };
            StepResult::error("list", code, error.to_string(), change)
        }
    }
}
