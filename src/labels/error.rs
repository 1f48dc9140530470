//! Errors of labels.

use crate::atomic::AtPath;
use crate::drift::multivariate::MultivariateError;
use crate::features::FeatureError;
use crate::journal::JournalError;
use crate::pipeline::PipelineError;
use crate::registry::RegistryError;
use crate::table::TableError;
use crate::workspace::WorkspaceError;
use std::path::{Path, PathBuf};

/// Errors with labels.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// An invalid cell.
    #[error("{file}: {place}, column {column:?}: {value:?} {what}")]
    Cell {
        /// The file, or `stdin`.
        file: String,
        /// `line 7`, 1-based, on which the record begins; `task 7` in an export of Label Studio.
        place: String,
        /// The column's name.
        column: String,
        /// The offending text, shortened.
        value: String,
        /// The problem, as a clause.
        what: String,
    },
    /// An invalid answer.
    #[error("{file}: {place}, column {column:?}: {value:?} {what}")]
    Answer {
        /// The file, or `stdin`.
        file: String,
        /// As in [`LabelError::Cell`].
        place: String,
        /// The column's name.
        column: String,
        /// The offending text, shortened.
        value: String,
        /// The problem, as a clause.
        what: String,
    },
    /// The history rows for windows are not available.
    #[error("{0}")]
    Past(#[from] crate::past::PastError),
    /// An invalid file.
    #[error("{file}: {what}")]
    File {
        /// The file, or `stdin`.
        file: String,
        /// The error, with its line if known.
        what: String,
    },
    /// A batch is open.
    #[error(
        "{}: batch {batch} is open with {n} rows: import its answers with `mlloop label-import`, or create another \
         batch with --force",
        .path.display()
    )]
    Out {
        /// The exported file.
        path: PathBuf,
        /// The batch.
        batch: String,
        /// Its rows.
        n: usize,
    },
    /// A request to Label Studio failed.
    #[error("Label Studio at {address}: {what}")]
    Studio {
        /// Its address.
        address: String,
        /// What happened and what to do, as a clause.
        what: String,
    },
    /// A request to the label store failed.
    #[error("{store}: {what}")]
    Store {
        /// Its address.
        store: String,
        /// What happened, as a clause.
        what: String,
        /// Whether the data may have been stored despite the error.
        may_be_there: bool,
    },
    /// Options that are incompatible, or do not fit the workspace.
    #[error("{0}")]
    Usage(String),
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A problem of the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Production cannot score rows.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// Regions with more rows than in training cannot be determined.
    #[error("{0}")]
    Drift(MultivariateError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

impl LabelError {
    pub(super) fn file(path: &Path, what: impl Into<String>) -> Self {
        Self::File { file: path.display().to_string(), what: what.into() }
    }

    pub(super) fn features(err: FeatureError) -> Self {
        Self::Pipeline(err.into())
    }

    pub(super) fn cell(file: &str, line: u64, column: &str, value: &str, what: impl Into<String>) -> Self {
        let value = value.chars().take(80).collect();
        let (file, place) = (file.to_owned(), format!("line {line}"));
        Self::Cell { file, place, column: column.to_owned(), value, what: what.into() }
    }
}
