//! One evaluation of scored rows: metrics with intervals, the baseline, and the content of the report.

use serde::{Deserialize, Serialize};

use crate::features::Task;
use crate::score::calibration::{Reliability, reliability};
use crate::score::confusion::{ClassScores, Confusion};
use crate::score::curve::{Curve, CurvePoint};
use crate::score::interval::{EvaluateOptions, Resample, estimates, points};
use crate::score::metric::{Metric, Metrics};
use crate::score::{ScoreError, binary, multiclass, regression};
use crate::stats::moments;

/// A constant prediction: the class shares, or the mean, of the training rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Baseline {
    /// Every row gets the class shares as scores, so the prediction is the most frequent class.
    ClassShares {
        /// The share of each class, in score order.
        shares: Vec<f64>,
    },
    /// Every row gets the mean.
    Mean {
        /// The mean of the training rows.
        mean: f64,
    },
}

impl Baseline {
    /// Fits to the truth of the training rows; `n_classes` is 0 for regression. Rows whose truth is `NaN` or not a
    /// class are ignored; without any rows, shares are equal or the mean is 0.
    #[must_use]
    pub fn fit(n_classes: usize, y: &[f64], weights: Option<&[f64]>) -> Self {
        let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
        if n_classes == 0 {
            let known = |i: usize| if y[i].is_finite() { weight(i) } else { 0.0 };
            let whole = moments::sum_of(y.len(), &known);
            let part = moments::sum_of(y.len(), &|i| if y[i].is_finite() { weight(i) * y[i] } else { 0.0 });
            return Self::Mean { mean: if whole > 0.0 { part / whole } else { 0.0 } };
        }
        let mut shares = vec![0.0; n_classes];
        for (i, &class) in y.iter().enumerate() {
            if let Some(share) = shares.get_mut(class as usize).filter(|_| class >= 0.0) {
                *share += weight(i);
            }
        }
        let whole: f64 = shares.iter().sum();
        for share in &mut shares {
            *share = if whole > 0.0 { *share / whole } else { 1.0 / n_classes as f64 };
        }
        Self::ClassShares { shares }
    }

    /// Its scores for any row, in the shape of a model of `task`.
    fn scores(&self, task: Task) -> Vec<f64> {
        match (self, task) {
            (Self::Mean { mean }, _) => vec![*mean],
            (Self::ClassShares { shares }, Task::Multiclass) => shares.clone(),
            (Self::ClassShares { shares }, _) => vec![shares.last().copied().unwrap_or(0.0)],
        }
    }
}

/// The baseline and its metrics on the evaluated rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BaselineReading {
    /// The target column.
    pub predictor: Baseline,
    /// Its metrics, without intervals; an undefined one is absent.
    pub metrics: Metrics<Option<f64>>,
}

/// Scored rows with their truth.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The kind of prediction.
    pub task: Task,
    /// The classes in score order (`[negative, positive]` for binary), empty for regression.
    pub classes: &'a [String],
    /// The truth of each row: a class index or a value. `NaN` is an error.
    pub y: &'a [f64],
    /// The scores, row-major: one per row, or one per class and row for multi-class.
    pub scores: &'a [f64],
    /// A weight of at least 0 per row.
    pub weights: Option<&'a [f64]>,
    /// Binary: the lowest score that is predicted positive.
    pub threshold: f64,
}

/// Metrics of scores on labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evaluation {
    /// The kind of prediction.
    pub task: Task,
    /// Number of rows.
    pub n_rows: usize,
    /// Binary: number of positive rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_positive: Option<usize>,
    /// The default deciding metric.
    pub primary: Metric,
    /// The metrics with their intervals.
    pub metrics: Metrics,
    /// The metrics of the baseline on the same rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineReading>,
    /// Binary: the lowest score that is predicted positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Binary: predicted probabilities against observed shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    /// The classes in the order of the confusion matrix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Precision, recall and F1 of each class that occurs in the truth or among the predictions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub report: Vec<ClassReport>,
    /// Rows by true (down) and predicted (across) class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// Unweighted number of rows of each class; not stored with a version.
    #[serde(skip)]
    pub class_rows: Vec<usize>,
    /// Binary: points of the ROC and precision-recall curves. A version stores them in a separate file.
    #[serde(skip)]
    pub curve: Vec<CurvePoint>,
}

/// Approximate number of points of a curve.
const N_POINTS: usize = 200;

/// One line of the classification report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassReport {
    /// The class.
    pub class: String,
    /// Its precision, recall, F1 and support.
    #[serde(flatten)]
    pub scores: ClassScores,
}

