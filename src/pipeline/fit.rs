//! From labelled rows to a pipeline.

use super::importance::{Importance, importance};
use super::{Examples, Imbalance, Pipeline, PipelineError, Recipe, Scores};
use crate::features::leaks::find_leaks;
use crate::features::resample::{Smote, row_weights, smote_nc};
use crate::features::{FeatureOptions, Features, Task};
use crate::model::{Algorithm, FitData, FitOptions, Model, Params, Round};
use crate::score::{Baseline, Calibration, EvaluateOptions, Evaluation, Reading, evaluate, threshold};
use crate::table::split::Parts;
use crate::table::{Kind, Schema, Table};
use std::borrow::Cow;

/// How far a fit is: (what is being done, steps done, steps in all).
pub type FitProgress<'a> = dyn Fn(&'static str, u64, u64) + Sync + 'a;

/// A pipeline with what was found out while it was fitted.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// What scores rows.
    pub pipeline: Pipeline,
    /// The rows by use.
    pub parts: Parts,
    /// Metrics on the gate rows; `None` when no row was kept for it.
    pub gate: Option<Evaluation>,
    /// Importance of each raw column, largest gain first.
    pub importance: Vec<Importance>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Everything that learning is done by.
#[derive(Clone, Copy)]
pub(super) struct Teacher<'a> {
    pub(super) examples: &'a Examples,
    pub(super) schema: &'a Schema,
    pub(super) recipe: &'a Recipe,
    pub(super) seed: u64,
    pub(super) progress: &'a FitProgress<'a>,
}

/// What a model is fitted on.
struct Lesson {
    table: Table,
    /// Class index or value, one per row.
    y: Vec<f32>,
    /// Weight of each row; all weigh the same when absent.
    weights: Option<Vec<f32>>,
}

/// Fewer rows than this cannot stop, calibrate or choose a threshold.
const MIN_TUNE_ROWS: usize = 30;
/// Up to so many rows, the tune rows also teach once they have tuned: small tables need every row.
const REFIT_UP_TO: usize = 50_000;

/// Fits, and evaluates on the gate rows.
///
/// # Errors
/// When there is too little to learn from, or whatever the parts say.
pub fn fit(
    examples: &Examples,
    schema: &Schema,
    recipe: &Recipe,
    seed: u64,
    progress: &FitProgress,
) -> Result<Fitted, PipelineError> {
    let parts = examples.parts(recipe)?;
    let teacher = Teacher { examples, schema, recipe, seed, progress };
    let mut notes = examples.notes.clone();
    notes.extend(teacher.suspicions());
    let pipeline = teacher.learn(&parts.train, &parts.tune)?;
    progress("evaluating", 0, 1);
    evaluated(pipeline, examples, parts, notes, seed)
}

/// A pipeline with its metrics on the gate rows and the importance of its columns.
pub(super) fn evaluated(
    pipeline: Pipeline,
    examples: &Examples,
    parts: Parts,
    notes: Vec<String>,
    seed: u64,
) -> Result<Fitted, PipelineError> {
    let rows = examples.table.take(&parts.gate);
    let y = examples.labels(&parts.gate);
    let gate = match y.is_empty() {
        true => None,
        false => Some(judge(&pipeline, &rows, &y, &examples.labels(&parts.train), seed)?),
    };
    let importance = importance(&pipeline, &rows, &y, seed)?;
    Ok(Fitted { pipeline, parts, gate, importance, notes })
}

/// Metrics of a pipeline on labelled rows; the baseline is what the training labels alone would say.
///
/// # Errors
/// Whatever scoring says.
pub fn judge(
    pipeline: &Pipeline,
    rows: &Table,
    y: &[f32],
    train_y: &[f32],
    seed: u64,
) -> Result<Evaluation, PipelineError> {
    evaluation(pipeline, &pipeline.score(rows)?, y, train_y, seed)
}

/// Metrics of scores.
pub(super) fn evaluation(
    pipeline: &Pipeline,
    scores: &Scores,
    y: &[f32],
    train_y: &[f32],
    seed: u64,
) -> Result<Evaluation, PipelineError> {
    let baseline = Baseline::fit(pipeline.target.classes.len(), train_y, None);
    let options = EvaluateOptions { seed, ..Default::default() };
    Ok(evaluate(&reading(pipeline, scores, y), Some(&baseline), options)?)
}

/// Scores with their truth, as the metrics take them.
pub(super) fn reading<'a>(pipeline: &'a Pipeline, scores: &'a Scores, y: &'a [f32]) -> Reading<'a> {
    Reading {
        task: pipeline.target.task,
        classes: &pipeline.target.classes,
        y,
        scores: &scores.values,
        weights: None,
        threshold: pipeline.threshold.unwrap_or(0.5),
    }
}

