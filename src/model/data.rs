//! The input of a fit.

use crate::features::Matrix;
use crate::model::params::Checked;

/// Rows with their targets.
#[derive(Debug, Clone, Copy)]
pub struct FitData<'a> {
    /// The features, `NaN` where missing.
    pub x: &'a Matrix,
    /// One target per row: a class index (0, 1, …) or a value; never missing.
    pub y: &'a [f32],
    /// One weight per row, finite and not negative; if absent, every row weighs 1.
    pub weights: Option<&'a [f32]>,
}

/// One finished boosting round, for progress.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Rounds finished, from 1.
    pub done: usize,
    /// Maximum number of rounds.
    pub most: usize,
    /// Loss on the tune part after this round, if early stopping is on (log loss, or root mean squared error).
    pub tune_loss: Option<f64>,
}

/// How to fit.
#[derive(Clone, Copy)]
pub struct FitOptions<'a> {
    /// Parameters, task and seed.
    pub params: &'a Checked,
    /// Number of classes: 2 for binary, at least 2 for multi-class; not read for regression.
    pub n_classes: usize,
    /// Rows to stop early on; not trained on.
    pub tune: Option<FitData<'a>>,
    /// Called after every boosting round.
    pub progress: Option<&'a (dyn Fn(Round) + Sync)>,
}
