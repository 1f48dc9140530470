//! What can go wrong on the way to a challenger.

use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::reference::ReferenceError;
use crate::registry::RegistryError;
use crate::table::TableError;
use crate::train::TrainError;
use crate::workspace::WorkspaceError;

/// What can go wrong on the way to a challenger.
#[derive(Debug, thiserror::Error)]
pub enum RetrainError {
    /// A version cannot be loaded, or nothing can be learned.
    #[error(transparent)]
    Learn(#[from] TrainError),
    /// A problem with the labels.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A problem with the prediction log.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A problem with the reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A table problem.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A problem of the workspace.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Options that mean nothing, or do not fit the loop.
    #[error("{0}")]
    Usage(String),
}
