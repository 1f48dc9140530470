//! Errors of the gate.

use crate::atomic::AtPath;
use crate::labels::LabelError;
use crate::pipeline::PipelineError;
use crate::reference::ReferenceError;
use crate::registry::{RegistryError, Version};
use crate::score::ScoreError;
use crate::table::TableError;
use crate::workspace::WorkspaceError;
use std::path::PathBuf;

/// The open requests, and the one that was probably meant.
fn waiting(id: &str, pending: &[String]) -> String {
    let near = crate::wording::nearest(id, pending.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!(": did you mean {near:?}?"));
    let all =
        if pending.is_empty() { "none".to_owned() } else { crate::wording::list(pending.iter().map(String::as_str)) };
    format!("{near}{} pending: {all}", if near.is_empty() { ";" } else { "" })
}

/// Errors of the gate, of approvals and of rollbacks.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A table, feature or model problem.
    #[error("{0}")]
    Pipeline(#[from] PipelineError),
    /// A problem with the reference, or with what a version adds to it.
    #[error("{0}")]
    Reference(#[from] ReferenceError),
    /// The history rows for windows are not available.
    #[error("{0}")]
    Past(#[from] crate::past::PastError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// A problem of the labels.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// A metric that cannot be computed.
    #[error("{0}")]
    Score(#[from] ScoreError),
    /// Two versions that cannot be compared.
    #[error("{production} and {challenger} cannot be compared: {what}")]
    Apart {
        /// The version in production.
        production: Version,
        /// The other.
        challenger: Version,
        /// Why.
        what: String,
    },
    /// There is no such request.
    #[error("{}: no request {id:?}{}", .dir.display(), waiting(.id, .pending))]
    NoRequest {
        /// The requested id.
        id: String,
        /// The directory of requests.
        dir: PathBuf,
        /// The open requests.
        pending: Vec<String>,
    },
    /// A request that cannot be decided in this way any more.
    #[error("request {id}: {what}")]
    Request {
        /// The request.
        id: String,
        /// Why not.
        what: String,
    },
    /// A version that production cannot go back to.
    #[error("{0}")]
    NoWayBack(String),
    /// Options that cannot be combined, or that are incomplete.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be parsed.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        what: String,
    },
    /// The system refused.
    #[error("{0}")]
    Io(#[from] AtPath),
}

impl From<TableError> for GateError {
    fn from(err: TableError) -> Self {
        Self::Pipeline(err.into())
    }
}
