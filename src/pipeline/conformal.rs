//! Prediction intervals for numbers, prediction sets for classes, that contain the true value for a chosen share of rows.
//!
//! ```text
//! rows that the scoring model did not see ─▶ how strange each truth is ─▶ ascending, with the share of rows up to it
//!     number   |y − ŷ| ∕ σ(x)          σ: trees that learned |y − ŷ| of the other folds
//!     classes  1 − p of the true class
//! new row, level .9 ─▶ the strangeness q that .9 of the rows do not exceed ─▶ ŷ ± q σ(x); classes with 1 − p ≤ q
//! ```
//! Split-conformal (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005), the numbers normalised
//! (J. Lei et al., "Distribution-Free Predictive Inference for Regression", 2018), the sets "least ambiguous" (M. Sadinle,
//! J. Lei, L. Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", 2019). If models of folds
//! scored the rows, the final model was trained on all of them, so its errors are a little smaller.

use super::spread::{Spread, with_prediction};
use super::{Pipeline, PipelineError, Scores, Weighed};
use crate::features::{Matrix, Task};
use crate::stats::moments;
use crate::stats::random::hash64;
use crate::table::Table;
use serde::{Deserialize, Serialize};

/// With fewer rows unseen by the model there are no intervals.
pub const MIN_ROWS: usize = 100;
/// Maximum number of stored steps of strangeness; in addition, the strangest rows are stored one by one.
const MAX_STEPS: usize = 1000;
/// The scale of a row's error is fitted on the other folds, so that it does not fit the row's own error.
const FOLDS: usize = 3;
/// The levels whose coverage is measured.
pub const LEVELS: [f64; 3] = [0.8, 0.9, 0.95];

/// Rows that the deciding models did not see, as the pipeline scores them.
#[derive(Debug, Clone)]
pub(super) struct OutOfFold {
    /// Their features, for numbers.
    pub(super) features: Option<Matrix>,
    /// Calibrated scores.
    pub(super) scores: Scores,
    pub(super) truth: Weighed,
}

/// The parameters of the intervals.
#[derive(Debug, Clone)]
pub struct Intervals {
    /// Why there are none, or `None`.
    pub(super) refused: Option<String>,
    /// (strangeness, share of rows up to it, counting one future row), ascending in both.
    pub(super) steps: Vec<(f64, f64)>,
    pub(super) n_rows: usize,
    /// For numbers.
    pub(super) spread: Option<Spread>,
    /// Coverage on the gate rows.
    pub coverage: Vec<Coverage>,
}

/// How often intervals of a level contained the true value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Coverage {
    /// The requested share.
    pub level: f64,
    /// Number of rows it was measured on.
    pub n_rows: u64,
    /// The share of them whose interval or set contains the true value.
    pub held: f64,
    /// The same for the third with the widest intervals (for classes, the least certain rows).
    pub held_widest: f64,
    /// Mean width of the intervals, or mean number of classes in a set.
    pub mean_size: f64,
}

impl Coverage {
    /// The name of the interval or set, and the third of the rows that [`Coverage::held_widest`] is about.
    #[must_use]
    pub fn words(task: Task) -> (&'static str, &'static str) {
        match task {
            Task::Regression => ("intervals", "with the widest"),
            Task::Binary | Task::Multiclass => ("sets", "that is least certain"),
        }
    }
}

/// The interval or set of a row, at a level.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// A number from `lower` to `upper`.
    Number {
        /// From.
        lower: f64,
        /// To.
        upper: f64,
    },
    /// One of these classes, by index; empty if every class is stranger than the level allows.
    Classes(Vec<usize>),
}

impl Bound {
    /// Whether it contains a truth: a class index or a number.
    #[must_use]
    pub fn holds(&self, y: f64) -> bool {
        match self {
            Self::Number { lower, upper } => (*lower..=*upper).contains(&y),
            Self::Classes(classes) => classes.iter().any(|&class| class as f64 == y),
        }
    }

    fn size(&self) -> f64 {
        match self {
            Self::Number { lower, upper } => upper - lower,
            Self::Classes(classes) => classes.len() as f64,
        }
    }
}

impl Intervals {
    /// No intervals, and the reason.
    pub(super) fn refused(why: String) -> Self {
        Self { refused: Some(why), steps: Vec::new(), n_rows: 0, spread: None, coverage: Vec::new() }
    }

    /// Learns the distribution of strangeness from rows that the deciding models did not see.
    pub(super) fn learn(pipeline: &Pipeline, known: &OutOfFold, seed: u64) -> Result<Self, PipelineError> {
        let n_rows = known.truth.y.len();
        if n_rows < MIN_ROWS {
            return Ok(Self::refused(format!(
                "{n_rows} rows that no model was trained on are too few to estimate the errors; {MIN_ROWS} are needed"
            )));
        }
        let (strangeness, spread) = match &known.features {
            Some(features) if pipeline.target.task == Task::Regression => numbers(pipeline, known, features, seed)?,
            _ => (classes(known), None),
        };
        let steps = steps(&strangeness, known.truth.weights.as_deref());
        Ok(Self { refused: None, steps, n_rows, spread, coverage: Vec::new() })
    }

