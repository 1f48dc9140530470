//! CBPE: metrics estimated from class scores alone, before any outcome is known. For numbers there is DLE, see
//! [`losses`](super::losses).
//!
//! Both assume that the outcome depends on the columns in the same way as when the version was trained. Then calibrated
//! scores tell how often they are right, even if the mix of rows changes (covariate shift). A change of the dependence
//! itself (concept drift) goes undetected.

use super::performance::change;
use super::report::{Estimate, MetricChange};
use crate::features::{FeatureError, Task};
use crate::model::ModelError;
use crate::pipeline::{PipelineError, Scores};
use crate::score::confusion::Confusion;
use crate::score::curve::Curve;
use crate::score::metric::Range;
use crate::score::multiclass::predicted;
use crate::score::{Evaluation, Metric, Metrics, binary};
use crate::stats::portable::Portable;
use crate::stats::random::rng;
use crate::stats::{moments, normal};
use rand::Rng;

/// What an estimate of classes cannot see.
pub const CBPE_LIMIT: &str = "Estimated from the scores alone, assuming that outcomes still depend on the columns as \
                              in training. The estimate follows a changed mix of rows, but is blind to concept \
                              drift: in a simulation it gave 0.870 where the truth was 0.711. Only labelled rows \
                              reveal concept drift.";

/// Number of draws of outcomes for the interval.
const DRAWS: usize = 100;
/// Maximum number of rows per draw.
const DRAWN_ROWS: usize = 2000;

