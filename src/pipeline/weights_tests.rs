use super::*;
use crate::model::Params;
use crate::pipeline::{Examples, Fitted, SplitSpec, TargetSpec, fit};
use crate::score::{CalibrationRule, Metric};
use crate::stats::random::unit_hash;
use crate::table::{Column, ColumnSpec, Dialect};
use std::borrow::Cow;

/// Rows of `a` and `b` with few distinct values, a target and a weight; each row of `rows` in turn.
fn learn(rows: &[(usize, f64)], weight: Option<&str>, number: bool, model: &str) -> Result<Fitted, PipelineError> {
    let noise = |row: usize, salt| unit_hash(&(row as u64).to_le_bytes(), salt);
    let a = |row| (noise(row, 1) * 40.0).floor();
    let b = |row| (noise(row, 2) * 40.0).floor();
    let signal = |row| a(row) / 20.0 + (b(row) / 6.0).sin() + 1.5 * noise(row, 3);
    let y = |row| if number { signal(row) } else { f64::from(u8::from(signal(row) > 2.0)) };
    let of = |value: &dyn Fn(usize) -> f64| Values::Number(rows.iter().map(|&(row, _)| value(row)).collect());
    let mut columns = vec![
        Column::new("a", of(&a)),
        Column::new("b", of(&b)),
        // A column that identifies rows but is not a feature.
        Column::new("key", of(&|row| row as f64)),
        Column::new("y", of(&y)),
    ];
    columns.push(Column::new("w", Values::Number(rows.iter().map(|&(_, weight)| weight).collect())));
    let table = Table::new(columns).unwrap();
    let columns = table.columns().iter().map(|column| ColumnSpec::new(&column.name, Kind::Number)).collect();
    let schema = Schema { dialect: Dialect::default(), columns };
    let task = if number { crate::features::Task::Regression } else { crate::features::Task::Binary };
    let recipe = Recipe {
        target: TargetSpec { column: "y".to_owned(), task: Some(task), ..Default::default() },
        split: SplitSpec::default(),
        features: FeatureOptions { drop: vec!["key".to_owned(), "w".to_owned()], ..Default::default() },
        model: serde_json::from_str::<Params>(model).unwrap(),
        decision: Decision { calibration: CalibrationRule::Platt, ..Decision::default() },
        quality: Default::default(),
        search: Default::default(),
        weight: weight.map(str::to_owned),
    };
    let examples = Examples::new(table, &schema, &recipe)?;
    fit(Cow::Owned(examples), &schema, &recipe, 0, &|_, _, _| {})
}

/// Parameters that do not depend on the number of rows.
const PLAIN: &str = r#"{"n_estimators": 30, "max_depth": 3, "learning_rate": 0.2, "subsample": 1.0, "colsample_bytree": 1.0,
    "colsample_bynode": 1.0, "reg_lambda": 0.0, "min_child_weight": 0.0, "max_bin": 255}"#;

fn weight(row: usize) -> f64 {
    [1.0, 2.0, 3.0][row % 3]
}

#[test]
fn a_weight_of_two_is_the_row_written_twice() {
    let weighed: Vec<(usize, f64)> = (0..600).map(|row| (row, weight(row))).collect();
    let written: Vec<(usize, f64)> =
        weighed.iter().flat_map(|&(row, weight)| std::iter::repeat_n((row, 1.0), weight as usize)).collect();
    for number in [false, true] {
        let of = |rows: &[(usize, f64)]| learn(rows, Some("w"), number, PLAIN).unwrap();
        let (ours, theirs) = (of(&weighed), of(&written));
        let once = of(&weighed.iter().map(|&(row, _)| (row, 1.0)).collect::<Vec<_>>());
        let (metrics, expected) = (ours.gate.unwrap(), theirs.gate.unwrap());
        let unweighted = once.gate.unwrap();
        assert!(ours.parts.gate.len() < theirs.parts.gate.len());
        let mut changed = 0;
        for &metric in Metric::of(metrics.task) {
            let of = |evaluation: &crate::score::Evaluation| evaluation.metrics.value(metric).unwrap();
            let (ours, theirs, once) = (of(&metrics), of(&expected), of(&unweighted));
            assert!((ours - theirs).abs() < 1e-4 * theirs.abs(), "{metric}: {ours} {theirs}");
            changed += usize::from((ours - once).abs() > 1e-4);
        }
        assert!(changed * 2 > Metric::of(metrics.task).len(), "weights change {changed} metrics");
        let baseline = |e: &crate::score::Evaluation| e.baseline.as_ref().unwrap().metrics.clone();
        let primary = if number { Metric::Rmse } else { Metric::LogLoss };
        let (ours_b, theirs_b) = (baseline(&metrics), baseline(&expected));
        assert!((ours_b.get(primary).unwrap().unwrap() - theirs_b.get(primary).unwrap().unwrap()).abs() < 1e-9);
        assert_eq!(ours.pipeline.model.rounds(), theirs.pipeline.model.rounds());
        let threshold = |pipeline: &crate::pipeline::Pipeline| pipeline.threshold.unwrap_or(0.0);
        assert!((threshold(&ours.pipeline) - threshold(&theirs.pipeline)).abs() < 1e-4);
        assert!(ours.notes.iter().any(|note| note.contains("rows are weighted by \"w\"")), "{:?}", ours.notes);
        assert!(ours.importance.iter().all(|column| column.column != "w"));
    }
}

