//! Metrics of two classes: the probability of the positive class against the truth.

use crate::score::Metric;
use crate::score::confusion::Confusion;
use crate::score::curve::{Areas, Curve};
use crate::score::interval::Resample;
use crate::stats::moments;
use crate::stats::portable::Portable;

/// Probabilities are limited to this distance from 0 and 1 before a logarithm, as in scikit-learn.
pub const EPSILON: f64 = f64::EPSILON;

/// Area under the ROC curve of `scores`, with weights; equal scores count half. `NaN` unless both classes occur.
///
/// ```
/// // sklearn.metrics.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
/// let y = [false, false, true, true];
/// assert_eq!(mlloop::score::binary::roc_auc(&y, &[0.1, 0.4, 0.35, 0.8], None), 0.75);
/// ```
#[must_use]
pub fn roc_auc(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> f64 {
    areas(positive, scores, weights).roc
}

/// Average precision: Σ (recallₖ − recallₖ₋₁) · precisionₖ over the distinct scores, the area under the
/// precision-recall curve by steps. `NaN` without positives.
///
/// ```
/// // sklearn.metrics.average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
/// let y = [false, false, true, true];
/// let ap = mlloop::score::binary::average_precision(&y, &[0.1, 0.4, 0.35, 0.8], None);
/// assert!((ap - 0.8333333333333333).abs() < 1e-12);
/// ```
#[must_use]
pub fn average_precision(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> f64 {
    areas(positive, scores, weights).pr
}

fn areas(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> Areas {
    let curve = Curve::new(scores, |i| positive[i]);
    curve.areas(|j| weights.map_or(1.0, |w| w[curve.order()[j] as usize]))
}

/// −ln p of the true class, for a probability `p` of the positive class.
#[must_use]
pub fn log_loss_of(positive: bool, p: f64) -> f64 {
    let p = p.clamp(EPSILON, 1.0 - EPSILON);
    if positive { -p.ln_portable() } else { -(1.0 - p).ln_portable() }
}

/// Mean of −ln p of the true class; `NaN` without rows.
///
/// ```
/// // sklearn.metrics.log_loss([0, 1], [0.1, 0.8])
/// let loss = mlloop::score::binary::log_loss(&[false, true], &[0.1, 0.8], None);
/// assert!((loss - 0.164252033486018).abs() < 1e-12);
/// ```
#[must_use]
pub fn log_loss(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(scores.len(), weights, &|i| log_loss_of(positive[i], scores[i]))
}

/// Mean of (p − truth)², the Brier score; `NaN` without rows.
#[must_use]
pub fn brier(positive: &[bool], scores: &[f64], weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(scores.len(), weights, &|i| brier_of(positive[i], scores[i]))
}

fn brier_of(positive: bool, p: f64) -> f64 {
    let miss = p - if positive { 1.0 } else { 0.0 };
    miss * miss
}

/// Scored rows in descending order of score, for repeated evaluation.
pub(crate) struct Rows {
    curve: Curve,
    /// The weight at each position; all columns below are by position too.
    weights: Vec<f64>,
    loss: Vec<f64>,
    square: Vec<f64>,
    /// Rows before this position are predicted positive.
    cut: usize,
    matrix: Confusion,
}

impl Rows {
    pub(crate) fn new(positive: &[bool], scores: &[f64], weights: Option<&[f64]>, threshold: f64) -> Self {
        let curve = Curve::new(scores, |i| positive[i]);
        let column = |value: &dyn Fn(usize) -> f64| curve.order().iter().map(|&i| value(i as usize)).collect();
        let mut rows = Self {
            weights: column(&|i| weights.map_or(1.0, |w| w[i])),
            matrix: Confusion::from_cells(2, vec![0.0; 4]),
            loss: column(&|i| log_loss_of(positive[i], scores[i])),
            square: column(&|i| brier_of(positive[i], scores[i])),
            cut: curve.order().partition_point(|&i| scores[i as usize] >= threshold),
            curve,
        };
        let mut cells = vec![0.0; 4];
        for (j, w) in rows.weights.iter().enumerate() {
            cells[rows.cell(j)] += w;
        }
        rows.matrix = Confusion::from_cells(2, cells);
        rows
    }

    pub(crate) fn confusion(&self) -> &Confusion {
        &self.matrix
    }

    fn cell(&self, position: usize) -> usize {
        usize::from(self.curve.is_positive(position)) * 2 + usize::from(position < self.cut)
    }

    /// w ∂/∂w of a weighted mean of `values`.
    fn mean_influences(&self, values: &[f64]) -> Vec<f64> {
        let whole = moments::sum(&self.weights);
        let mean = moments::weighted_mean(values.len(), Some(&self.weights), &|j| values[j]);
        values.iter().zip(&self.weights).map(|(v, w)| w * (v - mean) / whole).collect()
    }
}

impl Resample for Rows {
    fn metrics(&self) -> &'static [Metric] {
        Metric::of(crate::features::Task::Binary)
    }

    fn n_rows(&self) -> usize {
        self.weights.len()
    }

    fn n_walks(&self) -> usize {
        1
    }

    fn order(&self) -> Option<&[u32]> {
        Some(self.curve.order())
    }

    fn values(&self, counts: &[u32], out: &mut [f64]) {
        let weight = |j: usize| f64::from(counts[j]) * self.weights[j];
        let areas = self.curve.areas(weight);
        let (mut loss, mut square, mut cells) = (0.0, 0.0, [0.0; 4]);
        for j in 0..counts.len() {
            let w = weight(j);
            loss += w * self.loss[j];
            square += w * self.square[j];
            cells[self.cell(j)] += w;
        }
        let whole: f64 = cells.iter().sum();
        let confusion = Confusion::from_cells(2, cells.to_vec());
        for (value, &metric) in out.iter_mut().zip(self.metrics()) {
            *value = match metric {
                Metric::RocAuc => areas.roc,
                Metric::PrAuc => areas.pr,
                Metric::LogLoss => loss / whole,
                Metric::Brier => square / whole,
                other => confusion.metric(other, f64::NAN).unwrap_or(f64::NAN),
            };
        }
    }

    fn influences(&self, metric: Metric) -> Option<Vec<f64>> {
        let weighted = |slopes: Vec<f64>| slopes.iter().zip(&self.weights).map(|(s, w)| s * w).collect();
        Some(match metric {
            Metric::RocAuc => weighted(self.curve.roc_slopes(|j| self.weights[j])),
            Metric::PrAuc => weighted(self.curve.pr_slopes(|j| self.weights[j])),
            Metric::LogLoss => self.mean_influences(&self.loss),
            Metric::Brier => self.mean_influences(&self.square),
            other => {
                let slopes = self.confusion().slopes(other);
                self.weights.iter().enumerate().map(|(j, w)| slopes[self.cell(j)] * w).collect()
            }
        })
    }

    fn denominator(&self, metric: Metric) -> f64 {
        let rows = |keep: &dyn Fn(usize) -> bool| (0..self.weights.len()).filter(|&j| keep(j)).count() as f64;
        match metric {
            Metric::Accuracy => rows(&|_| true),
            Metric::Precision => rows(&|j| j < self.cut),
            Metric::Recall => rows(&|j| self.curve.is_positive(j)),
            Metric::Specificity => rows(&|j| !self.curve.is_positive(j)),
            Metric::PrAuc => rows(&|j| self.curve.is_positive(j)),
            Metric::F1 => rows(&|j| self.curve.is_positive(j) || j < self.cut),
            Metric::LogLoss | Metric::Brier => 0.0,
            // Areas and means over classes: the information is limited by the class with fewer rows.
            _ => rows(&|j| self.curve.is_positive(j)).min(rows(&|j| !self.curve.is_positive(j))),
        }
    }

    fn note(&self, metric: Metric) -> Option<String> {
        let matrix = &self.matrix;
        let (negatives, positives) = (matrix.support(0), matrix.support(1));
        let text = match metric {
            Metric::RocAuc if positives == 0.0 => "no row is positive",
            Metric::RocAuc if negatives == 0.0 => "no row is negative",
            Metric::PrAuc | Metric::Recall if positives == 0.0 => "no row is positive",
            Metric::Specificity if negatives == 0.0 => "no row is negative",
            Metric::Precision if matrix.predicted(1) == 0.0 => "no row is predicted positive",
            Metric::F1 if positives + matrix.predicted(1) == 0.0 => "no row is positive or predicted positive",
            Metric::Kappa if matrix.seen().len() < 2 => "truth and prediction are the same single class",
            Metric::Mcc if matrix.mcc() == 0.0 && (positives == 0.0 || negatives == 0.0) => "the truth is one class",
            Metric::Mcc if matrix.predicted(0) == 0.0 || matrix.predicted(1) == 0.0 => "the prediction is one class",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
