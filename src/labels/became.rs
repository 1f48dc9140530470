//! Outcomes that arrive without a labelling request, as labels.

use super::{Label, LabelError, Labels, Merged, Source};
use crate::atomic::Lock;
use crate::workspace::audit::Event;
use crate::workspace::event::{self, Details};
use crate::workspace::{EventKind, Workspace};
use jiff::Timestamp;

/// The label for an outcome. It has no annotator: a row has one outcome, and the last value counts.
#[must_use]
pub fn became(id: String, value: String, at: Timestamp, version: crate::registry::Version) -> Label {
    Label {
        id,
        label: value,
        annotator: String::new(),
        labelled_at: at,
        source: Source::Outcome,
        batch: String::new(),
        select_prob: None,
        model_version: Some(version),
    }
}

/// Adds outcomes to the labels and records them. Outcomes already known change nothing.
///
/// # Errors
/// Errors in the labels or the audit chain.
pub fn record_outcomes(
    workspace: &Workspace,
    lock: &Lock,
    outcomes: impl IntoIterator<Item = Label>,
    at: Timestamp,
) -> Result<Merged, LabelError> {
    record(workspace, lock, outcomes, (EventKind::Outcomes, None), at)
}

/// Adds labels from a store and records them. Labels already known change nothing.
///
/// # Errors
/// As [`record_outcomes`].
pub fn record_received(
    workspace: &Workspace,
    lock: &Lock,
    labels: impl IntoIterator<Item = Label>,
    store: &str,
    at: Timestamp,
) -> Result<Merged, LabelError> {
    record(workspace, lock, labels, (EventKind::LabelsReceived, Some(store)), at)
}

fn record(
    workspace: &Workspace,
    lock: &Lock,
    said: impl IntoIterator<Item = Label>,
    (event, store): (EventKind, Option<&str>),
    at: Timestamp,
) -> Result<Merged, LabelError> {
    let mut labels = Labels::held(workspace)?;
    let merged = labels.merge(said);
    // A process that died left unrecorded labels: this entry records them.
    let is_unrecorded = workspace.labels_unrecorded()?;
    if !merged.is_nothing() {
        labels.save(workspace, lock)?;
    }
    if is_unrecorded || !merged.is_nothing() {
        let (added, changed, labels_sha256) = (merged.n_added, merged.changes.len(), workspace.labels_digest()?);
        let details = event::Outcomes { added, changed, labels_sha256, store: store.map(str::to_owned) }.value();
        workspace.record(lock, Event { at, event, by: None, roles: None, details })?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Version;

    #[test]
    fn an_outcome_is_kept_once_and_its_last_value_counts() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        let lock = workspace.lock().unwrap();
        let at = "2026-11-20T12:00:00Z".parse().unwrap();
        let outcome = |id: &str, value: &str| became(id.to_owned(), value.to_owned(), at, Version(3));
        let merged = record_outcomes(&workspace, &lock, [outcome("a", "yes"), outcome("b", "no")], at).unwrap();
        assert_eq!((merged.n_added, merged.changes.len()), (2, 0));
        let merged = record_outcomes(&workspace, &lock, [outcome("a", "yes"), outcome("b", "yes")], at).unwrap();
        assert_eq!((merged.n_added, merged.n_unchanged, merged.changes.len()), (0, 1, 1));
        assert!(record_outcomes(&workspace, &lock, [outcome("a", "yes")], at).unwrap().is_nothing());
        let labels = Labels::open(&workspace).unwrap();
        let told: Vec<_> = labels.rows().iter().map(|l| (l.id.as_str(), l.label.as_str(), l.source)).collect();
        assert_eq!(told, [("a", "yes", Source::Outcome), ("b", "yes", Source::Outcome)]);
        assert_eq!(labels.rows()[0].model_version, Some(Version(3)));
        let chain = workspace.audit_chain().unwrap();
        let recorded: Vec<_> = chain.entries.iter().filter(|entry| entry.event == EventKind::Outcomes).collect();
        assert_eq!(recorded.len(), 2, "what changed nothing is not recorded");
        assert_eq!(recorded[1].details["changed"], 1);
    }
}
