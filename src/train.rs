//! From a workspace's reference to a stored version: the logic of `train`.

mod closer;
mod command;
mod derived;
mod error;
mod page;
mod store;
mod test;

pub use closer::{Closer, Effect, Seen, look_closer};
pub use derived::derived;
pub use error::TrainError;
pub use page::write as write_page;

use crate::atomic::{self, At, Lock};
use crate::digest;
use crate::model::ForeignModel;
use crate::past;
use crate::pipeline::{
    self, CrossValidated, Examples, FitProgress, Fitted, Importance, Pipeline, PipelineError, Recipe, cross_validate,
};
use crate::profile::entity_keys;
use crate::registry::{DataDigest, Learned, Manifest, Role, Version};
use crate::score::Evaluation;
use crate::table::split::Parts;
use crate::table::{self, Input, Kind, ReadOptions, Rejects, Schema, Table, Texts, Values};
use crate::workspace::event::FromLabels;
use crate::workspace::{Config, Setting, Workspace};
use std::borrow::Cow;
use std::io;
use std::path::Path;
use store::{Evidence, Record, store, trained_on};

/// The options of a training.
pub struct TrainRequest<'a> {
    /// `mlloop.toml`, with the overrides of the command line.
    pub config: &'a Config,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// Number of folds, if cross-validation is requested.
    pub cv: Option<usize>,
    /// An additional labelled table for evaluation.
    pub test: Option<&'a Path>,
    /// A model trained elsewhere, which is imported instead of fitting one.
    pub from: Option<&'a Path>,
    /// Whether the features of that model are the table's columns in their order.
    pub features_by_order: bool,
    /// Skip invalid rows.
    pub skip_invalid: bool,
    /// Progress callback.
    pub progress: &'a FitProgress<'a>,
}

/// A stored version and the findings of its training.
#[derive(Debug)]
pub struct Trained {
    /// Its number.
    pub version: Version,
    /// Its role now.
    pub role: Role,
    /// Its stored manifest.
    pub manifest: Manifest,
    /// Metrics on the gate rows.
    pub gate: Option<Evaluation>,
    /// Out-of-fold metrics.
    pub cross_validation: Option<CrossValidated>,
    /// Metrics on the other table.
    pub test: Option<Evaluation>,
    /// Importance of each raw column.
    pub importance: Vec<Importance>,
    /// A single tree, as rules to read.
    pub rules: Option<String>,
    /// Rejected rows.
    pub rejects: Rejects,
    /// The pipeline that scores rows.
    pub pipeline: Pipeline,
    /// Gate rows with their outcome, where numbers are predicted.
    labelled: Option<(Table, Vec<f64>)>,
}

impl Trained {
    /// Predicted and true numbers of some gate rows, at even intervals; empty for classes.
    fn pairs(&self) -> Result<Vec<(f64, f64)>, TrainError> {
        /// Maximum number of dots in a plot.
        const MOST: usize = 800;
        let Some((rows, truth)) = &self.labelled else { return Ok(Vec::new()) };
        let shown: Vec<u32> = (0..truth.len() as u32).step_by(truth.len().div_ceil(MOST).max(1)).collect();
        let scores = self.pipeline.score(&rows.take(&shown))?;
        Ok(shown.iter().enumerate().map(|(at, row)| (scores.row(at)[0], truth[*row as usize])).collect())
    }
}

/// Reads the reference, fits (or imports) a pipeline, evaluates it and stores it as the next version.
///
/// # Errors
/// Any error of the table, the parameters or the workspace; nothing is stored then.
pub fn train(workspace: &Workspace, lock: &Lock, request: &TrainRequest) -> Result<Trained, TrainError> {
    let mut schema = request.config.schema();
    // A retrained production may have added rows to the reference in which words mean 0 and 1. A damaged version
    // must not prevent training.
    if let Some(production) = workspace.registry().roles()?.holder(Role::Production)
        && let Ok(pipeline) = workspace.registry().pipeline(production)
    {
        schema.know_flags(&pipeline.schema);
    }
    let reference = workspace.path(&request.config.data.reference);
    let (table, rejects, notes) = read(Input::open(&reference)?, &schema, request)?;
    let data = vec![data_digest(&reference, &request.config.data.reference, table.n_rows())?];
    let material = Material {
        table,
        rejects,
        notes,
        data,
        thin: &|_| None,
        extra: &|_, _| Ok(()),
        by: None,
        from_labels: None,
        step: &|_| {},
    };
    learn(workspace, lock, request, material)
}

