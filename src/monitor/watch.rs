//! What `monitor` compares: the data of a workspace, or two tables without a workspace.

use super::arrive::{Arrived, Pass};
use super::chunks::By;
use super::current::{AsWritten, as_written, written_otherwise};
use super::rolling;
use super::{MonitorError, MonitorRequest};
use crate::drift::report::Side;
use crate::drift::{DriftSettings, Losses};
use crate::features::derive::{Past, Windows};
use crate::journal::{Outcomes, outcomes};
use crate::past;
use crate::pipeline::Pipeline;
use crate::profile::{ColumnProfile, Limits, Profile, Profiled, merge_files, profile_unknown};
use crate::registry::{Learned, Manifest, RegistryError, Role, Version};
use crate::score::{Evaluation, Metrics};
use crate::table::input::is_there;
use crate::table::place;
use crate::table::{InferOptions, Kind, ReadOptions, Schema, Spool};
use crate::train;
use crate::workspace::{Config, Workspace, WorkspaceError, monitor_alone};
use std::cell::OnceCell;
use std::path::PathBuf;

/// The version in production.
pub(super) struct Production {
    pub(super) version: Version,
    pub(super) pipeline: Pipeline,
    pub(super) manifest: Manifest,
    pub(super) gate: Option<Evaluation>,
    losses: Option<Losses>,
    /// The profile of the monitored features of the gate rows' texts, if the model reads texts.
    pub(super) texts: Option<Profile>,
    /// The rows that it was trained on, if known.
    pub(super) learned: Option<Learned>,
}

impl Production {
    /// The metrics on the gate rows.
    pub(super) fn metrics(&self) -> Option<&Metrics> {
        self.gate.as_ref().map(|gate| &gate.metrics)
    }
}

/// The subject of monitoring: a workspace, or two tables without one.
pub(super) struct Watch<'a> {
    pub(super) request: &'a MonitorRequest<'a>,
    pub(super) workspace: &'a Workspace,
    pub(super) config: Option<Config>,
    pub(super) settings: DriftSettings,
    pub(super) schema: Schema,
    /// The schema plus the columns that production derives and the monitored features of its texts.
    pub(super) profiled_schema: Schema,
    pub(super) production: Option<Production>,
    /// The reference, if it was already profiled while inferring its columns.
    pub(super) profiled: Option<Profiled>,
    /// How the current table is read, if it differs from the reference, with notes about it.
    current: OnceCell<AsWritten>,
    /// The windows of production, and their history rows.
    pub(super) past: Option<(Windows, Past)>,
}

impl<'a> Watch<'a> {
    pub(super) fn open(workspace: &'a Workspace, request: &'a MonitorRequest<'a>) -> Result<Self, MonitorError> {
        let mut watch = Self::of_reference(workspace, request)?;
        if let (None, Some(table)) = (&watch.config, request.current) {
            let options = InferOptions { numbers_vary: true, ..request.read.clone().into() };
            watch.current = as_written(&watch.schema, table, (&options, &watch.read_options()))?.into();
        }
        Ok(watch)
    }

    /// The subject, with the current table read like the reference.
    fn of_reference(workspace: &'a Workspace, request: &'a MonitorRequest<'a>) -> Result<Self, MonitorError> {
        let config = match (workspace.config(), request.reference) {
            (Ok(config), _) => Some(config),
            // Two tables can be compared without a workspace.
            (Err(WorkspaceError::NoLoop(_)), Some(_)) => None,
            (Err(err), _) => return Err(err.into()),
        };
        // Without a workspace the schema is inferred from the reference, which is profiled in the same pass.
        let (mut schema, profiled) = match (&config, request.reference) {
            (Some(config), _) => (config.schema(), None),
            (None, Some(reference)) => {
                let options = InferOptions { numbers_vary: true, ..request.read.clone().into() };
                let (mut schema, found) = profile_unknown(&Spool::new(reference)?, &options, request.exact)?;
                know_constants(&mut schema, &found.profile);
                (schema, Some(found))
            }
            (None, None) => (Schema::default(), None),
        };
        if config.is_some() && request.read.decimal.is_some() {
            return Err(MonitorError::Usage(
                "--decimal is for tables without a loop: here [columns] in mlloop.toml defines how numbers are written"
                    .to_owned(),
            ));
        }
        schema.dialect = request.read.dialect(&schema.dialect);
        if config.is_none() && request.rolling.is_some() {
            return Err(MonitorError::Usage(
                "a rolling reference needs a loop: create one with mlloop init".to_owned(),
            ));
        }
        let mut settings = match &config {
            Some(config) => config.monitor.clone(),
            None => alone(workspace, &schema)?,
        };
        settings.preset = request.preset.unwrap_or(settings.preset);
        let production = match &config {
            Some(_) => production(workspace, request.reference.is_some())?,
            None => None,
        };
        if let Some(production) = &production {
            schema.know(&production.pipeline.schema);
            if schema.columns.iter().any(|column| column.kind == Kind::Constant) {
                match workspace.registry().profile(production.version) {
                    Ok(profile) => know_constants(&mut schema, &profile),
                    // Reported where it is needed.
                    Err(RegistryError::NoProfile { .. }) => {}
                    Err(err) => return Err(err.into()),
                }
            }
        }
        let profiled_schema = match &production {
            Some(Production { pipeline, .. }) => pipeline.schema_with_texts(pipeline.schema_with_derived(&schema)),
            None => schema.clone(),
        };
        let past = match &production {
            Some(production) => past::of_version(workspace, production.version, &production.pipeline)?,
            None => None,
        };
        let current = OnceCell::new();
        Ok(Self { request, workspace, config, settings, schema, profiled_schema, production, profiled, current, past })
    }

