//! Measured and estimated metrics: a simulation with a known truth, and values of other implementations.

use super::estimate::{EstimateError, cbpe};
use super::losses::{Losses, dle};
use super::performance::{Known, performance};
use super::report::{MetricChange, Performance};
use crate::features::Task;
use crate::model::Params;
use crate::pipeline::{Decision, Examples, Pipeline, Recipe, Scores, SplitSpec, TargetSpec, fit};
use crate::score::{Estimate, Metric, Metrics, Reading};
use crate::stats::random::unit_hash;
use crate::stats::{normal, random};
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
use rand::Rng;

pub(super) fn value(metrics: &[MetricChange], name: &str) -> f64 {
    metrics.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("{name} in {metrics:?}")).value
}

pub(super) fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} for {expected} ± {tolerance}");
}

pub(super) fn scores(values: &[f64], width: usize) -> Scores {
    Scores { values: values.to_vec(), width }
}

// ── by hand ──

#[test]
fn the_expected_confusion_matrix_is_the_sum_of_probabilities() {
    // TP = .9 + .6 = 1.5, FP = .1 + .4 = .5, FN = .3 + .2 = .5, TN = .7 + .8 = 1.5
    let estimate = cbpe(Task::Binary, &scores(&[0.9, 0.6, 0.3, 0.2], 1), 0.5, None).unwrap();
    for name in ["accuracy", "precision", "recall", "specificity", "f1"] {
        close(value(&estimate.metrics, name), 0.75, 1e-12, name);
    }
    close(value(&estimate.metrics, "brier"), (0.09 + 0.24 + 0.21 + 0.16) / 4.0, 1e-12, "brier");
    assert!(estimate.limit.contains("concept drift"));
    assert_eq!((estimate.method.as_str(), estimate.n), ("cbpe", 4));
}

#[test]
fn the_expected_area_counts_every_pair_of_different_rows() {
    let p = [0.9, 0.6, 0.6, 0.35, 0.2, 0.2, 0.05];
    let (mut ordered, mut pairs) = (0.0, 0.0);
    for i in 0..p.len() {
        for j in (0..p.len()).filter(|&j| j != i) {
            let weight = p[i] * (1.0 - p[j]);
            pairs += weight;
            ordered += weight
                * if p[i] > p[j] {
                    1.0
                } else if p[i] == p[j] {
                    0.5
                } else {
                    0.0
                };
        }
    }
    let estimate = cbpe(Task::Binary, &scores(&p, 1), 0.5, None).unwrap();
    close(value(&estimate.metrics, "roc_auc"), ordered / pairs, 1e-12, "roc_auc");
}

#[test]
fn several_classes_expect_the_mean_of_the_highest() {
    let p = [0.7, 0.2, 0.1, 0.1, 0.5, 0.4, 0.25, 0.25, 0.5];
    let estimate = cbpe(Task::Multiclass, &scores(&p, 3), 0.5, None).unwrap();
    close(value(&estimate.metrics, "accuracy"), (0.7 + 0.5 + 0.5) / 3.0, 1e-12, "accuracy");
    let entropy = -p.iter().map(|p: &f64| p * p.ln()).sum::<f64>() / 3.0;
    close(value(&estimate.metrics, "log_loss"), entropy, 1e-12, "log_loss");
}

#[test]
fn what_cannot_be_told_is_left_out_and_what_is_wrong_is_an_error() {
    let estimate = cbpe(Task::Binary, &scores(&[0.1, 0.2], 1), 0.5, None).unwrap();
    assert!(estimate.metrics.iter().all(|m| m.name != "precision" && m.value.is_finite()), "{estimate:?}");
    let certain = cbpe(Task::Binary, &scores(&[0.0, 0.0], 1), 0.5, None).unwrap();
    assert!(certain.metrics.iter().all(|m| m.name != "roc_auc"), "{certain:?}");
    assert!(matches!(cbpe(Task::Binary, &scores(&[], 1), 0.5, None), Err(EstimateError::NoRows)));
    assert!(matches!(cbpe(Task::Regression, &scores(&[1.0], 1), 0.5, None), Err(EstimateError::Task { .. })));
    let nan = cbpe(Task::Binary, &scores(&[0.5, f64::NAN], 1), 0.5, None);
    assert!(matches!(nan, Err(EstimateError::Score { row: 1, .. })));
}