/// Why metrics could not be estimated.
#[derive(Debug, thiserror::Error)]
pub enum EstimateError {
    /// There are no rows.
    #[error("no rows to estimate metrics on")]
    NoRows,
    /// The method is for another task.
    #[error("{method} is for {what}")]
    Task {
        /// `cbpe` or `dle`.
        method: &'static str,
        /// The task that it supports.
        what: &'static str,
    },
    /// A score that is not a probability.
    #[error("row {row}: the score {value} is not a probability")]
    Score {
        /// Index of the row, from 0.
        row: usize,
        /// The invalid value.
        value: f64,
    },
    /// Too few labelled rows to model the errors.
    #[error("{have} labelled rows are too few to model the errors; {need} are needed")]
    TooFewRows {
        /// Number of labelled rows.
        have: usize,
        /// Number of rows that are needed.
        need: usize,
    },
    /// The numbers of outcomes and labelled rows differ, or an outcome is missing.
    #[error("{0}")]
    Outcomes(String),
    /// A problem with scoring.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem with the columns.
    #[error("{0}")]
    Features(#[from] FeatureError),
    /// A problem with modelling the errors.
    #[error("{0}")]
    Model(#[from] ModelError),
}

/// Confidence-based performance estimation: the metrics expected from calibrated `scores` and the classes predicted
/// from them, each beside its value at the gate.
///
/// With p the probability of the positive class and ŷ = \[p ≥ `threshold`\], the expected confusion matrix is
/// TP = Σp·\[ŷ=1\], FP = Σ(1−p)·\[ŷ=1\], FN = Σp·\[ŷ=0\], TN = Σ(1−p)·\[ŷ=0\]; accuracy, precision, recall, F1 and
/// the like follow from it. ROC-AUC is E(pairs in order) ∕ E(pairs) over pairs of different rows, equal scores counting
/// half; average precision counts each row p times as positive and 1 − p times as negative; both in O(n log n).
/// Expected Brier score: mean p(1−p); expected log loss: mean −p ln p − (1−p) ln(1−p). For several classes the same with
/// one probability per class, and the highest one predicted: accuracy is the mean of the highest.
///
/// The 95 % interval is the range of the metric on as many rows: rows are drawn with replacement, and outcomes with the
/// probability given by their score, `DRAWS` times. Each draw has at most `DRAWN_ROWS` rows; the error for all rows is
/// derived from that.
///
/// Ratios are ratios of expectations, with an error of O(1∕n). Metrics that are 0 ∕ 0 (precision if nothing is
/// predicted positive) are omitted. Method: NannyML, "Confidence-based performance estimation", 2022; there a row also
/// forms a pair with itself, which biases ROC-AUC towards .5 by O(1∕n).
///
/// # Errors
/// No rows, numbers instead of classes, or a score that is not a probability.
pub fn cbpe(task: Task, scores: &Scores, threshold: f64, gate: Option<&Metrics>) -> Result<Estimate, EstimateError> {
    if task == Task::Regression {
        return Err(EstimateError::Task { method: "cbpe", what: "classes; numbers have dle" });
    }
    if scores.values.is_empty() || scores.width == 0 {
        return Err(EstimateError::NoRows);
    }
    if let Some(at) = scores.values.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(EstimateError::Score { row: at / scores.width, value: scores.values[at] });
    }
    let of = |truth: &[f64]| match task {
        Task::Binary => Expected::of_two(&scores.values, truth, threshold),
        _ => Expected::of_several(scores, truth),
    };
    let expected = of(&scores.values);
    let drawn = drawn(task, scores, threshold);
    let told = |&metric: &Metric| {
        let value = expected.value(metric).filter(|value| value.is_finite())?;
        let values: Vec<f64> =
            drawn.iter().filter_map(|drawn| drawn.value(metric)).filter(|value| value.is_finite()).collect();
        let shrunk = (scores.n_rows().min(DRAWN_ROWS) as f64 / scores.n_rows() as f64).sqrt();
        let half = normal::quantile(0.975) * moments::variance(&values).sqrt() * shrunk;
        let interval = half.is_finite().then(|| bounded(metric, (value - half, value + half)));
        Some(change(metric, value, interval, gate))
    };
    Ok(Estimate {
        method: "cbpe".to_owned(),
        n: scores.n_rows() as u64,
        n_learned: 0,
        metrics: Metric::of(task).iter().filter_map(told).collect(),
        limit: CBPE_LIMIT.to_owned(),
    })
}

impl Estimate {
    /// Subtracts the error of the same estimate on the gate rows, `of_gate`, whose metrics are known: underconfident or
    /// overconfident scores bias both estimates equally.
    #[must_use]
    pub fn corrected(mut self, of_gate: &Self) -> Self {
        for change in &mut self.metrics {
            let there = of_gate.metrics.iter().find(|other| other.name == change.name);
            if let (Some(truth), Some(there)) = (change.gate, there) {
                let Ok(metric) = change.name.parse::<Metric>() else { continue };
                let value = change.value + truth - there.value;
                // The correction itself has a random error.
                let half = |change: &MetricChange| change.interval.map(|(low, high)| (high - low) / 2.0);
                let half = half(change).zip(half(there)).map(|(here, there)| here.hypot_portable(there));
                (change.value, _) = bounded(metric, (value, value));
                change.interval = half.map(|half| bounded(metric, (value - half, value + half)));
            }
        }
        self
    }
}

impl Estimate {
    /// Widens intervals for rows of the same entities, because scores do not show how correlated their outcomes are.
    /// The gate's own interval, which is by entity, does: each interval becomes at least as wide as the gate's, scaled
    /// to the number of rows.
    #[must_use]
    pub fn by_entity(mut self, gate: &Evaluation) -> Self {
        let as_many = (self.n as f64 / gate.n_rows.max(1) as f64).sqrt();
        for change in &mut self.metrics {
            let Ok(metric) = change.name.parse::<Metric>() else { continue };
            let of_gate = gate.metrics.get(metric).and_then(|found| Some((found.high? - found.low?) / 2.0));
            let Some((of_gate, (low, high))) = of_gate.zip(change.interval) else { continue };
            let half = ((high - low) / 2.0).max(of_gate / as_many);
            change.interval = Some(bounded(metric, (change.value - half, change.value + half)));
        }
        self
    }
}

/// Limits both ends to the range of the metric.
fn bounded(metric: Metric, (low, high): (f64, f64)) -> (f64, f64) {
    let bounded = |value: f64| match metric.range() {
        Range::Share | Range::Unit => value.clamp(0.0, 1.0),
        Range::Positive => value.max(0.0),
        Range::Real => value,
    };
    (bounded(low), bounded(high))
}

/// The expected metrics of random rows, with outcomes drawn from their scores.
fn drawn(task: Task, scores: &Scores, threshold: f64) -> Vec<Expected> {
    let (n, width) = (scores.n_rows(), scores.width);
    let mut random = rng(0, "cbpe");
    let draw = |_| {
        let mut taken = Scores { values: Vec::new(), width };
        let mut truth = Vec::new();
        for _ in 0..n.min(DRAWN_ROWS) {
            let row = scores.row(random.gen_range(0..n));
            taken.values.extend_from_slice(row);
            let mut left = random.r#gen::<f64>();
            // With two classes, the score is that of the positive one.
            let class = row.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            let last = if width == 1 { width } else { width - 1 };
            truth.extend((0..width).map(|k| f64::from(u8::from(k == class.unwrap_or(last)))));
        }
        match task {
            Task::Binary => Expected::of_two(&taken.values, &truth, threshold),
            _ => Expected::of_several(&taken, &truth),
        }
    };
    (0..DRAWS).map(draw).collect()
}

/// Expected results for scores.
struct Expected {
    confusion: Confusion,
    /// For each class against the rest; with two classes only for the positive one.
    areas: Vec<ExpectedAreas>,
    log_loss: f64,
    brier: f64,
}

/// Expected areas for one class against the rest.
struct ExpectedAreas {
    roc: f64,
    pr: f64,
    /// Expected number of rows of the class.
    support: f64,
}

impl Expected {
    /// For scores `p`, if row i is positive with probability `truth[i]`.
    fn of_two(p: &[f64], truth: &[f64], threshold: f64) -> Self {
        let mut cells = vec![0.0; 4];
        for (&p, &truth) in p.iter().zip(truth) {
            let predicted = usize::from(p >= threshold);
            cells[predicted] += 1.0 - truth;
            cells[2 + predicted] += truth;
        }
        let mean = |of: &dyn Fn(bool, f64) -> f64| {
            moments::weighted_mean(p.len(), None, &|i| truth[i] * of(true, p[i]) + (1.0 - truth[i]) * of(false, p[i]))
        };
        Self {
            confusion: Confusion::from_cells(2, cells),
            areas: vec![expected_areas(p, truth)],
            log_loss: mean(&binary::log_loss_of),
            brier: mean(&|is, p| (f64::from(u8::from(is)) - p).powi(2)),
        }
    }