    pub(super) fn limits(&self) -> Limits {
        if self.request.exact { Limits::NONE } else { Limits::default() }
    }

    /// Columns may be absent, and cells may have another type than their column: both are findings, and the other
    /// columns are still judged.
    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            optional: self.schema.columns.iter().map(|c| c.name.clone()).collect(),
            skip_invalid: self.request.read.skip_invalid,
            no_raw: true,
            blank_misfits: true,
            ..Default::default()
        }
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.schema.id()
    }

    pub(super) fn outcomes(&self) -> Result<Outcomes, MonitorError> {
        let id = self.id().and_then(|id| self.schema.column(id));
        match (&self.production, self.request.labels, id) {
            (Some(production), Some(path), Some(id)) => {
                let reading = outcomes::Reading { id, target: &production.pipeline.target };
                Ok(Outcomes::read(path, &reading)?)
            }
            (_, Some(path), _) => Err(MonitorError::Usage(format!(
                "{}: labels are joined with predictions by id, but there is no id column, or no production version",
                path.display()
            ))),
            (Some(production), None, _) => self.stored_outcomes(&production.pipeline.target),
            (None, None, _) => Ok(Outcomes::default()),
        }
    }

    /// The schema with which the current table is read.
    pub(super) fn current_schema(&self) -> &Schema {
        self.current.get().map_or(&self.schema, |current| &current.schema)
    }

    /// Columns that the current table writes in another notation than the workspace reads, each with its message.
    pub(super) fn written_otherwise(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.current.get().into_iter().flat_map(|current| &current.otherwise);
        all.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    pub(super) fn current_path(&self) -> PathBuf {
        match self.request.current {
            Some(table) => table.path().to_owned(),
            None => self.workspace.path(&self.settings.current),
        }
    }

    /// The time column.
    pub(super) fn time_column(&self) -> Option<&str> {
        self.schema.time().map(|c| c.name.as_str())
    }

    /// The column that says how much each row counts.
    pub(super) fn weight(&self) -> Option<&str> {
        self.config.as_ref()?.data.weight.as_deref()
    }

    /// The current rows. If no table is named and the default one does not exist: the predictions logged since
    /// production was trained.
    pub(super) fn arrived(&self, outcomes: &Outcomes) -> Result<(Arrived, Side), MonitorError> {
        let (mut arrived, side) = self.read_arrived(outcomes)?;
        arrived.left_out.extend(self.current.get().into_iter().flat_map(|current| current.notes.iter().cloned()));
        self.settle_entity(&mut arrived);
        Ok((arrived, side))
    }

    fn read_arrived(&self, outcomes: &Outcomes) -> Result<(Arrived, Side), MonitorError> {
        if let Some(path) = self.request.current_profile {
            let arrived = Arrived::profile(merge_files(&[path.to_owned()], self.request.exact)?);
            let side = side(path.display().to_string(), &arrived.profile);
            return Ok((arrived, side));
        }
        let by_time = matches!(self.request.by, Some(By::Day | By::Week | By::Month));
        if by_time && self.time_column().is_none() {
            return Err(MonitorError::Usage(
                "--by day, week and month need a time column; --by N cuts by number of rows".to_owned(),
            ));
        }
        let read = self.read_options();
        let mut pass = self.pass(&read, outcomes);
        pass.schema = self.current_schema();
        let path = self.current_path();
        let table = match self.request.current {
            Some(_) => None,
            None if !is_there(&path) => {
                let (name, arrived) = self.logged(&pass)?;
                let side = side(name, &arrived.profile);
                return Ok((arrived, side));
            }
            None => Some(Spool::new(&path)?),
        };
        let Some(table) = self.request.current.or(table.as_ref()) else {
            return Err(MonitorError::Usage("there is no current table".to_owned()));
        };
        let mut name = place::shown(&path);
        if let Some(length) = self.request.last {
            pass.windows = Some(self.windows(table, length)?);
            name = format!("{name}, its last {}", rolling::length(length));
        }
        let mut arrived = pass.run(table.open()?, self.beside(table)?)?;
        if let Some(written) = self.as_saved(table, &arrived)? {
            pass.schema = &self.current.get_or_init(|| written).schema;
            arrived = pass.run(table.open()?, self.beside(table)?)?;
        }
        let side = side(name, &arrived.profile);
        Ok((arrived, side))
    }

    /// How to read a table of a workspace that was saved with another number format, as its misfits show.
    fn as_saved(&self, table: &Spool, arrived: &Arrived) -> Result<Option<AsWritten>, MonitorError> {
        let columns = self.schema.columns.iter().map(|column| column.name.as_str());
        let misfit: Vec<&str> = columns.filter(|name| self.is_misfit(name, arrived)).collect();
        if self.config.is_none() || misfit.is_empty() {
            return Ok(None);
        }
        let options = InferOptions {
            numbers_vary: true,
            missing: Some(self.schema.dialect.missing.clone()),
            ..self.request.read.clone().into()
        };
        written_otherwise(&self.schema, table, &misfit, (&options, &self.read_options()))
    }

    pub(super) fn pass<'p>(&'p self, read: &'p ReadOptions, outcomes: &'p Outcomes) -> Pass<'p> {
        Pass {
            schema: &self.schema,
            profiled: &self.profiled_schema,
            read,
            limits: self.limits(),
            pipeline: self.production.as_ref().map(|production| &production.pipeline),
            losses: self.production.as_ref().and_then(|production| production.losses.as_ref()),
            outcomes,
            learned: self.production.as_ref().and_then(|production| production.learned.as_ref()),
            by: self.request.by,
            time_column: self.time_column().unwrap_or_default(),
            weight: self.weight(),
            entity: self.entity().or_else(|| self.may_be_entity()),
            windows: None,
            seed: self.request.seed,
        }
    }
}

