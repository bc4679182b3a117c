//! An upload that is made once.

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

/// How long a file must yet last to be used again: long enough to create a job from it.
const MIN_REMAINING_MICROS: i64 = 10 * 60 * 1_000_000;

/// Finds a document among the uploaded files by its `external_file_id`, and uploads it when it is not there.
///
/// The id must say which content it stands for, such as a hash of it: the service compares nothing, and a changed
/// document under an old id would be found as it was. A file that expires within ten minutes is passed over. An upload
/// without such an id is simply made.
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

/// What a [`UploadOnce`] ends with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UploadOutcome {
    /// The file.
    pub file: File,
    /// Whether it was uploaded just now.
    pub uploaded: bool,
}

impl UploadOnce {
    /// Finds what `upload` would upload, or uploads it. `seed` is sixteen random bytes of the driver's.
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

    /// Repeats requests by this policy. To be set before the first poll.
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

    /// The upload, while it is not done: to set its content again after loading.
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

/// Whether a file is the one, and will be there for a while.
fn is_usable(file: &File, id: Option<&str>, now: Time) -> bool {
    // The service filters, but a server that passes over a filter it does not know would give any file at all.
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
