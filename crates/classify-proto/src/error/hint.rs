//! Hints: advice on errors, as a closed list.

use super::{Error, ErrorKind};

/// Declares the hints with their texts, so that [`Hint::ALL`] contains every one.
macro_rules! hints {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// All hints.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the advice, in one line.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }
    };
}

hints! {
    /// Advice on an [`Error`], appended to its `Display`. [`Error::hints`] returns it.
    ///
    /// No advice leads to a second charge unless its text says "pays again" ([`pays_again`](Self::pays_again)). The
    /// test `hints.rs` follows each text literally and counts the jobs.
    pub enum Hint {
        /// The response to a create was lost, and the transaction id belongs to this create only.
        RepeatCreate = "send the same create (same file_input, same rules) again under the same transaction id, without another upload: that cannot make a second job",
        /// The response to a create was lost, and the transaction id is derived from the document's content. Not with
        /// `retry_failed` or `fresh`, with which another call may be charged.
        ClassifyAgain = "classify the same content by the same rules again, or send the same create again under the same transaction id: that cannot make a second job",
        /// The response to a request without a transaction id was lost.
        VerifyFirst = "it may have been acted upon; look for its effect before sending it again",
        /// The transaction id belongs to the job of another request.
        TransactionTaken = "the transaction id belongs to that job: read the job by its id, or send the create that made it again; a create under another transaction id makes another job and pays again",
        /// The job was created before its saved configuration was edited.
        ConfigurationEdited = "read the job by its id for the answer under the earlier rules; `fresh` asks again under the edited rules, which makes another job and pays again",
        /// A wait for a job reached its deadline.
        WaitAgain = "the job goes on; wait for it again by its id",
        /// A bulk run reached its deadline.
        RunAgain = "jobs that were created go on; run the same documents by the same rules again: that makes no second job for any of them",
        /// A bulk run that may pay again for documents (`retry_failed`, `fresh`) reached its deadline.
        ResumeRun = "jobs that were created go on; resume the run from its journal: that makes no second job for any of them",
        /// The plan has no credits left.
        CheckPlan = "the plan has no credits or room left; more requests cannot help until it has",
        /// The project has spent its credits of this day or month.
        CreditCap = "the project has reached its credit cap: go on when the cap's day or month is over, or once the cap is raised",
        /// The status is 401.
        CheckKey = "check the key, that it has not expired, and that it is of this region: a key is valid in one region only",
        /// The status is 401, and the message says that the key has expired.
        ExpiredKey = "the key has expired: create another key of the same project and continue with it",
        /// The status is 403.
        CheckRights = "the key has no right to this project or organization",
        /// The status is 404.
        CheckId = "check the id, and that it belongs to the key's project",
        /// The status is 404, for version 1 of the API.
        CheckIdOrVersion = "check the id, and that it belongs to the key's project; v1 has left the published interface and may have been withdrawn",
        /// The status is 410.
        Withdrawn = "the service has withdrawn this endpoint; v1 left its published interface",
        /// The status is 413.
        SizeLimit = "the document is over the service's size limit",
        /// The status is 422.
        CorrectField = "correct the named field",
        /// The status is 429.
        SlowDown = "slow down: a free plan allows 20 requests a minute, which `Limiter::free_tier` and `--limits free` keep to",
        /// The status is 3xx.
        CheckBaseUrl = "check the base URL",
        /// The response is an HTML page and not the service's JSON.
        Intercepted = "something on the way answered in place of the service, such as a captive portal, a proxy or a firewall: check the network and the base URL",
        /// A proxy answered with 407.
        ProxyLogin = "the proxy asks for a user name and a password: write them into its URL, as in http://USER:PASSWORD@HOST:PORT",
        /// A proxy answered `CONNECT` with 403 or another 4xx.
        ProxyDenies = "the proxy does not connect to this host: ask its operator, or list the host in NO_PROXY to go past the proxy",
    }
}

impl Hint {
    /// Returns `true` if following the text may create and charge another job. The text then says so.
    #[must_use]
    pub fn pays_again(self) -> bool {
        self.text().contains("pays again")
    }
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.text())
    }
}

