//! Two models on the same rows: DeLong's test, McNemar's test and the paired bootstrap.

use rand::Rng;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

use crate::score::ScoreError;
use crate::score::evaluation::length;
use crate::stats::{moments, normal, quantiles, random, ranks, special, tails};

/// The areas under two ROC curves of the same rows, compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeLong {
    /// Area of the first scores.
    pub auc_a: f64,
    /// Area of the second scores.
    pub auc_b: f64,
    /// Standard error of the first area.
    pub error_a: f64,
    /// Standard error of the second area.
    pub error_b: f64,
    /// auc_a − auc_b.
    pub difference: f64,
    /// Standard error of the difference; 0 when both order the rows alike.
    pub error: f64,
    /// difference ∕ error; 0 when both are 0.
    pub z: f64,
    /// Two-sided p-value.
    pub p: f64,
}

impl DeLong {
    /// The two-sided interval of the difference, for a confidence such as .95.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        let half = normal::quantile(0.5 + confidence / 2.0) * self.error;
        (self.difference - half, self.difference + half)
    }

    /// The lower one-sided bound of the difference, for a confidence such as .95.
    #[must_use]
    pub fn lower_bound(&self, confidence: f64) -> f64 {
        self.difference - normal::quantile(confidence) * self.error
    }
}

/// Compares the ROC areas of scores `a` and `b`, in O(n log n).
///
/// E. DeLong et al., "Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves", 1988,
/// computed with mid-ranks: X. Sun, W. Xu, "Fast Implementation of DeLong's Algorithm for Comparing the Areas Under
/// Correlated Receiver Operating Characteristic Curves", 2014. Equal scores count half.
///
/// # Errors
/// Columns of different lengths, a score that is `NaN`, or fewer than two rows of a class.
pub fn delong(positive: &[bool], a: &[f64], b: &[f64]) -> Result<DeLong, ScoreError> {
    let n_positive = positive.iter().filter(|y| **y).count();
    for scores in [a, b] {
        length("scores", scores.len(), positive.len())?;
        if let Some(row) = scores.iter().position(|s| s.is_nan()) {
            return Err(ScoreError::Score { row, value: f64::NAN, expected: "a number" });
        }
    }
    if n_positive < 2 || positive.len() - n_positive < 2 {
        let class = if n_positive < 2 { "negative, except at most one" } else { "positive, except at most one" };
        return Err(ScoreError::OneClass { rows: positive.len(), class });
    }
    let (one, two) = (Components::of(positive, a), Components::of(positive, b));
    let contrast = Components {
        of_positives: one.of_positives.iter().zip(&two.of_positives).map(|(a, b)| a - b).collect(),
        of_negatives: one.of_negatives.iter().zip(&two.of_negatives).map(|(a, b)| a - b).collect(),
    };
    let (auc_a, auc_b) = (moments::mean(&one.of_positives), moments::mean(&two.of_positives));
    let (difference, error) = (auc_a - auc_b, contrast.error());
    let z = if error > 0.0 { difference / error } else { 0.0 };
    let p = normal::two_sided_p(z);
    Ok(DeLong { auc_a, auc_b, error_a: one.error(), error_b: two.error(), difference, error, z, p })
}

