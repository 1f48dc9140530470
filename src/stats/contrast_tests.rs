use super::{Test, fit, holm, homogeneity, two_proportions, welch};
use crate::stats::bivariate::Bivariate;
use serde_json::Value;

pub(crate) fn reference() -> Value {
    serde_json::from_str(include_str!("../../fixtures/reference/ab.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(crate) fn close(what: &str, found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    let gap = (found - expected).abs();
    assert!(gap <= 1e-9 * expected.abs() || gap < 1e-12, "{what}: {found} is not {expected}");
}

fn pairs(y: &Value, x: &Value) -> Bivariate {
    let mut all = Bivariate::default();
    numbers(y).into_iter().zip(numbers(x)).for_each(|(y, x)| all.push(y, x));
    all
}

#[test]
fn proportions_are_those_of_statsmodels() {
    for case in reference()["proportions"].as_array().unwrap() {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let test = two_proportions((a[0], a[1]), (b[0], b[1]));
        close("z", test.statistic, &case["z"]);
        close("p", test.p, &case["p"]);
    }
    assert!(two_proportions((0.0, 10.0), (0.0, 12.0)).p.is_nan());
}

#[test]
fn counts_are_tested_as_scipy_does() {
    for case in reference()["homogeneity"].as_array().unwrap() {
        let groups: Vec<(f64, f64)> =
            case["groups"].as_array().unwrap().iter().map(numbers).map(|g| (g[0], g[1])).collect();
        let test = homogeneity(&groups);
        close("statistic", test.statistic, &case["statistic"]);
        close("freedom", test.freedom.unwrap(), &case["freedom"]);
        close("p", test.p, &case["p"]);
    }
    for case in reference()["fit"].as_array().unwrap() {
        let test = fit(&numbers(&case["observed"]), &numbers(&case["shares"]));
        close("statistic", test.statistic, &case["statistic"]);
        close("p", test.p, &case["p"]);
    }
    let Test { statistic, p, .. } = fit(&[10.0, 1.0], &[1.0, 0.0]);
    assert!(statistic.is_infinite() && p == 0.0, "somebody in an arm that has no weight");
    assert_eq!(fit(&[10.0, 0.0, 11.0], &[0.5, 0.0, 0.5]).freedom, Some(1.0));
}

#[test]
fn means_and_ratios_are_those_of_scipy_and_numpy() {
    for case in reference()["means"].as_array().unwrap() {
        let (a, b) = (pairs(&case["a"], &case["pre_a"]), pairs(&case["b"], &case["pre_b"]));
        let test = welch(&a, &b);
        close("t", test.statistic, &case["t"]);
        close("freedom", test.freedom.unwrap(), &case["freedom"]);
        close("p", test.p, &case["p"]);
        for (side, expected) in [(a, &case["ratio_a"]), (b, &case["ratio_b"])] {
            close("ratio", side.ratio(), &expected[0]);
            close("its variance", side.ratio_variance(), &expected[1]);
        }
    }
    let mut constant = Bivariate::default();
    (0..5).for_each(|_| constant.push(2.0, 1.0));
    assert!(welch(&constant, &constant).p.is_nan());
}

#[test]
fn several_tests_are_adjusted_as_statsmodels_does() {
    for case in reference()["holm"].as_array().unwrap() {
        let adjusted = holm(&numbers(&case["p"]));
        adjusted.iter().zip(case["adjusted"].as_array().unwrap()).for_each(|(a, b)| close("holm", *a, b));
    }
    assert!(holm(&[f64::NAN, 0.02])[1] == 0.02);
}
