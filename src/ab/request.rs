//! The request for the analysis of a table of outcomes.

use super::experiment::Goal;
use crate::table::TableOptions;
use std::path::Path;

/// The roles of the columns, and the options for reading a table.
#[derive(Debug, Clone)]
pub struct OutcomesRequest<'a> {
    /// The table.
    pub table: &'a Path,
    /// The column that names the arm.
    pub arm: &'a str,
    /// The outcomes: a column, or `numerator/denominator`.
    pub outcomes: &'a [String],
    /// Whether higher or lower is better.
    pub goal: Goal,
    /// The column that names the unit; without one, every row is a unit.
    pub unit: Option<&'a str>,
    /// A column with pre-experiment values, for adjustment.
    pub pre: Option<&'a str>,
    /// The column whose levels are the strata of the comparison.
    pub strata: Option<&'a str>,
    /// The column that orders the units.
    pub time: Option<&'a str>,
    /// The column with the number of units that a row represents; outcomes are then counts.
    pub n: Option<&'a str>,
    /// The control arm; guessed if `None`.
    pub control: Option<&'a str>,
    /// Only these arms; all if empty.
    pub arms: &'a [String],
    /// Expected weight of each arm by name; equal if empty.
    pub weights: &'a [(String, f64)],
    /// Whether arm names that differ only in case, outer spaces, or as 1 and 1.0 are the same arm.
    pub same_arms: bool,
    /// An arm that was not named explicitly needs at least this share of rows, relative to an equal share.
    pub min_share: f64,
    /// The quantile over all units at which values are capped.
    pub cap: Option<f64>,
    /// The text that counts as 1.
    pub positive: Option<&'a str>,
    /// How to combine several rows of one unit.
    pub repeated: Repeated,
    /// Whether a missing outcome counts as 0; otherwise the unit is ignored for that outcome.
    pub missing_is_zero: bool,
    /// The format of the table.
    pub read: TableOptions,
}

/// How to combine several rows of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// The largest for 0 and 1, the mean for numbers, the sums for ratios.
    Auto,
    /// The first known value.
    First,
    /// The largest value.
    Max,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
}