/// The area under the ROC curve and its standard error for rows that are similar within groups: DeLong's components are
/// summed within groups, over both classes (N. Obuchowski, "Nonparametric Analysis of Clustered ROC Curve Data", 1997).
///
/// # Errors
/// As [`delong`].
pub fn area_of_groups(positive: &[bool], scores: &[f64], groups: &[u64]) -> Result<(f64, f64), ScoreError> {
    length("groups", groups.len(), positive.len())?;
    let area = delong(positive, scores, scores)?.auc_a;
    let Components { of_positives, of_negatives } = Components::of(positive, scores);
    let (mut of_positives, mut of_negatives) = (of_positives.iter(), of_negatives.iter());
    let sizes = [of_positives.len() as f64, of_negatives.len() as f64];
    let (mut sums, mut present) = (BTreeMap::new(), [HashSet::new(), HashSet::new()]);
    for (group, &positive) in groups.iter().zip(positive) {
        let component = if positive { of_positives.next() } else { of_negatives.next() };
        let side = usize::from(!positive);
        sums.entry(group).or_insert([0.0; 2])[side] += component.unwrap_or(&area) - area;
        present[side].insert(group);
    }
    // The number of groups on each side, minus one for its mean.
    let scale = [0, 1].map(|side| {
        let n = present[side].len() as f64;
        (n / (n - 1.0)).sqrt() / sizes[side]
    });
    let variance: f64 = sums.values().map(|sum: &[f64; 2]| (sum[0] * scale[0] + sum[1] * scale[1]).powi(2)).sum();
    Ok((area, variance.sqrt()))
}

/// For each row, the share of rows of the other class that it is ranked correctly against.
struct Components {
    of_positives: Vec<f64>,
    of_negatives: Vec<f64>,
}

impl Components {
    fn of(positive: &[bool], scores: &[f64]) -> Self {
        let rows = |side: bool| (0..scores.len()).filter(|&i| positive[i] == side).collect::<Vec<usize>>();
        let (positives, negatives) = (rows(true), rows(false));
        let among_all = ranks::average(scores);
        let among = |rows: &[usize]| ranks::average(&rows.iter().map(|&i| scores[i]).collect::<Vec<f64>>());
        // The rank among all rows minus the rank within the class is the number of lower rows of the other class.
        let below = |rows: &[usize], others: usize| -> Vec<f64> {
            let own = among(rows);
            rows.iter().zip(own).map(|(&i, own)| (among_all[i] - own) / others as f64).collect()
        };
        let of_negatives = below(&negatives, positives.len()).into_iter().map(|share| 1.0 - share).collect();
        Self { of_positives: below(&positives, negatives.len()), of_negatives }
    }

    /// The standard error of the mean component.
    fn error(&self) -> f64 {
        let part = |values: &[f64]| moments::variance(values) / values.len() as f64;
        (part(&self.of_positives) + part(&self.of_negatives)).sqrt()
    }
}

/// McNemar's test of two classifiers that were right or wrong on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct McNemar {
    /// Rows that only the first got right.
    pub only_a: u64,
    /// Rows that only the second got right.
    pub only_b: u64,
    /// Two-sided mid-p value; 1 when they never differ.
    pub p: f64,
}

/// Compares correct answers of `a` with those of `b`, by the mid-p test.
///
/// The mid-p test is nearly exact, whereas the exact test is conservative (M. Fagerland, S. Lydersen, P. Laake, "The
/// McNemar Test for Binary Matched-Pairs Data: Mid-p and Asymptotic Are Better than Exact Conditional", 2013).
///
/// ```
/// // 2 * binom.cdf(1, 6, .5) - binom.pmf(1, 6, .5) of scipy
/// let a = [true, true, true, true, true, false, true];
/// let b = [false, false, false, false, false, true, true];
/// let test = mlloop::score::paired::mcnemar(&a, &b)?;
/// assert!((test.p - 0.125).abs() < 1e-12);
/// # Ok::<(), mlloop::score::ScoreError>(())
/// ```
///
/// # Errors
/// Columns of different lengths.
pub fn mcnemar(a: &[bool], b: &[bool]) -> Result<McNemar, ScoreError> {
    length("predictions", b.len(), a.len())?;
    let count = |x: &[bool], y: &[bool]| x.iter().zip(y).filter(|(x, y)| **x && !**y).count() as u64;
    let (only_a, only_b) = (count(a, b), count(b, a));
    let (fewer, all) = (only_a.min(only_b) as f64, (only_a + only_b) as f64);
    let p = match only_a + only_b {
        0 => 1.0,
        // P(X ≤ k) of the binomial distribution is I½(n − k, k + 1).
        _ => 2.0 * special::beta_regularised(all - fewer, fewer + 1.0, 0.5) - tails::binomial(fewer, all, 0.5),
    };
    let p = p.min(1.0);
    Ok(McNemar { only_a, only_b, p })
}

