//! Stores a fitted pipeline: its files, its manifest and the line of the audit chain.

use super::{TrainError, TrainRequest};
use crate::atomic::{self, Lock};
use crate::drift::Losses;
use crate::drift::losses::MIN_LABELLED_ROWS;
use crate::features::Task;
use crate::past;
use crate::pipeline::{CrossValidated, Examples, Fitted, Pipeline, PipelineError, Quality, SearchLimits};
use crate::profile::{Limits, Profile, ProfileBuilder};
use crate::registry::{
    DataDigest, Learned, Manifest, ModelFacts, Role, RowCounts, Version, artifacts, save_losses, save_profiles,
};
use crate::score::{self, Evaluation};
use crate::table::split::Parts;
use crate::table::{Column, Schema, Table, Values};
use crate::workspace::audit::Event;
use crate::workspace::event::{self, Details, FromLabels};
use crate::workspace::{EventKind, Workspace};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// The content of the manifest besides the fitted pipeline.
pub(super) struct Evidence {
    pub(super) data: Vec<DataDigest>,
    pub(super) notes: Vec<String>,
    pub(super) trained_on: Profile,
    /// The entity of each gate row, if there is an entity column.
    pub(super) gate_about: Option<Vec<Option<u64>>>,
    pub(super) learned: Option<Learned>,
    /// The past rows for later windows.
    pub(super) past: Option<Table>,
    pub(super) cross_validation: Option<CrossValidated>,
    pub(super) test: Option<Evaluation>,
}

/// The data stored and recorded besides the version itself.
pub(super) struct Record<'a> {
    pub(super) extra: &'a dyn Fn(&Path, &Pipeline) -> io::Result<()>,
    pub(super) by: Option<&'a str>,
    pub(super) from_labels: Option<FromLabels>,
    pub(super) step: &'a dyn Fn(&'static str),
}

/// Stores a fitted pipeline as the next version, with its evaluation, and records it.
pub(super) fn store(
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
    // An imported model becomes production only if the user decides so.
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

/// Files of a version with rows get at most the permissions of the source of the rows.
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

fn manifest(request: &TrainRequest, parent: Option<Version>, fitted: &Fitted, evidence: &Evidence) -> Manifest {
    let parts = &fitted.parts;
    let doubts = fitted.gate.as_ref().map(score::doubts).unwrap_or_default();
    // Noted with the first version only, because it is about the loop's gate; too few gate rows are covered by the
    // doubts.
    let is_told = parent.is_none() && doubts.slight.is_empty();
    let mut recipe = request.config.recipe();
    if let Some(search) = fitted.search.as_ref().filter(|_| recipe.quality == Quality::Best) {
        // A budget depends on the machine: store the number of tries, so that training this version again tries as
        // many.
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

/// The algorithm and all parameters used.
fn describe(pipeline: &Pipeline) -> serde_json::Value {
    let model = &pipeline.model;
    json!(ModelFacts {
        parameters: model.plan(),
        n_trees: model.n_trees(),
        rounds: model.rounds(),
        n_features: model.n_features(),
    })
}

/// The profile of the rows that the version was fitted and tuned on, with the columns that `pipeline` derives.
pub(super) fn trained_on(
    examples: &Examples,
    parts: &Parts,
    schema: &Schema,
    pipeline: Option<&Pipeline>,
    entity: Option<&str>,
) -> Result<Profile, TrainError> {
    /// Rows copied at a time.
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

/// The profile of errors on the gate rows; `None` for classes or too few rows.
fn losses(fitted: &Fitted, seed: u64) -> Result<Option<Losses>, TrainError> {
    match &fitted.labelled {
        Some((rows, y)) if y.len() >= MIN_LABELLED_ROWS => Ok(Some(Losses::learn(&fitted.pipeline, rows, y, seed)?)),
        _ => Ok(None),
    }
}

/// The profile of the scores on the gate rows, and of monitored text columns; empty without stored rows.
fn score_profile(fitted: &Fitted, about: Option<(&str, &[Option<u64>])>) -> Result<Profile, TrainError> {
    let Fitted { pipeline, scores, .. } = fitted;
    let values = |score: usize| (0..scores.n_rows()).map(|row| scores.row(row)[score]).collect();
    // The first output column of a classifier is the class name.
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
