use super::{Operating, ThresholdRule, choose};
use crate::score::{Confusion, ScoreError};

const Y: [f64; 10] = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0];
const SCORES: [f64; 10] = [0.05, 0.1, 0.2, 0.2, 0.3, 0.5, 0.5, 0.5, 0.9, 0.95];

fn chosen(rule: ThresholdRule) -> Operating {
    choose(rule, &Y, &SCORES, None).unwrap()
}

/// Evaluates every distinct cut of the rows naively.
fn by_hand(worth: impl Fn(&Confusion) -> f64) -> f64 {
    let worths = [0.0, 0.07, 0.15, 0.25, 0.4, 0.6, 0.92, 2.0].map(|t| {
        let truth = Y.map(|y| y as u32);
        let predicted = SCORES.map(|s| u32::from(s >= t));
        worth(&Confusion::count(2, &truth, &predicted, None))
    });
    worths.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

/// Without the one-standard-error rule the lowest score would be the threshold: every row positive.
#[test]
fn a_highest_f1_that_is_chance_does_not_decide() {
    // Positives from .3 to .9, negatives from .1 to .7 in the same steps; one positive at the very bottom.
    let mut rows: Vec<(f64, f64)> = (0..30).map(|i| (0.3 + 0.02 * f64::from(i), 1.0)).collect();
    rows.extend((0..30).map(|i| (0.11 + 0.02 * f64::from(i), 0.0)));
    let (scores, y): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
    let found = choose(ThresholdRule::F1, &y, &scores, None).unwrap();
    let highest = (0..=100).map(|t| fixed_f1(&y, &scores, f64::from(t) / 100.0)).fold(0.0, f64::max);
    assert!((found.threshold - highest / 2.0).abs() < 0.011, "{found:?}");
    assert!(found.f1 > highest - 0.05 && found.f1 < highest + 1e-12, "{found:?}");
}

fn fixed_f1(y: &[f64], scores: &[f64], threshold: f64) -> f64 {
    choose(ThresholdRule::Fixed(threshold), y, scores, None).unwrap().f1
}

#[test]
fn rules_find_what_counting_finds() {
    let f1 = chosen(ThresholdRule::F1);
    assert_eq!(f1.f1, by_hand(|m| m.class(1, 0.0).f1));
    assert_eq!(f1.threshold, 0.4);
    let cost = ThresholdRule::Cost { cost_fp: 1.0, cost_fn: 10.0 };
    let found = chosen(cost);
    let lowest = by_hand(|m| -(m.cell(0, 1) + 10.0 * m.cell(1, 0)));
    let spent = |o: &Operating| (o.alerts * 10.0 - o.recall * 4.0) + 10.0 * (4.0 - o.recall * 4.0);
    assert!((spent(&found) + lowest).abs() < 1e-12, "{found:?}");
    assert!((found.threshold - 0.15).abs() < 1e-12);
    let accuracy = chosen(ThresholdRule::Accuracy);
    let right = |o: &Operating| (o.recall * 4.0 + 6.0 - (o.alerts * 10.0 - o.recall * 4.0)) / 10.0;
    assert!((right(&accuracy) - by_hand(Confusion::accuracy)).abs() < 1e-12);
    let youden = chosen(ThresholdRule::Youden);
    assert!((youden.threshold - 0.4).abs() < 1e-12);
}

#[test]
fn budgets_and_floors_hold() {
    // Three rows share the score .5: two alerts fit into 40 %, five do not.
    let alerts = chosen(ThresholdRule::Alerts(0.4));
    assert_eq!((alerts.alerts, alerts.threshold), (0.2, 0.7));
    assert_eq!(chosen(ThresholdRule::Alerts(1.0)).threshold, 0.0);
    let none = chosen(ThresholdRule::Alerts(0.05));
    assert_eq!(none.alerts, 0.0);
    assert!(none.threshold > 0.95 && none.threshold < 1.0);
    assert_eq!(chosen(ThresholdRule::Recall(0.75)).alerts, 0.5);
    assert_eq!(chosen(ThresholdRule::Recall(0.76)).alerts, 0.8);
    let precise = chosen(ThresholdRule::Precision(0.6));
    assert_eq!((precise.precision, precise.recall), (0.6, 0.75));
    let error = choose(ThresholdRule::Precision(0.9), &Y, &SCORES, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no threshold reaches precision of at least 0.9: the best value on 10 rows is 0.6000"
    );
}

#[test]
fn a_fixed_threshold_is_kept_and_read_as_at_least() {
    let found = chosen(ThresholdRule::Fixed(0.5));
    assert_eq!((found.threshold, found.alerts), (0.5, 0.5));
    assert_eq!(chosen(ThresholdRule::Fixed(0.0)).alerts, 1.0);
    assert_eq!(chosen(ThresholdRule::Fixed(1.0)).alerts, 0.0);
}

#[test]
fn neighbouring_numbers_are_still_parted() {
    let low = 0.3_f64;
    let found = choose(ThresholdRule::F1, &[0.0, 1.0], &[low, low.next_up()], None).unwrap();
    assert!(low < found.threshold && low.next_up() >= found.threshold);
    let found = choose(ThresholdRule::Alerts(0.0), &[0.0, 1.0], &[1.0, 1.0], None).unwrap();
    assert!(found.threshold > 1.0);
}

#[test]
fn weights_count() {
    let weights = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 100.0];
    let found = choose(ThresholdRule::Accuracy, &Y, &SCORES, Some(&weights)).unwrap();
    assert_eq!(found.alerts, 0.0);
}

#[test]
fn one_class_and_bad_rules_are_errors() {
    let error = choose(ThresholdRule::F1, &[0.0, 0.0], &[0.1, 0.2], None).unwrap_err();
    assert_eq!(error, ScoreError::OneClass { rows: 2, class: "negative" });
    assert!(choose(ThresholdRule::Alerts(0.5), &[0.0, 0.0], &[0.1, 0.2], None).is_ok());
    assert!(choose(ThresholdRule::Recall(1.5), &Y, &SCORES, None).is_err());
    assert!(choose(ThresholdRule::F1, &[0.0, 2.0], &[0.1, 0.2], None).is_err());
    assert!(choose(ThresholdRule::F1, &[0.0, 1.0], &[0.1, f64::NAN], None).is_err());
}

#[test]
fn rules_are_written_as_in_the_config() {
    #[derive(serde::Deserialize, serde::Serialize, PartialEq, Debug)]
    struct Config {
        threshold: ThresholdRule,
    }
    for (text, rule) in [
        ("threshold = \"f1\"\n", ThresholdRule::F1),
        ("threshold = 0.35\n", ThresholdRule::Fixed(0.35)),
        ("threshold = { cost_fp = 1, cost_fn = 10.5 }\n", ThresholdRule::Cost { cost_fp: 1.0, cost_fn: 10.5 }),
        ("threshold = { alerts = 0.02 }\n", ThresholdRule::Alerts(0.02)),
    ] {
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config, Config { threshold: rule });
        assert_eq!(toml::from_str::<Config>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    for bad in ["\"f2\"", "{ alert = 0.1 }", "{ alerts = 2.0 }", "{ cost_fp = 0, cost_fn = 0 }", "-0.1", "nan"] {
        let text = toml::from_str::<Config>(&format!("threshold = {bad}")).unwrap_err().to_string();
        assert!(text.contains("threshold rule: "), "{bad}: {text}");
    }
}
