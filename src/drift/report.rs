//! The drift report of `monitor`: the format of `reports/drift_report.json`, and the input of its pages.

mod column;

pub use column::{Axis, ColumnReport, ColumnVerdict, Few, LEAST_SHIFT, Plot, Summary};

use serde::{Deserialize, Serialize};

/// The report of one run of `monitor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriftReport {
    /// Version of this file's format: 1.
    pub format: u32,
    /// The `mlloop` that made it.
    pub mlloop: String,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// The target column.
    pub predicts: String,
    /// The version in production; `None` when tables were compared without one.
    pub version: Option<String>,
    /// The reference.
    pub reference: Side,
    /// The current table.
    pub current: Side,
    /// The answer.
    pub verdict: Verdict,
    /// How much of the table drifted.
    pub share: DriftShare,
    /// All feature columns, the most important first.
    pub columns: Vec<ColumnReport>,
    /// The target column, if the current table has it.
    pub target: Option<ColumnReport>,
    /// The score of the version in production.
    pub score: Option<ColumnReport>,
    /// Problems of the table's form or content.
    pub findings: Vec<Finding>,
    /// Whether a classifier can distinguish the two tables, if one was trained.
    pub multivariate: Option<Multivariate>,
    /// Metrics on rows whose outcome is known.
    pub performance: Option<Performance>,
    /// Whether production loses more than its gate allows.
    #[serde(default)]
    pub alarm: Option<LossAlarm>,
    /// Metrics estimated from the scores alone.
    pub estimate: Option<Estimate>,
    /// All triggers, whether they fired or not.
    pub triggers: Vec<Trigger>,
    /// The comparison with production's training rows, if these are not the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_training: Option<AgainstTraining>,
    /// The periods of the current table, oldest first.
    pub history: Vec<Chunk>,
    /// The settings in effect.
    #[cfg_attr(test, schemars(with = "crate::drift::settings::DriftSettings"))]
    pub settings: serde_json::Value,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// One of the two tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// A path, or "training rows of v0001".
    pub name: String,
    /// Number of rows.
    pub n_rows: u64,
    /// Whether every statistic is exact, not from a sketch.
    pub exact: bool,
    /// Largest error of a rank as a share of the rows (99 % of the time); 0 when exact.
    pub rank_error: f64,
}

/// Yes, no, or not enough to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// There is a reason to retrain.
    Yes,
    /// There is none.
    No,
    /// Too few rows arrived.
    CannotTell,
}

/// How much of the table drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Less than a quarter.
    Low,
    /// A quarter to a half.
    Medium,
    /// More than half.
    High,
}

/// The answer and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// Whether retraining is warranted.
    pub retrain: Answer,
    /// From the drift share; `None` if no column could be judged.
    pub severity: Option<Severity>,
    /// The reason in one sentence.
    pub sentence: String,
    /// Whether the only reason is how the current table is written: retraining does not help then.
    #[serde(default)]
    pub table_first: bool,
}

/// Columns by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriftShare {
    /// Columns that drifted.
    pub n_drifted: u64,
    /// Columns that did not.
    pub n_stable: u64,
    /// Columns that cannot be judged.
    pub n_unknown: u64,
    /// The share that is compared with the threshold: unweighted or weighted; `None` if no column could be judged.
    pub share: Option<f64>,
    /// The drifted share of the columns that could be judged. Older reports do not have it.
    #[serde(default)]
    pub column_share: Option<f64>,
    /// The share of drifted columns, weighted by importance.
    pub weighted_share: Option<f64>,
    /// From this share on, the table counts as drifted.
    pub threshold: f64,
    /// Whether the weighted share decides.
    pub weighted: bool,
}

impl DriftShare {
    /// `3 of 30 columns drifted`.
    #[must_use]
    pub fn counted(&self) -> String {
        let (drifted, judged) = (self.n_drifted, self.n_drifted + self.n_stable);
        match (self.n_stable, self.n_unknown) {
            (0, 1..) if drifted > 0 => {
                let s = if drifted == 1 { "" } else { "s" };
                format!("{drifted} column{s} drifted, {} cannot be judged", self.n_unknown)
            }
            _ => format!("{drifted} of {judged} columns drifted"),
        }
    }

    /// The share that decides: the weighted one when that was asked for.
    #[must_use]
    pub fn deciding(&self) -> Option<f64> {
        if self.weighted { self.weighted_share } else { self.share }
    }
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A column that production needs is missing.
    MissingColumn,
    /// Values are of another type than the reference's.
    DataType,
    /// More cells are missing than in the reference.
    Completeness,
    /// Levels that the reference does not have.
    CategoricalValues,
    /// Numbers outside the reference's range.
    Range,
    /// A column that the reference does not have.
    ExtraColumn,
    /// No row arrived.
    NothingArrived,
    /// `monitor` has not run for longer than `max_silence_days`.
    NotRunSince,
    /// A column that began to drift since the last run.
    Onset,
    /// A column that stopped drifting since the last run.
    Recovery,
    /// Intervals or sets contain the true value of too few rows.
    Coverage,
    /// The logged value of a window differs from the value computed from its rows: training-serving skew.
    Skew,
    /// Texts have more unseen words.
    Vocabulary,
}

