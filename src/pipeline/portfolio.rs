//! The sets of parameters that a search tries, in order.
//!
//! Each is the default for the table (`model/plan.rs`) with one change; the changes complement each other. Parameters
//! set in `[model]` of `mlloop.toml` apply to all of them. The first few make the default model of a small table.

use crate::features::Task;
use crate::model::{Algorithm, GrowPolicy, Params, Plan};

/// A set of parameters with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Candidate {
    pub(super) name: &'static str,
    pub(super) params: Params,
}

/// A change of the defaults.
type Idea = (&'static str, fn(&mut Plan));

const LINEAR: &str = "linear";
const PAIRS: &str = "pairs alone";
const LARGE_TREES: &str = "best leaf first, 24 leaves";
const SMALL_TREES: &str = "best leaf first, 8 leaves";
const FINE_CUTS: &str = "fine cuts";
const FEW_COLUMNS: &str = "depth-wise, few columns a split";

/// The names of the [`IDEAS`] that are tried right after the table's defaults, because they add most for their cost.
///
/// Finer cuts had a lower loss than the defaults on ten of eleven tables, and most of all on large ones: electricity .383
/// for .393, phone churn .152 for .157, adult .281 for .285. `plan` is the table's default: with depth-wise trees, a
/// regression has many rows.
fn first_ideas(task: Task, plan: &Plan) -> &'static [&'static str] {
    match (task, plan.grow_policy) {
        (Task::Multiclass, _) => &[SMALL_TREES],
        (Task::Binary, _) => &[FINE_CUTS, FEW_COLUMNS],
        (Task::Regression, GrowPolicy::Depthwise) => &[FINE_CUTS, LARGE_TREES],
        (Task::Regression, _) => &[PAIRS, LARGE_TREES],
    }
}

/// Number of candidates that are blended to the default model of a small table.
///
/// The linear model for all tasks: on 46 tables (67 splits) the mean scaled score rose by .05, and the sum of log losses fell
/// by 2.5 %. For regressions two more candidates: on seven of nine held-out fifths of tables of 392 to 1599 rows R² was
/// higher than with one model, on average by .12 of the distance from the worst to the best of seven learners. For
/// several classes one more: on tables of 1599 and 2532 rows, log loss was .960 and .995 times that of one model with
/// smaller steps. For two classes none: on two of five tables the result was worse, and a fit costs twice as much.
pub(super) fn n_first(task: Task) -> usize {
    match task {
        Task::Binary => 2,
        Task::Multiclass => 3,
        Task::Regression => 4,
    }
}

static IDEAS: [Idea; 11] = [
    (FINE_CUTS, |plan| {
        plan.max_bin = plan.max_bin.saturating_mul(4).min(2048);
        plan.subsample = 0.9;
    }),
    ("small steps", |plan| {
        plan.learning_rate *= 0.5;
        plan.n_estimators *= 2;
        (plan.subsample, plan.colsample_bytree) = (0.65, 0.65);
    }),
    ("deep and symmetric", |plan| {
        depth(plan, GrowPolicy::Symmetric, 7);
        (plan.reg_lambda, plan.colsample_bytree) = (8.0, 0.6);
    }),
    (FEW_COLUMNS, |plan| {
        depth(plan, GrowPolicy::Depthwise, 7);
        (plan.colsample_bytree, plan.colsample_bynode, plan.subsample) = (1.0, 0.4, 0.7);
        plan.min_child_weight *= 2.0;
    }),
    ("best leaf first, 48 leaves", |plan| {
        leaves(plan, 48);
        (plan.subsample, plan.colsample_bytree) = (0.75, 0.6);
        plan.min_child_weight *= 4.0;
    }),
    (SMALL_TREES, |plan| {
        leaves(plan, 8);
        (plan.colsample_bytree, plan.colsample_bynode) = (1.0, 0.5);
    }),
    (LARGE_TREES, |plan| {
        leaves(plan, 24);
        (plan.subsample, plan.colsample_bytree, plan.colsample_bynode) = (0.7, 1.0, 0.4);
    }),
    (PAIRS, |plan| {
        depth(plan, GrowPolicy::Depthwise, 2);
        plan.learning_rate *= 1.5;
        plan.n_estimators *= 3;
    }),
    ("large leaves", |plan| {
        depth(plan, GrowPolicy::Depthwise, 9);
        (plan.min_child_weight, plan.colsample_bynode) = (plan.min_child_weight * 12.0, 0.5);
    }),
    ("best leaf first, 128 leaves", |plan| {
        leaves(plan, 128);
        plan.learning_rate *= 0.6;
        plan.n_estimators = plan.n_estimators * 3 / 2;
        (plan.subsample, plan.colsample_bytree, plan.reg_lambda) = (0.8, 0.4, 5.0);
        plan.min_child_weight *= 8.0;
    }),
    ("each column by itself", |plan| {
        depth(plan, GrowPolicy::Depthwise, 1);
        plan.learning_rate *= 2.0;
        plan.n_estimators *= 3;
    }),
];

