//! Compares results with scikit-learn's, from `fixtures/reference/score.json`.

use serde_json::Value;

use crate::features::Task;
use crate::score::interval::MAX_VISITS;
use crate::score::report::{classification_report, metrics_table, render};
use crate::score::{Baseline, EvaluateOptions, Evaluation, Method, Metric, Reading, evaluate};

pub(super) fn reference() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/reference/score.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Equal to 1e-9, absolute or relative.
#[track_caller]
pub(super) fn close(what: &str, ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours} v {theirs}");
}

const NO_INTERVALS: EvaluateOptions = EvaluateOptions { seed: 0, max_replicates: 0, max_visits: 0 };

fn case(case: &Value, options: EvaluateOptions) -> Evaluation {
    let task: Task = serde_json::from_value(case["task"].clone()).unwrap();
    let classes: Vec<String> = serde_json::from_value(case["classes"].clone()).unwrap();
    let y: Vec<f64> = numbers(&case["y"]);
    let scores = numbers(&case["scores"]);
    let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
    let threshold = case["threshold"].as_f64().unwrap();
    let (scores, weights) = (scores.as_slice(), weights.as_deref());
    let reading = Reading { task, classes: &classes, y: &y, scores, weights, threshold };
    evaluate(&reading, None, options).unwrap()
}

#[test]
fn metrics_agree_with_scikit_learn() {
    let reference = reference();
    let cases = reference["metrics"].as_object().unwrap();
    assert!(cases.len() > 20);
    for (name, expected) in cases {
        let evaluation = case(expected, NO_INTERVALS);
        for (metric, estimate) in evaluation.metrics.iter() {
            let theirs = expected["metrics"].get(metric.name()).expect("the peer computes every metric");
            match theirs.as_f64() {
                Some(theirs) => close(&format!("{name} {metric}"), estimate.value.unwrap(), theirs),
                None => {
                    assert_eq!(estimate.value, None, "{name} {metric}");
                    assert!(estimate.note.is_some(), "{name} {metric} has no value and no reason");
                }
            }
        }
        if let Some(matrix) = &evaluation.confusion {
            for (t, row) in expected["confusion"].as_array().unwrap().iter().enumerate() {
                for (p, theirs) in numbers(row).into_iter().enumerate() {
                    close(name, matrix.cell(t, p), theirs);
                }
            }
        }
    }
}

#[test]
fn the_report_reads_as_scikit_learns() {
    let reference = reference();
    for name in ["binary", "binary_none_predicted", "multiclass_absent", "multiclass_never"] {
        let expected = &reference["metrics"][name];
        let evaluation = case(expected, NO_INTERVALS);
        let text = classification_report(evaluation.confusion.as_ref().unwrap(), &evaluation.classes, 4);
        assert_eq!(text, expected["report"].as_str().unwrap(), "{name}");
    }
}

#[test]
fn intervals_hold_the_value_and_repeat() {
    let reference = reference();
    for name in ["binary", "binary_ties_weights", "multiclass_absent", "regression_weights"] {
        let evaluation = case(&reference["metrics"][name], EvaluateOptions::default());
        for (metric, estimate) in evaluation.metrics.iter() {
            let (value, low, high) = (estimate.value.unwrap(), estimate.low.unwrap(), estimate.high.unwrap());
            assert!(low <= value && value <= high && low < high, "{name} {metric} {low} {value} {high}");
            assert_eq!(estimate.method, Some(Method::Bootstrap));
        }
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let again = one_thread.install(|| case(&reference["metrics"][name], EvaluateOptions::default()));
        assert_eq!(evaluation, again);
        let json = serde_json::to_string(&evaluation).unwrap();
        // The points of the curves have a separate file, and rows are counted by the caller.
        assert_eq!(evaluation.curve.is_empty(), !name.starts_with("binary"));
        assert_eq!(
            serde_json::from_str::<Evaluation>(&json).unwrap(),
            Evaluation { curve: Vec::new(), class_rows: Vec::new(), ..evaluation }
        );
    }
}

