//! All parameters of a fit: the given ones, and defaults that suit the table.

use crate::features::Task;
use crate::model::params::{Algorithm, Checked, FeatureRule, GrowPolicy, MaxFeatures, Params};
use serde::{Deserialize, Serialize};

/// The parameters a model was fitted with, none left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Which model is fitted.
    pub algorithm: Algorithm,
    /// Number of trees per output; an upper bound under early stopping.
    pub n_estimators: u32,
    /// Maximum depth, `None` for no limit.
    pub max_depth: Option<u32>,
    /// Maximum number of leaves, `None` for no limit.
    pub max_leaves: Option<u32>,
    /// In which order a tree grows.
    pub grow_policy: GrowPolicy,
    /// The learning rate: each tree is multiplied by it.
    pub learning_rate: f64,
    /// Share of the rows that a tree sees.
    pub subsample: f64,
    /// Share of the features that a tree may use.
    pub colsample_bytree: f64,
    /// Share of the features that a split may choose from.
    pub colsample_bynode: f64,
    /// Minimum sum of second derivatives in a leaf.
    pub min_child_weight: f64,
    /// L2 penalty on leaf values.
    pub reg_lambda: f64,
    /// L1 penalty on leaf values.
    pub reg_alpha: f64,
    /// Minimum gain of a split.
    pub gamma: f64,
    /// Maximum histogram bins per feature.
    pub max_bin: u32,
    /// Rounds without improvement on the tune part after which boosting stops.
    pub early_stopping_rounds: Option<u32>,
}

/// The properties of the table on which defaults depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Training rows.
    pub n_rows: usize,
    /// Features.
    pub n_features: usize,
    /// Training rows of the rarest class; all of them where numbers are predicted.
    pub rarest: usize,
    /// Number of classes; 0 where numbers are predicted.
    pub n_classes: usize,
    /// Whether there is a tune part to stop on.
    pub has_tune: bool,
}

impl Plan {
    /// Parameters that result in this plan on any table, with `rounds` and without early stopping; for boosting.
    #[must_use]
    pub fn params(&self, rounds: u32) -> Params {
        Params {
            algorithm: self.algorithm,
            n_estimators: Some(rounds),
            max_depth: Some(self.max_depth.unwrap_or(0)),
            learning_rate: Some(self.learning_rate),
            subsample: Some(self.subsample),
            colsample_bytree: Some(self.colsample_bytree),
            colsample_bynode: Some(self.colsample_bynode),
            max_features: None,
            min_child_weight: Some(self.min_child_weight),
            min_samples_leaf: None,
            max_leaves: self.max_leaves,
            reg_lambda: Some(self.reg_lambda),
            reg_alpha: Some(self.reg_alpha),
            gamma: Some(self.gamma),
            max_bin: Some(self.max_bin),
            grow_policy: Some(self.grow_policy),
            early_stopping_rounds: Some(0),
            ..Params::default()
        }
    }
}

impl Shape {
    /// Whether there are so many features that searching them costs more than processing the rows.
    fn is_wide(self) -> bool {
        const WIDE: usize = 200;
        self.n_features >= WIDE
    }

    /// A bin for 16 rows, 64 to 255: each level of a tree reads every bin of every feature, however few rows are in
    /// them. On 46 tables of up to 28 000 rows that took a tenth less CPU time than 255 bins, with the same mean score.
    ///
    /// Fewer for many features: 500 rows of 2000 features would have 510 000 bins for a million cells.
    fn bins(self) -> u32 {
        let (rows_per_bin, fewest) = if self.is_wide() { (8, 32) } else { (16, 64) };
        u32::try_from(self.n_rows / rows_per_bin).unwrap_or(u32::MAX).clamp(fewest, 255)
    }

