//! What is to be predicted.

use serde::{Deserialize, Serialize};

/// The kind of prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of two classes.
    Binary,
    /// One of three or more classes.
    Multiclass,
    /// A number.
    Regression,
}

/// The target column: its task and its classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The column's name.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// The classes in score order: for binary `[negative, positive]`, for multi-class sorted, for regression empty.
    pub classes: Vec<String>,
}

impl Target {
    /// Scores per row: one for binary (the positive class) and regression, else one per class.
    #[must_use]
    pub fn n_scores(&self) -> usize {
        match self.task {
            Task::Binary | Task::Regression => 1,
            Task::Multiclass => self.classes.len(),
        }
    }
}
