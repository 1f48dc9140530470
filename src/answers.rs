//! JSON answers of verbs that combine several types; `docs/schemas` describes every answer.
//!
//! The schemas come from these types and from those of the nouns: `schemas.rs` writes them, `tests/schemas.rs` holds what
//! verbs really say to them.

use crate::ab::Experiment;
use crate::ab::rollout::Scheduled;
use crate::doctor::Check;
use crate::gate::{Decision, Ticket, Verdict};
use crate::labels::{Exported, Pushed};
use crate::monitor::alarm::AlarmPlan;
use crate::notify::Delivery;
use crate::registry::{Manifest, Role, Version};
use crate::replay::Part;
use crate::retrain::Retrained;
use crate::retrain::standing::Progress;
use crate::round::Round;
use crate::score::Metric;
use crate::workspace::audit::Entry;
use crate::workspace::clock::{ClockBack, Moved};
use crate::workspace::event::GateVerdict;
use crate::workspace::{Deep, EventKind, Run};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

#[cfg(test)]
mod schemas;

/// What `status` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// The table that production was trained on.
    pub reference: String,
    /// The column that is predicted.
    pub target: String,
    /// The version that answers.
    pub production: Option<Version>,
    /// The version that wants to.
    pub challenger: Option<Version>,
    /// Every version, in order.
    pub versions: Vec<Listed>,
    /// What the last `monitor` found, of which version.
    pub monitor: Option<LastMonitor>,
    /// The last verdict of the gate, as the audit chain has it.
    pub gate: Option<LastVerdict>,
    /// What was put in production after that, when it was not by the gate.
    pub since: Option<RolledBack>,
    /// What waits for approval.
    pub pending: Vec<Ticket>,
    /// The experiment that runs: who answers how many units.
    pub experiment: Option<Running>,
    /// How far each reason to retrain is.
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
    /// What it was made from and how good it is.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// What the last `monitor` found, as the run log has it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastMonitor {
    /// When it looked.
    pub at: Timestamp,
    /// The version that was looked at.
    pub version: Option<String>,
    /// Whether there was a reason to retrain: `yes`, `no`, `cannot-tell`.
    pub retrain: Option<String>,
    /// How bad it was.
    pub severity: Option<String>,
    /// How many columns drifted.
    pub n_drifted: Option<usize>,
    /// The triggers that fired.
    pub fired: Option<Vec<String>>,
}

/// The last verdict of the gate, as the audit chain has it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastVerdict {
    /// When it judged.
    pub at: Timestamp,
    /// The version that was in production.
    pub production: Option<Version>,
    /// The version that was held against it.
    pub challenger: Option<Version>,
    /// What was found.
    pub verdict: Option<Verdict>,
    /// What followed.
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
    /// What the audit chain calls it.
    pub event: EventKind,
    /// What answers since.
    pub production: Option<Version>,
}

/// The experiment that runs, in short.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    /// Its name.
    pub name: String,
    /// Whether the other arms only score along.
    pub shadow: bool,
    /// Whether shares grow by steps.
    pub is_rollout: bool,
    /// Who answers how many units.
    pub arms: Vec<Share>,
}

/// An arm of an experiment and its share of the units.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// Its name.
    pub name: String,
    /// The version that answers in it.
    pub version: Version,
    /// Its share of the units, 0 to 1.
    pub weight: f64,
}

/// What `doctor` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Examined {
    /// Whether no part is damaged.
    pub is_sound: bool,
    /// Each part that was looked at.
    pub checks: Vec<Check>,
}

/// What `run` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ran<'a> {
    /// The round.
    #[serde(flatten)]
    pub round: &'a Round,
    /// What people were told of it.
    pub notified: Delivery,
}

/// What `approve` says of a retraining that was agreed to.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trained<'a> {
    /// What was agreed to.
    pub request: &'a Ticket,
    /// Whether it had been agreed to before.
    pub already: bool,
    /// What was trained.
    pub retrain: &'a Retrained,
}

