//! Many documents side by side, each classified once and paid for once.

mod blame;
mod breaker;
mod document;
mod event;
mod fed;
#[cfg(test)]
mod flat;
mod flow;
mod intake;
mod journal;
mod memory;
mod options;
mod report;
mod rounds;
mod transaction;
mod works;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

pub use document::{ContentHasher, ContentKey, Document};
pub use event::{BulkEvent, Settled, Summary};
pub use fed::{Fed, FedEvent};
pub use journal::{Header, Journal, Record};
pub use options::BulkOptions;
pub use report::{Report, Standing};

use self::breaker::{Breaker, Pass};
use self::document::Source;
use self::flow::Buying;
use self::journal::Entry;
use self::memory::Memory;
use self::rounds::Rounds;
use self::transaction::Fingerprint;
use self::works::{Did, Place, Work, Works};
use super::call::Call;
use super::step::{Cx, Machine, Step, Ticket};
use crate::Time;
use crate::api::Api;
use crate::error::Error;
use crate::operation::{Operation as _, RateClass, Seed};
use crate::reply::Reply;
use crate::v2::{Cancel, Create, JobStatus};

/// Classifies any number of documents, each once.
///
/// Documents come in as there is room for them, so that memory grows with what is in flight and not with the run:
/// [`BulkEvent::Room`] asks for more, [`push`](Self::push) gives them, and a request for room that is answered with
/// none means that there are no more. Each goes its way, upload, create, look, and comes out as one
/// [`BulkEvent::Settled`].
///
/// **Once.** The transaction id of a document's create is made from the project, the document's content, the
/// configuration and the number of the attempt. Whoever asks for the same again, in the next attempt, in a new process
/// or on another machine, is answered with the first job. Documents of the same content are sent once and reported
/// under each name.
///
/// **Looked at together.** Open jobs are looked up by list, a hundred at a time, less often as they grow older. A job
/// that two rounds do not show is asked for by its id, and then reported missing.
///
/// **Over a crash.** Every [`BulkEvent::Record`] is to be stored before the machine is polled again. [`Journal`] reads
/// them back, and [`with_journal`](Self::with_journal) goes on from there: what is settled is reported again and not
/// asked again, what is open is looked at, and the rest goes on. The journal is this machine's saved state.
///
/// **Verdicts.** A bad document is its own report and stops nothing. What every document would meet stops all that
/// would cost, and settles none of them: a key without rights or a plan without credits (401, 402, 403), a redirect, a
/// certificate that is not trusted, a route or a saved configuration that is not there. Jobs that are paid for are still
/// waited for where that is possible. When the service itself is at fault again and again, a breaker holds everything
/// back for a while, or for as long as the service asks, and then tries one document.
///
/// The refusal of a repeat is no verdict: where an earlier answer to the same create was lost, there may be a job
/// whatever the service says to the next. It is asked again a few times, and is then
/// [ambiguous](Standing::Ambiguous); the same run, asked again, finds the job.
///
/// The machine takes its rate limits from the [`Limiter`](super::Limiter) that is lent to it.
pub struct Bulk {
    template: Create,
    /// What the template and the project contribute to every transaction id.
    fingerprint: Fingerprint,
    header: Header,
    options: BulkOptions,
    seed: Seed,
    journal: BTreeMap<super::ContentKey, Entry>,
    phase: Phase,
    supply: Supply,
    /// The journal ends with the end of the run.
    is_end_told: bool,
    /// How many documents had been pushed when room was last asked for.
    asked_at: Option<Place>,
    pushed: Place,
    events: VecDeque<BulkEvent>,
    documents: BTreeMap<Place, Entrant>,
    by_key: BTreeMap<ContentKey, Place>,
    /// Further names of the documents on their way.
    copies: usize,
    to_upload: VecDeque<Place>,
    to_create: VecDeque<Place>,
    /// Creates that are repeated at a later time.
    resting: BTreeSet<(Time, Place)>,
    /// A create of this run was answered with a job.
    has_bought: bool,
    works: Works,
    rounds: Rounds,
    breaker: Breaker,
    stop: Option<Stop>,
    settled: Memory,
    summary: Summary,
}

