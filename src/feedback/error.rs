//! Errors of feedback.

use crate::atomic::AtPath;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::workspace::WorkspaceError;
use std::path::PathBuf;

/// What can go wrong with feedback.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// A correction that cannot be taken in.
    #[error("{place}: {what}")]
    Correction {
        /// Where it stands: a line of the input, or the row's id.
        place: String,
        /// The problem.
        what: String,
    },
    /// A file that cannot be read as what it should be.
    #[error("{}: {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with its line when it has one.
        what: String,
    },
    /// Corrections are kept, and what follows from them is not done.
    #[error("data/feedback.csv contains the {n} corrections; the next command finishes recording them: {source}")]
    Unfinished {
        /// How many.
        n: usize,
        /// What went wrong then.
        source: Box<FeedbackError>,
    },
    /// Corrections are in the store, and not yet here.
    #[error("{store} contains the {n} corrections; the next command imports them: {source}")]
    Sent {
        /// How many.
        n: usize,
        /// The store's address.
        store: String,
        /// What went wrong then.
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
    /// The system refused.
    #[error("{0}")]
    Io(#[from] AtPath),
}
