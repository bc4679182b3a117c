//! What is ureq's own: the caller's agent, TLS, threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use classify_proto::files::Upload;
use classify_proto::machine::{Call, Fan, FanEvent, Retry};
use classify_proto::v2::{Create, Get, JobStatus};
use classify_proto::{Api, ErrorKind, Limits, Seed};
use classify_scenarios::{Listener, Plan, api, response, rules};
use classify_ureq::Client;

const JOB: &[u8] = br#"{"id": "clj-1", "status": "RUNNING"}"#;

fn job() -> Listener {
    Listener::start(|_, _| Plan::Answer(response(200, &[], JOB)))
}

#[test]
fn a_callers_agent_keeps_its_own_settings_but_not_its_errors_and_redirects() {
    let other = job();
    let target = other.base_url();
    let listener = Listener::start(move |number, _| {
        Plan::Answer(match number {
            0 => response(404, &[], br#"{"detail": "no such job"}"#),
            _ => response(302, &[("location", &target)], b""),
        })
    });
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(true)
        .max_redirects(10)
        .accept_encoding("identity")
        .build()
        .into();
    let client = Client::with_agent(agent, api(&listener.base_url(), "llx-key"));

    let error = client.call(Get::new("clj-1")).unwrap_err();
    assert!(error.is_not_found());
    assert!(error.to_string().contains("no such job"), "{error}");
    let error = client.call(Get::new("clj-1")).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(302));
    assert!(other.seen().is_empty());
    let seen = listener.seen();
    assert_eq!(seen[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn a_callers_agent_may_be_stricter_about_time() {
    let listener = Listener::start(|_, _| Plan::Hang(Vec::new()));
    let agent = ureq::Agent::config_builder()
        .timeout_recv_response(Some(Duration::from_millis(50)))
        .build()
        .into();
    let client =
        Client::with_agent(agent, api(&listener.base_url(), "llx-key")).retry(Retry::never());
    assert!(client.call(Get::new("clj-1")).unwrap_err().is_timeout());
}

#[test]
fn requests_of_one_machine_are_out_at_once_up_to_the_limit() {
    // Four requests must be there together before any is answered.
    let (together, out, most) = (
        Arc::new(Barrier::new(4)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    let most_seen = Arc::clone(&most);
    let listener = Listener::start(move |_, _| {
        most.fetch_max(out.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        together.wait();
        out.fetch_sub(1, Ordering::SeqCst);
        Plan::Answer(response(200, &[], JOB))
    });
    let client =
        Client::new(api(&listener.base_url(), "llx-key")).limits(Limits::default().at_once(4));
    let calls = (0..12).map(|n| Call::new(Get::new("clj-1"), Seed::new([n; 16])));
    let mut ended = 0;
    client.drive(Fan::new(calls, 12), |event| {
        let FanEvent::Ended(_, result) = event;
        assert_eq!(result.expect("a job").status, JobStatus::Running);
        ended += 1;
    });
    assert_eq!(ended, 12);
    assert_eq!(most_seen.load(Ordering::SeqCst), 4);
}

/// Both of rustls's providers may be in one program; a client picks by itself and asks no process-wide default.
#[test]
fn a_client_is_built_and_works_whatever_providers_are_compiled_in() {
    let listener = job();
    let client = Client::new(api(&listener.base_url(), "llx-key"));
    assert!(client.call(Get::new("clj-1")).is_ok());
}

#[cfg(any(feature = "rustls", feature = "aws-lc", feature = "native-tls"))]
#[test]
fn a_failed_handshake_sent_nothing() {
    // It speaks no TLS: it reads what it takes for a head, and resets.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};

        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    });
    let https = Api::builder("llx-key")
        .base_url(format!("https://127.0.0.1:{port}"))
        .build()
        .expect("an api");
    let client = Client::new(https).retry(Retry::never());
    let create = Create::new("pjb-1").configuration(rules());
    let error = client.run(create).unwrap_err();
    assert!(error.is_transport(), "{error}");
    assert!(!error.is_ambiguous(), "{error}");
    server.join().expect("the server ends");
}

#[cfg(not(any(feature = "rustls", feature = "aws-lc", feature = "native-tls")))]
#[test]
fn https_without_tls_is_refused_in_words() {
    let https = Api::builder("llx-key").build().expect("an api");
    let create = Create::new("pjb-1").configuration(rules());
    for client in [
        Client::new(https.clone()),
        Client::with_agent(ureq::Agent::new_with_defaults(), https)
            .limits(Limits::default().connect(Duration::from_millis(200))),
    ] {
        let error = client
            .retry(Retry::never())
            .run(create.clone())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(!error.is_ambiguous(), "{error}");
    }
    let https = Api::builder("llx-key").build().expect("an api");
    let error = Client::new(https).call(Get::new("clj-1")).unwrap_err();
    assert!(
        error.to_string().contains("rustls, aws-lc, native-tls"),
        "{error}"
    );
}

#[test]
fn a_gateway_that_knows_no_expectation_gets_the_document_without_one() {
    let listener = Listener::start(|number, seen| {
        let expected = seen.header("expect") == Some("100-continue");
        assert_eq!(expected, number == 0);
        if expected {
            Plan::Early(response(417, &[], b""))
        } else {
            Plan::Answer(response(200, &[], br#"{"id": "dfl-1", "name": "x"}"#))
        }
    });
    let client = Client::new(api(&listener.base_url(), "llx-key"));
    let upload = Upload::new("large.txt", vec![b'x'; 3 << 20]);
    client.call(upload).expect("the document is taken");
    let seen = listener.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(Some(seen[1].body.len()), seen[1].announced());
}

#[test]
fn a_time_that_is_up_sends_nothing() {
    let listener = job();
    let client = Client::new(api(&listener.base_url(), "llx-key"))
        .limits(Limits::default().attempt(Duration::ZERO))
        .retry(Retry::never());
    let error = client.call(Get::new("clj-1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(listener.seen().is_empty());
}

#[test]
fn a_client_is_shared_by_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Client>();
}
