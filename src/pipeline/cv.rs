//! Cross-validation: every row scored by a pipeline that did not see it.

use super::fit::evaluation;
use super::trainer::Trainer;
use super::{Examples, FitProgress, PipelineError, Recipe, Scores};
use crate::score::Evaluation;
use crate::table::Schema;
use crate::table::split::{Parts, hash_position};

/// The result of cross-validation.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CrossValidated {
    /// Number of folds.
    pub folds: usize,
    /// The primary metric of each fold; `None` where it is not defined.
    pub by_fold: Vec<Option<f64>>,
    /// Metrics over all out-of-fold scores.
    pub out_of_fold: Evaluation,
}

/// Fits `k` pipelines, each on all folds but one, and evaluates the scores of the held-out rows together.
///
/// Rows that the split keeps together are in one fold. With a split by time each fold is scored by a model of
/// earlier rows, so the earliest rows get no score.
///
/// # Errors
/// If a fold is too small for training.
pub fn cross_validate(
    examples: &Examples,
    schema: &Schema,
    recipe: &Recipe,
    k: usize,
    seed: u64,
    progress: &FitProgress,
) -> Result<CrossValidated, PipelineError> {
    let shares = recipe.split.shares().map_err(PipelineError::Rows)?;
    let trainer = Trainer::new(examples, (&examples.target, schema, recipe), seed, &|_, _, _| {})?;
    let mut rows = Vec::new();
    let mut scores = Scores { values: Vec::new(), width: examples.target.n_scores() };
    let mut by_fold = Vec::new();
    let mut primary = None;
    for (n, (fit_rows, score_rows)) in examples.folds(k, recipe.split.by).into_iter().enumerate() {
        progress("cross-validating", n as u64, k as u64);
        // Tune rows are chosen again among the fold's rows: by a hash independent of the part and the fold.
        let tunes = |row: u32| hash_position(&(examples.keys[row as usize] ^ TUNE_SALT).to_le_bytes()) < shares.tune;
        let (tune, train): (Vec<u32>, Vec<u32>) = fit_rows.iter().partition(|&&row| tunes(row));
        let mut parts = Parts { train, tune, gate: Vec::new() };
        trainer.drop_outliers(examples, &mut parts);
        let Parts { train, tune, .. } = parts;
        examples.check_rows("train", &train)?;
        let pipeline = trainer.learn(examples, trainer.way(examples, &train, &tune))?.pipeline;
        let fold_scores = pipeline.score(&examples.table.take(&score_rows))?;
        let fold =
            evaluation(&pipeline, &fold_scores, &examples.weighed(&score_rows), &examples.weighed(&train), seed)?;
        by_fold.push(fold.primary_value());
        rows.extend(score_rows);
        scores.values.extend(fold_scores.values);
        primary = Some(pipeline);
    }
    let Some(last) = primary else {
        return Err(PipelineError::Rows("cross-validation needs at least 2 folds".to_owned()));
    };
    let truth = examples.weighed(&rows);
    Ok(CrossValidated { folds: k, by_fold, out_of_fold: evaluation(&last, &scores, &truth, &truth, seed)? })
}

const TUNE_SALT: u64 = 0x7475_6e65_7475_6e65;
