//! Metrics and estimates compared with those of scikit-learn and NannyML.

use super::estimate::cbpe;
use super::losses::{Losses, dle};
use super::performance::measured;
use super::performance_tests::{close, scores, value};
use super::report::MetricChange;
use crate::features::{Matrix, Task};
use crate::score::calibration::isotonic_regression;
use crate::score::{Reading, regression};
use std::collections::BTreeMap;
use std::path::Path;

/// The cells of each column.
type Cells = BTreeMap<String, Vec<String>>;

/// The columns of both sides of a pair, and the pair's expected values, if the collection exists.
fn pair(name: &str) -> Option<([Cells; 2], serde_json::Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/oracle");
    if !root.exists() {
        crate::skipped::skipped(format_args!("{} is not there", root.display()));
        return None;
    }
    let side = |file: &str| {
        let mut reader = csv::Reader::from_path(root.join(name).join(file)).unwrap();
        let header = reader.headers().unwrap().clone();
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in reader.records() {
            for (column, cell) in header.iter().zip(&record.unwrap()) {
                columns.entry(column.to_owned()).or_default().push(cell.to_owned());
            }
        }
        columns
    };
    let text = std::fs::read_to_string(root.join("expected.json")).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    Some(([side("ref.csv"), side("cur.csv")], all["pairs"][name].clone()))
}

fn numbers(cells: &[String]) -> Vec<f64> {
    cells.iter().map(|cell| cell.parse().unwrap()).collect()
}

/// Compares the metrics that both results contain.
fn agree(metrics: &[MetricChange], expected: &serde_json::Value, names: &[(&str, &str)], tolerance: f64) {
    for (ours, theirs) in names {
        close(value(metrics, ours), expected[theirs].as_f64().unwrap(), tolerance, ours);
    }
}

