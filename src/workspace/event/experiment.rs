//! Audit events of experiments.

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
    /// Why it changed; empty at the start.
    #[serde(default)]
    pub why: String,
    /// The experiment after the change, as `ab.json` has it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub experiment: Value,
    /// At the end: the rows of the log that the verdict used.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub log: Option<Option<LogRead>>,
    /// At the end: SHA-256 of the labels.
    #[serde(default, deserialize_with = "super::said", skip_serializing_if = "Option::is_none")]
    pub labels: Kept,
}

/// Rows of the prediction log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogRead {
    /// Their number.
    pub n_rows: u64,
    /// Their digest.
    pub digest: Option<String>,
}

impl Details for ExperimentChanged {
    const KINDS: &'static [EventKind] = &[EventKind::AbStarted, EventKind::AbStepped, EventKind::AbStopped];
}
