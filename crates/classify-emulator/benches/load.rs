//! How much the emulator bears: `cargo bench -p classify-emulator --bench load`.
//!
//! It prints figures and asserts none, since they are the machine's as much as the emulator's. Clients and emulator
//! share the machine's cores. With the path of the command line's binary in `LLAMACLOUD_PROD` it also says how long
//! the emulator takes to answer as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, RateLimits, Script};

const OPEN_JOBS: usize = 10_000;
const CONNECTIONS: usize = 8;
const PACED_RATE: u32 = 2_000;
const DURATION: Duration = Duration::from_secs(5);

fn main() {
    let begin = Instant::now();
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .script(Script::any().never_ends())
        .request_log_size(0);
    let emulator = match Emulator::start(config) {
        Ok(emulator) => emulator,
        Err(error) => {
            eprintln!("the emulator did not start: {error}");
            return;
        }
    };
    println!(
        "start                 {:>10.1} ms",
        begin.elapsed().as_secs_f64() * 1e3
    );
    if let Some(binary) = std::env::var_os("LLAMACLOUD_PROD") {
        match own_process(&binary) {
            Ok(span) => println!(
                "start of a process    {:>10.1} ms",
                span.as_secs_f64() * 1e3
            ),
            Err(error) => eprintln!("{} did not start: {error}", binary.display()),
        }
    }
    let address = emulator.address();
    let file = upload(address);

    let begin = Instant::now();
    let ids = create_jobs(address, &file);
    let rate = per_second(ids.len(), begin.elapsed());
    println!(
        "open jobs             {:>10}      created at {rate:.0}/s",
        ids.len()
    );
    println!("memory                {:>10.1} MiB", resident_mib());

    let gets: Vec<String> = ids
        .iter()
        .map(|id| request("GET", &format!("/api/v2/classify/{id}"), ""))
        .collect();
    print_result("get, unpaced", &drive(address, &gets, None));
    print_result(
        &format!("get, at {PACED_RATE}/s"),
        &drive(address, &gets, Some(PACED_RATE)),
    );
    let lists: Vec<String> = ids
        .chunks(100)
        .map(|chunk| {
            let query: Vec<String> = chunk.iter().map(|id| format!("job_ids={id}")).collect();
            request(
                "GET",
                &format!("/api/v2/classify?page_size=100&{}", query.join("&")),
                "",
            )
        })
        .collect();
    print_result("list of 100 by id", &drive(address, &lists, None));
    let pages = [request(
        "GET",
        "/api/v2/classify?page_size=100&status=RUNNING",
        "",
    )];
    print_result("list of 100 by status", &drive(address, &pages, None));
    println!("memory                {:>10.1} MiB", resident_mib());
    large_upload(address);
    println!("memory, at most       {:>10.1} MiB", memory_mib("VmHWM:"));
}

/// From the start of a process to its first answer; the quickest of a few, since the first one is read from disk.
fn own_process(binary: &std::ffi::OsStr) -> std::io::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        let mut process = Command::new(binary)
            .arg("emulator")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let answered = TcpStream::connect(line.trim_start_matches("http://").trim_end());
        let span = begin.elapsed();
        process.kill()?;
        process.wait()?;
        answered?;
        best = best.min(span);
    }
    Ok(best)
}

/// An upload far larger than what may be in memory.
fn large_upload(address: SocketAddr) {
    const MIB: usize = 256;
    let head = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nclassify\r\n--b\r\n\
                Content-Disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n\r\n";
    let tail = "\r\n--b--\r\n";
    let length = head.len() + MIB * 1024 * 1024 + tail.len();
    let request = format!(
        "POST /api/v1/beta/files HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer k\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n{head}"
    );
    let begin = Instant::now();
    let mut connection = Connection::open(address);
    let chunk = vec![b'x'; 1024 * 1024];
    let out = connection.0.get_mut();
    let sent = out.write_all(request.as_bytes());
    let sent = (0..MIB).fold(sent, |sent, _| sent.and_then(|()| out.write_all(&chunk)));
    let status = sent
        .and_then(|()| connection.call(tail))
        .map_or(0, |(status, _)| status);
    let rate = per_second(MIB, begin.elapsed());
    println!("upload of {MIB} MiB     {rate:>10.0} MiB/s  status {status}");
}

