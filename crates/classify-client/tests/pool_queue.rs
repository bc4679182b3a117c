//! The queue of a pool under a model checker: in every order of threads, each caller gets its answer or learns that
//! there will be none, and no caller waits for ever.

use std::task::{Context, Poll, Wake, Waker};

use shuttle::thread;

/// The locks of the model checker, where the queue expects the standard library's.
mod sync {
    pub(crate) use shuttle::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

#[path = "../src/pool/queue.rs"]
mod queue;

use queue::{Callers, Driver, Lost, queue};

const SCHEDULES: usize = 2_000;

/// Unparks a thread of the model checker.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(std::sync::Arc::new(Unpark(thread::current())))
}

/// Submits a request and waits for its answer.
fn ask(callers: &Callers<u32, u32>, request: u32) -> Result<u32, Lost> {
    let waiting = callers.submit(request);
    let waker = waker();
    loop {
        match waiting.poll(&Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

/// Answers requests until the queue is closed, and stops early after `most`.
fn serve(driver: &Driver<u32, u32>, most: usize) -> usize {
    let waker = waker();
    let mut answered = 0;
    loop {
        let taken = driver.take(2, &waker);
        if taken.is_empty() {
            if driver.is_closed() {
                return answered;
            }
            thread::park();
            continue;
        }
        for (request, taken) in taken {
            if answered == most {
                return answered;
            }
            taken.answer(request * 10);
            answered += 1;
        }
    }
}

#[test]
fn pool_queue_answers_every_caller_and_ends() {
    shuttle::check_random(
        || {
            let (callers, driver) = queue::<u32, u32>();
            let server = thread::spawn(move || serve(&driver, usize::MAX));
            let clients: Vec<_> = (1..4)
                .map(|number| {
                    let callers = callers.clone();
                    thread::spawn(move || assert_eq!(ask(&callers, number), Ok(number * 10)))
                })
                .collect();
            drop(callers);
            for client in clients {
                client.join().unwrap();
            }
            assert_eq!(server.join().unwrap(), 3);
        },
        SCHEDULES,
    );
}

#[test]
fn pool_queue_driver_that_ends_leaves_nobody_waiting() {
    shuttle::check_random(
        || {
            let (callers, driver) = queue::<u32, u32>();
            let server = thread::spawn(move || serve(&driver, 1));
            let clients: Vec<_> = (1..4)
                .map(|number| {
                    let callers = callers.clone();
                    thread::spawn(move || usize::from(ask(&callers, number).is_ok()))
                })
                .collect();
            drop(callers);
            let answered: usize = clients.into_iter().map(|one| one.join().unwrap()).sum();
            assert_eq!(answered, server.join().unwrap());
        },
        SCHEDULES,
    );
}

#[test]
fn pool_queue_skips_callers_that_went_away() {
    shuttle::check_random(
        || {
            let (callers, driver) = queue::<u32, u32>();
            let server = thread::spawn(move || serve(&driver, usize::MAX));
            let impatient = {
                let callers = callers.clone();
                thread::spawn(move || {
                    let waiting = callers.submit(1);
                    let waker = waker();
                    // Asks once, and goes.
                    waiting.poll(&Context::from_waker(&waker)).is_ready()
                })
            };
            assert_eq!(ask(&callers, 2), Ok(20));
            drop(callers);
            let was_answered = impatient.join().unwrap();
            let answered = server.join().unwrap();
            assert!(answered == 2 || (answered == 1 && !was_answered));
        },
        SCHEDULES,
    );
}
