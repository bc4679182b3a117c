//! What follows from each answer.

use std::time::Duration;

use super::blame::Blame;
use super::memory::Mark;
use super::works::Place;
use super::{Bought, Bulk, BulkEvent, Entrant, Record, Report, Settled, Source, Standing, Stop};
use crate::Time;
use crate::body::Content;
use crate::error::{Error, ErrorKind};
use crate::files::File;
use crate::machine::step::Cx;
use crate::reply::Failure;
use crate::text::service_words::one_line;
use crate::v2::{Cancel, Job, JobStatus};

/// How often a document that met a faulty service is tried again, each time with all retries.
const TRIES: u32 = 5;
/// How many earlier jobs of a document may be found to have failed before that is its result.
const REPLAYS: u32 = 8;
/// How long a create rests whose repeat was refused; twice as long each further time.
const FIRST_REST: Duration = Duration::from_secs(2);

/// Which of the two steps that lead to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buying {
    Upload,
    Create,
}

impl Bulk {
    pub(super) fn uploaded(&mut self, cx: Cx<'_>, place: Place, result: Result<File, Error>) {
        match result {
            Ok(file) => {
                self.breaker.went_well();
                let Some(entrant) = self.documents.get_mut(&place) else {
                    return;
                };
                entrant.file_id = Some(file.id.clone());
                entrant.file_is_old = false;
                if let Source::Upload(upload) = &mut entrant.source {
                    // A document in memory is not needed any more.
                    upload.set_content(Content::Withheld);
                }
                let key = entrant.key;
                self.record(Record::Uploaded {
                    key,
                    file_id: file.id,
                });
                self.to_create.push_back(place);
            }
            Err(error) => self.not_bought(cx.now, place, &error, Buying::Upload),
        }
    }

    /// `asked_before` says that an earlier answer to the same create was lost.
    pub(super) fn created(
        &mut self,
        cx: Cx<'_>,
        place: Place,
        result: Result<Job, Error>,
        asked_before: bool,
    ) {
        match result {
            Ok(job) => {
                self.breaker.went_well();
                self.bought(cx, place, job, asked_before);
            }
            Err(error) => {
                if let Some(entrant) = self.documents.get_mut(&place) {
                    // A 409 over a create speaks of a job of this transaction id, made or being made.
                    let is_taken = error.is_conflict() && !is_final_word(&error);
                    entrant.may_be_bought |= error.is_ambiguous() || is_taken;
                }
                if self.uploads_again(place, &error) {
                    self.breaker.abandoned(cx.now);
                    return self.to_upload.push_back(place);
                }
                self.not_bought(cx.now, place, &error, Buying::Create);
            }
        }
    }

    fn bought(&mut self, cx: Cx<'_>, place: Place, job: Job, asked_before: bool) {
        let Some(entrant) = self.documents.get_mut(&place) else {
            return;
        };
        // A job that has failed already is an earlier run's: this is the answer to a repeated create, and the next
        // attempt is another create. Unless this run asked for it before, and may have bought it just now.
        let is_own = asked_before || entrant.may_be_bought || entrant.bought == Bought::Now;
        let is_earlier = is_lost(&job.status) && !is_own;
        if self.options.retry_failed && entrant.replays < REPLAYS && is_earlier {
            entrant.replays += 1;
            return self.raise(place);
        }
        self.has_bought = true;
        entrant.job_id = Some(job.id.clone());
        let transaction_id = job.transaction_id.clone();
        let key = entrant.key;
        let transaction_id = transaction_id
            .or_else(|| {
                self.documents
                    .get(&place)
                    .map(|entrant| self.transaction_id(entrant))
            })
            .unwrap_or_default();
        self.record(Record::Created {
            key,
            job_id: job.id.clone(),
            transaction_id,
        });
        if let Some(report) = Report::of_job(&job) {
            self.settle(place, report, Some(job));
        } else if !self.rounds.open_now(&job, place, cx.now) {
            self.settle_as_taken(place, &job.id);
        }
    }

    /// Begins the next attempt at a document whose job is an earlier round's and led to nothing.
    fn raise(&mut self, place: Place) {
        let Some(entrant) = self.documents.get_mut(&place) else {
            return;
        };
        entrant.attempt += 1;
        entrant.job_id = None;
        (entrant.may_be_bought, entrant.bought) = (false, Bought::Unknown);
        let (key, attempt, next) = (entrant.key, entrant.attempt, entrant.next());
        let name = entrant.names.first().cloned().unwrap_or_default();
        let file_id = entrant.file_id.clone();
        self.record(Record::Planned { key, name, attempt });
        // The planned record forgets the file in a journal, and so it is told anew.
        if let Some(file_id) = file_id {
            self.record(Record::Uploaded { key, file_id });
        }
        self.queue(place, next);
    }