    /// The same for several classes: `truth` has a probability per class and row.
    fn of_several(scores: &Scores, truth: &[f64]) -> Self {
        let (n, width) = (scores.n_rows(), scores.width);
        let mut cells = vec![0.0; width * width];
        for (row, &class) in predicted(&scores.values, width).iter().enumerate() {
            for (of, p) in truth[row * width..(row + 1) * width].iter().enumerate() {
                cells[of * width + class as usize] += p;
            }
        }
        let of_class = |class: usize| {
            let of = |all: &[f64]| (0..n).map(|row| all[row * width + class]).collect::<Vec<f64>>();
            expected_areas(&of(&scores.values), &of(truth))
        };
        let over_classes = |term: fn(f64, f64) -> f64| {
            let row = |i: usize| scores.row(i).iter().zip(&truth[i * width..]).map(|(&p, &truth)| term(p, truth)).sum();
            moments::weighted_mean(n, None, &row)
        };
        Self {
            confusion: Confusion::from_cells(width, cells),
            areas: (0..width).map(of_class).collect(),
            log_loss: over_classes(|p, truth| truth * binary::log_loss_of(true, p)),
            brier: over_classes(|p, truth| truth * (1.0 - p).powi(2) + (1.0 - truth) * p * p),
        }
    }

    fn value(&self, metric: Metric) -> Option<f64> {
        let n = self.areas.len() as f64;
        let support = || self.areas.iter().map(|a| a.support).sum::<f64>();
        match metric {
            Metric::RocAuc | Metric::RocAucMacro => Some(self.areas.iter().map(|a| a.roc).sum::<f64>() / n),
            Metric::RocAucWeighted => Some(self.areas.iter().map(|a| a.roc * a.support).sum::<f64>() / support()),
            Metric::PrAuc | Metric::PrAucMacro => Some(self.areas.iter().map(|a| a.pr).sum::<f64>() / n),
            Metric::LogLoss => Some(self.log_loss),
            Metric::Brier => Some(self.brier),
            _ => self.confusion.metric(metric, f64::NAN),
        }
    }
}

/// Expected areas when rows are ordered by `scores` and row i is positive with probability `p[i]`, in O(n log n).
///
/// Each row is used twice, as a positive with weight p and as a negative with weight 1 − p. Its pair with itself is
/// excluded from the ROC area: with P = Σp, N = Σ(1−p), V = Σp(1−p), the area is (A·P·N − V/2) ∕ (P·N − V).
fn expected_areas(scores: &[f64], p: &[f64]) -> ExpectedAreas {
    let n = p.len();
    let twice: Vec<f64> = scores.iter().chain(scores).copied().collect();
    let curve = Curve::new(&twice, |i| i < n);
    let weight = |position: usize| {
        let at = curve.order()[position] as usize;
        if at < n { p[at] } else { 1.0 - p[at - n] }
    };
    let areas = curve.areas(weight);
    let positives = moments::sum(p);
    let pairs = positives * (n as f64 - positives);
    let own = moments::sum_of(n, &|i| p[i] * (1.0 - p[i]));
    let roc = if pairs - own > 0.0 { (areas.roc * pairs - own / 2.0) / (pairs - own) } else { f64::NAN };
    ExpectedAreas { roc: roc.clamp(0.0, 1.0), pr: areas.pr, support: positives }
}