/// The same, when the gate has judged what was trained.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged<'a> {
    /// What was agreed to.
    pub request: &'a Ticket,
    /// Whether it had been agreed to before.
    pub already: bool,
    /// Where it ended, as `run` says it; the request in it is what waits now.
    pub round: &'a Round,
}

/// What `reject` says of a retraining.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TurnedDown {
    /// What was turned down.
    pub request: Ticket,
}

/// What `label-export` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HandedOut<'a> {
    /// The batch.
    #[serde(flatten)]
    pub exported: &'a Exported,
    /// How soon labels show that production got worse, with `--for-monitoring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<&'a AlarmPlan>,
    /// What the server has, with `--to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<&'a Pushed>,
}

/// What `label-import --close` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Closed<'a> {
    /// `closed`, or `already`.
    pub answer: &'static str,
    /// The batch.
    pub batch: &'a str,
    /// How many of its rows have no answer.
    pub n_open: u64,
}

/// What `ab-start` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Started<'a> {
    /// `planned`, `started`, or `already`.
    pub done: &'static str,
    /// The steps of a rollout.
    pub schedule: Vec<Scheduled>,
    /// The experiment as it is kept.
    pub experiment: &'a Experiment,
}

/// What `ab-status` says where there is no experiment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoExperiment {
    /// `false`.
    pub running: bool,
    /// What to do.
    pub sentence: &'static str,
}

/// Where a unit is, as `ab-report --assign` says it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Placed<'a> {
    /// The unit.
    pub unit: &'a str,
    /// The name of its arm.
    pub arm: &'a str,
    /// The version that answers it.
    pub version: Version,
    /// Its place among all units, 0 to 1.
    pub position: f64,
}

/// What `audit verify` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified<'a> {
    /// Whether each line is chained to the one before.
    pub whole: bool,
    /// How many lines there are, when all are chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// The hash of the last line, when all are chained and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<&'a str>,
    /// Whether a line was begun and not finished, when all are chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<bool>,
    /// The first line that is not chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'a str>,
    /// The lines whose clock is behind that of a line before them.
    pub clock_went_back: &'a [ClockBack],
    /// What a deep look at the files found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<&'a Deep>,
}

/// What `audit accept` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted<'a> {
    /// The file.
    pub file: &'a Path,
    /// Whether it was something else than the chain said.
    pub accepted: bool,
    /// Who stands for it.
    pub by: &'a str,
}

/// What `audit at` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolesAt<'a> {
    /// The instant.
    pub at: Timestamp,
    /// What was in production.
    pub production: Option<Version>,
    /// What was the challenger.
    pub challenger: Option<Version>,
    /// Since when it was so.
    pub since: Option<Timestamp>,
    /// The change that made it so.
    pub event: Option<&'a EventKind>,
    /// Its line in the audit chain.
    pub line: Option<u64>,
    /// Lines whose own clock says another time.
    pub clocks: &'a [Moved],
}

/// What `audit replay` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Replayed<'a> {
    /// Whether the same came out; null where that cannot be told.
    pub agrees: Option<bool>,
    /// Each thing that was made again.
    pub parts: &'a [Part],
    /// What is not there any more.
    pub missing: &'a [String],
    /// What a person should know.
    pub notes: &'a [String],
}

/// What `demo` says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Demonstrated<'a> {
    /// Where it is.
    pub dir: &'a Path,
    /// What was run there.
    pub steps: Vec<DemoStep<'a>>,
}

/// A command of the demo.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DemoStep<'a> {
    /// What it shows.
    pub why: &'a str,
    /// The command.
    pub command: String,
    /// Its exit status.
    pub status: i32,
}

/// What `serve` and `dashboard` say when they start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listening {
    /// The address.
    pub url: String,
    /// The version that answers.
    pub version: Option<Version>,
    /// The process.
    pub pid: u32,
}

/// What `status`, `run` and `report` say of several loops: one of these for each.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfLoop<'a> {
    /// The directory of the loop.
    #[serde(rename = "loop")]
    pub dir: &'a str,
    /// The exit status there.
    pub exit_status: i32,
    /// What the schema of the verb says; null where it failed.
    pub answer: &'a Value,
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
    /// What a line says.
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
