//! Audit events of labels and feedback: exported, imported, quarantined.

use super::{Details, EventKind, Kept};
use crate::registry::Version;
use crate::workspace::LabelPolicy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `labels-exported`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LabelsExported {
    /// The batch.
    pub batch: String,
    /// Its rows.
    pub n: Option<u64>,
    /// Number of rows by stratum.
    #[serde(default)]
    pub strata: Value,
    /// Number of candidates.
    #[serde(default)]
    pub n_candidates: u64,
    /// The strategy.
    #[serde(default)]
    pub strategy: Value,
    /// Seed of the choice.
    #[serde(default)]
    pub seed: u64,
    /// The version whose scores were used.
    pub version: Option<Version>,
    /// Where the rows come from.
    #[serde(default)]
    pub source: Value,
    /// Each sheet with its SHA-256.
    #[serde(default)]
    pub files: Vec<(String, String)>,
    /// SHA-256 of the record of the batch.
    pub record: Option<String>,
}

/// `labels-imported` and `labels-quarantined`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnswersRead {
    /// The batches that were answered.
    pub batch: Vec<String>,
    /// The name of the file.
    pub file: String,
    /// Its path as the command line gave it.
    #[serde(default)]
    pub path: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Labels that are new.
    pub n_added: Option<u64>,
    /// Labels that already existed.
    pub n_unchanged: Option<u64>,
    /// Rows without an answer.
    pub n_unanswered: Option<u64>,
    /// Invalid answers that were skipped.
    pub n_rejected: Option<u64>,
    /// Labels that changed.
    #[serde(default)]
    pub changes: Value,
    /// Checks that found something wrong with the batch.
    #[serde(default)]
    pub guards: Value,
    /// Whether it was imported although checks held it back.
    #[serde(default)]
    pub accepted: bool,
    /// The annotator for answers without one in the file.
    pub annotator: Option<String>,
    /// The policy for disagreement, if it overrides `mlloop.toml`.
    pub policy: Option<LabelPolicy>,
    /// Whether invalid answers were skipped.
    #[serde(default)]
    pub skip_invalid: bool,
    /// SHA-256 of the labels before.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels_before: Kept,
    /// SHA-256 of the file, where a copy of it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Batches that stay open because answers are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays_out: Vec<String>,
    /// SHA-256 of the labels after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_sha256: Option<String>,
}

/// `outcomes`, `labels-received`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcomes {
    /// Outcomes that are new.
    pub added: u64,
    /// Outcomes that changed.
    #[serde(default)]
    pub changed: usize,
    /// SHA-256 of the labels after it.
    pub labels_sha256: Option<String>,
    /// The shared store that they came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// `batch-closed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BatchClosed {
    /// The batch.
    pub batch: String,
    /// Rows of it that have no label.
    pub n_open: u64,
}

/// `feedback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Feedback {
    /// SHA-256 of the labels after it.
    pub labels_sha256: Option<String>,
    /// Length and digest of `data/feedback.csv` after it.
    pub feedback: Option<Seal>,
    /// Corrections that are new.
    pub new: Option<u64>,
    /// Corrections of an interrupted process that were completed now.
    #[serde(default)]
    pub completed: u64,
    /// Total number of corrections.
    pub lines: usize,
    /// Labels that are new.
    #[serde(default)]
    pub labels_added: u64,
    /// Labels that changed.
    #[serde(default)]
    pub labels_changed: Value,
}

/// Length and digest of a file that only grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seal {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: String,
}

impl Details for LabelsExported {
    const KINDS: &'static [EventKind] = &[EventKind::LabelsExported];
}

impl Details for AnswersRead {
    const KINDS: &'static [EventKind] = &[EventKind::LabelsImported, EventKind::LabelsQuarantined];
}

impl Details for Outcomes {
    const KINDS: &'static [EventKind] = &[EventKind::Outcomes, EventKind::LabelsReceived];
}

impl Details for BatchClosed {
    const KINDS: &'static [EventKind] = &[EventKind::BatchClosed];
}

impl Details for Feedback {
    const KINDS: &'static [EventKind] = &[EventKind::Feedback];
}
