//! Files that documents are uploaded to, `/api/v1/beta/files`.

mod file;
mod upload;

pub use file::{File, PresignedUrl};
pub use upload::{Purpose, Upload};

/// The route of every operation here.
const ROUTE: &str = "/api/v1/beta/files";
