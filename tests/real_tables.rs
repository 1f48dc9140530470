//! Default settings on real public tables: `init`, then `train --cv 5`, and the figures they must reach.
//!
//! Skipped, visibly, without `../shared/data`.

use crate::support::{Loop, YES, shared};
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
    let Some((_, value)) = learn("telco_ibm/Telco-Customer-Churn.csv", "", "--cv 5") else { return };
    at_least(&value, OUT_OF_FOLD, "roc_auc", 0.84);
}

#[test]
fn uci_credit_default() {
    let Some((_, value)) = learn("uci_credit_default/UCI_Credit_Card.csv", "", "--cv 5") else { return };
    at_least(&value, OUT_OF_FOLD, "roc_auc", 0.778);
}

#[test]
fn bank_marketing() {
    let Some((_, value)) = learn("bank_marketing/bank-full.csv", "", "--cv 5") else { return };
    at_least(&value, OUT_OF_FOLD, "roc_auc", 0.932);
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
    let Some((work, value)) = learn("bike_sharing/hour.csv", "--target cnt", "--cv 5") else { return };
    at_least(&value, OUT_OF_FOLD, "r2", 0.945);
    let config = work.read("mlloop.toml");
    for leak in ["\"casual\" = \"ignore\"", "\"registered\" = \"ignore\""] {
        assert!(config.contains(leak), "{leak} in\n{config}");
    }
}

#[test]
fn red_wine_as_classes_with_identical_rows_on_one_side() {
    let Some((_, value)) = learn("wine_quality/winequality-red.csv", "", "--cv 5") else { return };
    at_least(&value, OUT_OF_FOLD, "accuracy", 0.60);
}
