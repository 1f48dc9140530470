//! The history of one row: its predictions, feedback, labels, and the versions that were trained on them.

use crate::feedback::{self, FeedbackError};
use crate::journal::{Journal, JournalError, Layout, Window};
use crate::labels::{Label, LabelError, Labels, Used};
use crate::registry::Version;
use crate::workspace::Workspace;
use jiff::Timestamp;
use serde::Serialize;

/// Errors of tracing a row.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// The prediction log cannot be read.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The feedback cannot be read.
    #[error("{0}")]
    Feedback(#[from] FeedbackError),
    /// The labels cannot be read.
    #[error("{0}")]
    Label(#[from] LabelError),
}

/// All records of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lineage {
    /// The row.
    pub id: String,
    /// Its predictions, in the order of the log.
    pub predictions: Vec<Predicted>,
    /// Feedback on its predictions.
    pub feedback: Vec<feedback::Entry>,
    /// Its labels.
    pub labels: Vec<Labelled>,
}

/// A logged prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Predicted {
    /// The time of the prediction.
    pub time: Option<Timestamp>,
    /// The version.
    pub version: Version,
    /// The arm; empty outside experiments.
    pub arm: String,
    /// The score; `None` for a number.
    pub score: Option<f64>,
    /// The class or number.
    pub prediction: String,
}

/// A label and the versions trained on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Labelled {
    /// The label.
    #[serde(flatten)]
    pub label: Label,
    /// The versions trained on the label in its present form.
    pub used_in: Vec<Version>,
}

impl Lineage {
    /// Whether nothing is recorded about the row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.predictions.is_empty() && self.feedback.is_empty() && self.labels.is_empty()
    }
}

/// Follows the row `id` through the loop.
///
/// # Errors
/// If the log or the labels cannot be read.
pub fn follow(workspace: &Workspace, id: &str) -> Result<Lineage, LineageError> {
    let mut predictions = Vec::new();
    Journal::of(workspace).scan(&Window::default(), &Layout::default(), false, |rows| {
        for row in (0..rows.len()).filter(|&row| rows.id.get(row) == id) {
            predictions.push(Predicted {
                time: Timestamp::from_microsecond(rows.time[row]).ok(),
                version: rows.version[row],
                arm: rows.arm.get(row).to_owned(),
                score: Some(rows.score[row]).filter(|score| !score.is_nan()),
                prediction: rows.prediction.get(row).to_owned(),
            });
        }
        Ok::<(), LineageError>(())
    })?;
    let mut said = feedback::entries(workspace)?;
    said.retain(|entry| entry.id == id);
    let used = Used::open(workspace)?;
    let labels = Labels::open(workspace)?;
    let own = labels.rows().iter().filter(|label| label.id == id);
    let labels = own.map(|label| Labelled { label: label.clone(), used_in: used.versions(label).to_vec() }).collect();
    Ok(Lineage { id: id.to_owned(), predictions, feedback: said, labels })
}