    /// The minimum of a leaf: a sum of second derivatives of the rows' log loss, p (1 − p) at a class share p.
    ///
    /// With one fraud in a hundred rows a sum of 1 means a hundred rows, and no leaf can hold about twenty frauds: for
    /// two classes it is in proportion to 4 p (1 − p), four rows at any share. Of several classes each has its own
    /// trees and one limit for all. With a limit for the rarest class, leaves of all others hold less than a row; best
    /// is .3, or less if so many classes share the rows that each is rare. Out of sample, log loss and mean average
    /// precision of the classes by the rarest, with .3 and with 1 (rows of the rarest class of all): digits (10 of 818)
    /// .301 .981, .274 .982, .268 .982; white wine (3 of 2449) .976 .368, .971 .371, .971 .370; red wine (5 of 799)
    /// .946 .366, .936 .374, .939 .376; five synthetic classes (15 of 3000) 1.092 .481, 1.092 .481, 1.091 .478.
    fn least_in_leaf(self, task: Task) -> f64 {
        let of_share = |p: f64| 4.0 * p * (1.0 - p);
        match task {
            Task::Binary if self.n_rows > 0 => of_share(self.rarest as f64 / self.n_rows as f64).clamp(1e-3, 1.0),
            Task::Multiclass if self.n_classes > 0 => of_share(1.0 / self.n_classes as f64).min(0.3),
            _ => 1.0,
        }
    }
}

impl Checked {
    /// Fills in defaults.
    #[must_use]
    pub fn plan(&self, shape: Shape) -> Plan {
        let mut plan = match self.algorithm() {
            Algorithm::GradientBoosting => boosting(self.task(), shape),
            Algorithm::RandomForest => forest(self.task(), shape),
            Algorithm::DecisionTree => single_tree(shape),
            Algorithm::Linear => without_trees(shape),
        };
        self.overwrite(&mut plan, shape);
        plan
    }

