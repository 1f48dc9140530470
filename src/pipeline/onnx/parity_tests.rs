//! Each function in a graph gives pandas' results: on missing cells, extremes and several time zones.

use super::derived::{Exporter, why_not};
use super::operators::Value;
use crate::features::derive::Derived;
use crate::features::derive::tests::{definitions, reference_cases};
use crate::model::{Element, Elements, GraphWriter, run_onnx};
use crate::pipeline::agrees::input;
use crate::table::Schema;
use std::collections::HashMap;

/// Compares a graph for a supported expression with pandas' values.
fn agrees(derived: &Derived, table: &crate::table::Table, expression: &str, expected: &[serde_json::Value]) {
    let mut graph = GraphWriter::default();
    let schema = Schema::default();
    let value = Exporter::new(derived, &schema).column(&mut graph, 0);
    let element = match value {
        Value::Number(_) => Element::Double,
        Value::Time(_) => Element::Int64,
        Value::Text(_) => Element::Text,
    };
    graph.output(value.name(), "out", element, Some(1));
    let inputs: HashMap<_, _> =
        derived.reads().map(|(name, _)| (name.to_owned(), input(&table.column(name).unwrap().values))).collect();
    let found = run_onnx(&graph.finish("one feature", &[]), inputs);
    let found = found.unwrap_or_else(|what| panic!("{expression}: {what}"));
    for (row, expected) in expected.iter().enumerate() {
        let place = format!("{expression} in row {row}: pandas has {expected}");
        match &found["out"].elements {
            Elements::Double(values) => match expected.as_f64() {
                Some(expected) => {
                    let near = (values[row] - expected).abs() <= 1e-13 * expected.abs().max(1e-300);
                    assert!(values[row] == expected || near, "{place}, the graph {}", values[row]);
                }
                None => assert!(values[row].is_nan(), "{place}, the graph {}", values[row]),
            },
            Elements::Text(texts) => assert_eq!(texts[row], expected.as_str().unwrap_or_default(), "{place}"),
            other => panic!("{place}: {other:?}"),
        }
    }
}

#[test]
fn every_function_that_a_graph_can_say_gives_what_pandas_gives() {
    let (table, cases) = reference_cases();
    let (mut n_said, mut outside) = (0, Vec::new());
    for (expression, expected) in &cases {
        let (derived, _) = Derived::fit(&definitions(&[("x", expression)]), &table, None, "y").unwrap();
        match why_not(&derived, 0) {
            None => {
                agrees(&derived, &table, expression, expected);
                n_said += 1;
            }
            Some(why) => outside.push(format!("{expression}: {why}")),
        }
    }
    assert_eq!(
        outside,
        [
            "length(t): it counts the characters of a text",
            "lower(t): it changes the case of a text",
            "upper(t): it changes the case of a text",
            "contains(t, 'old'): it searches in a text",
            "starts_with(t, 'Gold'): it searches in a text",
            "ends_with(t, 'ER'): it searches in a text",
            "matches(t, '[0-9]+'): it searches in a text",
            "number(t): it reads a number from a text",
            "hour(at, 'Europe/Berlin'): it needs time zone rules",
            "day(at, 'Asia/Kolkata'): it needs time zone rules",
            "weekday(at, 'America/New_York'): it needs time zone rules",
            "is_month_end(at, 'Australia/Sydney'): it needs time zone rules",
        ]
    );
    assert_eq!(n_said + outside.len(), cases.len());
    for (expression, why) in [
        ("count() by (t, a)", "it looks up a group by several keys"),
        ("mean(a) by b", "it looks up a group by a number or a time"),
        ("coalesce(t, 'x') == lower(t)", "it changes the case of a text"),
        ("t == coalesce(t, 'x')", "it compares two columns of texts"),
    ] {
        let (derived, _) = Derived::fit(&definitions(&[("x", expression)]), &table, None, "y").unwrap();
        assert_eq!(why_not(&derived, 0).as_deref(), Some(why), "{expression}");
    }
}