/// A problem or a remark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The column it is about.
    pub column: Option<String>,
    /// In words, with numbers.
    pub text: String,
}

/// A domain classifier's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Multivariate {
    /// Out-of-fold ROC-AUC of the classifier that distinguishes current from reference rows.
    pub roc_auc: f64,
    /// Lower bound of its 95 % interval.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Drifted when the lower bound is above this.
    pub threshold: f64,
    /// Whether the table is drifted.
    pub drifted: bool,
    /// The columns that distinguish the current rows: raw column and share of the gain, largest first.
    pub columns: Vec<(String, f64)>,
    /// Number of rows of each side that were used.
    pub n_rows: (u64, u64),
}

impl Multivariate {
    /// Whether the interval shows neither that the tables are alike nor that they differ.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.drifted && self.upper > self.threshold
    }

    /// The columns by which the rows are distinguished: up to three that have clearly more than an equal share.
    #[must_use]
    pub fn told(&self, name: impl Fn(&str) -> String) -> String {
        /// This many times an equal share is clearly more.
        const MORE: f64 = 1.2;
        let equal = 1.0 / self.columns.len().max(1) as f64;
        let named = |least: f64| -> Vec<String> {
            self.columns.iter().filter(|(_, share)| *share >= least).take(3).map(|(column, _)| name(column)).collect()
        };
        match (self.columns.len(), named(MORE * equal)) {
            (1, _) => format!("by {}", named(0.0).join(", ")),
            (2 | 3, main) if main.is_empty() => format!("about equally by {}", named(0.0).join(", ")),
            (n, main) if main.is_empty() => format!("by {n} columns about equally"),
            (_, main) => format!("mainly by {}", main.join(", ")),
        }
    }
}

/// Metrics on rows whose outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Performance {
    /// Rows with an outcome.
    pub n: u64,
    /// The effective number of independent rows of equal weight, if rows have unequal weights or belong to the same
    /// entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_effective: Option<f64>,
    /// Labelled rows that are left out because the version was trained on them.
    #[serde(default)]
    pub n_learned: u64,
    /// Each metric, now and at the gate.
    pub metrics: Vec<MetricChange>,
}

/// Whether production loses more than its gate allows, with evidence that is valid at every look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LossAlarm {
    /// `brier`, `error` or `mae`.
    pub loss: String,
    /// Number of labelled rows.
    pub n: u64,
    /// The mean loss on all of them, weighted by selection probability.
    pub mean: f64,
    /// On the gate rows.
    pub gate: f64,
    /// The largest mean loss without an alarm.
    pub limit: f64,
    /// The largest e-value so far against "the mean is at most the limit".
    pub evidence: f64,
    /// The e-value at which the alarm is raised.
    pub needed: f64,
    /// Whether it fired.
    pub fired: bool,
    /// Outcomes since the alarm was raised, including the week or the table that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<SinceAlarm>,
}

/// Outcomes since an alarm was raised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SinceAlarm {
    /// How many.
    pub n: u64,
    /// Their mean loss.
    pub mean: f64,
}

/// A metric now and on the gate rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MetricChange {
    /// Its name.
    pub name: String,
    /// Now.
    pub value: f64,
    /// 95 % interval, where one was computed.
    pub interval: Option<(f64, f64)>,
    /// On the gate rows.
    pub gate: Option<f64>,
}

/// Metrics estimated from the scores alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// `cbpe` (classes) or `dle` (numbers).
    pub method: String,
    /// Number of rows of the estimate.
    pub n: u64,
    /// Rows that are left out because the version was trained on them.
    #[serde(default)]
    pub n_learned: u64,
    /// Each metric, estimated and at the gate.
    pub metrics: Vec<MetricChange>,
    /// The limits of such an estimate.
    pub limit: String,
}

/// A reason to retrain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trigger {
    /// `drift_share`, `psi`, `score_drift`, `multivariate`, `schema`, `new_rows`, `unused_feedback`, `recent_accuracy`, `metric_drop`, `age` or `force`.
    pub name: String,
    /// The measured value; `None` if there was nothing to measure.
    pub value: Option<f64>,
    /// Its threshold; `None` if the trigger is off.
    pub threshold: Option<f64>,
    /// Whether it fired.
    pub fired: bool,
    /// In words.
    pub text: String,
}

/// A period of the current table, compared with the whole reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chunk {
    /// A day, a Monday, or "rows 1 to 1000".
    pub name: String,
    /// Number of rows.
    pub n_rows: u64,
    /// Share of drifted columns; `None` when none could be judged.
    pub share: Option<f64>,
    /// Why there is no share, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Each column's name, statistic, and whether it drifted.
    pub columns: Vec<ChunkColumn>,
}

/// The current table against the training table of production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AgainstTraining {
    /// The training rows.
    pub reference: Side,
    /// How much of the table drifted since.
    pub share: DriftShare,
    /// Each column's name, statistic, and whether it drifted; the most important first.
    pub columns: Vec<ChunkColumn>,
}

/// A column of a period, or of another comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChunkColumn {
    /// Its name.
    pub name: String,
    /// The statistic of the column's method.
    pub statistic: Option<f64>,
    /// Whether it drifted; `None` if it cannot be judged.
    pub drifted: Option<bool>,
}
