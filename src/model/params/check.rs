//! Whether every parameter is in its range and applies to the algorithm.

use super::{Algorithm, Checked, GrowPolicy, MaxFeatures, Params};
use crate::features::Task;
use crate::model::error::ModelError;
use crate::model::limits::Limits;

const SHARE: &str = "above 0 and at most 1";
const FROM_ZERO: &str = "a finite number of at least 0";

impl Params {
    /// Checks every value, and that every parameter applies to the algorithm.
    ///
    /// # Errors
    ///
    /// The first parameter that is out of range or does not apply, with its name and permitted values.
    pub fn check(&self, task: Task) -> Result<Checked, ModelError> {
        self.check_counts()?;
        self.check_shares()?;
        self.check_penalties()?;
        self.check_names()?;
        self.check_growth()?;
        if task == Task::Multiclass && !self.monotone.is_empty() {
            return Err(ModelError::NotApplicable {
                key: "monotone",
                algorithm: "several classes",
                hint: "their probabilities sum to 1, so no class can be monotone by itself; remove [model.monotone]",
            });
        }
        Ok(Checked { params: self.clone(), task, seed: 0, limits: Limits::default() })
    }

    fn check_counts(&self) -> Result<(), ModelError> {
        count("n_estimators", self.n_estimators, |n| (1..=100_000).contains(&n), "1 to 100000")?;
        count("max_depth", self.max_depth, |n| n <= 64, "1 to 64, or 0 for no limit")?;
        count("max_leaves", self.max_leaves, |n| n != 1, "at least 2, or 0 for no limit")?;
        count("max_bin", self.max_bin, |n| (2..=65_535).contains(&n), "2 to 65535")?;
        count("min_samples_leaf", self.min_samples_leaf, |n| n >= 1, "at least 1")
    }

    fn check_shares(&self) -> Result<(), ModelError> {
        let share = |v: f64| v > 0.0 && v <= 1.0;
        number("learning_rate", self.learning_rate, share, SHARE)?;
        number("subsample", self.subsample, share, SHARE)?;
        number("colsample_bytree", self.colsample_bytree, share, SHARE)?;
        number("colsample_bynode", self.colsample_bynode, share, SHARE)?;
        let allowed = "\"sqrt\", \"log2\", \"all\", a count from 1, or a share above 0 and at most 1";
        match self.max_features {
            Some(MaxFeatures::Count(0)) => Err(parameter("max_features", 0, allowed)),
            Some(MaxFeatures::Share(v)) if !share(v) => Err(parameter("max_features", v, allowed)),
            _ => Ok(()),
        }
    }

    fn check_penalties(&self) -> Result<(), ModelError> {
        let from_zero = |v: f64| v >= 0.0 && v.is_finite();
        number("min_child_weight", self.min_child_weight, from_zero, FROM_ZERO)?;
        number("reg_lambda", self.reg_lambda, from_zero, FROM_ZERO)?;
        number("reg_alpha", self.reg_alpha, from_zero, FROM_ZERO)?;
        number("gamma", self.gamma, from_zero, FROM_ZERO)
    }

