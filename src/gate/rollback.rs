//! Rollback to the previous production version.

use super::GateError;
use crate::atomic::Lock;
use crate::registry::{RegistryError, Role, Roles, Version};
use crate::workspace::audit::{Chain, Event};
use crate::workspace::event::{self, Details};
use crate::workspace::{EventKind, Workspace};
use serde::Serialize;

/// The answer of `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolledBack {
    /// The version in production now.
    pub production: Version,
    /// The version that was in production before; the same if nothing changed.
    pub from: Version,
    /// Whether it was already done, and nothing changed since.
    pub already: bool,
}

/// Returns production to `to`, or else to the previous production version, after its golden rows are verified. No
/// training is needed.
///
/// Repeating the call does nothing: name the version to go back further.
///
/// # Errors
/// If there is no earlier version, the version was never in production, or its files are damaged.
pub fn rollback(
    workspace: &Workspace,
    lock: &Lock,
    to: Option<Version>,
    by: Option<&str>,
    reason: Option<&str>,
    now: jiff::Timestamp,
) -> Result<RolledBack, GateError> {
    let registry = workspace.registry();
    let mut roles = registry.roles()?;
    let Some(production) = roles.production else {
        return Err(RegistryError::NoRole { role: Role::Production, dir: workspace.path("models") }.into());
    };
    let chain = workspace.audit_chain()?;
    let just_done = chain.ends_with(&EventKind::RolledBack);
    let target = match to {
        Some(version) => version,
        None if just_done => production,
        None => *roles.previous.last().ok_or_else(|| {
            GateError::NoWayBack(format!(
                "{production} is the first version in production: there is nothing to go back to"
            ))
        })?,
    };
    if target == production {
        return Ok(RolledBack { production, from: production, already: true });
    }
    registry.path(target)?;
    if !was_production(&roles, &chain, target) {
        return Err(GateError::NoWayBack(format!(
            "{target} was never in production: run the gate with `mlloop promote --version {target}`"
        )));
    }
    registry.pipeline(target)?;
    match roles.previous.iter().rposition(|v| *v == target) {
        Some(place) => roles.previous.truncate(place),
        // The rollback is reverted: the replaced version comes before production again.
        None => roles.previous.push(production),
    }
    roles.production = Some(target);
    roles.challenger = roles.challenger.filter(|v| *v != target);
    let details = event::RolledBack { version: target, from: production, reason: reason.map(str::to_owned) }.value();
    let by = by.map(str::to_owned);
    workspace.record(lock, Event { at: now, event: EventKind::RolledBack, by, roles: Some(roles), details })?;
    Ok(RolledBack { production: target, from: production, already: false })
}

fn was_production(roles: &Roles, chain: &Chain, version: Version) -> bool {
    let held = |roles: &Roles| roles.production == Some(version);
    roles.previous.contains(&version) || chain.entries.iter().any(|entry| entry.roles.as_ref().is_some_and(held))
}
