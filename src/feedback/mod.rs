//! Human feedback on single predictions: recorded, turned into labels, counted.
//!
//! ```text
//! correction ─checked against the prediction log─▶ runs/feedback.json ─▶ data/feedback.csv ─▶ data/labels.csv ─▶ audit.jsonl
//!                                                   what will be added     append               replace            how many lines
//! ```
//! The audit line is the last step and contains the number of lines of `feedback.csv`. Further lines come from a
//! process that crashed before this step: the next process completes them if `runs/feedback.json` announced them.
//! Unannounced lines came from elsewhere and are refused.

mod error;
mod list;
mod news;
pub mod parse;
pub mod waiting;
mod stats;
mod store;

pub use error::FeedbackError;
pub use list::{Filter, Told, list};
pub use news::{News, fetch, record_known};
pub use stats::{Count, Group, Period, Stats, judged, stats};
pub use store::{Entry, Fields, Verdict, entries, entries_from};

use crate::atomic::Lock;
use crate::features::Target;
use crate::journal::{Journal, Latest, Window};
use crate::labels::shared::{Line, Shared};
use crate::labels::{ADJUDICATOR, Label, Labels, Merged, Source, conflicts};
use crate::registry::Difference;
use crate::table::{NumberFormat, Schema, label_value, misread_thousands};
use crate::wording::{People, person_key};
use crate::workspace::audit::{self, Event};
use crate::workspace::event::{self, Details};
use crate::workspace::{EventKind, LABELS_FILE, Workspace};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Feedback on the last prediction of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// The place, for errors: `stdin: line 3`, or the row's id.
    pub place: String,
    /// The id of the row.
    pub id: String,
    /// Whether the prediction was right.
    pub verdict: Verdict,
    /// The actual value, if the prediction was wrong.
    pub actual: Option<String>,
    /// The person; may be empty.
    pub by: String,
    /// A comment.
    pub comment: String,
    /// Free fields by name, such as an account or a period.
    pub fields: Fields,
}

/// The result of recording corrections.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Given {
    /// Corrections that are new.
    pub n_new: u64,
    /// Corrections that were already recorded.
    pub n_unchanged: u64,
    /// Corrections of an interrupted process that were completed now.
    pub n_completed: u64,
    /// The changes of the labels.
    pub labels: Merged,
    /// Rows among the new ones on which people disagree now.
    pub n_conflicts: u64,
}

impl Given {
    /// Whether nothing was changed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.n_new == 0 && self.n_completed == 0
    }
}

/// Records corrections: all of them, or none if one is invalid. Feedback identical to what the same person gave before
/// is not new.
///
/// Each must be about a row in the prediction log; it refers to the last prediction of that row. With `correct` the
/// prediction becomes the label, with `incorrect` the actual value; `uncertain` gives no label.
///
/// # Errors
/// [`FeedbackError::Correction`] for an invalid correction, with its place; and errors of the workspace.
pub fn give(
    workspace: &Workspace,
    lock: &Lock,
    target: &Target,
    corrections: &[Correction],
    at: Timestamp,
) -> Result<Given, FeedbackError> {
    let known = entries(workspace)?;
    let checked = check(workspace, target, corrections, at)?;
    match Shared::of(workspace)? {
        None => take(workspace, lock, known, &checked, at),
        Some(store) => give_to(&store, workspace, lock, (known, checked), at),
    }
}

