//! Parameters under the names that XGBoost and scikit-learn use.

use serde::{Deserialize, Serialize};

/// Which model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Boosted trees.
    #[default]
    GradientBoosting,
    /// Averaged trees on random rows and features.
    RandomForest,
    /// One readable tree.
    DecisionTree,
}

/// What `mlloop.toml` says under `[model]`; whatever is absent has a default that suits the table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Which model is fitted.
    pub algorithm: Algorithm,
    /// Number of trees (an upper bound when early stopping is on).
    pub n_estimators: Option<u32>,
    /// Greatest depth of a tree.
    pub max_depth: Option<u32>,
}
