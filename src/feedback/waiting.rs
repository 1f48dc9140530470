//! Outcomes and feedback that come while another process changes the loop: kept at once, taken in by whoever changes it next.
//!
//! ```text
//! request ─append, sync─▶ runs/waiting.jsonl ─rename─▶ runs/taking.jsonl ─▶ labels, feedback, audit ─▶ removed
//!            no lock of the loop                under the lock of the loop
//! ```
//! Each step can be done again: what a process left that died in between is taken in first, and what is in already is
//! nothing new. So nothing is lost, nothing is there twice, and the last word on a row stays the last.

use super::store::{self, Entry};
use super::{FeedbackError, take};
use crate::atomic::{self, Appender, Lock};
use crate::labels::{Label, record_outcomes};
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// A line of `runs/waiting.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Outcome(Label),
    /// As its line of `data/feedback.csv` will be.
    Feedback(String),
}

/// What was taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// Outcomes that waited, one for each row.
    pub n_outcomes: u64,
    /// Corrections that waited.
    pub n_feedback: u64,
}

/// Keeps outcomes and checked corrections, without the lock of the loop: all of them or none.
///
/// # Errors
/// Whatever the system says.
pub fn keep(workspace: &Workspace, outcomes: Vec<Label>, corrections: &[Entry]) -> Result<(), FeedbackError> {
    let said = corrections.iter().map(|entry| Line::Feedback(entry.line()));
    let mut lines = Vec::new();
    let path = waiting(workspace);
    for line in outcomes.into_iter().map(Line::Outcome).chain(said) {
        serde_json::to_writer(&mut lines, &line).map_err(|err| FeedbackError::io(&path, err.into()))?;
        lines.push(b'\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    let write = || {
        atomic::make_dirs(workspace.path("runs"))?;
        Appender::open(&path)?.append(b"", &lines, true).map(|_| ())
    };
    write().map_err(|source| FeedbackError::io(&path, source))
}

/// Whether anything waits.
#[must_use]
pub fn is_waiting(workspace: &Workspace) -> bool {
    [waiting(workspace), taking(workspace)].iter().any(|path| path.exists())
}

/// Takes in what waits. Whoever takes the lock to write labels or to learn from them does this first.
///
/// # Errors
/// A file that is damaged, or what is wrong with the workspace; what waits then goes on waiting.
pub fn take_in(workspace: &Workspace, lock: &Lock, at: Timestamp) -> Result<TakenIn, FeedbackError> {
    let mut taken = TakenIn::default();
    let (from, path) = (waiting(workspace), taking(workspace));
    while is_waiting(workspace) {
        let claimed = match path.exists() {
            true => atomic::claimed(&path),
            false => atomic::claim(&from, &path),
        };
        let bytes = claimed.map_err(|source| FeedbackError::io(&path, source))?;
        let more = record(workspace, lock, &bytes, at)?;
        atomic::remove_file(&path).map_err(|source| FeedbackError::io(&path, source))?;
        taken.n_outcomes += more.n_outcomes;
        taken.n_feedback += more.n_feedback;
    }
    Ok(taken)
}

fn record(workspace: &Workspace, lock: &Lock, bytes: &[u8], at: Timestamp) -> Result<TakenIn, FeedbackError> {
    let (mut outcomes, mut places) = (Vec::<Label>::new(), HashMap::new());
    let mut said = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())) {
        let damaged = |what: String| FeedbackError::File {
            path: taking(workspace),
            what: format!("line {number}: {what}: remove the line, or the file"),
        };
        match serde_json::from_slice(line).map_err(|err| damaged(err.to_string()))? {
            // Of one row the last word alone counts, so that to do it again changes nothing.
            Line::Outcome(label) => match places.get(&label.id) {
                Some(&place) => outcomes[place] = label,
                None => {
                    places.insert(label.id.clone(), outcomes.len());
                    outcomes.push(label);
                }
            },
            Line::Feedback(line) => said.push(Entry::of_line(&line).map_err(damaged)?),
        }
    }
    let n_outcomes = outcomes.len() as u64;
    if n_outcomes > 0 {
        record_outcomes(workspace, lock, outcomes, at)?;
    }
    if !said.is_empty() {
        let known = store::entries(workspace)?;
        let lines: HashSet<String> = known.iter().map(Entry::line).collect();
        said.retain(|entry| !lines.contains(&entry.line()));
        take(workspace, lock, known, &said, at)?;
    }
    Ok(TakenIn { n_outcomes, n_feedback: said.len() as u64 })
}

fn waiting(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/waiting.jsonl")
}

fn taking(workspace: &Workspace) -> PathBuf {
    workspace.path("runs/taking.jsonl")
}
