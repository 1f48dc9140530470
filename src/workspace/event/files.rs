//! Audit events of files: downloaded, and accepted as they are.

use super::labels::Seal;
use super::{Details, EventKind, Kept};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// `accepted`. The keys depend on the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted {
    /// The file, relative to the loop.
    pub path: PathBuf,
    /// How it differed, as a clause.
    pub what: String,
    /// SHA-256 of the labels.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels_sha256: Kept,
    /// Length and digest of the feedback.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Option<Seal>>,
    /// Corrections in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// SHA-256 of the reference.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub sha256: Kept,
}

/// `downloaded`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Downloaded {
    /// Where it was fetched from.
    pub source: String,
    /// Number of bytes fetched.
    #[serde(default)]
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// The files, as `data/SOURCE.json` has them.
    #[serde(default)]
    pub files: Value,
    /// How they were split, as `data/SOURCE.json` has it.
    #[serde(default)]
    pub split: Value,
}

impl Details for Accepted {
    const KINDS: &'static [EventKind] = &[EventKind::Accepted];
}

impl Details for Downloaded {
    const KINDS: &'static [EventKind] = &[EventKind::Downloaded];
}
