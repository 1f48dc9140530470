//! The exchange test: are two models distinguishable if their answers are swapped at random?

use super::evaluation::Truth;
use super::interval::MAX_VISITS;
use super::{Metric, Reading, ScoreError};
use crate::features::Task;
use crate::stats::{random, ranks};
use rand::Rng;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

/// With fewer exchanges, a p-value of 5 % is imprecise.
const MIN_EXCHANGES: usize = 200;

/// One-sided p-values of an exchange test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exchanged {
    /// For the hypothesis that `a` is not better than `b`: small if a's metric is better.
    pub(super) higher: f64,
    /// For the hypothesis that `a` is not worse than `b`.
    pub(super) lower: f64,
}

/// Tests the difference of the metrics of `a` and `b` by swapping both answers in a random half of the units (a row, or
/// the rows of an entity).
///
/// If the two answers of a unit are exchangeable, the difference has the distribution of the exchanged differences, for
/// any metric and any number of rows (E. Pitman, "Significance Tests Which May Be Applied to Samples from Any
/// Populations", 1937). Answers are swapped in the form the metric uses: ranks for rank metrics, decisions at each
/// model's threshold for decision metrics, otherwise scores. `None` for tables too large for enough exchanges.
pub(super) fn exchange(
    metric: Metric,
    a: &Reading<'_>,
    b: &Reading<'_>,
    entities: Option<&[u32]>,
    n_exchanges: usize,
    seed: u64,
) -> Result<Option<Exchanged>, ScoreError> {
    let n = a.y.len();
    let n_exchanges = n_exchanges.min(MAX_VISITS / n.max(1));
    if n_exchanges < MIN_EXCHANGES {
        return Ok(None);
    }
    let truth = Truth::of(a);
    let seen = [Seen::by(metric, a), Seen::by(metric, b)];
    let width = a.scores.len() / n;
    let n_units = entities.map_or(n, |e| e.iter().max().map_or(0, |last| *last as usize + 1));
    let difference = |flips: &[bool]| {
        let mut both = [seen[0].scores.clone(), seen[1].scores.clone()];
        let [first, second] = &mut both;
        for row in (0..n).filter(|&row| flips[entities.map_or(row, |e| e[row] as usize)]) {
            let cells = row * width..(row + 1) * width;
            first[cells.clone()].swap_with_slice(&mut second[cells]);
        }
        let of = |scores: &[f64]| truth.rows(a, scores, seen[0].threshold).point(metric);
        of(first) - of(second)
    };
    let found = difference(&vec![false; n_units]);
    let tolerance = 1e-12 * found.abs().max(1e-3);
    let one = |r: usize| {
        let mut rng = random::rng(seed, &format!("exchange {r}"));
        let drawn = difference(&(0..n_units).map(|_| rng.r#gen::<bool>()).collect::<Vec<bool>>());
        // Exchanging the other half gives the opposite sign, so each draw counts twice.
        let at_least = |bound: f64, x: f64| u32::from(x.is_nan() || x >= bound - tolerance);
        let both = |bound: f64| at_least(bound, drawn) + at_least(bound, -drawn);
        (both(found), both(-found))
    };
    let sum = (0..n_exchanges).into_par_iter().map(one).reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let p = |count: u32| (f64::from(count) + 1.0) / (2.0 * n_exchanges as f64 + 1.0);
    Ok(found.is_finite().then(|| Exchanged { higher: p(sum.0), lower: p(sum.1) }))
}

/// Scores in the form a metric uses, and their threshold.
struct Seen {
    scores: Vec<f64>,
    threshold: f64,
}

impl Seen {
    fn by(metric: Metric, reading: &Reading<'_>) -> Self {
        use Metric::{Brier, LogLoss, PrAuc, RocAuc};
        let n = reading.y.len() as f64;
        let as_they_are = || Self { scores: reading.scores.to_vec(), threshold: reading.threshold };
        match metric {
            _ if reading.task != Task::Binary => as_they_are(),
            RocAuc | PrAuc => Self {
                scores: ranks::average(reading.scores).into_iter().map(|r| r / (n + 1.0)).collect(),
                threshold: 0.5,
            },
            LogLoss | Brier => as_they_are(),
            _ => {
                let side = |score: &f64| if *score >= reading.threshold { 1.0 } else { 0.0 };
                Self { scores: reading.scores.iter().map(side).collect(), threshold: 0.5 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::exchange;
    use crate::features::Task;
    use crate::score::{Metric, Reading};

    #[test]
    fn p_values_of_shares_are_those_of_the_sign_test() {
        // Only a is right in 8 rows, only b in 2: each exchanged difference is a sum of ten signs.
        let y = vec![1.0_f64; 30];
        let right = |rows: std::ops::Range<usize>| {
            (0..30).map(|i| if rows.contains(&i) || i >= 10 { 0.9 } else { 0.1 }).collect::<Vec<f64>>()
        };
        let (a, b) = (right(0..8), right(8..10));
        let classes = ["no".to_owned(), "yes".to_owned()];
        let of = |scores, threshold| Reading {
            task: Task::Binary,
            classes: &classes,
            y: &y,
            scores,
            weights: None,
            threshold,
        };
        let found = exchange(Metric::Accuracy, &of(&a, 0.5), &of(&b, 0.5), None, 4000, 3).unwrap().unwrap();
        // scipy.stats.binom.sf(7, 10, .5) and cdf(8, 10, .5)
        assert!((found.higher - 0.0546875).abs() < 0.006 && (found.lower - 0.989).abs() < 0.005, "{found:?}");
        // The threshold belongs to the model: the same decisions on another scale are equal.
        let scaled: Vec<f64> = b.iter().map(|s| s / 10.0).collect();
        let same = exchange(Metric::Accuracy, &of(&a, 0.5), &of(&scaled, 0.05), None, 4000, 3).unwrap().unwrap();
        assert_eq!(same, found);
        // Rows of one entity are exchanged together: two entities have four combinations.
        let two: Vec<u32> = (0..30).map(|i| u32::from(i >= 5)).collect();
        let together = exchange(Metric::Accuracy, &of(&a, 0.5), &of(&b, 0.5), Some(&two), 4000, 3).unwrap().unwrap();
        assert!((together.higher - 0.25).abs() < 0.02, "{together:?}");
        assert!(exchange(Metric::Accuracy, &of(&a, 0.5), &of(&b, 0.5), None, 100, 3).unwrap().is_none());
    }
}
