//! From a workspace's reference to a stored version: what `train` does.

mod closer;
mod command;
mod derived;
mod page;

pub use closer::{Closer, Effect, Seen, look_closer};
pub use derived::derived;
pub use page::write as write_page;

use crate::atomic::{self, Lock};
use crate::atomic::{At, AtPath};
use crate::digest;
use crate::drift::Losses;
use crate::drift::estimate::EstimateError;
use crate::drift::losses::MIN_LABELLED_ROWS;
use crate::features::Task;
use crate::journal::Layout;
use crate::model::ForeignModel;
use crate::past::{self, PastError};
use crate::pipeline::{
    self, CrossValidated, Examples, FitProgress, Fitted, Importance, Pipeline, PipelineError, Recipe, SearchLimits,
    Weighed, cross_validate, judge,
};
use crate::profile::{Limits, Profile, ProfileBuilder, ProfileError, entity_indices, entity_keys};
use crate::registry::{
    DataDigest, Learned, Manifest, ModelFacts, RegistryError, Role, RowCounts, Version, artifacts, save_losses,
    save_profiles,
};
use crate::score::{self, Evaluation};
use crate::table::split::Parts;
use crate::table::{self, Column, Input, Kind, ReadOptions, Rejects, Schema, Spool, Table, TableError, Texts, Values};
use crate::workspace::audit::Event;
use crate::workspace::event::{self, Details, FromLabels};
use crate::workspace::{Config, EventKind, Setting, Workspace, WorkspaceError};
use serde_json::json;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong on the way to a version.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A table, feature, model or metric problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// How large errors are cannot be learned.
    #[error("{0}")]
    Losses(#[from] EstimateError),
    /// The rows that windows look back on cannot be had.
    #[error("{0}")]
    Past(#[from] PastError),
    /// A problem with the profile of the training rows.
    #[error("{0}")]
    Profile(#[from] ProfileError),
    /// The program of `[trainer] command` gave no model.
    #[error("[trainer] command {what}")]
    Trainer {
        /// What it did, and what it said last.
        what: String,
    },
    /// The report's picture could not be drawn.
    #[error("{0}")]
    Picture(String),
    /// A file could not be read.
    #[error("{0}")]
    Io(#[from] AtPath),
}

impl From<TableError> for TrainError {
    fn from(err: TableError) -> Self {
        Self::Pipeline(err.into())
    }
}

/// What is to be learned, and how.
pub struct TrainRequest<'a> {
    /// What `mlloop.toml` says, with what the command line changed.
    pub config: &'a Config,
    /// Seed of everything random.
    pub seed: u64,
    /// Current time, injected.
    pub now: jiff::Timestamp,
    /// Number of folds, when cross-validation is wanted.
    pub cv: Option<usize>,
    /// A labelled table to evaluate on besides.
    pub test: Option<&'a Path>,
    /// A model made elsewhere, to be taken in instead of fitting one.
    pub from: Option<&'a Path>,
    /// Whether the features of that model are the table's columns in their order.
    pub features_by_order: bool,
    /// Leave out rows that do not fit.
    pub skip_invalid: bool,
    /// Is told how far it is.
    pub progress: &'a FitProgress<'a>,
}

/// A stored version and what was found out on the way.
#[derive(Debug)]
pub struct Trained {
    /// Its number.
    pub version: Version,
    /// Its role now.
    pub role: Role,
    /// What was stored about it.
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
    /// Rows that were left out.
    pub rejects: Rejects,
    /// What scores rows.
    pub pipeline: Pipeline,
    /// Gate rows with their outcome, where numbers are predicted.
    labelled: Option<(Table, Vec<f64>)>,
}

impl Trained {
    /// Predicted and true numbers of some gate rows, evenly taken; none where classes are predicted.
    fn pairs(&self) -> Result<Vec<(f64, f64)>, TrainError> {
        /// Dots that a picture has.
        const MOST: usize = 800;
        let Some((rows, truth)) = &self.labelled else { return Ok(Vec::new()) };
        let shown: Vec<u32> = (0..truth.len() as u32).step_by(truth.len().div_ceil(MOST).max(1)).collect();
        let scores = self.pipeline.score(&rows.take(&shown))?;
        Ok(shown.iter().enumerate().map(|(at, row)| (scores.row(at)[0], truth[*row as usize])).collect())
    }
}

/// Reads the reference, fits (or takes in) a pipeline, evaluates it and stores it as the next version.
///
/// # Errors
/// Whatever is wrong with the table, the parameters or the workspace; nothing is stored then.
pub fn train(workspace: &Workspace, lock: &Lock, request: &TrainRequest) -> Result<Trained, TrainError> {
    let mut schema = request.config.schema();
    // A retrained production may have added rows to the reference in which words say 0 and 1. One that is damaged is no
    // reason not to train another.
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

/// Rows to learn from, and what is to be remembered of them.
pub struct Material<'a> {
    /// The rows.
    pub table: Table,
    /// Rows that were left out.
    pub rejects: Rejects,
    /// Remarks for a person.
    pub notes: Vec<String>,
    /// What was read.
    pub data: Vec<DataDigest>,
    /// Which of the examples are kept, given their sides; all when `None`. Sides stay as they are.
    pub thin: &'a dyn Fn(&Examples) -> Option<Vec<u32>>,
    /// Puts more files into the version's directory before anybody sees it.
    pub extra: &'a dyn Fn(&Path, &Pipeline) -> io::Result<()>,
    /// Who asked for it, when that was said.
    pub by: Option<&'a str>,
    /// The labels among the rows, where it is a retraining.
    pub from_labels: Option<FromLabels>,
    /// Is told which step begins: `train`, `save`, `update`.
    pub step: &'a dyn Fn(&'static str),
}

/// Fits (or takes in) a pipeline on `material`, evaluates it and stores it as the next version.
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
        // What is derived is known once it was fitted: the rows have to be there then.
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
            let (evaluation, digest) = test(path, of, &fitted, learned.as_ref(), &schema, request, &mut notes)?;
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

/// The examples of a table, the rows that later ones look back on, and what is to be said of its levels. The schema learns the
/// flags of the table.
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

/// What goes into the manifest beside the fitted pipeline.
struct Evidence {
    data: Vec<DataDigest>,
    notes: Vec<String>,
    trained_on: Profile,
    /// What each gate row is about, where a column says it.
    gate_about: Option<Vec<Option<u64>>>,
    learned: Option<Learned>,
    /// The rows that later ones look back on.
    past: Option<Table>,
    cross_validation: Option<CrossValidated>,
    test: Option<Evaluation>,
}

/// What is stored and recorded beside the version itself.
struct Record<'a> {
    extra: &'a dyn Fn(&Path, &Pipeline) -> io::Result<()>,
    by: Option<&'a str>,
    from_labels: Option<FromLabels>,
    step: &'a dyn Fn(&'static str),
}

