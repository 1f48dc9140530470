//! How much better one model is than another on the same rows, in any metric.

use serde::{Deserialize, Serialize};

use super::evaluation::{Truth, check, length, uneven};
use super::exchange::exchange;
use super::paired::{McNemar, delong, mcnemar, paired_bootstrap};
use super::{Direction, Metric, Reading, ScoreError, multiclass};
use crate::features::Task;
use crate::stats::{moments, normal, tails};

/// How the difference was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// DeLong's test of two ROC areas.
    DeLong,
    /// McNemar's mid-p test, with the interval of Bonett and Price.
    McNemar,
    /// The paired bootstrap, by entity.
    Bootstrap,
}

/// The pairing of rows and the confidence level.
#[derive(Debug, Clone, Copy)]
pub struct Pairing<'a> {
    /// Probability that a one-sided bound is wrong, in (0, .5).
    pub alpha: f64,
    /// Index of each row's entity, from 0 without gaps, if rows of one entity depend on each other.
    pub entities: Option<&'a [u32]>,
    /// Number of bootstrap replicates.
    pub n_replicates: usize,
    /// Seed of the replicates.
    pub seed: u64,
}

/// The improvement of a challenger over production in one metric, on the same rows. Positive is better for every
/// metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Improvement {
    /// The metric.
    pub metric: Metric,
    /// Its value for production.
    pub production: f64,
    /// Its value for the challenger.
    pub challenger: f64,
    /// The improvement, in the metric's unit.
    pub value: f64,
    /// Standard error of `value`.
    pub error: f64,
    /// Lower one-sided bound of `value`, wrong with probability alpha.
    pub low: f64,
    /// Upper one-sided bound of `value`, wrong with probability alpha.
    pub high: f64,
    /// Two-sided p-value of no difference; absent for the bootstrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// How it was tested.
    pub test: Test,
}

/// Compares `challenger` with `production` in `metric`.
///
/// ROC-AUC is tested by DeLong, accuracy by McNemar's mid-p, all other metrics by the paired bootstrap; with entities
/// or unequal weights, all metrics by the bootstrap, which draws whole entities. A bound of the bootstrap is the wider
/// of its percentile and value ± t · error, with one degree of freedom less than there are units of the rarer class;
/// and it does not exclude 0 if the exchange test, which is exact with few rows, finds no difference. The bound of a
/// difference of accuracies is by Bonett and Price ("Adjusted Wald Confidence Interval for a Difference of Binomial
/// Proportions Based on Paired Data", 2012), as recommended with the mid-p test by M. Fagerland, S. Lydersen and P.
/// Laake ("Recommended tests and confidence intervals for paired binomial proportions", 2014); if the test finds no
/// difference, the bound does not exclude 0.
///
/// # Errors
/// Rows that cannot be evaluated, a metric of another task, one class only, or an undefined metric.
pub fn improvement(
    metric: Metric,
    production: &Reading<'_>,
    challenger: &Reading<'_>,
    pairing: &Pairing<'_>,
) -> Result<Improvement, ScoreError> {
    check(production)?;
    check(challenger)?;
    length("scores", challenger.y.len(), production.y.len())?;
    if !Metric::of(production.task).contains(&metric) {
        let known = Metric::of(production.task).iter().map(|m| m.name()).collect();
        return Err(ScoreError::UnknownMetric { name: metric.name().to_owned(), known });
    }
    match (metric, pairing.entities) {
        _ if uneven(production.weights).is_some() => resampled(metric, production, challenger, pairing),
        (Metric::RocAuc, None) => areas(production, challenger, pairing.alpha),
        (Metric::Accuracy, None) => shares(production, challenger, pairing.alpha),
        _ => resampled(metric, production, challenger, pairing),
    }
}

fn areas(production: &Reading<'_>, challenger: &Reading<'_>, alpha: f64) -> Result<Improvement, ScoreError> {
    let positive: Vec<bool> = production.y.iter().map(|y| *y == 1.0).collect();
    let found = delong(&positive, challenger.scores, production.scores)?;
    let (low, high) = found.interval(1.0 - 2.0 * alpha);
    Ok(Improvement {
        metric: Metric::RocAuc,
        production: found.auc_b,
        challenger: found.auc_a,
        value: found.difference,
        error: found.error,
        low,
        high,
        p: Some(found.p),
        test: Test::DeLong,
    })
}

fn shares(production: &Reading<'_>, challenger: &Reading<'_>, alpha: f64) -> Result<Improvement, ScoreError> {
    let (theirs, ours) = (right(production), right(challenger));
    let McNemar { only_a, only_b, p } = mcnemar(&ours, &theirs)?;
    let share = |right: &[bool]| right.iter().filter(|r| **r).count() as f64 / right.len() as f64;
    let n = ours.len() as f64;
    let (gained, lost) = ((only_a as f64 + 1.0) / (n + 2.0), (only_b as f64 + 1.0) / (n + 2.0));
    let error = ((gained + lost - (gained - lost).powi(2)) / (n + 2.0)).sqrt();
    let half = normal::quantile(1.0 - alpha) * error;
    let (mut low, mut high) = ((gained - lost - half).max(-1.0), (gained - lost + half).min(1.0));
    if p / 2.0 > alpha {
        (low, high) = (low.min(0.0), high.max(0.0));
    }
    Ok(Improvement {
        metric: Metric::Accuracy,
        production: share(&theirs),
        challenger: share(&ours),
        value: (only_a as f64 - only_b as f64) / n,
        error,
        low,
        high,
        p: Some(p),
        test: Test::McNemar,
    })
}

