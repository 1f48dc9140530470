//! `runs/place.json`: the place of this loop's copy, the common state at the last sync, and files that are not here.

use super::{Workspace, WorkspaceError};
use crate::atomic::{self, At, Lock};
use crate::registry::Head;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The file.
pub(crate) const AWAY: &str = "runs/place.json";
/// Maximum size of the file.
const LIMIT: u64 = 256 << 20;

/// The record of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Away {
    /// Its address.
    pub(crate) place: String,
    /// The end of the audit chain at that time.
    pub(crate) head: Head,
    /// SHA-256 of the files that both had at that time, by name.
    pub(crate) files: BTreeMap<String, String>,
    /// Files with data that the copy has and this loop lacks.
    pub(crate) not_here: BTreeSet<String>,
}

impl Away {
    /// The record; `None` for a loop that was never pushed or pulled.
    ///
    /// # Errors
    /// If the file is unreadable or invalid.
    pub(crate) fn of(workspace: &Workspace) -> Result<Option<Self>, WorkspaceError> {
        let path = workspace.path(AWAY);
        let Some(bytes) = atomic::read_at_most(&path, LIMIT).if_there().at(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|err| WorkspaceError::Audit {
            path,
            what: format!("cannot be parsed: {err}; remove it; push or pull writes a new one"),
        })
    }

    /// The state of a file when this loop and its copy at `place` last agreed.
    pub(crate) fn base(&self, place: &str, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str).filter(|_| self.place == place)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// I/O errors.
    pub(crate) fn keep(&self, workspace: &Workspace, _lock: &Lock) -> Result<(), WorkspaceError> {
        let path = workspace.path(AWAY);
        let write = || {
            let json = serde_json::to_vec_pretty(self)?;
            atomic::make_dirs(workspace.path("runs"))?;
            atomic::replace(&path, |out| out.write_all(&json))
        };
        Ok(write().at(&path)?)
    }
}
