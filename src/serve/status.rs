//! The state of the loop, over HTTP.

use super::endpoint::Endpoint;
use super::problem::Refusal;
use super::rounds;
use super::snapshot::Snapshot;
use super::state::App;
use crate::ab::Experiment;
use crate::atomic::Stamp;
use crate::registry::{Role, Version};
use crate::retrain::standing::{self, Standing, progress};
use crate::workspace::{Run, Workspace};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The current state of the source files of an endpoint.
pub(super) fn files(workspace: &Workspace, endpoint: Endpoint) -> Vec<Option<Stamp>> {
    let mut names = vec![PathBuf::from("models"), PathBuf::from("models/roles.json")];
    if endpoint == Endpoint::RetrainStatus {
        names.push(PathBuf::from("runs/runs.jsonl"));
        names.extend(standing::files(workspace));
    }
    // Files of a version are replaced by renaming, which changes its directory.
    let versions = workspace.registry().versions().unwrap_or_default();
    names.extend(versions.iter().map(|version| Path::new("models").join(version.to_string())));
    names.iter().map(|name| Stamp::of(&workspace.path(name))).collect()
}

/// The answer of `/models`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Models {
    /// The version in production.
    production: Option<Version>,
    /// The challenger.
    challenger: Option<Version>,
    /// Previous production versions, latest last.
    previous: Vec<Version>,
    /// Every version, in order.
    versions: Vec<Model>,
}

/// A version, as `/models` lists it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Model {
    /// Its manifest was read.
    Known {
        /// Its number.
        version: Version,
        /// Its role, when it has one.
        role: Option<Role>,
        /// When it was made.
        trained_at: Timestamp,
        /// Number of its rows.
        rows: u64,
        /// The deciding metric on the gate rows, in a few words.
        metric: String,
        /// All metrics on the gate rows, by name.
        #[cfg_attr(test, schemars(with = "Option<crate::score::Metrics>"))]
        gate: Value,
    },
    /// A version whose manifest is damaged is still listed.
    Damaged {
        /// Its number.
        version: Version,
        /// Its role, when it has one.
        role: Option<Role>,
        /// The command that shows the details.
        error: &'static str,
    },
}

/// `/models`: versions with roles and metrics.
///
/// # Errors
/// When the registry cannot be read.
pub(super) fn models(workspace: &Workspace, snapshot: &Snapshot) -> Result<Models, Refusal> {
    let fault = |err: crate::registry::RegistryError| Refusal::Internal(err.to_string());
    let registry = workspace.registry();
    let decides = workspace.config().ok().and_then(|config| config.promote.metric);
    let mut versions = Vec::new();
    for version in registry.versions().map_err(fault)? {
        let role = snapshot.roles.role_of(version);
        versions.push(match registry.manifest(version) {
            Ok(manifest) => Model::Known {
                version,
                role,
                trained_at: manifest.trained_at,
                rows: manifest.rows.total(),
                metric: manifest.headline(decides),
                gate: manifest.gate["metrics"].clone(),
            },
            Err(_) => Model::Damaged { version, role, error: "its manifest cannot be read; see `mlloop status`" },
        });
    }
    let roles = &snapshot.roles;
    Ok(Models {
        production: roles.production,
        challenger: roles.challenger,
        previous: roles.previous.clone(),
        versions,
    })
}

/// The answer of `/retrain/status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Retraining {
    /// Labels of all kinds.
    n_labels: usize,
    /// Usable labels that no version was trained on.
    n_unused: usize,
    /// The trigger that counts labels and has the most progress.
    trigger: Option<String>,
    /// Its count.
    count: Option<f64>,
    /// Its threshold.
    threshold: Option<f64>,
    /// What remains until it fires.
    remaining: Option<f64>,
    /// Progress in percent, from 0 to 100.
    progress_percent: Option<f64>,
    /// Whether any trigger fired.
    due: bool,
    /// The triggers that fired.
    fired: Vec<String>,
    /// All triggers.
    triggers: Vec<Standing>,
    /// Files that could not be read.
    notes: Vec<String>,
    /// The version in production.
    version: Option<Version>,
    /// The challenger.
    challenger: Option<Version>,
    /// The last retraining, from the run log.
    last_run: Option<Run>,
    /// The rounds of the loop in the server, if any.
    job: Option<rounds::Told>,
}

/// `/retrain/status`: the progress of each retraining trigger.
///
/// # Errors
/// If `mlloop.toml`, the labels or the last report is unreadable.
pub(super) fn retrain(app: &App, snapshot: &Snapshot) -> Result<Retraining, Refusal> {
    let fault = |err: String| Refusal::Internal(err);
    let workspace = &app.workspace;
    let progress = progress(workspace, snapshot.roles.production, app.now()).map_err(|err| fault(err.to_string()))?;
    let last_run = workspace.last_run("retrain").map_err(|err| fault(err.to_string()))?;
    let by_labels = progress.by_labels();
    let fired: Vec<String> = progress.triggers.iter().filter(|t| t.fired).map(|t| t.name.clone()).collect();
    Ok(Retraining {
        n_labels: progress.n_labels,
        n_unused: progress.n_unused,
        trigger: by_labels.map(|trigger| trigger.name.clone()),
        count: by_labels.and_then(|trigger| trigger.count),
        threshold: by_labels.and_then(|trigger| trigger.threshold),
        remaining: by_labels.and_then(|trigger| trigger.remaining),
        progress_percent: by_labels.and_then(|trigger| trigger.progress_percent),
        due: !fired.is_empty(),
        fired,
        triggers: progress.triggers,
        notes: progress.notes,
        version: snapshot.roles.production,
        challenger: snapshot.roles.challenger,
        last_run,
        job: app.job.as_ref().map(|job| job.state()),
    })
}

/// The answer of `/ab/status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ExperimentStatus {
    /// Whether the server applies an experiment.
    running: bool,
    /// Why an existing experiment is not applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<&'static str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it is a shadow experiment: the other arms only score.
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<bool>,
    /// The unit: rows, or the values of a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// The arms with their shares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arms: Vec<Arm>,
    /// The whole experiment, as in `ab.json`; null without one.
    experiment: Option<Experiment>,
}

/// An arm and its share.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Arm {
    /// Its name.
    name: String,
    /// Its version.
    version: Version,
    /// Its share of the units, from 0 to 1.
    weight: f64,
}

/// `/ab/status`: the experiment and whether it is applied.
pub(super) fn experiment(snapshot: &Snapshot) -> ExperimentStatus {
    let Some(experiment) = &snapshot.experiment else {
        let (running, why_not, name, shadow, unit) = (false, None, None, None, None);
        return ExperimentStatus { running, why_not, name, shadow, unit, arms: Vec::new(), experiment: None };
    };
    let arms = experiment.arms.iter().zip(experiment.weights());
    let why_not = match (&snapshot.running, experiment.is_running()) {
        (Some(_), _) => None,
        (None, false) => Some("it has ended"),
        (None, true) => Some("its first arm is no longer in production: another version was promoted or rolled back"),
    };
    ExperimentStatus {
        running: snapshot.running.is_some(),
        why_not,
        name: Some(experiment.name.clone()),
        shadow: Some(experiment.shadow),
        unit: Some(experiment.unit.clone()),
        arms: arms.map(|(arm, &weight)| Arm { name: arm.name.clone(), version: arm.version, weight }).collect(),
        experiment: Some(experiment.clone()),
    }
}