/// Sends corrections to the store, then imports what the store contains.
fn give_to(
    store: &Shared,
    workspace: &Workspace,
    lock: &Lock,
    (known, checked): (Vec<Entry>, Vec<Entry>),
    at: Timestamp,
) -> Result<Given, FeedbackError> {
    let n = checked.len();
    let fresh = news::fresh(&known, checked);
    if fresh.is_empty() {
        return Ok(Given { n_unchanged: n as u64, ..take(workspace, lock, known, &fresh, at)? });
    }
    // Anything that would prevent importing them is reported before they are sent.
    hold(workspace)?;
    Labels::held(workspace)?;
    workspace.replaceable(LABELS_FILE)?;
    store.send(&fresh.iter().map(|entry| Line::Feedback(entry.line())).collect::<Vec<_>>())?;
    let n_new = fresh.len();
    let sent = |source| FeedbackError::Sent { n: n_new, store: store.name(), source: Box::new(source) };
    let given = news::receive(workspace, lock, store, None, at).map_err(sent)?.given;
    Ok(Given { n_new: n_new as u64, n_unchanged: (n - n_new) as u64, ..given })
}

/// Validates corrections and converts them to their stored form. Nothing is changed.
///
/// # Errors
/// As [`give`].
pub fn check(
    workspace: &Workspace,
    target: &Target,
    corrections: &[Correction],
    at: Timestamp,
) -> Result<Vec<Entry>, FeedbackError> {
    let is_needed = target.classes.is_empty() || workspace.config_path().exists();
    let schema = if is_needed { workspace.config()?.schema() } else { Schema::default() };
    let corrections: Vec<Correction> = corrections
        .iter()
        .map(|correction| Correction { id: schema.id_of(&correction.id).into_owned(), ..correction.clone() })
        .collect();
    let ids: HashSet<&str> = corrections.iter().map(|correction| correction.id.as_str()).collect();
    let journal = Journal::of(workspace);
    let predictions = journal.latest(&ids)?;
    // An unreadable log line may be a prediction of the row.
    let unread = if predictions.len() < ids.len() { journal.unread(&Window::default())? } else { None };
    let number = schema.number_format(&target.name).filter(|_| target.classes.is_empty());
    let checked = |correction: &Correction| {
        entry(correction, predictions.get(&correction.id), (target, number), at).map_err(|err| match (err, &unread) {
            (FeedbackError::Correction { place, what }, Some(unread)) if !predictions.contains_key(&correction.id) => {
                FeedbackError::Correction { place, what: format!("{what}; {unread}") }
            }
            (err, _) => err,
        })
    };
    corrections.iter().map(checked).collect()
}

/// Records checked corrections; `known` are the existing ones.
fn take(
    workspace: &Workspace,
    lock: &Lock,
    known: Vec<Entry>,
    incoming: &[Entry],
    at: Timestamp,
) -> Result<Given, FeedbackError> {
    let people = People::known(known.iter().map(|entry| entry.by.as_str()));
    let as_known = |entry: &Entry| match people.other_spelling(&entry.by) {
        Some(by) => Entry { by: by.to_owned(), ..entry.clone() },
        None => entry.clone(),
    };
    let incoming: Vec<Entry> = incoming.iter().map(as_known).collect();
    let mut said: HashMap<(&str, &str), &Entry> = known.iter().map(|entry| (entry.key(), entry)).collect();
    let mut new: Vec<&Entry> = Vec::new();
    for entry in &incoming {
        let before = said.insert(entry.key(), entry);
        if before.is_none_or(|before| !before.says_the_same(entry)) {
            new.push(entry);
        }
    }
    workspace.hold_feedback()?;
    let mut labels = Labels::held(workspace)?;
    let n_recorded = recorded(workspace)?.min(known.len());
    let unfinished = &known[n_recorded..];
    store::announced(workspace, n_recorded, unfinished)?;
    // The later steps must be possible as well.
    workspace.replaceable(LABELS_FILE)?;
    let after = unfinished.iter().chain(new.iter().copied());
    store::announce(workspace, n_recorded, after)?;
    store::append(workspace, &new)?;
    let mut said: Vec<Label> = unfinished.iter().chain(new.iter().copied()).filter_map(label).collect();
    labels.name_as_known(&mut said);
    let merged = labels.merge(said);
    let given = Given {
        n_new: new.len() as u64,
        n_unchanged: (incoming.len() - new.len()) as u64,
        n_completed: unfinished.len() as u64,
        labels: merged,
        n_conflicts: 0,
    };
    let lines = known.len() + new.len();
    match finish(workspace, lock, &labels, &given, (lines, &new), at) {
        Err(source) if !new.is_empty() => Err(FeedbackError::Unfinished { n: new.len(), source: Box::new(source) }),
        done => done.map(|n_conflicts| Given { n_conflicts, ..given }),
    }
}

