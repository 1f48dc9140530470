//! `reports/ab_report.json`: what `ab-report` found.

use super::experiment::{Goal, Measure};
use super::units::Kind;
use crate::score::paired::{DeLong, McNemar};
use serde::Serialize;

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AbReport {
    /// Version of this form: 1.
    pub format: u32,
    /// The version of mlloop that made it.
    pub mlloop: String,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// The answer.
    pub verdict: Verdict,
    /// What was read.
    pub source: Source,
    /// Whether units are distributed over the arms as they should be.
    pub srm: Srm,
    /// The arms, the one that the others are compared with first.
    pub arms: Vec<ArmFacts>,
    /// What was measured, what decides first; empty when the distribution over the arms stopped the report.
    pub outcomes: Vec<OutcomeReport>,
    /// The loop's experiment; `None` for a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentFacts>,
    /// What must not become worse.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<RailReport>,
    /// How good the model of each arm was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelReport>,
    /// In a shadow experiment, the models on the same rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<PairedReport>,
    /// How the verdict was to be found.
    pub settings: AnalysisSettings,
    /// Remarks for a person.
    pub notes: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// What it is.
    pub answer: Answer,
    /// The arm that won.
    pub winner: Option<String>,
    /// Arms that are shown to be worse than the first, when none wins.
    pub worse: Vec<String>,
    /// Units that are still to come, when more are needed.
    pub n_left: Option<u64>,
    /// Whether the planned units are in, or there was to be one look, so that it need not go on although nothing is shown.
    #[serde(skip)]
    pub is_over: bool,
    /// The same in one sentence.
    pub sentence: String,
}

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An arm is better.
    Winner,
    /// Every difference lies within the margin.
    NoDifference,
    /// Too few units yet.
    KeepRunning,
    /// Units are not distributed as they should be, so nothing can be said of an effect.
    SampleRatioMismatch,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// A table's name, or the experiment's.
    pub name: String,
    /// Rows read.
    pub n_rows: u64,
    /// The column that names the unit; `None` when every row is one.
    pub unit: Option<String>,
    /// Units that count.
    pub n_units: u64,
    /// Units left out because they stand in two arms.
    pub n_in_two_arms: u64,
    /// Units that stand in several rows, which were made one.
    pub n_repeated: u64,
    /// Rows left out because they name no arm or no unit.
    pub n_without_arm: u64,
    /// Names the rows of a prediction log, whatever their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// How it was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnalysisSettings {
    /// The error that is allowed for.
    pub alpha: f64,
    /// Units at which the sequence is tightest; those at hand when it was not said.
    pub planned_n: Option<u64>,
    /// A difference up to this is none, when it was said.
    pub margin: Option<f64>,
    /// Whether the fixed-horizon test decides, because the size was set beforehand and this is the only look.
    pub fixed: bool,
    /// Go on whatever the distribution over the arms.
    pub force: bool,
    /// Hold the error over all outcomes together, not for the first one alone.
    pub correct: bool,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { alpha: 0.05, planned_n: None, margin: None, fixed: false, force: false, correct: false }
    }
}

/// The distribution over the arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Srm {
    /// χ² against the expected counts.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub freedom: f64,
    /// Its p-value for a single look.
    pub p: f64,
    /// The p-value that holds at every look at once; it decides.
    pub p_always: f64,
    /// What follows.
    pub state: SrmState,
}

/// What follows from the distribution over the arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SrmState {
    /// As it should be.
    Ok,
    /// p < .01 for a single look: look into it.
    Warning,
    /// Always-valid p < .01 (p < .001 when this is the only look): no effect can be read off.
    Stop,
}

/// An arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmFacts {
    /// Its name.
    pub name: String,
    /// Whether the others are compared with it.
    pub control: bool,
    /// The version that answers in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Units in it.
    pub n_units: u64,
    /// Units that were to be in it.
    pub n_expected: f64,
    /// Share of units.
    pub share: f64,
}

/// One outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutcomeReport {
    /// Its name.
    pub name: String,
    /// Whether it decides.
    pub primary: bool,
    /// What its mean is.
    pub kind: Kind,
    /// Which way is better.
    pub goal: Goal,
    /// What it says on its own.
    pub verdict: Verdict,
    /// Each arm.
    pub arms: Vec<ArmOutcome>,
    /// Each other arm against the first.
    pub comparisons: Vec<Comparison>,
    /// All arms at once, for shares: χ² of homogeneity at a size set beforehand.
    pub all_arms: Option<FixedTest>,
    /// The adjustment by the time before, when there is one; comparisons are then of adjusted means.
    pub cuped: Option<Cuped>,
    /// The effect as units came in.
    pub looks: Vec<Look>,
}

