//! The versions in use at one moment: those named in roles.json and ab.json, loaded and ready.
//!
//! ```text
//! roles.json ─┐  stat, a few times a second        ┌─▶ requests that began before finish on the old one
//! ab.json ────┴─▶ changed? ─ load, verify ─▶ swap ─┴─▶ requests that begin now
//!                              └ damaged: the old one stays, /ready and /metrics report it
//! ```

use super::ServeError;
use super::form::Form;
use crate::ab::{Assigner, Experiment, experiment};
use crate::atomic::Stamp;
use crate::journal::Layout;
use crate::past::{PastError, Remembered};
use crate::pipeline::{Pipeline, PipelineError};
use crate::registry::{RegistryError, Roles, Version};
use crate::table::{CellReader, Kind, NumberFormat};
use crate::workspace::Workspace;
use axum::body::Bytes;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};

/// A version in memory, immutable.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Its number.
    pub(super) version: Version,
    /// Its number, as displayed.
    pub(super) name: String,
    /// The pipeline that scores.
    pub(super) pipeline: Pipeline,
    /// The readers of the cells of each input.
    pub(super) readers: Vec<CellReader>,
    /// The log layout of its rows.
    pub(super) layout: Arc<Layout>,
    /// The past rows for its windows, if it has any.
    pub(super) past: Option<Remembered>,
}

/// Number of rows stored for windows, and the current time.
pub(super) type Memory = (usize, Timestamp);

impl Loaded {
    fn load(workspace: &Workspace, version: Version, memory: Memory) -> Result<Arc<Self>, ServeError> {
        let pipeline = workspace.registry().pipeline(version)?;
        let readers = pipeline.cell_readers()?;
        let layout = Arc::new(Layout::of(&pipeline));
        let past = Remembered::of_version(workspace, version, &pipeline, memory)?;
        Ok(Arc::new(Self { version, name: version.to_string(), pipeline, readers, layout, past }))
    }
}

/// A version, and the indices of its inputs in a request's rows.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// The version.
    pub(super) model: Arc<Loaded>,
    /// The index of each input in the form.
    pub(super) inputs: Vec<usize>,
    /// The index of each logged column in the form, and its number format.
    pub(super) logged: Vec<(usize, Option<NumberFormat>)>,
    /// The index of the id column.
    pub(super) id: Option<usize>,
    /// The index of the outcome.
    pub(super) target: usize,
}

impl Live {
    fn new(model: Arc<Loaded>, form: &mut Form) -> Self {
        let id = model.layout.id().map(|name| form.keep(name));
        // In schema order, as in most requests.
        let number = |name: &str| model.pipeline.schema.number_format(name).cloned();
        let logged = model.layout.features().map(|name| (form.keep(name), number(name))).collect();
        let inputs: Vec<usize> = model.pipeline.features.inputs().map(|(name, _)| form.keep(name)).collect();
        let target = form.keep(&model.pipeline.target.name);
        for column in model.pipeline.schema.columns.iter().filter(|column| column.kind == Kind::Ignore) {
            form.allow(&column.name);
        }
        Self { model, inputs, logged, id, target }
    }
}

/// A running experiment.
#[derive(Debug)]
pub(super) struct Running {
    /// The experiment, as in `ab.json`.
    pub(super) experiment: Experiment,
    /// Assigns units to arms.
    pub(super) assigner: Assigner,
    /// The arms, in the experiment's order.
    pub(super) arms: Vec<Live>,
    /// The index of the column that names the unit.
    pub(super) unit: usize,
}

/// The state that answers are computed from.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The columns that requests may name.
    pub(super) form: Form,
    /// The versions' roles.
    pub(super) roles: Roles,
    /// The version in production; `None` before the first `train`.
    pub(super) production: Option<Live>,
    /// The experiment, if it runs with this version in production.
    pub(super) running: Option<Running>,
    /// The experiment of `ab.json`, running or not.
    pub(super) experiment: Option<Experiment>,
    /// Its generated pages, cached.
    pub(super) pages: Pages,
}

/// Pages about a snapshot; generated on the first request.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) openapi: OnceLock<Bytes>,
    pub(super) docs: OnceLock<Result<Bytes, askama::Error>>,
}

impl Snapshot {
    /// Loads the current state of the workspace; versions already in `before` are reused.
    pub(super) fn load(workspace: &Workspace, before: Option<&Self>, memory: Memory) -> Result<Self, ServeError> {
        let roles = workspace.registry().roles()?;
        let experiment = Experiment::load(workspace)?;
        let model = |version| match before.and_then(|before| before.model(version)) {
            Some(model) => Ok(model),
            None => Loaded::load(workspace, version, memory),
        };
        let mut form = Form::default();
        let production = roles.production.map(model).transpose()?.map(|model| Live::new(model, &mut form));
        if let Some(live) = &production {
            form.arrange(&live.inputs, live.target);
        }
        let running = match &experiment {
            Some(experiment) if experiment.applies(roles.production) => {
                let mut arms = Vec::new();
                for arm in &experiment.arms {
                    // Arms may have the same version, and the first is usually production.
                    let known = arms.iter().chain(&production).find(|live: &&Live| live.model.version == arm.version);
                    let model = known.map_or_else(|| model(arm.version), |live| Ok(Arc::clone(&live.model)))?;
                    arms.push(Live::new(model, &mut form));
                }
                let unit = form.keep(&experiment.unit);
                Some(Running { assigner: experiment.assigner(), experiment: experiment.clone(), arms, unit })
            }
            _ => None,
        };
        Ok(Self { form, roles, production, running, experiment, pages: Pages::default() })
    }

    fn model(&self, version: Version) -> Option<Arc<Loaded>> {
        self.lives().find(|live| live.model.version == version).map(|live| Arc::clone(&live.model))
    }

    /// All versions that answer or score in the shadow; a version may occur twice.
    pub(super) fn lives(&self) -> impl Iterator<Item = &Live> {
        self.production.iter().chain(self.running.iter().flat_map(|running| &running.arms))
    }

    /// The versions with windows, each once.
    pub(super) fn looking_back(&self) -> Vec<(&Live, &Remembered)> {
        let mut found: Vec<(&Live, &Remembered)> = Vec::new();
        for live in self.lives() {
            if let Some(past) = &live.model.past
                && found.iter().all(|(known, _)| known.model.version != live.model.version)
            {
                found.push((live, past));
            }
        }
        found
    }
}

/// Stamps of the files that determine the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps {
    roles: Option<Stamp>,
    experiment: Option<Stamp>,
}

impl Stamps {
    /// The current stamps.
    pub(super) fn now(workspace: &Workspace) -> Self {
        Self {
            roles: Stamp::of(&workspace.path("models/roles.json")),
            experiment: Stamp::of(&workspace.path(experiment::FILE)),
        }
    }
}

impl From<PastError> for ServeError {
    fn from(err: PastError) -> Self {
        match err {
            PastError::Pipeline(err) => Self::Pipeline(err),
            PastError::Registry(err) => err.into(),
            err => Self::Pipeline(PipelineError::Rows(err.to_string())),
        }
    }
}

impl From<RegistryError> for ServeError {
    fn from(err: RegistryError) -> Self {
        Self::Workspace(err.into())
    }
}