/// Which rows are predicted correctly.
fn right(reading: &Reading<'_>) -> Vec<bool> {
    let predicted: Vec<f64> = match reading.task {
        Task::Multiclass => {
            multiclass::predicted(reading.scores, reading.classes.len()).iter().map(|&c| c as f64).collect()
        }
        _ => reading.scores.iter().map(|s| f64::from(u8::from(*s >= reading.threshold))).collect(),
    };
    predicted.iter().zip(reading.y).map(|(predicted, y)| predicted == y).collect()
}

fn resampled(
    metric: Metric,
    production: &Reading<'_>,
    challenger: &Reading<'_>,
    pairing: &Pairing<'_>,
) -> Result<Improvement, ScoreError> {
    let truth = Truth::of(production);
    let theirs = truth.rows(production, production.scores, production.threshold);
    let ours = truth.rows(challenger, challenger.scores, challenger.threshold);
    let sign = match metric.direction() {
        Direction::Higher => 1.0,
        Direction::Lower => -1.0,
    };
    let gain = |counts: &[u32]| sign * (ours.value(metric, counts) - theirs.value(metric, counts));
    let found = paired_bootstrap(production.y.len(), pairing.entities, pairing.n_replicates, pairing.seed, gain)?;
    let (a, b) = (theirs.point(metric), ours.point(metric));
    let value = sign * (b - a);
    if !(a.is_finite() && b.is_finite()) || found.replicates.len() * 2 <= pairing.n_replicates {
        return Err(ScoreError::Untold { metric: metric.name(), rows: production.y.len() });
    }
    let error = moments::variance(&found.replicates).sqrt();
    let half = tails::student_above(2.0 * pairing.alpha, freedom(production, pairing.entities)) * error;
    let mut low = found.quantile(pairing.alpha).min(value - half);
    let mut high = found.quantile(1.0 - pairing.alpha).max(value + half);
    let exchanged = exchange(metric, challenger, production, pairing.entities, pairing.n_replicates, pairing.seed)?;
    if let Some(exchanged) = exchanged {
        let (better, worse) =
            if sign > 0.0 { (exchanged.higher, exchanged.lower) } else { (exchanged.lower, exchanged.higher) };
        low = if better > pairing.alpha { low.min(0.0) } else { low };
        high = if worse > pairing.alpha { high.max(0.0) } else { high };
    }
    Ok(Improvement { metric, production: a, challenger: b, value, error, low, high, p: None, test: Test::Bootstrap })
}