/// Rows to train on, and the metadata to store.
pub struct Material<'a> {
    /// The rows.
    pub table: Table,
    /// Rejected rows.
    pub rejects: Rejects,
    /// Remarks for the user.
    pub notes: Vec<String>,
    /// The tables read.
    pub data: Vec<DataDigest>,
    /// The examples kept, given their parts; all if `None`. Parts do not change.
    pub thin: &'a dyn Fn(&Examples) -> Option<Vec<u32>>,
    /// Adds files to the version's directory before it becomes visible.
    pub extra: &'a dyn Fn(&Path, &Pipeline) -> io::Result<()>,
    /// Who requested it, if given.
    pub by: Option<&'a str>,
    /// The labels among the rows, for a retraining.
    pub from_labels: Option<FromLabels>,
    /// Callback at the start of a step: `train`, `save`, `update`.
    pub step: &'a dyn Fn(&'static str),
}

/// Fits (or imports) a pipeline on `material`, evaluates it and stores it as the next version.
///
/// # Errors
/// As [`train`].
pub fn learn(
    workspace: &Workspace,
    lock: &Lock,
    request: &TrainRequest,
    material: Material,
) -> Result<Trained, TrainError> {
    let mut schema = request.config.schema();
    let recipe = request.config.recipe();
    let Material { table, rejects, mut notes, mut data, thin, extra, by, from_labels, step } = material;
    let (examples, past, told) = examples(workspace, request, &mut schema, table)?;
    notes.extend(told);
    notes.extend(workspace.settings().iter().map(Setting::told));
    let examples = match thin(&examples) {
        Some(rows) => examples.take(&rows),
        None => examples,
    };
    step("train");
    let parts = examples.parts(&recipe)?;
    let learned = learned(&examples, &parts, &schema, &recipe);
    let entity = request.config.entity();
    let gate_about =
        entity.and_then(|name| examples.table.column(name)).map(|column| entity_keys(&column.values.take(&parts.gate)));
    let (fitted, cross_validation, trained_on) = match request.cv {
        // Derived columns are known only after fitting: the rows must still exist then.
        None if recipe.features.derived.is_empty() => {
            let trained_on = trained_on(&examples, &parts, &schema, None, entity)?;
            (fit(workspace, Cow::Owned(examples), &schema, request)?, None, trained_on)
        }
        cv => {
            let fitted = fit(workspace, Cow::Borrowed(&examples), &schema, request)?;
            let validate = |k| cross_validate(&examples, &schema, &recipe, k, request.seed, request.progress);
            let found = cv.map(validate).transpose()?;
            let trained_on = trained_on(&examples, &parts, &schema, Some(&fitted.pipeline), entity)?;
            (fitted, found, trained_on)
        }
    };
    let test = match request.test {
        Some(path) => {
            let of = (workspace, past.as_ref());
            let (evaluation, digest) = test::test(path, of, &fitted, learned.as_ref(), &schema, request, &mut notes)?;
            data.push(digest);
            Some(evaluation)
        }
        None => None,
    };
    notes.splice(0..0, fitted.notes.iter().cloned());
    let evidence = Evidence { data, notes, trained_on, gate_about, learned, past, cross_validation, test };
    let record = Record { extra, by, from_labels, step };
    let (version, role, manifest) = store(workspace, lock, request, &fitted, &evidence, &record)?;
    let rules = fitted.pipeline.rules();
    let Evidence { cross_validation, test, .. } = evidence;
    let Fitted { gate, importance, pipeline, labelled, .. } = fitted;
    Ok(Trained {
        version,
        role,
        manifest,
        gate,
        cross_validation,
        test,
        importance,
        rules,
        rejects,
        pipeline,
        labelled,
    })
}