    /// The strangeness that the share `level` of rows does not exceed.
    fn strangest(&self, level: f64) -> Option<f64> {
        // Shares are sums over rows: allow for rounding.
        let at = self.steps.partition_point(|(_, share)| *share < level - 1e-9);
        self.steps.get(at).map(|(strangeness, _)| *strangeness)
    }

    /// Measures the coverage of intervals on rows that were not used for any decision; their features are `x`.
    pub(super) fn measure(
        &mut self,
        pipeline: &Pipeline,
        x: &Matrix,
        scores: &Scores,
        truth: &Weighed,
    ) -> Result<(), PipelineError> {
        let mut coverage = Vec::new();
        for level in LEVELS {
            let Some(strangest) = self.strangest(level).filter(|_| !truth.y.is_empty()) else { continue };
            let bounds = self.bounds(pipeline, &x.values, &scores.values, strangest)?;
            coverage.push(covered(level, &bounds, scores, truth));
        }
        self.coverage = coverage;
        Ok(())
    }

    /// For rows with the given features and scores, row-major.
    fn bounds(
        &self,
        pipeline: &Pipeline,
        features: &[f32],
        scores: &[f64],
        strangest: f64,
    ) -> Result<Vec<Bound>, PipelineError> {
        if let Some(spread) = &self.spread {
            let n_features = features.len() / scores.len().max(1);
            let rows = features.chunks_exact(n_features.max(1)).zip(scores.iter().copied());
            let expected = spread.of(&with_prediction(rows, &pipeline.scale))?;
            let unit = pipeline.scale.unit();
            let bound = |(prediction, expected): (&f64, f64)| {
                let half = strangest * expected * unit;
                Bound::Number { lower: prediction - half, upper: prediction + half }
            };
            return Ok(scores.iter().zip(expected).map(bound).collect());
        }
        let width = pipeline.target.n_scores();
        let rows = scores.chunks_exact(width).map(|row| {
            let all = probabilities(row);
            let holds = |class: &usize| 1.0 - all[*class] <= strangest;
            Bound::Classes((0..all.len()).filter(holds).collect())
        });
        Ok(rows.collect())
    }
}

impl Pipeline {
    /// The interval or set of each row of `table` with the probability `level`.
    ///
    /// # Errors
    /// If the version has no intervals, or its rows are too few for the level; as [`Pipeline::score`].
    pub fn bounds(&self, table: &Table, level: f64) -> Result<Vec<Bound>, PipelineError> {
        let (intervals, strangest) = self.intervals_at(level)?;
        let of_block = |_: usize, features: &[f32], scores: &[f64]| intervals.bounds(self, features, scores, strangest);
        let (_, blocks) = self.score_with(table, of_block)?;
        let blocks = blocks.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(blocks.concat())
    }

    /// The same for rows with known features and scores.
    ///
    /// # Errors
    /// If the version has no intervals at this level.
    pub fn bounds_of(&self, features: &Matrix, scores: &Scores, level: f64) -> Result<Vec<Bound>, PipelineError> {
        let (intervals, strangest) = self.intervals_at(level)?;
        intervals.bounds(self, &features.values, &scores.values, strangest)
    }

    /// Checks that there are intervals at this level.
    ///
    /// # Errors
    /// The reason why there are none.
    pub fn check_level(&self, level: f64) -> Result<(), PipelineError> {
        self.intervals_at(level).map(|_| ())
    }

    fn intervals_at(&self, level: f64) -> Result<(&Intervals, f64), PipelineError> {
        let none = |why: &str| Err(PipelineError::Rows(format!("no prediction intervals: {why}")));
        let Some(intervals) = self.intervals.as_deref() else {
            return none("the version was stored by an older mlloop without intervals; train again");
        };
        if let Some(why) = &intervals.refused {
            return none(why);
        }
        if !(level > 0.0 && level < 1.0) {
            return none(&format!("the level {level} must be a share between 0 and 1, such as .9"));
        }
        match intervals.strangest(level) {
            Some(strangest) => Ok((intervals, strangest)),
            None => none(&format!(
                "{} rows that no model was trained on are too few for the level {level}; the highest possible level \
                 is {:.4}",
                intervals.n_rows,
                intervals.steps.last().map_or(0.0, |(_, share)| (share * 1e4).floor() / 1e4)
            )),
        }
    }

    /// The names of the columns that intervals add to `predict`.
    #[must_use]
    pub fn interval_columns(&self) -> &'static [&'static str] {
        if self.target.task == Task::Regression { &["lower", "upper"] } else { &["set"] }
    }
}

