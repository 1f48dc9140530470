//! From labelled rows to a pipeline.

use super::conformal::Intervals;
use super::crossfit::{Way, together};
use super::importance::{Importance, MAX_SHUFFLED, importance};
use super::trainer::{FitProgress, Trainer};
use super::trials::Search;
use super::{Examples, Pipeline, PipelineError, Quality, Recipe, Scores, Weighed, texts};
use crate::features::{Matrix, Task};
use crate::score::{Baseline, EvaluateOptions, Evaluation, Reading, evaluate_entities};
use crate::table::split::Parts;
use crate::table::{Column, Schema, Table};
use std::borrow::Cow;
use std::sync::Arc;

/// A pipeline with the findings of its fit.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The pipeline that scores rows.
    pub pipeline: Pipeline,
    /// The rows by use.
    pub parts: Parts,
    /// The labels of the training rows.
    pub taught: Weighed,
    /// Rows to verify a version by.
    pub golden: Table,
    /// Scores of the gate rows.
    pub scores: Scores,
    /// Metrics on the gate rows; `None` without gate rows.
    pub gate: Option<Evaluation>,
    /// Gate rows with their outcome, at most `MAX_LABELLED` of them, where numbers are predicted.
    pub labelled: Option<(Table, Vec<f64>)>,
    /// The monitored columns for texts of the gate rows.
    pub texts: Vec<Column>,
    /// Importance of each raw column, largest gain first.
    pub importance: Vec<Importance>,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// The trials, if a search was made.
    pub search: Option<Search>,
}

/// The examples kept after fitting, besides the features of the gate rows.
pub(super) struct HeldOut {
    /// The labels of the gate rows.
    judged: Weighed,
    taught: Weighed,
    golden: Table,
    /// The first gate rows, for permutation importance.
    first: Table,
    /// Gate rows, taken evenly, with their labels, where numbers are predicted.
    labelled: Option<(Table, Vec<f64>)>,
    /// The texts of the gate rows.
    texts: Table,
}

impl HeldOut {
    pub(super) fn new(examples: &Examples, parts: &Parts) -> Self {
        let gate = &parts.gate;
        let evenly =
            || -> Vec<u32> { gate.iter().copied().step_by(gate.len().div_ceil(MAX_LABELLED).max(1)).collect() };
        Self {
            judged: examples.weighed(gate),
            taught: examples.weighed(&parts.train),
            golden: examples.golden(parts),
            first: examples.table.take(&gate[..gate.len().min(MAX_SHUFFLED)]),
            texts: texts::only_texts(&examples.table, gate),
            labelled: (examples.target.task == Task::Regression).then(|| {
                let rows = evenly();
                (examples.table.take(&rows), examples.labels(&rows))
            }),
        }
    }
}

/// Maximum number of gate rows for showing where errors are large.
pub const MAX_LABELLED: usize = 20_000;

/// Fits, and evaluates on the gate rows.
///
/// Owned examples are dropped once encoded as features: a large table and its features are never both in memory.
///
/// # Errors
/// If there are too few rows to train on, or any error of the parts.
pub fn fit(
    examples: Cow<'_, Examples>,
    schema: &Schema,
    recipe: &Recipe,
    seed: u64,
    progress: &FitProgress,
) -> Result<Fitted, PipelineError> {
    let mut parts = examples.parts(recipe)?;
    let target = examples.target.clone();
    let mut trainer = Trainer::new(&examples, (&target, schema, recipe), seed, progress)?;
    let mut notes = examples.notes.clone();
    notes.extend(examples.rare()?);
    notes.extend(examples.coarse());
    notes.extend(examples.copies(&parts, schema, recipe)?);
    notes.extend(trainer.notes.iter().cloned());
    notes.extend(trainer.suspicions(&examples));
    notes.extend(trainer.drop_outliers(&examples, &mut parts));
    trainer.computed = Table::default();
    let way = trainer.way(&examples, &parts.train, &parts.tune);
    let held_out = HeldOut::new(&examples, &parts);
    let mut search = None;
    let (mut pipeline, known, gate) = match (examples, way) {
        (Cow::Owned(examples), Way::Once { train, tune }) if !trainer.makes_rows() => {
            trainer.learn_from(examples, &Parts { train, tune, gate: parts.gate.clone() })?
        }
        (examples, way) => {
            let learned = trainer.learn(&examples, way)?;
            let gate = learned.pipeline.features.transform(&examples.table.take(&parts.gate))?;
            search = learned.search;
            (learned.pipeline, learned.known, gate)
        }
    };
    if recipe.quality == Quality::Best && search.is_none() {
        notes.push(
            "quality = \"best\" tried nothing: too few tune rows are left to choose between models ([split] tune)"
                .to_owned(),
        );
    }
    pipeline.intervals = Some(Arc::new(match known {
        Some(known) => Intervals::learn(&pipeline, &known, seed)?,
        None => {
            Intervals::refused("every row was used for training, so none is left to estimate the errors".to_owned())
        }
    }));
    progress("evaluating", 0, 1);
    Ok(Fitted { search, ..evaluated(pipeline, &gate, held_out, parts, notes, seed)? })
}

