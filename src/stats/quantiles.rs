//! Quantiles and medians.

/// The `q`-quantile (0 to 1) of values in ascending order, interpolated linearly as numpy does by default (Hyndman &
/// Fan, "Sample Quantiles in Statistical Packages", 1996, type 7). `NaN` without values.
///
/// ```
/// // numpy.quantile([1, 2, 3, 10], 0.4)
/// assert!((mlloop::stats::quantiles::quantile_sorted(&[1.0, 2.0, 3.0, 10.0], 0.4) - 2.2).abs() < 1e-12);
/// ```
#[must_use]
pub fn quantile_sorted(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = q.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    let share = place - below as f64;
    sorted[below] + (sorted[above] - sorted[below]) * share
}

/// The `q`-quantile of values in any order; `NaN` values are ignored.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_sorted(&sorted, q)
}

/// The weighted median of ascending values: the smallest value with half of the weight at or below it; if exactly half,
/// the mean of it and the next one. With equal weights this is the ordinary median, otherwise scikit-learn's
/// `_weighted_percentile(average=True)`. Values of weight 0 are ignored; `NaN` if the total weight is 0.
#[must_use]
pub fn weighted_median_sorted(sorted: &[f64], weight: &impl Fn(usize) -> f64) -> f64 {
    let total: f64 = (0..sorted.len()).map(weight).sum();
    if total <= 0.0 {
        return f64::NAN;
    }
    let half = 0.5 * total;
    let mut below = 0.0;
    for (i, &value) in sorted.iter().enumerate() {
        below += weight(i);
        if below >= half {
            let exactly = below - half <= f64::EPSILON;
            let next = (i + 1..sorted.len()).find(|&j| weight(j) > 0.0).filter(|_| exactly);
            return next.map_or(value, |j| 0.5 * (value + sorted[j]));
        }
    }
    sorted.last().copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{quantile, quantile_sorted, weighted_median_sorted};

    #[test]
    fn ends_and_single_values() {
        assert_eq!(quantile_sorted(&[7.0], 0.3), 7.0);
        assert_eq!(quantile(&[3.0, f64::NAN, 1.0, 2.0], 1.0), 3.0);
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.0), 1.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn weights_move_the_median() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(weighted_median_sorted(&values, &|_| 1.0), 3.0);
        assert_eq!(weighted_median_sorted(&values, &|i| [1.0, 1.0, 1.0, 5.0][i]), 8.0);
        assert_eq!(weighted_median_sorted(&values, &|i| [1.0, 0.0, 0.0, 1.0][i]), 4.5);
        assert!(weighted_median_sorted(&values, &|_| 0.0).is_nan());
    }
}