/// Turns the lines of `data/feedback.csv` into labels, and records that. Returns how many new rows are in conflict.
fn finish(
    workspace: &Workspace,
    lock: &Lock,
    labels: &Labels,
    given: &Given,
    (lines, new): (usize, &[&Entry]),
    at: Timestamp,
) -> Result<u64, FeedbackError> {
    if !given.labels.is_nothing() {
        labels.save(workspace, lock)?;
    }
    if !given.is_nothing() {
        record(workspace, lock, given, lines, new, at)?;
    }
    let ids = new.iter().map(|entry| entry.id.as_str()).collect();
    Ok(conflicts::refresh(workspace, labels, &ids)?)
}

/// The stored form of the correction.
fn entry(
    correction: &Correction,
    prediction: Option<&Latest>,
    (target, number): (&Target, Option<&NumberFormat>),
    at: Timestamp,
) -> Result<Entry, FeedbackError> {
    let wrong = |what: String| FeedbackError::Correction { place: correction.place.clone(), what };
    let by = correction.by.trim().to_owned();
    if person_key(&by) == ADJUDICATOR {
        return Err(wrong(format!(
            "the name {by:?} is reserved for decisions between conflicting answers (fill in \
             label_inbox/conflicts.csv and import it with mlloop label-import): give your own name"
        )));
    }
    let Some(prediction) = prediction else {
        return Err(wrong(format!(
            "no logged prediction for {:?} (log predictions with predict --log)",
            correction.id
        )));
    };
    let actual =
        correction.actual.as_deref().map(|actual| understood(actual, target, number)).transpose().map_err(wrong)?;
    if let (Some(text), Some(value)) = (&correction.actual, &actual)
        && let (Ok(value), Ok(expected)) = (value.parse(), prediction.prediction.parse())
        && target.classes.is_empty()
        && let Some(meant) = misread_thousands(text, value, number, expected)
    {
        return Err(wrong(format!(
            "{text:?} is ambiguous: it can mean {value} or {meant}, and the second is nearer to the prediction \
             {expected}: write it without thousands separators"
        )));
    }
    let was_predicted = actual.as_ref().is_some_and(|actual| *actual == prediction.prediction);
    let label = match (correction.verdict, actual) {
        (Verdict::Correct, Some(actual)) if !was_predicted => {
            return Err(wrong(format!(
                "the prediction was {:?}, so with {actual:?} the verdict is incorrect",
                prediction.prediction
            )));
        }
        (Verdict::Correct, _) => prediction.prediction.clone(),
        (Verdict::Incorrect, None) => return Err(wrong("incorrect needs the actual value".to_owned())),
        (Verdict::Incorrect, Some(actual)) if was_predicted => {
            return Err(wrong(format!("{actual:?} equals the prediction, so the verdict is correct")));
        }
        (Verdict::Incorrect, Some(actual)) => actual,
        (Verdict::Uncertain, Some(_)) => return Err(wrong("uncertain takes no actual value".to_owned())),
        (Verdict::Uncertain, None) => String::new(),
    };
    Ok(Entry {
        id: correction.id.clone(),
        verdict: correction.verdict,
        label,
        by,
        at,
        comment: correction.comment.clone(),
        version: prediction.version,
        prediction: prediction.prediction.clone(),
        predicted_at: prediction.at,
        fields: correction.fields.clone(),
    })
}

