//! The background thread that sends requests, and waiting for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use classify_proto::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A thread with a tokio runtime. It ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Runtime(Arc<Inner>);

struct Inner {
    handle: Handle,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

impl Runtime {
    pub(crate) fn start() -> Result<Self, Error> {
        let failure = |error: std::io::Error| {
            Error::state(format!(
                "cannot start the thread for object stores: {error}"
            ))
            .with_io_kind(error.kind())
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failure)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("classify-objects".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(ended);
            })
            .map_err(failure)?;
        Ok(Self(Arc::new(Inner { handle, _end: end })))
    }

    /// Runs a future on the thread, and returns its output. Blocks. `None` if the future panicked.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        block_on(self.0.handle.spawn(future)).ok()
    }

    /// Runs a future on the thread until the returned guard is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        Task {
            handle: self.0.handle.spawn(future).abort_handle(),
            _runtime: self.clone(),
        }
    }
}

/// A future on the thread. It is aborted on drop.
pub(crate) struct Task {
    handle: AbortHandle,
    _runtime: Runtime,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that another thread completes. Unlike the functions of tokio, it does not panic on a thread of an
/// async runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    // On a thread of a tokio runtime, the budget of its task would end.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_runs_futures_also_on_an_async_thread_and_survives_a_panic() {
        let runtime = Runtime::start().unwrap();
        let outer = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        outer.block_on(async {
            // More often than a task of tokio may poll.
            for number in 0..1_000 {
                assert_eq!(runtime.run(async move { number }), Some(number));
            }
        });
        let panicked: Option<()> = runtime.run(async { panic!("planned") });
        assert_eq!(panicked, None);
        assert_eq!(runtime.run(async { 1 }), Some(1));
    }

    #[test]
    fn runtime_thread_ends_with_last_clone() {
        let runtime = Runtime::start().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let task = runtime.spawn(async move {
            let _sender = sender;
            std::future::pending::<()>().await;
        });
        drop(runtime);
        assert!(receiver.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty));
        drop(task);
        // The sender is dropped with the future.
        let ended = receiver.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(ended, Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
    }
}
