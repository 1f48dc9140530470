//! Predictions equal those of XGBoost and scikit-learn for the same table and parameters
//! (`scripts/reference/model.py`).

use super::*;
use crate::features::{Matrix, Task};
use serde_json::Value;

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/reference/model.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn cells(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(cells).collect(),
        Value::Null => vec![f32::NAN],
        number => vec![number.as_f64().unwrap() as f32],
    }
}

fn compare(part: &Value, expected: &Value, params: &Params, task: Task, tolerance: f32) {
    let x = cells(&part["x"]);
    let x = Matrix::new(x, 300, ["a", "b", "c", "d"].map(String::from).into());
    let name = serde_json::to_value(task).unwrap();
    let y = cells(&part["y"][name.as_str().unwrap()]);
    let checked = params.check(task).unwrap();
    let options = FitOptions { params: &checked, n_classes: 3, tune: None, progress: None };
    let scores = Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap().scores(&x).unwrap();
    let expected = cells(expected);
    assert_eq!(scores.len(), expected.len());
    for (at, (found, expected)) in scores.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{task:?} {at}: {found}, the peer says {expected}");
    }
}

#[test]
fn boosting_predicts_as_xgboost_does() {
    let fixture = fixture();
    let part = &fixture["xgboost"];
    let params: Params = serde_json::from_str(
        r#"{"n_estimators": 25, "max_depth": 4, "eta": 0.2, "lambda": 1.5, "alpha": 0.1, "gamma": 0.05,
            "min_child_weight": 2, "max_bin": 64, "subsample": 1, "colsample_bytree": 1, "colsample_bynode": 1, "grow_policy": "depthwise"}"#,
    )
    .unwrap();
    compare(part, &part["scores"]["regression"], &params, Task::Regression, 1e-4);
    compare(part, &part["scores"]["binary"], &params, Task::Binary, 1e-4);
    compare(part, &part["scores"]["multiclass"], &params, Task::Multiclass, 1e-4);
}

#[test]
fn a_single_tree_predicts_as_scikit_learns_does() {
    let fixture = fixture();
    let part = &fixture["sklearn"];
    let params: Params =
        serde_json::from_str(r#"{"algorithm": "decision-tree", "max_depth": 4, "min_samples_leaf": 7}"#).unwrap();
    compare(part, &part["tree"]["regression"], &params, Task::Regression, 1e-5);
    compare(part, &part["tree"]["binary"], &params, Task::Binary, 1e-6);
    compare(part, &part["tree"]["multiclass"], &params, Task::Multiclass, 1e-6);
}

#[test]
fn a_forest_without_draws_predicts_as_scikit_learns_does() {
    let fixture = fixture();
    let part = &fixture["sklearn"];
    let params: Params = serde_json::from_str(
        r#"{"algorithm": "random-forest", "n_estimators": 3, "max_depth": 3, "min_samples_leaf": 5, "subsample": 1,
            "max_features": "all"}"#,
    )
    .unwrap();
    compare(part, &part["forest"], &params, Task::Binary, 1e-6);
}

#[test]
fn a_linear_model_predicts_as_scikit_learns_does() {
    let fixture = fixture();
    let (part, expected) = (&fixture["xgboost"], &fixture["linear"]);
    let params: Params = serde_json::from_str(r#"{"algorithm": "linear", "lambda": 7}"#).unwrap();
    compare(part, &expected["regression"], &params, Task::Regression, 2e-3);
    compare(part, &expected["binary"], &params, Task::Binary, 1e-3);
    compare(part, &expected["multiclass"], &params, Task::Multiclass, 1e-3);
}