/// The difference of a metric between two models, with its bootstrap distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The difference on the original rows.
    pub value: f64,
    /// The defined differences of the replicates, in ascending order.
    pub replicates: Vec<f64>,
}

impl Difference {
    /// The `q`-quantile of the replicates: `.05` is the lower one-sided 95 % bound. `NaN` without replicates.
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        quantiles::quantile_sorted(&self.replicates, q)
    }

    /// The two-sided percentile interval for a confidence such as .95.
    #[must_use]
    pub fn interval(&self, confidence: f64) -> (f64, f64) {
        (self.quantile((1.0 - confidence) / 2.0), self.quantile((1.0 + confidence) / 2.0))
    }
}

/// Bootstraps `difference(counts)`, the difference of a metric if row i counts `counts[i]` times, with the same
/// resampled rows for both models.
///
/// With `entities` (an index per row, from 0 without gaps) whole entities are drawn, so that rows of one customer are
/// not treated as independent. Replicates whose difference is not finite are ignored. The same seed gives the same
/// replicates on any number of threads.
///
/// # Errors
/// No rows, or `entities` of another length.
pub fn paired_bootstrap(
    n_rows: usize,
    entities: Option<&[u32]>,
    n_replicates: usize,
    seed: u64,
    difference: impl Fn(&[u32]) -> f64 + Sync,
) -> Result<Difference, ScoreError> {
    if n_rows == 0 {
        return Err(ScoreError::NoRows);
    }
    if let Some(entities) = entities {
        length("entities", entities.len(), n_rows)?;
    }
    let n_units = entities.map_or(n_rows, |e| e.iter().max().map_or(0, |last| *last as usize + 1));
    let replicate = |r: usize| {
        let mut units = vec![0_u32; n_units];
        let mut rng = random::rng(seed, &format!("paired bootstrap {r}"));
        for _ in 0..n_units {
            units[rng.gen_range(0..n_units)] += 1;
        }
        match entities {
            None => difference(&units),
            Some(entities) => difference(&entities.iter().map(|&e| units[e as usize]).collect::<Vec<u32>>()),
        }
    };
    let mut replicates: Vec<f64> = (0..n_replicates).into_par_iter().map(replicate).collect();
    replicates.retain(|d| d.is_finite());
    replicates.sort_unstable_by(f64::total_cmp);
    Ok(Difference { value: difference(&vec![1; n_rows]), replicates })
}

#[cfg(test)]
mod tests {
    use super::{delong, mcnemar, paired_bootstrap};
    use crate::score::binary::roc_auc;
    use crate::score::tests::{close, numbers, reference};
    use crate::stats::moments;

    /// The components by comparing every pair, O(n²).
    fn naive(positive: &[bool], a: &[f64], b: &[f64]) -> f64 {
        let side = |s: bool| (0..a.len()).filter(|&i| positive[i] == s).collect::<Vec<usize>>();
        let (pos, neg) = (side(true), side(false));
        let wins = |s: &[f64], i: usize, j: usize| {
            if s[i] > s[j] {
                1.0
            } else if s[i] == s[j] {
                0.5
            } else {
                0.0
            }
        };
        let gain = |i: usize, j: usize| wins(a, i, j) - wins(b, i, j);
        let of = |i: usize| neg.iter().map(|&j| gain(i, j)).sum::<f64>() / neg.len() as f64;
        let to = |j: usize| pos.iter().map(|&i| gain(i, j)).sum::<f64>() / pos.len() as f64;
        let (v10, v01): (Vec<f64>, Vec<f64>) =
            (pos.iter().map(|&i| of(i)).collect(), neg.iter().map(|&j| to(j)).collect());
        (moments::variance(&v10) / v10.len() as f64 + moments::variance(&v01) / v01.len() as f64).sqrt()
    }

