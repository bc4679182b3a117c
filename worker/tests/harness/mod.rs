//! The engine, workers, a balancer and the emulated service, for one test. Everything listens on loopback and ends with
//! the test.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use classify_emulator::{Config, Emulator, RateLimits};
use serde_json::Value;

/// The rules of the tests.
pub(crate) const RULES: &str = "\
rules:
  - type: invoice
    description: has an invoice number, line items and a total amount due
  - type: contract
    description: an agreement that two parties sign, such as a lease
  - type: receipt
    description: a proof of payment from a shop or a restaurant
";

/// A process that is killed when it is dropped.
pub(crate) struct Process(Option<Child>);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().expect("it runs").id()
    }

    /// Sends SIGKILL and waits.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends SIGTERM and waits. Returns whether the process ended with 0 in time.
    pub(crate) fn terminate(&mut self, timeout: Duration) -> bool {
        let Some(mut child) = self.0.take() else {
            return false;
        };
        let killed = Command::new("kill").arg(child.id().to_string()).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let end = Instant::now() + timeout;
        while Instant::now() < end {
            if let Ok(Some(status)) = child.try_wait() {
                return status.success();
            }
            sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// The processor time in milliseconds.
    pub(crate) fn cpu_millis(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        // A hundred ticks a second on Linux.
        (ticks(11) + ticks(12)) * 10
    }

    /// The resident memory in MiB; 0 if it cannot be read.
    pub(crate) fn memory_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0)
            / 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until a condition holds.
///
/// # Panics
///
/// It does not hold in time.
#[track_caller]
pub(crate) fn until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + timeout;
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(100));
    }
}

fn log_file(path: &Path) -> Stdio {
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    Stdio::from(file)
}

/// Settings of the engine that keep it small.
pub(crate) struct EngineOptions {
    pub(crate) partitions: u32,
    /// The number of invocations that each partition runs at once.
    pub(crate) concurrency: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            partitions: 4,
            concurrency: 1000,
        }
    }
}

/// The engine, the service, and the folder of the test.
pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) emulator: Emulator,
    engine: Option<Process>,
    pub(crate) ingress: u16,
    pub(crate) admin: u16,
    balancer: Option<Process>,
    balancer_port: u16,
    workers: BTreeMap<usize, Process>,
    /// Flags of all workers.
    pub(crate) flags: Vec<String>,
    /// Additional environment variables of all workers.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The ports of the workers: for the engine, and of /ready.
    ports: Vec<(u16, u16)>,
    /// CPU of ended processes, in milliseconds.
    ended_workers_cpu: u64,
    ended_engine_cpu: u64,
}

fn server() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/install-engine");
        let output = Command::new(script)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the engine cannot be installed");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

