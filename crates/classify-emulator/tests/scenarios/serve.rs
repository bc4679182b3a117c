//! `serve` answers when it is ready, and closes its port when it is stopped.

use std::net::TcpStream;
use std::sync::mpsc::channel;

use classify_emulator::{Config, serve};

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn serve_answers_once_ready_and_closes_port_when_stopped() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (sender, ready) = channel();
    let server = std::thread::spawn(move || {
        let ready = |emulator: &classify_emulator::Emulator| {
            sender
                .send((emulator.address(), emulator.base_url().to_owned()))
                .map_err(std::io::Error::other)
        };
        block_on(serve(Config::default(), ready, async {
            let _ = stopped.await;
        }))
    });
    let (address, url) = ready.recv().expect("it is ready");
    assert_eq!(
        ureq::get(format!("{url}/_emulator/health"))
            .call()
            .expect("an answer")
            .status(),
        200
    );
    stop.send(()).expect("it runs");
    server.join().expect("no panic").expect("no error");
    assert!(
        TcpStream::connect(address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn serve_reports_port_in_use_and_ready_callback_error() {
    let first = classify_emulator::Emulator::start(Config::default()).expect("an emulator");
    let port = first.address().port();
    let error = classify_emulator::Emulator::start(Config::default().port(port))
        .expect_err("the port is taken");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    let refused = block_on(serve(
        Config::default(),
        |_| Err(std::io::Error::other("not today")),
        std::future::pending(),
    ));
    assert_eq!(
        refused.expect_err("the caller's error").to_string(),
        "not today"
    );
}

#[test]
fn emulator_instances_run_concurrently_and_remove_their_folders() {
    let emulators: Vec<_> = (0..16)
        .map(|_| classify_emulator::Emulator::start(Config::default()).expect("an emulator"))
        .collect();
    let urls: std::collections::HashSet<&str> = emulators
        .iter()
        .map(classify_emulator::Emulator::base_url)
        .collect();
    assert_eq!(urls.len(), 16);
    block_on(async {
        let within = classify_emulator::Emulator::start(Config::default())
            .expect("an emulator in an async caller");
        drop(within);
    });
    let folder = emulators[0].upload_dir().to_owned();
    assert!(folder.exists());
    drop(emulators);
    assert!(
        !folder.exists(),
        "temporary folders go with their emulators"
    );
}