/// A document on its way.
struct Entrant {
    names: Vec<String>,
    key: ContentKey,
    source: Source,
    /// The number that is part of the transaction id.
    attempt: u32,
    /// How often it met a faulty service.
    faults: u32,
    /// How many earlier jobs of it were found to have failed.
    replays: u32,
    file_id: Option<String>,
    /// The file comes from the journal and may be gone.
    file_is_old: bool,
    /// The answer to a create was lost, in this process or with an earlier one, so that there may be a job.
    may_be_bought: bool,
    job_id: Option<String>,
    bought: Bought,
}

/// Which round has paid for the present attempt at a document. One that an earlier round has paid for may be followed
/// by another; one of this round's own may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bought {
    /// None, or it is not known.
    Unknown,
    Earlier,
    Now,
}

impl Entrant {
    /// What leads to its job next.
    fn next(&self) -> Buying {
        match (&self.source, &self.file_id) {
            (Source::Upload(_), None) => Buying::Upload,
            _ => Buying::Create,
        }
    }
}

/// Where the next document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Supply {
    Flowing,
    /// The caller has said that it is not ready yet.
    Held,
    /// There are no more.
    Ended,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The journal does not say yet what run it is of.
    Unrecorded,
    Going,
    /// The open jobs were left, or are being cancelled.
    Left,
    Ended,
}

/// How a run stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Begin nothing; wait for the open jobs.
    Buying,
    /// Begin nothing; leave the open jobs.
    Waiting,
    /// Begin nothing; cancel the open jobs.
    Cancelling,
}

impl Bulk {
    /// A run that creates jobs by `template`, whose own input and transaction id are passed over.
    ///
    /// The project is the template's, or `api`'s. `seed` is sixteen random bytes of the driver's: jitter comes from
    /// them, and the nonce of a [fresh](BulkOptions::fresh) run.
    ///
    /// # Errors
    ///
    /// [`is_invalid`](Error::is_invalid) when the template breaks a limit of the service, before anything is sent.
    pub fn new(
        api: &Api,
        template: Create,
        options: BulkOptions,
        seed: Seed,
    ) -> Result<Self, Error> {
        let options = options.within_bounds();
        if api.checks() {
            template
                .clone()
                .for_input("any")
                .check()
                .map_err(|error| error.with_operation("classify.create"))?;
        }
        let project = template
            .scope()
            .project_id
            .as_deref()
            .or(api.project())
            .map(str::to_owned);
        let (configuration, configuration_id) = template.rules();
        let mut header = Header::new(
            project,
            configuration.cloned(),
            configuration_id.map(str::to_owned),
        );
        header.base_url = Some(api.base_url().to_owned());
        let organization = template.scope().organization_id.as_deref();
        header.organization = organization.or(api.organization()).map(str::to_owned);
        if options.fresh {
            header.nonce = Some(seed.derive(0).hex());
        }
        Ok(Self {
            fingerprint: Fingerprint::of(&header),
            template,
            header,
            rounds: Rounds::new(options.cadence, seed),
            settled: Memory::new(options.remember),
            options,
            seed,
            journal: BTreeMap::new(),
            phase: Phase::Unrecorded,
            supply: Supply::Flowing,
            is_end_told: false,
            asked_at: None,
            pushed: 0,
            events: VecDeque::new(),
            documents: BTreeMap::new(),
            by_key: BTreeMap::new(),
            copies: 0,
            to_upload: VecDeque::new(),
            to_create: VecDeque::new(),
            resting: BTreeSet::new(),
            has_bought: false,
            works: Works::default(),
            breaker: Breaker::default(),
            stop: None,
            summary: Summary::default(),
        })
    }

    /// Goes on with the run of a journal. One without a line begins anew.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State), saying what differs, when the journal is of another run; a
    /// [fresh](BulkOptions::fresh) one goes on with the journal of a fresh one only.
    pub fn with_journal(mut self, journal: Journal) -> Result<Self, Error> {
        let Some(header) = journal.header else {
            return Ok(self);
        };
        if let Some(difference) = header.difference(&self.header) {
            return Err(Error::state(format!(
                "the journal is of another run; {difference}"
            )));
        }
        // Going on with it would be answered with its jobs, and pay for nothing anew.
        if self.options.fresh && header.nonce.is_none() {
            return Err(Error::state(
                "the journal is of another run; that one was not to classify anew, and this one is",
            ));
        }
        self.fingerprint = Fingerprint::of(&header);
        self.header = header;
        self.journal = journal.entries;
        self.is_end_told = journal.is_ended;
        self.phase = Phase::Going;
        Ok(self)
    }