/// The examples of a table, the past rows for later windows, and remarks on its levels. Adds the flags of the table to
/// the schema.
fn examples(
    workspace: &Workspace,
    request: &TrainRequest,
    schema: &mut Schema,
    mut table: Table,
) -> Result<(Examples, Option<Table>, Vec<String>), TrainError> {
    let (recipe, told) = (request.config.recipe(), table.unify_levels(schema));
    schema.find_flags(&table);
    let (table, past) = past::of_training(workspace, table, schema, &recipe)?;
    let examples = Examples::new(table, schema, &recipe)?.by_entity(request.config.entity());
    Ok((examples, past, told))
}

fn read(input: Input, schema: &Schema, request: &TrainRequest) -> Result<(Table, Rejects, Vec<String>), TrainError> {
    (request.progress)("reading", 0, input.size().unwrap_or(0));
    let optional = request.config.target.optional();
    let options = ReadOptions { skip_invalid: request.skip_invalid, optional, ..Default::default() };
    let read = table::read(input, schema, &options)?;
    Ok((read.table, read.rejects, read.notes))
}

/// Fits a pipeline, runs an external program to fit one, or imports one.
fn fit(
    workspace: &Workspace,
    examples: Cow<'_, Examples>,
    schema: &Schema,
    request: &TrainRequest,
) -> Result<Fitted, TrainError> {
    let recipe = request.config.recipe();
    match (request.from, &request.config.trainer) {
        (Some(file), _) => adopt(file, &examples, schema, request),
        (None, Some(trainer)) => command::fit(workspace, trainer, &examples, schema, request),
        (None, None) => Ok(pipeline::fit(examples, schema, &recipe, request.seed, request.progress)?),
    }
}

fn adopt(file: &Path, examples: &Examples, schema: &Schema, request: &TrainRequest) -> Result<Fitted, TrainError> {
    let bytes = atomic::read(file).at(file)?;
    let foreign = ForeignModel::read(&bytes).map_err(PipelineError::from)?;
    Ok(pipeline::adopt(foreign, examples, schema, &request.config.recipe(), request.features_by_order, request.seed)?)
}

/// The ids of the rows that the version was fitted and tuned on; `None` without any.
fn learned(examples: &Examples, parts: &Parts, schema: &Schema, recipe: &Recipe) -> Option<Learned> {
    let rows = parts.train.iter().chain(&parts.tune).copied();
    match ids(&examples.table, schema) {
        Some(ids) => Some(Learned::new(rows.map(|row| ids.get(row as usize)))),
        None => Learned::by_content(&examples.table, rows, &recipe.contents(schema)),
    }
}

/// The texts of the id column.
fn ids<'a>(table: &'a Table, schema: &Schema) -> Option<&'a Texts> {
    let id = schema.columns.iter().find(|column| column.kind == Kind::Id)?;
    match &table.column(&id.name)?.values {
        Values::Text(ids) => Some(ids),
        _ => None,
    }
}

fn data_digest(path: &Path, name: &Path, n_rows: usize) -> Result<DataDigest, TrainError> {
    let (_, sha256) = atomic::open(path).and_then(digest::of).at(path)?;
    Ok(DataDigest { path: name.display().to_string(), n_rows: n_rows as u64, sha256 })
}

/// The pipeline of a version, verified by its golden rows.
///
/// # Errors
/// If the version does not exist or is damaged.
pub fn load(workspace: &Workspace, version: Option<Version>) -> Result<(Version, Pipeline), TrainError> {
    let registry = workspace.registry();
    let version = match version {
        Some(version) => version,
        None => registry.holder(Role::Production)?,
    };
    Ok((version, registry.pipeline(version)?))
}
