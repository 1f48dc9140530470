//! The drift report of `monitor`: the format of `reports/drift_report.json`, and the input of its pages.

use serde::{Deserialize, Serialize};

/// The report of one run of `monitor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DriftReport {
    /// Version of this file's form: 1.
    pub format: u32,
    /// The `mlloop` that made it.
    pub mlloop: String,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// The column that the loop predicts.
    pub predicts: String,
    /// The version in production; `None` when tables were compared without one.
    pub version: Option<String>,
    /// What was compared with.
    pub reference: Side,
    /// The current table.
    pub current: Side,
    /// The answer.
    pub verdict: Verdict,
    /// How much of the table drifted.
    pub share: DriftShare,
    /// Each feature column, what matters most first.
    pub columns: Vec<ColumnReport>,
    /// The target column, when the current table holds it.
    pub target: Option<ColumnReport>,
    /// The score of the version in production.
    pub score: Option<ColumnReport>,
    /// What is wrong with the table's form or content.
    pub findings: Vec<Finding>,
    /// Whether a classifier can tell the two tables apart, where it was asked.
    pub multivariate: Option<Multivariate>,
    /// Metrics on rows whose outcome is known.
    pub performance: Option<Performance>,
    /// Whether production loses more than its gate allows.
    #[serde(default)]
    pub alarm: Option<LossAlarm>,
    /// Metrics that the scores alone promise.
    pub estimate: Option<Estimate>,
    /// Reasons to retrain, each fired or not.
    pub triggers: Vec<Trigger>,
    /// The same against what production was trained on, where that is not the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_training: Option<AgainstTraining>,
    /// The current table in pieces, oldest first.
    pub history: Vec<Chunk>,
    /// The settings in effect.
    #[cfg_attr(test, schemars(with = "crate::drift::settings::DriftSettings"))]
    pub settings: serde_json::Value,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One of the two tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Side {
    /// A path, or "training rows of v0001".
    pub name: String,
    /// Its rows.
    pub n_rows: u64,
    /// Whether every statistic read all values, not a sketch of them.
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
    /// Too little arrived to say.
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
    /// By the drift share; `None` when no column could be judged.
    pub severity: Option<Severity>,
    /// The reason in one sentence.
    pub sentence: String,
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
    /// The share that is held to the threshold: by columns, or by what they weigh; `None` when none could be judged.
    pub share: Option<f64>,
    /// Drifted among the columns that could be judged. A report from before it was kept has none.
    #[serde(default)]
    pub column_share: Option<f64>,
    /// The same, each column weighing its importance in the model.
    pub weighted_share: Option<f64>,
    /// From this share on the table drifted.
    pub threshold: f64,
    /// Whether it is the weighted share that decides.
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

/// What is said of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ColumnVerdict {
    /// It changed enough to matter.
    Drifted,
    /// It did not.
    Stable,
    /// Too few rows to say.
    TooFewRows {
        /// Rows that would do.
        need: u64,
    },
    /// The method has no value here.
    CannotTell {
        /// Why.
        reason: String,
    },
}

/// One column of both tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// `number`, `category` or `time`.
    pub kind: String,
    /// The verdict, with what it needs to be understood.
    #[serde(flatten)]
    pub verdict: ColumnVerdict,
    /// The method that judged, by its name in `mlloop.toml`.
    pub method: String,
    /// The method's statistic or distance.
    pub statistic: Option<f64>,
    /// What the statistic or p was held to.
    pub threshold: f64,
    /// The method's p-value, where it has one.
    pub p: Option<f64>,
    /// p after Benjamini–Hochberg over all tests of all columns (default preset).
    pub p_adjusted: Option<f64>,
    /// How far apart the two sides are in what the method looks at, in the units of Cohen's h (default preset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    /// What the method saw, in words, where it is not the distribution as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Population stability index.
    pub psi: Option<f64>,
    /// The PSI that chance alone exceeds once in a hundred times at these numbers of rows (Yurdakul).
    pub psi_critical: Option<f64>,
    /// How many independent rows the rows of the reference and of the current table are worth, where rows about the same thing are
    /// alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<(u64, u64)>,
    /// Share of the model's gain, in `[0, 1]`.
    pub importance: Option<f64>,
    /// Whether the model does not read it: it is watched, counts in no share, and is no reason to retrain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_read: bool,
    /// The reference's side.
    pub reference: Summary,
    /// The current side.
    pub current: Summary,
    /// Both distributions.
    pub plot: Plot,
}

/// One side of a column in numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Values that are there.
    pub n: u64,
    /// Values that are missing.
    pub n_missing: u64,
    /// Distinct levels of a category, as far as counted.
    pub n_levels: Option<u64>,
    /// Of a number.
    pub mean: Option<f64>,
    /// Of a number; divided by n − 1.
    pub sd: Option<f64>,
    /// Of a number or a time (microseconds).
    pub min: Option<f64>,
    /// Of a number or a time.
    pub median: Option<f64>,
    /// Of a number or a time.
    pub max: Option<f64>,
}

