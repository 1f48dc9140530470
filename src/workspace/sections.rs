//! The sections of `mlloop.toml` for the loop itself.

use super::Approval;
use crate::pipeline::{Quality, SearchLimits};
use crate::table::postgres::Lines;
use crate::table::schema::DEFAULT_MISSING;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `[train]`: how much work to spend on a good model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "TrainKeys")]
pub struct TrainRules {
    /// The amount of work.
    pub quality: Quality,
    /// The limits of a search.
    pub search: SearchLimits,
}

/// `[train]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainKeys {
    #[serde(default)]
    quality: Quality,
    budget: Option<u32>,
    tries: Option<u32>,
}

impl From<TrainKeys> for TrainRules {
    fn from(TrainKeys { quality, budget, tries }: TrainKeys) -> Self {
        Self { quality, search: SearchLimits { budget, tries } }
    }
}

/// `[labels]`: how answers and feedback become one label per row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRules {
    /// The policy for disagreement of annotators.
    #[serde(default)]
    pub policy: LabelPolicy,
    /// How many rows `run` exports automatically if labels are needed and no batch is open; never if `None`.
    #[serde(default)]
    pub auto_export: Option<u32>,
    /// The PostgreSQL table to which several machines write labels and feedback; an empty text means none.
    #[serde(default)]
    pub store: Option<String>,
}

impl LabelRules {
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.store.take_if(|store| store.trim().is_empty());
        if let Some(store) = &self.store {
            Lines::at(Path::new(store)).map_err(|what| format!("[labels] store: {what}"))?;
        }
        match self.auto_export {
            Some(n) if !(1..=1_000_000).contains(&n) => Err(format!(
                "[labels] auto_export = {n} must be a whole number from 1 to 1000000; remove it for no export"
            )),
            _ => Ok(()),
        }
    }
}

/// The policy for disagreement of annotators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LabelPolicy {
    /// No label until a person decides.
    #[default]
    Adjudicate,
    /// The label that most annotators gave.
    Majority,
    /// No label; the row is not used.
    Drop,
}

impl FromStr for LabelPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "adjudicate" => Ok(Self::Adjudicate),
            "majority" => Ok(Self::Majority),
            "drop" => Ok(Self::Drop),
            _ => Err("choose adjudicate, majority or drop".to_owned()),
        }
    }
}

/// `[trainer]`: a program that fits instead of mlloop.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerSpec {
    /// The program and its first arguments; the paths of the tables, of the parameters and of the output follow.
    pub command: Vec<String>,
    /// How long it may take.
    #[serde(default = "an_hour")]
    pub minutes: f64,
}

fn an_hour() -> f64 {
    60.0
}

impl TrainerSpec {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.command.first().is_none_or(|program| program.is_empty()) {
            return Err(
                "[trainer] command is empty: give a program, such as command = [\"python\", \"train.py\"]".to_owned()
            );
        }
        if !(self.minutes > 0.0 && self.minutes <= 10_000.0) {
            return Err(format!("[trainer] minutes = {} must be above 0 and at most 10000", self.minutes));
        }
        Ok(())
    }
}

/// `[retrain]`: the training data of a challenger, and the minimum time between two.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrainRules {
    /// Minimum number of rows with a label that no version was trained on.
    pub min_new_labels: u64,
    /// Minimum hours since the last retrain.
    pub cooldown_hours: f64,
    /// Share of the reference's training rows that a challenger is trained on again, above 0 and at most 1.
    pub replay: f64,
    /// Whether rows of `[monitor] current` with a target are outcomes.
    pub outcomes: bool,
    /// Whether the challenger is also stored as ONNX, if possible.
    pub export: bool,
    /// Whether `run` trains a challenger automatically, or requests approval first.
    pub approval: Approval,
}

impl Default for RetrainRules {
    fn default() -> Self {
        Self {
            min_new_labels: 50,
            cooldown_hours: 0.0,
            replay: 1.0,
            outcomes: true,
            export: true,
            approval: Approval::Auto,
        }
    }
}

impl RetrainRules {
    pub(super) fn check(&self) -> Result<(), String> {
        if !(self.replay > 0.0 && self.replay <= 1.0) {
            return Err(format!("[retrain] replay = {} must be above 0 and at most 1", self.replay));
        }
        if !(self.cooldown_hours.is_finite() && self.cooldown_hours >= 0.0) {
            return Err(format!("[retrain] cooldown_hours = {} must be a number of at least 0", self.cooldown_hours));
        }
        Ok(())
    }
}

/// `[data]`: where the rows are and how they are written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// The rows that production learns from, relative to the workspace.
    pub reference: PathBuf,
    /// Field separator.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Whether the first record names the columns.
    #[serde(default = "yes")]
    pub header: bool,
    /// Texts that mean "missing".
    #[serde(default = "default_missing")]
    pub missing: Vec<String>,
    /// Lines before the header that are not part of a table.
    #[serde(default)]
    pub skip_lines: u64,
    /// The first character of lines that are not part of a table.
    #[serde(default)]
    pub comment: Option<char>,
    /// The column with the weight of each row.
    #[serde(default)]
    pub weight: Option<String>,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

fn default_missing() -> Vec<String> {
    DEFAULT_MISSING.map(str::to_owned).to_vec()
}
