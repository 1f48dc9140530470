//! JSON answers of verbs that combine several types; `docs/schemas` describes every answer.
//!
//! The schemas come from these types and from those of the nouns: `schemas.rs` writes them, `tests/schemas.rs`
//! validates the verbs' real answers against them.

#[cfg(test)]
#[cfg(feature = "serve")]
mod schemas;
mod status;

pub use status::{LastMonitor, LastVerdict, Listed, RolledBack, Running, Share, Status};

use crate::ab::Experiment;
use crate::ab::rollout::Scheduled;
use crate::doctor::Check;
use crate::gate::Ticket;
use crate::labels::{Exported, Pushed};
use crate::monitor::alarm::AlarmPlan;
use crate::notify::Delivery;
use crate::registry::Version;
use crate::replay::Part;
use crate::retrain::Retrained;
use crate::round::Round;
use crate::workspace::clock::{ClockBack, Moved};
use crate::workspace::{Deep, EventKind};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// The answer of `doctor`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Examined {
    /// Whether no part is damaged.
    pub is_sound: bool,
    /// All checked parts.
    pub checks: Vec<Check>,
}

/// The answer of `run`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ran<'a> {
    /// The round.
    #[serde(flatten)]
    pub round: &'a Round,
    /// The notifications that were sent.
    pub notified: Delivery,
}

/// The answer of `approve` for a retraining.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trained<'a> {
    /// The approved request.
    pub request: &'a Ticket,
    /// Whether it was already approved.
    pub already: bool,
    /// The result of the retraining.
    pub retrain: &'a Retrained,
}

/// The answer of `approve --judge`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judged<'a> {
    /// The approved request.
    pub request: &'a Ticket,
    /// Whether it was already approved.
    pub already: bool,
    /// The result of the round; its request is the one that waits now.
    pub round: &'a Round,
}

/// The answer of `reject` for a retraining.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TurnedDown {
    /// The rejected request.
    pub request: Ticket,
}

/// The answer of `label-export`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HandedOut<'a> {
    /// The batch.
    #[serde(flatten)]
    pub exported: &'a Exported,
    /// With `--for-monitoring`: how soon labels show that production got worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<&'a AlarmPlan>,
    /// With `--to`: what was sent to the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<&'a Pushed>,
}

/// The answer of `label-import --close`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Closed<'a> {
    /// `closed`, or `already`.
    pub answer: &'static str,
    /// The batch.
    pub batch: &'a str,
    /// Number of its rows without an answer.
    pub n_open: u64,
}

/// The answer of `ab-start`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Started<'a> {
    /// `planned`, `started`, or `already`.
    pub done: &'static str,
    /// The steps of a rollout.
    pub schedule: Vec<Scheduled>,
    /// The experiment, as in `ab.json`.
    pub experiment: &'a Experiment,
}

/// The answer of `ab-status` without an experiment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NoExperiment {
    /// `false`.
    pub running: bool,
    /// What to do.
    pub sentence: &'static str,
}

/// The answer of `ab-report --assign`: the arm of a unit.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Placed<'a> {
    /// The unit.
    pub unit: &'a str,
    /// The name of its arm.
    pub arm: &'a str,
    /// The version of that arm.
    pub version: Version,
    /// Its position, from 0 to 1.
    pub position: f64,
}

/// The answer of `audit verify`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified<'a> {
    /// Whether each line is chained to the preceding line.
    pub whole: bool,
    /// Number of lines, if all are chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// The hash of the last line, if all are chained and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<&'a str>,
    /// Whether the last line is incomplete, if all are chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<bool>,
    /// The first line that is not chained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<&'a str>,
    /// Lines whose clock is behind that of a preceding line.
    pub clock_went_back: &'a [ClockBack],
    /// The result of the deep check of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<&'a Deep>,
}

/// The answer of `audit accept`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted<'a> {
    /// The file.
    pub file: &'a Path,
    /// Whether it differed from the chain, and was accepted.
    pub accepted: bool,
    /// Who accepted it.
    pub by: &'a str,
}

/// The answer of `audit at`.
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
    /// The change that caused it.
    pub event: Option<&'a EventKind>,
    /// Its line in the audit chain.
    pub line: Option<u64>,
    /// Lines whose own clock is wrong.
    pub clocks: &'a [Moved],
}

/// The answer of `audit replay`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Replayed<'a> {
    /// Whether the results are the same; null if that is unknown.
    pub agrees: Option<bool>,
    /// All repeated results.
    pub parts: &'a [Part],
    /// Missing inputs.
    pub missing: &'a [String],
    /// Notes for the user.
    pub notes: &'a [String],
}

/// The answer of `demo`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Demonstrated<'a> {
    /// Where it is.
    pub dir: &'a Path,
    /// The commands that ran.
    pub steps: Vec<DemoStep<'a>>,
}

/// A command of the demo.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DemoStep<'a> {
    /// Its purpose.
    pub why: &'a str,
    /// The command.
    pub command: String,
    /// Its exit status.
    pub status: i32,
}

/// The answer of `serve` and `dashboard` when they start.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listening {
    /// The address.
    pub url: String,
    /// The version in production.
    pub version: Option<Version>,
    /// The process.
    pub pid: u32,
}

/// The answer of `status`, `run` and `report` for several loops: one for each.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfLoop<'a> {
    /// The directory of the loop.
    #[serde(rename = "loop")]
    pub dir: &'a str,
    /// The exit status there.
    pub exit_status: i32,
    /// The answer of the verb, by its schema; null if it failed.
    pub answer: &'a Value,
}
