//! The results of a model search, as stored in the manifest.

use serde::{Deserialize, Serialize};

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Search {
    /// What was tried, in order.
    pub tried: Vec<Trial>,
    /// How many sets of parameters there were to try.
    pub portfolio: usize,
    /// Loss of the chosen mean on rows that no part of it saw: mean log loss, or mean squared error of targets as they are
    /// learned (mean 0, deviation 1).
    pub loss: f64,
}

/// One set of parameters that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trial {
    /// What is special about it.
    pub name: String,
    /// Its loss on rows that it did not see.
    pub loss: f64,
    /// Rounds of boosting at which that was lowest.
    pub rounds: usize,
    /// Its share in the model; 0 when it has no part.
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

    /// How many models are one.
    #[must_use]
    pub fn n_members(&self) -> usize {
        self.tried.iter().filter(|trial| trial.weight > 0.0).count()
    }
}