/// A pipeline with its metrics on the gate rows, whose features are `x`, and the importance of its columns.
pub(super) fn evaluated(
    pipeline: Pipeline,
    x: &Matrix,
    held_out: HeldOut,
    parts: Parts,
    notes: Vec<String>,
    seed: u64,
) -> Result<Fitted, PipelineError> {
    let HeldOut { judged, taught, golden, first, labelled, texts } = held_out;
    let scores = pipeline.score_matrix(x)?;
    let pipeline = match pipeline.intervals.clone() {
        Some(intervals) => {
            let mut intervals = Arc::unwrap_or_clone(intervals);
            intervals.measure(&pipeline, x, &scores, &judged)?;
            Pipeline { intervals: Some(Arc::new(intervals)), ..pipeline }
        }
        None => pipeline,
    };
    let gate = match judged.y.is_empty() {
        true => None,
        false => Some(evaluation(&pipeline, &scores, &judged, &taught, seed)?),
    };
    let importance = importance(&pipeline, &first, &judged.first(first.n_rows()), seed)?;
    let texts = pipeline.text_columns(&texts);
    Ok(Fitted { pipeline, parts, taught, golden, scores, gate, labelled, texts, importance, notes, search: None })
}

/// The rows on which the features of a pipeline are fitted, including statistics of groups.
///
/// # Errors
/// As [`fit`].
pub fn rows_that_teach(
    examples: &Examples,
    schema: &Schema,
    recipe: &Recipe,
    seed: u64,
) -> Result<Vec<u32>, PipelineError> {
    let mut parts = examples.parts(recipe)?;
    let trainer = Trainer::new(examples, (&examples.target, schema, recipe), seed, &|_, _, _| {})?;
    trainer.drop_outliers(examples, &mut parts);
    Ok(match trainer.way(examples, &parts.train, &parts.tune) {
        Way::Folds(_, rows) => rows,
        Way::Twice { train, tune } => together(&train, &tune),
        Way::Once { train, .. } => train,
    })
}

/// Metrics of a pipeline on labelled rows; the baseline predicts from the training labels alone.
///
/// # Errors
/// Errors of scoring.
pub fn judge(
    pipeline: &Pipeline,
    rows: &Table,
    judged: &Weighed,
    taught: &Weighed,
    seed: u64,
) -> Result<Evaluation, PipelineError> {
    evaluation(pipeline, &pipeline.score(rows)?, judged, taught, seed)
}

/// Metrics of scores.
pub(super) fn evaluation(
    pipeline: &Pipeline,
    scores: &Scores,
    judged: &Weighed,
    taught: &Weighed,
    seed: u64,
) -> Result<Evaluation, PipelineError> {
    let baseline = Baseline::fit(pipeline.target.classes.len(), &taught.y, taught.weights.as_deref());
    let options = EvaluateOptions { seed, ..Default::default() };
    let reading = Reading { weights: judged.weights.as_deref(), ..pipeline.reading(scores, &judged.y) };
    Ok(evaluate_entities(&reading, judged.entities.as_deref(), Some(&baseline), options)?)
}
