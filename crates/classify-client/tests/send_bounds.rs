//! The client's futures are `Send` exactly if the transport's are.
#![cfg(feature = "async")]

mod support;

use std::cell::Cell;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use classify_client::{Budget, Client, RequestBody, Transport};
use classify_proto::machine::Concurrent;
use classify_proto::v2::{GetJob, ListJobs};
use classify_proto::{Reply, http};
use support::{SimTransport, Woken, api, create, document, job, rules};

/// A transport that cannot move between threads, such as one over the browser's `fetch`.
struct Local(Rc<Cell<u32>>);

impl Transport for Local {
    type Exchange = Pin<Box<dyn Future<Output = Reply>>>;
    type Sleep = Ready<()>;

    fn send(&self, request: http::Request<RequestBody>, _: Budget) -> Self::Exchange {
        let sent = Rc::clone(&self.0);
        Box::pin(async move {
            sent.set(sent.get() + 1);
            assert!(request.body().is_empty());
            Ok(job("clj-1", "COMPLETED"))
        })
    }

    fn sleep(&self, _: Duration) -> Ready<()> {
        ready(())
    }
}

#[test]
fn transport_that_is_not_send_works() {
    let sent = Rc::new(Cell::new(0));
    let client = Client::with_transport(Local(Rc::clone(&sent)), api());
    let calls = (0..3).map(|_| client.prepare(GetJob::new("clj-1")).expect("a seed"));
    let run = async {
        client.call(GetJob::new("clj-1")).await.expect("a job");
        client.wait("clj-1").await.expect("a job");
        client
            .start(Concurrent::new(calls, 3))
            .finish()
            .await
            .expect("an output");
    };
    let (mut run, woken) = (pin!(run), Woken::new());
    while woken.take() {
        if let Poll::Ready(()) = woken.poll(run.as_mut()) {
            assert_eq!(sent.get(), 5);
            return;
        }
    }
    panic!("nothing wakes the run");
}

/// Compiles only while every future and stream may move between threads.
#[test]
fn futures_of_a_send_transport_are_send() {
    fn send<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}

    let client = Client::with_transport(SimTransport::new(Duration::ZERO), api());
    shared(&client);
    send(&client.call(GetJob::new("clj-1")));
    send(&client.call_raw(GetJob::new("clj-1")));
    send(&client.wait("clj-1"));
    send(&client.run(create("dfl-1")));
    send(&client.classify(document(0).into(), rules()));
    send(&client.list(ListJobs::new()));
    send(&client.pages(ListJobs::new()).next());
    let run = client.document_run(document(0), rules()).expect("a seed");
    let mut running = client.start(run);
    shared(&running.stop_handle());
    send(&running.next());
    send(&running.finish());
    let call = client.prepare(GetJob::new("clj-1")).expect("a seed");
    send(&client.drive(call, drop));
}
