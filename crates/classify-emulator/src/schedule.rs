//! Fault schedules: trigger faults by probability, by count and by route.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::route::Route;

/// When a [`FaultRule`] triggers, among the requests that match its route.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trigger {
    /// At every request.
    Always,
    /// With this probability, from 0 to 1.
    Chance(f64),
    /// Once, at this request, counted from 1.
    Nth(u64),
    /// At this many requests, from the first on.
    First(u64),
    /// At every n-th request.
    Every(u64),
}

impl Trigger {
    /// Describes a value that makes no sense; `None` if the value is valid.
    fn validation_error(self) -> Option<String> {
        match self {
            Self::Chance(chance) if !(0.0..=1.0).contains(&chance) => Some(format!(
                "a probability must be between 0 and 1, and {chance} is not"
            )),
            Self::Nth(0) | Self::First(0) | Self::Every(0) => {
                Some("requests are counted from 1, not from 0".to_owned())
            }
            _ => None,
        }
    }
}

/// A fault with the route and the requests that trigger it.
///
/// In a file it has the fields `fault`, `route` and `when`. On a command line it is one argument; see its [`FromStr`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawFaultRule")]
#[non_exhaustive]
pub struct FaultRule {
    /// The fault that is applied.
    pub fault: Fault,
    /// The only route that the rule applies to; all routes if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// When the rule triggers. In files the default is always.
    pub when: Trigger,
    #[serde(skip)]
    requests_seen: u64,
}

/// A rule as written in a file, not validated yet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFaultRule {
    fault: Fault,
    #[serde(default)]
    route: Option<Route>,
    #[serde(default = "always")]
    when: Trigger,
}

fn always() -> Trigger {
    Trigger::Always
}

impl TryFrom<RawFaultRule> for FaultRule {
    type Error = InvalidFaultRule;

    fn try_from(raw: RawFaultRule) -> Result<Self, InvalidFaultRule> {
        let mut rule = Self::new(raw.fault, raw.when);
        rule.route = raw.route;
        rule.validated()
    }
}

impl FaultRule {
    pub(crate) fn new(fault: Fault, when: Trigger) -> Self {
        Self {
            fault,
            route: None,
            when,
            requests_seen: 0,
        }
    }

    /// Limits the rule to this route.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Describes a rule that makes no sense; `None` if it is valid. Used for files, JSON and command lines.
    pub(crate) fn validation_error(&self) -> Option<String> {
        let unaffected_route = self.route.filter(|route| !self.fault.applies_to(*route));
        self.when.validation_error().or_else(|| {
            unaffected_route
                .map(|route| format!("`{}` has no effect on {}", self.fault.name(), route.name()))
        })
    }

    fn validated(self) -> Result<Self, InvalidFaultRule> {
        match self.validation_error() {
            None => Ok(self),
            Some(validation_error) => Err(InvalidFaultRule(validation_error)),
        }
    }

    /// Counts the request, and returns whether it triggers the fault.
    fn triggers(&mut self, route: Route, rng: &mut fastrand::Rng) -> bool {
        if self.route.is_some_and(|only| only != route) || !self.fault.applies_to(route) {
            return false;
        }
        self.requests_seen += 1;
        match self.when {
            Trigger::Always => true,
            Trigger::Chance(probability) => rng.f64() < probability,
            Trigger::Nth(n) => self.requests_seen == n,
            Trigger::First(n) => self.requests_seen <= n,
            Trigger::Every(n) => n > 0 && self.requests_seen.is_multiple_of(n),
        }
    }
}

/// The error of a text that is not a [`FaultRule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFaultRule(String);

impl fmt::Display for InvalidFaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFaultRule {}

/// Parses a rule from a command line: `NAME[@ROUTE][:WHEN]`. WHEN is a probability (`10%`), a request number (`3`),
/// `first-N` or `every-N`; without it the fault always triggers.
///
/// ```
/// use classify_emulator::{Fault, FaultRule, Route};
///
/// let rule: FaultRule = "reset-after@classify.create:3".parse()?;
/// assert_eq!(rule, Fault::ResetAfter.nth(3).on(Route::ClassifyCreate));
/// assert_eq!("503:10%".parse(), Ok(Fault::Unavailable.chance(0.1)));
/// # Ok::<(), classify_emulator::InvalidFaultRule>(())
/// ```
impl FromStr for FaultRule {
    type Err = InvalidFaultRule;

