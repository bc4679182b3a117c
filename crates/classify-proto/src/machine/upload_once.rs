//! An upload that happens once.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::context::Context;
use super::pager::Pager;
use super::retry::Retry;
use super::saved::Saved;
use super::step::{Machine, Step, Ticket};
use super::tickets::Tickets;
use crate::Time;
use crate::error::Error;
use crate::files::{File, ListFiles, UploadFile};
use crate::reply::Reply;
use crate::seed::Seed;

/// Minimum remaining lifetime of a file that is used again: enough to create a job with it.
const MIN_REMAINING_MICROS: i64 = 10 * 60 * 1_000_000;

/// Finds a document among the uploaded files by its `external_file_id`, and uploads it if there is none.
///
/// The id must identify the content, such as a hash of it: the service does not compare contents, so a changed document
/// with the old id would not be uploaded. A file that expires within ten minutes is not used. An upload without an
/// `external_file_id` is always sent.
///
/// ```
/// use classify_proto::machine::UploadOnce;
/// use classify_proto::{Seed, files::UploadFile};
///
/// let upload = UploadFile::new("scan.pdf", b"%PDF-".to_vec()).external_file_id("sha256-2c26b46b");
/// let reuse = UploadOnce::new(upload, Seed::new([7; 16]));
/// ```
#[derive(Debug, Serialize, Deserialize)]
pub struct UploadOnce {
    stage: UploadOnceStage,
    retry: Retry,
    seed: Seed,
    tickets: Tickets,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UploadOnceStage {
    Find(Box<Pager<ListFiles>>, Box<UploadFile>),
    Upload(Box<Call<UploadFile>>),
    Ended,
}

/// The output of [`UploadOnce`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UploadOutcome {
    /// The file, found or uploaded.
    pub file: File,
    /// Whether it was uploaded by this machine.
    pub uploaded: bool,
}

impl UploadOnce {
    /// Finds the file of `upload`, or uploads it. `seed` is 16 random bytes from the driver.
    #[must_use]
    pub fn new(upload: UploadFile, seed: Seed) -> Self {
        let stage = match upload.external_file_id.as_deref() {
            Some(id) => {
                let list = ListFiles::new().external_file_id(id).scoped(&upload.scope);
                UploadOnceStage::Find(Box::new(Pager::new(list, seed.derive(1))), Box::new(upload))
            }
            None => UploadOnceStage::Upload(Box::new(Call::new(upload, seed))),
        };
        Self {
            stage,
            retry: Retry::default(),
            seed,
            tickets: Tickets::default(),
        }
    }

    /// Sets the retry policy of every request. Call it before the first poll.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self.stage = match self.stage {
            UploadOnceStage::Find(pager, upload) => {
                UploadOnceStage::Find(Box::new(pager.retry(retry)), upload)
            }
            UploadOnceStage::Upload(call) => UploadOnceStage::Upload(Box::new(call.retry(retry))),
            UploadOnceStage::Ended => UploadOnceStage::Ended,
        };
        self
    }

    /// Returns the upload, to set its content after loading; `None` once it is complete.
    pub fn upload_mut(&mut self) -> Option<&mut UploadFile> {
        match &mut self.stage {
            UploadOnceStage::Find(_, upload) => Some(upload),
            UploadOnceStage::Upload(call) => Some(call.operation_mut()),
            UploadOnceStage::Ended => None,
        }
    }

    fn end<E>(
        &mut self,
        result: Result<UploadOutcome, Error>,
    ) -> Step<E, Result<UploadOutcome, Error>> {
        self.stage = UploadOnceStage::Ended;
        Step::Done(result)
    }

    fn upload(&mut self) {
        if let UploadOnceStage::Find(_, upload) =
            std::mem::replace(&mut self.stage, UploadOnceStage::Ended)
        {
            let call = Call::new(*upload, self.seed).retry(self.retry);
            self.stage = UploadOnceStage::Upload(Box::new(call));
        }
    }
}

/// Whether a file has this id and does not expire soon.
fn is_usable(file: &File, id: Option<&str>, now: Time) -> bool {
    // A server that ignores unknown filters would return all files.
    let is_same_document = file.external_file_id.as_deref() == id;
    let now = i64::try_from(now.as_millis())
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    is_same_document
        && file
            .expires_at
            .is_none_or(|end| end.as_unix_micros().saturating_sub(now) >= MIN_REMAINING_MICROS)
}

impl Machine for UploadOnce {
    type Event = std::convert::Infallible;
    type Output = Result<UploadOutcome, Error>;

    fn poll(&mut self, cx: Context<'_>) -> Step<Self::Event, Self::Output> {
        loop {
            let (inner, request) = match &mut self.stage {
                UploadOnceStage::Find(pager, upload) => match pager.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(page) => {
                        let id = upload.external_file_id.as_deref();
                        let found = page
                            .items
                            .into_iter()
                            .find(|file| is_usable(file, id, cx.now));
                        match found {
                            Some(file) => {
                                return self.end(Ok(UploadOutcome {
                                    file,
                                    uploaded: false,
                                }));
                            }
                            None => continue,
                        }
                    }
                    Step::Done(Ok(())) => {
                        self.upload();
                        continue;
                    }
                    Step::Done(Err(error)) => return self.end(Err(error)),
                },
                UploadOnceStage::Upload(call) => match call.poll(cx) {
                    Step::Send(inner, request) => (inner, request),
                    Step::Wait(until) => return Step::Wait(until),
                    Step::Event(never) => match never {},
                    Step::Done(result) => {
                        let uploaded = true;
                        return self.end(result.map(|file| UploadOutcome { file, uploaded }));
                    }
                },
                UploadOnceStage::Ended => return Step::Wait(None),
            };
            return Step::Send(self.tickets.issue(0, inner), request);
        }
    }

    fn handle(&mut self, cx: Context<'_>, ticket: Ticket, reply: Reply) {
        let Some((_, inner)) = self.tickets.redeem(ticket) else {
            return;
        };
        match &mut self.stage {
            UploadOnceStage::Find(pager, _) => pager.handle(cx, inner, reply),
            UploadOnceStage::Upload(call) => call.handle(cx, inner, reply),
            UploadOnceStage::Ended => {}
        }
    }

    fn resume(&mut self) {
        self.tickets.forget_all();
        match &mut self.stage {
            UploadOnceStage::Find(pager, _) => pager.resume(),
            UploadOnceStage::Upload(call) => call.resume(),
            UploadOnceStage::Ended => {}
        }
    }
}

impl Saved for UploadOnce {
    fn kind(&self) -> String {
        "upload once".to_owned()
    }
}