impl Evaluation {
    /// The value of the primary metric, absent if undefined.
    #[must_use]
    pub fn primary_value(&self) -> Option<f64> {
        self.metrics.value(self.primary)
    }
}

/// Evaluates `scored` rows, and `baseline` if given.
///
/// The same rows and seed give the same numbers on any number of threads. Intervals come from a bootstrap if it takes
/// less than about half a second of CPU time, otherwise from the infinitesimal jackknife; each interval names its
/// method.
///
/// # Errors
/// No rows, columns of different lengths, a truth that is not a class or number, a score that is not a probability
/// (or, for regression, not finite), a negative weight, weights that are all 0.
pub fn evaluate(
    reading: &Reading<'_>,
    baseline: Option<&Baseline>,
    options: EvaluateOptions,
) -> Result<Evaluation, ScoreError> {
    evaluate_entities(reading, None, baseline, options)
}

/// The same for rows that depend on each other within an entity, such as rows of one customer: intervals are computed
/// by entity. `entities` has the index of each row's entity, from 0 without gaps.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_entities(
    reading: &Reading<'_>,
    entities: Option<&[u32]>,
    baseline: Option<&Baseline>,
    options: EvaluateOptions,
) -> Result<Evaluation, ScoreError> {
    check(reading)?;
    if let Some(entities) = entities {
        length("entities", entities.len(), reading.y.len())?;
    }
    let constant = baseline.map(|b| Rows::prepare_constant(reading, b));
    let truth = Truth::of(reading);
    let rows = truth.rows(reading, reading.scores, reading.threshold);
    let metrics = Metrics::new(rows.estimates(entities, options));
    let baseline = baseline.zip(constant).map(|(predictor, scores)| {
        let rows = truth.rows(reading, &scores, 0.5);
        let told = |(metric, value): (&Metric, f64)| (*metric, value.is_finite().then_some(value));
        let metrics = Metrics::new(Metric::of(reading.task).iter().zip(rows.points()).map(told).collect());
        BaselineReading { predictor: predictor.clone(), metrics }
    });
    let binary = reading.task == Task::Binary;
    let confusion = rows.confusion();
    let line =
        |matrix: &Confusion, c: usize| ClassReport { class: reading.classes[c].clone(), scores: matrix.class(c, 0.0) };
    Ok(Evaluation {
        task: reading.task,
        n_rows: reading.y.len(),
        n_positive: binary.then(|| reading.y.iter().filter(|y| **y == 1.0).count()),
        primary: Metric::primary(reading.task),
        metrics,
        baseline,
        threshold: binary.then_some(reading.threshold),
        reliability: match &truth {
            Truth::Binary(positive) => Some(reliability(positive, reading.scores, reading.weights, 10)),
            _ => None,
        },
        class_rows: (0..reading.classes.len())
            .map(|class| reading.y.iter().filter(|y| **y == class as f64).count())
            .collect(),
        curve: match &truth {
            Truth::Binary(positive) => Curve::new(reading.scores, |row| positive[row]).points(
                reading.scores,
                |row| reading.weights.map_or(1.0, |w| w[row]),
                N_POINTS,
            ),
            _ => Vec::new(),
        },
        classes: reading.classes.to_vec(),
        report: confusion.as_ref().map_or_else(Vec::new, |m| m.seen().into_iter().map(|c| line(m, c)).collect()),
        confusion,
    })
}

/// The truth in the type used by its task.
pub(super) enum Truth {
    Binary(Vec<bool>),
    Multiclass(Vec<u32>),
    Regression(Vec<f64>),
}

/// Prepared rows of any task.
pub(super) enum Rows<'a> {
    Binary(binary::Rows),
    Multiclass(multiclass::Rows<'a>),
    Regression(regression::Rows),
}

impl Truth {
    pub(super) fn of(reading: &Reading<'_>) -> Self {
        let y = reading.y.iter();
        match reading.task {
            Task::Binary => Self::Binary(y.map(|y| *y == 1.0).collect()),
            Task::Multiclass => Self::Multiclass(y.map(|y| *y as u32).collect()),
            Task::Regression => Self::Regression(y.copied().collect()),
        }
    }

    pub(super) fn rows<'a>(&'a self, reading: &Reading<'a>, scores: &[f64], threshold: f64) -> Rows<'a> {
        match self {
            Self::Binary(positive) => Rows::Binary(binary::Rows::new(positive, scores, reading.weights, threshold)),
            Self::Multiclass(truth) => {
                Rows::Multiclass(multiclass::Rows::new(reading.classes, truth, scores, reading.weights))
            }
            Self::Regression(truth) => Rows::Regression(regression::Rows::new(truth, scores, reading.weights)),
        }
    }
}

