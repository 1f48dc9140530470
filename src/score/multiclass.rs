//! Metrics of three or more classes: one probability per class against the truth.

use crate::stats::portable::Portable;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::features::Task;
use crate::score::Metric;
use crate::score::binary::EPSILON;
use crate::score::confusion::Confusion;
use crate::score::curve::{Areas, Curve};
use crate::score::interval::Resample;
use crate::stats::moments;

/// The class with the highest score of each row, the first of equal ones; `scores` are row-major.
///
/// ```
/// assert_eq!(mlloop::score::multiclass::predicted(&[0.2, 0.4, 0.4, 0.9, 0.1, 0.0], 3), [1, 0]);
/// ```
#[must_use]
pub fn predicted(scores: &[f64], n_classes: usize) -> Vec<u32> {
    scores.chunks_exact(n_classes).map(highest).collect()
}

fn highest(row: &[f64]) -> u32 {
    let mut best = 0;
    for (class, score) in row.iter().enumerate() {
        if *score > row[best] {
            best = class;
        }
    }
    best as u32
}

/// Mean of −ln p of the true class; `scores` are row-major; `NaN` without rows.
///
/// Probabilities are limited to [ε, 1 − ε] but not rescaled, even if a row does not sum to 1.
///
/// ```
/// // sklearn.metrics.log_loss([0, 2], [[.7, .2, .1], [.1, .3, .6]], labels=[0, 1, 2])
/// let loss = mlloop::score::multiclass::log_loss(&[0, 2], &[0.7, 0.2, 0.1, 0.1, 0.3, 0.6], 3, None);
/// assert!((loss - 0.4337502838523616).abs() < 1e-12);
/// ```
#[must_use]
pub fn log_loss(truth: &[u32], scores: &[f64], n_classes: usize, weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(truth.len(), weights, &|i| log_loss_of(truth[i], &scores[i * n_classes..][..n_classes]))
}

pub(crate) fn log_loss_of(truth: u32, row: &[f64]) -> f64 {
    -row[truth as usize].clamp(EPSILON, 1.0 - EPSILON).ln_portable()
}

/// Mean over rows of Σ (p of a class − 1 if true)²; from 0 to 2.
#[must_use]
pub fn brier(truth: &[u32], scores: &[f64], n_classes: usize, weights: Option<&[f64]>) -> f64 {
    moments::weighted_mean(truth.len(), weights, &|i| brier_of(truth[i], &scores[i * n_classes..][..n_classes]))
}

fn brier_of(truth: u32, row: &[f64]) -> f64 {
    row.iter().zip(0_u32..).map(|(p, class)| (p - if class == truth { 1.0 } else { 0.0 }).powi(2)).sum()
}

/// Scored rows, for repeated evaluation.
pub(crate) struct Rows<'a> {
    n_classes: usize,
    class_names: &'a [String],
    truth: &'a [u32],
    predicted: Vec<u32>,
    matrix: Confusion,
    weights: Option<&'a [f64]>,
    loss: Vec<f64>,
    square: Vec<f64>,
    /// One-vs-rest curves of the classes that occur.
    curves: Vec<(usize, Curve)>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(class_names: &'a [String], truth: &'a [u32], scores: &[f64], weights: Option<&'a [f64]>) -> Self {
        let n_classes = class_names.len();
        let row = |i: usize| &scores[i * n_classes..(i + 1) * n_classes];
        let mut occurs = vec![false; n_classes];
        for &class in truth {
            occurs[class as usize] = true;
        }
        let curve = |class: usize| {
            let column: Vec<f64> = scores.iter().skip(class).step_by(n_classes).copied().collect();
            (class, Curve::new(&column, |i| truth[i] as usize == class))
        };
        let predicted = predicted(scores, n_classes);
        Self {
            n_classes,
            class_names,
            truth,
            matrix: Confusion::count(n_classes, truth, &predicted, weights),
            predicted,
            weights,
            loss: (0..truth.len()).map(|i| log_loss_of(truth[i], row(i))).collect(),
            square: (0..truth.len()).map(|i| brier_of(truth[i], row(i))).collect(),
            curves: (0..n_classes).filter(|&c| occurs[c]).collect::<Vec<_>>().into_par_iter().map(curve).collect(),
        }
    }

    pub(crate) fn confusion(&self) -> &Confusion {
        &self.matrix
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |w| w[row])
    }

    fn cell(&self, row: usize) -> usize {
        self.truth[row] as usize * self.n_classes + self.predicted[row] as usize
    }

    fn absent(&self) -> Option<String> {
        let occurs = |class| self.curves.iter().any(|(c, _)| *c == class);
        let names: Vec<String> =
            (0..self.n_classes).filter(|&c| !occurs(c)).map(|c| format!("{:?}", self.class_names[c])).collect();
        (!names.is_empty()).then(|| format!("left out because they have no rows: {}", names.join(", ")))
    }

    fn mean_influences(&self, values: &[f64]) -> Vec<f64> {
        let n = values.len();
        let whole = moments::sum_of(n, &|i| self.weight(i));
        let mean = moments::weighted_mean(n, self.weights, &|i| values[i]);
        (0..n).map(|i| self.weight(i) * (values[i] - mean) / whole).collect()
    }

    /// w ∂/∂w of a mean of one-vs-rest areas; with `share`, classes are weighted by their share, which also depends on
    /// the rows.
    fn area_influences(&self, roc: bool, share: bool) -> Vec<f64> {
        let whole = moments::sum_of(self.truth.len(), &|i| self.weight(i));
        let mut influences = vec![0.0; self.truth.len()];
        let (mut mean, mut area_of) = (0.0, vec![0.0; self.n_classes]);
        for (class, curve) in &self.curves {
            let weight = |j: usize| self.weight(curve.order()[j] as usize);
            let (slopes, areas) =
                (if roc { curve.roc_slopes(weight) } else { curve.pr_slopes(weight) }, curve.areas(weight));
            area_of[*class] = if roc { areas.roc } else { areas.pr };
            let factor = if share { self.matrix.support(*class) / whole } else { 1.0 / self.curves.len() as f64 };
            mean += factor * area_of[*class];
            for (&row, slope) in curve.order().iter().zip(slopes) {
                influences[row as usize] += factor * slope;
            }
        }
        for (row, influence) in influences.iter_mut().enumerate() {
            if share {
                *influence += (area_of[self.truth[row] as usize] - mean) / whole;
            }
            *influence *= self.weight(row);
        }
        influences
    }
}