    /// The service knows nothing of a document's job any more: somebody has deleted it.
    pub(super) fn missing(&mut self, place: Place, error: &Error) {
        let is_replaceable = self
            .documents
            .get(&place)
            .is_some_and(|entrant| entrant.bought == Bought::Earlier);
        if self.options.retry_failed && is_replaceable && self.stop.is_none() {
            return self.raise(place);
        }
        self.settle(place, Report::of_error(Standing::Missing, error), None);
    }

    /// The service gave one job to two documents; the second has no result of its own.
    pub(super) fn settle_as_taken(&mut self, place: Place, job_id: &str) {
        let mut report = Report::new(Standing::Error);
        let id = one_line(job_id);
        report.error = Some(format!(
            "the service answered with job {id}, which is another document's"
        ));
        self.settle(place, report, None);
    }

    /// Whether a create failed because the file of an earlier process is gone; then it is forgotten.
    fn uploads_again(&mut self, place: Place, error: &Error) -> bool {
        let gone = matches!(
            error.status().map(|status| status.as_u16()),
            Some(400 | 404)
        );
        let Some(entrant) = self
            .documents
            .get_mut(&place)
            .filter(|entrant| entrant.file_is_old && gone)
        else {
            return false;
        };
        if matches!(entrant.source, Source::Held(_)) {
            return false;
        }
        entrant.file_is_old = false;
        entrant.file_id = None;
        true
    }

    /// An upload or a create that failed with all its retries.
    fn not_bought(&mut self, now: Time, place: Place, error: &Error, buying: Buying) {
        match self.blame(place, error, buying) {
            Blame::Everyone => {
                self.breaker.abandoned(now);
                self.settle_unbought(place, error.to_string());
                self.stop_for(error.duplicate());
            }
            Blame::Document => {
                self.breaker.went_well();
                self.refused(now, place, error, buying);
            }
            Blame::Service => self.at_fault(now, place, error, buying),
        }
    }

    /// Whose fault it is, as far as can be told: a 404 may be about the document or about what all of them share.
    fn blame(&self, place: Place, error: &Error, buying: Buying) -> Blame {
        if !error.is_not_found() {
            return Blame::of(error);
        }
        let is_shared = match buying {
            // An upload names nothing of its own.
            Buying::Upload => true,
            Buying::Create if self.template.names_nothing_saved() => false,
            Buying::Create => {
                let is_just_uploaded = self.documents.get(&place).is_some_and(|entrant| {
                    matches!(entrant.source, Source::Upload(_)) && !entrant.file_is_old
                });
                // The file is there, so that it is the saved configuration or a webhook that is missing; unless a
                // job of this run shows that they are there too.
                let words = error.message().to_ascii_lowercase();
                (is_just_uploaded && !self.has_bought) || words.contains("configuration")
            }
        };
        if is_shared {
            Blame::Everyone
        } else {
            Blame::Document
        }
    }

    /// The service turned the document down.
    fn refused(&mut self, now: Time, place: Place, error: &Error, buying: Buying) {
        let Some(entrant) = self.documents.get_mut(&place) else {
            return;
        };
        // What was asked for before may be there all the same, and whoever takes the refusal of a repeat for the end
        // pays for the next attempt while the first one has a job.
        let is_unsure = buying == Buying::Create && entrant.may_be_bought && !is_final_word(error);
        if !is_unsure {
            return self.settle(place, Report::of_error(Standing::Error, error), None);
        }
        entrant.faults += 1;
        if entrant.faults >= TRIES {
            return self.settle_unbought(place, error.to_string());
        }
        let rest = FIRST_REST.saturating_mul(2u32.saturating_pow(entrant.faults - 1));
        self.resting.insert((now + rest, place));
    }

    /// The service, or the way to it, is not well.
    fn at_fault(&mut self, now: Time, place: Place, error: &Error, buying: Buying) {
        if error.failure().is_none_or(Failure::may_have_been_sent) {
            self.breaker.reached();
        }
        if let Some(rest) = self.breaker.failed(now, error.retry_after()) {
            if self.breaker.is_hopeless(rest) {
                self.settle_unbought(place, error.to_string());
                return self.stop_for(error.duplicate());
            }
            let notice = format!(
                "the service is at fault; nothing new is begun for {} s ({error})",
                rest.as_secs()
            );
            self.events.push_back(BulkEvent::Notice(notice));
        }
        let Some(entrant) = self.documents.get_mut(&place) else {
            return;
        };
        entrant.faults += 1;
        if entrant.faults >= TRIES {
            return self.settle_unbought(place, error.to_string());
        }
        self.queue(place, buying);
    }

