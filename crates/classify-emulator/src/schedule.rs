//! When faults strike: by probability, by schedule and by route.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::route::Route;

/// When a [`FaultRule`] strikes, among the requests that it sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// Every time.
    Always,
    /// With this probability, between 0 and 1.
    Chance(f64),
    /// Once, at this request, counted from 1.
    Nth(u64),
    /// At the first so many requests.
    First(u64),
    /// At every so-manieth request.
    Every(u64),
}

impl When {
    /// What is wrong with it, if it could never be meant.
    fn problem(self) -> Option<String> {
        match self {
            Self::Chance(chance) if !(0.0..=1.0).contains(&chance) => Some(format!(
                "a chance lies between 0 and 1, and {chance} does not"
            )),
            Self::Nth(0) | Self::First(0) | Self::Every(0) => {
                Some("requests are counted from 1, and not from 0".to_owned())
            }
            _ => None,
        }
    }
}

/// One fault, where it strikes and when.
///
/// In a file it has the fields `fault`, `route` and `when`; on a command line it is one word, see its [`FromStr`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Spelled")]
#[non_exhaustive]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// The only route where it goes wrong; anywhere if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
    /// When it goes wrong; always, if a file does not say.
    pub when: When,
    #[serde(skip)]
    seen: u64,
}

/// A rule as a file spells it, not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    fault: Fault,
    #[serde(default)]
    route: Option<Route>,
    #[serde(default = "always")]
    when: When,
}

fn always() -> When {
    When::Always
}

impl TryFrom<Spelled> for FaultRule {
    type Error = InvalidFaultRule;

    fn try_from(spelled: Spelled) -> Result<Self, InvalidFaultRule> {
        let mut rule = Self::new(spelled.fault, spelled.when);
        rule.route = spelled.route;
        rule.checked()
    }
}

impl FaultRule {
    pub(crate) fn new(fault: Fault, when: When) -> Self {
        Self {
            fault,
            route: None,
            when,
            seen: 0,
        }
    }

    /// The same rule on this route only.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// What is wrong with it, if it could never be meant. Files, JSON and command lines all come by here.
    pub(crate) fn problem(&self) -> Option<String> {
        let idle = self.route.filter(|route| !self.fault.applies_to(*route));
        self.when.problem().or_else(|| {
            idle.map(|route| {
                format!(
                    "`{}` changes nothing on {}",
                    self.fault.name(),
                    route.name()
                )
            })
        })
    }

    fn checked(self) -> Result<Self, InvalidFaultRule> {
        match self.problem() {
            None => Ok(self),
            Some(problem) => Err(InvalidFaultRule(problem)),
        }
    }

    /// Counts the request, and tells whether the fault strikes it.
    fn strikes(&mut self, route: Route, dice: &mut fastrand::Rng) -> bool {
        if self.route.is_some_and(|only| only != route) || !self.fault.applies_to(route) {
            return false;
        }
        self.seen += 1;
        match self.when {
            When::Always => true,
            When::Chance(probability) => dice.f64() < probability,
            When::Nth(n) => self.seen == n,
            When::First(n) => self.seen <= n,
            When::Every(n) => n > 0 && self.seen.is_multiple_of(n),
        }
    }
}

/// The text is not that of a [`FaultRule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFaultRule(String);

impl fmt::Display for InvalidFaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFaultRule {}

/// A rule as a command line spells it: `NAME[@ROUTE][:WHEN]`, where WHEN is a chance (`10%`), a place in the row (`3`),
/// `first-N` or `every-N`; without it the fault strikes always.
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
        let (place, when) = match text.split_once(':') {
            Some((place, when)) => (place, Some(when.trim())),
            None => (text, None),
        };
        let (fault, route) = match place.split_once('@') {
            Some((fault, route)) => (fault, Some(route.trim())),
            None => (place, None),
        };
        let fault: Fault = fault
            .trim()
            .parse()
            .map_err(|error: crate::fault::UnknownFault| InvalidFaultRule(error.to_string()))?;
        let mut rule = Self::new(fault, when.map_or(Ok(When::Always), schedule)?);
        if let Some(route) = route {
            let found = Route::from_name(route).ok_or_else(|| {
                InvalidFaultRule(format!(
                    "no route is called `{route}`; they are called as commands are, for example classify.create or \
                     files.list"
                ))
            })?;
            rule.route = Some(found);
        }
        rule.checked()
    }
}

