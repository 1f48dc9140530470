//! Trains a pipeline.

use super::conformal::OutOfFold;
use super::crossfit::{Decided, Way, n_cells, together, with_rounds};
use super::decide::{decide, lift};
use super::trials::Search;
use super::{
    Examples, Imbalance, Pipeline, PipelineError, Quality, Recipe, SplitBy, TargetScale, Weighed, outliers, weights,
};
use crate::features::derive::{self, Derived};
use crate::features::leaks::find_leaks;
use crate::features::leftout::near_unique;
use crate::features::resample::{Smote, smote_nc};
use crate::features::{FeatureOptions, Features, Matrix, Target, Task};
use crate::model::{FitData, FitOptions, Model, Params, Round, Watched};
use crate::score::Calibration;
use crate::table::split::Parts;
use crate::table::{Kind, Schema, Table, Values};

/// The progress of a fit: (current step, steps done, steps in all).
pub type FitProgress<'a> = dyn Fn(&str, u64, u64) + Sync + 'a;

/// A pipeline with the results of its training.
pub(super) struct Learned {
    pub(super) pipeline: Pipeline,
    /// The rows used for decisions.
    pub(super) known: Option<OutOfFold>,
    /// The trials, if a search was made.
    pub(super) search: Option<Search>,
}

/// Where a fit stopped.
struct Stopped {
    rounds: usize,
    /// What its margins were multiplied by.
    factor: f64,
}

/// The settings of a training.
pub(super) struct Trainer<'a> {
    pub(super) target: &'a Target,
    pub(super) schema: &'a Schema,
    pub(super) recipe: &'a Recipe,
    /// The feature options of the recipe; also drops constant columns and columns that identify rows.
    options: FeatureOptions,
    /// The derived columns of all rows, for checks before training.
    pub(super) computed: Table,
    /// The columns excluded because they identify rows.
    pub(super) notes: Vec<String>,
    /// How numbers are learned.
    scale: TargetScale,
    pub(super) seed: u64,
    pub(super) progress: &'a FitProgress<'a>,
}

/// The data of a training.
pub(super) struct TrainingSet {
    pub(super) features: Features,
    pub(super) train: Part,
    /// The rows for early stopping, calibration and the threshold.
    pub(super) tune: Option<Part>,
}

/// Rows in the engine's form; a copy shares the features.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) x: Matrix,
    /// Class index, or value on the trees' scale, one per row.
    pub(super) y: Vec<f32>,
    /// Weight of each row for trees; all weigh the same when absent.
    pub(super) weights: Option<Vec<f32>>,
    /// How much each row counts in decisions.
    pub(super) counts: Option<Vec<f64>>,
}