    /// What the journal says became of a document that has not been pushed.
    #[must_use]
    pub fn earlier(&self, key: ContentKey) -> Option<&Report> {
        self.journal
            .get(&key)
            .and_then(|entry| entry.report.as_ref())
    }

    /// The job of a document that is on its way, where it has one already: an earlier process may have created it.
    #[must_use]
    pub fn job_of(&self, key: ContentKey) -> Option<&str> {
        let place = self.by_key.get(&key)?;
        self.documents.get(place)?.job_id.as_deref()
    }

    /// Stops: begins nothing more, takes in what is on the wire, and reports which jobs remain open.
    pub fn stop(&mut self) {
        self.stop = Some(
            self.stop
                .filter(|stop| *stop == Stop::Cancelling)
                .unwrap_or(Stop::Waiting),
        );
    }

    /// Stops, and cancels every open job.
    pub fn stop_and_cancel(&mut self) {
        self.stop = Some(Stop::Cancelling);
    }

    /// Whether the run is stopping before its end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// How many documents are on their way, and how many of them have an open job.
    #[must_use]
    pub fn in_flight(&self) -> (usize, usize) {
        (self.documents.len(), self.rounds.open())
    }

    fn record(&mut self, record: Record) {
        self.is_end_told = record == Record::Ended;
        self.events.push_back(BulkEvent::Record(record));
    }

    fn transaction_id(&self, entrant: &Entrant) -> String {
        self.fingerprint
            .transaction_id(entrant.key, entrant.attempt)
    }

    /// Begins the next upload or create; otherwise says when there may be one to begin.
    fn begin_next(&mut self, cx: Cx<'_>) -> Result<(), Option<Time>> {
        while let Some((_, place)) = self.resting.first().filter(|(time, _)| *time <= cx.now) {
            self.to_create.push_back(*place);
            self.resting.pop_first();
        }
        let nothing = self.to_create.is_empty() && self.to_upload.is_empty();
        if nothing || self.stop.is_some() || self.works.buying() >= self.options.max_requests {
            return Err(None);
        }
        match self.breaker.pass(cx.now) {
            Pass::Yes => {}
            Pass::From(time) => return Err(Some(time)),
            Pass::Later => return Err(None),
        }
        // Creates first: a document that is half-way is worth more than one that has not begun.
        let mut wake: Option<Time> = None;
        for class in [RateClass::Create, RateClass::Upload] {
            let queue = if class == RateClass::Create {
                &mut self.to_create
            } else {
                &mut self.to_upload
            };
            if queue.is_empty() {
                continue;
            }
            let free = cx.free_at(class);
            if free > cx.now {
                wake = Some(wake.map_or(free, |earlier| earlier.min(free)));
                continue;
            }
            if let Some(place) = queue.pop_front() {
                if let Some(work) = self.work(place) {
                    self.breaker.begin();
                    self.works.begin(work);
                }
                return Ok(());
            }
        }
        Err(wake)
    }

    fn work(&self, place: Place) -> Option<Work> {
        let entrant = self.documents.get(&place)?;
        let seed = self.seed.derive(place);
        let input = match (&entrant.source, &entrant.file_id) {
            (Source::Held(id), _) | (Source::Upload(_), Some(id)) => id,
            (Source::Upload(upload), None) => {
                let upload = (**upload).clone().in_scope_of(&self.template);
                return Some(Work::Upload(
                    place,
                    Box::new(Call::new(upload, seed).retry(self.options.retry)),
                ));
            }
        };
        let mut create = self
            .template
            .clone()
            .for_input(input)
            .transaction_id(self.transaction_id(entrant));
        if matches!(entrant.source, Source::Upload(_)) {
            create = create.any_copy();
        }
        Some(Work::Create(
            place,
            Box::new(Call::new(create, seed).retry(self.options.retry)),
        ))
    }

    fn take(&mut self, cx: Cx<'_>, did: Did) {
        match did {
            Did::Send(..) => {}
            Did::Uploaded(place, result) => self.uploaded(cx, place, result),
            Did::Created(place, result, asked_before) => {
                self.created(cx, place, result, asked_before);
            }
            Did::Looked(place, result) => self.looked(place, result),
            Did::Cancelled(place, result) => self.cancelled(place, result),
            Did::Page(page) => {
                for job in page.items {
                    self.seen(job);
                }
            }
            Did::RoundEnded(result) => self.round_ended(cx, result),
        }
    }

