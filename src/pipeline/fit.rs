//! From labelled rows to a pipeline.

use super::conformal::{Intervals, OutOfFold};
use super::crossfit::{Decided, Member, Way, together, with_rounds};
use super::importance::{Importance, MAX_SHUFFLED, importance};
use super::trials::Search;
use super::{
    Examples, Imbalance, Pipeline, PipelineError, Quality, Recipe, Scores, SplitBy, TargetScale, Weighed, weights,
};
use super::{outliers, texts};
use crate::features::derive::{self, Derived};
use crate::features::leaks::find_leaks;
use crate::features::leftout::near_unique;
use crate::features::resample::{Smote, smote_nc};
use crate::features::{FeatureOptions, Features, Matrix, Target, Task};
use crate::model::{FitData, FitOptions, Model, Params, Round, Watched};
use crate::score::threshold::ThresholdRule;
use crate::score::{Baseline, Calibration, EvaluateOptions, Evaluation, Reading, evaluate_entities, threshold};
use crate::table::split::Parts;
use crate::table::{Column, Kind, Schema, Table, Values};
use std::borrow::Cow;
use std::sync::Arc;

/// How far a fit is: (what is being done, steps done, steps in all).
pub type FitProgress<'a> = dyn Fn(&str, u64, u64) + Sync + 'a;

/// A pipeline with what was found out while it was fitted.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// What scores rows.
    pub pipeline: Pipeline,
    /// The rows by use.
    pub parts: Parts,
    /// The labels of the training rows.
    pub taught: Weighed,
    /// Rows to verify a version by.
    pub golden: Table,
    /// Scores of the gate rows.
    pub scores: Scores,
    /// Metrics on the gate rows; `None` when no row was kept for it.
    pub gate: Option<Evaluation>,
    /// Gate rows with their outcome, at most `MAX_LABELLED` of them, where numbers are predicted.
    pub labelled: Option<(Table, Vec<f64>)>,
    /// What is watched of the texts of the gate rows.
    pub texts: Vec<Column>,
    /// Importance of each raw column, largest gain first.
    pub importance: Vec<Importance>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What was tried, where the best of several was wanted.
    pub search: Option<Search>,
}

/// A pipeline with what it was learned by.
pub(super) struct Learned {
    pub(super) pipeline: Pipeline,
    /// The rows that decided.
    known: Option<OutOfFold>,
    /// What was tried, where the best of several was wanted.
    search: Option<Search>,
}

/// Everything that learning is done by.
pub(super) struct Trainer<'a> {
    pub(super) target: &'a Target,
    pub(super) schema: &'a Schema,
    pub(super) recipe: &'a Recipe,
    /// Those of the recipe, with constant columns and those that name rows dropped.
    options: FeatureOptions,
    /// The derived columns of all rows, for what is looked at before anything is learned.
    pub(super) computed: Table,
    /// Which columns are left out because they name rows.
    pub(super) notes: Vec<String>,
    /// How numbers are learned.
    scale: TargetScale,
    pub(super) seed: u64,
    pub(super) progress: &'a FitProgress<'a>,
}

/// What a pipeline is learned on.
pub(super) struct TrainingSet {
    pub(super) features: Features,
    pub(super) train: Part,
    /// The rows that stop, calibrate and choose the threshold.
    pub(super) tune: Option<Part>,
}

/// Rows of the engine; a copy shares its features.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) x: Matrix,
    /// Class index or value as trees learn it, one per row.
    pub(super) y: Vec<f32>,
    /// Weight of each row for trees; all weigh the same when absent.
    pub(super) weights: Option<Vec<f32>>,
    /// How much each row counts in decisions.
    pub(super) counts: Option<Vec<f64>>,
}

