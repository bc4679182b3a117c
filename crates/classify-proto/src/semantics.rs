//! Whether an operation may be repeated, and which of its fields a caller may replace.

use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::body::Body;
use crate::error::Error;
use crate::operation::Operation;

/// Describes how an operation behaves when it is sent, sent again, or extended by the caller.
///
/// An [`Operation`] returns this as a value, so that machines, clients and wrappers decide from one description.
///
/// ```
/// use classify_proto::{Idempotency, Operation, RateClass, v2};
///
/// let semantics = v2::GetJob::new("clj-1").semantics();
/// assert_eq!(semantics.idempotency, Idempotency::Safe);
/// assert_eq!(semantics.rate_class, RateClass::Other);
/// ```
#[non_exhaustive]
pub struct Semantics<O: Operation> {
    /// Whether the operation may be sent again after an attempt whose outcome is unknown.
    pub idempotency: Idempotency,
    /// The rate limit that the operation counts against. [`RateClass::Other`] by default.
    pub rate_class: RateClass,
    /// Fields of the JSON body that [`CallOptions::body_field`](crate::CallOptions::body_field) must not replace,
    /// because idempotency or the comparison of the response depends on them. Empty by default.
    pub reserved_fields: &'static [ReservedField],
    /// The meaning of an error response to a retry. [`Recovery::None`] by default.
    pub recovery: Recovery<O>,
}

impl<O: Operation> Semantics<O> {
    /// Returns the semantics of an operation of this idempotency.
    #[must_use]
    pub fn new(idempotency: Idempotency) -> Self {
        Self {
            idempotency,
            rate_class: RateClass::Other,
            reserved_fields: &[],
            recovery: Recovery::None,
        }
    }

    /// Returns the semantics of a read.
    #[must_use]
    pub fn safe() -> Self {
        Self::new(Idempotency::Safe)
    }

    /// Returns the semantics of a write that may be repeated.
    #[must_use]
    pub fn idempotent() -> Self {
        Self::new(Idempotency::Idempotent)
    }

    /// Returns the semantics of a write that must not be repeated.
    #[must_use]
    pub fn non_idempotent() -> Self {
        Self::new(Idempotency::NonIdempotent)
    }

    /// Sets the rate limit that the operation counts against.
    #[must_use]
    pub fn rate_class(mut self, class: RateClass) -> Self {
        self.rate_class = class;
        self
    }

    /// Sets the fields that a caller must not replace.
    #[must_use]
    pub fn reserved_fields(mut self, fields: &'static [ReservedField]) -> Self {
        self.reserved_fields = fields;
        self
    }

    /// Sets what an error response to a retry means.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery<O>) -> Self {
        self.recovery = recovery;
        self
    }
}

/// Whether an operation may be sent again, in the terms of RFC 9110, section 9.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Idempotency {
    /// The operation only reads.
    Safe,
    /// The operation writes; sending it twice has the effect of sending it once.
    Idempotent,
    /// Sending the operation twice has two effects. It is retried only if the failure proves that the service did not
    /// act.
    NonIdempotent,
}

/// The rate limit that a request counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateClass {
    /// Creating a job: 40 per second, as published.
    Create,
    /// Uploading a file: 50 in five seconds, as published.
    Upload,
    /// Everything else: the service publishes no limit except the total of the free tier.
    Other,
}

/// A field of the JSON body that a caller must not replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReservedField {
    /// The field's name in the body.
    pub name: &'static str,
    /// The setter or constructor to use instead, such as `CreateJob::transaction_id`.
    pub setter: &'static str,
}

impl ReservedField {
    /// Reserves the field `name`, which `setter` sets.
    #[must_use]
    pub const fn new(name: &'static str, setter: &'static str) -> Self {
        Self { name, setter }
    }
}

/// The meaning of an error response to a retry after an attempt whose response was lost.
#[non_exhaustive]
pub enum Recovery<O: Operation> {
    /// The error is the result.
    None,
    /// A 404 means that the lost attempt deleted the object; the function returns the output.
    NotFoundIsSuccess(fn(&O) -> O::Output),
    /// The error proves nothing; the state is read and decides.
    Verify(Verification<O>),
}

/// A read that tells whether a lost attempt succeeded.
#[non_exhaustive]
pub struct Verification<O: Operation> {
    /// Whether this error response needs verification. Any other error is the result.
    pub applies_to: fn(&Error) -> bool,
    /// Builds the read. Its response is parsed by the operation.
    pub verification_request: fn(&O, &Api) -> Result<http::Request<Body>, Error>,
    /// Whether the state that was read is the state that the operation should bring about.
    pub is_satisfied_by: fn(&O::Output) -> bool,
}

impl<O: Operation> Verification<O> {
    /// Verifies errors that `applies_to` accepts by `verification_request`; success if the output `is_satisfied_by`.
    #[must_use]
    pub fn new(
        applies_to: fn(&Error) -> bool,
        verification_request: fn(&O, &Api) -> Result<http::Request<Body>, Error>,
        is_satisfied_by: fn(&O::Output) -> bool,
    ) -> Self {
        Self {
            applies_to,
            verification_request,
            is_satisfied_by,
        }
    }
}

/// A field that must be unique to a call and the same in all of its attempts: a transaction id or a multipart boundary.
#[derive(Debug)]
pub struct UniqueField<'a> {
    value: &'a mut Option<String>,
    prefix: &'static str,
}

impl<'a> UniqueField<'a> {
    /// Refers to the field; a value made from a seed begins with `prefix`.
    #[must_use]
    pub fn new(value: &'a mut Option<String>, prefix: &'static str) -> Self {
        Self { value, prefix }
    }

    /// Sets the field to a value derived from `seed`, unless it has one. An empty string counts as no value.
    pub fn fill(self, seed: crate::Seed) {
        if self.value.as_deref().is_none_or(str::is_empty) {
            *self.value = Some(format!("{}{}", self.prefix, seed.hex()));
        }
    }
}
