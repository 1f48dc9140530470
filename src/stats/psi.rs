//! The population stability index as used by `mlloop`: smoothed, over reference deciles, with a critical value that
//! depends on the numbers of rows.

use super::sample::{Cannot, Sample};
use super::shares::totals;
use super::tails::chi_squared_above;
use crate::stats::portable::Portable;

/// Smaller shares are raised to this value, so that a bin missing on one side counts the same for any number of rows.
pub const LEAST_SHARE: f64 = 0.005;

/// Σ (q − p) ln(q/p) over aligned counts with shares (c + ½)/(n + B/2), where B is the number of bins; shares are at
/// least [`LEAST_SHARE`]. So no bin is empty, and the number of rows alone does not make the index large.
///
/// ```
/// use mlloop::stats::psi::psi_smoothed;
/// assert_eq!(psi_smoothed(&[50, 50], &[50, 50]).unwrap(), 0.0);
/// // A new level of 5 %, against a thousand rows and against a million
/// let (few, many) = (psi_smoothed(&[1000, 0], &[950, 50]).unwrap(), psi_smoothed(&[1_000_000, 0], &[950, 50]).unwrap());
/// assert!((few - many).abs() < 1e-3 && (many - 0.1077).abs() < 1e-4, "{few} {many}");
/// ```
///
/// # Errors
/// If a side is empty.
pub fn psi_smoothed(reference: &[u64], current: &[u64]) -> Result<f64, Cannot> {
    let (n, m) = totals(reference, current)?;
    let half = reference.len() as f64 / 2.0;
    let share = |count: u64, total: u64| ((count as f64 + 0.5) / (total as f64 + half)).max(LEAST_SHARE);
    let terms = reference.iter().zip(current).map(|(&r, &c)| {
        let (p, q) = (share(r, n), share(c, m));
        (q - p) * (q / p).ln_portable()
    });
    Ok(terms.sum())
}

/// The PSI that is exceeded with probability `alpha` if `n` and `m` rows come from the same shares over `bins` bins:
/// χ²₁₋α,B₋₁ (1/n + 1/m) (B. Yurdakul, "Statistical Properties of Population Stability Index", 2018). `None` with fewer
/// than two bins or without rows.
///
/// ```
/// let critical = mlloop::stats::psi::critical_value(0.05, 10, 10_000, 200).unwrap();
/// assert!((critical - 0.0863).abs() < 1e-4);
/// ```
#[must_use]
pub fn critical_value(alpha: f64, bins: usize, n: u64, m: u64) -> Option<f64> {
    (bins >= 2 && n > 0 && m > 0)
        .then(|| chi_squared_above(alpha, (bins - 1) as f64) * (1.0 / n as f64 + 1.0 / m as f64))
}

/// Inner edges that split the reference into at most ten bins with about a tenth of its rows each.
///
/// An edge is the smallest value with k tenths of the rows at or below it; duplicates are removed. The largest value is
/// not an edge: if it alone makes up whole tenths, the edge is the value before it. Bins in [`bin_counts`] are (below,
/// edge]; the first and last one are unbounded.
#[must_use]
pub fn decile_edges(reference: &Sample) -> Vec<f64> {
    // The smallest number of rows that is at least k tenths.
    let tenths = |k: u64| (u128::from(k) * u128::from(reference.n())).div_ceil(10) as u64;
    let mut edges: Vec<f64> = Vec::with_capacity(9);
    let (mut seen, mut k, mut wanted) = (0, 1, tenths(1));
    let (values, mut before) = (reference.values(), None);
    for (&value, &count) in values.iter().zip(reference.counts()) {
        seen += count;
        if k < 10 && seen >= wanted {
            let edge = if Some(&value) == values.last() { before } else { Some(value) };
            edges.extend(edge.filter(|edge| edges.last() != Some(edge)));
        }
        before = Some(value);
        while k < 10 && seen >= wanted {
            k += 1;
            wanted = tenths(k);
        }
    }
    edges
}

/// Counts of a sample in the bins (−∞, e₁], (e₁, e₂], …, (e_last, ∞): one more than there are edges.
#[must_use]
pub fn bin_counts(sample: &Sample, edges: &[f64]) -> Vec<u64> {
    // Values and edges are both ascending.
    sample.parts(edges.iter().map(|edge| sample.values().partition_point(|value| value <= edge)))
}

/// Benjamini and Hochberg's adjusted p-values, in the given order: each is the smallest false discovery rate at which
/// it would be significant ("Controlling the False Discovery Rate", 1995). `NaN` stays `NaN` and is not counted.
///
/// ```
/// let adjusted = mlloop::stats::psi::benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]);
/// assert!((adjusted[1] - 0.16 / 3.0).abs() < 1e-12 && (adjusted[0] - 0.04).abs() < 1e-12);
/// ```
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let tests = order.len() as f64;
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut least = 1.0_f64;
    for (behind, &i) in order.iter().enumerate() {
        least = least.min(p[i] * tests / (tests - behind as f64));
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deciles_cut_tenths_and_survive_ties() {
        let even = Sample::from_values((1..=100).map(f64::from).collect());
        let edges = decile_edges(&even);
        assert_eq!(edges, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0]);
        assert_eq!(bin_counts(&even, &edges), [10; 10]);
        let tied = Sample::from_weighted(vec![(0.0, 95), (1.0, 5)]);
        assert_eq!(decile_edges(&tied), [0.0]);
        let top = Sample::from_weighted(vec![(0.0, 5), (1.0, 95)]);
        assert_eq!(bin_counts(&top, &decile_edges(&top)), [5, 95]);
        assert!(decile_edges(&Sample::from_values(vec![3.0; 9])).is_empty());
        assert!(decile_edges(&Sample::default()).is_empty());
        assert_eq!(bin_counts(&tied, &[]), [100]);
    }

    #[test]
    fn adjusted_values_keep_their_order() {
        let adjusted = benjamini_hochberg(&[0.9, f64::NAN, 0.01, 0.02]);
        assert!((adjusted[2] - 0.03).abs() < 1e-12 && (adjusted[3] - 0.03).abs() < 1e-12);
        assert!(adjusted[1].is_nan() && (adjusted[0] - 0.9).abs() < 1e-12);
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    #[test]
    fn nothing_has_no_index() {
        assert!(psi_smoothed(&[0, 0], &[1, 2]).is_err());
        assert!(psi_smoothed(&[10, 0], &[0, 10]).unwrap() > 1.0);
        assert!(critical_value(0.05, 1, 10, 10).is_none());
    }
}
