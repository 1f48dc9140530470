//! Parameters under the names that XGBoost and scikit-learn use.

mod check;

use crate::features::Task;
use crate::model::limits::{Direction, Interactions, Limits};
use crate::stats::portable::Portable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Boosted trees.
    #[default]
    GradientBoosting,
    /// Averaged trees on random rows and features.
    RandomForest,
    /// One readable tree.
    DecisionTree,
    /// A weight for each feature: ridge regression, or logistic regression with the same penalty.
    Linear,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GradientBoosting, Self::RandomForest, Self::DecisionTree, Self::Linear];

    /// The name in `mlloop.toml` and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GradientBoosting => "gradient-boosting",
            Self::RandomForest => "random-forest",
            Self::DecisionTree => "decision-tree",
            Self::Linear => "linear",
        }
    }
}

/// In which order a tree grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GrowPolicy {
    /// Level by level (XGBoost's default).
    Depthwise,
    /// The leaf with the greatest gain first (LightGBM's way).
    Lossguide,
    /// One split per level, shared by all nodes of the level (CatBoost's way).
    Symmetric,
}

/// How many features a split may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a number of features, a share of them such as 0.5, or \"sqrt\", \"log2\" or \"all\"")]
pub enum MaxFeatures {
    /// That many features.
    Count(u32),
    /// That share of the features, in `(0, 1]`.
    Share(f64),
    /// By a rule.
    Rule(FeatureRule),
}

/// A rule for the number of features a split may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FeatureRule {
    /// The square root of their number.
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// All of them.
    All,
}

impl MaxFeatures {
    /// The share of `n_features` that this means: at least one feature, at most all.
    #[must_use]
    pub fn share(self, n_features: usize) -> f64 {
        let n = n_features.max(1) as f64;
        let count = match self {
            Self::Count(count) => f64::from(count),
            Self::Share(share) => (share * n).floor(),
            Self::Rule(FeatureRule::Sqrt) => n.sqrt().floor(),
            Self::Rule(FeatureRule::Log2) => n.log2_portable().floor(),
            Self::Rule(FeatureRule::All) => n,
        };
        let count = count.clamp(1.0, n);
        // The engine truncates share × n in f32: half a feature more keeps `count` from becoming `count − 1`.
        if count < n { ((count + 0.5) / n).min(1.0) } else { 1.0 }
    }
}

/// The section `[model]` of `mlloop.toml`; absent keys have a default that suits the table.
///
/// ```
/// use mlloop::features::Task;
/// use mlloop::model::{Algorithm, Params};
///
/// let params: Params = serde_json::from_str(r#"{"algorithm": "random-forest", "n_estimators": 400, "max_depth": 10}"#)?;
/// assert_eq!(params.check(Task::Binary)?.algorithm(), Algorithm::RandomForest);
///
/// let params = Params { learning_rate: Some(0.1), ..params };
/// let error = params.check(Task::Binary).unwrap_err().to_string();
/// assert!(error.starts_with("parameter \"learning_rate\" does not apply to random-forest"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Which model is fitted.
    pub algorithm: Algorithm,
    /// Number of trees (an upper bound when early stopping is on); 1 to 100 000.
    #[serde(alias = "num_boost_round", alias = "num_iterations", skip_serializing_if = "Option::is_none")]
    pub n_estimators: Option<u32>,
    /// Maximum depth of a tree, 1 to 64; 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// The learning rate: each boosted tree is multiplied by it, in `(0, 1]`.
    #[serde(alias = "eta", skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Share of the rows that a tree sees (drawn without replacement), in `(0, 1]`.
    #[serde(alias = "bagging_fraction", skip_serializing_if = "Option::is_none")]
    pub subsample: Option<f64>,
    /// Share of the features that a tree may use, in `(0, 1]`.
    #[serde(alias = "feature_fraction", skip_serializing_if = "Option::is_none")]
    pub colsample_bytree: Option<f64>,
    /// Share of the features that a split may choose from, in `(0, 1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colsample_bynode: Option<f64>,
    /// Features that a split may choose from: `"sqrt"`, `"log2"`, `"all"`, a count, or a share such as `0.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,
    /// Minimum sum of second derivatives (boosting) or row weights (forest, tree) in a leaf.
    #[serde(alias = "min_sum_hessian_in_leaf", skip_serializing_if = "Option::is_none")]
    pub min_child_weight: Option<f64>,
    /// Minimum rows in a leaf of a forest or tree (their weights, if rows are weighted).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_samples_leaf: Option<u32>,
    /// Maximum leaves of a tree, from 2; 0 is no limit.
    #[serde(alias = "num_leaves", alias = "max_leaf_nodes", skip_serializing_if = "Option::is_none")]
    pub max_leaves: Option<u32>,
    /// L2 penalty on leaf values, or on the weights of a linear model; from 0.
    #[serde(alias = "lambda", alias = "lambda_l2", skip_serializing_if = "Option::is_none")]
    pub reg_lambda: Option<f64>,
    /// L1 penalty on leaf values, from 0.
    #[serde(alias = "alpha", alias = "lambda_l1", skip_serializing_if = "Option::is_none")]
    pub reg_alpha: Option<f64>,
    /// Minimum gain of a split, from 0.
    #[serde(alias = "min_split_gain", alias = "min_split_loss", skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Maximum histogram bins per feature, 2 to 65 535.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bin: Option<u32>,
    /// In which order a boosted tree grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grow_policy: Option<GrowPolicy>,
    /// Stop if the tune part has not improved for this many rounds; 0 switches it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping_rounds: Option<u32>,
    /// Columns with which the prediction may only rise or only fall.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub monotone: BTreeMap<String, Direction>,
    /// Which columns may interact; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactions: Option<Interactions>,
}