/// The result of [`drive`]: the time of each call, the number of failed calls, and the total time.
struct LoadResult {
    times: Vec<Duration>,
    errors: usize,
    span: Duration,
}

/// Sends requests in turn over several connections, as fast as they go or at a rate.
fn drive(address: SocketAddr, requests: &[String], rate: Option<u32>) -> LoadResult {
    let begin = Instant::now();
    let parts: Vec<(Vec<Duration>, usize)> = std::thread::scope(|scope| {
        let drivers: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                scope.spawn(move || {
                    let connections = u32::try_from(CONNECTIONS).unwrap_or(1);
                    let pause = rate.map(|rate| Duration::from_secs(1) * connections / rate);
                    let mut connection = Connection::open(address);
                    let mut times = Vec::new();
                    let mut errors = 0;
                    let mut due = begin
                        + pause.unwrap_or_default() * u32::try_from(number).unwrap_or(0)
                            / connections;
                    for text in requests
                        .iter()
                        .cycle()
                        .skip(number * requests.len() / CONNECTIONS)
                    {
                        if begin.elapsed() >= DURATION {
                            break;
                        }
                        if let Some(pause) = pause {
                            std::thread::sleep(due.saturating_duration_since(Instant::now()));
                            due += pause;
                        }
                        let sent = Instant::now();
                        match connection.call(text) {
                            Ok((200, _)) => times.push(sent.elapsed()),
                            _ => errors += 1,
                        }
                    }
                    (times, errors)
                })
            })
            .collect();
        drivers
            .into_iter()
            .filter_map(|driver| driver.join().ok())
            .collect()
    });
    let span = begin.elapsed();
    let errors = parts.iter().map(|(_, errors)| errors).sum();
    let mut times: Vec<Duration> = parts.into_iter().flat_map(|(times, _)| times).collect();
    times.sort();
    LoadResult {
        times,
        errors,
        span,
    }
}

fn print_result(what: &str, result: &LoadResult) {
    let at = |share: usize| {
        let index = result.times.len().saturating_sub(1) * share / 1_000;
        result
            .times
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{what:<22}{:>9.0}/s      p50 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms  errors {}",
        per_second(result.times.len(), result.span),
        at(500),
        at(990),
        at(999),
        result.errors
    );
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn per_second(count: usize, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64().max(f64::EPSILON)
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer k\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One kept connection; the least that a client can be, so that the figures are the emulator's.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the emulator listens");
        stream.set_nodelay(true).expect("a socket option");
        Self(BufReader::new(stream))
    }

    fn call(&mut self, text: &str) -> std::io::Result<(u16, String)> {
        self.0.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn id_in(reply: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(reply).unwrap_or_default();
    value["id"].as_str().unwrap_or_default().to_owned()
}

fn upload(address: SocketAddr) -> String {
    let part = |head: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n")
    };
    let form = part("name=\"purpose\"", "classify")
        + &part("name=\"file\"; filename=\"a.txt\"", "an invoice")
        + "--b--\r\n";
    let text = request("POST", "/api/v1/beta/files", &form)
        .replace("application/json", "multipart/form-data; boundary=b");
    let (_, reply) = Connection::open(address).call(&text).expect("an upload");
    id_in(&reply)
}

fn create_jobs(address: SocketAddr, file: &str) -> Vec<String> {
    let rules = r#"[{"type":"invoice","description":"a bill with an amount due"}]"#;
    let body = format!(r#"{{"file_input":"{file}","configuration":{{"rules":{rules}}}}}"#);
    let text = &request("POST", "/api/v2/classify", &body);
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = Connection::open(address);
                    let calls = (0..OPEN_JOBS / CONNECTIONS).map(|_| connection.call(text));
                    calls
                        .filter_map(|reply| Some(id_in(&reply.ok()?.1)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        makers
            .into_iter()
            .flat_map(|maker| maker.join().unwrap_or_default())
            .collect()
    })
}

/// The memory of this process, client threads included; zero where the system does not say.
fn resident_mib() -> f64 {
    memory_mib("VmRSS:")
}

fn memory_mib(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib: f64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    kib / 1_024.0
}