    fn from_str(text: &str) -> Result<Self, InvalidFaultRule> {
        let (target, when) = match text.split_once(':') {
            Some((target, when)) => (target, Some(when.trim())),
            None => (text, None),
        };
        let (fault, route) = match target.split_once('@') {
            Some((fault, route)) => (fault, Some(route.trim())),
            None => (target, None),
        };
        let fault: Fault = fault
            .trim()
            .parse()
            .map_err(|error: crate::fault::UnknownFault| InvalidFaultRule(error.to_string()))?;
        let mut rule = Self::new(fault, when.map_or(Ok(Trigger::Always), parse_trigger)?);
        if let Some(route) = route {
            let route = Route::from_name(route).ok_or_else(|| {
                InvalidFaultRule(format!(
                    "unknown route `{route}`; routes are named like commands, such as classify.create or files.list"
                ))
            })?;
            rule.route = Some(route);
        }
        rule.validated()
    }
}

fn parse_trigger(text: &str) -> Result<Trigger, InvalidFaultRule> {
    let invalid = || {
        InvalidFaultRule(format!(
            "`{text}` is not a schedule: write 10% for a probability, 3 for the third request, first-2, or every-5"
        ))
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| invalid());
    let when = if let Some(percent) = text.strip_suffix('%') {
        Trigger::Chance(percent.trim().parse::<f64>().map_err(|_| invalid())? / 100.0)
    } else if let Some(n) = text.strip_prefix("first-") {
        Trigger::First(number(n)?)
    } else if let Some(n) = text.strip_prefix("every-") {
        Trigger::Every(number(n)?)
    } else {
        Trigger::Nth(number(text)?)
    };
    match when.validation_error() {
        None => Ok(when),
        Some(_) => Err(invalid()),
    }
}

/// An ordered list of fault rules with a seed.
///
/// Every rule sees every request, and the first rule that triggers is applied. The same schedule, seed and sequence of
/// requests give the same faults.
///
/// ```
/// use classify_emulator::{Fault, FaultSchedule, Route};
///
/// let schedule = FaultSchedule::new()
///     .seed(7)
///     .with(Fault::ResetAfter.nth(3).on(Route::ClassifyCreate))
///     .with(Fault::Unavailable.chance(0.1));
/// assert_eq!(schedule.rules().len(), 2);
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FaultSchedule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default)]
    rules: Vec<FaultRule>,
    #[serde(skip)]
    rng: Option<fastrand::Rng>,
}