#[test]
fn only_ratios_count_and_rows_that_weigh_nothing_are_not_there() {
    let bytes =
        |rows: &[(usize, f64)], name| learn(rows, name, false, "{}").unwrap().pipeline.model.to_bytes().unwrap();
    let with = |of: &dyn Fn(usize) -> f64| (0..500).map(|row| (row, of(row))).collect::<Vec<(usize, f64)>>();
    let weighed = bytes(&with(&weight), Some("w"));
    assert_eq!(bytes(&with(&|row| 1024.0 * weight(row)), Some("w")), weighed);
    let none = bytes(&with(&|_| 1.0), Some("w"));
    assert_ne!(none, weighed);
    assert_eq!(bytes(&with(&|_| 7.5), Some("w")), none);
    let some: Vec<(usize, f64)> = with(&weight).into_iter().filter(|(row, _)| row % 5 != 0).collect();
    let zero = with(&|row| if row % 5 == 0 { 0.0 } else { weight(row) });
    assert_eq!(bytes(&zero, Some("w")), bytes(&some, Some("w")));
}

#[test]
fn weights_that_are_none_are_refused() {
    let refused = |of: &dyn Fn(usize) -> f64| {
        let rows: Vec<(usize, f64)> = (0..100).map(|row| (row, of(row))).collect();
        learn(&rows, Some("w"), false, "{}").unwrap_err().to_string()
    };
    let at = |value: f64| move |row: usize| if row == 16 { value } else { 1.0 };
    assert_eq!(
        refused(&at(-1.0)),
        "[data] weight: in column \"w\" the weight of row 17 is -1; it must be a number of at least 0"
    );
    assert!(refused(&at(f64::NAN)).contains("row 17 is missing"));
    assert!(refused(&at(f64::INFINITY)).contains("row 17 is inf"));
    assert!(refused(&|_| 0.0).contains("every labelled row has weight 0 in column \"w\""));
}

#[test]
fn a_weight_is_a_number_and_nothing_else() {
    use crate::features::derive::{Definition, Definitions};
    let columns = [("count", Kind::Number), ("y", Kind::Number), ("plan", Kind::Category), ("a", Kind::Number)];
    let check = |name: &str, derived: &str, imbalance| {
        let derived = match derived {
            "" => Vec::new(),
            text => vec![Definition { name: "d".to_owned(), expression: text.to_owned() }],
        };
        let features = FeatureOptions { derived: Definitions(derived), ..Default::default() };
        let decision = Decision { imbalance, ..Decision::default() };
        check_weight(name, &columns, "y", (&features, &decision)).err().unwrap_or_default()
    };
    assert_eq!(check("count", "", Imbalance::Weights), "");
    assert!(check("cuont", "", Imbalance::None).contains("is not in [columns]: did you mean \"count\"?"));
    assert!(check("plan", "", Imbalance::None).contains("is of kind \"category\""));
    assert!(check("y", "", Imbalance::None).contains("is the target"));
    assert!(check("count", "a / count", Imbalance::None).contains("used by the derived feature \"d\""));
    assert!(check("count", "", Imbalance::Smote).contains("smote"));
}

#[test]
fn balanced_classes_weigh_the_same_whatever_their_rows_weigh() {
    let y = [0.0, 0.0, 0.0, 1.0];
    let found = of_trees(Some(&[1.0, 2.0, 3.0, 3.0]), &y, 2, true).unwrap();
    let sum = |class: f32| y.iter().zip(&found).filter(|(c, _)| **c == class).map(|(_, w)| w).sum::<f32>();
    assert!((sum(0.0) - 2.0).abs() < 1e-6 && (sum(1.0) - 2.0).abs() < 1e-6, "{found:?}");
    assert!((found[2] / found[0] - 3.0).abs() < 1e-6);
    assert_eq!(of_trees(Some(&[2.0, 6.0]), &[0.1, 0.2], 0, false), Some(vec![0.5, 1.5]));
    assert_eq!((of_trees(None, &y, 2, false), of_trees(None, &y, 2, true)), (None, Some(row_weights(&y, 2))));
    assert_eq!([0.5, 0.6, 0.95].map(|share| most(&[1.0, 5.0, 2.0], &[2, 1, 0], share)), [1, 2, 3]);
    assert_eq!(most(&[1.0; 4], &[3, 2, 1, 0], 0.5), 2);
}
