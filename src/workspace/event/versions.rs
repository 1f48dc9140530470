//! Audit events of versions: created, promoted, rolled back, removed.

use super::verdict::Verdict;
use super::{Details, EventKind};
use crate::registry::{DataDigest, Role, Seals, Version};
use serde::{Deserialize, Serialize};

/// `trained`, and what `retrained` shares with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trained {
    /// The version that was made.
    pub version: Version,
    /// Its role.
    pub role: Option<Role>,
    /// The random seed.
    #[serde(default)]
    pub seed: u64,
    /// The tables that were read.
    #[serde(default)]
    pub data: Vec<DataDigest>,
    /// SHA-256 of each file of the version; `None` in lines from before they were recorded.
    pub files: Option<Seals>,
}

/// `retrained`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Retrained {
    /// The version, its files, and what it was made from.
    #[serde(flatten)]
    pub made: Trained,
    /// The labels that it was trained on.
    #[serde(flatten)]
    pub from: FromLabels,
}

/// The numbers of labels that a challenger was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FromLabels {
    /// The version that was production.
    pub parent: Option<Version>,
    /// Number of labels.
    pub n_labels: Option<u64>,
    /// Labels that production was not trained on.
    pub n_new: Option<u64>,
    /// Rows that were added to the reference.
    pub n_added: Option<u64>,
    /// Rows of the reference whose label was corrected.
    pub n_replaced: Option<u64>,
    /// The current table that was read, if any.
    pub current: Option<TableSeen>,
}

/// The state of a table at that time, to count its later rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TableSeen {
    /// Its path as given in `mlloop.toml` or on the command line.
    pub path: String,
    /// Its rows.
    pub n_rows: u64,
}

/// `promoted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Promoted {
    /// The version that is production now.
    pub version: Version,
    /// The version that was in production before.
    pub from: Option<Version>,
    /// Why it was promoted.
    #[serde(flatten)]
    pub because: Because,
}

/// Why a version was promoted: a field is present only if it was the reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Because {
    /// The verdict of the gate.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Option<Verdict>>,
    /// Why an equivalent version was accepted; `null` if that was not allowed.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub allow_equivalent: Option<Option<String>>,
    /// The reason for overriding the gate.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
    /// The request that was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was announced, if no approval was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<jiff::Timestamp>,
}

/// `rolled-back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolledBack {
    /// The version that is production again.
    pub version: Version,
    /// The version that was in production before.
    pub from: Version,
    /// The reason, if given.
    pub reason: Option<String>,
}

/// `pruned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pruned {
    /// The versions that were removed.
    pub versions: Vec<Version>,
    /// How many are kept.
    #[serde(default)]
    pub keep_versions: u32,
}

/// `reference-updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReferenceUpdated {
    /// The version whose rows were added to the reference.
    pub version: Version,
    /// Rows of the reference since then.
    #[serde(default)]
    pub n_rows: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Details for Trained {
    const KINDS: &'static [EventKind] = &[EventKind::Trained, EventKind::Retrained];
}

impl Details for Retrained {
    const KINDS: &'static [EventKind] = &[EventKind::Retrained];
}

impl Details for Promoted {
    const KINDS: &'static [EventKind] = &[EventKind::Promoted];
}

impl Details for RolledBack {
    const KINDS: &'static [EventKind] = &[EventKind::RolledBack];
}

impl Details for Pruned {
    const KINDS: &'static [EventKind] = &[EventKind::Pruned];
}

impl Details for ReferenceUpdated {
    const KINDS: &'static [EventKind] = &[EventKind::ReferenceUpdated];
}
