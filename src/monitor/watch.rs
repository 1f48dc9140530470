//! What is watched: a loop, or two tables without one.

use super::arrive::{Arrived, Pass};
use super::chunks::By;
use super::{MonitorError, Request};
use crate::drift::Settings;
use crate::drift::report::Side;
use crate::journal::{Outcomes, outcomes};
use crate::learn;
use crate::pipeline::Pipeline;
use crate::profile::{Limits, Profile, ProfileBuilder, merge_files, profile_input};
use crate::registry::{Manifest, Role, Version};
use crate::score::{Evaluation, Metrics};
use crate::table::{InferOptions, Input, Kind, ReadOptions, Schema, infer};
use crate::workspace::{Config, Workspace, WorkspaceError};
use std::path::{Path, PathBuf};

/// The version in production.
pub(super) struct Production {
    pub(super) version: Version,
    pub(super) pipeline: Pipeline,
    pub(super) manifest: Manifest,
    pub(super) gate: Option<Evaluation>,
}

impl Production {
    /// The metrics on the gate rows.
    pub(super) fn metrics(&self) -> Option<&Metrics> {
        self.gate.as_ref().map(|gate| &gate.metrics)
    }
}

/// What is watched: a loop, or two tables without one.
pub(super) struct Watch<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) workspace: &'a Workspace,
    pub(super) config: Option<Config>,
    pub(super) settings: Settings,
    pub(super) schema: Schema,
    pub(super) production: Option<Production>,
}

impl<'a> Watch<'a> {
    pub(super) fn open(workspace: &'a Workspace, request: &'a Request<'a>) -> Result<Self, MonitorError> {
        let config = match (workspace.config(), request.reference) {
            (Ok(config), _) => Some(config),
            // Two tables can be compared without a loop.
            (Err(WorkspaceError::NoLoop(_)), Some(_)) => None,
            (Err(err), _) => return Err(err.into()),
        };
        let mut schema = match (&config, request.reference) {
            (Some(config), _) => config.schema(),
            (None, Some(reference)) => {
                let options = InferOptions { delimiter: request.delimiter, ..Default::default() };
                infer(Input::open(reference)?, &options)?.schema
            }
            (None, None) => Schema::default(),
        };
        if let Some(delimiter) = request.delimiter {
            schema.dialect.delimiter = delimiter;
        }
        let mut settings = config.as_ref().map(|config| config.monitor.clone()).unwrap_or_default();
        settings.preset = request.preset.unwrap_or(settings.preset);
        let production = match &config {
            Some(_) => production(workspace, request.reference.is_some())?,
            None => None,
        };
        Ok(Self { request, workspace, config, settings, schema, production })
    }

    /// The profile that is compared with, and what it is called.
    pub(super) fn reference(&self) -> Result<(Profile, Side), MonitorError> {
        let (name, profile) = match (self.request.reference, &self.production) {
            (Some(path), _) => (path.display().to_string(), self.profile(path)?),
            (None, Some(production)) => {
                let profile = self.workspace.registry().profile(production.version)?;
                (format!("training rows of {}", production.version), profile)
            }
            (None, None) => return Err(MonitorError::Usage("nothing is in production".to_owned())),
        };
        let side = side(name, &profile);
        Ok((profile, side))
    }

    pub(super) fn profile(&self, path: &Path) -> Result<Profile, MonitorError> {
        let exact = self.request.exact;
        Ok(profile_input(Input::open(path)?, &self.schema, self.read_options(), exact, None)?.profile)
    }

    fn limits(&self) -> Limits {
        if self.request.exact { Limits::NONE } else { Limits::default() }
    }

    /// Columns that production does not need may be absent; their absence is then a finding.
    pub(super) fn read_options(&self) -> ReadOptions {
        let needed: Vec<&str> = match &self.production {
            Some(production) => production.pipeline.features.inputs().map(|(name, _)| name).collect(),
            None => Vec::new(),
        };
        let names = self.schema.columns.iter().map(|c| c.name.clone());
        let optional = names.filter(|name| !needed.contains(&name.as_str())).collect();
        ReadOptions { optional, skip_invalid: self.request.skip_invalid, no_raw: true, ..Default::default() }
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.as_str())
    }

    pub(super) fn outcomes(&self) -> Result<Outcomes, MonitorError> {
        match (&self.production, self.request.labels, self.id()) {
            (Some(production), Some(path), Some(id)) => {
                let reading = outcomes::Reading { id, target: &production.pipeline.target };
                Ok(Outcomes::read(path, &reading)?)
            }
            (_, Some(path), _) => Err(MonitorError::Usage(format!(
                "{}: labels join by id with what production predicts; there is no id column, or no production",
                path.display()
            ))),
            (Some(production), None, _) => self.stored_outcomes(&production.pipeline.target),
            (None, None, _) => Ok(Outcomes::default()),
        }
    }

    pub(super) fn current_path(&self) -> PathBuf {
        match self.request.current {
            Some(path) => path.to_owned(),
            None => self.workspace.path(&self.settings.current),
        }
    }

    /// What arrived. A table that nobody named and that is not there is nothing, not an error.
    pub(super) fn arrived(&self, outcomes: &Outcomes) -> Result<(Arrived, Side), MonitorError> {
        if let Some(path) = self.request.current_profile {
            let arrived = Arrived::profile(merge_files(&[path.to_owned()], self.request.exact)?);
            let side = side(path.display().to_string(), &arrived.profile);
            return Ok((arrived, side));
        }
        let path = self.current_path();
        let name = path.display().to_string();
        if self.request.current.is_none() && !path.exists() {
            let arrived = Arrived::profile(ProfileBuilder::new(&self.schema, self.limits()).finish());
            let side = side(name, &arrived.profile);
            return Ok((arrived, side));
        }
        let time_column = self.schema.columns.iter().find(|c| c.kind == Kind::Time).map(|c| c.name.as_str());
        if matches!(self.request.by, Some(By::Day | By::Week | By::Month)) && time_column.is_none() {
            return Err(MonitorError::Usage(
                "--by day, week and month need a time column; --by N cuts by rows".to_owned(),
            ));
        }
        let read = self.read_options();
        let pass = Pass {
            schema: &self.schema,
            read: &read,
            limits: self.limits(),
            pipeline: self.production.as_ref().map(|production| &production.pipeline),
            outcomes,
            by: self.request.by,
            time_column: time_column.unwrap_or_default(),
            seed: self.request.seed,
        };
        let arrived = pass.run(Input::open(&path)?)?;
        let side = side(name, &arrived.profile);
        Ok((arrived, side))
    }
}

fn production(workspace: &Workspace, optional: bool) -> Result<Option<Production>, MonitorError> {
    let registry = workspace.registry();
    if optional && registry.roles()?.holder(Role::Production).is_none() {
        return Ok(None);
    }
    let (version, pipeline) = learn::load(workspace, None)?;
    let manifest = registry.manifest(version)?;
    // A version that was not judged has no metrics to fall from.
    let gate = serde_json::from_value(manifest.gate.clone()).ok();
    Ok(Some(Production { version, pipeline, manifest, gate }))
}

fn side(name: String, profile: &Profile) -> Side {
    Side { name, n_rows: profile.n_rows, exact: profile.exact(), rank_error: profile.rank_error() }
}
