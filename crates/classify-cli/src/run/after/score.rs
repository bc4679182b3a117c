//! How right a run was, where it is known what is right: accuracy, precision and recall, confusion, thresholds.
//!
//! A document without an answer is not correct. It counts in the accuracy and in its type's recall, and has a column of
//! its own in the matrix; what is said of answers alone is named so.

use std::collections::BTreeMap;

use super::tally::share;

/// How many steps there are from threshold 0 to 1.
const STEPS: u8 = 20;

/// What a document should be, and what the run says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct Pair {
    /// `None`: no rule should match.
    pub(super) expected: Option<String>,
    pub(super) found: Found,
}

/// What the run says of a document.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) enum Found {
    Answer {
        r#type: Option<String>,
        /// One that is not known is never trusted.
        confidence: Option<f64>,
    },
    NoAnswer,
}

/// What a run over labelled documents comes to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct Score {
    pub(in crate::run) labelled: usize,
    pub(in crate::run) answered: usize,
    pub(in crate::run) correct: usize,
    /// By name, "no match" last.
    pub(in crate::run) classes: Vec<Class>,
    /// A line for each class expected; a column for each class found, and a last one for no answer.
    pub(in crate::run) matrix: Vec<Vec<usize>>,
    pub(in crate::run) steps: Vec<Step>,
}

/// A type, or the lack of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Class {
    pub(in crate::run) r#type: Option<String>,
    pub(in crate::run) expected: usize,
    pub(in crate::run) found: usize,
    pub(in crate::run) correct: usize,
}

/// What would come of taking answers of at least this confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::run) struct Step {
    pub(in crate::run) threshold: f64,
    /// Answers of at least this confidence.
    pub(in crate::run) covered: usize,
    /// Those of them that are right.
    pub(in crate::run) correct: usize,
}

impl Class {
    pub(in crate::run) fn name(&self) -> &str {
        self.r#type.as_deref().unwrap_or("no match")
    }

    /// How many of those found are right; unknown where none was found.
    pub(in crate::run) fn precision(&self) -> Option<f64> {
        share(self.correct, self.found)
    }

    /// How many of those expected were found; unknown where none was expected.
    pub(in crate::run) fn recall(&self) -> Option<f64> {
        share(self.correct, self.expected)
    }

    /// The harmonic mean of the two.
    pub(in crate::run) fn f1(&self) -> Option<f64> {
        share(2 * self.correct, self.expected + self.found)
    }
}

