//! Sends the changes of the audit chain to an MLflow tracking server.
//!
//! ```text
//! audit.jsonl  … line 17 ┆ line 18, line 19          the chain is the queue: lines after the cursor wait
//!                        └ runs/track.json (cursor)
//! sync: line 18 ─▶ run (found by its tag, or made) ─▶ parameters, metrics, data sets, artifacts ─▶ FINISHED ─▶ cursor
//!       … last line ─▶ aliases: champion, challenger ─▶ cursor
//! ```
//! 1. The chain stays the source of truth: nothing is read back from the server into the loop.
//! 2. A run has the hash of its line as a tag. A line sent before is found by it, so that a lost
//!    cursor, or a process that died half way, creates no duplicates.
//! 3. Runs have the times of their lines, whenever they are sent.
//! 4. A failing server is reported, but is not an error.

mod client;
mod events;
mod model;

pub use client::{Credentials, Server};

use crate::atomic::{self, At, AtPath};
use crate::pipeline::PipelineError;
use crate::registry::RegistryError;
use crate::remote::{CallError, Method};
use crate::workspace::audit::Chain;
use crate::workspace::{TrackRules, Workspace, WorkspaceError};
use client::told;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Local errors.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The settings are invalid.
    #[error("{0}")]
    Settings(String),
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A version cannot be read.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
}

/// The reason for stopping: a local error, or the server.
enum Stop {
    Here(TrackError),
    There(CallError),
}

impl<E: Into<TrackError>> From<E> for Stop {
    fn from(err: E) -> Self {
        Self::Here(err.into())
    }
}

impl From<CallError> for Stop {
    fn from(err: CallError) -> Self {
        Self::There(err)
    }
}

/// The result of sending changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Synced {
    /// The server.
    pub server: String,
    /// Changes that were sent now.
    pub sent: u64,
    /// Changes that still wait.
    pub waiting: u64,
    /// Why they wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Problems, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How much of the chain was sent; `runs/track.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Version of this file's format: 1.
    pub format: u32,
    /// The server, without a login.
    pub server: String,
    /// The experiment.
    pub experiment: String,
    /// The registered model.
    pub model: String,
    /// The last line of the chain that was sent; 0 for none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
    /// The line up to which the aliases are right.
    pub aliases: u64,
    /// Number of failed attempts since the last success.
    pub attempts: u32,
    /// The time of the next automatic attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<jiff::Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// After this many attempts, the waiting time no longer doubles: 2^9 minutes are about eight hours.
const MAX_DOUBLINGS: u32 = 9;
/// How long to wait for another sending process before leaving the work to it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Names on the server.
struct Names {
    experiment: String,
    model: String,
}

impl Names {
    fn of(workspace: &Workspace, rules: &TrackRules) -> Self {
        let dir = workspace.dir().canonicalize().unwrap_or_else(|_| workspace.dir().to_owned());
        let name = dir.file_name().map_or_else(|| "loop".to_owned(), |name| name.to_string_lossy().into_owned());
        let plain = |c: char| if c.is_control() || c == '/' || c == ':' { '_' } else { c };
        let name: String = name.chars().map(plain).collect();
        Self {
            experiment: rules.experiment.clone().unwrap_or_else(|| name.clone()),
            model: rules.model.clone().unwrap_or(name),
        }
    }
}