/// The two kinds of interval must agree where both are possible.
#[test]
fn the_jackknife_agrees_with_the_bootstrap() {
    use crate::score::interval::{Resample, estimates_by_jackknife};
    let reference = reference();
    let check = |rows: &dyn Fn(bool) -> Vec<(Metric, crate::score::Estimate)>| {
        for ((metric, smooth), (_, resampled)) in rows(true).into_iter().zip(rows(false)) {
            let width = |e: &crate::score::Estimate| e.high.unwrap() - e.low.unwrap();
            let ratio = width(&smooth) / width(&resampled);
            assert!((0.8..1.25).contains(&ratio), "{metric}: {smooth:?} {resampled:?}");
        }
    };
    fn both(rows: &impl Resample, smooth: bool) -> Vec<(Metric, crate::score::Estimate)> {
        if smooth {
            estimates_by_jackknife(rows, None)
        } else {
            super::interval::estimates(rows, None, EvaluateOptions { seed: 3, ..Default::default() })
        }
    }
    let binary = &reference["metrics"]["binary_weights"];
    let positive: Vec<bool> = numbers(&binary["y"]).iter().map(|y| *y == 1.0).collect();
    let (scores, weights) = (numbers(&binary["scores"]), numbers(&binary["weights"]));
    check(&|smooth| both(&super::binary::Rows::new(&positive, &scores, Some(&weights), 0.5), smooth));
    let multi = &reference["metrics"]["multiclass_weights"];
    let truth: Vec<u32> = numbers(&multi["y"]).iter().map(|y| *y as u32).collect();
    let (scores, weights) = (numbers(&multi["scores"]), numbers(&multi["weights"]));
    let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
    check(&|smooth| both(&super::multiclass::Rows::new(&names, &truth, &scores, Some(&weights)), smooth));
    let numeric = &reference["metrics"]["regression"];
    let (truth, scores) = (numbers(&numeric["y"]), numbers(&numeric["scores"]));
    check(&|smooth| both(&super::regression::Rows::new(&truth, &scores, None), smooth));
}

#[test]
fn a_large_table_takes_the_jackknife() {
    let n = MAX_VISITS / 200 + 1;
    let y: Vec<f64> = (0..n).map(|i| (i % 10 == 0) as u8 as f64).collect();
    let scores: Vec<f64> = (0..n).map(|i| ((i * 7919) % 1000) as f64 / 1000.0).collect();
    let classes = ["no".to_owned(), "yes".to_owned()];
    let reading =
        Reading { task: Task::Binary, classes: &classes, y: &y, scores: &scores, weights: None, threshold: 0.5 };
    let evaluation = evaluate(&reading, None, EvaluateOptions::default()).unwrap();
    let auc = evaluation.metrics.get(Metric::RocAuc).unwrap();
    assert_eq!(auc.method, Some(Method::Jackknife));
    assert!(auc.high.unwrap() - auc.low.unwrap() < 0.02);
}

#[test]
fn one_row_or_equal_rows_have_values_and_no_interval_without_width() {
    let classes = ["no".to_owned(), "yes".to_owned()];
    for n in [1, 40] {
        let (y, scores) = (vec![0.0; n], vec![0.2; n]);
        let reading =
            Reading { task: Task::Binary, classes: &classes, y: &y, scores: &scores, weights: None, threshold: 0.5 };
        let metrics = evaluate(&reading, None, EvaluateOptions::default()).unwrap().metrics;
        assert!(metrics.iter().all(|(_, found)| found.low.is_none() || found.low < found.high), "{metrics:?}");
        let loss = metrics.get(Metric::LogLoss).unwrap();
        close("log loss", loss.value.unwrap(), -(0.8_f64.ln()));
        assert_eq!((loss.low, loss.high, loss.method), (None, None, None), "{n}");
        let accuracy = metrics.get(Metric::Accuracy).unwrap();
        assert!(
            accuracy.high == Some(1.0) && accuracy.low < Some(0.95),
            "Wilson's interval needs no spread: {accuracy:?}"
        );
    }
}

#[test]
fn what_cannot_be_told_says_why() {
    let reference = reference();
    let evaluation = case(&reference["metrics"]["binary_all_negative"], EvaluateOptions::default());
    let auc = evaluation.metrics.get(Metric::RocAuc).unwrap();
    assert_eq!((auc.value, auc.low, auc.note.as_deref()), (None, None, Some("no row is positive")));
    let text = metrics_table(&evaluation, None);
    assert!(text.lines().any(|l| l.starts_with("roc_auc") && l.ends_with("no row is positive")), "{text}");
    let absent = case(&reference["metrics"]["multiclass_absent"], NO_INTERVALS);
    let note = absent.metrics.get(Metric::RocAucMacro).unwrap().note.clone().unwrap();
    assert_eq!(note, "left out because they have no rows: \"2\", \"4\"");
}

