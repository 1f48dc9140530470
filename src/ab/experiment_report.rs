//! The part of a report that only the loop's own experiment has.

use super::experiment::Measure;
use crate::score::paired::{DeLong, McNemar};
use serde::Serialize;

/// The loop's experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExperimentFacts {
    /// Its name.
    pub name: String,
    /// Whether it is a shadow experiment: the first arm answers all units, the others only score.
    pub shadow: bool,
    /// Whether it runs.
    pub running: bool,
    /// Units whose outcome is not final yet.
    pub n_immature: u64,
    /// Rows left out because another version answered, or a client requested the arm by name.
    pub n_not_assigned: u64,
    /// Units left out in every arm because the version of an arm was trained on them.
    pub n_learned: u64,
    /// All periods of equal weights.
    pub epochs: Vec<EpochFacts>,
}

/// A period of equal weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EpochFacts {
    /// Since when.
    pub from: jiff::Timestamp,
    /// The weights, in the order of the arms.
    pub weights: Vec<f64>,
    /// Units in it, in the order of the arms.
    pub n_units: Vec<u64>,
    /// Difference of each other arm from the first in the deciding outcome, and its standard error; `None` with too few
    /// units.
    pub differences: Vec<Option<(f64, f64)>>,
}

/// A guardrail in an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailReport {
    /// The metric.
    pub measure: Measure,
    /// The arm.
    pub arm: String,
    /// The margin by which it may be worse.
    pub margin: f64,
    /// The gain; below 0 it is worse.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub gain: f64,
    /// Lower end of the sequence of the gain.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Upper end.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub high: f64,
    /// Its state.
    pub state: RailState,
}

/// The state of a guardrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RailState {
    /// It is shown not to be worse by more than the margin.
    Holds,
    /// It is shown to be worse.
    Broken,
    /// Too few units.
    CannotTell,
}

/// The model of an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelReport {
    /// The arm.
    pub arm: String,
    /// The version.
    pub version: String,
    /// Units whose outcome is known.
    pub n: u64,
    /// Metrics by name.
    pub metrics: Vec<(String, f64)>,
}

/// Two models on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PairedReport {
    /// The arm.
    pub arm: String,
    /// The arm it is compared with.
    pub against: String,
    /// Rows that both scored and whose outcome is known.
    pub n: u64,
    /// McNemar's test, for classes; for a single look.
    pub mcnemar: Option<McNemar>,
    /// The areas under the ROC curves (first arm, other arm), for two classes; for a single look.
    pub delong: Option<DeLong>,
}
