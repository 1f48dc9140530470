//! Reasons not to use a model, whatever its metrics.

use crate::features::Task;
use crate::score::{Direction, Evaluation};

/// Fewer gate rows than this, in total or of the rarest class, hardly determine a quality.
const FEW_ROWS: usize = 30;
const FEW_OF_CLASS: usize = 10;

/// An evaluation's reasons against a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubts {
    /// The model is useless, or was not evaluated: only a person may decide to use it.
    pub grave: Vec<String>,
    /// Its quality is uncertain.
    pub slight: Vec<String>,
}

/// Derives the doubts from an evaluation: a threshold that predicts the same for every row, only one class, not better
/// than the baseline, few rows.
#[must_use]
pub fn doubts(evaluation: &Evaluation) -> Doubts {
    let mut doubts = Doubts::default();
    let n = evaluation.n_rows;
    if let Some(positives) = evaluation.n_positive {
        if positives == 0 || positives == n {
            let which = if positives == 0 { "none" } else { "each" };
            doubts.grave.push(format!("{which} of the {n} gate rows is positive: its quality cannot be measured"));
            return doubts;
        }
        if let Some(one) = called(evaluation, n) {
            doubts.grave.push(one);
        }
    }
    if let Some(no_better) = no_better(evaluation) {
        doubts.grave.push(no_better);
    }
    let rarest = rarest(evaluation);
    if n < FEW_ROWS {
        doubts.slight.push(format!("the gate has only {n} rows: its metrics are unreliable"));
    } else if rarest.is_some_and(|(_, rows)| rows < FEW_OF_CLASS)
        && let Some((class, rows)) = rarest
    {
        doubts.slight.push(format!(
            "the gate has only {rows} rows of class {class:?}: metrics of this class are \
                                    unreliable"
        ));
    }
    doubts
}

/// The smallest difference of two versions in a metric that is detected with 80 % power, as a share of the width of the
/// metric's 95 % interval.
///
/// The one-sided 5 % test needs 2.49 standard errors of the difference; the difference's standard error is assumed to
/// be .4 of the metric's, whose interval is 3.92 standard errors wide. Measured on five tables (churn, 400 of its gate
/// rows, credit default, red wine, hourly bikes), with a third more rows or other parameters: .09 to .49, mostly .23 to
/// .45.
const SHOWN: f64 = 2.49 * 0.4 / 3.92;
/// Differences of at least this size are mentioned.
const COARSE: f64 = 0.02;

/// With fewer rows of a class, no test of two versions holds its level. For numbers and several classes, twice as many
/// rows are needed in total.
pub const MIN_TESTED: usize = 20;

/// How many rows are missing for any test of two versions: `n` counts rows, or rows of the rarer of two classes.
#[must_use]
pub fn untested(n: u64, of_class: bool) -> Option<u64> {
    let least = if of_class { MIN_TESTED } else { 2 * MIN_TESTED } as u64;
    (n < least).then(|| least - n)
}

/// A note if the gate can only detect large differences between versions; `None` if it detects relevant ones.
#[must_use]
pub fn resolution(evaluation: &Evaluation) -> Option<String> {
    let (n, rarer) = match evaluation.n_positive {
        Some(positives) => (positives.min(evaluation.n_rows - positives), " of the rarer class"),
        None => (evaluation.n_rows, ""),
    };
    if let Some(missing) = untested(n as u64, evaluation.n_positive.is_some()) {
        return Some(format!(
            "the gate has {n} rows{rarer}, {missing} fewer than any comparison of versions needs: `promote` stays \
             inconclusive until there are more gate rows"
        ));
    }
    let primary = evaluation.metrics.get(evaluation.primary)?;
    let shown = SHOWN * (primary.high? - primary.low?);
    (shown > COARSE).then(|| {
        format!(
            "the gate has {} rows: differences between versions below about {shown:.2} in {} will stay inconclusive; \
             more gate rows detect smaller differences",
            evaluation.n_rows,
            evaluation.primary.name()
        )
    })
}

/// Whether the threshold predicts positive for every gate row, or for none.
fn called(evaluation: &Evaluation, n: usize) -> Option<String> {
    /// With at least this many positive rows, finding none is not a coincidence.
    const SOME: usize = 3;
    let confusion = evaluation.confusion.as_ref()?;
    let (n_called, n_found) = (confusion.predicted(1), confusion.cell(1, 1));
    if n_called > 0.0 && n_found == 0.0 && evaluation.n_positive.is_some_and(|positives| positives >= SOME) {
        return Some(format!(
            "at its threshold it finds none of the positive gate rows, but predicts others as \
                             positive (of {n} rows)"
        ));
    }
    let all = if confusion.predicted(0) == 0.0 {
        "every"
    } else if confusion.predicted(1) == 0.0 {
        "no"
    } else {
        return None;
    };
    Some(format!("at its threshold it predicts {all} gate row as positive (of {n})"))
}

