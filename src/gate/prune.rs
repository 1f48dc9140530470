//! Removes old versions: keeps the latest `keep_versions` and those still in use.

use super::{GateError, ticket};
use crate::atomic::{self, At, Lock};
use crate::registry::{Roles, Version};
use crate::workspace::audit::Event;
use crate::workspace::event::{Details, Pruned};
use crate::workspace::{EventKind, Workspace};
use serde_json::Value;
use std::collections::BTreeSet;

/// Removes versions beyond the latest `keep`, but never production, its predecessor, the challenger, a version that
/// waits for approval, or one in an experiment. The line in the chain is written first, so that every removal is
/// recorded; removals left incomplete by a crashed process are completed without another line.
pub(super) fn prune(
    workspace: &Workspace,
    lock: &Lock,
    keep: u32,
    now: jiff::Timestamp,
) -> Result<Vec<Version>, GateError> {
    let registry = workspace.registry();
    let mut roles = registry.roles()?;
    let stays = needed(workspace, &roles)?;
    let versions = registry.versions()?;
    let n_old = versions.len().saturating_sub(keep as usize);
    let old: Vec<Version> = versions[..n_old].iter().copied().filter(|v| !stays.contains(v)).collect();
    let models = workspace.path("models");
    atomic::remove_leftovers(&models).at(&models)?;
    if old.is_empty() {
        return Ok(old);
    }
    let chain = workspace.audit_chain()?;
    let mut said: Vec<Version> = Vec::new();
    for line in chain.all_of::<Pruned>() {
        said.extend(line?.1.versions);
    }
    if !old.iter().all(|version| said.contains(version)) {
        roles.previous.retain(|v| !old.contains(v));
        let details = Pruned { versions: old.clone(), keep_versions: keep }.value();
        workspace.record(lock, Event { at: now, event: EventKind::Pruned, by: None, roles: Some(roles), details })?;
    }
    for version in &old {
        let path = models.join(version.to_string());
        atomic::remove_dir(&path).at(&path)?;
    }
    workspace.forget_kept(lock, &chain)?;
    Ok(old)
}

/// Versions still in use.
fn needed(workspace: &Workspace, roles: &Roles) -> Result<BTreeSet<Version>, GateError> {
    let mut stays: BTreeSet<Version> = roles.production.into_iter().chain(roles.challenger).collect();
    stays.extend(roles.previous.last());
    stays.extend(ticket::pending(workspace)?.iter().flat_map(|ticket| [ticket.version, ticket.production]));
    let path = workspace.path("ab.json");
    if let Some(bytes) = atomic::read(&path).if_there().at(&path)? {
        let experiment: Value = serde_json::from_slice(&bytes).map_err(|err| GateError::Damaged {
            path,
            what: format!("cannot be read, so the versions that it needs are unknown: {err}"),
        })?;
        named(&experiment, &mut stays);
    }
    Ok(stays)
}

/// Collects every version named by a text in `value`.
fn named(value: &Value, found: &mut BTreeSet<Version>) {
    match value {
        Value::String(text) if text.starts_with('v') => found.extend(text.parse::<Version>().ok()),
        Value::Array(values) => values.iter().for_each(|value| named(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| named(value, found)),
        _ => {}
    }
}
