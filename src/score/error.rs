//! Errors in scores.

use crate::wording::instead;
use thiserror::Error;

/// Errors of evaluation, calibration and thresholds.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScoreError {
    /// There is nothing to evaluate.
    #[error("no rows to evaluate")]
    NoRows,
    /// Two columns that belong together differ in length.
    #[error("{what}: {found} values for {expected} expected")]
    Length {
        /// The column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length it should have.
        expected: usize,
    },
    /// The truth of a row is not a class or a number.
    #[error("row {row}: the true value {value} is not {expected}; leave out rows without an outcome")]
    Truth {
        /// Index of the row, from 0.
        row: usize,
        /// The value found.
        value: f64,
        /// The expected values.
        expected: &'static str,
    },
    /// The score of a row cannot be used.
    #[error("row {row}: the score {value} is not {expected}")]
    Score {
        /// Index of the row, from 0.
        row: usize,
        /// The value found.
        value: f64,
        /// The expected values.
        expected: &'static str,
    },
    /// The weight of a row cannot be used.
    #[error("row {row}: the weight {value} is not a number of at least 0")]
    Weight {
        /// Index of the row, from 0.
        row: usize,
        /// The value found.
        value: f64,
    },
    /// All weights are zero.
    #[error("the weights of all {rows} rows are 0")]
    NoWeight {
        /// Number of rows.
        rows: usize,
    },
    /// A metric of another task, or an unknown one.
    #[error("unknown metric {name:?}{}", instead(.name, .known.iter().copied()))]
    UnknownMetric {
        /// The name as given.
        name: String,
        /// The known names.
        known: Vec<&'static str>,
    },
    /// An invalid threshold rule.
    #[error("threshold rule: {0}")]
    Rule(String),
    /// No threshold reaches the goal on these rows.
    #[error("no threshold reaches {wanted}: the best value on {rows} rows is {best:.4}")]
    Unreachable {
        /// The goal.
        wanted: String,
        /// The best value reached.
        best: f64,
        /// Number of rows.
        rows: usize,
    },
    /// A metric that is undefined on the rows.
    #[error("cannot tell: {metric} is undefined on the {rows} rows, or on most resamples of them")]
    Untold {
        /// The metric.
        metric: &'static str,
        /// Number of rows.
        rows: usize,
    },
    /// The rows have only one class.
    #[error("cannot tell: all {rows} rows are {class}")]
    OneClass {
        /// Number of rows.
        rows: usize,
        /// `positive` or `negative`.
        class: &'static str,
    },
}