impl Params {
    /// Whether the user set nothing about the growth of boosted trees; only columns may be restricted.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let (monotone, interactions) = (self.monotone.clone(), self.interactions.clone());
        *self == Self { monotone, interactions, ..Self::default() }
    }

    /// These parameters, and `others` for those not given.
    #[must_use]
    pub fn or(&self, others: Self) -> Self {
        let (given, by_rule) = (self.clone(), self.max_features.is_some() || self.colsample_bynode.is_some());
        let by_rows = self.min_child_weight.is_some() || self.min_samples_leaf.is_some();
        Self {
            algorithm: others.algorithm,
            n_estimators: given.n_estimators.or(others.n_estimators),
            max_depth: given.max_depth.or(others.max_depth),
            learning_rate: given.learning_rate.or(others.learning_rate),
            subsample: given.subsample.or(others.subsample),
            colsample_bytree: given.colsample_bytree.or(others.colsample_bytree),
            colsample_bynode: given.colsample_bynode.or(others.colsample_bynode.filter(|_| !by_rule)),
            max_features: given.max_features.or(others.max_features.filter(|_| !by_rule)),
            min_child_weight: given.min_child_weight.or(others.min_child_weight.filter(|_| !by_rows)),
            min_samples_leaf: given.min_samples_leaf.or(others.min_samples_leaf.filter(|_| !by_rows)),
            max_leaves: given.max_leaves.or(others.max_leaves),
            reg_lambda: given.reg_lambda.or(others.reg_lambda),
            reg_alpha: given.reg_alpha.or(others.reg_alpha),
            gamma: given.gamma.or(others.gamma),
            max_bin: given.max_bin.or(others.max_bin),
            grow_policy: given.grow_policy.or(others.grow_policy),
            early_stopping_rounds: given.early_stopping_rounds.or(others.early_stopping_rounds),
            monotone: given.monotone,
            interactions: given.interactions,
        }
    }
}

/// Parameters that passed [`Params::check`]; only these can fit a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    params: Params,
    task: Task,
    seed: u64,
    limits: Limits,
}

impl Checked {
    /// The same parameters with another seed (0 by default).
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same parameters with `limits` on the trees (none by default).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The limits on trees.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Which model is fitted.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.params.algorithm
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> Task {
        self.task
    }

    /// The seed of all randomness.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The given parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }
}

#[cfg(test)]
mod tests;
