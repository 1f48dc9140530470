//! The part of a drift report about one column, and its plot.

use serde::{Deserialize, Serialize};

/// Scores that moved by less than this on average, in standard deviations of the reference, moved only in rank.
pub const LEAST_SHIFT: f64 = 0.25;

/// What is said of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ColumnVerdict {
    /// The change is significant and large.
    Drifted,
    /// No significant and large change.
    Stable,
    /// Too few rows for a verdict.
    TooFewRows {
        /// Number of rows that are needed.
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
    /// The method that decided, by its name in `mlloop.toml`.
    pub method: String,
    /// The method's statistic or distance.
    pub statistic: Option<f64>,
    /// The threshold of the statistic or of p.
    pub threshold: f64,
    /// The method's p-value, where it has one.
    pub p: Option<f64>,
    /// p after Benjamini–Hochberg over all tests of all columns (default preset).
    pub p_adjusted: Option<f64>,
    /// The effect size of the decisive test, in the units of Cohen's h (default preset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    /// Of the score: the mean distance of the two distributions in standard deviations of the reference (default preset).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<f64>,
    /// What the decisive test found, in words, unless it is the test of the distribution as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Population stability index.
    pub psi: Option<f64>,
    /// The PSI that chance alone exceeds once in a hundred times at these numbers of rows (Yurdakul).
    pub psi_critical: Option<f64>,
    /// The effective number of independent rows of the reference and of the current table, if rows of one entity are
    /// correlated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worth: Option<(u64, u64)>,
    /// Share of the model's gain, in `[0, 1]`.
    pub importance: Option<f64>,
    /// Whether the model does not read it. Such a column counts in no share and is not a reason to retrain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_read: bool,
    /// The reference's side.
    pub reference: Summary,
    /// The current side.
    pub current: Summary,
    /// Both distributions.
    pub plot: Plot,
}

/// A side with too few rows for a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Few {
    /// Effective numbers of rows of the reference and of the current table.
    pub n_rows: (u64, u64),
    /// Number of rows needed on each side.
    pub need: u64,
}

impl Few {
    /// Which side has too few rows, as a sentence without its full stop.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { n_rows: (n_reference, n_current), need } = *self;
        match (n_reference < need, n_current < need) {
            (true, true) => format!(
                "the reference has only {n_reference} rows and the current table {n_current}; {need} are needed in each"
            ),
            (true, false) => format!("the reference has only {n_reference} rows; {need} are needed in each table"),
            _ => format!("the current table has only {n_current} rows; {need} are needed in each table"),
        }
    }
}

impl ColumnReport {
    /// The side with too few rows, if that is the verdict.
    #[must_use]
    pub fn few(&self) -> Option<Few> {
        let ColumnVerdict::TooFewRows { need } = self.verdict else { return None };
        let rows = |side: &Summary| side.n + side.n_missing;
        Some(Few { n_rows: self.worth.unwrap_or((rows(&self.reference), rows(&self.current))), need })
    }

    /// The mean shift of a score whose ranks moved significantly but which is stable, because its values changed
    /// little.
    #[must_use]
    pub fn is_rank_only(&self) -> Option<f64> {
        let by_rank = self.verdict == ColumnVerdict::Stable && self.p_adjusted.is_some_and(|p| p <= self.threshold);
        self.shift.filter(|&by| by_rank && by < LEAST_SHIFT)
    }
}

/// One side of a column in numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Number of values that are not missing.
    pub n: u64,
    /// Number of missing values.
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

/// The scale of the axis of a plot of numbers.
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

/// Both distributions, as shares of all rows of a side. Missing values are the difference to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Plot {
    /// Bins between edges, at most 40. The first and the last bin include values beyond the edges.
    Number {
        /// The scale of the axis.
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