fn read(input: Input, schema: &Schema, request: &TrainRequest) -> Result<(Table, Rejects, Vec<String>), TrainError> {
    (request.progress)("reading", 0, input.size().unwrap_or(0));
    let optional = request.config.target.optional();
    let options = ReadOptions { skip_invalid: request.skip_invalid, optional, ..Default::default() };
    let read = table::read(input, schema, &options)?;
    Ok((read.table, read.rejects, read.notes))
}

/// Fits a pipeline, has one fitted, or takes one in.
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

fn test(
    path: &Path,
    (workspace, past): (&Workspace, Option<&Table>),
    fitted: &Fitted,
    learned: Option<&Learned>,
    schema: &Schema,
    request: &TrainRequest,
    notes: &mut Vec<String>,
) -> Result<(Evaluation, DataDigest), TrainError> {
    let file = Spool::new(path)?;
    let (table, _, read_notes) = read(file.open()?, schema, request)?;
    notes.extend(read_notes.into_iter().map(|note| format!("{}: {note}", file.path().display())));
    let digest = data_digest(file.file(), file.path(), table.n_rows())?;
    let mut table = request.config.target.complete(table, schema)?;
    if let (Some(windows), Some(last)) = (fitted.pipeline.features.derived().windows(), past) {
        let log = (&fitted.pipeline.schema, &Layout::of(&fitted.pipeline));
        let past = past::known(workspace, &windows, log, vec![last.clone()])?;
        table =
            windows.fill(&past, table.spelled(&fitted.pipeline.schema).into_owned()).map_err(PipelineError::from)?;
    }
    let target = &fitted.pipeline.target;
    let labels = target.encode(table.require(&target.name)?).map_err(PipelineError::from)?;
    notes.extend(labels.notes.into_iter().map(|note| format!("{}: {note}", path.display())));
    let labelled = (0..).zip(&labels.y).filter(|(_, y)| !y.is_nan()).map(|(row, _)| row);
    let among = learned.and_then(|learned| learned.among(&table.spelled(&fitted.pipeline.schema), ids(&table, schema)));
    let is_learned = |row: &u32| among.as_ref().is_some_and(|among| among[*row as usize]);
    let (learned, rows): (Vec<u32>, Vec<u32>) = labelled.partition(is_learned);
    if among.is_none() {
        notes.push(format!(
            "{}: training rows of the model cannot be distinguished from new rows, neither by id nor by content",
            path.display()
        ));
    }
    if !learned.is_empty() {
        notes.push(format!(
            "{}: {} rows are left out because the model was trained on them",
            path.display(),
            learned.len()
        ));
    }
    if rows.is_empty() {
        let what = "has no labelled rows to evaluate on".to_owned();
        return Err(TableError::File { file: path.display().to_string(), what }.into());
    }
    let of = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
    let weights = request.config.recipe().weights(&table, schema, &rows)?;
    let about = request.config.entity().and_then(|name| Some(entity_keys(&table.column(name)?.values)));
    let about = about.map(|about| rows.iter().map(|&row| about[row as usize]).collect::<Vec<Option<u64>>>());
    let entities = about.and_then(|about| entity_indices(&about));
    let judged = Weighed { y: of(&labels.y), weights: weights.as_deref().map(of), entities };
    Ok((judge(&fitted.pipeline, &table.into_rows(&rows), &judged, &fitted.taught, request.seed)?, digest))
}