impl Teacher<'_> {
    /// Learns a pipeline from `train`, tuned on `tune`.
    ///
    /// Small tables are learned twice: once without the tune rows, which then say when to stop, how scores become
    /// probabilities and where the threshold lies, and once more with them.
    pub(super) fn learn(&self, train: &[u32], tune: &[u32]) -> Result<Pipeline, PipelineError> {
        let Self { examples, recipe, .. } = self;
        examples.check_rows("train", train)?;
        let can_tune = tune.len() >= MIN_TUNE_ROWS && examples.check_rows("tune", tune).is_ok();
        let tune_part = can_tune.then(|| (examples.table.take(tune), examples.labels(tune)));
        let (features, model) = self.stage(train, tune_part.as_ref(), &recipe.model)?;
        let mut pipeline = Pipeline {
            schema: self.schema.clone(),
            target: examples.target.clone(),
            features,
            model,
            calibration: Calibration::None,
            threshold: (examples.target.task == Task::Binary).then(|| recipe.decision.untuned_threshold()),
        };
        let Some((rows, y)) = &tune_part else { return Ok(pipeline) };
        self.decide(&mut pipeline, rows, y)?;
        if train.len() + tune.len() <= REFIT_UP_TO {
            let mut all = [train, tune].concat();
            all.sort_unstable();
            let mut params = recipe.model.clone();
            if params.algorithm == Algorithm::GradientBoosting {
                params.n_estimators = Some(u32::try_from(pipeline.model.rounds().max(1)).unwrap_or(u32::MAX));
                params.early_stopping_rounds = Some(0);
            }
            (pipeline.features, pipeline.model) = self.stage(&all, None, &params)?;
        }
        Ok(pipeline)
    }

    /// Features and model from `rows`, stopped early on `tune` when it is given.
    fn stage(
        &self,
        rows: &[u32],
        tune: Option<&(Table, Vec<f32>)>,
        params: &Params,
    ) -> Result<(Features, Model), PipelineError> {
        let Self { examples, seed, .. } = *self;
        let Lesson { table, y, weights } = self.balanced(rows)?;
        let (features, matrix) = Features::fit(&table, &examples.target, &y, &self.options(), seed)?;
        drop(table);
        let tune = match tune {
            Some((rows, y)) => Some((features.transform(rows)?, y, self.weights(y))),
            None => None,
        };
        let progress = |round: Round| (self.progress)("fitting", round.done as u64, round.most as u64);
        let params = params.check(examples.target.task)?.with_seed(seed);
        let options = FitOptions {
            params: &params,
            n_classes: examples.target.classes.len(),
            tune: tune.as_ref().map(|(x, y, weights)| FitData { x, y, weights: weights.as_deref() }),
            progress: Some(&progress),
        };
        let data = FitData { x: &matrix, y: &y, weights: weights.as_deref() };
        let model = Model::fit(&data, &options)?;
        Ok((features, model))
    }

    /// Calibration and threshold, chosen on the tune rows.
    fn decide(&self, pipeline: &mut Pipeline, rows: &Table, y: &[f32]) -> Result<(), PipelineError> {
        if pipeline.target.task == Task::Regression {
            return Ok(());
        }
        let decision = &self.recipe.decision;
        let n_classes = pipeline.target.classes.len();
        let mut scores = pipeline.score(rows)?;
        let fitted = Calibration::fit(decision.calibration, n_classes, y, &scores.values, None, self.seed)?;
        pipeline.calibration = fitted.calibration;
        if pipeline.target.task == Task::Binary {
            pipeline.calibration.apply_all(&mut scores.values, scores.width);
            pipeline.threshold = Some(threshold::choose(decision.threshold, y, &scores.values, None)?.threshold);
        }
        Ok(())
    }

    /// Columns that may know the target.
    fn suspicions(&self) -> Vec<String> {
        let Examples { table, target, y, .. } = self.examples;
        let options = self.options();
        let skip: Vec<String> = options.drop.clone();
        find_leaks(table, target, y, &skip, self.seed).iter().map(ToString::to_string).collect()
    }

    /// The rows to learn from after what is done about rare classes, their labels and their weights.
    fn balanced(&self, rows: &[u32]) -> Result<Lesson, PipelineError> {
        let Self { examples, recipe, seed, .. } = *self;
        let table = examples.table.take(rows);
        let y = examples.labels(rows);
        if examples.target.task == Task::Regression || recipe.decision.imbalance != Imbalance::Smote {
            let weights = self.weights(&y);
            return Ok(Lesson { table, y, weights });
        }
        let skip = &self.options().drop;
        let resampled = smote_nc(&table, &examples.target, &y, skip, &Smote::default(), seed)?;
        Ok(Lesson { table: resampled.table, y: resampled.y, weights: None })
    }

    /// A weight per row, in inverse proportion to its class.
    fn weights(&self, y: &[f32]) -> Option<Vec<f32>> {
        let n_classes = self.examples.target.classes.len();
        let wanted = n_classes > 0 && self.recipe.decision.imbalance == Imbalance::Weights;
        wanted.then(|| row_weights(y, n_classes))
    }

    /// The options of `[features]`, with the columns that `[columns]` calls constant dropped.
    fn options(&self) -> Cow<'_, FeatureOptions> {
        let constant = |name: &str| self.schema.column(name).is_some_and(|c| c.kind == Kind::Constant);
        let columns = self.examples.table.columns();
        let constants: Vec<String> = columns.iter().filter(|c| constant(&c.name)).map(|c| c.name.clone()).collect();
        if constants.is_empty() {
            return Cow::Borrowed(&self.recipe.features);
        }
        let mut options = self.recipe.features.clone();
        options.drop.extend(constants);
        Cow::Owned(options)
    }
}
