//! `doctor`: what stands between this machine and the service, step by step.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime};

use classify_proto::{Proxy, http, v2};
use serde::Serialize;

use crate::args::{Format, Global};
use crate::connect::{self, Connection};
use crate::console::Console;
use crate::exit::{Code, Problem};
use crate::network;
use crate::output::values::{Expects, Shows, Values};
use crate::output::{Out, printable};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A clock that is further off makes signed addresses and certificates fail.
const SKEW: u64 = 60;
const PROXIES: [&str; 8] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// What one step found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    result: &'static str,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    #[serde(skip)]
    code: Option<Code>,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            result: "ok",
            found: found.into(),
            change: None,
            code: None,
        }
    }

    fn warn(check: &'static str, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self {
            result: "warning",
            change: Some(change.into()),
            ..Self::good(check, found)
        }
    }

    fn bad(
        check: &'static str,
        code: Code,
        found: impl Into<String>,
        change: impl Into<String>,
    ) -> Self {
        Self {
            result: "error",
            code: Some(code),
            ..Self::warn(check, found, change)
        }
    }
}

/// Looks at each step, and says what to change.
pub(crate) fn doctor(global: &Global, console: Console) -> Result<(), Problem> {
    let mut report = Report::new(global)?;
    let connection = match Connection::open(global, console) {
        Ok(connection) => connection,
        Err(Problem::Told(told)) => {
            let change = told
                .hint
                .clone()
                .unwrap_or_else(|| "correct it, and run `llamacloud-prod doctor` again".to_owned());
            report.add(&Finding::bad("settings", told.code, &*told.message, change))?;
            return report.finish();
        }
        Err(problem) => return Err(problem),
    };
    report.add(&key(global))?;
    let base_url = connection.client.api().base_url().to_owned();
    report.add(&region(&base_url, global))?;
    let uri: http::Uri = base_url.parse().unwrap_or_default();
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

    let proxy = network::proxy(connection.client.api())?;
    report.add(&proxies(&connection, &host, proxy.as_ref()))?;
    if proxy.is_some() {
        report.add(&Finding::good("dns", "left to the proxy"))?;
    } else {
        match resolve(&host, port) {
            Ok(addresses) => {
                report.add(&Finding::good(
                    "dns",
                    format!("{host} is {}", addresses[0].ip()),
                ))?;
                report.add(&connect_to(&addresses))?;
            }
            Err(finding) => report.add(&finding)?,
        }
    }
    for finding in exchange(&base_url, proxy.as_ref(), global)? {
        report.add(&finding)?;
    }
    report.add(&listing(&connection))?;
    report.finish()
}

/// Writes each finding as soon as it is there.
struct Report {
    values: Option<Values>,
    out: Out,
    first: Option<Code>,
    wrong: usize,
}

impl Report {
    fn new(global: &Global) -> Result<Self, Problem> {
        let for_people = global.format == Format::Auto && global.transform.is_none();
        let values = (!for_people)
            .then(|| Values::open(global, None, Shows::Anything, Expects::Many))
            .transpose()?;
        Ok(Self {
            values,
            out: Out::stdout(),
            first: None,
            wrong: 0,
        })
    }

