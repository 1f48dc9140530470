//! What the chain says of files: fetched, and taken as they are.

use super::labels::Seal;
use super::{Details, EventKind, Kept};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// `accepted`. What it has of the file depends on which one it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted {
    /// The file, relative to the loop.
    pub path: PathBuf,
    /// What had happened to it, as a clause.
    pub what: String,
    /// SHA-256 of the labels.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels_sha256: Kept,
    /// How the feedback begins.
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
    /// Bytes that were fetched.
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