    /// Parameters that do not apply to the algorithm, and contradicting pairs.
    fn check_names(&self) -> Result<(), ModelError> {
        if self.algorithm == Algorithm::Linear {
            return self.check_linear();
        }
        let boosting = self.algorithm == Algorithm::GradientBoosting;
        let tree = self.algorithm == Algorithm::DecisionTree;
        let penalty = "its leaves are means, so penalties have no effect";
        let refused: [(&'static str, bool, &'static str); 13] = [
            ("learning_rate", !boosting && self.learning_rate.is_some(), "its trees are not boosted; leave it out"),
            (
                "early_stopping_rounds",
                !boosting && self.early_stopping_rounds.is_some(),
                "its trees are independent; leave it out",
            ),
            ("grow_policy", !boosting && self.grow_policy.is_some(), "use max_depth or max_leaves"),
            ("reg_lambda", !boosting && self.reg_lambda.is_some(), penalty),
            ("reg_alpha", !boosting && self.reg_alpha.is_some(), penalty),
            ("min_samples_leaf", boosting && self.min_samples_leaf.is_some(), "use min_child_weight"),
            ("n_estimators", tree && self.n_estimators.is_some(), "it is one tree; use random-forest for several"),
            ("subsample", tree && self.subsample.is_some(), "it always uses every row"),
            ("colsample_bytree", tree && self.colsample_bytree.is_some(), "it always uses every feature"),
            ("colsample_bynode", tree && self.colsample_bynode.is_some(), "it always uses every feature"),
            ("max_features", tree && self.max_features.is_some(), "it always uses every feature"),
            (
                "max_features",
                self.colsample_bynode.is_some() && self.max_features.is_some(),
                "colsample_bynode means the same; keep one of them",
            ),
            (
                "min_samples_leaf",
                self.min_child_weight.is_some() && self.min_samples_leaf.is_some(),
                "min_child_weight means the same; keep one of them",
            ),
        ];
        match refused.into_iter().find(|(_, refused, _)| *refused) {
            Some((key, _, hint)) => Err(ModelError::NotApplicable { key, algorithm: self.algorithm.name(), hint }),
            None => Ok(()),
        }
    }

    /// A linear model has a penalty alone.
    fn check_linear(&self) -> Result<(), ModelError> {
        let given = [
            ("n_estimators", self.n_estimators.is_some()),
            ("max_depth", self.max_depth.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
            ("subsample", self.subsample.is_some()),
            ("colsample_bytree", self.colsample_bytree.is_some()),
            ("colsample_bynode", self.colsample_bynode.is_some()),
            ("max_features", self.max_features.is_some()),
            ("min_child_weight", self.min_child_weight.is_some()),
            ("min_samples_leaf", self.min_samples_leaf.is_some()),
            ("max_leaves", self.max_leaves.is_some()),
            ("reg_alpha", self.reg_alpha.is_some()),
            ("gamma", self.gamma.is_some()),
            ("max_bin", self.max_bin.is_some()),
            ("grow_policy", self.grow_policy.is_some()),
            ("early_stopping_rounds", self.early_stopping_rounds.is_some()),
        ];
        let (algorithm, hint) = (self.algorithm.name(), "it grows no trees; reg_lambda is its only parameter");
        match given.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(ModelError::NotApplicable { key, algorithm, hint }),
            None => Ok(()),
        }
    }

    fn check_growth(&self) -> Result<(), ModelError> {
        let refuse = |key, hint| Err(ModelError::NotApplicable { key, algorithm: "grow_policy = \"symmetric\"", hint });
        match self.grow_policy {
            Some(GrowPolicy::Symmetric) if self.max_leaves.is_some_and(|n| n > 0) => {
                refuse("max_leaves", "a symmetric tree has 2^max_depth leaves")
            }
            Some(GrowPolicy::Symmetric) if self.max_depth.is_some_and(|d| d == 0 || d > 16) => {
                refuse("max_depth", "a symmetric tree has a depth of 1 to 16")
            }
            Some(GrowPolicy::Depthwise) if self.max_leaves.is_some_and(|n| n > 0) => Err(ModelError::NotApplicable {
                key: "max_leaves",
                algorithm: "grow_policy = \"depthwise\"",
                hint: "use grow_policy = \"lossguide\" or max_depth",
            }),
            _ => Ok(()),
        }
    }
}

fn parameter(key: &'static str, value: impl ToString, allowed: &'static str) -> ModelError {
    ModelError::Parameter { key, value: value.to_string(), allowed }
}

fn count(
    key: &'static str,
    value: Option<u32>,
    holds: impl Fn(u32) -> bool,
    allowed: &'static str,
) -> Result<(), ModelError> {
    value.filter(|&v| !holds(v)).map_or(Ok(()), |v| Err(parameter(key, v, allowed)))
}

fn number(
    key: &'static str,
    value: Option<f64>,
    holds: impl Fn(f64) -> bool,
    allowed: &'static str,
) -> Result<(), ModelError> {
    value.filter(|&v| !holds(v)).map_or(Ok(()), |v| Err(parameter(key, v, allowed)))
}