impl FaultSchedule {
    /// Creates an empty schedule.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the seed for [`Fault::chance`]. Default: 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self.rng = None;
        self
    }

    /// Appends the rules of another schedule. Its seed is used if this schedule has none.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.seed = self.seed.or(other.seed);
        self.rules.extend(other.rules);
        self.rng = None;
        self
    }

    /// Adds a rule after the existing ones.
    #[must_use]
    pub fn with(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Returns the rules in the order in which they are checked.
    #[must_use]
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// The fault that the next request triggers, if any.
    pub(crate) fn next_fault(&mut self, route: Route) -> Option<Fault> {
        let seed = self.seed.unwrap_or(0);
        let rng = self
            .rng
            .get_or_insert_with(|| fastrand::Rng::with_seed(seed));
        let mut triggered = None;
        for rule in &mut self.rules {
            if rule.triggers(route, rng) && triggered.is_none() {
                triggered = Some(rule.fault);
            }
        }
        triggered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_schedule(mut schedule: FaultSchedule, routes: &[Route]) -> Vec<Option<Fault>> {
        routes
            .iter()
            .map(|route| schedule.next_fault(*route))
            .collect()
    }

    #[test]
    fn fault_nth_counts_only_requests_of_its_route() {
        let schedule =
            FaultSchedule::new().with(Fault::ResetAfter.nth(2).on(Route::ClassifyCreate));
        let routes = [
            Route::ClassifyCreate,
            Route::ClassifyGet,
            Route::ClassifyCreate,
            Route::ClassifyCreate,
        ];
        assert_eq!(
            run_schedule(schedule, &routes),
            [None, None, Some(Fault::ResetAfter), None]
        );
    }

    #[test]
    fn fault_schedule_is_reproducible_from_seed() {
        let schedule = |seed| {
            FaultSchedule::new()
                .seed(seed)
                .with(Fault::Unavailable.chance(0.3))
        };
        let routes = [Route::ClassifyGet; 200];
        let first = run_schedule(schedule(1), &routes);
        assert_eq!(first, run_schedule(schedule(1), &routes));
        assert_ne!(first, run_schedule(schedule(2), &routes));
        let triggered = first.iter().flatten().count();
        assert!(
            (30..90).contains(&triggered),
            "{triggered} of 200 at three in ten"
        );
    }

    #[test]
    fn fault_on_pages_ignores_routes_without_pages() {
        let schedule = FaultSchedule::new()
            .with(Fault::EmptyPage.always())
            .with(Fault::Gzip.every(2));
        let routes = [
            Route::ClassifyGet,
            Route::ClassifyList,
            Route::ClassifyGet,
            Route::ClassifyGet,
        ];
        assert_eq!(
            run_schedule(schedule, &routes),
            [None, Some(Fault::EmptyPage), None, Some(Fault::Gzip)]
        );
    }

    #[test]
    fn fault_schedule_is_parsed_from_json() {
        let schedule: FaultSchedule = serde_json::from_str(
            r#"{"seed": 4, "rules": [{"fault": "reset-after", "route": "classify.create", "when": {"nth": 3}},
                {"fault": "gzip"}]}"#,
        )
        .expect("a plan");
        assert_eq!(
            schedule.rules()[0],
            Fault::ResetAfter.nth(3).on(Route::ClassifyCreate)
        );
        assert_eq!(schedule.rules()[1], Fault::Gzip.always());
    }

    #[test]
    fn fault_schedule_rejects_invalid_json_and_yaml() {
        for (text, part) in [
            (r#"{"rule": []}"#, "rule"),
            (
                r#"{"rules": [{"fault": "503", "rout": "classify.list"}]}"#,
                "rout",
            ),
            (
                r#"{"rules": [{"fault": "503", "route": "classify.lst"}]}"#,
                "classify.lst",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"chance": 7}}]}"#,
                "between 0 and 1",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"chance": -0.1}}]}"#,
                "between 0 and 1",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"nth": 0}}]}"#,
                "counted from 1",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"first": 0}}]}"#,
                "counted from 1",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"every": 0}}]}"#,
                "counted from 1",
            ),
            (
                r#"{"rules": [{"fault": "503", "when": {"nth": 1, "every": 2}}]}"#,
                "",
            ),
            (r#"{"rules": [{"route": "classify.list"}]}"#, "fault"),
            (
                r#"{"rules": [{"fault": "gzip", "route": "files.delete"}]}"#,
                "has no effect",
            ),
        ] {
            let json = serde_json::from_str::<FaultSchedule>(text)
                .expect_err(text)
                .to_string();
            assert!(json.contains(part), "{text}: {json}");
            // JSON is valid YAML.
            let yaml = serde_saphyr::from_str::<FaultSchedule>(text)
                .expect_err(text)
                .to_string();
            assert!(yaml.contains(part), "{text}: {yaml}");
        }
    }

    #[test]
    fn fault_rule_is_parsed_from_command_line() {
        let rule = |text: &str| text.parse::<FaultRule>();
        assert_eq!(rule("503"), Ok(Fault::Unavailable.always()));
        assert_eq!(rule("503:10%"), Ok(Fault::Unavailable.chance(0.1)));
        assert_eq!(rule("503: 3"), Ok(Fault::Unavailable.nth(3)));
        assert_eq!(
            rule("gzip@files.list:every-2"),
            Ok(Fault::Gzip.every(2).on(Route::FileList))
        );
        assert_eq!(rule("gzip:first-4"), Ok(Fault::Gzip.first(4)));
        for (text, part) in [
            ("flood", "flood"),
            ("503@nowhere", "nowhere"),
            ("503:", "``"),
            ("503:0", "`0` is not a schedule"),
            ("503:120%", "120%"),
            ("503:first-0", "first-0"),
            ("503:first-x", "first-x"),
            ("503:sometimes", "sometimes"),
            ("gzip@files.delete", "has no effect"),
            ("", "``"),
        ] {
            let error = rule(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
