//! `ab.json`: the running experiment, or the last one.

use super::{AbError, Assigner};
use crate::atomic::{self, At};
use crate::period::Period;
use crate::registry::Version;
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the file in a workspace.
pub const FILE: &str = "ab.json";
/// Version of the file's format.
pub const FORMAT: u32 = 1;

/// An experiment: arms, assignment, metrics and state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Version of this file's format: 1.
    pub format: u32,
    /// Its name, in answers and reports.
    pub name: String,
    /// The salt that is hashed with a unit's id.
    pub salt: String,
    /// The column that names the unit.
    pub unit: String,
    /// The arms, the control arm first.
    pub arms: Vec<Arm>,
    /// Whether it is a shadow experiment: the first arm answers every request, the others only score it.
    pub shadow: bool,
    /// The deciding metric.
    pub metric: Metric,
    /// Planned number of units with an outcome; the confidence sequence is tuned to it.
    pub planned_n: u64,
    /// The significance level: the probability of a wrong winner, however often you look.
    pub alpha: f64,
    /// Planned duration.
    pub duration: Period,
    /// Time after the prediction when a unit's outcome is final.
    pub label_window: Period,
    /// The guardrails.
    pub guardrails: Vec<Guardrail>,
    /// The steps of the rollout; none if the weights stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// All changes of weights, the current weights last.
    pub epochs: Vec<Epoch>,
    /// How it ended; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// An arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// `a`, `b`, `c`, …
    pub name: String,
    /// Its version. It is fixed at the start, so a promotion does not change an arm.
    pub version: Version,
}

/// Weights from a time on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Since when.
    pub from: Timestamp,
    /// Share of units of each arm, in the order of the arms; they sum to 1.
    pub weights: Vec<f64>,
}

/// What is measured for each unit; arms are compared by its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The outcome: 1 for the positive class, or the number.
    Outcome,
    /// Whether the prediction was right.
    Accuracy,
    /// −ln of the probability of the true class.
    LogLoss,
    /// Squared distance of the probability from the outcome.
    Brier,
    /// Absolute error of the predicted number.
    AbsoluteError,
    /// Squared error of the predicted number.
    SquaredError,
    /// Whether the positive class was predicted; needs no outcome.
    PositiveRate,
}

/// Whether higher or lower is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// A measure and which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The metric.
    pub measure: Measure,
    /// Whether higher or lower is better.
    pub goal: Goal,
}

/// A measure that must not become worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// The metric.
    pub measure: Measure,
    /// Whether higher or lower is better.
    pub goal: Goal,
    /// The margin by which it may be worse.
    pub margin: f64,
}

/// A schedule of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// What it is called: `canary`, `gradual`, `immediate`.
    pub schedule: String,
    /// Units with a final outcome that each arm needs before a guardrail is checked.
    pub min_units: u64,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The current step, from 0.
    pub at: usize,
    /// Why it went back to the first arm; none unless a guardrail broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_back: Option<String>,
}

/// A step of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Total share of units of all arms except the first.
    pub share: f64,
    /// Its minimum duration.
    pub hold: Period,
}

/// How an experiment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// The verdict at that time, in one sentence, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The promoted arm, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<String>,
}

impl Experiment {
    /// The experiment of a workspace, running or ended; `None` if there never was one.
    ///
    /// # Errors
    /// If the file is unreadable, incomplete or inconsistent.
    pub fn load(workspace: &Workspace) -> Result<Option<Self>, AbError> {
        let path = workspace.path(FILE);
        let Some(bytes) = atomic::read(&path).if_there().at(&path)? else { return Ok(None) };
        let experiment: Result<Self, _> = serde_json::from_slice(&bytes);
        let checked = experiment.map_err(|err| format!("not an experiment: {err}")).and_then(Self::checked);
        checked.map(Some).map_err(|what| AbError::Damaged { path, what })
    }

    /// Whether the experiment has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether a server with this `production` must apply it: it runs, and its first arm is still in production. After
    /// any other promotion or rollback, production alone answers, immediately.
    #[must_use]
    pub fn applies(&self, production: Option<Version>) -> bool {
        self.is_running() && production.is_some_and(|version| self.arms[0].version == version)
    }

    /// The share of units that each arm answers. After the end of the experiment, the promoted arm, or else the first
    /// arm, answers all units.
    #[must_use]
    pub fn answering(&self) -> Vec<f64> {
        let Some(ended) = &self.ended else { return self.weights().to_vec() };
        let only = self.arms.iter().position(|arm| ended.promoted.as_ref() == Some(&arm.name)).unwrap_or(0);
        (0..self.arms.len()).map(|arm| if arm == only { 1.0 } else { 0.0 }).collect()
    }

    /// The version that answers all units after the end of the experiment.
    #[must_use]
    pub fn left(&self) -> Option<Version> {
        let only = self.answering().iter().position(|weight| *weight >= 1.0).filter(|_| self.ended.is_some())?;
        Some(self.arms[only].version)
    }

    /// The arm that a rollout of two arms has brought to all units: its last step was reached, and it did not go back.
    #[must_use]
    pub fn rolled_out(&self) -> Option<usize> {
        let rollout = self.rollout.as_ref().filter(|rollout| rollout.went_back.is_none())?;
        (rollout.at + 1 == rollout.steps.len() && self.arms.len() == 2).then_some(1)
    }