fn schedule(text: &str) -> Result<When, InvalidFaultRule> {
    let wrong = || {
        InvalidFaultRule(format!(
            "`{text}` is no schedule: write 10% for a chance, 3 for the third request, first-2, or every-5"
        ))
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let when = if let Some(percent) = text.strip_suffix('%') {
        When::Chance(percent.trim().parse::<f64>().map_err(|_| wrong())? / 100.0)
    } else if let Some(n) = text.strip_prefix("first-") {
        When::First(number(n)?)
    } else if let Some(n) = text.strip_prefix("every-") {
        When::Every(number(n)?)
    } else {
        When::Nth(number(text)?)
    };
    match when.problem() {
        None => Ok(when),
        Some(_) => Err(wrong()),
    }
}

/// A plan of faults.
///
/// Rules are asked in order, every rule sees every request, and the first that strikes is applied. The same plan, seed
/// and sequence of requests give the same faults.
///
/// ```
/// use classify_emulator::{Fault, Faults, Route};
///
/// let plan = Faults::new()
///     .seed(7)
///     .with(Fault::ResetAfter.nth(3).on(Route::ClassifyCreate))
///     .with(Fault::Unavailable.chance(0.1));
/// assert_eq!(plan.rules().len(), 2);
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Faults {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(default)]
    rules: Vec<FaultRule>,
    #[serde(skip)]
    dice: Option<fastrand::Rng>,
}

impl Faults {
    /// A plan without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of the dice for [`Fault::chance`]; 0 unless set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self.dice = None;
        self
    }

    /// This plan, and behind its rules those of another one. The other one's seed counts if this one has none.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.seed = self.seed.or(other.seed);
        self.rules.extend(other.rules);
        self.dice = None;
        self
    }

    /// Adds a rule after those already there.
    #[must_use]
    pub fn with(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The rules, in the order in which they are asked.
    #[must_use]
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// The fault that strikes the next request, if any.
    pub(crate) fn strike(&mut self, route: Route) -> Option<Fault> {
        let seed = self.seed.unwrap_or(0);
        let dice = self
            .dice
            .get_or_insert_with(|| fastrand::Rng::with_seed(seed));
        let mut struck = None;
        for rule in &mut self.rules {
            if rule.strikes(route, dice) && struck.is_none() {
                struck = Some(rule.fault);
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(mut plan: Faults, routes: &[Route]) -> Vec<Option<Fault>> {
        routes.iter().map(|route| plan.strike(*route)).collect()
    }

    #[test]
    fn the_third_create_means_the_third_create() {
        let plan = Faults::new().with(Fault::ResetAfter.nth(2).on(Route::ClassifyCreate));
        let routes = [
            Route::ClassifyCreate,
            Route::ClassifyGet,
            Route::ClassifyCreate,
            Route::ClassifyCreate,
        ];
        assert_eq!(
            played(plan, &routes),
            [None, None, Some(Fault::ResetAfter), None]
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let plan = |seed| {
            Faults::new()
                .seed(seed)
                .with(Fault::Unavailable.chance(0.3))
        };
        let routes = [Route::ClassifyGet; 200];
        let first = played(plan(1), &routes);
        assert_eq!(first, played(plan(1), &routes));
        assert_ne!(first, played(plan(2), &routes));
        let struck = first.iter().flatten().count();
        assert!(
            (30..90).contains(&struck),
            "{struck} of 200 at three in ten"
        );
    }

    #[test]
    fn a_fault_of_pages_passes_by_what_has_no_pages() {
        let plan = Faults::new()
            .with(Fault::EmptyPage.always())
            .with(Fault::Gzip.every(2));
        let routes = [
            Route::ClassifyGet,
            Route::ClassifyList,
            Route::ClassifyGet,
            Route::ClassifyGet,
        ];
        assert_eq!(
            played(plan, &routes),
            [None, Some(Fault::EmptyPage), None, Some(Fault::Gzip)]
        );
    }

    #[test]
    fn a_plan_is_read_from_json() {
        let plan: Faults = serde_json::from_str(
            r#"{"seed": 4, "rules": [{"fault": "reset-after", "route": "classify.create", "when": {"nth": 3}},
                {"fault": "gzip"}]}"#,
        )
        .expect("a plan");
        assert_eq!(
            plan.rules()[0],
            Fault::ResetAfter.nth(3).on(Route::ClassifyCreate)
        );
        assert_eq!(plan.rules()[1], Fault::Gzip.always());
    }

    #[test]
    fn a_plan_that_cannot_be_meant_is_refused() {
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
                "changes nothing",
            ),
        ] {
            let json = serde_json::from_str::<Faults>(text)
                .expect_err(text)
                .to_string();
            assert!(json.contains(part), "{text}: {json}");
            // What is JSON is YAML too.
            let yaml = serde_saphyr::from_str::<Faults>(text)
                .expect_err(text)
                .to_string();
            assert!(yaml.contains(part), "{text}: {yaml}");
        }
    }

    #[test]
    fn rules_are_read_from_command_lines() {
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
            ("503:0", "`0` is no schedule"),
            ("503:120%", "120%"),
            ("503:first-0", "first-0"),
            ("503:first-x", "first-x"),
            ("503:sometimes", "sometimes"),
            ("gzip@files.delete", "changes nothing"),
            ("", "``"),
        ] {
            let error = rule(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