impl Score {
    pub(in crate::run) fn of(pairs: &[Pair]) -> Self {
        // The order of the keys: names first, and `None`, which is "no match", after them.
        let key = |r#type: &Option<String>| (r#type.is_none(), r#type.clone());
        let mut places = BTreeMap::new();
        for pair in pairs {
            places.insert(key(&pair.expected), 0);
            if let Found::Answer { r#type, .. } = &pair.found {
                places.insert(key(r#type), 0);
            }
        }
        for (nth, place) in places.values_mut().enumerate() {
            *place = nth;
        }
        let mut classes: Vec<Class> = places
            .keys()
            .map(|(_, r#type)| Class {
                r#type: r#type.clone(),
                expected: 0,
                found: 0,
                correct: 0,
            })
            .collect();
        let no_answer = classes.len();
        let mut matrix = vec![vec![0; no_answer + 1]; no_answer];
        for pair in pairs {
            let expected = places[&key(&pair.expected)];
            let found = match &pair.found {
                Found::Answer { r#type, .. } => places[&key(r#type)],
                Found::NoAnswer => no_answer,
            };
            matrix[expected][found] += 1;
            classes[expected].expected += 1;
            if let Some(class) = classes.get_mut(found) {
                class.found += 1;
                class.correct += usize::from(expected == found);
            }
        }
        Self {
            labelled: pairs.len(),
            answered: classes.iter().map(|class| class.found).sum(),
            correct: classes.iter().map(|class| class.correct).sum(),
            classes,
            matrix,
            steps: steps(pairs),
        }
    }

    /// How many of all labelled documents are right.
    pub(in crate::run) fn accuracy(&self) -> Option<f64> {
        share(self.correct, self.labelled)
    }

    /// How many of the answers are right.
    pub(in crate::run) fn accuracy_of_answers(&self) -> Option<f64> {
        share(self.correct, self.answered)
    }

    /// The steps at which something changes.
    pub(in crate::run) fn turns(&self) -> impl Iterator<Item = &Step> {
        let mut last = None;
        self.steps
            .iter()
            .filter(move |step| last.replace(step.covered) != Some(step.covered))
    }

    /// What a step covers of all labelled documents, and how much of that is right.
    pub(in crate::run) fn at(&self, step: &Step) -> (Option<f64>, Option<f64>) {
        (
            share(step.covered, self.labelled),
            share(step.correct, step.covered),
        )
    }
}

fn steps(pairs: &[Pair]) -> Vec<Step> {
    let mut answers: Vec<(f64, bool)> = pairs
        .iter()
        .filter_map(|pair| match &pair.found {
            Found::Answer { r#type, confidence } => {
                Some((confidence.unwrap_or(0.0), *r#type == pair.expected))
            }
            Found::NoAnswer => None,
        })
        .collect();
    answers.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut right: usize = answers.iter().filter(|(_, right)| *right).count();
    let mut passed = 0;
    (0..=STEPS)
        .map(|nth| {
            let threshold = f64::from(nth) / f64::from(STEPS);
            while let Some((confidence, is_right)) = answers.get(passed)
                && *confidence < threshold
            {
                right -= usize::from(*is_right);
                passed += 1;
            }
            Step {
                threshold,
                covered: answers.len() - passed,
                correct: right,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(expected: Option<&str>, found: Option<(Option<&str>, f64)>) -> Pair {
        Pair {
            expected: expected.map(str::to_owned),
            found: match found {
                Some((r#type, confidence)) => Found::Answer {
                    r#type: r#type.map(str::to_owned),
                    confidence: Some(confidence),
                },
                None => Found::NoAnswer,
            },
        }
    }

    /// Eight documents, whose figures were worked out with a pencil.
    fn eight() -> Score {
        let (invoice, receipt) = (Some("invoice"), Some("receipt"));
        Score::of(&[
            pair(invoice, Some((invoice, 0.95))),
            pair(invoice, Some((invoice, 0.90))),
            pair(invoice, Some((receipt, 0.60))),
            pair(invoice, None),
            pair(receipt, Some((receipt, 0.80))),
            pair(receipt, Some((None, 0.20))),
            pair(None, Some((None, 0.30))),
            pair(None, Some((invoice, 0.55))),
        ])
    }

    fn close(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-12)
    }

    #[test]
    fn the_figures_are_those_of_the_pencil() {
        let score = eight();
        assert_eq!((score.labelled, score.answered, score.correct), (8, 7, 4));
        assert!(close(score.accuracy(), 0.5));
        assert!(close(score.accuracy_of_answers(), 4.0 / 7.0));
        let names: Vec<_> = score.classes.iter().map(Class::name).collect();
        assert_eq!(names, ["invoice", "receipt", "no match"]);
        assert_eq!(
            score.matrix,
            [vec![2, 1, 0, 1], vec![0, 1, 1, 0], vec![1, 0, 1, 0]]
        );
        let [invoice, receipt, no_match] = &score.classes[..] else {
            panic!("three classes")
        };
        assert!(close(invoice.precision(), 2.0 / 3.0) && close(invoice.recall(), 0.5));
        assert!(close(invoice.f1(), 4.0 / 7.0));
        assert!(close(receipt.precision(), 0.5) && close(receipt.recall(), 0.5));
        assert!(close(no_match.precision(), 0.5) && close(no_match.recall(), 0.5));
    }

    #[test]
    fn a_threshold_takes_the_answers_that_reach_it() {
        let score = eight();
        let at = |nth: usize| {
            let step = score.steps[nth];
            (step.threshold, step.covered, step.correct)
        };
        assert_eq!(at(0), (0.0, 7, 4));
        // 0.30 reaches 0.30; 0.20 does not.
        assert_eq!(at(6), (0.3, 6, 4));
        assert_eq!(at(11), (0.55, 5, 3));
        assert_eq!(at(16), (0.8, 3, 3));
        assert_eq!(at(19), (0.95, 1, 1));
        assert_eq!(at(20), (1.0, 0, 0));
        assert_eq!(score.at(&score.steps[16]), (Some(0.375), Some(1.0)));
        assert_eq!(score.at(&score.steps[20]), (Some(0.0), None));
        let turns: Vec<_> = score.turns().map(|step| step.covered).collect();
        assert_eq!(turns, [7, 6, 5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn what_nothing_is_known_of_has_no_figure() {
        let score = Score::of(&[]);
        assert_eq!(
            (score.accuracy(), score.accuracy_of_answers()),
            (None, None)
        );
        assert!(score.classes.is_empty() && score.matrix.is_empty());
        let score = Score::of(&[pair(Some("a"), Some((Some("b"), 0.5)))]);
        let [a, b] = &score.classes[..] else {
            panic!("two classes")
        };
        assert_eq!(
            (a.precision(), a.recall(), a.f1()),
            (None, Some(0.0), Some(0.0))
        );
        assert_eq!(
            (b.precision(), b.recall(), b.f1()),
            (Some(0.0), None, Some(0.0))
        );
    }

    fn any_pair() -> impl Strategy<Value = Pair> {
        let label = || proptest::option::of(prop_oneof!["a", "b", "c", "A"].prop_map(String::from));
        let confidence = proptest::option::of(0.0..=1.0_f64);
        (
            label(),
            proptest::option::weighted(0.8, (label(), confidence)),
        )
            .prop_map(|(expected, found)| Pair {
                expected,
                found: found.map_or(Found::NoAnswer, |(r#type, confidence)| Found::Answer {
                    r#type,
                    confidence,
                }),
            })
    }

    proptest! {
        #[test]
        fn every_document_is_counted_once(pairs in proptest::collection::vec(any_pair(), 0..60)) {
            let score = Score::of(&pairs);
            let cells: usize = score.matrix.iter().flatten().sum();
            prop_assert_eq!(cells, pairs.len());
            prop_assert_eq!(score.classes.iter().map(|class| class.expected).sum::<usize>(), pairs.len());
            let diagonal: usize = (0..score.classes.len()).map(|nth| score.matrix[nth][nth]).sum();
            prop_assert_eq!(diagonal, score.correct);
            let wrong_or_right = pairs.iter().filter(|pair| matches!(
                &pair.found, Found::Answer { r#type, .. } if *r#type == pair.expected)).count();
            prop_assert_eq!(wrong_or_right, score.correct);
        }

        #[test]
        fn shares_are_shares_and_thresholds_only_take_away(
            pairs in proptest::collection::vec(any_pair(), 0..60)
        ) {
            let score = Score::of(&pairs);
            for class in &score.classes {
                for share in [class.precision(), class.recall(), class.f1()].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&share));
                }
            }
            prop_assert_eq!(score.at(&score.steps[0]).1, score.accuracy_of_answers());
            if score.answered == score.labelled {
                prop_assert_eq!(score.at(&score.steps[0]).1, score.accuracy());
            }
            for pair in score.steps.windows(2) {
                prop_assert!(pair[1].covered <= pair[0].covered && pair[1].correct <= pair[0].correct);
                prop_assert!(pair[1].correct <= pair[1].covered);
            }
        }
    }
}
