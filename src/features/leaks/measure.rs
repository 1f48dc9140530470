//! How closely one column follows another, by ranks and bins.

use super::MIN_ROWS;
use crate::stats::ranks;
use crate::table::{Column, Values};

/// Numbers and times in the sampled rows; a missing one is `NaN`.
pub(super) fn numbers(column: &Column, rows: &[u32]) -> Option<Vec<f64>> {
    match &column.values {
        Values::Number(v) => Some(rows.iter().map(|&r| v[r as usize]).collect()),
        Values::Time(v) => {
            let missing = |r: u32| column.values.is_missing(r as usize);
            Some(rows.iter().map(|&r| if missing(r) { f64::NAN } else { v[r as usize] as f64 }).collect())
        }
        Values::Category(_) | Values::Text(_) => None,
    }
}

/// Bins of equal frequency; equal values share a bin, missing values have the last one.
pub(super) fn bins(values: &[f64]) -> Vec<u32> {
    let n_bins = BINS.min(values.len() / 20).max(2);
    let present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let mut ranks = ranks::average(&present).into_iter();
    let bin = |rank: f64| ((rank - 0.5) * n_bins as f64 / present.len() as f64) as u32;
    values.iter().map(|v| if v.is_nan() { n_bins as u32 } else { ranks.next().map_or(0, bin) }).collect()
}

/// The sum of squared distances from the mean.
pub(super) fn spread(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean) * (v - mean)).sum()
}

/// ROC-AUC by the rank sum of the positive rows (Mann & Whitney 1947); ties count half.
pub(super) fn auc(ranks: &[f64], positive: &[f64]) -> f64 {
    let n1: f64 = positive.iter().sum();
    let n0 = positive.len() as f64 - n1;
    let sum: f64 = ranks.iter().zip(positive).map(|(r, p)| r * p).sum();
    (sum - n1 * (n1 + 1.0) / 2.0) / (n1 * n0)
}

/// Spearman's rank correlation over rows where both are present; 0 when one of them does not vary.
pub(super) fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) =
        a.iter().zip(b).filter(|(x, y)| !x.is_nan() && !y.is_nan()).map(|(&x, &y)| (x, y)).unzip();
    if a.len() < MIN_ROWS {
        return 0.0;
    }
    let (a, b) = (ranks::average(&a), ranks::average(&b));
    let middle = (a.len() + 1) as f64 / 2.0;
    let shared: f64 = a.iter().zip(&b).map(|(x, y)| (x - middle) * (y - middle)).sum();
    let scale = (spread(&a) * spread(&b)).sqrt();
    if scale > 0.0 { shared / scale } else { 0.0 }
}

/// A number is cut into this many bins of equal frequency, to see relations that go up and down.
const BINS: usize = 64;
