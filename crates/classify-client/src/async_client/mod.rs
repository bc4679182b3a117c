//! The async client.

mod attempt;
pub(crate) mod body;
mod bulk;
mod client;
mod executor;
mod list;
mod pool;
mod running;
mod time_limit;
#[cfg(feature = "timer")]
mod timer;
#[cfg(feature = "tower")]
mod tower;
mod transport;

pub use bulk::{BulkRun, FromIterator, FromStream, Source};
pub use client::Client;
pub use executor::BlockingExecutor;
pub use list::{List, Pages};
pub use pool::{Pool, PoolDriver};
pub use running::{Running, StopHandle};
#[cfg(feature = "timer")]
pub use timer::Timer;
#[cfg(feature = "tower")]
pub use tower::TowerTransport;
pub use transport::{DefaultTransport, Transport};
