//! Fixed-horizon tests of two or more groups, and corrections for multiple testing.

use super::bivariate::Bivariate;
use super::normal;
use super::tails::{chi_squared, student};

/// A test statistic, its degrees of freedom if it has any, and its two-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// z, t or χ².
    pub statistic: f64,
    /// Degrees of freedom; `None` for z.
    pub freedom: Option<f64>,
    /// Two-sided p-value; `NaN` if undefined.
    pub p: f64,
}

/// The z-test of two proportions with pooled variance: `k` of `n` in the first and in the second group, positive if the
/// first is higher (statsmodels `proportions_ztest([k_1, k_2], [n_1, n_2])`). `NaN` if both shares are 0 or both are 1.
///
/// ```
/// // Cookie Cats, retention after 7 days, gate at level 30 and 40
/// let test = mlloop::stats::contrast::two_proportions((8502.0, 44700.0), (8279.0, 45489.0));
/// assert!((test.statistic - 3.164358912748191).abs() < 1e-9 && (test.p - 0.001554249975614329).abs() < 1e-11);
/// ```
#[must_use]
pub fn two_proportions((k_1, n_1): (f64, f64), (k_2, n_2): (f64, f64)) -> Test {
    let pooled = (k_1 + k_2) / (n_1 + n_2);
    let error = (pooled * (1.0 - pooled) * (1.0 / n_1 + 1.0 / n_2)).sqrt();
    let z = (k_1 / n_1 - k_2 / n_2) / error;
    Test { statistic: z, freedom: None, p: normal::two_sided_p(z) }
}

/// Welch's t-test of two means with their own variances, positive if the first is higher (scipy `ttest_ind` with
/// `equal_var=False`). `NaN` if both are constant or one has fewer than two values.
#[must_use]
pub fn welch(first: &Bivariate, second: &Bivariate) -> Test {
    let (a, b) = (first.variance() / first.n(), second.variance() / second.n());
    let t = (first.mean() - second.mean()) / (a + b).sqrt();
    let freedom = (a + b).powi(2) / (a * a / (first.n() - 1.0) + b * b / (second.n() - 1.0));
    let p = if freedom.is_finite() { student(t, freedom) } else { f64::NAN };
    Test { statistic: t, freedom: Some(freedom), p }
}

/// χ² of homogeneity of proportions, `k` of `n` for each group, without Yates' correction (scipy `chi2_contingency` with
/// `correction=False`).
#[must_use]
pub fn homogeneity(groups: &[(f64, f64)]) -> Test {
    let (k, n) = groups.iter().fold((0.0, 0.0), |(k, n), group| (k + group.0, n + group.1));
    let share = k / n;
    let of = |&(k, n): &(f64, f64)| (k - n * share).powi(2) / (n * share * (1.0 - share));
    let statistic = groups.iter().filter(|(_, n)| *n > 0.0).map(of).sum();
    let freedom = groups.iter().filter(|(_, n)| *n > 0.0).count().saturating_sub(1) as f64;
    Test { statistic, freedom: Some(freedom), p: chi_squared(statistic, freedom) }
}

/// χ² of counts against expected shares, which sum to 1 (scipy `chisquare`). Groups with an expected share of 0 are
/// ignored if empty, and make χ² infinite if not.
#[must_use]
pub fn fit(observed: &[f64], shares: &[f64]) -> Test {
    let n: f64 = observed.iter().sum();
    let cells = observed.iter().zip(shares).filter(|(o, share)| **share > 0.0 || **o > 0.0);
    let statistic = cells.clone().map(|(o, share)| (o - n * share).powi(2) / (n * share)).sum();
    let freedom = cells.count().saturating_sub(1) as f64;
    Test { statistic, freedom: Some(freedom), p: chi_squared(statistic, freedom) }
}

/// Holm's adjusted p-values in the given order: each is the smallest family-wise error at which it would be significant
/// (S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979). `NaN` stays `NaN` and is not counted.
///
/// ```
/// // statsmodels multipletests([.01, .04, .03], method="holm")
/// let adjusted = mlloop::stats::contrast::holm(&[0.01, 0.04, 0.03]);
/// assert!(adjusted.iter().zip([0.03, 0.06, 0.06]).all(|(a, b)| (a - b).abs() < 1e-12));
/// ```
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut highest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        highest = highest.max(p[i] * (order.len() - rank) as f64).min(1.0);
        adjusted[i] = highest;
    }
    adjusted
}

/// The number of hypotheses by which Holm's procedure divides the error when it tests each one: an interval at the
/// level alpha ∕ that number excludes 0 exactly if [`holm`]'s p is at most alpha. `NaN` counts as 1.
///
/// ```
/// use mlloop::stats::contrast::holm_shares;
/// // The first is tested at .05 ∕ 3, the second at .05 ∕ 2, and the third at .05.
/// assert_eq!(holm_shares(&[0.02, 0.001, 0.04], 0.05), [2, 3, 1]);
/// // .03 is above .05 ∕ 2, and so is all that follows.
/// assert_eq!(holm_shares(&[0.03, 0.001, 0.04], 0.05), [2, 3, 2]);
/// ```
#[must_use]
pub fn holm_shares(p: &[f64], alpha: f64) -> Vec<usize> {
    let known = |i: usize| if p[i].is_nan() { 1.0 } else { p[i] };
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| known(a).total_cmp(&known(b)));
    let mut shares = vec![1; p.len()];
    let mut stopped = None;
    for (rank, &i) in order.iter().enumerate() {
        let by = p.len() - rank;
        shares[i] = stopped.unwrap_or(by);
        if stopped.is_none() && known(i) * by as f64 > alpha {
            stopped = Some(by);
        }
    }
    shares
}

#[cfg(test)]
#[path = "contrast_tests.rs"]
pub(crate) mod tests;
