//! Errors of tables, each with its location.

use crate::atomic::AtPath;
use crate::wording::{instead, list};
use std::path::PathBuf;

/// An error of a table, with its location.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Opening or reading failed.
    #[error("{0}")]
    Io(#[from] AtPath),
    /// A cell that does not fit its column.
    #[error("{file}: line {line}, column {column:?}: {value:?} is not {expected}")]
    Cell {
        /// The file, or `stdin`.
        file: String,
        /// 1-based first line of the record.
        line: u64,
        /// The column's name.
        column: String,
        /// The offending text, shortened.
        value: String,
        /// `a number`, `a time written like %d/%m/%Y`, ….
        expected: String,
    },
    /// A record with too few or too many fields, or an unfinished quote.
    #[error("{file}: line {line}: {what}")]
    Record {
        /// The file, or `stdin`.
        file: String,
        /// 1-based first line of the record.
        line: u64,
        /// The problem.
        what: String,
    },
    /// The file as a whole is unusable (empty, a directory, not UTF-8 header, damaged Parquet).
    #[error("{file}: {what}")]
    File {
        /// The file, or `stdin`.
        file: String,
        /// The problem.
        what: String,
    },
    /// Columns that the schema names and the file lacks.
    #[error("{file}: missing column{} {}{near}", if .columns.len() == 1 { "" } else { "s" }, list(.columns.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>().iter().map(String::as_str)))]
    MissingColumns {
        /// The file, or `stdin`.
        file: String,
        /// Their names.
        columns: Vec<String>,
        /// A similar name in the file, to end the message; or empty.
        near: String,
    },
    /// A duplicate name.
    #[error("duplicate column {column:?}")]
    DuplicateColumn {
        /// The name.
        column: String,
    },
    /// Columns of different lengths.
    #[error("column {column:?} has {n_rows} rows, but other columns have {expected}")]
    Ragged {
        /// The name.
        column: String,
        /// Its length.
        n_rows: usize,
        /// The others' length.
        expected: usize,
    },
    /// A column that does not exist.
    #[error("no column {column:?}{}", instead(.column, .have.iter().map(String::as_str)))]
    NoColumn {
        /// The requested name.
        column: String,
        /// The names that exist.
        have: Vec<String>,
    },
    /// A workspace file could not be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
}

impl TableError {
    /// The same error with the name of its file, if it has none.
    #[must_use]
    pub(crate) fn in_file(self, file: &str) -> Self {
        match self {
            Self::DuplicateColumn { .. } | Self::NoColumn { .. } => {
                Self::File { file: file.to_owned(), what: self.to_string() }
            }
            other => other,
        }
    }
}
