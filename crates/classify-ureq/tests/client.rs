//! Behaviour that is specific to ureq: caller-supplied agents, TLS, threads.

use std::time::Duration;

use classify_emulator::{Config, Emulator};
use classify_proto::files::UploadFile;
use classify_proto::machine::{
    Bulk, BulkEvent, BulkOptions, Call, DocumentStatus, HashedDocument, Retry,
};
use classify_proto::v2::{DeleteJob, GetJob, ListJobs};
use classify_proto::{Api, Seed};
use classify_scenarios::{ResponseScript, ScriptedServer, api, create, response, rules};
use classify_ureq::{Client, Document};

const JOB: &[u8] = br#"{"id": "clj-1", "status": "RUNNING"}"#;

fn job() -> ScriptedServer {
    ScriptedServer::start(|_, _| ResponseScript::Respond(response(200, &[], JOB)))
}

#[test]
fn custom_agent_keeps_settings_except_status_errors_and_redirects() {
    let other = job();
    let target = other.base_url();
    let server = ScriptedServer::start(move |number, _| {
        ResponseScript::Respond(match number {
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
    let client = Client::with_transport(
        classify_ureq::Transport::from_agent(agent),
        api(&server.base_url(), "llx-key"),
    );

    let error = client.call(GetJob::new("clj-1")).unwrap_err();
    assert!(error.is_not_found());
    assert!(error.to_string().contains("no such job"), "{error}");
    let error = client.call(GetJob::new("clj-1")).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(302));
    assert!(other.requests().is_empty());
    let requests = server.requests();
    assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn custom_agent_stricter_timeout_applies() {
    let server = ScriptedServer::start(|_, _| ResponseScript::Hang(Vec::new()));
    let agent = ureq::Agent::config_builder()
        .timeout_recv_response(Some(Duration::from_millis(50)))
        .build()
        .into();
    let client = Client::with_transport(
        classify_ureq::Transport::from_agent(agent),
        api(&server.base_url(), "llx-key"),
    )
    .retry(Retry::never());
    assert!(client.call(GetJob::new("clj-1")).unwrap_err().is_timeout());
}

/// A program may contain both providers of rustls. The client selects one and ignores the process-wide default.
#[test]
fn tls_default_agent_works_with_any_compiled_provider() {
    let server = job();
    let client = Client::new(api(&server.base_url(), "llx-key"));
    assert!(client.call(GetJob::new("clj-1")).is_ok());
}

#[cfg(not(any(feature = "rustls", feature = "aws-lc", feature = "native-tls")))]
#[test]
fn tls_feature_missing_error_for_https_names_features() {
    use classify_proto::{ErrorKind, TransportLimits};

    let https = Api::builder("llx-key").build().expect("an api");
    let create = classify_proto::v2::CreateJob::new("pjb-1", rules());
    for client in [
        Client::new(https.clone()),
        Client::with_transport(
            classify_ureq::Transport::from_agent(ureq::Agent::new_with_defaults()),
            https,
        )
        .limits(TransportLimits::default().connect(Duration::from_millis(200))),
    ] {
        let error = client
            .retry(Retry::never())
            .run(create.clone())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(!error.is_ambiguous(), "{error}");
    }
    let https = Api::builder("llx-key").build().expect("an api");
    let error = Client::new(https).call(GetJob::new("clj-1")).unwrap_err();
    assert!(error.is_refused() && error.attempts() == 0, "{error}");
    assert!(
        error.to_string().contains("rustls, aws-lc, native-tls"),
        "{error}"
    );
}

#[test]
fn upload_is_resent_without_expect_header_on_417() {
    let server = ScriptedServer::start(|number, request| {
        let expected = request.header("expect") == Some("100-continue");
        assert_eq!(expected, number == 0);
        if expected {
            ResponseScript::RespondEarly(response(417, &[], b""))
        } else {
            ResponseScript::Respond(response(200, &[], br#"{"id": "dfl-1", "name": "x"}"#))
        }
    });
    let client = Client::new(api(&server.base_url(), "llx-key"));
    let upload = UploadFile::new("large.txt", vec![b'x'; 3 << 20]);
    client.call(upload).expect("the document is accepted");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(Some(requests[1].body.len()), requests[1].content_length());
}

#[test]
fn io_kind_of_refused_connection() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let client = Client::new(api(&url, "llx-key")).retry(Retry::never());
    let error = client.call(GetJob::new("clj-1")).unwrap_err();
    let kind = std::io::ErrorKind::ConnectionRefused;
    assert_eq!(error.io_kind(), Some(kind), "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
}

/// A caller-supplied agent does not report when it failed, but some errors occur only without a connection.
#[test]
fn custom_agent_dns_failure_is_not_ambiguous() {
    let nowhere = Api::builder("llx-key")
        .base_url("http://nobody.invalid")
        .allow_plain_http()
        .build()
        .expect("an api");
    let agent = ureq::Agent::config_builder().proxy(None).build().into();
    let client = Client::with_transport(classify_ureq::Transport::from_agent(agent), nowhere)
        .retry(Retry::never());
    let error = client.call(DeleteJob::new("clj-1")).unwrap_err();
    assert!(error.is_transport() && !error.is_ambiguous(), "{error}");
}

/// A panic of the transport is a bug, which would occur again in a retry, perhaps after the service has processed the
/// request.
#[test]
fn transport_panic_fails_without_retry() {
    fn panics(
        _: ureq::http::Request<ureq::SendBody<'_>>,
        _: ureq::middleware::MiddlewareNext<'_>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        panic!("on purpose");
    }
    let agent = ureq::Agent::config_builder().middleware(panics).build();
    let client = Client::with_transport(
        classify_ureq::Transport::from_agent(agent.into()),
        api("http://127.0.0.1:1", "llx-key"),
    );
    let delete = || Call::new(DeleteJob::new("clj-1"), Seed::new([1; 16]));
    for error in [
        client.call(DeleteJob::new("clj-1")).unwrap_err(),
        client.drive(delete(), |never| match never {}).unwrap_err(),
    ] {
        assert!(error.to_string().contains("panicked"), "{error}");
        assert!(error.is_ambiguous(), "{error}");
        assert_eq!(error.attempts(), 1, "{error}");
    }
    // A server cannot process a create without its body.
    let error = client.run(create()).unwrap_err();
    assert!(!error.is_ambiguous(), "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
}

/// A document on a network share that does not answer holds up no other, if documents are read ahead.
#[test]
fn bulk_run_ahead_continues_while_a_document_is_read() {
    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl std::io::Read for Stuck {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            let released = self.0.recv_timeout(Duration::from_secs(60));
            released.map(|()| 0).map_err(std::io::Error::other)
        }
    }

    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let client = Client::new(api(emulator.base_url(), emulator.key()));
    let (release, stuck) = std::sync::mpsc::channel();
    let documents = vec![
        Document::bytes("a.txt", "Invoice 1"),
        Document::reader("stuck.txt", Stuck(stuck)),
        Document::bytes("b.txt", "Invoice 2"),
    ];
    let mut run = client.bulk(rules()).run_ahead(documents).expect("a run");
    let first = run.next().expect("an item");
    assert_eq!(first.name(), "a.txt");
    release.send(()).expect("a reader that waits");
    let mut rest: Vec<_> = run.map(|item| item.name().to_owned()).collect();
    rest.sort();
    assert_eq!(rest, ["b.txt", "stuck.txt"]);
    assert_eq!(emulator.job_count(), 2);
}

/// The document iterator and the record handler of a run may use the same client, because no lock is held.
#[test]
fn bulk_input_and_record_handling_may_use_the_same_client() {
    let emulator = Emulator::start(Config::default()).expect("an emulator");
    let at = api(emulator.base_url(), emulator.key());
    let client = Client::new(at.clone());
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let ask = || client.call(ListJobs::new()).map(drop).expect("a page");
        let documents = (0..3).map(|number| {
            ask();
            Document::bytes(format!("{number}.txt"), format!("Invoice {number}"))
        });
        let run = client.bulk(rules()).run(documents).expect("a run");
        let classified = run.filter(|finished| {
            ask();
            finished.outcome().is_ok()
        });
        assert_eq!(classified.count(), 3);

        let options = BulkOptions::default();
        let bulk = Bulk::new(&at, rules(), options, Seed::new([7; 16])).expect("good rules");
        let mut running = client.start(bulk);
        running
            .machine_mut()
            .push(HashedDocument::bytes("a.txt", "Invoice 7"));
        running.machine_mut().close();
        while let Some(event) = running.next() {
            if let BulkEvent::Record(_) = event {
                ask();
            }
        }
        let summary = running.output().expect("an output");
        let _ = done.send(summary.count(&DocumentStatus::Completed));
    });
    // A deadlock would never end.
    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(1));
}

#[test]
fn client_is_send_sync_and_clone() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Client>();
}
