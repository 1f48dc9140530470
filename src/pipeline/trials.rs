//! The results of a model search, as stored in the manifest.

use serde::{Deserialize, Serialize};

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Search {
    /// The trials, in order.
    pub tried: Vec<Trial>,
    /// Number of available parameter sets.
    pub portfolio: usize,
    /// Loss of the chosen mean on rows that no part of it was trained on: mean log loss, or mean squared error of
    /// scaled targets (mean 0, deviation 1).
    pub loss: f64,
}

/// One set of parameters that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// Its loss on rows that it was not trained on.
    pub loss: f64,
    /// Number of boosting rounds with the lowest loss.
    pub rounds: usize,
    /// Its share in the model; 0 if it is not used.
    pub weight: f64,
}

impl Search {
    /// The trials, lowest loss first.
    #[must_use]
    pub fn best_first(&self) -> Vec<&Trial> {
        let mut order: Vec<&Trial> = self.tried.iter().collect();
        order.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        order
    }

    /// Number of models that are combined.
    #[must_use]
    pub fn n_members(&self) -> usize {
        self.tried.iter().filter(|trial| trial.weight > 0.0).count()
    }
}