/// Lets a constant keep its one level in every spelling, as categories do: `True` instead of `true` is not drift.
fn know_constants(schema: &mut Schema, profile: &Profile) {
    for column in schema.columns.iter_mut().filter(|column| column.kind == Kind::Constant) {
        if let Some(levels) = profile.column(&column.name).and_then(ColumnProfile::levels) {
            column.spelling.know(&levels.keys().cloned().collect::<Vec<_>>());
        }
    }
}

/// The settings for a comparison without a workspace.
fn alone(workspace: &Workspace, schema: &Schema) -> Result<DriftSettings, MonitorError> {
    let settings = monitor_alone(workspace.settings()).map_err(MonitorError::Usage)?;
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    settings.check(&names).map_err(MonitorError::Usage)?;
    Ok(settings)
}

pub(super) fn production(workspace: &Workspace, optional: bool) -> Result<Option<Production>, MonitorError> {
    let registry = workspace.registry();
    if optional && registry.roles()?.holder(Role::Production).is_none() {
        return Ok(None);
    }
    let (version, pipeline) = train::load(workspace, None)?;
    let manifest = registry.manifest(version)?;
    let gate = registry.gate(version, &manifest)?;
    let losses = registry.losses(version)?;
    let learned = registry.learned(version)?;
    let reads_texts = pipeline.features.texts().next().is_some();
    let texts = if reads_texts { Some(registry.score_profile(version)?) } else { None };
    Ok(Some(Production { version, pipeline, manifest, gate, losses, texts, learned }))
}

pub(super) fn side(name: String, profile: &Profile) -> Side {
    Side { name, n_rows: profile.n_rows, exact: profile.exact(), rank_error: profile.rank_error() }
}
