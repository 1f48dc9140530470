//! Compares every method with `fixtures/reference/drift.json`, which `scripts/reference/drift.py` writes.

use serde_json::Value;

use super::Method;
use crate::stats::sample::{Cannot, Measured, Sample};
use crate::stats::{kolmogorov, levels, psi};

fn reference() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/reference/drift.json")).unwrap()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

/// The difference between a result and the peer's `[score, drift]` or null.
fn complaint(method: Method, expected: &Value, found: &Result<Measured, Cannot>) -> Option<String> {
    let agrees = match (expected[0].as_f64(), found) {
        (None, found) => found.is_err(),
        (Some(_), Err(_)) => false,
        (Some(score), Ok(found)) => {
            let near = close(method.score(found), score)
                || (method == Method::Hellinger && (found.statistic.powi(2) - score.powi(2)).abs() < 1e-14);
            near && Some(method.drifted(found, method.default_threshold())) == expected[1].as_bool()
        }
    };
    (!agrees).then(|| format!("{method}: {expected}, found {found:?}"))
}

fn sample(value: &Value) -> Sample {
    let pairs = value.as_array().unwrap().iter().map(|p| (p[0].as_f64().unwrap(), p[1].as_u64().unwrap()));
    Sample::from_weighted(pairs.collect())
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect()
}

#[test]
fn numbers_are_compared_as_the_peer_does() {
    let mut complaints = Vec::new();
    for (place, case) in reference()["numbers"].as_object().unwrap() {
        let (a, b) = (sample(&case["reference"]), sample(&case["current"]));
        for (name, expected) in case["scores"].as_object().unwrap() {
            let method: Method = name.parse().unwrap();
            let found = method.measure_numbers(&a, &b, case["integer"].as_bool().unwrap(), 0);
            complaints.extend(complaint(method, expected, &found).map(|c| format!("{place} {c}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn categories_are_compared_as_the_peer_does() {
    let mut complaints = Vec::new();
    for (place, case) in reference()["categories"].as_object().unwrap() {
        let (a, b) = (counts(&case["reference"]), counts(&case["current"]));
        let names = vec![""; a.len()];
        for (name, expected) in case["scores"].as_object().unwrap() {
            let method: Method = name.parse().unwrap();
            let found = method.measure_categories(&names, &a, &b, 0);
            complaints.extend(complaint(method, expected, &found).map(|c| format!("{place} {c}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn our_own_rules_agree_with_scipy() {
    let doc = reference();
    for case in doc["homogeneity"].as_array().unwrap() {
        let found = levels::homogeneity(&counts(&case["reference"]), &counts(&case["current"])).unwrap();
        assert!(close(found.statistic, case["statistic"].as_f64().unwrap()), "{case} {found:?}");
        assert!(close(found.p.unwrap(), case["p"].as_f64().unwrap()), "{case} {found:?}");
    }
    for case in doc["kolmogorov"].as_array().unwrap() {
        let found = kolmogorov::survival(case["n"].as_u64().unwrap(), case["d"].as_f64().unwrap());
        assert!(close(found, case["p"].as_f64().unwrap()), "{case} {found}");
    }
    let numbers = |v: &Value| v.as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect::<Vec<_>>();
    let adjusted = psi::benjamini_hochberg(&numbers(&doc["adjusted"]["p"]));
    assert!(adjusted.iter().zip(numbers(&doc["adjusted"]["q"])).all(|(&f, e)| close(f, e)));
}
