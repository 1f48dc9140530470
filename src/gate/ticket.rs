//! A request for approval as a file, and the digest of what is approved.

use super::GateError;
use crate::atomic::{self, At};
use crate::digest;
use crate::registry::{Registry, Version};
use crate::wording::{known_format, person_key};
use crate::workspace::event::Asks;
use crate::workspace::{Config, Workspace};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The state of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waiting for a decision.
    Pending,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// Replaced by a later request.
    Superseded,
}

/// A request for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Version of this format: 1.
    pub format: u32,
    /// What is requested; if it is absent, a promotion.
    #[serde(default)]
    pub asks: Asks,
    /// Its name: the version, or `retrain`, and the beginning of the digest.
    pub id: String,
    /// The version to promote; for a retraining, the version in production.
    pub version: Version,
    /// The version in production.
    pub production: Version,
    /// SHA-256 over everything that is approved.
    pub digest: String,
    /// The gate's verdict; for a retraining, the reasons and the number of new labels.
    #[cfg_attr(test, schemars(with = "Judged"))]
    pub verdict: Value,
    /// The reason, in one sentence.
    pub sentence: String,
    /// Who requested it, if given.
    pub requested_by: Option<String>,
    /// When.
    pub requested_at: Timestamp,
    /// When it expires: from then on it cannot be approved.
    pub expires_at: Timestamp,
    /// When it is carried out unless it is rejected; `None` if it needs approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Its state.
    pub status: Status,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Why it was rejected, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The contents of `verdict` in a request.
#[cfg(test)]
#[expect(dead_code, reason = "only its schema is used")]
#[derive(Serialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Judged {
    /// Of a promotion.
    Promotion {
        /// The gate's verdict.
        verdict: super::Verdict,
        /// How much better the challenger is.
        test: Option<crate::score::Improvement>,
        /// Number of rows.
        n_rows: u64,
        /// Their SHA-256.
        rows: String,
        /// The guardrails that are broken.
        broken: Vec<String>,
        /// Why an equivalent challenger may be promoted.
        allow_equivalent: Option<String>,
    },
    /// Of a retraining.
    Retraining {
        /// The reasons to retrain.
        reasons: String,
        /// How many labels are new.
        n_new: u64,
        /// Whether it was requested with --force, whatever the triggers say.
        force: bool,
    },
}

impl Ticket {
    /// Whether `name` is the requester; case is ignored.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.requested_by.as_deref().is_some_and(|asked| person_key(asked) == person_key(name))
    }

    /// What it waits for, as a sentence.
    #[must_use]
    pub fn waits(&self) -> String {
        let at = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let what = match self.asks {
            Asks::Promotion => self.version.to_string(),
            Asks::Retraining => "A retraining".to_owned(),
        };
        match self.due_at {
            Some(due) => format!(
                "{what} goes into production at {} unless it is rejected: mlloop reject {} --by NAME --reason TEXT",
                at(due),
                self.id
            ),
            None => {
                format!("{what} waits for approval until {}: mlloop approve {} --by NAME", at(self.expires_at), self.id)
            }
        }
    }
}

/// Undecided requests, sorted by name, including expired ones.
///
/// # Errors
/// If a file cannot be read.
pub fn pending(workspace: &Workspace) -> Result<Vec<Ticket>, GateError> {
    let dir = workspace.path("approvals");
    let Some(entries) = std::fs::read_dir(&dir).if_there().at(&dir)? else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.at(&dir)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && path.extension().is_some_and(|ext| ext == "json") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    let tickets = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(tickets.into_iter().filter(|ticket| ticket.status == Status::Pending).collect())
}

/// The request `id`, or the only open one whose name begins with it.
///
/// # Errors
/// If there is none, or a file is unreadable.
pub fn find(workspace: &Workspace, id: &str) -> Result<Ticket, GateError> {
    let dir = workspace.path("approvals");
    let waiting = pending(workspace)?;
    let is_name = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let path = dir.join(format!("{id}.json"));
    if is_name && path.exists() {
        return read(&path);
    }
    let mut begin = waiting.iter().filter(|ticket| is_name && ticket.id.starts_with(id));
    match (begin.next(), begin.next()) {
        (Some(ticket), None) => Ok(ticket.clone()),
        _ => {
            let pending = waiting.iter().map(|ticket| ticket.id.clone()).collect();
            Err(GateError::NoRequest { id: id.to_owned(), dir, pending })
        }
    }
}

fn read(path: &Path) -> Result<Ticket, GateError> {
    let damaged = |what: String| GateError::Damaged { path: path.to_owned(), what };
    let bytes = atomic::read(path).at(path)?;
    let ticket: Ticket =
        serde_json::from_slice(&bytes).map_err(|err| damaged(format!("not a request for approval: {err}")))?;
    known_format(ticket.format, 1).map_err(damaged)?;
    // The kind of request is part of its name, which is part of its digest.
    if (ticket.asks == Asks::Retraining) != ticket.id.starts_with("retrain-") {
        return Err(damaged(format!("does not match its file name {:?}", ticket.id)));
    }
    if path.file_stem().is_none_or(|stem| stem.to_string_lossy() != ticket.id) {
        return Err(damaged(format!("has a file name that does not match its request, {:?}", ticket.id)));
    }
    Ok(ticket)
}

pub(crate) fn save(workspace: &Workspace, ticket: &Ticket) -> Result<(), GateError> {
    let dir = workspace.path("approvals");
    let path = dir.join(format!("{}.json", ticket.id));
    Ok(atomic::remove_leftovers(&dir).and_then(|()| atomic::replace_json(&path, ticket)).at(&path)?)
}

/// SHA-256 over the files of both versions, the reference, `mlloop.toml` and the verdict.
pub(super) fn digest(
    workspace: &Workspace,
    config: &Config,
    production: Version,
    version: Version,
    verdict: &Value,
) -> Result<String, GateError> {
    let mut hasher = Sha256::new();
    let registry = workspace.registry();
    // A retraining starts from the version in production.
    for of in if production == version { vec![version] } else { vec![production, version] } {
        for path in files(registry, of)? {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            hasher.update(format!("{of}/{name} {}\n", file_digest(&path)?));
        }
    }
    hasher.update(format!("reference {}\n", file_digest(&workspace.path(&config.data.reference))?));
    hasher.update(format!("config {}\n", file_digest(&workspace.config_path())?));
    hasher.update(format!("verdict {verdict}\n"));
    Ok(digest::hex(&hasher.finalize()))
}

fn files(registry: &Registry, version: Version) -> Result<Vec<PathBuf>, GateError> {
    let dir = registry.path(version)?;
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&dir).at(&dir)? {
        paths.push(entry.at(&dir)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

fn file_digest(path: &Path) -> Result<String, GateError> {
    let (_, sha256) = atomic::open(path).and_then(digest::of).at(path)?;
    Ok(sha256)
}
