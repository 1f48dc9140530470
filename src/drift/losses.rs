//! Direct loss estimation (DLE): how large a version's errors are on rows without labels.
//!
//! Boosted trees learn |y − ŷ| and (y − ŷ)² from the version's features and its prediction ŷ, on rows with outcomes y
//! that the version was not trained on. Their predictions on other rows, at least 0, are averaged: MAE is the mean of
//! the first, RMSE the root of the mean of the second. Method: NannyML, "Direct loss estimation", 2022.
//!
//! Trees do not extrapolate: values outside the range of their training rows get the error at its edge. Parts of a time
//! that always increase (the year, the month) are therefore left out: every later row would be outside.

use super::estimate::EstimateError;
use super::performance::change;
use super::report::Estimate;
use crate::features::{Matrix, Task};
use crate::model::{FitData, FitOptions, Model};
use crate::pipeline::{Pipeline, TargetScale, error_params, with_prediction};
use crate::score::{Metric, Metrics};
use crate::stats::moments;
use crate::table::Table;

/// What an estimate of numbers cannot see.
pub const DLE_LIMIT: &str = "Estimated from the errors on similar labelled rows, assuming that outcomes still depend \
                             on the columns as they did there. The estimate follows a changed mix of rows where \
                             labelled rows are similar, but is blind to concept drift. Only labelled rows reveal \
                             concept drift.";

/// With fewer labelled rows, the errors cannot be modelled.
pub const MIN_LABELLED_ROWS: usize = 100;

/// A model of a version's errors, from its features and its prediction.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Of |y − ŷ|.
    absolute: Model,
    /// Of (y − ŷ)².
    squared: Model,
}

/// The expected loss of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedLoss {
    /// |y − ŷ|, at least 0.
    pub absolute: f64,
    /// (y − ŷ)², at least 0.
    pub squared: f64,
}

impl Losses {
    /// Learns from `labelled` rows with outcomes `y`. The model must not have been fitted on these rows (use gate rows,
    /// or rows whose outcome arrived later): on its own training rows a model errs less.
    ///
    /// # Errors
    /// Classes instead of numbers, fewer than [`MIN_LABELLED_ROWS`] rows, a missing outcome, or a missing column that
    /// the version needs.
    pub fn learn(pipeline: &Pipeline, labelled: &Table, y: &[f64], seed: u64) -> Result<Self, EstimateError> {
        if pipeline.target.task != Task::Regression {
            return Err(EstimateError::Task { method: "dle", what: "numbers; classes have cbpe" });
        }
        let predictions = pipeline.score(labelled)?.values;
        let features = pipeline.features.transform(labelled)?;
        let mut known = with_prediction(
            (0..features.n_rows).map(|row| features.row(row)).zip(predictions.iter().copied()),
            &pipeline.scale,
        );
        // Later rows have later times. Trees never split on a column that is missing everywhere.
        let moving: Vec<bool> = pipeline.features.moving().chain([false]).collect();
        let cells = known.iter_mut().zip(moving.iter().cycle());
        cells.filter(|(_, moving)| **moving).for_each(|(cell, _)| *cell = f32::NAN);
        let names = features.names.iter().cloned().chain(["prediction".to_owned()]).collect();
        Self::of_errors(&Matrix::new(known, features.n_rows, names), &predictions, y, (pipeline.scale.unit(), seed))
    }

    /// The same from features whose last is the prediction; errors are learned in units of `unit`.
    pub(super) fn of_errors(
        known: &Matrix,
        predictions: &[f64],
        y: &[f64],
        (unit, seed): (f64, u64),
    ) -> Result<Self, EstimateError> {
        if y.len() != predictions.len() || y.iter().any(|y| !y.is_finite()) {
            let text = format!("{} labelled rows need as many outcomes; {} were given", predictions.len(), y.len());
            return Err(EstimateError::Outcomes(text));
        }
        if y.len() < MIN_LABELLED_ROWS {
            return Err(EstimateError::TooFewRows { have: y.len(), need: MIN_LABELLED_ROWS });
        }
        let errors = || y.iter().zip(predictions).map(|(&y, prediction)| (y - prediction) / unit);
        let absolute: Vec<f32> = errors().map(|error| error.abs() as f32).collect();
        let squared: Vec<f32> = errors().map(|error| (error * error) as f32).collect();
        if squared.iter().any(|error| !error.is_finite()) {
            let text = "errors are too large to square: give the target in larger units";
            return Err(EstimateError::Outcomes(text.to_owned()));
        }
        let params = error_params().check(Task::Regression)?.with_seed(seed);
        let options = FitOptions { params: &params, n_classes: 0, tune: None, progress: None };
        let model = |y: &[f32]| Model::fit(&FitData { x: known, y, weights: None }, &options);
        Ok(Self { absolute: model(&absolute)?, squared: model(&squared)? })
    }

    /// The expected losses of rows, from the version's features and its predictions, whose scale is `scale`.
    ///
    /// # Errors
    /// Features that do not belong to the version.
    pub fn expect<'a>(
        &self,
        scale: &TargetScale,
        rows: impl Iterator<Item = (&'a [f32], f64)>,
    ) -> Result<Vec<ExpectedLoss>, EstimateError> {
        let known = with_prediction(rows, scale);
        let unit = scale.unit();
        let least_zero = |loss: f32| f64::from(loss).max(0.0);
        let both = self.absolute.scores_of(&known)?.into_iter().zip(self.squared.scores_of(&known)?);
        Ok(both
            .map(|(a, s)| ExpectedLoss { absolute: least_zero(a) * unit, squared: least_zero(s) * unit * unit })
            .collect())
    }

    /// Both models as bytes, that of |y − ŷ| first.
    ///
    /// # Errors
    /// The engine's error when it writes its trees.
    pub fn to_bytes(&self) -> Result<[Vec<u8>; 2], EstimateError> {
        Ok([self.absolute.to_bytes()?, self.squared.to_bytes()?])
    }

    /// Reads the bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// Anything else.
    pub fn from_bytes(bytes: [&[u8]; 2]) -> Result<Self, EstimateError> {
        Ok(Self { absolute: Model::from_bytes(bytes[0])?, squared: Model::from_bytes(bytes[1])? })
    }
}

/// MAE and RMSE from the expected losses of rows, each beside its value at the gate.
///
/// # Errors
/// No rows.
pub fn dle(expected: &[ExpectedLoss], gate: Option<&Metrics>) -> Result<Estimate, EstimateError> {
    if expected.is_empty() {
        return Err(EstimateError::NoRows);
    }
    let mean = |of: fn(&ExpectedLoss) -> f64| moments::mean(&expected.iter().map(of).collect::<Vec<f64>>());
    let (mae, mse) = (mean(|e| e.absolute), mean(|e| e.squared));
    Ok(Estimate {
        method: "dle".to_owned(),
        n: expected.len() as u64,
        n_learned: 0,
        metrics: vec![change(Metric::Mae, mae, None, gate), change(Metric::Rmse, mse.sqrt(), None, gate)],
        limit: DLE_LIMIT.to_owned(),
    })
}
