//! The evaluation of a run against labels: accuracy, precision, recall, confusion matrix and thresholds.
//!
//! An unclassified document is not correct. It counts in the accuracy and in the recall of its type, and has a column
//! of its own in the matrix.

use std::collections::BTreeMap;

use super::type_counts::ratio;

/// The number of steps from threshold 0 to 1.
const THRESHOLD_STEPS: u8 = 20;

/// The label and the result of a document.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct LabelledResult {
    /// `None`: no rule should match.
    pub(super) expected: Option<String>,
    pub(super) prediction: Prediction,
}

/// The result of a document.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) enum Prediction {
    Classified {
        r#type: Option<String>,
        /// An unknown confidence counts as 0.
        confidence: Option<f64>,
    },
    Missing,
}

/// The metrics of a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct Evaluation {
    pub(in crate::run) labelled: usize,
    pub(in crate::run) classified: usize,
    pub(in crate::run) correct: usize,
    /// By name; "no match" is the last.
    pub(in crate::run) classes: Vec<ClassMetrics>,
    /// Rows are expected classes. Columns are predicted classes, and the last one is for unclassified documents.
    pub(in crate::run) matrix: Vec<Vec<usize>>,
    pub(in crate::run) thresholds: Vec<Threshold>,
}

/// The metrics of a type, or of "no match".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct ClassMetrics {
    pub(in crate::run) r#type: Option<String>,
    pub(in crate::run) expected: usize,
    pub(in crate::run) predicted: usize,
    pub(in crate::run) correct: usize,
}

/// The metrics of the documents with at least this confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::run) struct Threshold {
    pub(in crate::run) confidence: f64,
    /// Documents with at least this confidence.
    pub(in crate::run) covered: usize,
    /// Those of them that are correct.
    pub(in crate::run) correct: usize,
}

impl ClassMetrics {
    pub(in crate::run) fn name(&self) -> &str {
        self.r#type.as_deref().unwrap_or("no match")
    }

    /// The share of predicted documents that are correct; `None` if none was predicted.
    pub(in crate::run) fn precision(&self) -> Option<f64> {
        ratio(self.correct, self.predicted)
    }

    /// The share of expected documents that were predicted; `None` if none was expected.
    pub(in crate::run) fn recall(&self) -> Option<f64> {
        ratio(self.correct, self.expected)
    }

    /// The harmonic mean of precision and recall.
    pub(in crate::run) fn f1(&self) -> Option<f64> {
        ratio(2 * self.correct, self.expected + self.predicted)
    }
}

