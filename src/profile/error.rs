//! Errors of profiles.

use crate::table::TableError;

/// An error of a profile, with the column if one causes it.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The table could not be read.
    #[error("{0}")]
    Table(#[from] TableError),
    /// Two profiles are of different tables.
    #[error("column {column:?} {what}")]
    Mismatch {
        /// The column.
        column: String,
        /// How it differs.
        what: String,
    },
    /// A file is not a profile, or not of the same columns as the others.
    #[error("{file}: {what}")]
    File {
        /// The file.
        file: String,
        /// The problem.
        what: String,
    },
    /// The bytes are not a profile.
    #[error("not a profile: {0}")]
    Damaged(String),
}
