//! Every kind of change in the audit chain, and the details of its line: one type for each.
//!
//! | kind | details |
//! |---|---|
//! | `trained`, `retrained` | [`Trained`], and for the latter [`Retrained`] |
//! | `gate-verdict` | [`GateVerdict`] |
//! | `promoted`, `rolled-back`, `pruned`, `reference-updated` | [`Promoted`], [`RolledBack`], [`Pruned`], [`ReferenceUpdated`] |
//! | `approval-requested`, `approved`, `rejected` | [`ApprovalRequested`], [`Approved`], [`Rejected`] |
//! | `labels-exported`, `batch-closed`, `outcomes`, `labels-received` | [`LabelsExported`], [`BatchClosed`], [`Outcomes`] |
//! | `labels-imported`, `labels-quarantined` | [`AnswersRead`] |
//! | `feedback`, `accepted`, `downloaded` | [`Feedback`], [`Accepted`], [`Downloaded`] |
//! | `ab-started`, `ab-stepped`, `ab-stopped` | [`ExperimentChanged`] |
//!
//! The verb that writes a line constructs the type; code that decides by a line reads it with
//! [`Entry::of`](super::audit::Entry::of). The line itself keeps its details as on disk: the hash covers them, and a
//! later mlloop may have written more of them.

mod approval;
mod experiment;
mod files;
mod labels;
mod verdict;
mod versions;

pub use approval::{ApprovalRequested, Approved, Asks, Rejected};
pub use experiment::{ExperimentChanged, LogRead};
pub use files::{Accepted, Downloaded};
pub use labels::{AnswersRead, BatchClosed, Feedback, LabelsExported, Outcomes, Seal};
pub use verdict::{Decision, GateVerdict, HoldoutRows, Verdict};
pub use versions::{
    Because, FromLabels, Promoted, Pruned, ReferenceUpdated, Retrained, RolledBack, TableSeen, Trained,
};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt;

/// The details of lines of some kinds.
pub trait Details: Serialize + DeserializeOwned {
    /// The kinds.
    const KINDS: &'static [EventKind];

    /// The details as stored in the line.
    fn value(&self) -> Value {
        serde_json::json!(self)
    }
}

/// SHA-256 of a file at that time: `None` if the line does not state it, `Some(None)` if there was no file.
pub type Kept = Option<Option<String>>;

/// Deserialises a present field, even if it is `null`.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A kind of change, as `event` names it in `audit.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// `train` stored a version.
    Trained,
    /// `retrain` stored a version.
    Retrained,
    /// The gate compared two versions.
    GateVerdict,
    /// A version became production.
    Promoted,
    /// A version became production again.
    RolledBack,
    /// Old versions were removed.
    Pruned,
    /// Approval was requested.
    ApprovalRequested,
    /// A request was approved.
    Approved,
    /// A request was rejected.
    Rejected,
    /// The rows of a version were added to the reference.
    ReferenceUpdated,
    /// A batch was exported for labelling.
    LabelsExported,
    /// Outcomes that arrived became labels.
    Outcomes,
    /// Answers became labels.
    LabelsImported,
    /// Labels of other machines were imported from the store.
    LabelsReceived,
    /// A batch of answers was held back.
    LabelsQuarantined,
    /// A batch was closed; its unanswered rows may be chosen again.
    BatchClosed,
    /// A person accepted a file that differed from the chain.
    Accepted,
    /// Feedback on predictions was recorded.
    Feedback,
    /// A table was fetched.
    Downloaded,
    /// An experiment began.
    AbStarted,
    /// An experiment moved to its next weights.
    AbStepped,
    /// An experiment ended.
    AbStopped,
    /// A change that this version of mlloop does not know.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name that serde writes; kinds are plain strings.
        self.serialize(f)
    }
}

/// The possible details of a line, for its schema.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
pub(super) enum AnyDetails {
    /// `retrained`
    Retrained(Retrained),
    /// `trained`
    Trained(Trained),
    /// `gate-verdict`
    GateVerdict(GateVerdict),
    /// `promoted`
    Promoted(Promoted),
    /// `rolled-back`
    RolledBack(RolledBack),
    /// `pruned`
    Pruned(Pruned),
    /// `reference-updated`
    ReferenceUpdated(ReferenceUpdated),
    /// `approval-requested`
    ApprovalRequested(ApprovalRequested),
    /// `approved`
    Approved(Approved),
    /// `rejected`
    Rejected(Rejected),
    /// `labels-exported`
    LabelsExported(LabelsExported),
    /// `labels-imported`, `labels-quarantined`
    AnswersRead(AnswersRead),
    /// `batch-closed`
    BatchClosed(BatchClosed),
    /// `outcomes`
    Outcomes(Outcomes),
    /// `feedback`
    Feedback(Feedback),
    /// `accepted`
    Accepted(Accepted),
    /// `downloaded`
    Downloaded(Downloaded),
    /// `ab-started`, `ab-stepped`, `ab-stopped`
    ExperimentChanged(ExperimentChanged),
    /// A kind that this version of mlloop does not know.
    Other(serde_json::Map<String, Value>),
}
