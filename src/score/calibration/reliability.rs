//! The distance of predicted probabilities from observed shares.

use serde::{Deserialize, Serialize};

use crate::stats::quantiles;

/// Rows with about the same score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReliabilityBin {
    /// Number of rows.
    pub n_rows: usize,
    /// Their mean score.
    pub mean_score: f64,
    /// The share of positive rows.
    pub observed: f64,
}

/// Predicted against observed in bins of about equal numbers of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reliability {
    /// Expected calibration error: the mean over rows of |mean score − observed share| of their bin.
    pub ece: f64,
    /// The bins that hold rows, in ascending order of score.
    pub bins: Vec<ReliabilityBin>,
}

/// Bins the rows at the `n_bins`-quantiles of their scores, equal scores together, and compares.
///
/// The bins are those of scikit-learn's `calibration_curve(strategy="quantile")`; the error is that of M. Naeini,
/// G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015. Weights count
/// within the bins. No rows give no bins and an error of `NaN`.
///
/// ```
/// let (y, scores) = ([false, true, false, true], [0.1, 0.3, 0.6, 0.8]);
/// let report = mlloop::score::calibration::reliability(&y, &scores, None, 2);
/// assert_eq!(report.bins[0].observed, 0.5);
/// assert!((report.ece - (0.3 + 0.2) / 2.0).abs() < 1e-12);
/// ```
#[must_use]
pub fn reliability(positive: &[bool], scores: &[f64], weights: Option<&[f64]>, n_bins: usize) -> Reliability {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n_bins = n_bins.max(1);
    let edge = |bin| quantiles::quantile_sorted(&sorted, bin as f64 / n_bins as f64);
    let edges: Vec<f64> = (1..n_bins).map(edge).collect();
    let mut sums = vec![(0, 0.0, 0.0, 0.0); n_bins];
    for (row, &score) in scores.iter().enumerate() {
        let (n, weight, predicted, observed) = &mut sums[edges.partition_point(|edge| *edge < score)];
        let w = weights.map_or(1.0, |w| w[row]);
        *n += 1;
        *weight += w;
        *predicted += w * score;
        *observed += if positive[row] { w } else { 0.0 };
    }
    sums.retain(|(_, weight, ..)| *weight > 0.0);
    let whole: f64 = sums.iter().map(|(_, weight, ..)| weight).sum();
    let ece = sums.iter().map(|(_, _, predicted, observed)| (predicted - observed).abs()).sum::<f64>() / whole;
    let bin = |(n, weight, predicted, observed): &(usize, f64, f64, f64)| ReliabilityBin {
        n_rows: *n,
        mean_score: predicted / weight,
        observed: observed / weight,
    };
    Reliability { ece, bins: sums.iter().map(bin).collect() }
}