impl Cluster {
    /// Starts the service and the engine, and prepares this many workers.
    pub(crate) fn new(workers: usize, config: Config, options: &EngineOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ingress, admin, node) = (free_port(), free_port(), free_port());
        let config_text = format!(
            "rocksdb-total-memory-size = \"256 MiB\"\ndefault-num-partitions = {}\nbind-ip = \"127.0.0.1\"\n\
             bind-port = {node}\nadvertised-address = \"http://127.0.0.1:{node}\"\n[admin]\nbind-port = {admin}\n\
             [ingress]\nbind-port = {ingress}\n[worker.invoker]\nconcurrent-invocations-limit = {}\n",
            options.partitions, options.concurrency
        );
        fs::write(folder.path().join("restate.toml"), config_text).unwrap();
        fs::write(folder.path().join("rules.yaml"), RULES).unwrap();
        fs::create_dir(folder.path().join("inbox")).unwrap();
        let ports: Vec<_> = (0..workers).map(|_| (free_port(), free_port())).collect();
        let mut cluster = Self {
            folder,
            emulator: Emulator::start(config).unwrap(),
            engine: None,
            ingress,
            admin,
            balancer: None,
            balancer_port: free_port(),
            workers: BTreeMap::new(),
            flags: vec!["--poll-interval".into(), "300ms".into()],
            variables: Vec::new(),
            ports,
            ended_workers_cpu: 0,
            ended_engine_cpu: 0,
        };
        cluster.start_engine();
        cluster
    }

    /// The published limits of a paid plan, with jobs that take this long.
    pub(crate) fn paid(workers: usize, job_millis: u64) -> Self {
        let config = Config::default().completed_after(Duration::from_millis(job_millis));
        Self::new(workers, config, &EngineOptions::default())
    }

    /// No limits, with jobs that take this long.
    pub(crate) fn unlimited(workers: usize, job_millis: u64) -> Self {
        let config = Config::default()
            .completed_after(Duration::from_millis(job_millis))
            .rate_limits(RateLimits::none());
        let mut cluster = Self::new(workers, config, &EngineOptions::default());
        cluster.flags.extend(["--rate-limit".into(), "none".into()]);
        cluster
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the engine on its folder, also after it was killed.
    pub(crate) fn start_engine(&mut self) {
        let log = self.path("engine.log");
        let child = Command::new(server())
            .arg("--config-file")
            .arg(self.path("restate.toml"))
            .arg("--base-dir")
            .arg(self.path("engine"))
            .args(["--listen-mode", "tcp", "--no-logo"])
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .stdin(Stdio::null())
            .stdout(log_file(&log))
            .stderr(log_file(&log))
            .spawn()
            .unwrap();
        self.engine = Some(Process(Some(child)));
        let (admin, ingress) = (self.admin, self.ingress);
        until("the engine answers", Duration::from_secs(60), || {
            get(admin, "/health").is_some_and(|(status, _)| status == 200)
                && get(ingress, "/restate/health").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Restarts the engine with a new private key, and returns the public key that it logs.
    pub(crate) fn sign_requests(&mut self) -> String {
        let key = self.path("identity.pem");
        let status = Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519", "-out"])
            .arg(&key)
            .stderr(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "openssl");
        // The section of the invoker is the last one.
        let mut config = fs::read_to_string(self.path("restate.toml")).unwrap();
        let line = format!(
            "request-identity-private-key-pem-file = \"{}\"\n",
            key.display()
        );
        config.push_str(&line);
        fs::write(self.path("restate.toml"), config).unwrap();
        self.kill_engine();
        self.start_engine();
        let log = self.log("engine.log");
        let start = log.rfind("publickeyv1_").expect("the key is logged");
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        log[start..].chars().take_while(|c| is_part(*c)).collect()
    }

    pub(crate) fn kill_engine(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            self.ended_engine_cpu += engine.cpu_millis();
            engine.kill();
        }
    }

    /// Starts a worker with these additional flags.
    pub(crate) fn start_worker(&mut self, index: usize, flags: &[&str]) {
        self.start_worker_by(index, flags, &[]);
    }

    /// Starts a worker behind a wrapper, such as `faketime`.
    pub(crate) fn start_worker_by(&mut self, index: usize, flags: &[&str], wrapper: &[&str]) {
        let (port, health) = self.ports[index];
        let log = self.path(&format!("worker{index}.log"));
        let program = env!("CARGO_BIN_EXE_classify-worker");
        let mut command = match wrapper {
            [first, others @ ..] => {
                let mut command = Command::new(first);
                command.args(others).arg(program);
                command
            }
            [] => Command::new(program),
        };
        let child = command
            .arg("serve")
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--health", &format!("127.0.0.1:{health}")])
            .arg("--rules")
            .arg(self.path("rules.yaml"))
            .args(&self.flags)
            .args(flags)
            .envs(self.environment())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log_file(&log))
            .stderr(log_file(&log))
            .spawn()
            .unwrap();
        self.workers.insert(index, Process(Some(child)));
        until("the worker is ready", Duration::from_secs(30), || {
            get(health, "/ready").is_some_and(|(status, _)| status == 200)
        });
    }

    /// The status of `/ready` of a worker; `None` if it does not answer.
    pub(crate) fn ready(&self, index: usize) -> Option<u16> {
        get(self.ports[index].1, "/ready").map(|(status, _)| status)
    }

    pub(crate) fn kill_worker(&mut self, index: usize) {
        if let Some(mut worker) = self.workers.remove(&index) {
            self.ended_workers_cpu += worker.cpu_millis();
            worker.kill();
        }
    }

    /// Ends a worker with SIGTERM. Returns whether it ended with 0.
    pub(crate) fn terminate_worker(&mut self, index: usize) -> bool {
        let worker = self.workers.remove(&index);
        worker.is_some_and(|mut worker| worker.terminate(Duration::from_secs(40)))
    }

    /// Starts the balancer in front of all workers.
    pub(crate) fn start_balancer(&mut self) {
        let mut config = format!(
            "global\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 3h\n  timeout server 3h\n\
             \x20 option redispatch\n  retries 3\nfrontend engine\n  bind 127.0.0.1:{} proto h2\n  default_backend workers\n\
             backend workers\n  balance roundrobin\n  option httpchk GET /ready\n",
            self.balancer_port
        );
        let servers = self.ports.iter().enumerate().map(|(index, (port, health))| {
            format!(
                "  server w{index} 127.0.0.1:{port} proto h2 check port {health} check-proto h1 inter 500ms fall 1 rise 1 \
                 on-marked-down shutdown-sessions\n"
            )
        });
        config.extend(servers);
        fs::write(self.path("haproxy.cfg"), config).unwrap();
        let log = self.path("haproxy.log");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(self.path("haproxy.cfg"))
            .stdin(Stdio::null())
            .stdout(log_file(&log))
            .stderr(log_file(&log))
            .spawn()
            .expect("haproxy is installed");
        self.balancer = Some(Process(Some(child)));
        let port = self.balancer_port;
        until("the balancer listens", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    }

    /// Registers the workers with the engine.
    pub(crate) fn register(&self) {
        let port = if self.balancer.is_some() {
            self.balancer_port
        } else {
            self.ports[0].0
        };
        let body = format!("{{\"uri\": \"http://127.0.0.1:{port}\"}}");
        until(
            "the workers are registered",
            Duration::from_secs(30),
            || {
                request(self.admin, "POST", "/deployments", &body)
                    .is_some_and(|(status, _)| status < 300)
            },
        );
    }

    /// Tries to register the workers, and returns the answer.
    pub(crate) fn try_register(&self) -> (u16, String) {
        let body = format!("{{\"uri\": \"http://127.0.0.1:{}\"}}", self.ports[0].0);
        request(self.admin, "POST", "/deployments", &body).unwrap()
    }

    /// Starts all workers, behind a balancer if there are several, and registers them.
    pub(crate) fn start_all(&mut self) {
        for index in 0..self.ports.len() {
            self.start_worker(index, &[]);
        }
        if self.ports.len() > 1 {
            self.start_balancer();
        }
        self.register();
    }

    fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("LLAMA_CLOUD_API_KEY", self.emulator.key().to_owned()),
            ("LLAMA_CLOUD_BASE_URL", self.emulator.base_url().to_owned()),
            (
                "RESTATE_INGRESS_URL",
                format!("http://127.0.0.1:{}", self.ingress),
            ),
            (
                "RESTATE_ADMIN_URL",
                format!("http://127.0.0.1:{}", self.admin),
            ),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
    }

    /// Writes this many different documents into the inbox, from a number.
    pub(crate) fn write_documents(&self, first: usize, count: usize) -> PathBuf {
        let inbox = self.path("inbox");
        for number in first..first + count {
            let text = match number % 3 {
                0 => format!(
                    "Invoice number {number}\nLine items: paper, ink\nTotal amount due: {number}.00 EUR"
                ),
                1 => format!("This agreement is signed by two parties, lessor and lessee {number}"),
                _ => format!("Receipt. Shop {number}. Paid in cash. Thank you"),
            };
            fs::write(inbox.join(format!("d{number:05}.txt")), text).unwrap();
        }
        inbox
    }

    /// Returns a command of the program.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_classify-worker"));
        command
            .args(arguments)
            .envs(self.environment())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command of the program that must succeed, and returns its stdout.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Submits the inbox, with the rules, so that no worker is needed.
    pub(crate) fn submit(&self) -> Output {
        let rules = self.path("rules.yaml");
        let inbox = self.path("inbox");
        self.run(&[
            "submit",
            inbox.to_str().unwrap(),
            "--rules",
            rules.to_str().unwrap(),
        ])
    }

    /// The object that `status --json` prints.
    pub(crate) fn status(&self) -> Value {
        let output = self.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Waits until this many documents have a result.
    #[track_caller]
    pub(crate) fn wait_for_results(&self, count: u64, timeout: Duration) {
        let end = Instant::now() + timeout;
        loop {
            let status = self.status();
            if status["done"] == count {
                return;
            }
            if Instant::now() >= end {
                self.print_logs();
                panic!("{count} results are expected: {status}");
            }
            sleep(Duration::from_millis(500));
        }
    }

    /// The rows that `results` writes.
    pub(crate) fn results(&self) -> Vec<Value> {
        let text = self.succeed(&["results"]);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Checks that each document was paid for once and has one result.
    #[track_caller]
    pub(crate) fn check_exact(&self, documents: usize) {
        let rows = self.results();
        let paths: BTreeSet<_> = rows.iter().map(|row| row["path"].to_string()).collect();
        let jobs: BTreeSet<_> = rows.iter().map(|row| row["job_id"].to_string()).collect();
        assert_eq!(rows.len(), documents, "results");
        assert_eq!(paths.len(), documents, "paths");
        assert_eq!(jobs.len(), documents, "job ids in results");
        assert_eq!(self.emulator.job_count(), documents, "jobs");
        for row in &rows {
            assert_eq!(row["status"], "COMPLETED", "{row}");
        }
    }

    /// The processor times of the engine and of all workers, in milliseconds.
    pub(crate) fn cpu_millis(&self) -> (u64, u64) {
        let engine = self.engine.as_ref().map_or(0, Process::cpu_millis);
        let workers: u64 = self.workers.values().map(Process::cpu_millis).sum();
        (
            engine + self.ended_engine_cpu,
            workers + self.ended_workers_cpu,
        )
    }

    /// The memory of the engine and of the largest worker, in MiB.
    pub(crate) fn memory_mib(&self) -> (u64, u64) {
        let engine = self.engine.as_ref().map_or(0, Process::memory_mib);
        let worker = self.workers.values().map(Process::memory_mib).max();
        (engine, worker.unwrap_or(0))
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn print_logs(&self) {
        for name in ["engine.log", "worker0.log", "worker1.log", "haproxy.log"] {
            let text = self.log(name);
            let lines: Vec<_> = text.lines().collect();
            eprintln!("== {name}");
            for line in lines.iter().skip(lines.len().saturating_sub(40)) {
                eprintln!("{line}");
            }
        }
    }

    /// Sends a request to the admin port.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        request(self.admin, method, path, body)
    }
}

/// Sends a GET and returns the status and the body.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    request(port, "GET", path, "")
}

/// Sends a request and returns the status and the body.
pub(crate) fn request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n")?.1.to_owned();
    Some((status, body))
}