impl Rows<'_> {
    fn prepare_constant(reading: &Reading<'_>, baseline: &Baseline) -> Vec<f64> {
        let row = baseline.scores(reading.task);
        row.iter().copied().cycle().take(row.len() * reading.y.len()).collect()
    }

    fn estimates(&self, entities: Option<&[u32]>, options: EvaluateOptions) -> Vec<(Metric, crate::score::Estimate)> {
        match self {
            Self::Binary(rows) => estimates(rows, entities, options),
            Self::Multiclass(rows) => estimates(rows, entities, options),
            Self::Regression(rows) => estimates(rows, entities, options),
        }
    }

    /// The value of `metric`, with the conventions of reports for 0 ∕ 0; `NaN` if it does not apply to the task.
    pub(super) fn point(&self, metric: Metric) -> f64 {
        let place = self.resample().metrics().iter().position(|m| *m == metric);
        place.map_or(f64::NAN, |place| self.points()[place])
    }

    /// The value of `metric` with row i counted `counts[i]` times; `NaN` if undefined.
    pub(super) fn value(&self, metric: Metric, counts: &[u32]) -> f64 {
        let rows = self.resample();
        let Some(place) = rows.metrics().iter().position(|m| *m == metric) else { return f64::NAN };
        let mut out = vec![f64::NAN; rows.metrics().len()];
        match rows.order() {
            None => rows.values(counts, &mut out),
            Some(order) => {
                let ordered: Vec<u32> = order.iter().map(|&row| counts[row as usize]).collect();
                rows.values(&ordered, &mut out);
            }
        }
        out[place]
    }

    fn resample(&self) -> &dyn Resample {
        match self {
            Self::Binary(rows) => rows,
            Self::Multiclass(rows) => rows,
            Self::Regression(rows) => rows,
        }
    }

    fn points(&self) -> Vec<f64> {
        match self {
            Self::Binary(rows) => points(rows),
            Self::Multiclass(rows) => points(rows),
            Self::Regression(rows) => points(rows),
        }
    }

    fn confusion(&self) -> Option<Confusion> {
        match self {
            Self::Binary(rows) => Some(rows.confusion().clone()),
            Self::Multiclass(rows) => Some(rows.confusion().clone()),
            Self::Regression(_) => None,
        }
    }
}

pub(super) fn check(reading: &Reading<'_>) -> Result<(), ScoreError> {
    let n_rows = reading.y.len();
    if n_rows == 0 {
        return Err(ScoreError::NoRows);
    }
    let n_classes = reading.classes.len();
    let (n_scores, truth, score) = match reading.task {
        Task::Binary => (1, "0 or 1", "a probability"),
        Task::Multiclass => (n_classes, "the index of a class", "a probability"),
        Task::Regression => (1, "a finite number", "a finite number"),
    };
    length("scores", reading.scores.len(), n_rows * n_scores)?;
    if reading.task != Task::Regression && n_classes < 2 {
        return Err(ScoreError::Length { what: "classes", found: n_classes, expected: 2 });
    }
    let is_class = |y: f64| y >= 0.0 && y.fract() == 0.0 && (y as usize) < n_classes;
    let good_truth = |y: f64| if reading.task == Task::Regression { y.is_finite() } else { is_class(y) };
    if let Some(row) = reading.y.iter().position(|y| !good_truth(*y)) {
        return Err(ScoreError::Truth { row, value: reading.y[row], expected: truth });
    }
    let probability = |s: f64| (0.0..=1.0).contains(&s);
    let good_score = |s: f64| if reading.task == Task::Regression { s.is_finite() } else { probability(s) };
    if let Some(at) = reading.scores.iter().position(|s| !good_score(*s)) {
        return Err(ScoreError::Score { row: at / n_scores, value: reading.scores[at], expected: score });
    }
    check_weights(reading.weights, n_rows)
}

/// The weights; `None` if all are equal.
pub(super) fn uneven(weights: Option<&[f64]>) -> Option<&[f64]> {
    weights.filter(|weights| weights.iter().any(|weight| *weight != weights[0]))
}

pub(crate) fn length(what: &'static str, found: usize, expected: usize) -> Result<(), ScoreError> {
    if found == expected { Ok(()) } else { Err(ScoreError::Length { what, found, expected }) }
}

pub(crate) fn check_weights(weights: Option<&[f64]>, n_rows: usize) -> Result<(), ScoreError> {
    let Some(weights) = weights else { return Ok(()) };
    length("weights", weights.len(), n_rows)?;
    if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(ScoreError::Weight { row, value: weights[row] });
    }
    if weights.iter().all(|w| *w == 0.0) { Err(ScoreError::NoWeight { rows: n_rows }) } else { Ok(()) }
}
