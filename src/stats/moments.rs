//! Sums, means and variances that stay precise on long columns.

/// Below this length a plain loop is precise enough.
const BLOCK: usize = 128;

/// The sum of `values` by pairwise addition; 0 without values, `NaN` if one of them is `NaN`.
///
/// The rounding error grows with log n instead of n (N. Higham, "The Accuracy of Floating Point Summation", 1993),
/// as in numpy.
///
/// ```
/// let tenths = vec![0.1; 1_000_000];
/// assert!((mlloop::stats::moments::sum(&tenths) - 100_000.0).abs() < 1e-9);
/// ```
#[must_use]
pub fn sum(values: &[f64]) -> f64 {
    sum_of(values.len(), &|i| values[i])
}

/// The sum `term(0) + … + term(n - 1)` by pairwise addition, without storing the terms.
#[must_use]
pub fn sum_of(n: usize, term: &impl Fn(usize) -> f64) -> f64 {
    fn pairwise(from: usize, to: usize, term: &impl Fn(usize) -> f64) -> f64 {
        if to - from <= BLOCK {
            return (from..to).map(term).sum();
        }
        let middle = from + (to - from) / 2;
        pairwise(from, middle, term) + pairwise(middle, to, term)
    }
    // An empty f64 sum is -0.0 in Rust.
    pairwise(0, n, term) + 0.0
}

/// The mean of `values`; `NaN` without any.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// Σ weight · term ∕ Σ weight over `n` terms; without `weights`, every weight is 1. `NaN` if the weights sum to 0.
///
/// ```
/// let mean = mlloop::stats::moments::weighted_mean(2, Some(&[1.0, 3.0]), &|i| i as f64);
/// assert_eq!(mean, 0.75);
/// ```
#[must_use]
pub fn weighted_mean(n: usize, weights: Option<&[f64]>, term: &impl Fn(usize) -> f64) -> f64 {
    match weights {
        None => sum_of(n, term) / n as f64,
        Some(w) => sum_of(n, &|i| w[i] * term(i)) / sum(w),
    }
}

/// The sample variance (denominator n − 1) of `values`; `NaN` for fewer than two.
///
/// Two passes: first the mean, then the squares about it, so that a large offset does not lose precision.
///
/// ```
/// // numpy.var([2, 4, 4, 4, 5, 5, 7, 9], ddof=1)
/// let v = mlloop::stats::moments::variance(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
/// assert!((v - 4.571428571428571).abs() < 1e-12);
/// ```
#[must_use]
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let m = mean(values);
    sum_of(values.len(), &|i| (values[i] - m).powi(2)) / (values.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::{mean, sum, variance};

    #[test]
    fn nothing_sums_to_zero_and_has_no_mean() {
        assert!(sum(&[]).is_sign_positive() && sum(&[]) == 0.0);
        assert!(mean(&[]).is_nan());
        assert!(variance(&[1.0]).is_nan());
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let shifted: Vec<f64> = [1.0, 2.0, 3.0, 4.0].iter().map(|v| v + 1e9).collect();
        assert!((variance(&shifted) - 5.0 / 3.0).abs() < 1e-9);
    }
}