    /// The current weights.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        self.epochs.last().map_or(&[], |epoch| &epoch.weights)
    }

    /// Assigns units to arms with the current weights.
    #[must_use]
    pub fn assigner(&self) -> Assigner {
        Assigner::new(&self.salt, self.weights())
    }

    /// The epoch of a time; `None` before the experiment began.
    #[must_use]
    pub fn epoch_at(&self, at: Timestamp) -> Option<usize> {
        self.epochs.partition_point(|epoch| epoch.from <= at).checked_sub(1)
    }

    /// Weights with `share` for all arms except the first, divided equally.
    #[must_use]
    pub fn weights_for(&self, share: f64) -> Vec<f64> {
        let others = self.arms.len().saturating_sub(1).max(1) as f64;
        let weight = |arm: usize| if arm == 0 { 1.0 - share } else { share / others };
        (0..self.arms.len()).map(weight).collect()
    }

    /// Checks that the parts of the experiment are consistent.
    ///
    /// # Errors
    /// One sentence that names the field.
    pub fn checked(self) -> Result<Self, String> {
        if self.format != FORMAT {
            return Err(format!("has format {}; this version of mlloop knows format {FORMAT}", self.format));
        }
        if self.arms.len() < 2 {
            return Err("arms: an experiment needs at least two".to_owned());
        }
        for (i, arm) in self.arms.iter().enumerate() {
            if arm.name.is_empty() || self.arms[..i].iter().any(|other| other.name == arm.name) {
                return Err(format!("arms: the name {:?} is empty or a duplicate", arm.name));
            }
        }
        if !(self.alpha > 0.0 && self.alpha <= 0.5) {
            return Err(format!("alpha: {} must be above 0 and at most 0.5", self.alpha));
        }
        if self.planned_n == 0 {
            return Err("planned_n: an experiment needs at least one unit".to_owned());
        }
        if let Some(rail) = self.guardrails.iter().find(|rail| !(rail.margin >= 0.0 && rail.margin.is_finite())) {
            return Err(format!("guardrails: the margin {} must be at least 0", rail.margin));
        }
        self.check_rollout()?;
        self.check_epochs()?;
        Ok(self)
    }

    fn check_rollout(&self) -> Result<(), String> {
        let Some(rollout) = &self.rollout else { return Ok(()) };
        if let Some(step) = rollout.steps.iter().find(|step| !(0.0..=1.0).contains(&step.share)) {
            return Err(format!("rollout: the share {} must be between 0 and 1", step.share));
        }
        if rollout.at >= rollout.steps.len() {
            return Err(format!("rollout: there is no step {} among {}", rollout.at, rollout.steps.len()));
        }
        Ok(())
    }

    fn check_epochs(&self) -> Result<(), String> {
        if self.epochs.is_empty() {
            return Err("epochs: the list is empty, so no unit has an arm".to_owned());
        }
        for (i, epoch) in self.epochs.iter().enumerate() {
            let sum: f64 = epoch.weights.iter().sum();
            let fits = epoch.weights.len() == self.arms.len() && epoch.weights.iter().all(|w| (0.0..=1.0).contains(w));
            if !fits || (sum - 1.0).abs() > 1e-9 {
                return Err(format!("epochs: epoch {} needs one weight for each arm, with sum 1", i + 1));
            }
            if i > 0 && self.epochs[i - 1].from > epoch.from {
                return Err(format!("epochs: epoch {} begins before the preceding epoch", i + 1));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they damage")]
pub(super) mod tests {
    use super::*;

    pub(in crate::ab) fn sample() -> Experiment {
        let json = include_str!("../../fixtures/tables/ab.json");
        serde_json::from_str::<Experiment>(json).unwrap().checked().unwrap()
    }

    #[test]
    fn the_file_of_the_docs_is_read_and_written_as_it_is() {
        let text = include_str!("../../fixtures/tables/ab.json");
        assert_eq!(serde_json::to_string_pretty(&sample()).unwrap() + "\n", text);
        let docs = include_str!("../../docs/formats.md");
        assert!(docs.contains(&format!("```json\n{text}```")), "docs/formats.md shows another ab.json");
    }

    #[test]
    fn instants_belong_to_epochs() {
        let experiment = sample();
        let epoch = |at: &str| experiment.epoch_at(at.parse().unwrap());
        assert_eq!(epoch("2026-11-01T07:59:59Z"), None);
        assert_eq!(epoch("2026-11-01T08:00:00Z"), Some(0));
        assert_eq!(epoch("2026-11-09T00:00:00Z"), Some(1));
        assert_eq!(experiment.weights_for(0.2), [0.8, 0.2]);
        assert!(experiment.applies(Some(Version(3))));
        assert!(!experiment.applies(Some(Version(4))) && !experiment.applies(None));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        let text = include_str!("../../fixtures/tables/ab.json");
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path());
        assert_eq!(Experiment::load(&workspace).unwrap(), None);
        let cases = [
            ("\"format\": 1", "\"format\": 2", "format 2"),
            ("\"alpha\": 0.05", "\"alpha\": 0.0", "alpha"),
            ("\"planned_n\": 20000", "\"planned_n\": 0", "planned_n"),
            ("0.95,", "0.9,", "epoch 1 needs one weight for each arm"),
            ("\"name\": \"b\"", "\"name\": \"a\"", "a duplicate"),
            ("2026-11-08T08", "2026-10-08T08", "begins before"),
            ("\"at\": 1", "\"at\": 9", "no step 9"),
            ("\"margin\": 0.02", "\"margin\": -1.0", "margin"),
            ("\"hold\": \"7d\"", "\"hold\": \"soon\"", "not a length of time"),
            ("\"salt\"", "\"pepper\"", "pepper"),
        ];
        for (from, to, expected) in cases {
            let damaged = text.replacen(from, to, 1);
            assert_ne!(damaged, text, "{from}");
            std::fs::write(dir.path().join(FILE), damaged).unwrap();
            let said = Experiment::load(&workspace).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("ab.json: "), "{said}");
        }
        std::fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(Experiment::load(&workspace).unwrap(), Some(sample()));
    }
}
