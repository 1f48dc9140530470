//! Every kind of change that the audit chain records.

use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// A person was asked to decide.
    ApprovalRequested,
    /// A person agreed.
    Approved,
    /// A person refused.
    Rejected,
    /// The reference took in the rows of a version.
    ReferenceUpdated,
    /// A batch went out.
    LabelsExported,
    /// Outcomes that arrived became labels.
    Outcomes,
    /// Answers became labels.
    LabelsImported,
    /// Labels that other machines wrote to the store were taken in.
    LabelsReceived,
    /// Answers were held back.
    LabelsQuarantined,
    /// Rows of a batch that have no answer are no longer asked.
    BatchClosed,
    /// A person said that a file is right as it is, whatever the chain said of it.
    Accepted,
    /// People said of predictions whether they were right.
    Feedback,
    /// A table was fetched.
    Downloaded,
    /// An experiment began.
    AbStarted,
    /// An experiment moved to its next weights.
    AbStepped,
    /// An experiment ended.
    AbStopped,
    /// A change that this mlloop does not know.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name that serde writes; kinds are plain texts.
        self.serialize(f)
    }
}