/// The value in the target's format, or why it is not one of the target's values.
fn understood(actual: &str, target: &Target, number: Option<&NumberFormat>) -> Result<String, String> {
    if target.classes.is_empty() {
        let value = label_value(actual, number).map_err(|what| format!("{actual:?} {what}"))?;
        return Ok(value.to_string());
    }
    let class = target.class_of(actual).map(|class| target.classes[class].clone());
    class.ok_or_else(|| format!("{actual:?} is not one of the classes {}", target.classes.join(", ")))
}

/// The outcome in a cell of a table with this schema; `None` if it is empty or a missing marker.
///
/// # Errors
/// Why it is not one of the target's values.
pub fn outcome_in(cell: &str, target: &Target, schema: &Schema) -> Result<Option<String>, String> {
    let cell = cell.trim();
    if cell.is_empty() || schema.dialect.missing.iter().any(|marker| marker.trim() == cell) {
        return Ok(None);
    }
    understood(cell, target, schema.number_format(&target.name)).map(Some)
}

/// The resulting label.
fn label(entry: &Entry) -> Option<Label> {
    (entry.verdict != Verdict::Uncertain).then(|| Label {
        id: entry.id.clone(),
        label: entry.label.clone(),
        annotator: entry.by.clone(),
        labelled_at: entry.at,
        source: Source::Human,
        batch: String::new(),
        select_prob: None,
        model_version: Some(entry.version),
    })
}

/// Refuses changed lines, and lines that are neither in the audit chain nor announced by `runs/feedback.json`.
///
/// # Errors
/// [`FeedbackError`] with the line, and for unreadable files.
pub fn hold(workspace: &Workspace) -> Result<(), FeedbackError> {
    workspace.hold_feedback()?;
    let known = entries(workspace)?;
    let n_recorded = recorded(workspace)?.min(known.len());
    store::announced(workspace, n_recorded, &known[n_recorded..])
}

/// Whether `runs/feedback.json` differs from what the last `feedback` wrote. This loses nothing, because the audit
/// chain contains every correction.
///
/// # Errors
/// If a file cannot be read.
pub fn announcement_differs(workspace: &Workspace) -> Result<Option<Difference>, FeedbackError> {
    // After `audit accept`, the file is expected to differ.
    let chain = workspace.audit_chain()?;
    let last = chain.last_with(audit::Entry::n_feedback)?;
    if last.is_none_or(|(entry, _)| entry.event != EventKind::Feedback) {
        return Ok(None);
    }
    let what = store::announcement_fault(workspace, &entries(workspace)?)?;
    Ok(what.map(|what| Difference {
        file: store::ANNOUNCEMENT.to_owned(),
        what: format!("{what}: no correction is lost; the next `mlloop feedback` rewrites it"),
    }))
}

/// The number of lines of `feedback.csv` recorded in the audit chain.
fn recorded(workspace: &Workspace) -> Result<usize, FeedbackError> {
    let chain = workspace.audit_chain()?;
    // A feedback entry without a line count is damaged.
    let count = |entry: &audit::Entry| match entry.of::<event::Feedback>()? {
        Some(said) => Ok(Some(said.lines)),
        None => entry.n_feedback(),
    };
    Ok(chain.last_with(count)?.map_or(0, |(_, n)| n))
}

fn record(
    workspace: &Workspace,
    lock: &Lock,
    given: &Given,
    lines: usize,
    new: &[&Entry],
    at: Timestamp,
) -> Result<(), FeedbackError> {
    let people: HashSet<&str> = new.iter().map(|entry| entry.by.as_str()).collect();
    let one = people.into_iter().next().filter(|by| !by.is_empty() && new.iter().all(|entry| entry.by == *by));
    let said = event::Feedback {
        labels_sha256: workspace.labels_digest()?,
        feedback: workspace.seal_feedback(None)?,
        new: Some(given.n_new),
        completed: given.n_completed,
        lines,
        labels_added: given.labels.n_added,
        labels_changed: json!(given.labels.changes),
    };
    let details = said.value();
    workspace
        .record(lock, Event { at, event: EventKind::Feedback, by: one.map(str::to_owned), roles: None, details })?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
mod tests;