/// Files of a version that hold rows are open to nobody who may not read what the rows came from.
fn narrow(workspace: &Workspace, request: &TrainRequest, dir: &Path) -> io::Result<()> {
    let sources = [
        workspace.path(&request.config.data.reference),
        workspace.path(&request.config.monitor.current),
        workspace.path("data/labels.csv"),
    ];
    let sources: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "csv") {
            atomic::narrow(&path, &sources)?;
        }
    }
    Ok(())
}

fn store(
    workspace: &Workspace,
    lock: &Lock,
    request: &TrainRequest,
    fitted: &Fitted,
    evidence: &Evidence,
    record: &Record,
) -> Result<(Version, Role, Manifest), TrainError> {
    (record.step)("save");
    let registry = workspace.registry();
    let manifest = manifest(request, registry.roles()?.production, fitted, evidence);
    let about = request.config.entity().zip(evidence.gate_about.as_deref());
    let scores = score_profile(fitted, about)?;
    let losses = losses(fitted, request.seed)?;
    let version = registry.store(|_, dir| {
        fitted.pipeline.save(dir, &fitted.golden).map_err(io::Error::other)?;
        save_profiles(dir, &evidence.trained_on, &scores)?;
        losses.as_ref().map_or(Ok(()), |losses| save_losses(dir, losses))?;
        evidence.learned.as_ref().map_or(Ok(()), |learned| learned.save(dir))?;
        if let Some(last) = &evidence.past {
            atomic::replace(&dir.join(past::FILE), |out| past::save(last, &fitted.pipeline.schema, out))?;
        }
        for (name, bytes) in artifacts(fitted) {
            atomic::replace(&dir.join(name), |out| out.write_all(&bytes))?;
        }
        manifest.save(dir)?;
        (record.extra)(dir, &fitted.pipeline)?;
        narrow(workspace, request, dir)
    })?;
    (record.step)("update");
    // A model that somebody brings is production by that person's word.
    let fit = manifest.doubts.is_empty() || request.from.is_some();
    let (roles, role) = registry.roles()?.admit(version, fit);
    let made = event::Trained {
        version,
        role: Some(role),
        seed: request.seed,
        data: evidence.data.clone(),
        files: Some(registry.digests(version)?),
    };
    let (event, details) = match record.from_labels.clone() {
        None => (EventKind::Trained, made.value()),
        Some(from) => (EventKind::Retrained, event::Retrained { made, from }.value()),
    };
    let by = record.by.map(str::to_owned);
    workspace.record(lock, Event { at: request.now, event, by, roles: Some(roles), details })?;
    Ok((version, role, manifest))
}

/// The profile of the rows that the version was fitted and tuned on, with the columns that `pipeline` derives.
fn trained_on(
    examples: &Examples,
    parts: &Parts,
    schema: &Schema,
    pipeline: Option<&Pipeline>,
    entity: Option<&str>,
) -> Result<Profile, TrainError> {
    /// Rows that are copied at a time.
    const ROWS: usize = 1 << 14;
    let mut rows = [parts.train.as_slice(), &parts.tune].concat();
    rows.sort_unstable();
    let schema = pipeline.map_or_else(|| schema.clone(), |pipeline| pipeline.schema_with_derived(schema));
    let whole = |rows: &[u32]| {
        let table = examples.table.take(rows);
        match pipeline {
            Some(pipeline) => Ok(pipeline.with_derived(&table)?.into_owned()),
            None => Ok::<Table, PipelineError>(table),
        }
    };
    let mut builder = ProfileBuilder::for_columns(&schema, &whole(&[])?, Limits::default()).by_entity(entity);
    for rows in rows.chunks(ROWS) {
        builder.push(&whole(rows)?)?;
    }
    Ok(builder.finish())
}