impl Evaluation {
    pub(in crate::run) fn of(results: &[LabelledResult]) -> Self {
        // The order of the keys: names first, and `None`, which is "no match", after them.
        let key = |r#type: &Option<String>| (r#type.is_none(), r#type.clone());
        let mut indices = BTreeMap::new();
        for result in results {
            indices.insert(key(&result.expected), 0);
            if let Prediction::Classified { r#type, .. } = &result.prediction {
                indices.insert(key(r#type), 0);
            }
        }
        for (nth, index) in indices.values_mut().enumerate() {
            *index = nth;
        }
        let mut classes: Vec<ClassMetrics> = indices
            .keys()
            .map(|(_, r#type)| ClassMetrics {
                r#type: r#type.clone(),
                expected: 0,
                predicted: 0,
                correct: 0,
            })
            .collect();
        let missing = classes.len();
        let mut matrix = vec![vec![0; missing + 1]; missing];
        for result in results {
            let expected = indices[&key(&result.expected)];
            let found = match &result.prediction {
                Prediction::Classified { r#type, .. } => indices[&key(r#type)],
                Prediction::Missing => missing,
            };
            matrix[expected][found] += 1;
            classes[expected].expected += 1;
            if let Some(class) = classes.get_mut(found) {
                class.predicted += 1;
                class.correct += usize::from(expected == found);
            }
        }
        Self {
            labelled: results.len(),
            classified: classes.iter().map(|class| class.predicted).sum(),
            correct: classes.iter().map(|class| class.correct).sum(),
            classes,
            matrix,
            thresholds: thresholds(results),
        }
    }

    /// The share of labelled documents that are correct.
    pub(in crate::run) fn accuracy(&self) -> Option<f64> {
        ratio(self.correct, self.labelled)
    }

    /// The share of classified documents that are correct.
    pub(in crate::run) fn accuracy_of_classified(&self) -> Option<f64> {
        ratio(self.correct, self.classified)
    }

    /// Returns the thresholds at which the coverage changes.
    pub(in crate::run) fn distinct_thresholds(&self) -> impl Iterator<Item = &Threshold> {
        let mut last = None;
        self.thresholds
            .iter()
            .filter(move |step| last.replace(step.covered) != Some(step.covered))
    }

    /// Returns the share of labelled documents above a threshold, and the share of these that are correct.
    pub(in crate::run) fn coverage_and_accuracy(
        &self,
        threshold: &Threshold,
    ) -> (Option<f64>, Option<f64>) {
        (
            ratio(threshold.covered, self.labelled),
            ratio(threshold.correct, threshold.covered),
        )
    }
}

fn thresholds(results: &[LabelledResult]) -> Vec<Threshold> {
    let mut answers: Vec<(f64, bool)> = results
        .iter()
        .filter_map(|result| match &result.prediction {
            Prediction::Classified { r#type, confidence } => {
                Some((confidence.unwrap_or(0.0), *r#type == result.expected))
            }
            Prediction::Missing => None,
        })
        .collect();
    answers.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut right: usize = answers.iter().filter(|(_, right)| *right).count();
    let mut passed = 0;
    (0..=THRESHOLD_STEPS)
        .map(|nth| {
            let threshold = f64::from(nth) / f64::from(THRESHOLD_STEPS);
            while let Some((confidence, is_right)) = answers.get(passed)
                && *confidence < threshold
            {
                right -= usize::from(*is_right);
                passed += 1;
            }
            Threshold {
                confidence: threshold,
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

    fn pair(expected: Option<&str>, found: Option<(Option<&str>, f64)>) -> LabelledResult {
        LabelledResult {
            expected: expected.map(str::to_owned),
            prediction: match found {
                Some((r#type, confidence)) => Prediction::Classified {
                    r#type: r#type.map(str::to_owned),
                    confidence: Some(confidence),
                },
                None => Prediction::Missing,
            },
        }
    }

    /// Eight documents, whose metrics were calculated by hand.
    fn eight() -> Evaluation {
        let (invoice, receipt) = (Some("invoice"), Some("receipt"));
        Evaluation::of(&[
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
    fn score_metrics_match_hand_computed_values() {
        let evaluation = eight();
        assert_eq!(
            (
                evaluation.labelled,
                evaluation.classified,
                evaluation.correct
            ),
            (8, 7, 4)
        );
        assert!(close(evaluation.accuracy(), 0.5));
        assert!(close(evaluation.accuracy_of_classified(), 4.0 / 7.0));
        let names: Vec<_> = evaluation.classes.iter().map(ClassMetrics::name).collect();
        assert_eq!(names, ["invoice", "receipt", "no match"]);
        assert_eq!(
            evaluation.matrix,
            [vec![2, 1, 0, 1], vec![0, 1, 1, 0], vec![1, 0, 1, 0]]
        );
        let [invoice, receipt, no_match] = &evaluation.classes[..] else {
            panic!("three classes")
        };
        assert!(close(invoice.precision(), 2.0 / 3.0) && close(invoice.recall(), 0.5));
        assert!(close(invoice.f1(), 4.0 / 7.0));
        assert!(close(receipt.precision(), 0.5) && close(receipt.recall(), 0.5));
        assert!(close(no_match.precision(), 0.5) && close(no_match.recall(), 0.5));
    }

    #[test]
    fn score_threshold_covers_answers_at_or_above_it() {
        let evaluation = eight();
        let at = |nth: usize| {
            let step = evaluation.thresholds[nth];
            (step.confidence, step.covered, step.correct)
        };
        assert_eq!(at(0), (0.0, 7, 4));
        // 0.30 reaches 0.30; 0.20 does not.
        assert_eq!(at(6), (0.3, 6, 4));
        assert_eq!(at(11), (0.55, 5, 3));
        assert_eq!(at(16), (0.8, 3, 3));
        assert_eq!(at(19), (0.95, 1, 1));
        assert_eq!(at(20), (1.0, 0, 0));
        assert_eq!(
            evaluation.coverage_and_accuracy(&evaluation.thresholds[16]),
            (Some(0.375), Some(1.0))
        );
        assert_eq!(
            evaluation.coverage_and_accuracy(&evaluation.thresholds[20]),
            (Some(0.0), None)
        );
        let turns: Vec<_> = evaluation
            .distinct_thresholds()
            .map(|step| step.covered)
            .collect();
        assert_eq!(turns, [7, 6, 5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn score_without_data_has_no_metrics() {
        let evaluation = Evaluation::of(&[]);
        assert_eq!(
            (evaluation.accuracy(), evaluation.accuracy_of_classified()),
            (None, None)
        );
        assert!(evaluation.classes.is_empty() && evaluation.matrix.is_empty());
        let evaluation = Evaluation::of(&[pair(Some("a"), Some((Some("b"), 0.5)))]);
        let [a, b] = &evaluation.classes[..] else {
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

    fn any_pair() -> impl Strategy<Value = LabelledResult> {
        let label = || proptest::option::of(prop_oneof!["a", "b", "c", "A"].prop_map(String::from));
        let confidence = proptest::option::of(0.0..=1.0_f64);
        (
            label(),
            proptest::option::weighted(0.8, (label(), confidence)),
        )
            .prop_map(|(expected, found)| LabelledResult {
                expected,
                prediction: found.map_or(Prediction::Missing, |(r#type, confidence)| {
                    Prediction::Classified { r#type, confidence }
                }),
            })
    }

    proptest! {
        #[test]
        fn score_confusion_matrix_counts_each_document_once(results in proptest::collection::vec(any_pair(), 0..60)) {
            let evaluation = Evaluation::of(&results);
            let cells: usize = evaluation.matrix.iter().flatten().sum();
            prop_assert_eq!(cells, results.len());
            prop_assert_eq!(evaluation.classes.iter().map(|class| class.expected).sum::<usize>(), results.len());
            let diagonal: usize = (0..evaluation.classes.len()).map(|nth| evaluation.matrix[nth][nth]).sum();
            prop_assert_eq!(diagonal, evaluation.correct);
            let wrong_or_right = results.iter().filter(|result| matches!(
                &result.prediction, Prediction::Classified { r#type, .. } if *r#type == result.expected)).count();
            prop_assert_eq!(wrong_or_right, evaluation.correct);
        }

        #[test]
        fn score_metrics_are_fractions_and_thresholds_monotonic(
            results in proptest::collection::vec(any_pair(), 0..60)
        ) {
            let evaluation = Evaluation::of(&results);
            for class in &evaluation.classes {
                for share in [class.precision(), class.recall(), class.f1()].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&share));
                }
            }
            prop_assert_eq!(evaluation.coverage_and_accuracy(&evaluation.thresholds[0]).1, evaluation.accuracy_of_classified());
            if evaluation.classified == evaluation.labelled {
                prop_assert_eq!(evaluation.coverage_and_accuracy(&evaluation.thresholds[0]).1, evaluation.accuracy());
            }
            for pair in evaluation.thresholds.windows(2) {
                prop_assert!(pair[1].covered <= pair[0].covered && pair[1].correct <= pair[0].correct);
                prop_assert!(pair[1].correct <= pair[1].covered);
            }
        }
    }
}