impl Error {
    /// Returns the hints, in the order of `Display`: advice on an ambiguous request comes first.
    pub fn hints(&self) -> impl Iterator<Item = Hint> + use<> {
        [self.ambiguity_hint(), self.kind_hint()]
            .into_iter()
            .flatten()
    }

    /// The hint if the service may have acted.
    fn ambiguity_hint(&self) -> Option<Hint> {
        self.0.ambiguous.then_some(match self.0.transaction_id {
            Some(_) if self.0.repeatable => Hint::ClassifyAgain,
            Some(_) => Hint::RepeatCreate,
            None => Hint::VerifyFirst,
        })
    }

    fn kind_hint(&self) -> Option<Hint> {
        if self.is_intercepted() {
            return Some(Hint::Intercepted);
        }
        if self.is_credit_cap() {
            return Some(Hint::CreditCap);
        }
        if self.is_quota() {
            return Some(Hint::CheckPlan);
        }
        if let Some(failure) = self.failure().filter(|_| self.is_refused()) {
            return match failure.proxy_status()? {
                407 => Some(Hint::ProxyLogin),
                _ => Some(Hint::ProxyDenies),
            };
        }
        let hint = match self.0.kind {
            ErrorKind::Deadline if self.0.job_id.is_some() => Hint::WaitAgain,
            ErrorKind::Deadline if self.0.repeatable => Hint::RunAgain,
            ErrorKind::Deadline => Hint::ResumeRun,
            ErrorKind::Conflict if self.0.is_edited => Hint::ConfigurationEdited,
            ErrorKind::Conflict if self.0.transaction_id.is_some() => Hint::TransactionTaken,
            ErrorKind::Status => match self.status()?.as_u16() {
                401 if self.is_expired_key() => Hint::ExpiredKey,
                401 => Hint::CheckKey,
                403 => Hint::CheckRights,
                404 if self.is_of_v1_jobs() => Hint::CheckIdOrVersion,
                404 if self.names_no_object() => Hint::CheckBaseUrl,
                404 => Hint::CheckId,
                // From a proxy that forwards plain HTTP.
                407 => Hint::ProxyLogin,
                410 => Hint::Withdrawn,
                413 => Hint::SizeLimit,
                // A corrected create is another request, and an earlier attempt may have created a job: the hint comes
                // second.
                422 if !self.0.ambiguous => Hint::CorrectField,
                429 => Hint::SlowDown,
                300..=399 => Hint::CheckBaseUrl,
                _ => return None,
            },
            _ => return None,
        };
        Some(hint)
    }

    /// Whether the operation's path always exists and its request refers to no object.
    fn names_no_object(&self) -> bool {
        self.0.operation.is_some_and(|name| {
            name.rsplit('.').next() == Some("list")
                || matches!(name, "files.create" | "files.query")
        })
    }

    fn is_of_v1_jobs(&self) -> bool {
        self.0
            .operation
            .is_some_and(|name| name.starts_with("classifier.jobs"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::status;
    use super::*;

    #[test]
    fn hint_texts_are_distinct_lines_and_two_of_them_pay_again() {
        for (index, hint) in Hint::ALL.iter().enumerate() {
            let text = hint.text();
            assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
            let others = &Hint::ALL[index + 1..];
            assert!(others.iter().all(|other| other.text() != text), "{text}");
        }
        let paying = Hint::ALL.iter().copied().filter(|hint| hint.pays_again());
        assert_eq!(
            paying.collect::<Vec<_>>(),
            [Hint::TransactionTaken, Hint::ConfigurationEdited]
        );
    }

    /// A corrected create is not the one that may have created a job.
    #[test]
    fn hint_of_ambiguous_422_is_to_repeat_the_same_create() {
        let plain: Vec<_> = status(422, "").hints().collect();
        assert_eq!(plain, [Hint::CorrectField]);
        let error = status(422, "")
            .with_ambiguity(true)
            .with_transaction_id(Some("tx-1"));
        assert_eq!(error.hints().collect::<Vec<_>>(), [Hint::RepeatCreate]);
    }
}