const TWO_CLASSES: [(&str, &str); 10] = [
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced_accuracy"),
    ("mcc", "mcc"),
    ("kappa", "kappa"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("f1", "f1"),
    ("roc_auc", "roc_auc"),
    ("pr_auc", "average_precision"),
    ("log_loss", "log_loss"),
];

#[test]
fn measured_classes_agree_with_scikit_learn() {
    let Some((sides, expected)) = pair("perf_binary") else { return };
    let classes = ["0".to_owned(), "1".to_owned()];
    for (side, name) in sides.iter().zip(["ref", "cur"]) {
        let y: Vec<f64> = numbers(&side["y_true"]);
        let scores = numbers(&side["y_proba"]);
        let reading =
            Reading { task: Task::Binary, classes: &classes, y: &y, scores: &scores, weights: None, threshold: 0.5 };
        let found = measured(&reading, None, None, 0).unwrap();
        agree(&found.metrics, &expected["sklearn"][name], &TWO_CLASSES, 1e-9);
        agree(&found.metrics, &expected["sklearn"][name], &[("brier", "brier")], 1e-9);
    }
    let Some((sides, expected)) = pair("perf_multiclass") else { return };
    let classes = ["a", "b", "c"].map(str::to_owned);
    for (side, name) in sides.iter().zip(["ref", "cur"]) {
        let place = |cell: &String| classes.iter().position(|class| class == cell).unwrap() as f64;
        let y: Vec<f64> = side["y_true"].iter().map(place).collect();
        let p = ["p_a", "p_b", "p_c"].map(|column| numbers(&side[column]));
        // The file has five digits; the peer's scores of a row add up to 1.
        let whole = |row: usize| p.iter().map(|p| p[row]).sum::<f64>();
        let scores: Vec<f64> = (0..y.len()).flat_map(|row| p.each_ref().map(|p| p[row] / whole(row))).collect();
        let reading = Reading {
            task: Task::Multiclass,
            classes: &classes,
            y: &y,
            scores: &scores,
            weights: None,
            threshold: 0.5,
        };
        let found = measured(&reading, None, None, 0).unwrap();
        let names = ["accuracy", "mcc", "kappa", "precision_macro", "recall_macro", "f1_macro", "f1_weighted"];
        agree(&found.metrics, &expected["sklearn"][name], &names.map(|name| (name, name)), 1e-9);
        let named = [("roc_auc_macro", "roc_auc_ovr_macro"), ("log_loss", "log_loss")];
        agree(&found.metrics, &expected["sklearn"][name], &named, 1e-9);
    }
}

/// The functions agree to 1e-9; metrics computed as for a pipeline agree to 1e-6.
#[test]
fn measured_numbers_agree_with_scikit_learn() {
    let Some((sides, expected)) = pair("perf_regression") else { return };
    for (side, name) in sides.iter().zip(["ref", "cur"]) {
        let expected = &expected["sklearn"][name];
        let (truth, predicted) = (numbers(&side["y_true"]), numbers(&side["y_pred"]));
        let y: Vec<f64> = truth.to_vec();
        let reading =
            Reading { task: Task::Regression, classes: &[], y: &y, scores: &predicted, weights: None, threshold: 0.5 };
        let found = measured(&reading, None, None, 0).unwrap();
        let names = [("mae", "mae"), ("rmse", "rmse"), ("r2", "r2"), ("mape", "mape"), ("median_ae", "medae")];
        agree(&found.metrics, expected, &names, 1e-6);
        let of = |name: &str| expected[name].as_f64().unwrap();
        close(regression::mae(&truth, &predicted, None), of("mae"), 1e-9, "mae");
        close(regression::rmse(&truth, &predicted, None), of("rmse"), 1e-9, "rmse");
        close(regression::r2(&truth, &predicted, None), of("r2"), 1e-9, "r2");
    }
}

/// The isotonic map that scikit-learn fits to `x`, `y`, evaluated at `at`: linear between the distinct x, flat beyond.
fn isotonic(x: &[f64], y: &[f64], at: &[f64]) -> Vec<f64> {
    let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let runs: Vec<&[(f64, f64)]> = pairs.chunk_by(|a, b| a.0 == b.0).collect();
    let means: Vec<f64> = runs.iter().map(|run| run.iter().map(|(_, y)| y).sum::<f64>() / run.len() as f64).collect();
    let weights: Vec<f64> = runs.iter().map(|run| run.len() as f64).collect();
    let fitted = isotonic_regression(&means, Some(&weights));
    let xs: Vec<f64> = runs.iter().map(|run| run[0].0).collect();
    let read = |&score: &f64| match xs.partition_point(|x| *x <= score) {
        0 => fitted[0],
        above if above == xs.len() => fitted[above - 1],
        above => {
            let share = (score - xs[above - 1]) / (xs[above] - xs[above - 1]);
            fitted[above - 1] + share * (fitted[above] - fitted[above - 1])
        }
    };
    at.iter().map(read).collect()
}

/// NannyML calibrates by isotonic regression on the reference and predicts from the raw score. Here both use the
/// calibrated score, with the threshold at the same place. ROC-AUC differs by the pairs of rows with themselves.
#[test]
fn estimated_classes_agree_with_nannyml() {
    let Some(([reference, current], expected)) = pair("perf_binary") else { return };
    let raw = numbers(&current["y_proba"]);
    let mut calibrated = isotonic(&numbers(&reference["y_proba"]), &numbers(&reference["y_true"]), &raw);
    // A step of the isotonic map may span .5: a tiny increment keeps rows that were predicted positive apart.
    for (p, _) in calibrated.iter_mut().zip(&raw).filter(|(_, raw)| **raw >= 0.5) {
        *p = (*p + 1e-12).min(1.0);
    }
    let threshold = raw.iter().zip(&calibrated).filter(|(raw, _)| **raw >= 0.5).map(|(_, p)| *p).fold(1.0, f64::min);
    let estimate = cbpe(Task::Binary, &scores(&calibrated, 1), threshold, None).unwrap();
    let theirs = |name: &str| expected["nannyml"]["cbpe_chunk1"][name]["value"][0].as_f64().unwrap();
    for name in ["accuracy", "precision", "recall", "specificity", "f1"] {
        close(value(&estimate.metrics, name), theirs(name), 1e-9, name);
    }
    close(value(&estimate.metrics, "roc_auc"), theirs("roc_auc"), 1e-3, "roc_auc");
    // NannyML orders rows within a step of the isotonic map by the raw score; here they are ties.
    close(value(&estimate.metrics, "pr_auc"), theirs("average_precision"), 2e-2, "pr_auc");
}

/// Another learner (LightGBM there) of the same errors: within 3 %.
#[test]
fn estimated_numbers_agree_with_nannyml() {
    let Some(([reference, current], expected)) = pair("perf_regression") else { return };
    let matrix = |side: &BTreeMap<String, Vec<String>>| {
        let columns = ["x", "x2", "y_pred"].map(|name| numbers(&side[name]));
        let n = columns[0].len();
        let values = (0..n).flat_map(|row| columns.each_ref().map(|c| c[row] as f32)).collect();
        Matrix::new(values, n, ["x", "x2", "y_pred"].map(str::to_owned).into())
    };
    let y: Vec<f64> = numbers(&reference["y_true"]);
    let predicted = numbers(&reference["y_pred"]);
    let losses = Losses::of_errors(&matrix(&reference), &predicted, &y, (1.0, 0)).unwrap();
    let current = matrix(&current);
    let rows = (0..current.n_rows).map(|row| current.row(row).split_at(2)).map(|(x, y)| (x, f64::from(y[0])));
    let found = dle(&losses.expect(&Default::default(), rows).unwrap(), None).unwrap().metrics;
    for name in ["mae", "rmse"] {
        let theirs = expected["nannyml"]["dle_chunk1"][name]["value"].as_f64().unwrap();
        close(value(&found, name) / theirs, 1.0, 0.03, name);
    }
}
