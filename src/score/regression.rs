//! Metrics of predicted numbers.

use crate::features::Task;
use crate::score::interval::{Entities, Resample};
use crate::score::{Method, Metric};
use crate::stats::{moments, normal, quantiles, ranks};

/// The coefficient of determination, 1 − Σ(y − ŷ)² ∕ Σ(y − ȳ)².
///
/// As in scikit-learn (`force_finite`): if the truth is constant, 1 for exact predictions and 0 otherwise; `NaN` for
/// fewer than two rows.
///
/// ```
/// // sklearn.metrics.r2_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8])
/// let r2 = mlloop::score::regression::r2(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0], None);
/// assert!((r2 - 0.9486081370449679).abs() < 1e-12);
/// ```
#[must_use]
pub fn r2(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> f64 {
    if truth.len() < 2 {
        return f64::NAN;
    }
    let n = truth.len();
    let mean = moments::weighted_mean(n, weights, &|i| truth[i]);
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let residual = moments::sum_of(n, &|i| weight(i) * (truth[i] - predicted[i]).powi(2));
    let spread = moments::sum_of(n, &|i| weight(i) * (truth[i] - mean).powi(2));
    determination(residual, spread)
}

fn determination(residual: f64, spread: f64) -> f64 {
    match (residual, spread) {
        (r, s) if s > 0.0 => 1.0 - r / s,
        (r, s) if r > 0.0 && s == 0.0 => 0.0,
        (0.0, 0.0) => 1.0,
        _ => f64::NAN,
    }
}

/// Mean absolute error; `NaN` without rows.
#[must_use]
pub fn mae(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(truth.len(), weights, &|i| (truth[i] - predicted[i]).abs())
}

/// Root of the mean squared error; `NaN` without rows.
#[must_use]
pub fn rmse(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(truth.len(), weights, &|i| (truth[i] - predicted[i]).powi(2)).sqrt()
}

/// Mean of |y − ŷ| ∕ max(|y|, 2⁻⁵²), as a share, not in percent; very large if a true value is 0. `NaN` without rows.
#[must_use]
pub fn mape(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(truth.len(), weights, &|i| relative(truth[i], (truth[i] - predicted[i]).abs()))
}

fn relative(truth: f64, error: f64) -> f64 {
    error / truth.abs().max(f64::EPSILON)
}

/// Median of |y − ŷ|, with weights as [`quantiles::weighted_median_sorted`]; `NaN` without rows.
#[must_use]
pub fn median_ae(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> f64 {
    let rows = Rows::new(truth, predicted, weights);
    quantiles::weighted_median_sorted(&rows.error, &|j| rows.weights[j])
}

/// Predicted rows in ascending order of absolute error, for repeated evaluation.
pub(crate) struct Rows {
    /// The row at each position; all columns below are by position too.
    order: Vec<u32>,
    truth: Vec<f64>,
    error: Vec<f64>,
    weights: Vec<f64>,
}

/// Weighted sums for the metrics.
#[derive(Default, Clone, Copy)]
struct Sums {
    weight: f64,
    residual: f64,
    absolute: f64,
    relative: f64,
    truth: f64,
    spread: f64,
}

impl Rows {
    pub(crate) fn new(truth: &[f64], predicted: &[f64], weights: Option<&[f64]>) -> Self {
        let error: Vec<f64> = truth.iter().zip(predicted).map(|(t, p)| (t - p).abs()).collect();
        let order = ranks::ascending(&error);
        let column = |value: &dyn Fn(usize) -> f64| order.iter().map(|&i| value(i as usize)).collect();
        Self {
            truth: column(&|i| truth[i]),
            error: column(&|i| error[i]),
            weights: column(&|i| weights.map_or(1.0, |w| w[i])),
            order,
        }
    }

    fn sums(&self, weight: impl Fn(usize) -> f64) -> Sums {
        let mut sums = Sums::default();
        for (j, (truth, error)) in self.truth.iter().zip(&self.error).enumerate() {
            let w = weight(j);
            sums.weight += w;
            sums.truth += w * truth;
            sums.residual += w * error * error;
            sums.absolute += w * error;
            sums.relative += w * relative(*truth, *error);
        }
        let mean = sums.truth / sums.weight;
        sums.spread = (0..self.truth.len()).map(|j| weight(j) * (self.truth[j] - mean).powi(2)).sum();
        sums
    }

    fn has_zero(&self) -> usize {
        self.truth.iter().filter(|t| **t == 0.0).count()
    }
}

impl Resample for Rows {
    fn metrics(&self) -> &'static [Metric] {
        Metric::of(Task::Regression)
    }

    fn n_rows(&self) -> usize {
        self.truth.len()
    }

    fn n_walks(&self) -> usize {
        2
    }

    fn order(&self) -> Option<&[u32]> {
        Some(&self.order)
    }

    fn values(&self, counts: &[u32], out: &mut [f64]) {
        let weight = |j: usize| f64::from(counts[j]) * self.weights[j];
        let sums = self.sums(weight);
        for (value, &metric) in out.iter_mut().zip(self.metrics()) {
            *value = match metric {
                Metric::R2 if self.truth.len() < 2 => f64::NAN,
                Metric::R2 => determination(sums.residual, sums.spread),
                Metric::Mae => sums.absolute / sums.weight,
                Metric::Rmse => (sums.residual / sums.weight).sqrt(),
                Metric::Mape => sums.relative / sums.weight,
                Metric::MedianAe => quantiles::weighted_median_sorted(&self.error, &weight),
                _ => f64::NAN,
            };
        }
    }

    fn influences(&self, metric: Metric) -> Option<Vec<f64>> {
        let sums = self.sums(|j| self.weights[j]);
        let (mean, whole) = (sums.truth / sums.weight, sums.weight);
        let slope = |truth: f64, error: f64| -> Option<f64> {
            let square = error * error;
            Some(match metric {
                Metric::R2 => (sums.residual / sums.spread * (truth - mean).powi(2) - square) / sums.spread,
                Metric::Mae => (error - sums.absolute / whole) / whole,
                Metric::Rmse => {
                    let mse = sums.residual / whole;
                    if mse == 0.0 { 0.0 } else { (square - mse) / whole / (2.0 * mse.sqrt()) }
                }
                Metric::Mape => (relative(truth, error) - sums.relative / whole) / whole,
                _ => return None,
            })
        };
        (0..self.truth.len()).map(|j| Some(self.weights[j] * slope(self.truth[j], self.error[j])?)).collect()
    }

    /// The median is between the errors of ranks n∕2 ± 1.96 √n∕2, for any distribution (W. Conover, "Practical
    /// Nonparametric Statistics", 1999, §3.2); with weights, n is Kish's effective sample size. With entities, the
    /// interval comes from the error of the share below the median (R. Woodruff, "Confidence Intervals for Medians",
    /// 1952).
    fn other_interval(&self, metric: Metric, entities: Option<&Entities>) -> Option<(f64, f64, Method)> {
        if metric != Metric::MedianAe {
            return None;
        }
        let whole = moments::sum(&self.weights);
        let effective = whole * whole / moments::sum_of(self.weights.len(), &|j| self.weights[j].powi(2));
        let median = quantiles::weighted_median_sorted(&self.error, &|j| self.weights[j]);
        let side = |j: usize| self.weights[j] / whole * if self.error[j] <= median { 0.5 } else { -0.5 };
        let of_entities = |of: &Entities| of.error(&(0..self.error.len()).map(side).collect::<Vec<f64>>());
        let half = normal::quantile(0.975) * entities.map_or(0.5 / effective.sqrt(), of_entities);
        let at = |share: f64| {
            let mut below = 0.0;
            let reached = self.weights.iter().position(|w| {
                below += w;
                below >= share * whole
            });
            reached.map(|j| self.error[j])
        };
        Some((at(0.5 - half)?, at(0.5 + half)?, Method::OrderStatistics))
    }

    fn denominator(&self, _metric: Metric) -> f64 {
        0.0
    }

    fn note(&self, metric: Metric) -> Option<String> {
        match metric {
            Metric::R2 if self.truth.len() < 2 => Some("needs two rows".to_owned()),
            Metric::R2 if self.truth.iter().all(|t| *t == self.truth[0]) => {
                Some("the true value is constant".to_owned())
            }
            Metric::Mape if self.has_zero() > 0 => {
                Some(format!("the true value is 0 in {} rows, where a relative error is undefined", self.has_zero()))
            }
            _ => None,
        }
    }
}
