//! Experiments: who is shown what, in which steps, and whether one arm is better.
//!
//! ```text
//! ab.json ─ Experiment ─ Assigner ─▶ arm of a unit: a pure hash, the same on every replica
//! ```

pub mod assign;
pub mod experiment;
pub mod period;

pub use assign::Assigner;
pub use experiment::{Arm, Epoch, Experiment};

use crate::registry::RegistryError;
use crate::workspace::WorkspaceError;
use std::path::PathBuf;

/// What can go wrong with an experiment.
#[derive(Debug, thiserror::Error)]
pub enum AbError {
    /// `ab.json` cannot be understood.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A problem of the workspace.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