/// How the axis of a plot of numbers runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal factors, for positive values with a long tail.
    Log,
    /// Each step holds about as many rows of the reference, for other values with a long tail.
    Quantile,
}

/// Both distributions, as shares of all rows of a side; what is missing is what the shares lack to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Plot {
    /// Bins between edges, at most 40; the first and last bin hold what lies beyond.
    Number {
        /// How the axis runs.
        #[serde(default)]
        axis: Axis,
        /// Ascending, one more than there are bins.
        edges: Vec<f64>,
        /// Share of each bin.
        reference: Vec<f64>,
        /// Share of each bin.
        current: Vec<f64>,
    },
    /// Levels, at most 12: new ones first, then those whose share changed most; the last may be "(other levels)".
    Category {
        /// Their names.
        levels: Vec<String>,
        /// Share of each level.
        reference: Vec<f64>,
        /// Share of each level.
        current: Vec<f64>,
    },
    /// Nothing to draw.
    None,
}

/// The closed vocabulary of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A column that production needs is not there.
    MissingColumn,
    /// Values are of another type than the reference's.
    DataType,
    /// More is missing than the reference leads to expect.
    Completeness,
    /// Levels that the reference does not know.
    CategoricalValues,
    /// Numbers outside the reference's range.
    Range,
    /// A column that the reference does not have.
    ExtraColumn,
    /// No row arrived.
    NothingArrived,
    /// `monitor` has not run for longer than it should.
    NotRunSince,
    /// A column that began to drift since the last run.
    Onset,
    /// A column that stopped drifting since the last run.
    Recovery,
    /// Intervals or sets hold the truth of fewer rows than they should.
    Coverage,
    /// What was served of a window is not what its rows give: training and serving differ.
    Skew,
    /// Texts have more words that training did not have.
    Vocabulary,
}

/// One thing that a person should look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// Which sort.
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
    /// Out-of-fold ROC-AUC of telling current from reference rows.
    pub roc_auc: f64,
    /// Lower bound of its 95 % interval.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Drifted when the lower bound is above this.
    pub threshold: f64,
    /// Whether it is.
    pub drifted: bool,
    /// What gives the current rows away: raw column and share of the gain, largest first.
    pub columns: Vec<(String, f64)>,
    /// Rows of each side that were used.
    pub n_rows: (u64, u64),
}

impl Multivariate {
    /// Whether the interval says neither that the tables are alike nor that they are told apart.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.drifted && self.upper > self.threshold
    }
}

/// Metrics on rows whose outcome is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Performance {
    /// Rows with an outcome.
    pub n: u64,
    /// Independent rows of equal weight that would say as much, where some weigh more than others because of how they were
    /// chosen, or are about the same thing: rows of one customer count as one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_effective: Option<f64>,
    /// Rows whose outcome is known and that are left out, since the version learned from them.
    #[serde(default)]
    pub n_learned: u64,
    /// Each metric, now and at the gate.
    pub metrics: Vec<MetricChange>,
}

/// Whether production loses more than its gate allows, by evidence that may be looked at at any time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LossAlarm {
    /// `brier`, `error` or `mae`.
    pub loss: String,
    /// Rows whose outcome is known, in the order of which the evidence was gathered.
    pub n: u64,
    /// Its mean over all of them, each weighing by how it was chosen.
    pub mean: f64,
    /// On the gate rows.
    pub gate: f64,
    /// Up to this mean nothing is wrong.
    pub limit: f64,
    /// The largest e-value so far against "the mean is at most the limit".
    pub evidence: f64,
    /// The e-value at which the alarm is raised.
    pub needed: f64,
    /// Whether it is.
    pub fired: bool,
    /// What came since it was raised, with the week or the table that raised it.
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

/// A metric now, beside what the version reached on its gate rows.
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

/// Metrics that the scores alone promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// `cbpe` (classes) or `dle` (numbers).
    pub method: String,
    /// Rows they are estimated on.
    pub n: u64,
    /// Rows that are left out, since the version learned from them.
    #[serde(default)]
    pub n_learned: u64,
    /// Each metric, estimated and at the gate.
    pub metrics: Vec<MetricChange>,
    /// What such an estimate cannot see.
    pub limit: String,
}

/// A reason to retrain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trigger {
    /// `drift_share`, `psi`, `score_drift`, `multivariate`, `schema`, `new_rows`, `unused_feedback`, `recent_accuracy`, `metric_drop`, `age` or `force`.
    pub name: String,
    /// What was measured; `None` when there was nothing to measure.
    pub value: Option<f64>,
    /// What it was held to; `None` when the trigger is off.
    pub threshold: Option<f64>,
    /// Whether it fired.
    pub fired: bool,
    /// In words.
    pub text: String,
}

/// A piece of the current table, compared with the whole reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chunk {
    /// A day, a Monday, or "rows 1 to 1000".
    pub name: String,
    /// Its rows.
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
    /// Each column's name, statistic, and whether it drifted; what matters most first.
    pub columns: Vec<ChunkColumn>,
}

/// A column of a piece, or of another comparison.
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