#[test]
fn a_share_of_one_keeps_an_interval() {
    let reference = reference();
    let evaluation = case(&reference["metrics"]["binary_perfect"], EvaluateOptions::default());
    let recall = evaluation.metrics.get(Metric::Recall).unwrap();
    assert_eq!((recall.value, recall.high, recall.method), (Some(1.0), Some(1.0), Some(Method::Wilson)));
    // statsmodels proportion_confint(2, 2, method="wilson")
    close("low", recall.low.unwrap(), 0.342_380_227_3);
}

#[test]
fn the_baseline_stands_beside() {
    let classes = ["no".to_owned(), "yes".to_owned()];
    let baseline = Baseline::fit(2, &[0.0, 0.0, 0.0, 1.0, f64::NAN], None);
    assert_eq!(baseline, Baseline::ClassShares { shares: vec![0.75, 0.25] });
    let reading = Reading {
        task: Task::Binary,
        classes: &classes,
        y: &[0.0, 1.0, 0.0, 1.0],
        scores: &[0.2, 0.9, 0.4, 0.6],
        weights: None,
        threshold: 0.5,
    };
    let evaluation = evaluate(&reading, Some(&baseline), NO_INTERVALS).unwrap();
    let beside = &evaluation.baseline.as_ref().unwrap().metrics;
    assert_eq!(beside.get(Metric::RocAuc), Some(&Some(0.5)));
    assert_eq!(beside.get(Metric::Accuracy), Some(&Some(0.5)));
    close("log loss", beside.get(Metric::LogLoss).unwrap().unwrap(), -(0.75_f64.ln() + 0.25_f64.ln()) / 2.0);
    let text = render(&evaluation, None);
    assert!(text.contains("roc_auc                1.0000"), "{text}");
    assert!(text.contains("true \\ predicted   no  yes\nno                  2    0\n"), "{text}");
    assert_eq!(Baseline::fit(0, &[1.0, f64::NAN, 4.0], Some(&[1.0, 9.0, 2.0])), Baseline::Mean { mean: 3.0 });
}

#[test]
fn unusable_input_is_an_error() {
    let classes = ["no".to_owned(), "yes".to_owned()];
    let good = Reading {
        task: Task::Binary,
        classes: &classes,
        y: &[0.0, 1.0],
        scores: &[0.5, 0.5],
        weights: None,
        threshold: 0.5,
    };
    let text = |reading: Reading<'_>| evaluate(&reading, None, NO_INTERVALS).unwrap_err().to_string();
    assert_eq!(text(Reading { y: &[], scores: &[], ..good }), "no rows to evaluate");
    assert_eq!(text(Reading { scores: &[0.5], ..good }), "scores: 1 values for 2 expected");
    assert!(text(Reading { y: &[0.0, f64::NAN], ..good }).starts_with("row 1: the true value NaN is not 0 or 1"));
    assert!(text(Reading { y: &[0.0, 2.0], ..good }).starts_with("row 1: the true value 2 is not 0 or 1"));
    assert_eq!(text(Reading { scores: &[0.5, 1.5], ..good }), "row 1: the score 1.5 is not a probability");
    assert_eq!(
        text(Reading { weights: Some(&[1.0, -1.0]), ..good }),
        "row 1: the weight -1 is not a number of at least 0"
    );
    assert_eq!(text(Reading { weights: Some(&[0.0, 0.0]), ..good }), "the weights of all 2 rows are 0");
}