    /// The run is through with a document that has no job, as far as it knows.
    pub(super) fn settle_unbought(&mut self, place: Place, why: String) {
        let unsure = self
            .documents
            .get(&place)
            .is_some_and(|entrant| entrant.may_be_bought);
        let mut report = Report::new(if unsure {
            Standing::Ambiguous
        } else {
            Standing::NotStarted
        });
        report.error = Some(why);
        self.settle(place, report, None);
    }

    pub(super) fn cancelled(&mut self, place: Place, result: Result<Job, Error>) {
        match result {
            Ok(job) => {
                let report = Report::of_job(&job).unwrap_or_else(|| Report::new(Standing::Open));
                self.settle(place, report, Some(job));
            }
            // It ended before it could be cancelled, and is worth what it cost.
            Err(error) if Cancel::may_have_ended(&error) => self.look_for(place),
            Err(error) => self.settle(place, Report::of_error(Standing::Open, &error), None),
        }
    }

    /// A refusal that every further request would meet too.
    pub(super) fn stop_for(&mut self, error: Error) {
        // Without rights, or without TLS, nothing can be read either; without credits what is paid for can.
        let stop = if Blame::of(&error) == Blame::Everyone && !error.is_quota() {
            Stop::Waiting
        } else {
            Stop::Buying
        };
        // A run that waits for what it has bought may find that it cannot even do that.
        if self.stop.is_none_or(|stop| stop == Stop::Buying) {
            self.stop = Some(stop);
        }
        if self.summary.stopped.is_none() {
            self.events
                .push_back(BulkEvent::Notice(format!("the run stops: {error}")));
            self.summary.stopped = Some(error);
        }
    }

    /// The deadline, while there is anything left that it could end.
    pub(super) fn deadline(&self) -> Option<Time> {
        let is_going = self.stop.is_none_or(|stop| stop == Stop::Buying);
        self.options.deadline.filter(|_| is_going)
    }

    pub(super) fn heed_deadline(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.stop_for(Error::deadline(
                "the deadline of the run came before its end",
            ));
        }
    }

    /// A document that an earlier process was through with.
    pub(super) fn restore(&mut self, entrant: Entrant, report: Report) {
        self.summary.restored += 1;
        self.tell(entrant, report, None, true);
    }

    /// The run is through with a document.
    pub(super) fn settle(&mut self, place: Place, mut report: Report, job: Option<Job>) {
        let Some(entrant) = self.documents.remove(&place) else {
            return;
        };
        self.by_key.remove(&entrant.key);
        self.copies -= entrant.names.len().saturating_sub(1);
        report.file_id = report.file_id.or_else(|| entrant.file_id.clone());
        // As it was created, and not as a list writes it.
        report.job_id = entrant.job_id.clone().or(report.job_id);
        if report.status.is_final() {
            self.record(Record::Settled {
                key: entrant.key,
                report: report.clone(),
            });
        }
        self.tell(entrant, report, job, false);
    }

    fn tell(&mut self, entrant: Entrant, report: Report, job: Option<Job>, restored: bool) {
        *self
            .summary
            .standings
            .entry(report.status.clone())
            .or_default() += 1;
        self.summary.no_match +=
            usize::from(report.status.is_answered() && report.r#type.is_none());
        let is_answered = report.status.is_answered();
        let may_be_retried = self.options.retry_failed || entrant.may_be_bought;
        let mark = if entrant.attempt > 0 || (!is_answered && may_be_retried) {
            Mark {
                attempt: entrant.attempt,
                may_be_bought: entrant.may_be_bought,
                is_own: entrant.bought == Bought::Now || report.job_id.is_some(),
            }
        } else {
            Mark::default()
        };
        self.settled.set_mark(entrant.key, mark);
        if report.status.is_final() {
            self.settled.keep(entrant.key, report.clone(), restored);
        }
        self.events.push_back(BulkEvent::Settled(Settled {
            names: entrant.names,
            key: entrant.key,
            report,
            job: job.map(Box::new),
            restored,
        }));
    }
}

/// Whether the service's answer settles what became of a create, whatever went before: it shows another's job, or
/// nothing was ever sent.
fn is_final_word(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Invalid)
}

/// Whether a job has ended without an answer.
fn is_lost(status: &JobStatus) -> bool {
    matches!(status, JobStatus::Failed | JobStatus::Cancelled)
}