/// What names the rows that the version was fitted and tuned on; `None` when nothing does.
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

/// How large the errors on the gate rows are; `None` where classes are predicted or the rows are too few to say.
fn losses(fitted: &Fitted, seed: u64) -> Result<Option<Losses>, TrainError> {
    match &fitted.labelled {
        Some((rows, y)) if y.len() >= MIN_LABELLED_ROWS => Ok(Some(Losses::learn(&fitted.pipeline, rows, y, seed)?)),
        _ => Ok(None),
    }
}

/// The profile of the scores on the gate rows, and of what is watched of their texts; without rows when none were kept.
fn score_profile(fitted: &Fitted, about: Option<(&str, &[Option<u64>])>) -> Result<Profile, TrainError> {
    let Fitted { pipeline, scores, .. } = fitted;
    let values = |score: usize| (0..scores.n_rows()).map(|row| scores.row(row)[score]).collect();
    // The first answer of a class is its name.
    let skip = usize::from(pipeline.target.task != Task::Regression);
    let names = pipeline.answer_columns().into_iter().skip(skip).enumerate();
    let columns =
        names.map(|(at, name)| Column::new(name, Values::Number(values(at)))).chain(fitted.texts.clone()).collect();
    let table = Table::new(columns)?;
    let about = about.filter(|(_, keys)| keys.len() == table.n_rows());
    let mut builder = ProfileBuilder::of_table(&table, Limits::default()).by_entity(about.map(|(column, _)| column));
    builder.push_about(&table, about.map(|(_, keys)| keys))?;
    Ok(builder.finish())
}

fn manifest(request: &TrainRequest, parent: Option<Version>, fitted: &Fitted, evidence: &Evidence) -> Manifest {
    let parts = &fitted.parts;
    let doubts = fitted.gate.as_ref().map(score::doubts).unwrap_or_default();
    // Said with the first version, for the gate is the loop's; few gate rows, of which the doubts speak, show nothing at all.
    let is_told = parent.is_none() && doubts.slight.is_empty();
    let mut recipe = request.config.recipe();
    if let Some(search) = &fitted.search {
        // How much a budget tries depends on the machine: who trains this version again tries as much.
        recipe.search = SearchLimits { budget: None, tries: u32::try_from(search.tried.len()).ok() };
    }
    let resolution = fitted.gate.as_ref().filter(|_| is_told).and_then(score::resolution);
    Manifest {
        format: 1,
        mlloop: env!("CARGO_PKG_VERSION").to_owned(),
        trained_at: request.now,
        parent,
        seed: request.seed,
        data: evidence.data.clone(),
        rows: RowCounts {
            train: parts.train.len() as u64,
            tune: parts.tune.len() as u64,
            gate: parts.gate.len() as u64,
        },
        model: describe(&fitted.pipeline),
        recipe: json!(recipe),
        search: fitted.search.clone(),
        gate: json!(fitted.gate),
        cross_validation: evidence.cross_validation.as_ref().map(|cv| json!(cv)),
        test: evidence.test.as_ref().map(|test| json!(test)),
        intervals: fitted.pipeline.intervals.as_ref().map(|found| found.coverage.clone()).unwrap_or_default(),
        importance: fitted.importance.clone(),
        notes: evidence.notes.iter().cloned().chain(doubts.slight).chain(resolution).collect(),
        artifacts: artifacts(fitted).into_iter().map(|(name, _)| name.to_owned()).collect(),
        doubts: doubts.grave,
        skip_invalid: request.skip_invalid,
    }
}

fn data_digest(path: &Path, name: &Path, n_rows: usize) -> Result<DataDigest, TrainError> {
    let (_, sha256) = atomic::open(path).and_then(digest::of).at(path)?;
    Ok(DataDigest { path: name.display().to_string(), n_rows: n_rows as u64, sha256 })
}

/// The pipeline of a version, verified by its golden rows.
///
/// # Errors
/// When the version does not exist or is damaged.
pub fn load(workspace: &Workspace, version: Option<Version>) -> Result<(Version, Pipeline), TrainError> {
    let registry = workspace.registry();
    let version = match version {
        Some(version) => version,
        None => registry.holder(Role::Production)?,
    };
    Ok((version, registry.pipeline(version)?))
}

/// The algorithm and every parameter as it was used.
fn describe(pipeline: &Pipeline) -> serde_json::Value {
    let model = &pipeline.model;
    json!(ModelFacts {
        parameters: model.plan(),
        n_trees: model.n_trees(),
        rounds: model.rounds(),
        n_features: model.n_features(),
    })
}
