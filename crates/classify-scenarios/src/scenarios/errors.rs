//! An error says what, and comes when it should.

use std::net::TcpListener;
use std::time::Duration;

use classify_emulator::{Config, Fault, FaultSchedule, Route};
use classify_proto::Api;
use classify_proto::v2::{Configuration, CreateJob, GetJob, ListJobs, Rule};

use crate::driver::{Driver, Settings};
use crate::faulty_server::FaultyServer;
use crate::scripted_server::{ResponseScript, ScriptedServer, response};
use crate::test_bench::{TestBench, api, create, rules};
use crate::tls_server::TlsServer;

/// A key that the service does not know: one request, and a hint.
pub fn auth_wrong_api_key_fails_without_retry_and_hints_at_region<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().keys(["llx-right"]));
    let wrong_key_client = D::new(
        api(bench.emulator.base_url(), "llx-wrong"),
        Settings::default(),
    );
    let error = wrong_key_client.run(create()).unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert!(error.to_string().contains("region"), "{error}");
    assert_eq!(bench.emulator.request_count(), 1);
    assert_eq!(bench.emulator.job_count(), 0);
}

/// An id that does not exist.
pub fn not_found_job_fails_get_and_wait_without_retry<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let unknown = "clj-00000000-0000-4000-8000-000000000000";
    for error in [
        bench.driver.call(GetJob::new(unknown)).unwrap_err(),
        bench.driver.wait(GetJob::new(unknown)).unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error}");
    }
    assert_eq!(bench.emulator.request_count(), 2);
}

/// With the checks off, the service's own refusal names the field.
pub fn validation_disabled_server_422_exposes_field_errors<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let unchecked = Api::builder(bench.emulator.key())
        .base_url(bench.emulator.base_url())
        .validate(false)
        .build()
        .expect("an api");
    let driver = D::new(unchecked, Settings::default());
    let short = CreateJob::new("pjb-1", Configuration::new([Rule::new("a", "short")]));
    let error = driver.run(short).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(422));
    let fields = error.field_errors();
    assert!(
        fields
            .iter()
            .any(|field| field.field.contains("description")),
        "{error}"
    );
    assert_eq!(bench.emulator.request_count(), 1);
}

/// With the checks on, the same is not even sent.
pub fn validation_rejects_create_and_list_before_sending<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default());
    let short = CreateJob::new("pjb-1", Configuration::new([Rule::new("a", "short")]));
    let error = bench.driver.run(short).unwrap_err();
    assert!(error.is_invalid() && error.attempts() == 0, "{error}");
    let listed = ListJobs::new().page_size(101);
    bench.driver.list(listed, |item| {
        assert!(item.is_err_and(|error| error.is_invalid()));
        true
    });
    assert_eq!(bench.emulator.request_count(), 0);
}

/// The service asks for a day: the error comes back at once and carries the day.
pub fn retry_after_beyond_cap_is_returned_without_retry<D: Driver>() {
    let server = ScriptedServer::start(|_, _| {
        ResponseScript::Respond(response(429, &[("retry-after", "86400")], b""))
    });
    let driver = D::new(api(&server.base_url(), "llx-key"), Settings::default());
    let error = driver.call(GetJob::new("clj-1")).unwrap_err();
    assert!(error.is_rate_limited(), "{error}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(86_400)));
    assert_eq!(server.requests().len(), 1);
}

/// No credits left: one request, no job, no repetition.
pub fn quota_payment_required_402_fails_without_retry<D: Driver>() {
    let bench = TestBench::<D>::new(Config::default().faults(
        FaultSchedule::new().with(Fault::PaymentRequired.always().on(Route::ClassifyCreate)),
    ));
    let error = bench.driver.run(create()).unwrap_err();
    assert!(error.is_quota(), "{error}");
    assert!(!error.is_ambiguous());
    assert_eq!(bench.emulator.count(Route::ClassifyCreate), 1);
}

/// Nobody listens: nothing was sent, and the error does not claim that something may have been.
pub fn connection_refused_retry_exhausted_is_not_ambiguous<D: Driver>() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!(
        "http://{}",
        port.expect("a port that nobody listens on now")
    );
    let driver = D::new(api(&url, "llx-key"), Settings::default());
    let error = driver.run(CreateJob::new("pjb-1", rules())).unwrap_err();
    assert!(error.is_transport(), "{error}");
    assert!(!error.is_ambiguous(), "{error}");
    assert_eq!(error.attempts(), 6);
    let error = driver.call(GetJob::new("clj-1")).unwrap_err();
    let host = url.replace("http://", "no connection to ");
    assert!(error.to_string().contains(&host), "{error}");
}

/// The operating system trusts nobody of whom it has not heard.
pub fn tls_untrusted_certificate_fails_without_retry<D: Driver>() {
    let server = TlsServer::start(response(200, &[], b"{}"));
    let driver = D::new(
        api(&server.base_url("localhost"), "llx-key"),
        Settings::default(),
    );
    server.assert_refused_once(&driver.call(GetJob::new("clj-1")).unwrap_err());
}

/// A server that answers a handshake with plain HTTP.
pub fn tls_handshake_failure_is_not_ambiguous<D: Driver>() {
    let faulty_server = FaultyServer::plain_http();
    let settings = Settings {
        retry: Settings::default().retry.max_retries(0),
        ..Settings::default()
    };
    let driver = D::new(api(&faulty_server.base_url("https"), "llx-key"), settings);
    let error = driver.run(create()).unwrap_err();
    assert!(error.is_transport(), "{error}");
    assert!(!error.is_ambiguous(), "{error}");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert_eq!(faulty_server.connections(), 1);
}
