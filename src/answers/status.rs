//! The answer of `status`.

use crate::ab::Experiment;
use crate::gate::{Decision, Ticket, Verdict};
use crate::registry::{Manifest, Role, Version};
use crate::retrain::standing::Progress;
use crate::score::Metric;
use crate::workspace::audit::Entry;
use crate::workspace::event::GateVerdict;
use crate::workspace::{EventKind, Run};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// The answer of `status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The table that production was trained on.
    pub reference: String,
    /// The target column.
    pub target: String,
    /// The version in production.
    pub production: Option<Version>,
    /// The challenger.
    pub challenger: Option<Version>,
    /// Every version, in order.
    pub versions: Vec<Listed>,
    /// The result of the last `monitor`, and its version.
    pub monitor: Option<LastMonitor>,
    /// The last verdict of the gate, from the audit chain.
    pub gate: Option<LastVerdict>,
    /// A later change of production without the gate.
    pub since: Option<RolledBack>,
    /// Requests that wait for approval.
    pub pending: Vec<Ticket>,
    /// The running experiment, with the share of each arm.
    pub experiment: Option<Running>,
    /// Progress of each trigger.
    pub retrain: Progress,
    /// The metric by which the gate decides, where `[promote]` names one.
    #[serde(skip)]
    pub decides: Option<Metric>,
}

/// A version: its number, its role, and its manifest.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed {
    /// Its number.
    pub version: Version,
    /// Its role, when it has one.
    pub role: Option<Role>,
    /// Its origin and its metrics.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// The result of the last `monitor`, from the run log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastMonitor {
    /// When it ran.
    pub at: Timestamp,
    /// The version that was monitored.
    pub version: Option<String>,
    /// Whether there was a reason to retrain: `yes`, `no`, `cannot-tell`.
    pub retrain: Option<String>,
    /// The severity.
    pub severity: Option<String>,
    /// How many columns drifted.
    pub n_drifted: Option<usize>,
    /// The triggers that fired.
    pub fired: Option<Vec<String>>,
}

/// The last verdict of the gate, from the audit chain.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastVerdict {
    /// When it ran.
    pub at: Timestamp,
    /// The version that was in production.
    pub production: Option<Version>,
    /// The challenger.
    pub challenger: Option<Version>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The decision.
    pub decision: Option<Decision>,
    /// The guardrails that were broken.
    pub broken: Option<Vec<String>>,
}

/// A rollback.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolledBack {
    /// When it happened.
    pub at: Timestamp,
    /// The event in the audit chain.
    pub event: EventKind,
    /// The version in production since then.
    pub production: Option<Version>,
}

/// The running experiment, in short.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Whether it is a shadow experiment: the other arms only score.
    pub shadow: bool,
    /// Whether shares grow by steps.
    pub is_rollout: bool,
    /// The arms with their shares.
    pub arms: Vec<Share>,
}

/// An arm of an experiment and its share of the units.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its share of the units, from 0 to 1.
    pub weight: f64,
}

impl From<&Run> for LastMonitor {
    fn from(run: &Run) -> Self {
        let of = |key: &str| run.result[key].as_str().map(str::to_owned);
        let list = |key: &str| run.result[key].as_array();
        let names = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self {
            at: run.at,
            version: of("version"),
            retrain: of("retrain"),
            severity: of("severity"),
            n_drifted: list("drifted").map(Vec::len),
            fired: list("fired").map(names),
        }
    }
}

impl LastVerdict {
    /// The details of a line.
    #[must_use]
    pub fn of(entry: &Entry, said: GateVerdict) -> Self {
        Self {
            at: entry.at,
            production: Some(said.production),
            challenger: Some(said.challenger),
            verdict: said.verdict,
            decision: Some(said.decision),
            broken: said.broken,
        }
    }
}

impl From<&Experiment> for Running {
    fn from(experiment: &Experiment) -> Self {
        let arms = experiment.arms.iter().zip(experiment.answering());
        Self {
            name: experiment.name.clone(),
            shadow: experiment.shadow,
            is_rollout: experiment.rollout.is_some(),
            arms: arms.map(|(arm, weight)| Share { name: arm.name.clone(), version: arm.version, weight }).collect(),
        }
    }
}

impl From<&Entry> for RolledBack {
    fn from(entry: &Entry) -> Self {
        let production = entry.roles.as_ref().and_then(|roles| roles.production);
        Self { at: entry.at, event: entry.event.clone(), production }
    }
}
