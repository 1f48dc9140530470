//! What can be wrong on the way of labels.

use crate::registry::RegistryError;
use crate::workspace::WorkspaceError;
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with labels.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A cell that cannot be taken in.
    #[error("{file}: line {line}, column {column:?}: {value:?} {what}")]
    Cell {
        /// The file, or `stdin`.
        file: String,
        /// 1-based line on which the record begins.
        line: u64,
        /// The column's name.
        column: String,
        /// The offending text, shortened.
        value: String,
        /// What is wrong with it, as a clause.
        what: String,
    },
    /// A file that cannot be taken in.
    #[error("{file}: {what}")]
    File {
        /// The file, or `stdin`.
        file: String,
        /// What is wrong with it, with its line when it has one.
        what: String,
    },
    /// A problem of the workspace.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LabelError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn cell(file: &str, line: u64, column: &str, value: &str, what: impl Into<String>) -> Self {
        let value = value.chars().take(80).collect();
        Self::Cell { file: file.to_owned(), line, column: column.to_owned(), value, what: what.into() }
    }
}