#[test]
fn the_gate_stands_beside() {
    let gate = Metrics::new(vec![(Metric::Accuracy, Estimate { value: Some(0.8), ..Estimate::default() })]);
    let estimate = cbpe(Task::Binary, &scores(&[0.9, 0.2], 1), 0.5, Some(&gate)).unwrap();
    let of = |name: &str| estimate.metrics.iter().find(|m| m.name == name).and_then(|m| m.gate);
    assert_eq!((of("accuracy"), of("recall")), (Some(0.8), None));
}

// ── a simulation ──

/// Rows of two numbers around `mean`, with the outcome `outcome(a, b, u)`, u uniform.
fn world(n: usize, mean: f64, seed: u64, outcome: impl Fn(f64, f64, f64) -> f64) -> (Table, Vec<f64>) {
    let mut random = random::rng(seed, "performance tests");
    let mut gauss = |mean: f64| mean + normal::quantile(random.gen_range(1e-9..1.0 - 1e-9));
    let (a, b): (Vec<f64>, Vec<f64>) = (0..n).map(|_| (gauss(mean), gauss(0.0))).unzip();
    let y: Vec<f64> = a.iter().zip(&b).map(|(&a, &b)| outcome(a, b, random.r#gen())).collect();
    let labels = y.to_vec();
    let columns = [("a", a), ("b", b), ("y", y)].map(|(name, v)| Column::new(name, Values::Number(v)));
    (Table::new(columns.to_vec()).unwrap(), labels)
}

fn learned(table: Table, task: Task) -> Pipeline {
    let spec = |name: &str| ColumnSpec::new(name, Kind::Number);
    let mut schema = Schema { dialect: Dialect::default(), columns: ["a", "b", "y"].map(spec).to_vec() };
    let mut columns = table.into_columns();
    if task == Task::Binary {
        let Values::Number(y) = &columns[2].values else { panic!("a number") };
        let texts: Vec<&str> = y.iter().map(|&y| if y == 1.0 { "1" } else { "0" }).collect();
        columns[2].values = Values::Category(Categories::from_texts(texts));
        schema.columns[2].kind = Kind::Category;
    }
    let recipe = Recipe {
        target: TargetSpec { column: "y".to_owned(), task: Some(task), positive: None, ..Default::default() },
        split: SplitSpec::default(),
        features: Default::default(),
        model: Params::default(),
        decision: Decision::default(),
        quality: Default::default(),
        search: Default::default(),
        weight: None,
    };
    let examples = Examples::new(Table::new(columns).unwrap(), &schema, &recipe).unwrap();
    fit(std::borrow::Cow::Borrowed(&examples), &schema, &recipe, 1, &|_, _, _| {}).unwrap().pipeline
}

fn share(logit: f64, u: f64) -> f64 {
    f64::from(u < 1.0 / (1.0 + (-logit).exp()))
}

/// The rows that `probability` selects, each weighted by its inverse.
fn known(scores: &Scores, y: &[f64], probability: impl Fn(usize) -> Option<f64>) -> Known {
    let mut known = Known::new(scores.width);
    for (row, &y) in y.iter().enumerate() {
        probability(row).iter().for_each(|p| known.push(scores.row(row), y, 1.0 / p, None));
    }
    known
}

/// Rows selected for labelling because they are uncertain make a version look worse than it is, unless each is weighted
/// by its selection probability.
#[test]
fn labels_that_were_chosen_tell_of_all_rows_when_they_are_weighted() {
    let pipeline = learned(world(8_000, 0.0, 1, |a, b, u| share(2.0 * a + b, u)).0, Task::Binary);
    let (table, y) = world(40_000, 0.0, 2, |a, b, u| share(2.0 * a + b, u));
    let scores = pipeline.score(&table).unwrap();
    let probability = |row: usize| if (scores.values[row] - 0.5).abs() < 0.2 { 0.4 } else { 0.04 };
    let asked = |row: usize| unit_hash(&row.to_le_bytes(), 7) < probability(row);
    let found = |known: &Known| performance(&pipeline, known, None, 1).unwrap();
    let all = found(&known(&scores, &y, |_| Some(1.0)));
    let even = found(&known(&scores, &y, |row| asked(row).then_some(1.0)));
    let weighted = found(&known(&scores, &y, |row| asked(row).then(|| probability(row))));
    let accuracy = |of: &Performance| value(&of.metrics, "accuracy");
    assert!(accuracy(&even) < accuracy(&all) - 0.1, "{} {}", accuracy(&even), accuracy(&all));
    close(accuracy(&weighted), accuracy(&all), 0.02, "accuracy");
    close(value(&weighted.metrics, "roc_auc"), value(&all.metrics, "roc_auc"), 0.02, "ROC-AUC");
    let (low, high) = weighted.metrics.iter().find(|m| m.name == "accuracy").and_then(|m| m.interval).unwrap();
    assert!(low < accuracy(&all) && accuracy(&all) < high && high - low < 0.06, "{low} {high}");
    let n = weighted.n_effective.unwrap();
    assert!(n > 100.0 && n < weighted.n as f64 / 2.0 && all.n_effective.is_none(), "{n} of {}", weighted.n);
}

/// A changed mix of rows is tracked within .02; a changed dependence is not detected at all.
#[test]
fn covariate_shift_is_tracked_and_concept_drift_is_not_seen() {
    let concept = |a: f64, b: f64, u: f64| share(2.0 * a + b, u);
    let pipeline = learned(world(8_000, 0.0, 1, concept).0, Task::Binary);
    let both = |(table, y): (Table, Vec<f64>)| {
        let scores = pipeline.score(&table).unwrap();
        let real = performance(&pipeline, &known(&scores, &y, |_| Some(1.0)), None, 1).unwrap();
        let estimate = cbpe(Task::Binary, &scores, pipeline.threshold.unwrap(), None).unwrap();
        (estimate.metrics, real.metrics)
    };
    for mean in [0.0, 0.5, 1.0] {
        let (estimated, real) = both(world(10_000, mean, 2, concept));
        for name in ["accuracy", "roc_auc", "f1", "precision", "recall"] {
            close(value(&estimated, name), value(&real, name), 0.02, &format!("{name} at {mean}"));
        }
        assert!(real.iter().all(|m| m.interval.is_some_and(|(low, high)| low <= m.value && m.value <= high)));
    }
    let (estimated, real) = both(world(10_000, 0.0, 3, |a, b, u| share(2.0 * a - 3.0 * b, u)));
    let (promised, found) = (value(&estimated, "accuracy"), value(&real, "accuracy"));
    assert!(promised - found > 0.1, "estimated {promised}, real {found}");
}

/// Errors grow with a; the errors of rows with a larger a are predicted.
/// Scores of .4 and .6 where the truth is .1 and .9: the estimate is too low at the gate, and by the same amount here.
#[test]
fn what_the_estimate_is_off_at_the_gate_is_taken_off() {
    let known = |value| Estimate { value: Some(value), ..Estimate::default() };
    let gate = Metrics::new(vec![(Metric::Accuracy, known(0.9)), (Metric::Brier, known(0.2))]);
    let promised = |p: &[f64]| cbpe(Task::Binary, &scores(p, 1), 0.5, Some(&gate)).unwrap();
    let (here, there) = (promised(&[0.4, 0.6, 0.7, 0.7]), promised(&[0.4, 0.6]));
    let accuracy = value(&here.metrics, "accuracy");
    close(accuracy, 0.65, 1e-12, "as it is");
    let corrected = here.clone().corrected(&there);
    close(value(&corrected.metrics, "accuracy"), 0.65 + 0.9 - 0.6, 1e-12, "corrected");
    let sure = promised(&[0.99; 4]).corrected(&there);
    close(value(&sure.metrics, "accuracy"), 1.0, 0.0, "a share stays one");
    close(value(&sure.metrics, "brier"), (0.99 * 0.01 + 0.2 - 0.24_f64).max(0.0), 1e-12, "brier");
}

#[test]
fn an_estimate_of_customers_is_as_open_as_the_gate_says() {
    let y: Vec<f64> = (0..400).map(|row| f64::from(row % 2)).collect();
    // Each of 20 customers has 20 rows, which are all correct or all wrong.
    let p: Vec<f64> = (0..400).map(|row| if (row % 2 == 1) == (row / 20 % 5 != 0) { 0.8 } else { 0.2 }).collect();
    let classes = ["no".to_owned(), "yes".to_owned()];
    let reading = Reading { task: Task::Binary, classes: &classes, y: &y, scores: &p, weights: None, threshold: 0.5 };
    let customers: Vec<u32> = (0..400).map(|row| row / 20).collect();
    let gate = |entities: Option<&[u32]>| {
        crate::score::evaluate_entities(&reading, entities, None, Default::default()).unwrap()
    };
    let promised = cbpe(Task::Binary, &scores(&p, 1), 0.5, None).unwrap();
    let width = |estimate: &super::report::Estimate| {
        let (low, high) = estimate.metrics.iter().find(|m| m.name == "accuracy").unwrap().interval.unwrap();
        high - low
    };
    let (plain, by_row, by_customer) = (
        width(&promised),
        width(&promised.clone().by_entity(&gate(None))),
        width(&promised.clone().by_entity(&gate(Some(&customers)))),
    );
    assert!(by_row < 1.3 * plain && by_customer > 3.0 * plain, "{plain} {by_row} {by_customer}");
}

#[test]
fn direct_loss_estimation_follows_rows_that_are_harder() {
    let concept =
        |a: f64, b: f64, u: f64| a + 2.0 * b + (0.5 + a.max(0.0)) * normal::quantile(u.clamp(1e-9, 1.0 - 1e-9));
    let pipeline = learned(world(4_000, 0.0, 4, concept).0, Task::Regression);
    let (labelled, y) = world(3_000, 0.3, 5, concept);
    for mean in [0.0, 0.7] {
        let (current, truth) = world(5_000, mean, 6, concept);
        let scores = pipeline.score(&current).unwrap();
        let stored = Losses::learn(&pipeline, &labelled, &y, 1).unwrap().to_bytes().unwrap();
        let losses = Losses::from_bytes(stored.each_ref().map(Vec::as_slice)).unwrap();
        let features = pipeline.features.transform(&current).unwrap();
        let rows = (0..features.n_rows).map(|row| features.row(row)).zip(scores.values.iter().copied());
        let estimate = dle(&losses.expect(&Default::default(), rows).unwrap(), None).unwrap();
        let real = performance(&pipeline, &known(&scores, &truth, |_| Some(1.0)), None, 1).unwrap();
        for name in ["mae", "rmse"] {
            let (promised, found) = (value(&estimate.metrics, name), value(&real.metrics, name));
            close(promised / found, 1.0, 0.1, &format!("{name} at {mean}"));
        }
    }
    let few = Losses::learn(&pipeline, &labelled.take(&[0, 1, 2]), &y[..3], 1);
    assert!(matches!(few, Err(EstimateError::TooFewRows { have: 3, need: 100 })), "{few:?}");
    let short = Losses::learn(&pipeline, &labelled, &y[..200], 1);
    assert!(matches!(short, Err(EstimateError::Outcomes(_))), "{short:?}");
    assert!(matches!(dle(&[], None), Err(EstimateError::NoRows)));
}