/// Draws many small tables with known true values: about 95 % of the intervals should contain them.
#[test]
fn intervals_cover_the_truth() {
    use rand::Rng;
    const N_TABLES: u64 = 200;
    let classes = ["no".to_owned(), "yes".to_owned()];
    let options = EvaluateOptions { seed: 1, max_replicates: 200, ..Default::default() };
    let (mut held, mut smooth_held) = ([0; 3], [0; 3]);
    for table in 0..N_TABLES {
        let mut rng = crate::stats::random::rng(table, "coverage");
        let (mut y, mut scores) = (Vec::new(), Vec::new());
        for _ in 0..150 {
            let positive = rng.r#gen::<f64>() < 0.3;
            // Uniform scores, the higher of two draws for positives: P(positive > negative) = 2/3.
            let (a, b) = (rng.r#gen::<f64>(), rng.r#gen::<f64>());
            y.push(if positive { 1.0_f64 } else { 0.0 });
            scores.push(if positive { a.max(b) } else { a });
        }
        let reading =
            Reading { task: Task::Binary, classes: &classes, y: &y, scores: &scores, weights: None, threshold: 0.5 };
        let truths = [(Metric::RocAuc, 2.0 / 3.0), (Metric::Recall, 0.75), (Metric::Specificity, 0.5)];
        let positive: Vec<bool> = y.iter().map(|y| *y == 1.0).collect();
        let rows = super::binary::Rows::new(&positive, &scores, None, 0.5);
        let smooth = crate::score::Metrics::new(crate::score::interval::estimates_by_jackknife(&rows, None));
        let evaluation = evaluate(&reading, None, options).unwrap();
        for (at, (metric, truth)) in truths.into_iter().enumerate() {
            let holds = |e: &crate::score::Estimate| e.low.unwrap() <= truth && truth <= e.high.unwrap();
            held[at] += u64::from(holds(evaluation.metrics.get(metric).unwrap()));
            smooth_held[at] += u64::from(holds(smooth.get(metric).unwrap()));
        }
    }
    // Two standard errors of a share of .95 among 200 are .03; percentile intervals of few positives are a bit short.
    for share in held.into_iter().chain(smooth_held).map(|n| n as f64 / N_TABLES as f64) {
        assert!((0.905..=0.99).contains(&share), "bootstrap {held:?}, jackknife {smooth_held:?}");
    }
}

/// Twenty rows of each of 60 customers whose answers are right or wrong together: intervals have their nominal
/// coverage.
#[test]
fn intervals_by_entity_hold_the_truth_where_rows_go_together() {
    use crate::score::evaluate_entities;
    use rand::Rng;
    const N_TABLES: u64 = 100;
    let classes = ["no".to_owned(), "yes".to_owned()];
    let entities: Vec<u32> = (0..1200).map(|row| row / 20).collect();
    let mut held = [0; 3];
    for table in 0..N_TABLES {
        let mut rng = crate::stats::random::rng(table, "coverage by entity");
        let (mut y, mut scores) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            let right = rng.r#gen::<f64>() < 0.8;
            for _ in 0..20 {
                let positive = rng.r#gen::<f64>() < 0.5;
                y.push(if positive { 1.0_f64 } else { 0.0 });
                scores.push(if positive == right { 0.9 } else { 0.1 });
            }
        }
        let reading =
            Reading { task: Task::Binary, classes: &classes, y: &y, scores: &scores, weights: None, threshold: 0.5 };
        let drawn = EvaluateOptions { seed: table, max_replicates: 200, max_visits: MAX_VISITS };
        let smooth = EvaluateOptions { max_visits: 0, ..drawn };
        let ways = [(None, drawn), (Some(entities.as_slice()), drawn), (Some(entities.as_slice()), smooth)];
        for (held, (entities, options)) in held.iter_mut().zip(ways) {
            let found = evaluate_entities(&reading, entities, None, options).unwrap();
            let accuracy = found.metrics.get(Metric::Accuracy).unwrap();
            *held += u64::from(accuracy.low.unwrap() <= 0.8 && 0.8 <= accuracy.high.unwrap());
        }
    }
    assert!(held[0] < 50, "row by row: {held:?} of 100");
    assert!(held[1] >= 88 && held[2] >= 88, "{held:?} of 100");
    let one = [0_u32; 2];
    let reading = Reading {
        task: Task::Binary,
        classes: &classes,
        y: &[0.0, 1.0],
        scores: &[0.1, 0.4],
        weights: None,
        threshold: 0.5,
    };
    let alone = evaluate_entities(&reading, Some(&one), None, EvaluateOptions::default()).unwrap();
    assert_eq!(alone.metrics.get(Metric::Brier).unwrap().low, None, "of one customer nothing is known");
}
