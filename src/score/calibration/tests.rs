use rand::Rng;

use super::{Calibration, CalibrationRule, isotonic_regression, reliability, sigmoid};
use crate::score::binary::{log_loss, roc_auc};
use crate::score::tests::{close, numbers, reference};
use crate::stats::random;

/// Scores whose true probability is `truth(score)`.
fn rows(n: usize, truth: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    let mut rng = random::rng(1, "calibration test");
    let scores: Vec<f64> = (0..n).map(|_| rng.r#gen::<f64>()).collect();
    let y = scores.iter().map(|s| if rng.r#gen::<f64>() < truth(*s) { 1.0 } else { 0.0 }).collect();
    (y, scores)
}

fn positive(y: &[f64]) -> Vec<bool> {
    y.iter().map(|y| *y == 1.0).collect()
}

fn fit(rule: CalibrationRule, y: &[f64], scores: &[f64]) -> super::Fitted {
    Calibration::fit(rule, 2, y, scores, None, 0).unwrap()
}

#[test]
fn isotonic_regression_agrees_with_scikit_learn() {
    for case in reference()["isotonic"].as_array().unwrap() {
        let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
        let ours = isotonic_regression(&numbers(&case["values"]), weights.as_deref());
        for (ours, theirs) in ours.into_iter().zip(numbers(&case["fitted"])) {
            close("isotonic", ours, theirs);
        }
    }
}

#[test]
fn the_sigmoid_agrees_with_scikit_learn() {
    for case in reference()["platt"].as_array().unwrap() {
        let weights = (!case["weights"].is_null()).then(|| numbers(&case["weights"]));
        let (f, y) = (numbers(&case["values"]), numbers(&case["y"]));
        let points: Vec<_> =
            (0..f.len()).map(|i| (f[i], y[i] == 1.0, weights.as_ref().map_or(1.0, |w| w[i]))).collect();
        let (a, b) = sigmoid(&points).unwrap();
        // scikit-learn's minimiser stops early; with the same function minimised fully, more digits agree.
        assert!((a - case["sklearn"][0].as_f64().unwrap()).abs() < 1e-4, "{a}");
        assert!((b - case["sklearn"][1].as_f64().unwrap()).abs() < 1e-4, "{b}");
        assert!((a - case["exact"][0].as_f64().unwrap()).abs() < 1e-7, "{a}");
        assert!((b - case["exact"][1].as_f64().unwrap()).abs() < 1e-7, "{b}");
    }
}

#[test]
fn reliability_agrees_with_scikit_learn() {
    for case in reference()["reliability"].as_array().unwrap() {
        let y: Vec<bool> = numbers(&case["y"]).iter().map(|y| *y == 1.0).collect();
        let report = reliability(&y, &numbers(&case["scores"]), None, 10);
        let (observed, predicted) = (numbers(&case["observed"]), numbers(&case["predicted"]));
        assert_eq!(report.bins.len(), observed.len());
        for (bin, (observed, predicted)) in report.bins.iter().zip(observed.into_iter().zip(predicted)) {
            close("observed", bin.observed, observed);
            close("predicted", bin.mean_score, predicted);
        }
    }
    assert!(reliability(&[], &[], None, 10).ece.is_nan());
}

#[test]
fn calibrated_scores_are_left_alone() {
    let (y, scores) = rows(3000, |s| s);
    let fitted = fit(CalibrationRule::Auto, &y, &scores);
    assert_eq!(fitted.calibration, Calibration::None, "{fitted:?}");
    assert_eq!(fitted.log_loss_after, fitted.log_loss_before);
}

#[test]
fn each_bend_finds_its_method() {
    let odds = |s: f64| (s / (1.0 - s)).ln();
    let (y, scores) = rows(3000, |s| 1.0 / (1.0 + (-(2.0 * odds(s) - 1.0)).exp()));
    let fitted = fit(CalibrationRule::Auto, &y, &scores);
    let Calibration::Platt { a, b } = fitted.calibration else { panic!("{fitted:?}") };
    assert!((a + 2.0).abs() < 0.2 && (b - 1.0).abs() < 0.2, "{a} {b}");
    assert!(fitted.log_loss_after < fitted.log_loss_before);

    let (y, scores) = rows(8000, |s| {
        if s < 0.3 {
            0.05
        } else if s < 0.7 {
            0.5
        } else {
            0.6
        }
    });
    let fitted = fit(CalibrationRule::Auto, &y, &scores);
    assert!(matches!(fitted.calibration, Calibration::Isotonic { .. }), "{fitted:?}");
    for (score, truth) in [(0.15, 0.05), (0.5, 0.5), (0.85, 0.6)] {
        assert!((fitted.calibration.apply(score) - truth).abs() < 0.06);
    }
}

#[test]
fn the_roc_area_and_the_order_stay() {
    let (y, scores) = rows(4000, |s| if s < 0.5 { 0.0 } else { (2.0 * s - 1.0).powi(3) });
    let before = roc_auc(&positive(&y), &scores, None);
    for rule in [CalibrationRule::Platt, CalibrationRule::Isotonic] {
        let map = fit(rule, &y, &scores).calibration;
        let mut mapped = scores.clone();
        map.apply_all(&mut mapped, 1);
        assert!(mapped.iter().all(|p| *p > 0.0 && *p < 1.0));
        assert!((roc_auc(&positive(&y), &mapped, None) - before).abs() < 1e-12, "{map:?}");
        assert!(log_loss(&positive(&y), &mapped, None) < log_loss(&positive(&y), &scores, None));
        let ends = [0.0, 1e-9, 0.3, 0.999, 1.0].map(|s| map.apply(s));
        assert!(ends.windows(2).all(|w| w[0] <= w[1]) && ends[0] >= 0.0 && ends[4] <= 1.0);
        let json = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), map);
    }
}

