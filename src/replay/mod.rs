//! Replays decisions: do the files of the loop alone give the same result?
//!
//! ```text
//! audit.jsonl, line n ─▶ the loop as it was before it, in a separate directory ─▶ the same change ─▶ same bytes?
//!                          (inputs by their SHA-256: at their old place, in runs/kept, or files given)
//! ```
//! Missing inputs are named with their digest. Clock-dependent results (the guardrail of latency) are not compared.

mod decisions;
mod shadow;
mod version;

use crate::ab::AbError;
use crate::atomic::AtPath;
use crate::gate::GateError;
use crate::labels::LabelError;
use crate::pipeline::FitProgress;
use crate::reference::ReferenceError;
use crate::registry::{RegistryError, Version};
use crate::retrain::RetrainError;
use crate::train::TrainError;
use crate::workspace::audit::{Chain, Entry};
use crate::workspace::event::GateVerdict;
use crate::workspace::{EventKind, Workspace, WorkspaceError};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Errors other than a different result.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A problem with the reference.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// Training again failed.
    #[error("{0}")]
    Train(#[from] TrainError),
    /// Retraining again failed.
    #[error("{0}")]
    Retrain(#[from] RetrainError),
    /// The gate failed.
    #[error("{0}")]
    Gate(#[from] GateError),
    /// The experiment cannot be evaluated again.
    #[error("{0}")]
    Ab(#[from] AbError),
    /// The labels cannot be imported again.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// There is nothing to replay.
    #[error("{0}")]
    Usage(String),
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// The decision to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A version: it is trained again, and its last verdict is repeated.
    Version(Version),
    /// The change in this line of the chain.
    Line(u64),
}

/// The decision to replay, and the available files.
pub struct ReplayRequest<'a> {
    /// The decision.
    pub what: What,
    /// Copies of files that the loop no longer has, in any order: each is identified by its digest.
    pub files: &'a [PathBuf],
    /// Progress callback.
    pub progress: &'a FitProgress<'a>,
}

/// A recorded result, and the repeated result.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// The line of the chain that recorded it.
    pub line: u64,
    /// What is compared: a file, a verdict, a count.
    pub what: String,
    /// Whether the results are the same.
    pub agrees: bool,
    /// The recorded value, if it differs.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub recorded: Value,
    /// The repeated value, if it differs.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub now: Value,
}

impl Part {
    /// Compares two values that should be equal.
    fn of(line: u64, what: impl Into<String>, recorded: Value, now: Value) -> Self {
        let agrees = recorded == now;
        let (recorded, now) = if agrees { (Value::Null, Value::Null) } else { (recorded, now) };
        Self { line, what: what.into(), agrees, recorded, now }
    }
}

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Replay {
    /// All repeated results.
    pub parts: Vec<Part>,
    /// Missing files, as `data/reference.csv with SHA-256 …`.
    pub missing: Vec<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

impl Replay {
    /// Whether all results are as recorded; `None` if something is missing and nothing differs, or nothing
    /// could be replayed.
    #[must_use]
    pub fn agrees(&self) -> Option<bool> {
        match self.parts.iter().all(|part| part.agrees) {
            false if self.missing.is_empty() => Some(false),
            true if self.missing.is_empty() && !self.parts.is_empty() => Some(true),
            _ => None,
        }
    }

    fn extend(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.missing.extend(other.missing.into_iter().filter(|what| !self.missing.contains(what)).collect::<Vec<_>>());
        self.notes.extend(other.notes);
    }
}

/// The input of every replay.
struct Source<'a> {
    workspace: &'a Workspace,
    chain: &'a Chain,
    files: &'a [PathBuf],
    progress: &'a FitProgress<'a>,
}

/// Replays a decision, in a separate directory; the loop is unchanged.
///
/// # Errors
/// A broken chain, a line without a decision, and errors in existing files.
pub fn replay(workspace: &Workspace, request: &ReplayRequest) -> Result<Replay, ReplayError> {
    let chain = workspace.audit_chain()?;
    if let Some(broken) = &chain.broken {
        let what = format!("audit.jsonl: line {}: {}; a broken chain cannot be replayed", broken.line, broken.what);
        return Err(ReplayError::Usage(what));
    }
    let source = Source { workspace, chain: &chain, files: request.files, progress: request.progress };
    match request.what {
        What::Version(version) => of_version(&source, version),
        What::Line(line) => {
            let entry = chain.entry(line).ok_or_else(|| {
                ReplayError::Usage(format!("audit.jsonl has {} lines, and no line {line}", chain.entries.len()))
            })?;
            of_line(&source, entry)
        }
    }
}

fn of_version(source: &Source, version: Version) -> Result<Replay, ReplayError> {
    let made = source.chain.maker_of(version)?;
    let made = made.ok_or_else(|| ReplayError::Usage(format!("no line of audit.jsonl made {version}")))?;
    let mut found = version::remake(source, made, version)?;
    if let Some((entry, said)) = source.chain.last_of(|_, said: &GateVerdict| said.challenger == version)? {
        found.extend(decisions::verdict(source, entry, &said)?);
    }
    Ok(found)
}

fn of_line(source: &Source, entry: &Entry) -> Result<Replay, ReplayError> {
    if let Some(version) = entry.made()? {
        return version::remake(source, entry, version);
    }
    if let Some(said) = entry.of()? {
        return decisions::verdict(source, entry, &said);
    }
    if let Some(said) = entry.of()? {
        return decisions::promoted(source, entry, &said);
    }
    match &entry.event {
        EventKind::AbStopped => decisions::ab_stopped(source, entry),
        EventKind::LabelsImported => decisions::labels(source, entry),
        other => Err(ReplayError::Usage(format!(
            "line {} ({other}) cannot be replayed; trained, retrained, gate-verdict, promoted, ab-stopped and \
             labels-imported can",
            entry.seq
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_leaves_the_answer_open() {
        let part = |now: u64| Part::of(1, "n", json!(1), json!(now));
        let found = |parts: Vec<Part>, missing: &[&str]| {
            Replay { parts, missing: missing.iter().map(ToString::to_string).collect(), notes: Vec::new() }.agrees()
        };
        assert_eq!(found(vec![part(1), part(1)], &[]), Some(true));
        assert_eq!(found(vec![part(1), part(2)], &[]), Some(false));
        assert_eq!(found(vec![part(1)], &["a file"]), None);
        assert_eq!(found(vec![part(2)], &["a file"]), None);
        assert_eq!(found(vec![], &[]), None);
    }
}
