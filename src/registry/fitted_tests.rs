//! A small fitted pipeline, for tests.

use crate::features::Task;
use crate::pipeline::{Examples, Fitted, Recipe, fit};
use crate::table::{Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
use serde_json::json;
use std::borrow::Cow;

/// A pipeline fitted on 600 rows, for a regression, two classes or three classes.
pub(super) fn fitted(task: Task) -> Fitted {
    let x: Vec<f64> = (0..600).map(|row| f64::from(row * 7919 % 1000)).collect();
    let y = |x: &f64| match task {
        Task::Regression => *x + 1.0,
        Task::Binary => (x / 500.0).floor(),
        Task::Multiclass => (x / 334.0).floor(),
    };
    let y = Values::Number(x.iter().map(y).collect());
    let table = Table::new(vec![Column::new("x", Values::Number(x)), Column::new("y", y)]).unwrap();
    let columns = ["x", "y"].map(|name| ColumnSpec::new(name, Kind::Number)).into();
    let schema = Schema { dialect: Dialect::default(), columns };
    let recipe: Recipe = serde_json::from_value(json!({
        "target": { "column": "y", "task": task },
        "split": {}, "features": {}, "model": { "n_estimators": 10 }, "decision": {},
    }))
    .unwrap();
    let examples = Examples::new(table, &schema, &recipe).unwrap();
    fit(Cow::Owned(examples), &schema, &recipe, 0, &|_, _, _| {}).unwrap()
}