/// What is needed of the examples once a pipeline is learned, besides the features of the gate rows.
pub(super) struct HeldOut {
    /// The labels of the gate rows.
    judged: Weighed,
    taught: Weighed,
    golden: Table,
    /// The first gate rows, whose columns are shuffled.
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

/// So many gate rows show where errors are large.
pub const MAX_LABELLED: usize = 20_000;

/// Fits, and evaluates on the gate rows.
///
/// Examples that are given away are let go of as soon as they are features: a large table is then never held together
/// with what is made of it.
///
/// # Errors
/// When there is too little to learn from, or whatever the parts say.
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
            "quality = \"best\" tried nothing: too few rows are left to decide between models ([split] tune)"
                .to_owned(),
        );
    }
    pipeline.intervals = Some(Arc::new(match known {
        Some(known) => Intervals::learn(&pipeline, &known, seed)?,
        None => {
            Intervals::refused("every row taught the model, so that none says how far its answers are off".to_owned())
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

/// The rows that teach the features of a pipeline, statistics of groups among them.
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

/// Metrics of a pipeline on labelled rows; the baseline is what the training labels alone would say.
///
/// # Errors
/// Whatever scoring says.
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

/// Derived features that read a column with a direction and have none themselves.
fn unheld(recipe: &Recipe, schema: &Schema, drop: &[String]) -> Vec<String> {
    let columns: Vec<(&str, Kind)> = schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
    let held = &recipe.model.monotone;
    let mut notes = Vec::new();
    for (derived, read) in derive::origins(&recipe.features.derived, &columns, &recipe.target.column) {
        let free = !held.contains_key(&derived) && !drop.contains(&derived);
        if let Some(column) = read.iter().find(|column| free && held.contains_key(*column)) {
            notes.push(format!(
                "[model.monotone] holds {column:?}, and the derived feature {derived:?}, which reads it, is not held: through it \
                 the prediction may go the other way"
            ));
        }
    }
    notes
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        examples: &Examples,
        (target, schema, recipe): (&'a Target, &'a Schema, &'a Recipe),
        seed: u64,
        progress: &'a FitProgress<'a>,
    ) -> Result<Self, PipelineError> {
        let (table, Parts { train, tune, .. }) = (&examples.table, examples.parts(recipe)?);
        let scale = match target.task {
            Task::Regression => TargetScale::of(&examples.labels(&together(&train, &tune))),
            Task::Binary | Task::Multiclass => TargetScale::default(),
        };
        let mut options = recipe.features.clone();
        let (derived, computed) = Derived::fit(&options.derived, table, Some(&train), &target.name)?;
        let computed = Table::new(computed)?;
        // What a window is computed to is a feature under its own name.
        options.drop.extend_from_slice(derived.window_columns());
        let constant = |name: &str| schema.column(name).is_some_and(|c| c.kind == Kind::Constant);
        options.drop.extend(table.columns().iter().filter(|c| constant(&c.name)).map(|c| c.name.clone()));
        // What says which rows are about the same thing names it; new rows are about others.
        let is_key = |name: &&String| schema.column(name).is_some_and(|c| c.kind == Kind::Text);
        options.drop.extend(recipe.split.column.iter().filter(is_key).cloned());
        let unread =
            table.columns().iter().filter(|c| matches!(c.values, Values::Text(_)) && !options.reads_text(&c.name));
        let unread: Vec<String> = unread.map(|c| c.name.clone()).collect();
        options.drop.extend(unread);
        let mut left_out = near_unique(table, &target.name, &options);
        left_out.extend(near_unique(&computed, &target.name, &options));
        let mut notes: Vec<String> = left_out.iter().map(|left| left.note.clone()).collect();
        options.drop.extend(left_out.into_iter().map(|left| left.column));
        recipe.model.check(target.task)?;
        if examples.weights.is_some()
            && recipe.decision.imbalance == Imbalance::Smote
            && target.task != Task::Regression
        {
            return Err(PipelineError::Rows(weights::NO_SMOTE.to_owned()));
        }
        notes.extend(unheld(recipe, schema, &options.drop));
        Ok(Self { target, schema, recipe, options, computed, notes, scale, seed, progress })
    }

    /// The same, which tells how far it is to `progress`; what is looked at before anything is learned is not among it.
    pub(super) fn telling<'b>(&'b self, progress: &'b FitProgress<'b>) -> Trainer<'b> {
        let Self { target, schema, recipe, scale, seed, .. } = *self;
        let (options, computed, notes) = (self.options.clone(), Table::default(), Vec::new());
        Trainer { target, schema, recipe, options, computed, notes, scale, seed, progress }
    }

    /// Takes rows with outliers out of those that are learned from, where that is asked for; says what was found.
    pub(super) fn drop_outliers(&self, examples: &Examples, parts: &mut Parts) -> Option<String> {
        let found = outliers::look(examples, &self.computed, &together(&parts.train, &parts.tune), &self.options);
        let kept = |row: &u32| found.rows.binary_search(row).is_ok();
        parts.train.retain(kept);
        parts.tune.retain(kept);
        found.note
    }

    /// Learns a pipeline the given way; and the rows that decided, as models scored them that had not seen them.
    pub(super) fn learn(&self, examples: &Examples, way: Way) -> Result<Learned, PipelineError> {
        let (train, tune, again) = match way {
            way @ (Way::Folds(..) | Way::Twice { .. }) if self.recipe.quality == Quality::Best => {
                let rows = way.all();
                let (decided, search) = self.search(examples, way)?;
                let (pipeline, known) = self.learn_all(examples, &rows, decided)?;
                return Ok(Learned { pipeline, known: Some(known), search: Some(search) });
            }
            Way::Folds(k, rows) => {
                let decided = self.cross_fit(examples, &rows, k)?;
                let (pipeline, known) = self.learn_all(examples, &rows, decided)?;
                return Ok(Learned { pipeline, known: Some(known), search: None });
            }
            Way::Twice { train, tune } => (train, tune, true),
            Way::Once { train, tune } => (train, tune, false),
        };
        examples.check_rows("train", &train)?;
        let (mut pipeline, mut known) = self.train(self.training_set(examples, &train, &tune)?)?;
        if again && !tune.is_empty() {
            let params = with_rounds(&self.recipe.model, &pipeline.model, pipeline.model.rounds());
            let set = self.training_set(examples, &together(&train, &tune), &[])?;
            pipeline.model = self.model(&set.features, set.train, None, &params, self.seed)?;
            pipeline.features = set.features;
            if let Some(known) = &mut known {
                known.features = self.known_features(&pipeline, examples, &tune)?;
            }
        }
        Ok(Learned { pipeline, known, search: None })
    }

    /// The features of rows that decided, where numbers are predicted.
    fn known_features(
        &self,
        pipeline: &Pipeline,
        examples: &Examples,
        rows: &[u32],
    ) -> Result<Option<Matrix>, PipelineError> {
        let is_number = self.target.task == Task::Regression;
        Ok(is_number.then(|| pipeline.features.transform(&examples.table.take(rows))).transpose()?)
    }

    /// A pipeline of all `rows` with what models decided that had not seen them.
    fn learn_all(
        &self,
        examples: &Examples,
        rows: &[u32],
        decided: Decided,
    ) -> Result<(Pipeline, OutOfFold), PipelineError> {
        let set = self.training_set(examples, rows, &[])?;
        let fitted = |(member, weight): &(Member, f64)| {
            let model = self.model(&set.features, set.train.clone(), None, &member.params, member.seed)?;
            Ok((model, *weight))
        };
        let mut members = decided.members.iter().map(fitted).collect::<Result<Vec<_>, PipelineError>>()?;
        let model = match members.len() {
            1 => members.remove(0).0,
            _ => Model::blend(&members)?,
        };
        let mut pipeline = self.pipeline(set.features, model);
        if let Some(alerts) = self.decide(&mut pipeline, &decided.truth, decided.scores.clone())? {
            self.lift(&mut pipeline, examples, rows, alerts)?;
        }
        let known = OutOfFold {
            features: self.known_features(&pipeline, examples, &decided.rows)?,
            scores: pipeline.scores_of(decided.scores),
            truth: examples.weighed(&decided.rows),
        };
        Ok((pipeline, known))
    }

    /// Models of the folds of a few positives have other levels of scores than the model of all rows. A threshold for the
    /// highest F1 below all scores of that one calls everything positive: it is lifted to where it calls the share of rows
    /// that it called in the folds, or fewer where scores are equal.
    fn lift(
        &self,
        pipeline: &mut Pipeline,
        examples: &Examples,
        rows: &[u32],
        alerts: f64,
    ) -> Result<(), PipelineError> {
        if self.recipe.decision.threshold != ThresholdRule::F1 {
            return Ok(());
        }
        let scores = pipeline.score(&examples.table.take(rows))?.values;
        let mut order: Vec<u32> = (0..).zip(&scores).map(|(at, _)| at).collect();
        order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
        let wanted = match weights::at(examples.weights.as_deref(), rows) {
            None => (alerts * scores.len() as f64).round() as usize,
            Some(counts) => weights::most(&counts, &order, alerts),
        };
        let scores: Vec<f64> = order.iter().map(|&at| scores[at as usize]).collect();
        let below = pipeline.threshold.filter(|threshold| scores.last().is_some_and(|least| least >= threshold));
        let Some(&first_below) = scores.get(wanted).filter(|_| below.is_some()) else { return Ok(()) };
        let end = scores.partition_point(|&score| score > first_below);
        pipeline.threshold = Some(match end {
            0 => first_below.next_up(),
            _ => f64::midpoint(scores[end - 1], first_below).max(first_below.next_up()),
        });
        Ok(())
    }

    /// As [`Trainer::learn`], once, giving up the examples on the way; and the features of the gate rows.
    fn learn_from(
        &self,
        mut examples: Examples,
        parts: &Parts,
    ) -> Result<(Pipeline, Option<OutOfFold>, Matrix), PipelineError> {
        examples.check_rows("train", &parts.train)?;
        let can_tune = !parts.tune.is_empty();
        let (y, tune_y) = (self.learned(&examples, &parts.train), self.learned(&examples, &parts.tune));
        let groups = self.groups(&examples, &parts.train);
        let counts = |rows| weights::at(examples.weights.as_deref(), rows);
        let (counts, tune_counts) = (counts(&parts.train), counts(&parts.tune));
        let table = std::mem::take(&mut examples.table);
        drop(examples);
        let rows = (parts.train.as_slice(), [parts.tune.as_slice(), &parts.gate]);
        let taught = (self.target, y.as_slice(), groups.as_deref());
        let (features, x, [tune_x, gate]) = Features::fit_from(table, rows, taught, &self.options, self.seed)?;
        let tune = can_tune.then(|| self.part(tune_x, tune_y, tune_counts));
        let (pipeline, known) = self.train(TrainingSet { features, train: self.part(x, y, counts), tune })?;
        Ok((pipeline, known, gate))
    }

    /// Features and rows to learn from, after what is done about rare classes; no tune part when `tune` is empty.
    pub(super) fn training_set(
        &self,
        examples: &Examples,
        train: &[u32],
        tune: &[u32],
    ) -> Result<TrainingSet, PipelineError> {
        let options = &self.options;
        let mut table = examples.table.take(train);
        let (mut y, mut n_made) = (self.learned(examples, train), 0);
        if self.makes_rows() {
            let made = smote_nc(&table, self.target, &y, &self.not_made(), &Smote::default(), self.seed)?;
            (table, y, n_made) = (made.table, made.y, made.n_synthetic);
        }
        let groups = self.groups(examples, train);
        let taught = (self.target, y.as_slice(), groups.as_deref());
        let (features, x) = Features::fit_with_made(&table, n_made, taught, options, self.seed)?;
        drop(table);
        let counts = |rows| weights::at(examples.weights.as_deref(), rows);
        let tune = match tune {
            [] => None,
            _ => {
                let x = features.transform(&examples.table.take(tune))?;
                Some(self.part(x, self.learned(examples, tune), counts(tune)))
            }
        };
        Ok(TrainingSet { features, train: self.part(x, y, counts(train)), tune })
    }

    /// What the rows are about, where the split keeps rows about one thing together.
    fn groups(&self, examples: &Examples, rows: &[u32]) -> Option<Vec<u64>> {
        let keys = || rows.iter().map(|&row| examples.keys[row as usize]).collect();
        (self.recipe.split.by == SplitBy::Column).then(keys)
    }

    /// The labels of `rows` as trees learn them.
    fn learned(&self, examples: &Examples, rows: &[u32]) -> Vec<f32> {
        rows.iter().map(|&row| self.scale.learned(examples.y[row as usize])).collect()
    }

    fn part(&self, x: Matrix, y: Vec<f32>, counts: Option<Vec<f64>>) -> Part {
        let n_classes = self.target.classes.len();
        let balanced = n_classes > 0 && self.recipe.decision.imbalance == Imbalance::Weights;
        let weights = weights::of_trees(counts.as_deref(), &y, n_classes, balanced);
        Part { x, y, weights, counts }
    }

    /// The pipeline that a training set gives, with its decisions made on the tune rows.
    fn train(&self, set: TrainingSet) -> Result<(Pipeline, Option<OutOfFold>), PipelineError> {
        let TrainingSet { features, train, tune } = set;
        let model = self.model(&features, train, tune.as_ref(), &self.recipe.model, self.seed)?;
        let mut pipeline = self.pipeline(features, model);
        let Some(Part { x, y, counts, .. }) = tune else { return Ok((pipeline, None)) };
        let scores = pipeline.model.scores(&x)?.into_iter().map(f64::from).collect::<Vec<f64>>();
        let truth = Weighed { y: y.iter().copied().map(f64::from).collect(), weights: counts, entities: None };
        self.decide(&mut pipeline, &truth, scores.clone())?;
        let known = OutOfFold {
            features: (self.target.task == Task::Regression).then_some(x),
            scores: pipeline.scores_of(scores),
            truth: Weighed { y: y.into_iter().map(|y| self.scale.told(y)).collect(), ..truth },
        };
        Ok((pipeline, Some(known)))
    }

    /// A pipeline whose scores are those of the model.
    fn pipeline(&self, features: Features, model: Model) -> Pipeline {
        Pipeline {
            schema: self.schema.clone(),
            target: self.target.clone(),
            features,
            model,
            scale: self.scale,
            calibration: Calibration::None,
            threshold: (self.target.task == Task::Binary).then(|| self.recipe.decision.untuned_threshold()),
            intervals: None,
        }
        .know_levels()
    }

    /// The model of rows that are given up, stopped early on the tune rows.
    fn model(
        &self,
        features: &Features,
        train: Part,
        tune: Option<&Part>,
        params: &Params,
        seed: u64,
    ) -> Result<Model, PipelineError> {
        let watched = self.watch(features, train, tune, params, seed)?;
        Ok(match watched.best {
            Some(best) => watched.model.first(best + 1)?,
            None => watched.model,
        })
    }

    /// As [`Trainer::model`], with all rounds and their losses.
    pub(super) fn watch(
        &self,
        features: &Features,
        train: Part,
        tune: Option<&Part>,
        params: &Params,
        seed: u64,
    ) -> Result<Watched, PipelineError> {
        let progress = |round: Round| (self.progress)("fitting", round.done as u64, round.most as u64);
        // Of the recipe: parameters that repeat a plan do not name columns.
        let limits = self.recipe.model.limits(features)?;
        let params = params.check(self.target.task)?.with_seed(seed).with_limits(limits);
        let options = FitOptions {
            params: &params,
            n_classes: self.target.classes.len(),
            tune: tune.map(|tune| FitData { x: &tune.x, y: &tune.y, weights: tune.weights.as_deref() }),
            progress: Some(&progress),
        };
        let Part { x, y, weights, .. } = train;
        Ok(Model::watch(x, &y, weights.as_deref(), &options)?)
    }

    /// Calibration and threshold, chosen on scores of rows that the scoring model did not see.
    fn decide(
        &self,
        pipeline: &mut Pipeline,
        truth: &Weighed,
        mut scores: Vec<f64>,
    ) -> Result<Option<f64>, PipelineError> {
        if pipeline.target.task == Task::Regression {
            return Ok(None);
        }
        let decision = &self.recipe.decision;
        let n_classes = pipeline.target.classes.len();
        let (y, counts) = (truth.y.as_slice(), truth.weights.as_deref());
        let fitted = Calibration::fit(decision.calibration, n_classes, y, &scores, counts, self.seed)?;
        pipeline.calibration = fitted.calibration;
        if pipeline.target.task != Task::Binary {
            return Ok(None);
        }
        pipeline.calibration.apply_all(&mut scores, 1);
        let chosen = threshold::choose(decision.threshold, y, &scores, counts)?;
        pipeline.threshold = Some(chosen.threshold);
        Ok(Some(chosen.alerts))
    }

    /// Columns that may know the target.
    fn suspicions(&self, examples: &Examples) -> Vec<String> {
        let Examples { table, target, y, .. } = examples;
        let of = |table| find_leaks(table, target, y, &self.options.drop, self.seed);
        let mut found = of(table);
        if !self.computed.columns().is_empty() {
            found.extend(of(&self.computed));
        }
        found.iter().map(ToString::to_string).collect()
    }

    /// The columns that made-up rows take from a real one: those that no feature is, or is derived from.
    fn not_made(&self) -> Vec<String> {
        let columns: Vec<(&str, Kind)> = self.schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        let origins = derive::origins(&self.options.derived, &columns, &self.target.name);
        let read = |name: &String| {
            let is_kept = |derived: &String| !self.options.drop.contains(derived);
            origins.iter().any(|(derived, columns)| is_kept(derived) && columns.contains(name))
        };
        self.options.drop.iter().filter(|name| !read(name)).cloned().collect()
    }

    /// Whether rows of rare classes are made up.
    fn makes_rows(&self) -> bool {
        self.target.task != Task::Regression && self.recipe.decision.imbalance == Imbalance::Smote
    }
}
