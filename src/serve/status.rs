//! Where the loop stands, for programs that ask over HTTP.

use super::problem::Refusal;
use super::snapshot::Snapshot;
use crate::labels::{Labels, Used};
use crate::workspace::Workspace;
use serde_json::{Value, json};

/// `/models`: versions with roles and metrics.
///
/// # Errors
/// When the registry cannot be read.
pub(super) fn models(workspace: &Workspace, snapshot: &Snapshot) -> Result<Value, Refusal> {
    let fault = |err: crate::registry::RegistryError| Refusal::Internal(err.to_string());
    let registry = workspace.registry();
    let mut versions = Vec::new();
    for version in registry.versions().map_err(fault)? {
        // A version whose manifest is damaged is still listed.
        let told = match registry.manifest(version) {
            Ok(manifest) => json!({
                "version": version,
                "role": snapshot.roles.role_of(version),
                "trained_at": manifest.trained_at,
                "rows": manifest.rows.total(),
                "metric": manifest.headline(),
                "gate": manifest.gate["metrics"],
            }),
            Err(err) => {
                json!({ "version": version, "role": snapshot.roles.role_of(version), "error": err.to_string() })
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

/// `/retrain/status`: labels that no version has learned from, and how many are wanted.
///
/// # Errors
/// When `mlloop.toml` or the labels cannot be read.
pub(super) fn retrain(workspace: &Workspace, snapshot: &Snapshot) -> Result<Value, Refusal> {
    let config = workspace.config().map_err(|err| Refusal::Internal(err.to_string()))?;
    let labels = Labels::open(workspace).map_err(|err| Refusal::Internal(err.to_string()))?;
    let used = Used::open(workspace).map_err(|err| Refusal::Internal(err.to_string()))?;
    let last_run = workspace.last_run("retrain").map_err(|err| Refusal::Internal(err.to_string()))?;
    let n_unused = labels.unused(&used).count();
    let threshold = config.monitor.triggers.unused_feedback.at();
    let remaining = threshold.map(|threshold| (threshold - n_unused as f64).max(0.0).ceil());
    let progress = threshold
        .map(|threshold| if threshold > 0.0 { (100.0 * n_unused as f64 / threshold).min(100.0) } else { 100.0 });
    Ok(json!({
        "n_labels": labels.rows().len(),
        "n_unused": n_unused,
        "threshold": threshold,
        "remaining": remaining,
        "progress_percent": progress,
        "due": remaining.map(|remaining| remaining == 0.0),
        "version": snapshot.roles.production,
        "challenger": snapshot.roles.challenger,
        "last_run": last_run,
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
