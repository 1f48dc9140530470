//! Outcomes and feedback that arrive while another process changes the loop: saved at once, recorded by the next
//! process that takes the lock.
//!
//! ```text
//! request ─append, sync─▶ runs/waiting.jsonl ─rename─▶ runs/taking.jsonl ─▶ labels, feedback, audit ─▶ removed
//!            no lock of the loop                under the lock of the loop
//! ```
//! Each step can be repeated: data left by a crashed process is imported first, and data already recorded changes
//! nothing. So nothing is lost or duplicated, and the last label of a row stays the last. A loop with a store first
//! sends its waiting data to the store, and imports them from there.

use super::FeedbackError;
use super::news::{Fold, News, Recorded, receive};
use super::store::Entry;
use crate::atomic::{self, Appender, At, Lock};
use crate::labels::Label;
use crate::labels::shared::{Line, Shared};
use crate::workspace::Workspace;
use jiff::Timestamp;
use std::path::PathBuf;

/// The number of imported records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// New outcomes and labels, one per row and person.
    pub n_outcomes: u64,
    /// New corrections.
    pub n_feedback: u64,
}

/// Saves outcomes and checked corrections, without the lock of the loop: all of them or none.
///
/// # Errors
/// I/O errors.
pub fn keep(workspace: &Workspace, outcomes: Vec<Label>, corrections: &[Entry]) -> Result<(), FeedbackError> {
    let said = corrections.iter().map(|entry| Line::Feedback(entry.line()));
    let mut lines = Vec::new();
    let path = waiting(workspace);
    for line in outcomes.into_iter().map(Line::Outcome).chain(said) {
        serde_json::to_writer(&mut lines, &line).at(&path)?;
        lines.push(b'\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    let write = || {
        atomic::make_dirs(workspace.path("runs"))?;
        Appender::open(&path)?.append(b"", &lines, true).map(|_| ())
    };
    Ok(write().at(&path)?)
}

/// Whether any saved data is waiting.
#[must_use]
pub fn is_waiting(workspace: &Workspace) -> bool {
    [waiting(workspace), taking(workspace)].iter().any(|path| path.exists())
}

/// Imports waiting data, and new data of the store. Every process that takes the lock to write labels or to learn from
/// them calls this first. `fetched` may be the result of an earlier [fetch](super::fetch); otherwise the store is
/// asked.
///
/// If a file is damaged, the store does not answer, or the workspace has a problem; waiting data then stays.
/// waiting.
pub fn take_in(
    workspace: &Workspace,
    lock: &Lock,
    fetched: Option<News>,
    at: Timestamp,
) -> Result<TakenIn, FeedbackError> {
    let mut taken = TakenIn::default();
    let (from, path) = (waiting(workspace), taking(workspace));
    let store = Shared::of(workspace)?;
    while is_waiting(workspace) {
        let claimed = match path.exists() {
            true => atomic::claimed(&path),
            false => atomic::claim(&from, &path),
        };
        let bytes = claimed.at(&path)?;
        let (lines, fold) = read(workspace, &bytes)?;
        match &store {
            None => taken.add(&fold.record(workspace, lock, None, at)?),
            // They come back from the store in order, together with those of others.
            Some(store) => store.send(&lines)?,
        }
        atomic::remove_file(&path).at(&path)?;
    }
    if let Some(store) = &store {
        taken.add(&receive(workspace, lock, store, fetched, at)?);
    }
    Ok(taken)
}

impl TakenIn {
    fn add(&mut self, more: &Recorded) {
        self.n_outcomes += more.n_labels;
        self.n_feedback += more.n_feedback;
    }
}

fn read(workspace: &Workspace, bytes: &[u8]) -> Result<(Vec<Line>, Fold), FeedbackError> {
    let (mut lines, mut fold) = (Vec::new(), Fold::default());
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())) {
        let damaged = |what: String| FeedbackError::File {
            path: taking(workspace),
            what: format!("line {number}: {what}: remove the line, or the file"),
        };
        let line: Line = serde_json::from_slice(line).map_err(|err| damaged(err.to_string()))?;
        fold.push(line.clone()).map_err(damaged)?;
        lines.push(line);
    }
    Ok((lines, fold))
}

fn waiting(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/waiting.jsonl")
}

fn taking(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/taking.jsonl")
}