/// Mean of `area` over classes, weighted by class; `NaN` if one is undefined.
fn mean_area(areas: &[(f64, Areas)], weight: impl Fn(f64) -> f64, area: impl Fn(&Areas) -> f64) -> f64 {
    let whole: f64 = areas.iter().map(|(support, _)| weight(*support)).sum();
    areas.iter().map(|(support, a)| weight(*support) * area(a)).sum::<f64>() / whole
}

impl Resample for Rows<'_> {
    fn metrics(&self) -> &'static [Metric] {
        Metric::of(Task::Multiclass)
    }

    fn n_rows(&self) -> usize {
        self.truth.len()
    }

    fn n_walks(&self) -> usize {
        1 + self.curves.len()
    }

    fn values(&self, counts: &[u32], out: &mut [f64]) {
        let weight = |i: usize| f64::from(counts[i]) * self.weight(i);
        let (mut loss, mut square) = (0.0, 0.0);
        let mut cells = vec![0.0; self.n_classes * self.n_classes];
        for i in 0..counts.len() {
            let w = weight(i);
            loss += w * self.loss[i];
            square += w * self.square[i];
            cells[self.cell(i)] += w;
        }
        let whole: f64 = cells.iter().sum();
        let confusion = Confusion::from_cells(self.n_classes, cells);
        // A class missing in a resample is skipped, like a class missing in the table.
        let areas: Vec<(f64, Areas)> = self
            .curves
            .iter()
            .map(|(class, curve)| (confusion.support(*class), curve.areas(|j| weight(curve.order()[j] as usize))))
            .filter(|(support, _)| *support > 0.0)
            .collect();
        for (value, &metric) in out.iter_mut().zip(self.metrics()) {
            *value = match metric {
                Metric::RocAucMacro => mean_area(&areas, |_| 1.0, |a| a.roc),
                Metric::RocAucWeighted => mean_area(&areas, |support| support, |a| a.roc),
                Metric::PrAucMacro => mean_area(&areas, |_| 1.0, |a| a.pr),
                Metric::LogLoss => loss / whole,
                Metric::Brier => square / whole,
                other => confusion.metric(other, f64::NAN).unwrap_or(f64::NAN),
            };
        }
    }

    fn influences(&self, metric: Metric) -> Option<Vec<f64>> {
        Some(match metric {
            Metric::RocAucMacro => self.area_influences(true, false),
            Metric::RocAucWeighted => self.area_influences(true, true),
            Metric::PrAucMacro => self.area_influences(false, false),
            Metric::LogLoss => self.mean_influences(&self.loss),
            Metric::Brier => self.mean_influences(&self.square),
            other => {
                let slopes = self.matrix.slopes(other);
                (0..self.truth.len()).map(|i| slopes[self.cell(i)] * self.weight(i)).collect()
            }
        })
    }

    fn denominator(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Accuracy => self.truth.len() as f64,
            Metric::LogLoss | Metric::Brier => 0.0,
            // The information is limited by the class with the fewest rows.
            _ => {
                let rows = |class: &usize| self.truth.iter().filter(|t| **t as usize == *class).count();
                let present = self.matrix.seen().into_iter().filter(|class| self.matrix.support(*class) > 0.0);
                present.map(|class| rows(&class)).min().unwrap_or(0) as f64
            }
        }
    }

    fn note(&self, metric: Metric) -> Option<String> {
        match metric {
            Metric::RocAucMacro | Metric::RocAucWeighted if self.curves.len() < 2 => {
                Some("all rows are of one class".to_owned())
            }
            Metric::RocAucMacro | Metric::RocAucWeighted | Metric::PrAucMacro => self.absent(),
            Metric::Kappa if self.matrix.seen().len() < 2 => {
                Some("truth and prediction are the same single class".to_owned())
            }
            Metric::Mcc if self.curves.len() < 2 => Some("the truth is one class".to_owned()),
            _ => None,
        }
    }
}
