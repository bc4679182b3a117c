//! Faults: one named value for each way in which a call can fail.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::route::Route;
use crate::schedule::FaultRule;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $(($see:literal))?,)+) => {
        /// One way in which the network or the service can fail a call.
        ///
        /// "Before acting" means that the server has changed nothing; "after acting" means that it has carried out the
        /// request, and only the response is lost or changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $(#[doc = ""] #[doc = $see])? #[serde(rename = $name)] $variant,)+
        }

        impl Fault {
            /// All faults, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the fault's name in scenario files and on command lines, such as `reset-after`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns a description in one or two sentences, for help texts.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

faults! {
    /// The connection is reset (TCP RST) before acting.
    ResetBefore = "reset-before",
    /// The connection is reset (TCP RST) after acting; no byte of the response is sent.
    ResetAfter = "reset-after",
    /// The connection is closed properly before acting, without a response.
    CloseBefore = "close-before",
    /// The connection is closed properly after acting, without a response.
    CloseAfter = "close-after",
    /// No response, before acting: the connection stays open until the client gives up.
    HangBefore = "hang-before",
    /// No response, after acting: the connection stays open until the client gives up.
    HangAfter = "hang-after",
    /// After acting, half of the body is sent, then the connection is closed; `Content-Length` is that of the whole
    /// body.
    BodyCut = "body-cut",
    /// After acting, `Content-Length` is shorter than the body: the client reads truncated JSON, and the remaining
    /// bytes follow on the connection before it is closed.
    WrongLength = "wrong-length",
    /// After acting, the complete response arrives a few bytes at a time.
    SlowDrip = "slow-drip" ("[`Config::drip_interval`](crate::Config::drip_interval) sets the pause between two pieces."),
    /// After acting, the body is gzip-encoded, even if the client did not ask for that.
    Gzip = "gzip",
    /// After acting, a 200 with `Content-Type: application/json` whose body is not JSON.
    NotJson = "not-json",
    /// A gateway's 502 with an HTML body, before acting.
    BadGatewayHtml = "html-502",
    /// A firewall's 403 with an HTML body, before acting.
    ForbiddenHtml = "html-403",
    /// A captive portal's 200 with an HTML body, before acting.
    CaptivePortal = "captive-portal",
    /// 500 after acting.
    ServerErrorAfter = "500-after",
    /// 500 before acting.
    ServerErrorBefore = "500-before",
    /// A gateway's 504 after acting: the service did its work, the gateway did not wait for it.
    GatewayTimeoutAfter = "504-after",
    /// 503 before acting.
    Unavailable = "503",
    /// 503 before acting, with `x-should-retry: true`.
    UnavailableShouldRetry = "503-should-retry",
    /// 503 before acting, with `x-should-retry: false`.
    UnavailableShouldNotRetry = "503-should-not-retry",
    /// 429 before acting, without `Retry-After`, as documented for the service.
    RateLimited = "429",
    /// 429 before acting, with `Retry-After: 1`.
    RateLimitedSeconds = "429-seconds",
    /// 429 before acting, with `retry-after-ms: 20`.
    RateLimitedMillis = "429-ms",
    /// 429 before acting, with `Retry-After` as an HTTP date one second ahead of the emulator's clock.
    RateLimitedDate = "429-date",
    /// 429 before acting, with a `Retry-After` of thousands of years.
    RateLimitedAbsurd = "429-absurd",
    /// 429 before acting, with a `Retry-After` that is neither a number nor a date.
    RateLimitedGarbage = "429-garbage",
    /// 402 before acting: the plan has no credits left.
    PaymentRequired = "402",
    /// 402 before acting: the project has reached its daily credit cap. The service's status for this is not
    /// documented.
    CreditCap = "credit-cap",
    /// 401 before acting, although the key is valid.
    Unauthorized = "401",
    /// 401 before acting: the key has expired.
    ExpiredKey = "401-expired",
    /// 408 before acting.
    RequestTimeout = "408",
    /// 409 before acting: a concurrent change.
    Conflict = "409",
    /// 307 before acting, to the same path on another host.
    Redirect = "redirect" ("[`Config::redirect_to`](crate::Config::redirect_to) names that host."),
    /// After acting, `status` has a value that no client knows. Only for responses with jobs.
    UnknownStatus = "unknown-status",
    /// After acting, every field except `id` and `status` is omitted from each object.
    MissingFields = "missing-fields",
    /// After acting, every field except `id` and `status` is `null` in each object.
    NullFields = "null-fields",
    /// After acting, timestamps have no offset.
    NaiveTimestamps = "naive-timestamps",
    /// After acting, timestamps have microseconds and the offset `+02:00`; they denote the same instant.
    OffsetTimestamps = "offset-timestamps",
    /// After acting, objects have fields that no client knows.
    ExtraFields = "extra-fields",
    /// An empty page whose token leads to the requested page. Only for paged lists.
    EmptyPage = "empty-page",
    /// The page's token is the one of the request. Only for paged lists.
    RepeatedToken = "repeated-token",
    /// The page's tokens form a cycle of two. Only for paged lists.
    CyclicTokens = "cyclic-tokens",
}

/// The error of a name that is not a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFault(String);

impl std::fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        write!(
            f,
            "unknown fault `{}`; the faults are: {}",
            self.0,
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let fault = Self::ALL.iter().find(|fault| fault.name() == text);
        fault.copied().ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

impl Fault {
    /// Returns `true` if the fault can have an effect on this route. A rule never triggers on other routes.
    #[must_use]
    pub fn applies_to(self, route: Route) -> bool {
        match self {
            Self::EmptyPage | Self::RepeatedToken | Self::CyclicTokens => route.is_paged(),
            Self::UnknownStatus => route.returns_jobs(),
            Self::BodyCut | Self::WrongLength | Self::SlowDrip | Self::Gzip => {
                route != Route::Control && !route.returns_no_content()
            }
            Self::MissingFields | Self::NullFields | Self::ExtraFields => route.returns_objects(),
            Self::NaiveTimestamps | Self::OffsetTimestamps => {
                // The response to the delete of a job contains only its id.
                route.returns_objects() && route != Route::ClassifyDelete
            }
            _ => route != Route::Control,
        }
    }

    /// Returns `true` if the server has carried out the request when this fault is applied.
    #[must_use]
    pub fn server_acts(self) -> bool {
        !matches!(
            self,
            Self::ResetBefore
                | Self::CloseBefore
                | Self::HangBefore
                | Self::BadGatewayHtml
                | Self::ForbiddenHtml
                | Self::CaptivePortal
                | Self::ServerErrorBefore
                | Self::Unavailable
                | Self::UnavailableShouldRetry
                | Self::UnavailableShouldNotRetry
                | Self::RateLimited
                | Self::RateLimitedSeconds
                | Self::RateLimitedMillis
                | Self::RateLimitedDate
                | Self::RateLimitedAbsurd
                | Self::RateLimitedGarbage
                | Self::PaymentRequired
                | Self::CreditCap
                | Self::Unauthorized
                | Self::ExpiredKey
                | Self::RequestTimeout
                | Self::Conflict
                | Self::Redirect
        )
    }

    /// Returns a rule that applies this fault to every request.
    #[must_use]
    pub fn always(self) -> FaultRule {
        FaultRule::new(self, crate::schedule::Trigger::Always)
    }

    /// Returns a rule that applies this fault with a probability from 0 to 1, derived from the schedule's seed.
    #[must_use]
    pub fn chance(self, probability: f64) -> FaultRule {
        FaultRule::new(self, crate::schedule::Trigger::Chance(probability))
    }

    /// Returns a rule that applies this fault to the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> FaultRule {
        FaultRule::new(self, crate::schedule::Trigger::Nth(n))
    }

    /// Returns a rule that applies this fault to the first n matching requests.
    #[must_use]
    pub fn first(self, n: u64) -> FaultRule {
        FaultRule::new(self, crate::schedule::Trigger::First(n))
    }

    /// Returns a rule that applies this fault to every n-th matching request: the n-th, the 2n-th and so on.
    #[must_use]
    pub fn every(self, n: u64) -> FaultRule {
        FaultRule::new(self, crate::schedule::Trigger::Every(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_descriptions_are_well_formed() {
        for fault in Fault::ALL {
            let description = fault.description();
            assert!(
                description.ends_with('.')
                    && !description.contains("  ")
                    && !description.contains('['),
                "{fault:?}: {description}"
            );
        }
        assert_eq!(Fault::ServerErrorAfter.description(), "500 after acting.");
    }

    #[test]
    fn fault_names_round_trip() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
            let json = serde_json::to_value(fault).expect("a fault is a word");
            assert_eq!(json, fault.name());
        }
        let error = "flood".parse::<Fault>().expect_err("there is no flood");
        assert!(error.to_string().contains("reset-after"), "{error}");
    }
}