#[test]
fn small_or_one_sided_tables_are_not_stretched() {
    let (y, scores) = rows(50, |s| s * s);
    assert_eq!(fit(CalibrationRule::Auto, &y, &scores).reason, "the tune part needs 60 rows and 20 of each class");
    let none = vec![0.0; 50];
    for rule in [CalibrationRule::Auto, CalibrationRule::Platt, CalibrationRule::Isotonic] {
        assert_eq!(fit(rule, &none, &scores).calibration, Calibration::None);
    }
    let (y, scores) = rows(500, |s| 1.0 - s);
    assert_eq!(fit(CalibrationRule::Platt, &y, &scores).calibration, Calibration::None);
    assert!(Calibration::fit(CalibrationRule::Auto, 2, &[1.0], &[f64::NAN], None, 0).is_err());
}

#[test]
fn classes_are_calibrated_one_against_the_rest() {
    let mut rng = random::rng(5, "three classes");
    let (mut y, mut scores) = (Vec::new(), Vec::new());
    for _ in 0..3000 {
        let logits: [f64; 3] = std::array::from_fn(|_| rng.r#gen::<f64>() * 4.0);
        let share = |sharp: f64| {
            let e = logits.map(|z| (sharp * z).exp());
            e.map(|v| v / e.iter().sum::<f64>())
        };
        // The truth is much less certain than the scores.
        let (p, draw) = (share(0.5), rng.r#gen::<f64>());
        y.push(if draw < p[0] {
            0.0
        } else if draw < p[0] + p[1] {
            1.0
        } else {
            2.0
        });
        scores.extend(share(2.0));
    }
    let fitted = Calibration::fit(CalibrationRule::Auto, 3, &y, &scores, None, 0).unwrap();
    assert!(matches!(&fitted.calibration, Calibration::PerClass { classes } if classes.len() == 3));
    assert!(fitted.log_loss_after.unwrap() < fitted.log_loss_before.unwrap() - 0.1, "{fitted:?}");
    fitted.calibration.apply_all(&mut scores, 3);
    assert!(scores.chunks(3).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
}
