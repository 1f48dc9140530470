//! What the chain says of experiments.

use super::{Details, EventKind, Kept};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `ab-started`, `ab-stepped` and `ab-stopped`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExperimentChanged {
    /// The experiment.
    pub name: String,
    /// The shares of its arms.
    #[serde(default)]
    pub weights: Vec<f64>,
    /// Why it changed; empty where it began.
    #[serde(default)]
    pub why: String,
    /// The experiment after the change, as `ab.json` has it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub experiment: Value,
    /// The rows that its verdict was made from, where it ended.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub log: Option<Option<LogRead>>,
    /// SHA-256 of the labels at that time, where it ended.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels: Kept,
}

/// Rows of the prediction log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogRead {
    /// How many they are.
    pub n_rows: u64,
    /// Digest of them.
    pub digest: Option<String>,
}

impl Details for ExperimentChanged {
    const KINDS: &'static [EventKind] = &[EventKind::AbStarted, EventKind::AbStepped, EventKind::AbStopped];
}
