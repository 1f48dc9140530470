//! Errors of a training.

use crate::atomic::AtPath;
use crate::drift::estimate::EstimateError;
use crate::past::PastError;
use crate::pipeline::PipelineError;
use crate::profile::ProfileError;
use crate::registry::RegistryError;
use crate::table::TableError;
use crate::workspace::WorkspaceError;

/// Errors of a training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A table, feature, model or metric problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The error profile cannot be computed.
    #[error("{0}")]
    Losses(#[from] EstimateError),
    /// The history rows for windows are not available.
    #[error("{0}")]
    Past(#[from] PastError),
    /// A problem with the profile of the training rows.
    #[error("{0}")]
    Profile(#[from] ProfileError),
    /// The program of `[trainer] command` produced no model.
    #[error("[trainer] command {what}")]
    Trainer {
        /// How it ended, and its last message.
        what: String,
    },
    /// The report's picture could not be drawn.
    #[error("{0}")]
    Picture(String),
    /// A file could not be read.
    #[error("{0}")]
    Io(#[from] AtPath),
}

impl From<TableError> for TrainError {
    fn from(err: TableError) -> Self {
        Self::Pipeline(err.into())
    }
}