    /// Overrides the defaults by given parameters.
    fn overwrite(&self, plan: &mut Plan, shape: Shape) {
        let given = self.params();
        set(&mut plan.n_estimators, given.n_estimators);
        set(&mut plan.learning_rate, given.learning_rate);
        set(&mut plan.subsample, given.subsample);
        set(&mut plan.colsample_bytree, given.colsample_bytree);
        set(&mut plan.colsample_bynode, given.colsample_bynode);
        set(&mut plan.colsample_bynode, given.max_features.map(|m| m.share(shape.n_features)));
        set(&mut plan.min_child_weight, given.min_child_weight);
        set(&mut plan.min_child_weight, given.min_samples_leaf.map(f64::from));
        set(&mut plan.reg_lambda, given.reg_lambda);
        set(&mut plan.reg_alpha, given.reg_alpha);
        set(&mut plan.gamma, given.gamma);
        set(&mut plan.max_bin, given.max_bin);
        if let Some(rounds) = given.early_stopping_rounds {
            plan.early_stopping_rounds = (rounds > 0 && shape.has_tune).then_some(rounds);
        }
        // A given depth or growth order replaces the default limit on leaves.
        let other_growth = given.grow_policy.is_some_and(|policy| policy != GrowPolicy::Lossguide);
        if given.max_leaves.is_none() && (given.max_depth.is_some() || other_growth) {
            plan.max_leaves = None;
        }
        if let Some(depth) = given.max_depth {
            plan.max_depth = (depth > 0).then_some(depth);
        } else if other_growth && plan.max_leaves.is_none() {
            plan.max_depth = plan.max_depth.or(Some(6));
        }
        if let Some(leaves) = given.max_leaves {
            plan.max_leaves = (leaves > 0).then_some(leaves);
        }
        // A limit on leaves grows best-first; a depth that a symmetric tree cannot have grows by level.
        plan.grow_policy = match given.grow_policy {
            Some(policy) => policy,
            None if plan.max_leaves.is_some() => GrowPolicy::Lossguide,
            None if plan.max_depth.is_none_or(|d| d > 16) => GrowPolicy::Depthwise,
            None => plan.grow_policy,
        };
        if plan.grow_policy == GrowPolicy::Lossguide && given.max_leaves.is_some() && given.max_depth.is_none() {
            plan.max_depth = None;
        }
        if plan.grow_policy == GrowPolicy::Symmetric && plan.max_depth.is_none() {
            plan.max_depth = Some(6);
        }
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Small steps and small trees for few rows; larger ones for many rows.
///
/// Chosen by 5-fold cross-validation on tables of 768 to 48 842 rows (churn, credit default, bank marketing,
/// census income, electricity price, bike rental, wine quality, diabetes, customer plans). How trees grow is measured in
/// [`growth`].
fn boosting(task: Task, shape: Shape) -> Plan {
    // The last column is the number of rounds without early stopping.
    let (max_depth, learning_rate, most, fixed) = match (shape.n_rows, task) {
        (0..2_000, Task::Multiclass) => (7, 0.03, 700, 150),
        (0..2_000, _) => (4, 0.03, 700, 120),
        (2_000..MOST_SYMMETRIC, Task::Regression) => (6, 0.09, 1000, 350),
        (MOST_SYMMETRIC..20_000, Task::Regression) => (6, 0.06, 1000, 500),
        (2_000..20_000, _) => (5, 0.04, 1000, 150),
        (20_000..200_000, _) => (7, 0.08, 1000, 250),
        (200_000..500_000, _) => (8, 0.1, 500, 250),
        _ => (8, 0.2, 180, 180),
    };
    let mut plan = Plan {
        algorithm: Algorithm::GradientBoosting,
        n_estimators: if shape.has_tune { most } else { fixed },
        max_depth: Some(max_depth),
        max_leaves: None,
        grow_policy: growth(task, shape),
        learning_rate,
        subsample: 0.8,
        colsample_bytree: 0.8,
        colsample_bynode: 1.0,
        min_child_weight: shape.least_in_leaf(task),
        reg_lambda: 3.0,
        reg_alpha: 0.0,
        gamma: 0.0,
        // For many rows, finer cuts cost an eighth more without any gain: ROC-AUC .8733 with 127 bins and .8731 with
        // 255 on a million rows, .8779 and .8762 on 284 807.
        max_bin: if shape.n_rows < 200_000 { shape.bins() } else { 127 },
        early_stopping_rounds: shape.has_tune.then_some(if shape.n_rows < 200_000 { 30 } else { 20 }),
    };
    match (shape.n_rows, task) {
        (FEWEST_OF_SEVERAL..20_000, Task::Multiclass) => of_several_classes(&mut plan, shape),
        // Several classes share few rows: deep trees, made different by the features that each split may choose from.
        (..FEWEST_OF_SEVERAL, Task::Multiclass) => (plan.colsample_bytree, plan.colsample_bynode) = (1.0, 0.5),
        _ => {}
    }
    if shape.is_wide() {
        // With many features each tree uses a sample of them: a round costs less, and trees differ. Fewer, larger steps
        // compensate for it.
        plan.colsample_bytree = 0.3;
        plan.learning_rate = plan.learning_rate.max(0.06);
    }
    plan
}

/// Below this many rows, regressions use symmetric trees, with larger steps: small symmetric trees need more steps than
/// depth-wise ones.
const MOST_SYMMETRIC: usize = 10_000;

/// Symmetric trees for few rows, because they vary less; depth-wise trees for many rows, because they need two thirds
/// of the CPU time.
///
/// Held-out fifths, one boosting without a linear model, two to eight draws of each table. R² of symmetric and of depth-wise
/// trees, up to 8000 training rows: sacramento .675 .666, concrete .937 .934, ames .926 .918, wage .361 .355, canadian wages
/// .358 .350, chicago riders .952 .944, loan rates .473 .464, deliveries .921 .915; from 12 000 rows on: doctor visits .193
/// .225, hotel rates .951 .954, diamonds .980 .981. ROC-AUC, 24 000 rows and more: credit default .784 .784, electricity .890
/// .899, census income .929 .930, bank marketing .940 .939.
fn growth(task: Task, shape: Shape) -> GrowPolicy {
    match (shape.n_rows, task) {
        (MOST_SYMMETRIC.., Task::Regression) | (20_000..200_000, Task::Binary) => GrowPolicy::Depthwise,
        _ => GrowPolicy::Symmetric,
    }
}

/// From this many rows on, several classes have large trees. Below, results are equal or worse: log loss 1.280 instead
/// of 1.265 on 640 rows of plans, .162 instead of .113 on 114 of wine, .325 instead of .258 on 96 of iris.
pub(crate) const FEWEST_OF_SEVERAL: usize = 800;

/// Large trees, best leaf first, with few features per split and large steps: each class has trees of its own, so fewer
/// rounds save time.
///
/// Accuracy, log loss and CPU seconds on held-out fifths, against symmetric trees of depth 5 or 7 at a rate of .03 or .04: red
/// wine .702 .823 2.5 s (.655 .862 6.7 s), white wine with 32 leaves .625 .956 5.2 s (.602 .977 19.9 s), computing jobs with
/// 32 leaves .836 .429 8.3 s (.836 .457 14.4 s). Small trees suit classes that are hard to separate: small tables
/// therefore try both.
fn of_several_classes(plan: &mut Plan, shape: Shape) {
    (plan.grow_policy, plan.max_depth, plan.max_leaves) = (GrowPolicy::Lossguide, None, Some(64));
    (plan.learning_rate, plan.min_child_weight) = (0.1, 0.1);
    plan.n_estimators = if shape.has_tune { 500 } else { 60 };
    // With many features each tree uses a sample of them, which costs less than a sample at each split: 64 pixels of
    // digits took 17 s instead of 29 s, with a log loss of .068 instead of .074.
    let (of_tree, of_split) = if shape.n_features >= 30 { (0.3, 1.0) } else { (1.0, 0.3) };
    (plan.subsample, plan.colsample_bytree, plan.colsample_bynode) = (0.7, of_tree, of_split);
    // The cost of searching a split is proportional to the number of bins.
    plan.max_bin = plan.max_bin.min(64);
}

/// Chosen as above; on the same tables ROC-AUC is that of scikit-learn's forest of equal size and depth, or better.
fn forest(task: Task, shape: Shape) -> Plan {
    /// A class with less than one in this many rows is rare.
    const RARE: usize = 20;
    let rule = match task {
        Task::Regression => MaxFeatures::Share(0.7),
        Task::Binary | Task::Multiclass => MaxFeatures::Rule(FeatureRule::Sqrt),
    };
    Plan {
        algorithm: Algorithm::RandomForest,
        n_estimators: 200,
        max_depth: Some(14),
        max_leaves: None,
        grow_policy: GrowPolicy::Depthwise,
        learning_rate: 1.0,
        // A bootstrap sample holds 1 − 1/e of the rows.
        subsample: 0.632,
        colsample_bytree: 1.0,
        colsample_bynode: rule.share(shape.n_features),
        // Small leaves fit single rows of a rare class. Means over tables of 2000 to 10 000 rows with 10 to 100
        // positives (churn, bank marketing, electricity, census income, credit default, two synthetic ones), ROC-AUC
        // and average precision out of sample, by leaves of 4, 8, 16 and 32 rows: .816 .508, .826 .522, .834 .515, .840
        // .502.
        min_child_weight: if task == Task::Binary && shape.rarest * RARE < shape.n_rows { 8.0 } else { 4.0 },
        reg_lambda: 0.0,
        reg_alpha: 0.0,
        gamma: 0.0,
        // Random trees do not need finer cuts, and smaller histograms fit the fastest cache.
        max_bin: if shape.n_rows < 50_000 { 255 } else { 64 },
        early_stopping_rounds: None,
    }
}

/// There are no growth parameters; the fit chooses the penalty.
fn without_trees(shape: Shape) -> Plan {
    Plan {
        algorithm: Algorithm::Linear,
        n_estimators: 1,
        max_depth: None,
        subsample: 1.0,
        colsample_bynode: 1.0,
        min_child_weight: 0.0,
        // The steps of a line.
        max_bin: 64,
        ..forest(Task::Regression, shape)
    }
}

fn single_tree(shape: Shape) -> Plan {
    // At most a quarter of the rarest class, which would otherwise have no leaf.
    let of_rarest = (shape.rarest as f64 / 4.0).floor().max(2.0);
    Plan {
        algorithm: Algorithm::DecisionTree,
        n_estimators: 1,
        max_depth: Some(5),
        subsample: 1.0,
        colsample_bynode: 1.0,
        // A leaf that favours a class should hold more than a few rows.
        max_bin: 255,
        min_child_weight: (shape.n_rows as f64 / 200.0).clamp(5.0, 100.0).round().min(of_rarest),
        ..forest(Task::Binary, shape)
    }
}

#[cfg(test)]
mod tests;