fn depth(plan: &mut Plan, grows: GrowPolicy, depth: u32) {
    (plan.grow_policy, plan.max_depth, plan.max_leaves) = (grows, Some(depth), None);
}

fn leaves(plan: &mut Plan, leaves: u32) {
    (plan.grow_policy, plan.max_depth, plan.max_leaves) = (GrowPolicy::Lossguide, None, Some(leaves));
}

/// All candidates, where `given` are the user's parameters and `plan` is the fit without a search, which comes
/// first. Combinations with `given` that are out of range, and duplicates, are skipped.
pub(super) fn candidates(given: &Params, plan: &Plan, task: Task) -> Vec<Candidate> {
    let mut all = vec![Candidate { name: "what suits the table", params: given.clone() }];
    let is_first = |(name, _): &&Idea| first_ideas(task, plan).contains(name);
    // The first ideas in the order of their own list.
    let first = first_ideas(task, plan).iter().filter_map(|first| IDEAS.iter().find(|(name, _)| name == first));
    let ideas = first.chain(IDEAS.iter().filter(|idea| !is_first(idea))).map(|(name, change)| {
        let mut plan = plan.clone();
        change(&mut plan);
        let params = Params { early_stopping_rounds: plan.early_stopping_rounds, ..plan.params(plan.n_estimators) };
        Candidate { name, params: given.or(params) }
    });
    let of_other = |algorithm| Params { algorithm, monotone: given.monotone.clone(), ..Params::default() };
    // With given parameters of trees, skip models without trees.
    if given.is_free() {
        all.push(Candidate { name: LINEAR, params: of_other(Algorithm::Linear) });
    }
    all.extend(ideas);
    // For classes a forest predicts shares, which cannot be averaged with log-odds.
    if task == Task::Regression {
        all.push(Candidate { name: "a forest", params: of_other(Algorithm::RandomForest) });
    }
    let mut kept: Vec<Candidate> = Vec::with_capacity(all.len());
    for candidate in all {
        let is_new = kept.iter().all(|before| before.params != candidate.params);
        if is_new && candidate.params.check(task).is_ok() {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shape;

    fn plan(given: &Params, task: Task, n_rows: usize) -> Plan {
        let shape = Shape { n_rows, n_features: 20, rarest: n_rows / 3, n_classes: 2, has_tune: true };
        given.check(task).unwrap().plan(shape)
    }

    #[test]
    fn every_idea_is_one_that_can_be_fitted_whatever_the_table() {
        for task in [Task::Binary, Task::Multiclass, Task::Regression] {
            for n_rows in [200, 5_000, 100_000, 2_000_000] {
                let given = Params::default();
                let plan = plan(&given, task, n_rows);
                let found = candidates(&given, &plan, task);
                assert_eq!(found.len(), 13 + usize::from(task == Task::Regression), "{task:?} {n_rows}");
                assert_eq!(found[0].params, given);
                let first = first_ideas(task, &plan);
                assert_eq!(found[1].name, LINEAR);
                let found: Vec<&str> = found[2..2 + first.len()].iter().map(|candidate| candidate.name).collect();
                assert_eq!(found, first, "{task:?} {n_rows}");
            }
        }
    }

    #[test]
    fn what_a_person_set_holds_in_every_candidate() {
        let given: Params = serde_json::from_str(
            r#"{"max_depth": 3, "learning_rate": 0.2, "max_features": "sqrt", "monotone": {"a": "increasing"}}"#,
        )
        .unwrap();
        let found = candidates(&given, &plan(&given, Task::Binary, 3_000), Task::Binary);
        assert!(found.len() > 4, "{found:?}");
        for Candidate { name, params } in &found {
            assert_eq!((params.max_depth, params.learning_rate), (Some(3), Some(0.2)), "{name}");
            assert_eq!((params.max_features, params.colsample_bynode), (given.max_features, None), "{name}");
            assert_eq!(params.monotone, given.monotone, "{name}");
        }
    }
}
