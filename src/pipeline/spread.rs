//! Where errors are large: trees that learn |y − ŷ| by a row's features and its prediction.

use super::{PipelineError, TargetScale};
use crate::features::{Matrix, Task};
use crate::model::{FitData, FitOptions, GrowPolicy, Model, Params};
use crate::stats::moments;

/// Errors are mostly noise: use few, small trees with large leaves.
pub(crate) fn error_params() -> Params {
    Params {
        n_estimators: Some(100),
        learning_rate: Some(0.05),
        max_depth: Some(4),
        grow_policy: Some(GrowPolicy::Depthwise),
        min_child_weight: Some(20.0),
        reg_lambda: Some(1.0),
        colsample_bytree: Some(1.0),
        subsample: Some(0.8),
        max_bin: Some(64),
        ..Params::default()
    }
}

/// The rows' features, each extended by the prediction on the trees' scale, row-major.
pub(crate) fn with_prediction<'a>(rows: impl Iterator<Item = (&'a [f32], f64)>, scale: &TargetScale) -> Vec<f32> {
    let mut values = Vec::new();
    for (features, prediction) in rows {
        values.extend_from_slice(features);
        values.push(scale.learned(prediction));
    }
    values
}

/// The expected size of an error, in units of the target's scale.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    pub(super) model: Model,
    /// Minimum expected error of a row.
    pub(super) least: f64,
}

impl Spread {
    /// Minimum expected error, as a share of the mean error.
    const LEAST: f64 = 0.2;

    /// Learns from rows with the prediction as their last feature, and from their errors.
    pub(super) fn learn(
        known: &Matrix,
        errors: &[f64],
        weights: Option<&[f64]>,
        seed: u64,
    ) -> Result<Self, PipelineError> {
        let params = Params { n_estimators: Some(60), learning_rate: Some(0.08), ..error_params() };
        let params = params.check(Task::Regression)?.with_seed(seed);
        let options = FitOptions { params: &params, n_classes: 0, tune: None, progress: None };
        let mean = moments::weighted_mean(errors.len(), weights, &|row| errors[row]);
        let y: Vec<f32> = errors.iter().map(|&error| error as f32).collect();
        let weights = super::weights::of_trees(weights, &y, 0, false);
        let model = Model::fit(&FitData { x: known, y: &y, weights: weights.as_deref() }, &options)?;
        Ok(Self { model, least: Self::LEAST * mean })
    }

    /// The expected error of each row, which has the prediction as its last feature.
    pub(super) fn of(&self, known: &[f32]) -> Result<Vec<f64>, PipelineError> {
        let expected = self.model.scores_of(known)?;
        Ok(expected.into_iter().map(|error| f64::from(error).max(self.least)).collect())
    }
}
