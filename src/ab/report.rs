//! `reports/ab_report.json`: what `ab-report` found.

pub use super::experiment_report::{EpochFacts, ExperimentFacts, ModelReport, PairedReport, RailReport, RailState};

use super::experiment::Goal;
use super::units::Kind;
use serde::Serialize;

/// The report of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AbReport {
    /// Version of this format: 1.
    pub format: u32,
    /// The version of mlloop that made it.
    pub mlloop: String,
    /// When it was made.
    pub made_at: jiff::Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// The table or log that was read.
    pub source: Source,
    /// The check of the sample ratio.
    pub srm: Srm,
    /// The arms, the control arm first.
    pub arms: Vec<ArmFacts>,
    /// The outcomes, the deciding one first; empty if a sample ratio mismatch stopped the report.
    pub outcomes: Vec<OutcomeReport>,
    /// The loop's experiment; `None` for a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentFacts>,
    /// The guardrails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<RailReport>,
    /// The metrics of each arm's model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelReport>,
    /// In a shadow experiment, the models on the same rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paired: Vec<PairedReport>,
    /// The settings of the analysis.
    pub settings: AnalysisSettings,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// The kind of verdict.
    pub answer: Answer,
    /// The arm that won.
    pub winner: Option<String>,
    /// Arms that are shown to be worse than the first, when none wins.
    pub worse: Vec<String>,
    /// Number of further units that are needed, if any.
    pub n_left: Option<u64>,
    /// Whether the planned units have arrived or only one look is planned, so that it need not go on although nothing
    /// is shown.
    #[serde(skip)]
    pub is_over: bool,
    /// The same in one sentence.
    pub sentence: String,
}

/// The kinds of verdict.
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
    /// Units are not distributed as assigned, so no effect can be measured.
    SampleRatioMismatch,
}

/// The table or log that was read.
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
    /// Units left out because they are in two arms.
    pub n_in_two_arms: u64,
    /// Units with several rows, which were combined.
    pub n_repeated: u64,
    /// Rows left out because they have no arm or no unit.
    pub n_without_arm: u64,
    /// Digest of the rows of a prediction log, in any order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The settings of the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnalysisSettings {
    /// The significance level.
    pub alpha: f64,
    /// Planned number of units, where the sequence is narrowest; default: the current number.
    pub planned_n: Option<u64>,
    /// The equivalence margin, if given.
    pub margin: Option<f64>,
    /// Whether the test for a single look decides.
    pub fixed: bool,
    /// Show effects despite a sample ratio mismatch.
    pub force: bool,
    /// Correct for all outcomes together.
    pub correct: bool,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        Self { alpha: 0.05, planned_n: None, margin: None, fixed: false, force: false, correct: false }
    }
}

/// The check of the sample ratio.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Srm {
    /// χ² against the expected counts.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub freedom: f64,
    /// Its p-value for a single look.
    pub p: f64,
    /// The always-valid p-value; it decides.
    pub p_always: f64,
    /// The result.
    pub state: SrmState,
}

/// The result of the check of the sample ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SrmState {
    /// As assigned.
    Ok,
    /// p < .01 for a single look: a warning.
    Warning,
    /// Always-valid p < .01 (p < .001 with a single look): no effect can be measured.
    Stop,
}

/// An arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmFacts {
    /// Its name.
    pub name: String,
    /// Whether it is the control arm.
    pub control: bool,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Units in it.
    pub n_units: u64,
    /// Expected number of units.
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
    /// Why there is no result on it, if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
    /// Whether it decides.
    pub primary: bool,
    /// The kind of outcome.
    pub kind: Kind,
    /// Whether higher or lower is better.
    pub goal: Goal,
    /// The verdict on this outcome.
    pub verdict: Verdict,
    /// Each arm.
    pub arms: Vec<ArmOutcome>,
    /// Each other arm against the first.
    pub comparisons: Vec<Comparison>,
    /// All arms at once, for shares: χ² of homogeneity at a size set beforehand.
    pub all_arms: Option<FixedTest>,
    /// The CUPED adjustment, if any; comparisons are then of adjusted means.
    pub cuped: Option<Cuped>,
    /// The effect over time.
    pub looks: Vec<Look>,
}

/// An outcome in an arm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArmOutcome {
    /// The arm.
    pub name: String,
    /// Units with a known outcome.
    pub n: u64,
    /// Units with a missing outcome.
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
    /// Its mean minus the other's.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub difference: f64,
    /// Standard error of that.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub error: f64,
    /// Lower end of the confidence sequence of the difference, valid at all looks, at the level at which Holm's procedure tests
    /// this comparison: it excludes 0 exactly if `p_holm` is at most alpha.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub low: f64,
    /// Upper end of the interval.
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
    /// The test for a single look.
    pub fixed: FixedTest,
    /// Whether there are enough units for a normal approximation. `low`, `high` and `p` are valid in any case.
    pub enough: bool,
    /// About how many units in both arms are needed for that, if there are too few.
    pub n_to_enough: Option<u64>,
    /// Units at which the sequence excludes 0, if the difference stays the same.
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

/// A test for a single look, at a size that was fixed in advance.
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
    /// The interval of the difference for a single look, at the level at which Holm's procedure tests it.
    pub interval: Option<(f64, f64)>,
}

/// The CUPED adjustment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cuped {
    /// The column.
    pub column: String,
    /// The slope.
    pub theta: f64,
    /// Share of the variance that the adjustment removes.
    pub variance_reduction: f64,
    /// Units without a value of the covariate; they count as average.
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