    #[test]
    fn delong_agrees_with_counting_pairs() {
        for case in reference()["delong"].as_array().unwrap() {
            let y: Vec<bool> = numbers(&case["y"]).iter().map(|y| *y == 1.0).collect();
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let test = delong(&y, &a, &b).unwrap();
            close("auc a", test.auc_a, roc_auc(&y, &a, None));
            close("auc b", test.auc_b, roc_auc(&y, &b, None));
            close("naive", test.error, naive(&y, &a, &b));
            close("error", test.error, case["error"].as_f64().unwrap());
            close("error a", test.error_a, case["error_a"].as_f64().unwrap());
            close("p", test.p, case["p"].as_f64().unwrap());
            let (low, _) = test.interval(0.9);
            close("bounds", low, test.lower_bound(0.95));
        }
    }

    #[test]
    fn the_same_order_is_no_difference() {
        let y = [true, false, true, false, true];
        let a = [0.9, 0.1, 0.4, 0.5, 0.6];
        let b = a.map(|s: f64| s.powi(3));
        let test = delong(&y, &a, &b).unwrap();
        assert_eq!((test.difference, test.error, test.p), (0.0, 0.0, 1.0));
        assert!(delong(&[true, false, false], &a[..3], &b[..3]).is_err());
        assert!(delong(&y, &a, &[f64::NAN; 5]).is_err());
    }

    #[test]
    fn mcnemar_agrees_with_scipy() {
        for case in reference()["mcnemar"].as_array().unwrap() {
            let (only_a, only_b) = (case["only_a"].as_u64().unwrap(), case["only_b"].as_u64().unwrap());
            let a: Vec<bool> = (0..only_a).map(|_| true).chain((0..only_b).map(|_| false)).collect();
            let b: Vec<bool> = a.iter().map(|right| !right).collect();
            let test = mcnemar(&a, &b).unwrap();
            assert_eq!((test.only_a, test.only_b), (only_a, only_b));
            close("p", test.p, case["p"].as_f64().unwrap());
        }
        assert!(mcnemar(&[true], &[]).is_err());
    }

    #[test]
    fn the_bootstrap_is_as_wide_as_theory_says_and_entities_widen_it() {
        let gains: Vec<f64> = (0..400).map(|i| f64::from((i * 37) % 11) - 4.0).collect();
        let mean = |counts: &[u32]| {
            let whole: u32 = counts.iter().sum();
            counts.iter().zip(&gains).map(|(c, g)| f64::from(*c) * g).sum::<f64>() / f64::from(whole)
        };
        let found = paired_bootstrap(400, None, 1000, 3, mean).unwrap();
        close("value", found.value, moments::mean(&gains));
        let (low, high) = found.interval(0.95);
        let expected = 2.0 * 1.96 * (moments::variance(&gains) / 400.0).sqrt();
        assert!(((high - low) / expected - 1.0).abs() < 0.1, "{low} {high} {expected}");
        let again = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(again.install(|| paired_bootstrap(400, None, 1000, 3, mean).unwrap()), found);
        // Four equal rows have the information of one.
        let fours: Vec<u32> = (0..400).map(|i| i / 4).collect();
        let same = |counts: &[u32]| {
            let whole: u32 = counts.iter().sum();
            counts.iter().enumerate().map(|(i, c)| f64::from(*c) * gains[i / 4]).sum::<f64>() / f64::from(whole)
        };
        let alone = paired_bootstrap(400, None, 500, 3, same).unwrap().interval(0.95);
        let wide = paired_bootstrap(400, Some(&fours), 500, 3, same).unwrap().interval(0.95);
        let ratio = (wide.1 - wide.0) / (alone.1 - alone.0);
        assert!((1.6..2.4).contains(&ratio), "{ratio}");
        assert!(paired_bootstrap(0, None, 10, 0, |_| 0.0).is_err());
    }
}