fn no_better(evaluation: &Evaluation) -> Option<String> {
    let value = evaluation.primary_value()?;
    let baseline = evaluation.baseline.as_ref()?.metrics.get(evaluation.primary).copied().flatten()?;
    let better = match evaluation.primary.direction() {
        Direction::Higher => value > baseline,
        Direction::Lower => value < baseline,
    };
    let without =
        if evaluation.task == Task::Regression { "the mean of the training rows" } else { "class shares alone" };
    let name = evaluation.primary.name();
    (!better)
        .then(|| format!("on the gate rows it is no better than {without}: {name} {value:.4}, baseline {baseline:.4}"))
}

/// The class with the fewest gate rows among those that occur, and its number of rows.
fn rarest(evaluation: &Evaluation) -> Option<(&str, usize)> {
    let occurring = evaluation.class_rows.iter().enumerate().filter(|(_, rows)| **rows > 0);
    let (class, &rows) = occurring.min_by_key(|(_, rows)| **rows)?;
    Some((&evaluation.classes[class], rows))
}

#[cfg(test)]
mod tests {
    use super::{Doubts, doubts};
    use crate::features::Task;
    use crate::score::{Baseline, EvaluateOptions, Evaluation, Reading, evaluate};

    fn evaluation(y: &[f64], scores: &[f64], threshold: f64) -> Evaluation {
        let classes = ["no".to_owned(), "yes".to_owned()];
        let reading = Reading { task: Task::Binary, classes: &classes, y, scores, weights: None, threshold };
        evaluate(&reading, Some(&Baseline::fit(2, y, None)), EvaluateOptions::default()).unwrap()
    }

    #[test]
    fn a_small_gate_says_what_it_can_show() {
        // Equal information per row: only the number of rows differs.
        let told = |n: u32| {
            let y: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
            let scores: Vec<f64> = (0..n).map(|i| f64::from(i * 37 % 101) / 200.0 + 0.2 * y[i as usize]).collect();
            super::resolution(&evaluation(&y, &scores, 0.5))
        };
        let shown = |said: &str| -> f64 {
            let (_, rest) = said.split_once("below about ").unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        };
        let (few, more) = (told(120).unwrap(), told(480).unwrap());
        assert!(few.starts_with("the gate has 120 rows: differences") && few.contains("roc_auc"), "{few}");
        // Differences that `promote` would not test are not claimed to be detectable.
        let untold = told(44).unwrap();
        assert!(untold.starts_with("the gate has 11 rows of the rarer class, 9 fewer than any comparison"), "{untold}");
        // Four times the rows halve the difference.
        assert!((shown(&few) / shown(&more) - 2.0).abs() < 0.7, "{few} {more}");
        assert_eq!(told(20_000), None);
    }

    #[test]
    fn a_useful_model_with_enough_rows_has_none() {
        let y: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let scores: Vec<f64> = y.iter().enumerate().map(|(i, y)| 0.3 + 0.4 * (*y) + (i % 7) as f64 / 100.0).collect();
        assert_eq!(doubts(&evaluation(&y, &scores, 0.5)), Doubts::default());
    }

    #[test]
    fn what_is_of_no_use_is_grave() {
        let y: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let scores: Vec<f64> = y.iter().map(|y| 0.3 + 0.4 * (*y)).collect();
        assert_eq!(
            doubts(&evaluation(&y, &scores, 0.0)).grave,
            ["at its threshold it predicts every gate row as positive (of 100)"]
        );
        assert_eq!(
            doubts(&evaluation(&y, &scores, 0.9)).grave,
            ["at its threshold it predicts no gate row as positive (of 100)"]
        );
        let wrong: Vec<f64> = scores.iter().map(|s| 1.0 - s).collect();
        assert_eq!(
            doubts(&evaluation(&y, &wrong, 0.5)).grave[1..],
            ["on the gate rows it is no better than class shares alone: roc_auc 0.0000, baseline 0.5000"]
        );
        // Some rows are predicted positive, but none of the positive ones.
        let beside: Vec<f64> =
            (0..100).map(|i| if i % 4 == 1 { 0.9 } else { 0.1 + 0.3 * f64::from(u8::from(i % 4 == 0)) }).collect();
        let grave = doubts(&evaluation(&y, &beside, 0.5)).grave;
        assert_eq!(
            grave[0],
            "at its threshold it finds none of the positive gate rows, but predicts others as positive (of 100 rows)"
        );
        let none = doubts(&evaluation(&[0.0; 60], &[0.1; 60], 0.5)).grave;
        assert_eq!(none, ["none of the 60 gate rows is positive: its quality cannot be measured"]);
    }

    #[test]
    fn few_rows_are_said() {
        let few = doubts(&evaluation(&[0.0, 1.0, 0.0], &[0.1, 0.9, 0.2], 0.5));
        assert_eq!(
            (few.grave.len(), few.slight),
            (0, vec!["the gate has only 3 rows: its metrics are unreliable".to_owned()])
        );
        let y: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i % 25 == 0))).collect();
        let scores: Vec<f64> = y.iter().map(|y| 0.3 + 0.4 * (*y)).collect();
        assert_eq!(
            doubts(&evaluation(&y, &scores, 0.5)).slight,
            ["the gate has only 4 rows of class \"yes\": metrics of this class are unreliable"]
        );
    }
}
