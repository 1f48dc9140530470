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
    /// The column with the unit; without one, every row is a unit.
    pub unit: Option<&'a str>,
    /// A column of the time before the experiment, to adjust by.
    pub pre: Option<&'a str>,
    /// The column whose levels are the strata of the comparison.
    pub strata: Option<&'a str>,
    /// The column that orders the units.
    pub time: Option<&'a str>,
    /// The column with the number of units that a row represents; outcomes are then counts.
    pub n: Option<&'a str>,
    /// The arm that the others are compared with; guessed when `None`.
    pub control: Option<&'a str>,
    /// Only these arms; all when empty.
    pub arms: &'a [String],
    /// Expected weight of each arm by name; equal when empty.
    pub weights: &'a [(String, f64)],
    /// Arms whose names differ in case, outer spaces or as 1 and 1.0 are the same.
    pub same_arms: bool,
    /// Smallest share of rows, relative to an equal share, of an arm that was not named explicitly.
    pub min_share: f64,
    /// The quantile over all units beyond which values count as that quantile.
    pub cap: Option<f64>,
    /// The text that counts 1.
    pub positive: Option<&'a str>,
    /// How to combine several rows of one unit.
    pub repeated: Repeated,
    /// Whether a missing outcome counts as 0; otherwise the unit is ignored for it.
    pub missing_is_zero: bool,
    /// How the table is written.
    pub read: TableOptions,
}

/// How to combine several rows of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// The largest for 0 and 1, the mean for numbers, sums for ratios.
    Auto,
    /// The first that is known.
    First,
    /// The largest.
    Max,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
}
