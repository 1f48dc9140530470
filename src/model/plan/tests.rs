use super::*;

fn plan(json: &str, n_rows: usize) -> Plan {
    let params: Params = serde_json::from_str(json).unwrap();
    params.check(Task::Binary).unwrap().plan(Shape {
        n_rows,
        n_features: 30,
        rarest: n_rows / 2,
        n_classes: 2,
        has_tune: true,
    })
}

#[test]
fn what_is_given_is_what_is_used() {
    let plan = plan(r#"{"algorithm": "random-forest", "n_estimators": 400, "max_depth": 10}"#, 1000);
    assert_eq!((plan.n_estimators, plan.max_depth, plan.learning_rate, plan.reg_lambda), (400, Some(10), 1.0, 0.0));
    // The square root of 30 features, with half a feature against rounding.
    assert!((plan.colsample_bynode - 5.5 / 30.0).abs() < 1e-12);
}

#[test]
fn leaves_hold_as_many_rows_whatever_the_share_of_a_class() {
    let checked = Params::default().check(Task::Binary).unwrap();
    let weight = |rarest| {
        checked.plan(Shape { n_rows: 2000, n_features: 3, rarest, n_classes: 2, has_tune: true }).min_child_weight
    };
    assert_eq!(weight(1000), 1.0);
    // A row's second derivative is p (1 − p), .0099 at 1 %: four rows at any share.
    assert!((weight(20) / 0.0099 - 4.0).abs() < 1e-9, "{}", weight(20));
    assert_eq!(plan(r#"{"min_child_weight": 2.5}"#, 1000).min_child_weight, 2.5);
}

#[test]
fn a_rare_class_among_several_leaves_the_leaves_of_the_others_alone() {
    let checked = Params::default().check(Task::Multiclass).unwrap();
    let weight = |n_rows, n_classes, rarest| {
        checked.plan(Shape { n_rows, n_features: 3, rarest, n_classes, has_tune: true }).min_child_weight
    };
    assert_eq!([weight(3000, 5, 600), weight(3000, 5, 3), weight(1000, 5, 3), weight(3000, 26, 3)], [0.1; 4]);
    assert_eq!([weight(30_000, 5, 6000), weight(30_000, 5, 3), weight(700, 5, 3)], [0.3; 3]);
    // Each of 26 letters is rare.
    assert!((weight(30_000, 26, 3) - 4.0 / 26.0 * 25.0 / 26.0).abs() < 1e-12);
}

#[test]
fn leaves_of_a_forest_are_larger_where_a_class_is_rare() {
    let params = Params { algorithm: Algorithm::RandomForest, ..Params::default() };
    let checked = params.check(Task::Binary).unwrap();
    let weight = |rarest| {
        checked.plan(Shape { n_rows: 4000, n_features: 9, rarest, n_classes: 2, has_tune: true }).min_child_weight
    };
    assert_eq!([weight(20), weight(199), weight(200), weight(2000)], [8.0, 8.0, 4.0, 4.0]);
}

#[test]
fn tables_of_few_rows_have_few_bins_and_wide_ones_fewer() {
    let checked = Params::default().check(Task::Binary).unwrap();
    let bins = |n_rows, n_features| {
        checked.plan(Shape { n_rows, n_features, rarest: n_rows / 2, n_classes: 2, has_tune: true }).max_bin
    };
    assert_eq!((bins(400, 2000), bins(400, 20), bins(5000, 2000), bins(100, 2000)), (50, 64, 255, 32));
    assert_eq!((bins(1600, 20), bins(4000, 20), bins(50_000, 20), bins(300_000, 20)), (100, 250, 255, 127));
}

#[test]
fn few_rows_have_symmetric_trees() {
    let grown = |task, n_rows| {
        let shape = Shape { n_rows, n_features: 20, rarest: n_rows / 3, n_classes: 2, has_tune: true };
        Params::default().check(task).unwrap().plan(shape).grow_policy
    };
    use GrowPolicy::{Depthwise, Symmetric};
    assert_eq!(
        [500, 9_999, 10_000, 300_000].map(|n| grown(Task::Regression, n)),
        [Symmetric, Symmetric, Depthwise, Depthwise]
    );
    assert_eq!(
        [500, 19_999, 20_000, 300_000].map(|n| grown(Task::Binary, n)),
        [Symmetric, Symmetric, Depthwise, Symmetric]
    );
}

#[test]
fn leaves_are_grown_best_first_without_a_depth() {
    let plan = plan(r#"{"num_leaves": 31}"#, 1000);
    assert_eq!((plan.max_leaves, plan.max_depth, plan.grow_policy), (Some(31), None, GrowPolicy::Lossguide));
    let plan = self::plan(r#"{"num_leaves": 31, "max_depth": 4}"#, 1000);
    assert_eq!((plan.max_leaves, plan.max_depth), (Some(31), Some(4)));
}

#[test]
fn a_depth_or_growth_that_is_given_replaces_the_leaves_of_several_classes() {
    let grown = |json: &str| {
        let params: Params = serde_json::from_str(json).unwrap();
        let shape = Shape { n_rows: 1000, n_features: 30, rarest: 90, n_classes: 5, has_tune: true };
        let plan = params.check(Task::Multiclass).unwrap().plan(shape);
        (plan.max_leaves, plan.max_depth, plan.grow_policy)
    };
    assert_eq!(grown("{}"), (Some(64), None, GrowPolicy::Lossguide));
    assert_eq!(grown(r#"{"max_depth": 3}"#), (None, Some(3), GrowPolicy::Lossguide));
    assert_eq!(grown(r#"{"grow_policy": "symmetric"}"#), (None, Some(6), GrowPolicy::Symmetric));
    assert_eq!(grown(r#"{"grow_policy": "depthwise"}"#), (None, Some(6), GrowPolicy::Depthwise));
    assert_eq!(grown(r#"{"max_leaves": 9}"#), (Some(9), None, GrowPolicy::Lossguide));
    assert_eq!(grown(r#"{"max_depth": 0}"#), (None, None, GrowPolicy::Depthwise));
}

#[test]
fn a_depth_without_limit_is_not_symmetric() {
    let plan = plan(r#"{"max_depth": 0}"#, 1000);
    assert_eq!((plan.max_depth, plan.grow_policy), (None, GrowPolicy::Depthwise));
}

#[test]
fn early_stopping_needs_rows_to_stop_on() {
    let params = Params { early_stopping_rounds: Some(10), ..Params::default() };
    let checked = params.check(Task::Binary).unwrap();
    let rounds = |has_tune| {
        checked.plan(Shape { n_rows: 100, n_features: 3, rarest: 50, n_classes: 2, has_tune }).early_stopping_rounds
    };
    assert_eq!((rounds(true), rounds(false)), (Some(10), None));
    assert_eq!(plan(r#"{"early_stopping_rounds": 0}"#, 1000).early_stopping_rounds, None);
}
