//! Errors of feedback.

use crate::atomic::AtPath;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::workspace::WorkspaceError;
use std::path::PathBuf;

/// Errors of feedback.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// An invalid correction.
    #[error("{place}: {what}")]
    Correction {
        /// The place of the correction: a line of the input, or the row's id.
        place: String,
        /// The problem.
        what: String,
    },
    /// A file with invalid content.
    #[error("{}: {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem, with its line if there is one.
        what: String,
    },
    /// Corrections were recorded, but not the labels that follow from them.
    #[error("data/feedback.csv contains the {n} corrections; the next command finishes recording them: {source}")]
    Unfinished {
        /// How many.
        n: usize,
        /// The error.
        source: Box<FeedbackError>,
    },
    /// Corrections are in the store, but not yet in this loop.
    #[error("{store} contains the {n} corrections; the next command imports them: {source}")]
    Sent {
        /// How many.
        n: usize,
        /// The store's address.
        store: String,
        /// The error.
        source: Box<FeedbackError>,
    },
    /// A problem of the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem of the labels.
    #[error("{0}")]
    Label(#[from] LabelError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] AtPath),
}