    /// One step of stopping, where the run is stopping; `false` when there is nothing to stop.
    fn wind_down(&mut self) -> bool {
        let Some(stop) = self.stop else {
            return false;
        };
        let mut dropped: Vec<Place> = self
            .to_upload
            .drain(..)
            .chain(self.to_create.drain(..))
            .chain(
                std::mem::take(&mut self.resting)
                    .into_iter()
                    .map(|(_, place)| place),
            )
            .collect();
        for (place, may_have_acted) in self.works.drop_idle_buying() {
            if let Some(entrant) = self.documents.get_mut(&place) {
                entrant.may_be_bought |= may_have_acted;
            }
            dropped.push(place);
        }
        let any_dropped = !dropped.is_empty();
        for place in dropped {
            self.settle_unbought(place, "the run stopped first".to_owned());
        }
        if stop == Stop::Buying || self.works.buying() > 0 || self.phase != Phase::Going {
            return any_dropped;
        }
        self.phase = Phase::Left;
        self.works.drop_reading();
        for (job_id, place, status) in self.rounds.drain() {
            if stop == Stop::Cancelling {
                let call = Call::new(
                    Cancel::new(job_id).scoped(self.template.scope()),
                    self.seed.derive(place),
                );
                self.works.begin(Work::Cancel(
                    place,
                    Box::new(call.retry(self.options.retry)),
                ));
            } else {
                self.leave(place, job_id, status.as_ref());
            }
        }
        true
    }

    fn leave(&mut self, place: Place, job_id: String, status: Option<&JobStatus>) {
        let mut report = Report::new(Standing::Open);
        let standing = status.map_or_else(
            || "has not been seen yet".to_owned(),
            |status| format!("stands at {status}"),
        );
        report.error = Some(format!(
            "the job {standing}; the run did not wait any longer"
        ));
        report.job_id = Some(job_id);
        self.settle(place, report, None);
    }
}

impl Machine for Bulk {
    type Event = BulkEvent;
    type Output = Summary;

    fn poll(&mut self, cx: Cx<'_>) -> Step<BulkEvent, Summary> {
        loop {
            if self.phase == Phase::Unrecorded {
                self.phase = Phase::Going;
                // Before all that documents have led to that were pushed already.
                let run = Record::Run(self.header.clone());
                self.events.push_front(BulkEvent::Record(run));
            }
            if let Some(event) = self.events.pop_front() {
                return Step::Event(event);
            }
            if self.phase == Phase::Ended {
                return Step::Wait(None);
            }
            self.heed_deadline(cx.now);
            if let Some(event) = self.ask_for_room() {
                return Step::Event(event);
            }
            match self.works.poll(cx) {
                Some(Did::Send(ticket, request)) => return Step::Send(ticket, request),
                Some(did) => {
                    self.take(cx, did);
                    continue;
                }
                None => {}
            }
            if self.wind_down() {
                continue;
            }
            let free = match self.begin_next(cx) {
                Ok(()) => continue,
                Err(free) => free,
            };
            if !self.events.is_empty() || self.begin_round(cx.now) {
                continue;
            }
            if self.works.is_empty()
                && self.documents.is_empty()
                && (self.supply == Supply::Ended || self.stop.is_some())
            {
                if self.stop.is_none() && !self.is_end_told {
                    self.record(Record::Ended);
                    continue;
                }
                self.phase = Phase::Ended;
                return Step::Done(std::mem::take(&mut self.summary));
            }
            let rested = self.resting.first().map(|(time, _)| *time);
            let wakes = [
                self.works.wakes(),
                free,
                rested,
                self.rounds.wakes(),
                self.deadline(),
            ];
            return Step::Wait(wakes.into_iter().flatten().min());
        }
    }

    fn handle(&mut self, cx: Cx<'_>, ticket: Ticket, reply: Reply) {
        self.works.handle(cx, ticket, reply);
    }

    fn resume(&mut self) {
        self.works.resume();
    }
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("pushed", &self.pushed)
            .field("in_flight", &self.documents.len())
            .field("open", &self.rounds.open())
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}