/// How much of the chain was sent to this server; `None` for nothing, or if the cursor belongs to another server,
/// experiment or chain, or is damaged: the chain is then sent again, which creates no duplicates.
///
/// # Errors
/// If the file exists and is unreadable.
pub fn cursor(workspace: &Workspace) -> Result<Option<Cursor>, TrackError> {
    let path = path(workspace);
    let bytes = atomic::read(&path).if_there().at(path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/track.json")
}

/// Sends lines not sent yet. `by_itself` is for automatic sending after a change: a server that failed recently is then
/// not called for 2, 4, 8, … minutes.
///
/// # Errors
/// Local errors; a failing server is reported in [`Synced::trouble`].
pub fn sync(
    workspace: &Workspace,
    rules: &TrackRules,
    server: &Server,
    by_itself: bool,
    now: jiff::Timestamp,
) -> Result<Synced, TrackError> {
    let mut synced = Synced { server: server.address().to_owned(), ..Synced::default() };
    let chain = workspace.audit_chain()?;
    if let Some(broken) = &chain.broken {
        let what = format!("line {} is invalid: {}; see `mlloop audit verify`", broken.line, broken.what);
        return Err(WorkspaceError::Audit { path: workspace.path("audit.jsonl"), what }.into());
    }
    let Some(last) = chain.entries.last() else { return Ok(synced) };
    let names = Names::of(workspace, rules);
    let runs = workspace.path("runs");
    atomic::make_dirs(&runs).at(&runs)?;
    let Ok(_lock) = atomic::lock_within(&runs.join(".track.lock"), PATIENCE) else {
        synced.trouble = Some("another mlloop process is sending to it".to_owned());
        return Ok(synced);
    };
    let mut cursor = place(workspace, server, &names, &chain)?;
    if cursor.seq == last.seq && cursor.aliases == last.seq {
        return Ok(synced);
    }
    synced.waiting = last.seq - cursor.seq;
    if let Some(next) = cursor.next_at.filter(|next| by_itself && *next > now) {
        let why = cursor.last_error.clone().unwrap_or_else(|| "the last attempt did not finish".to_owned());
        synced.trouble = Some(format!("{why}; next attempt after {next}"));
        return Ok(synced);
    }
    // Count the attempt as failed until it succeeds, so that a killed process is counted too.
    cursor.attempts += 1;
    let minutes = 1_i64 << cursor.attempts.min(MAX_DOUBLINGS);
    cursor.next_at = now.checked_add(jiff::SignedDuration::from_mins(minutes)).ok();
    save(workspace, &cursor)?;
    let mut round = Round { workspace, server, names, chain: &chain, synced: &mut synced };
    let ended = round.run(&mut cursor);
    synced.waiting = last.seq - cursor.seq;
    match ended {
        Ok(()) => {
            (cursor.attempts, cursor.next_at, cursor.last_error) = (0, None, None);
            save(workspace, &cursor)?;
        }
        Err(Stop::There(err)) => {
            cursor.last_error = Some(told(&err));
            save(workspace, &cursor)?;
            synced.trouble = cursor.last_error.clone();
        }
        Err(Stop::Here(err)) => return Err(err),
    }
    Ok(synced)
}

/// Where to go on: the cursor of this server, these names and this chain, or the beginning.
fn place(workspace: &Workspace, server: &Server, names: &Names, chain: &Chain) -> Result<Cursor, TrackError> {
    let known = cursor(workspace)?.filter(|cursor| {
        let here = (cursor.server.as_str(), &cursor.experiment, &cursor.model);
        let told = chain.entry(cursor.seq).is_some_and(|entry| entry.hash == cursor.hash);
        here == (server.address(), &names.experiment, &names.model) && (cursor.seq == 0 || told)
    });
    Ok(known.unwrap_or_else(|| Cursor {
        format: 1,
        server: server.address().to_owned(),
        experiment: names.experiment.clone(),
        model: names.model.clone(),
        seq: 0,
        hash: String::new(),
        aliases: 0,
        attempts: 0,
        next_at: None,
        last_error: None,
    }))
}

fn save(workspace: &Workspace, cursor: &Cursor) -> Result<(), TrackError> {
    let path = path(workspace);
    Ok(atomic::replace_json(&path, cursor).at(path)?)
}

/// One pass from the cursor to the end of the chain.
struct Round<'a> {
    workspace: &'a Workspace,
    server: &'a Server,
    names: Names,
    chain: &'a Chain,
    synced: &'a mut Synced,
}

impl Round<'_> {
    fn run(&mut self, cursor: &mut Cursor) -> Result<(), Stop> {
        let experiment = self.experiment()?;
        let from = usize::try_from(cursor.seq).unwrap_or(usize::MAX);
        for entry in self.chain.entries.iter().skip(from) {
            if self.tell(&experiment, entry)? {
                self.synced.sent += 1;
            }
            (cursor.seq, cursor.hash) = (entry.seq, entry.hash.clone());
            cursor.attempts = 0;
            save(self.workspace, cursor)?;
        }
        self.aliases()?;
        cursor.aliases = cursor.seq;
        Ok(())
    }

    /// The id of the experiment, created if missing.
    fn experiment(&self) -> Result<String, CallError> {
        let name = self.names.experiment.as_str();
        let find = || self.server.get("experiments/get-by-name", &[("experiment_name", name)]);
        let found = match find() {
            Err(err) if err.is("RESOURCE_DOES_NOT_EXIST") => {
                let made = self.server.call(Method::Post, "experiments/create", &json!({ "name": name }));
                match made {
                    Ok(made) => return text(&made["experiment_id"], "experiment_id"),
                    // Another client created it meanwhile.
                    Err(err) if err.is("RESOURCE_ALREADY_EXISTS") => find()?,
                    Err(err) => return Err(err),
                }
            }
            found => found?,
        };
        if found["experiment"]["lifecycle_stage"] == "deleted" {
            return Err(CallError::Broken(format!(
                "its experiment {name:?} was deleted: restore it on the server, or set another in [track] experiment"
            )));
        }
        text(&found["experiment"]["experiment_id"], "experiment_id")
    }
}

/// A text in an answer.
fn text(value: &serde_json::Value, key: &str) -> Result<String, CallError> {
    let found = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    found.ok_or_else(|| CallError::Broken(format!("the response has no {key}: it may not be an MLflow server")))
}