/// Derived features without a direction that read a column with one.
fn unheld(recipe: &Recipe, schema: &Schema, drop: &[String]) -> Vec<String> {
    let columns: Vec<(&str, Kind)> = schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
    let held = &recipe.model.monotone;
    let mut notes = Vec::new();
    for (derived, read) in derive::origins(&recipe.features.derived, &columns, &recipe.target.column) {
        let free = !held.contains_key(&derived) && !drop.contains(&derived);
        if let Some(column) = read.iter().find(|column| free && held.contains_key(*column)) {
            notes.push(format!(
                "[model.monotone] constrains {column:?}, but not the derived feature {derived:?} that uses it: the \
                 prediction may still move in the other direction"
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
        // A window is a feature with its own name.
        options.drop.extend_from_slice(derived.window_columns());
        let constant = |name: &str| schema.column(name).is_some_and(|c| c.kind == Kind::Constant);
        options.drop.extend(table.columns().iter().filter(|c| constant(&c.name)).map(|c| c.name.clone()));
        // A grouping column identifies entities; new rows have other entities.
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

    /// The same, with `progress` as its callback; checks before training are not reported.
    pub(super) fn telling<'b>(&'b self, progress: &'b FitProgress<'b>) -> Trainer<'b> {
        let Self { target, schema, recipe, scale, seed, .. } = *self;
        let (options, computed, notes) = (self.options.clone(), Table::default(), Vec::new());
        Trainer { target, schema, recipe, options, computed, notes, scale, seed, progress }
    }

    /// Removes training rows with outliers, if requested; returns a remark.
    pub(super) fn drop_outliers(&self, examples: &Examples, parts: &mut Parts) -> Option<String> {
        let found = outliers::look(examples, &self.computed, &together(&parts.train, &parts.tune), &self.options);
        let kept = |row: &u32| found.rows.binary_search(row).is_ok();
        parts.train.retain(kept);
        parts.tune.retain(kept);
        found.note
    }

    /// Trains a pipeline in the given way; also returns the out-of-fold scores of the rows that decided.
    pub(super) fn learn(&self, examples: &Examples, way: Way) -> Result<Learned, PipelineError> {
        let n_blended = self.n_blended(examples, &way);
        let (train, tune, again) = match way {
            way @ (Way::Folds(..) | Way::Twice { .. }) if self.recipe.quality == Quality::Best || n_blended > 1 => {
                let rows = way.all();
                let (decided, search) = self.search(examples, way, n_blended)?;
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
        let (mut pipeline, mut known, Stopped { rounds, factor }) =
            self.train(self.training_set(examples, &train, &tune)?)?;
        if again && !tune.is_empty() {
            let params = with_rounds(&self.recipe.model, &pipeline.model, rounds);
            let set = self.training_set(examples, &together(&train, &tune), &[])?;
            pipeline.model = self.model(&set.features, set.train, &params, self.seed)?.times(factor)?;
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

    /// A pipeline trained on all `rows`; models that had not seen the rows made its decisions.
    fn learn_all(
        &self,
        examples: &Examples,
        rows: &[u32],
        decided: Decided,
    ) -> Result<(Pipeline, OutOfFold), PipelineError> {
        let set = self.training_set(examples, rows, &[])?;
        let mut members = self.each(&decided.members, n_cells(examples, rows), |trainer, (member, weight)| {
            let model = trainer.model(&set.features, set.train.clone(), &member.params, member.seed)?;
            Ok((model, *weight))
        })?;
        let model = match members.len() {
            1 => {
                let (model, weight) = members.remove(0);
                model.times(weight)?
            }
            _ => Model::blend(&members)?,
        };
        let mut pipeline = self.pipeline(set.features, model);
        let decision = &self.recipe.decision;
        if let Some(alerts) = decide(decision, &mut pipeline, &decided.truth, decided.scores.clone(), self.seed)? {
            lift(decision, &mut pipeline, examples, rows, alerts)?;
        }
        let known = OutOfFold {
            features: self.known_features(&pipeline, examples, &decided.rows)?,
            scores: pipeline.scores_of(decided.scores),
            truth: examples.weighed(&decided.rows),
        };
        Ok((pipeline, known))
    }

    /// As [`Trainer::learn`], once, dropping the examples meanwhile; also returns the features of the gate rows.
    pub(super) fn learn_from(
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
        let (pipeline, known, _) = self.train(TrainingSet { features, train: self.part(x, y, counts), tune })?;
        Ok((pipeline, known, gate))
    }

    /// Features and rows for training, after resampling of rare classes; no tune part if `tune` is empty.
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

    /// The entities of the rows, if the split keeps entities together.
    fn groups(&self, examples: &Examples, rows: &[u32]) -> Option<Vec<u64>> {
        let keys = || rows.iter().map(|&row| examples.keys[row as usize]).collect();
        (self.recipe.split.by == SplitBy::Column).then(keys)
    }

    /// The labels of `rows` on the trees' scale.
    fn learned(&self, examples: &Examples, rows: &[u32]) -> Vec<f32> {
        rows.iter().map(|&row| self.scale.learned(examples.y[row as usize])).collect()
    }

    fn part(&self, x: Matrix, y: Vec<f32>, counts: Option<Vec<f64>>) -> Part {
        let n_classes = self.target.classes.len();
        let balanced = n_classes > 0 && self.recipe.decision.imbalance == Imbalance::Weights;
        let weights = weights::of_trees(counts.as_deref(), &y, n_classes, balanced);
        Part { x, y, weights, counts }
    }

    /// The pipeline fitted to a training set, with its decisions made on the tune rows.
    fn train(&self, set: TrainingSet) -> Result<(Pipeline, Option<OutOfFold>, Stopped), PipelineError> {
        let TrainingSet { features, train, tune } = set;
        let watched = self.watch(&features, train, tune.as_ref(), &self.recipe.model, self.seed)?;
        let stopped = Stopped { rounds: watched.n_best(), factor: watched.factor };
        let mut pipeline = self.pipeline(features, watched.best()?);
        let Some(Part { x, y, counts, .. }) = tune else { return Ok((pipeline, None, stopped)) };
        let scores = pipeline.model.scores(&x)?.into_iter().map(f64::from).collect::<Vec<f64>>();
        let truth = Weighed { y: y.iter().copied().map(f64::from).collect(), weights: counts, entities: None };
        decide(&self.recipe.decision, &mut pipeline, &truth, scores.clone(), self.seed)?;
        let known = OutOfFold {
            features: (self.target.task == Task::Regression).then_some(x),
            scores: pipeline.scores_of(scores),
            truth: Weighed { y: y.into_iter().map(|y| self.scale.told(y)).collect(), ..truth },
        };
        Ok((pipeline, Some(known), stopped))
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

    /// Fits a model with all of its rounds and drops the rows.
    fn model(&self, features: &Features, train: Part, params: &Params, seed: u64) -> Result<Model, PipelineError> {
        Ok(self.watch(features, train, None, params, seed)?.best()?)
    }

    /// All steps of a fit, and their losses on the tune rows.
    pub(super) fn watch(
        &self,
        features: &Features,
        train: Part,
        tune: Option<&Part>,
        params: &Params,
        seed: u64,
    ) -> Result<Watched, PipelineError> {
        let progress = |round: Round| (self.progress)("fitting", round.done as u64, round.most as u64);
        // Taken from the recipe: parameters that repeat a plan do not name columns.
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

    /// Columns that may reveal the target.
    pub(super) fn suspicions(&self, examples: &Examples) -> Vec<String> {
        let Examples { table, target, y, .. } = examples;
        let of = |table| find_leaks(table, target, y, &self.options.drop, self.seed);
        let mut found = of(table);
        if !self.computed.columns().is_empty() {
            found.extend(of(&self.computed));
        }
        found.iter().map(ToString::to_string).collect()
    }

    /// The columns that synthetic rows copy from a real row: those that no feature uses.
    fn not_made(&self) -> Vec<String> {
        let columns: Vec<(&str, Kind)> = self.schema.columns.iter().map(|c| (c.name.as_str(), c.kind)).collect();
        let origins = derive::origins(&self.options.derived, &columns, &self.target.name);
        let read = |name: &String| {
            let is_kept = |derived: &String| !self.options.drop.contains(derived);
            origins.iter().any(|(derived, columns)| is_kept(derived) && columns.contains(name))
        };
        self.options.drop.iter().filter(|name| !read(name)).cloned().collect()
    }

    /// Whether synthetic rows of rare classes are added.
    pub(super) fn makes_rows(&self) -> bool {
        self.target.task != Task::Regression && self.recipe.decision.imbalance == Imbalance::Smote
    }
}
