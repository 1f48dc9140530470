//! Errors of a retraining.

use crate::atomic::AtPath;
use crate::gate::GateError;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::reference::ReferenceError;
use crate::registry::RegistryError;
use crate::table::TableError;
use crate::train::TrainError;
use crate::workspace::WorkspaceError;

/// Errors of a retraining.
#[derive(Debug, thiserror::Error)]
pub enum RetrainError {
    /// A version cannot be loaded, or training is not possible.
    #[error("{0}")]
    Learn(#[from] TrainError),
    /// A problem with the labels.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// A problem with the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem with the reference.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A problem with the files of `monitor`.
    #[error("{0}")]
    Monitor(#[from] crate::monitor::MonitorError),
    /// A problem with a request for approval.
    #[error("{0}")]
    Approval(#[from] GateError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// Options that are invalid, or do not fit the loop.
    #[error("{0}")]
    Usage(String),
    /// A system error.
    #[error("{0}")]
    Io(#[from] AtPath),
}
