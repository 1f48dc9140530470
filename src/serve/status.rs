//! Where the loop stands, for programs that ask over HTTP.

use super::endpoint::Endpoint;
use super::problem::Refusal;
use super::snapshot::Snapshot;
use super::state::App;
use crate::atomic::Stamp;
use crate::retrain::standing::{self, progress};
use crate::workspace::Workspace;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the answer of an endpoint is made from, as it is now.
pub(super) fn files(workspace: &Workspace, endpoint: Endpoint) -> Vec<Option<Stamp>> {
    let mut names = vec![PathBuf::from("models"), PathBuf::from("models/roles.json")];
    if endpoint == Endpoint::RetrainStatus {
        names.push(PathBuf::from("runs/runs.jsonl"));
        names.extend(standing::files(workspace));
    }
    // A version's files are replaced, which its directory shows.
    let versions = workspace.registry().versions().unwrap_or_default();
    names.extend(versions.iter().map(|version| Path::new("models").join(version.to_string())));
    names.iter().map(|name| Stamp::of(&workspace.path(name))).collect()
}

/// `/models`: versions with roles and metrics.
///
/// # Errors
/// When the registry cannot be read.
pub(super) fn models(workspace: &Workspace, snapshot: &Snapshot) -> Result<Value, Refusal> {
    let fault = |err: crate::registry::RegistryError| Refusal::Internal(err.to_string());
    let registry = workspace.registry();
    let decides = workspace.config().ok().and_then(|config| config.promote.metric);
    let mut versions = Vec::new();
    for version in registry.versions().map_err(fault)? {
        // A version whose manifest is damaged is still listed.
        let told = match registry.manifest(version) {
            Ok(manifest) => json!({
                "version": version,
                "role": snapshot.roles.role_of(version),
                "trained_at": manifest.trained_at,
                "rows": manifest.rows.total(),
                "metric": manifest.headline(decides),
                "gate": manifest.gate["metrics"],
            }),
            Err(_) => {
                let error = "its manifest cannot be read; `mlloop status` says why";
                json!({ "version": version, "role": snapshot.roles.role_of(version), "error": error })
            }
        };
        versions.push(told);
    }
    Ok(json!({
        "production": snapshot.roles.production,
        "challenger": snapshot.roles.challenger,
        "previous": snapshot.roles.previous,
        "versions": versions,
    }))
}

/// `/retrain/status`: how far each reason to retrain is.
///
/// # Errors
/// When `mlloop.toml`, the labels or the last report cannot be read.
pub(super) fn retrain(app: &App, snapshot: &Snapshot) -> Result<Value, Refusal> {
    let fault = |err: String| Refusal::Internal(err);
    let workspace = &app.workspace;
    let progress = progress(workspace, snapshot.roles.production, app.now()).map_err(|err| fault(err.to_string()))?;
    let last_run = workspace.last_run("retrain").map_err(|err| fault(err.to_string()))?;
    let by_labels = progress.by_labels();
    let due: Vec<&str> = progress.triggers.iter().filter(|t| t.fired).map(|t| t.name.as_str()).collect();
    Ok(json!({
        "n_labels": progress.n_labels,
        "n_unused": progress.n_unused,
        // Of the triggers that count labels, the one that is farthest along.
        "trigger": by_labels.map(|trigger| &trigger.name),
        "count": by_labels.and_then(|trigger| trigger.count),
        "threshold": by_labels.and_then(|trigger| trigger.threshold),
        "remaining": by_labels.and_then(|trigger| trigger.remaining),
        "progress_percent": by_labels.and_then(|trigger| trigger.progress_percent),
        "due": !due.is_empty(),
        "fired": due,
        "triggers": progress.triggers,
        "notes": progress.notes,
        "version": snapshot.roles.production,
        "challenger": snapshot.roles.challenger,
        "last_run": last_run,
        "job": app.job.as_ref().map(|job| job.state()),
    }))
}

/// `/ab/status`: the experiment and whether it is followed.
pub(super) fn experiment(snapshot: &Snapshot) -> Value {
    let Some(experiment) = &snapshot.experiment else { return json!({ "running": false, "experiment": null }) };
    let arms: Vec<Value> = experiment
        .arms
        .iter()
        .zip(experiment.weights())
        .map(|(arm, weight)| json!({ "name": arm.name, "version": arm.version, "weight": weight }))
        .collect();
    let why_not = match (&snapshot.running, experiment.is_running()) {
        (Some(_), _) => None,
        (None, false) => Some("it has ended"),
        (None, true) => Some("what is in production is not its first arm: it was promoted or rolled back since"),
    };
    json!({
        "running": snapshot.running.is_some(),
        "why_not": why_not,
        "name": experiment.name,
        "shadow": experiment.shadow,
        "unit": experiment.unit,
        "arms": arms,
        "experiment": experiment,
    })
}
