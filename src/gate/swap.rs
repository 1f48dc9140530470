//! Changes which version is in production.

use super::GateError;
use crate::atomic::Lock;
use crate::reference;
use crate::workspace::audit::Event;
use crate::workspace::event::{Details, Promoted};
use crate::workspace::{EventKind, Workspace};

/// Puts a version into production; its golden rows must have been verified.
pub(super) fn swap(
    workspace: &Workspace,
    lock: &Lock,
    at: jiff::Timestamp,
    by: Option<&str>,
    promoted: &Promoted,
) -> Result<(), GateError> {
    let (version, details) = (promoted.version, promoted.value());
    reference::can_settle(workspace, version)?;
    let mut roles = workspace.registry().roles()?;
    roles.previous.retain(|v| *v != version);
    roles.previous.extend(roles.production.replace(version));
    roles.challenger = roles.challenger.filter(|v| *v != version);
    let by = by.map(str::to_owned);
    workspace.record(lock, Event { at, event: EventKind::Promoted, by, roles: Some(roles), details })?;
    Ok(())
}