    fn add(&mut self, finding: &Finding) -> Result<(), Problem> {
        if let Some(code) = finding.code {
            self.first.get_or_insert(code);
            self.wrong += 1;
        }
        if let Some(values) = &mut self.values {
            let json = serde_json::to_string(finding).unwrap_or_default();
            return values.take(&json);
        }
        let line = format!(
            "{:<8} {:<9} {}",
            finding.result, finding.check, finding.found
        );
        self.out.text(&printable(&line))?;
        match &finding.change {
            Some(change) => self
                .out
                .text(&printable(&format!("{:<18} -> {change}", ""))),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(), Problem> {
        if let Some(values) = self.values {
            values.finish()?;
        }
        match self.first {
            None => Ok(()),
            Some(code) => Err(Problem::new(
                code,
                format!(
                    "{} to change; see above",
                    if self.wrong == 1 {
                        "one thing".to_owned()
                    } else {
                        format!("{} things", self.wrong)
                    }
                ),
            )),
        }
    }
}

/// Where the key is from. Not a character of it is shown, nor its length.
fn key(global: &Global) -> Finding {
    if global.emulator {
        return Finding::good("key", "the emulator needs none");
    }
    let from = connect::source(global);
    if global.api_key.is_some() {
        return Finding::warn(
            "key",
            format!("there is one, from {from}"),
            "everyone who can list processes sees it; use --api-key-file or LLAMA_CLOUD_API_KEY",
        );
    }
    Finding::good("key", format!("there is one, from {from}"))
}

fn region(base_url: &str, global: &Global) -> Finding {
    use classify_proto::Region;
    let name = if base_url == Region::Na.base_url() {
        "North America (na)"
    } else if base_url == Region::Eu.base_url() {
        "Europe (eu)"
    } else if global.emulator {
        "the emulator in this process"
    } else {
        "none of the service's own; requests go where the base URL says"
    };
    Finding::good("region", format!("{base_url}: {name}"))
}

fn proxies(connection: &Connection, host: &str, proxy: Option<&Proxy>) -> Finding {
    let set: Vec<&str> = PROXIES
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    let names = set.join(", ");
    if let Some(proxy) = proxy {
        // The address alone: a name and a password may stand beside it.
        return Finding::good("proxy", format!("{proxy} ({names} set)"));
    }
    if set.iter().all(|name| name.eq_ignore_ascii_case("NO_PROXY")) {
        return Finding::good("proxy", "none");
    }
    let without_exceptions = Proxy::from_lookup(connection.client.api(), |name| {
        let lookup = || std::env::var(name).ok();
        (!name.eq_ignore_ascii_case("NO_PROXY")).then(lookup)?
    });
    if !matches!(without_exceptions, Ok(None)) {
        let found = format!("passed by, as NO_PROXY says ({names} set)");
        return Finding::good("proxy", found);
    }
    let address = host.parse::<std::net::IpAddr>();
    if address.is_ok_and(|address| address.is_loopback()) || host.ends_with("localhost") {
        let found = format!("passed by, as for everything on this machine ({names} set)");
        return Finding::good("proxy", found);
    }
    Finding::warn(
        "proxy",
        format!("none is used, although {names} is set"),
        "for a base URL with https, it is HTTPS_PROXY or ALL_PROXY that counts",
    )
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Finding> {
    let wrong = |why: String| {
        Finding::bad(
            "dns",
            Code::Unexpected,
            format!("{host} has no address: {why}"),
            "check the base URL for a slip, the machine's DNS, and whether HTTPS_PROXY should be set",
        )
    };
    match (host, port).to_socket_addrs() {
        Ok(found) => {
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                Err(wrong("none was found".to_owned()))
            } else {
                Ok(found)
            }
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn connect_to(addresses: &[SocketAddr]) -> Finding {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(_) => return Finding::good("tcp", format!("{address} answers")),
            Err(error) => last = Some(format!("{address}: {error}")),
        }
    }
    Finding::bad(
        "tcp",
        Code::Unexpected,
        format!("no connection: {}", last.unwrap_or_default()),
        "a firewall may be in the way, or HTTPS_PROXY should be set; of a server of your own, see that it runs",
    )
}

/// A request without the key: TLS, and the clock by the answer's date.
fn exchange(
    base_url: &str,
    proxy: Option<&Proxy>,
    global: &Global,
) -> Result<Vec<Finding>, Problem> {
    let agent = network::make(global, proxy)?;
    let asked = agent
        .get(base_url)
        .config()
        .timeout_global(Some(PATIENCE))
        .build()
        .call();
    let is_tls = base_url.starts_with("https://");
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            let text = error.to_string();
            let change = network::remedy(&text).unwrap_or(
                "check --base-url, the proxy variables, and whether something on the way cuts connections",
            );
            let check = if is_tls { "tls" } else { "http" };
            return Ok(vec![Finding::bad(check, Code::Unexpected, text, change)]);
        }
    };
    let tls = if is_tls {
        Finding::good("tls", "the certificate is trusted")
    } else {
        Finding::good("http", "without TLS, as the base URL says")
    };
    let date = answer
        .headers()
        .get("date")
        .and_then(|date| date.to_str().ok());
    let clock = match date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
        None => Finding::good("clock", "the answer has no date to compare with"),
        Some(date) => {
            let theirs = date.timestamp().as_second();
            let ours = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
                });
            let off = theirs.abs_diff(ours);
            if off > SKEW {
                Finding::warn(
                    "clock",
                    format!("{off} s away from the service's"),
                    "set this machine's clock, by NTP for example",
                )
            } else {
                Finding::good("clock", "agrees with the service's")
            }
        }
    };
    Ok(vec![tls, clock])
}

fn listing(connection: &Connection) -> Finding {
    match connection.client.call(v2::ListJobs::new().page_size(1)) {
        Ok(_) => Finding::good("list", "the service lists jobs for this key"),
        Err(error) => {
            let code = Code::of(&error);
            let change = match code {
                Code::Auth => {
                    "the key is wrong, revoked, or of another region: compare --region with where it was made"
                }
                Code::Quota => "the plan has no credits left; see the service's billing page",
                Code::RateLimited => "wait a minute: the free tier allows 20 requests in one",
                Code::NotFound => {
                    "this address is not the API: check --base-url and LLAMA_CLOUD_BASE_URL"
                }
                _ => "see the lines above; if they are all fine, try again later",
            };
            Finding::bad("list", code, error.to_string(), change)
        }
    }
}
