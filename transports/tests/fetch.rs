//! A bulk run over `fetch`, in WebAssembly under Node. `.ci/release/transports` builds the module and runs this.

use std::process::Command;
use std::time::Duration;

use classify_emulator::{Config, Emulator, Fault, FaultSchedule, RateLimits, Route};

const DOCUMENTS: usize = 50;

/// Prints the number of completed documents. Fails if the program does not end because a timer is left.
const SCRIPT: &str = "
    setTimeout(() => { console.error('not at its end after 100 s'); process.exit(1); }, 100000).unref();
    const [module, baseUrl, key, documents] = process.argv.slice(1);
    require(module).run(baseUrl, key, Number(documents)).then(
        completed => console.log(`${completed} COMPLETED`),
        error => { console.error(error); process.exitCode = 1; },
    );
";

/// One request in ten fails, in six ways: fifty documents, fifty jobs.
#[test]
#[ignore = "needs Node, and in FETCH_WASM the module that .ci/release/transports builds"]
fn fetch_bulk_with_faults_creates_one_job_per_document() {
    let module = std::env::var_os("FETCH_WASM").expect("FETCH_WASM is the path of the module");
    let folder = tempfile::tempdir().expect("a folder");
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .nodejs(true)
        .expect("Node is the only target")
        .typescript(false)
        .generate(folder.path())
        .expect("the module has the same version of wasm-bindgen");

    let faults = [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Unavailable,
        Fault::ServerErrorAfter,
        Fault::BodyCut,
        Fault::RateLimitedMillis,
    ];
    // The reply to one create is lost for certain, after the job was created.
    let lost = Fault::ResetAfter.nth(3).on(Route::ClassifyCreate);
    let schedule = faults
        .into_iter()
        .map(|fault| fault.chance(0.1 / 6.0))
        .fold(FaultSchedule::new().seed(1).with(lost), FaultSchedule::with);
    let config = Config::default()
        .rate_limits(RateLimits::none())
        .running_after(Duration::from_millis(5))
        .completed_after(Duration::from_millis(20))
        .faults(schedule);
    let emulator = Emulator::start(config).expect("the emulator starts");
    let run = Command::new("node")
        .args(["-e", SCRIPT])
        .arg(folder.path().join("classify_fetch.js"))
        .args([emulator.base_url(), emulator.key(), &DOCUMENTS.to_string()])
        .output()
        .expect("Node is installed");

    let stdout = String::from_utf8_lossy(&run.stdout);
    let stderr = String::from_utf8_lossy(&run.stderr);
    let requests = emulator.requests();
    let failed = requests
        .iter()
        .filter(|request| request.fault.is_some())
        .count();
    let jobs = emulator.job_count();
    println!("{} requests, {failed} failed, {jobs} jobs", requests.len());
    assert!(run.status.success(), "{}: {stderr}", run.status);
    assert_eq!(stdout.trim(), format!("{DOCUMENTS} COMPLETED"), "{stderr}");
    assert_eq!(jobs, DOCUMENTS);
    assert!(failed * 20 > requests.len(), "few requests failed");
}
