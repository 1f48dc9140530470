//! Errors of scoring.

use crate::journal::JournalError;
use crate::past::PastError;
use crate::pipeline::PipelineError;
use crate::table::TableError;
use crate::wording::instead;
use std::io;

/// An error while rows are scored.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// A table or pipeline problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A requested column that is neither in the table nor added.
    #[error("--columns: there is no column {column:?}{}", instead(.column, .have.iter().map(String::as_str)))]
    NoColumn {
        /// The name.
        column: String,
        /// The names that exist.
        have: Vec<String>,
    },
    /// The loop's id column is not in the table.
    #[error("the table has no column {column:?}, the loop's id: without it, labels cannot be joined with the log")]
    NoId {
        /// The name.
        column: String,
    },
    /// A row without an id.
    #[error("row {row} (not counting the header) has no {column}: without an id, labels cannot be joined with it")]
    EmptyId {
        /// Number of the row, from 1.
        row: u64,
        /// The id column.
        column: String,
    },
    /// Outcomes were requested, but the table has none.
    #[error("the table has no column {column:?} with the outcomes")]
    NoOutcome {
        /// The target.
        column: String,
    },
    /// A row whose target is not a valid outcome.
    #[error("row {row} (not counting the header) has no valid outcome: {what}")]
    Outcome {
        /// Number of the row, from 1.
        row: u64,
        /// The problem.
        what: String,
    },
    /// The history rows for windows are not available.
    #[error("{0}")]
    Past(#[from] PastError),
    /// The log cannot be written; rows answered earlier are in it.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Writing failed; the I/O error is the cause, so that a closed pipe can be recognised.
    #[error("writing the scores: {0}")]
    Write(#[from] io::Error),
}

impl From<TableError> for PredictError {
    fn from(err: TableError) -> Self {
        Self::Pipeline(err.into())
    }
}