/// |y − ŷ| ∕ σ, where σ is learned on the other folds; and σ of all rows.
fn numbers(
    pipeline: &Pipeline,
    known: &OutOfFold,
    features: &Matrix,
    seed: u64,
) -> Result<(Vec<f64>, Option<Spread>), PipelineError> {
    let (y, predictions) = (&known.truth.y, &known.scores.values);
    let unit = pipeline.scale.unit();
    let errors: Vec<f64> = y.iter().zip(predictions).map(|(y, prediction)| (y - prediction).abs() / unit).collect();
    let rows = (0..features.n_rows).map(|row| features.row(row)).zip(predictions.iter().copied());
    let mut values = with_prediction(rows, &pipeline.scale);
    // Future rows are later than these: features that only grow with time would mislead.
    let moving: Vec<bool> = pipeline.features.moving().chain([false]).collect();
    let cells = values.iter_mut().zip(moving.iter().cycle());
    cells.filter(|(_, moving)| **moving).for_each(|(cell, _)| *cell = f32::NAN);
    let names = features.names.iter().cloned().chain(["prediction".to_owned()]).collect();
    let all = Matrix::new(values, features.n_rows, names);
    let fold = |row: usize| hash64(&(row as u64).to_le_bytes(), seed) as usize % FOLDS;
    let weights = known.truth.weights.as_deref();
    let learn = |rows: &[usize]| {
        let part = rows.iter().flat_map(|&row| all.row(row)).copied().collect();
        let part = Matrix::new(part, rows.len(), all.names.clone());
        let errors: Vec<f64> = rows.iter().map(|&row| errors[row]).collect();
        let weights: Option<Vec<f64>> = weights.map(|weights| rows.iter().map(|&row| weights[row]).collect());
        Spread::learn(&part, &errors, weights.as_deref(), seed)
    };
    let mut strangeness = vec![0.0; errors.len()];
    for left_out in 0..FOLDS {
        let (own, others): (Vec<usize>, Vec<usize>) = (0..errors.len()).partition(|&row| fold(row) == left_out);
        let spread = learn(&others)?;
        let part: Vec<f32> = own.iter().flat_map(|&row| all.row(row)).copied().collect();
        for (row, expected) in own.into_iter().zip(spread.of(&part)?) {
            // If the other folds have no error at all, the ratio is infinite, which a file cannot represent.
            strangeness[row] = if errors[row] > 0.0 { (errors[row] / expected).min(1e9) } else { 0.0 };
        }
    }
    Ok((strangeness, Some(learn(&(0..errors.len()).collect::<Vec<_>>())?)))
}

/// 1 − p of the true class.
fn classes(known: &OutOfFold) -> Vec<f64> {
    let rows = known.scores.values.chunks_exact(known.scores.width);
    rows.zip(&known.truth.y).map(|(row, &y)| 1.0 - probabilities(row)[y as usize]).collect()
}

/// The probability of each class.
fn probabilities(scores: &[f64]) -> Vec<f64> {
    match scores {
        [positive] => vec![1.0 - positive, *positive],
        all => all.to_vec(),
    }
}

/// Strangeness of rows, ascending, each with the share of rows up to it: of n rows the k-th has k ∕ (n + 1), because
/// the next row may be stranger than all. Weights count in units of the mean weight.
fn steps(strangeness: &[f64], weights: Option<&[f64]>) -> Vec<(f64, f64)> {
    let n = strangeness.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| strangeness[a].total_cmp(&strangeness[b]));
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let whole: f64 = (0..n).map(weight).sum();
    let whole = whole + whole / n as f64;
    let mut sum = 0.0;
    let all: Vec<(f64, f64)> = order
        .into_iter()
        .map(|row| {
            sum += weight(row);
            (strangeness[row], sum / whole)
        })
        .collect();
    // High levels depend on single rows: store these exactly.
    let every = n.div_ceil(MAX_STEPS).max(1);
    let is_kept = |at: usize| n - at <= MAX_STEPS || (at + 1).is_multiple_of(every);
    all.into_iter().enumerate().filter(|(at, _)| is_kept(*at)).map(|(_, step)| step).collect()
}

fn covered(level: f64, bounds: &[Bound], scores: &Scores, truth: &Weighed) -> Coverage {
    let weight = |row: usize| truth.weights.as_ref().map_or(1.0, |weights| weights[row]);
    let mean = |rows: &[usize], of: &dyn Fn(usize) -> f64| {
        let whole: f64 = rows.iter().map(|&row| weight(row)).sum();
        rows.iter().map(|&row| weight(row) * of(row)).sum::<f64>() / whole
    };
    let held = |row: usize| f64::from(u8::from(bounds[row].holds(truth.y[row])));
    let all: Vec<usize> = (0..bounds.len()).collect();
    let mut widest = all.clone();
    let unsure = |row: usize| match &bounds[row] {
        Bound::Number { .. } => bounds[row].size(),
        Bound::Classes(_) => -probabilities(scores.row(row)).into_iter().fold(0.0, f64::max),
    };
    widest.sort_by(|&a, &b| unsure(b).total_cmp(&unsure(a)).then(a.cmp(&b)));
    widest.truncate(bounds.len().div_ceil(3));
    Coverage {
        level,
        n_rows: bounds.len() as u64,
        held: mean(&all, &held),
        held_widest: mean(&widest, &held),
        mean_size: moments::weighted_mean(bounds.len(), truth.weights.as_deref(), &|row| bounds[row].size()),
    }
}

#[cfg(test)]
#[path = "conformal_tests.rs"]
mod tests;