/// An outcome in an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmOutcome {
    /// The arm.
    pub name: String,
    /// Units of which it is known.
    pub n: u64,
    /// Units of which it is not.
    pub n_missing: u64,
    /// Sum: successes of a share.
    pub sum: f64,
    /// Mean, or the ratio.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub mean: f64,
    /// Standard error of the mean.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub error: f64,
}

/// An arm against the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The arm it is compared with.
    pub against: String,
    /// Units in both.
    pub n: u64,
    /// Its mean less the other's.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub difference: f64,
    /// Standard error of that.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub error: f64,
    /// Confidence sequence of the difference: holds at all looks and for all comparisons at once.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Its upper end.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub high: f64,
    /// Always-valid p-value.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub p: f64,
    /// The same after Holm over the comparisons, and over all outcomes when these are corrected for.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub p_holm: f64,
    /// The difference as a share of the other's mean, in the same sequence.
    pub lift: Option<Lift>,
    /// What a test says whose size was set beforehand and that is looked at once.
    pub fixed: FixedTest,
    /// Whether there are enough units for what rests on a normal approximation. `low`, `high` and `p` are valid without.
    pub enough: bool,
    /// Units in both at which that is so, about, when there are too few.
    pub n_to_enough: Option<u64>,
    /// Units at which the sequence leaves out 0, should the difference stay what it is.
    pub n_to_exclude_zero: Option<u64>,
}

/// A relative difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lift {
    /// Difference ∕ mean.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub value: f64,
    /// Lower end of its confidence sequence.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Upper end.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub high: f64,
}

/// A test at a fixed horizon: valid once, at a size that was set beforehand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FixedTest {
    /// `two_proportion_z`, `welch_t`, `paired_t`, `z`, `chi_squared`.
    pub test: String,
    /// z, t or χ². z and t have the sign of the difference: positive when the other arm is higher.
    pub statistic: Option<f64>,
    /// Degrees of freedom.
    pub freedom: Option<f64>,
    /// Two-sided p-value.
    pub p: Option<f64>,
    /// The same after Holm over the comparisons.
    pub p_holm: Option<f64>,
    /// The interval of the difference for a single look.
    pub interval: Option<(f64, f64)>,
}

/// What was adjusted by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cuped {
    /// The column.
    pub column: String,
    /// The slope.
    pub theta: f64,
    /// Share of the variance that is gone.
    pub variance_reduction: f64,
    /// Units without a value before; they count as average.
    pub n_unknown: u64,
    /// The differences without the adjustment, one for each comparison.
    pub unadjusted: Vec<f64>,
}

/// The effect at a look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Look {
    /// Units so far, in all arms.
    pub n: u64,
    /// The time of the last of them.
    pub at: Option<String>,
    /// For each comparison the difference and its sequence; `None` while there are too few.
    pub effects: Vec<Option<Effect>>,
}

/// A difference at a look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Effect {
    /// The difference.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub difference: f64,
    /// Lower end of the sequence.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Upper end.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub high: f64,
}

/// The loop's experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExperimentFacts {
    /// Its name.
    pub name: String,
    /// Whether the first arm answers all and the others score along.
    pub shadow: bool,
    /// Whether it runs.
    pub running: bool,
    /// Units whose outcome is not final yet.
    pub n_immature: u64,
    /// Rows that were not assigned: another version answered, or the arm was asked for by name.
    pub n_not_assigned: u64,
    /// Units left out in every arm, since the version of an arm learned from their rows.
    pub n_learned: u64,
    /// Every stretch of equal weights.
    pub epochs: Vec<EpochFacts>,
}

/// A stretch of equal weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EpochFacts {
    /// Since when.
    pub from: jiff::Timestamp,
    /// The weights, in the order of the arms.
    pub weights: Vec<f64>,
    /// Units that came in it, in the order of the arms.
    pub n_units: Vec<u64>,
    /// Difference of each other arm from the first in what decides, and its standard error; `None` with too few units.
    pub differences: Vec<Option<(f64, f64)>>,
}

/// A guardrail in an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailReport {
    /// What is measured.
    pub measure: Measure,
    /// The arm.
    pub arm: String,
    /// By how much it may be worse.
    pub margin: f64,
    /// By how much it is better; below 0 it is worse.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub gain: f64,
    /// Lower end of the sequence of the gain.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Upper end.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub high: f64,
    /// What follows.
    pub state: RailState,
}

/// What follows from a guardrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RailState {
    /// It is not worse by more than the margin.
    Holds,
    /// It is worse.
    Broken,
    /// Too few units to say.
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
    /// Who was right where the other was wrong, for classes; for a single look.
    pub mcnemar: Option<McNemar>,
    /// The areas under the ROC curves (first arm, other arm), for two classes; for a single look.
    pub delong: Option<DeLong>,
}