/// Degrees of freedom of a bootstrap standard error: number of units with a row of the rarer class, for two classes,
/// otherwise of all units, minus one.
fn freedom(reading: &Reading<'_>, entities: Option<&[u32]>) -> f64 {
    let units_with = |counts: &dyn Fn(f64) -> bool| {
        let rows = reading.y.iter().enumerate().filter(|(_, y)| counts(**y)).map(|(row, _)| row);
        match entities {
            None => rows.count(),
            Some(entities) => rows.map(|row| entities[row]).collect::<std::collections::BTreeSet<u32>>().len(),
        }
    };
    let units = match reading.task {
        Task::Binary => units_with(&|y| y == 1.0).min(units_with(&|y| y != 1.0)),
        _ => units_with(&|_| true),
    };
    (units as f64 - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::{Improvement, Pairing, Test, improvement};
    use crate::features::Task;
    use crate::score::tests::{close, numbers, reference};
    use crate::score::{Metric, Reading};

    const PAIRING: Pairing = Pairing { alpha: 0.05, entities: None, n_replicates: 500, seed: 1 };

    fn binary<'a>(y: &'a [f64], scores: &'a [f64], classes: &'a [String]) -> Reading<'a> {
        Reading { task: Task::Binary, classes, y, scores, weights: None, threshold: 0.5 }
    }

    fn classes() -> Vec<String> {
        vec!["no".to_owned(), "yes".to_owned()]
    }

    #[test]
    fn shares_agree_with_the_reference() {
        for case in reference()["paired_shares"].as_array().unwrap() {
            let number = |name: &str| case[name].as_f64().unwrap();
            let count = |name: &str| case[name].as_u64().unwrap() as usize;
            let (n, gained, lost) = (count("n"), count("only_challenger"), count("only_production"));
            // Every row is positive; a score of 1 is right, 0 is wrong.
            let y = vec![1.0; n];
            let ours: Vec<f64> = (0..n).map(|i| if i < gained { 1.0 } else { 0.0 }).collect();
            let theirs: Vec<f64> =
                (0..n).map(|i| if (gained..gained + lost).contains(&i) { 1.0 } else { 0.0 }).collect();
            let classes = classes();
            let pairing = Pairing { alpha: number("alpha"), ..PAIRING };
            let (theirs, ours) = (binary(&y, &theirs, &classes), binary(&y, &ours, &classes));
            let found = improvement(Metric::Accuracy, &theirs, &ours, &pairing).unwrap();
            assert_eq!(found.test, Test::McNemar);
            close("p", found.p.unwrap(), number("p"));
            close("low", found.low, number("low"));
            close("high", found.high, number("high"));
        }
    }

    #[test]
    fn the_bootstrap_counts_the_same_rows_for_both() {
        // A model does not differ from itself in any resample, whatever the order of the rows.
        let n = 200;
        let y: Vec<f64> = (0..n).map(|i| ((i * 7) % 3 == 0) as u8 as f64).collect();
        let a: Vec<f64> = (0..n).map(|i| f64::from((i * 37) % 101) / 101.0).collect();
        let names = classes();
        let found = improvement(Metric::F1, &binary(&y, &a, &names), &binary(&y, &a, &names), &PAIRING).unwrap();
        assert_eq!((found.value, found.low, found.high, found.error), (0.0, 0.0, 0.0, 0.0));
        // In every row, the error of one model is half of the other's.
        let truth: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let off = |share: f64| (0..n).map(|i| f64::from(i) + share * f64::from((i * 13) % 17)).collect::<Vec<_>>();
        let (wide, narrow) = (off(1.0), off(0.5));
        let number =
            |scores| Reading { task: Task::Regression, classes: &[], y: &truth, scores, ..binary(&y, &a, &names) };
        let Improvement { value, low, high, error, .. } =
            improvement(Metric::Mae, &number(&wide), &number(&narrow), &PAIRING).unwrap();
        let gains: Vec<f64> = (0..n).map(|i| 0.5 * f64::from((i * 13) % 17)).collect();
        close("value", value, crate::stats::moments::mean(&gains));
        let expected = (crate::stats::moments::variance(&gains) / f64::from(n)).sqrt();
        assert!((error / expected - 1.0).abs() < 0.1, "{error} {expected}");
        assert!(low > 0.0 && high > value, "lower errors are better");
    }

    #[test]
    fn weighed_rows_gain_what_rows_written_as_often_gain() {
        let n = 120;
        let y: Vec<f64> = (0..n).map(|i| ((i * 7) % 3 == 0) as u8 as f64).collect();
        let score = |by: usize| (0..n).map(|i| ((i * by) % 101) as f64 / 101.0).collect::<Vec<f64>>();
        let (a, b) = (score(37), score(53));
        let weights: Vec<f64> = (0..n).map(|i| (i % 3) as f64 + 1.0).collect();
        let written = |of: &[f64]| (0..n).flat_map(|i| vec![of[i]; i % 3 + 1]).collect::<Vec<f64>>();
        let (y2, a2, b2) = (written(&y), written(&a), written(&b));
        let names = classes();
        for metric in [Metric::RocAuc, Metric::Accuracy, Metric::F1, Metric::LogLoss] {
            let of = |scores| Reading { weights: Some(&weights), ..binary(&y, scores, &names) };
            let found = improvement(metric, &of(&a), &of(&b), &PAIRING).unwrap();
            let many = improvement(metric, &binary(&y2, &a2, &names), &binary(&y2, &b2, &names), &PAIRING).unwrap();
            close("value", found.value, many.value);
            // Rows of one entity do not count as independent.
            assert_eq!(found.test, Test::Bootstrap);
            assert!(found.error > many.error, "{metric}: {} {}", found.error, many.error);
            let even = vec![3.0; n];
            let even = |scores| Reading { weights: Some(&even), ..binary(&y, scores, &names) };
            let plain = improvement(metric, &binary(&y, &a, &names), &binary(&y, &b, &names), &PAIRING).unwrap();
            assert_eq!(improvement(metric, &even(&a), &even(&b), &PAIRING).unwrap().test, plain.test);
        }
    }

    #[test]
    fn the_area_is_delongs_and_its_bootstrap_agrees() {
        let case = &reference()["delong"][0];
        let y: Vec<f64> = numbers(&case["y"]);
        let squash = |s: Vec<f64>| s.iter().map(|s| 1.0 / (1.0 + (-s).exp())).collect::<Vec<f64>>();
        let (a, b) = (squash(numbers(&case["a"])), squash(numbers(&case["b"])));
        let names = classes();
        let (b, a) = (binary(&y, &b, &names), binary(&y, &a, &names));
        let exact = improvement(Metric::RocAuc, &b, &a, &PAIRING).unwrap();
        close("error", exact.error, case["error"].as_f64().unwrap());
        let alone: Vec<u32> = (0..y.len() as u32).collect();
        let drawn = improvement(Metric::RocAuc, &b, &a, &Pairing { entities: Some(&alone), ..PAIRING }).unwrap();
        assert_eq!(drawn.test, Test::Bootstrap);
        close("value", drawn.value, exact.value);
        assert!((drawn.error / exact.error - 1.0).abs() < 0.15, "{} {}", drawn.error, exact.error);
        assert!(improvement(Metric::R2, &b, &a, &PAIRING).is_err());
    }
}
