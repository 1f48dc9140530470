//! Default settings on real public tables: `init`, then `train`, with `--cv 3` for two small tables, and the figures they must reach.
//!
//! Skipped, visibly, without `../shared/data`.

use crate::support::{Loop, YES, shared};
use mlloop::stats::betting::Bets;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

/// Runs `init TABLE FLAGS` and `train FLAGS` in a fresh loop and gives train's JSON.
fn learn(table: &str, init: &str, train: &str) -> Option<(Loop, Value)> {
    let path = shared(table)?;
    let work = Loop::new();
    work.run(&format!("init {} {init}", path.display())).answers(YES);
    let value = work.run(&format!("train {train}")).answers(YES).value();
    Some((work, value))
}

/// Asserts that a metric of an evaluation is at least `least`.
#[track_caller]
fn at_least(value: &Value, evaluation: &str, metric: &str, least: f64) {
    let found = value.pointer(&format!("{evaluation}/metrics/{metric}/value")).and_then(Value::as_f64);
    let found = found.unwrap_or_else(|| panic!("{evaluation} {metric} in {value:#}"));
    eprintln!("{evaluation} {metric} {found:.4} (at least {least})");
    assert!(found >= least, "{metric} {found} is below {least}");
}

const OUT_OF_FOLD: &str = "/cross_validation/out_of_fold";

#[test]
fn telco_churn() {
    let Some((_, value)) = learn("telco_ibm/Telco-Customer-Churn.csv", "", "--cv 3") else { return };
    at_least(&value, OUT_OF_FOLD, "roc_auc", 0.84);
}

#[test]
fn uci_credit_default() {
    let Some((_, value)) = learn("uci_credit_default/UCI_Credit_Card.csv", "", "") else { return };
    at_least(&value, "/gate", "roc_auc", 0.778);
}

#[test]
fn bank_marketing() {
    let Some((_, value)) = learn("bank_marketing/bank-full.csv", "", "") else { return };
    at_least(&value, "/gate", "roc_auc", 0.932);
}

#[test]
fn adult_on_its_own_test_file() {
    let Some(test) = shared("adult/adult-test.csv") else { return };
    let train = format!("--test {}", test.display());
    let Some((_, value)) = learn("adult/adult-train.csv", "--no-header", &train) else { return };
    at_least(&value, "/test", "roc_auc", 0.925);
}

#[test]
fn bike_hour_without_the_columns_that_add_up_to_the_count() {
    let Some((work, value)) = learn("bike_sharing/hour.csv", "--target cnt", "") else { return };
    at_least(&value, "/gate", "r2", 0.945);
    let config = work.read("mlloop.toml");
    for leak in ["\"casual\" = \"ignore\"", "\"registered\" = \"ignore\""] {
        assert!(config.contains(leak), "{leak} in\n{config}");
    }
}

#[test]
fn red_wine_as_classes_with_identical_rows_on_one_side() {
    let Some((_, value)) = learn("wine_quality/winequality-red.csv", "", "--cv 3") else { return };
    at_least(&value, OUT_OF_FOLD, "accuracy", 0.60);
}

/// Electricity prices of New South Wales drift for two years: from a model of the first weeks on, when does the loss alarm
/// see it, and when a rule that tests the last 200 labels each week anew?
#[test]
fn elec2_drifts_and_the_loss_alarm_sees_it() {
    const REFERENCE: usize = 6_000;
    const WEEK: usize = 336;
    let Some(path) = shared("elec2/elec.csv") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let table = |from: usize, n: usize| {
        let lines = rows.lines().enumerate().skip(from).take(n).map(|(id, line)| format!("r{id},{line}\n"));
        format!("id,{header}\n{}", lines.collect::<String>())
    };
    let work = Loop::new().table("reference.csv", table(0, REFERENCE)).table("stream.csv", table(REFERENCE, 60 * WEEK));
    work.run("init reference.csv --target class").answers(YES);
    let trained = work.run("train --algorithm decision-tree").answers(YES).value();
    let brier = |end: &str| trained["gate"]["metrics"]["brier"][end].as_f64().unwrap();
    let limit = brier("high").max(1.1 * brier("value"));
    work.run("predict stream.csv --columns class,score -o scored.csv").answers(YES);
    let scored = work.read("scored.csv");
    let loss = |line: &str| {
        let (class, score) = line.split_once(',').unwrap();
        (score.parse::<f64>().unwrap() - class.parse::<f64>().unwrap()).powi(2)
    };
    let losses: Vec<f64> = scored.lines().skip(1).map(loss).collect();
    // Of each week's rows 56 are labelled, one in six.
    let labelled: Vec<f64> = losses.iter().copied().skip(1).step_by(6).collect();
    let alarm = |losses: &[f64]| {
        let mut bets = Bets::above(limit);
        losses.chunks(WEEK / 6).position(|week| {
            bets.open();
            week.iter().for_each(|loss| bets.take(*loss, 1.0));
            bets.are_won(0.05)
        })
    };
    let fixed = |losses: &[f64]| {
        (200..=losses.len()).step_by(WEEK / 6).position(|end| {
            let last = &losses[end - 200..end];
            let mean = last.iter().sum::<f64>() / 200.0;
            let variance = last.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / 199.0;
            (mean - limit) / (variance / 200.0).sqrt() > 1.645
        })
    };
    // A stream without drift: losses that are as large as the limit at most, in an order of their own.
    let mean = labelled.iter().sum::<f64>() / labelled.len() as f64;
    let quiet = |seed: u64| -> Vec<f64> {
        let mut order = labelled.clone();
        order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
        order.iter().map(|loss| loss * (limit / mean).min(1.0)).collect()
    };
    let false_alarms =
        |rule: &dyn Fn(&[f64]) -> Option<usize>| (0..100).filter(|seed| rule(&quiet(*seed)).is_some()).count();
    let found = [alarm(&labelled), fixed(&labelled)];
    let wrong = [false_alarms(&|losses| alarm(losses)), false_alarms(&|losses| fixed(losses))];
    eprintln!(
        "elec2: loss {mean:.3}, limit {limit:.3}; weeks until the alarm, and by a fixed rule: {found:?}; false alarms of 100 quiet streams: {wrong:?}"
    );
    assert!(found[0].is_some_and(|week| week < 30), "{found:?}");
    assert!(wrong[0] <= 8 && wrong[1] > 2 * wrong[0], "{wrong:?}");
}
