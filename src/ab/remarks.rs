//! Notes on the values of an outcome: missing values, and values that are all alike.

use super::units::{Kind, Outcome, Units};
use crate::stats::contrast::homogeneity;
use crate::table::has_word;

/// The notes on an analysed outcome.
pub(super) fn of(units: &Units, outcome: &Outcome) -> Vec<String> {
    if outcome.untold.is_some() {
        return Vec::new();
    }
    let one_sided = one_sided(outcome).or_else(|| of_buyers(outcome));
    unevenly_missing(units, outcome).into_iter().chain(one_sided).collect()
}

/// If every unit or no unit has the outcome, arms cannot be distinguished; often the table contains only units with the
/// outcome.
fn one_sided(outcome: &Outcome) -> Option<String> {
    let known = || outcome.y.iter().filter(|y| !y.is_nan());
    let (n, ones) = (known().count(), known().filter(|y| **y == 1.0).count());
    if outcome.kind != Kind::Share || n == 0 || (ones > 0 && ones < n) {
        return None;
    }
    let name = &outcome.name;
    Some(match (ones == 0, n < outcome.y.len()) {
        (true, _) => format!(
            "no unit of any arm has a value of {name:?}: check that it is the right column, and \
                              that the outcomes are known by now"
        ),
        (false, true) => {
            format!("every known value of {name:?} is 1: if a missing value means 0, add --missing-zero")
        }
        (false, false) => format!(
            "every value of {name:?} is 1: the table may contain only units with this outcome; the other units are \
             needed too"
        ),
    })
}

/// Names of outcomes that most units do not have; such units are often missing from the table.
const MONEY: [&str; 16] = [
    "revenue",
    "spend",
    "spent",
    "sales",
    "sale",
    "amount",
    "order",
    "orders",
    "purchase",
    "purchases",
    "gmv",
    "basket",
    "payment",
    "turnover",
    "umsatz",
    "income",
];

/// If all values are positive, the mean may be per buyer: then arms are compared by spending per buyer, whatever the
/// number of buyers.
fn of_buyers(outcome: &Outcome) -> Option<String> {
    /// From this share on, missing values are assumed to be normal.
    const MOST: f64 = 0.5;
    let known = || outcome.y.iter().filter(|y| !y.is_nan());
    let (n, n_missing) = (known().count(), outcome.y.len() - known().count());
    if outcome.kind != Kind::Mean || n == 0 || known().any(|y| *y <= 0.0) {
        return None;
    }
    let (name, share) = (&outcome.name, n_missing as f64 / outcome.y.len() as f64);
    let is_money = has_word(name, &MONEY);
    if share >= MOST || (n_missing > 0 && is_money) {
        return Some(format!(
            "every known value of {name:?} is above 0, and {n_missing} of {} units have none: if a missing value means 0, add \
             --missing-zero",
            outcome.y.len()
        ));
    }
    (is_money && n_missing == 0).then(|| {
        format!(
            "every value of {name:?} is above 0: the table may contain only units that have one; then add the other units, \
             with 0 or a missing value and --missing-zero"
        )
    })
}

/// An outcome that is missing more often in one arm than in another biases every comparison.
fn unevenly_missing(units: &Units, outcome: &Outcome) -> Option<String> {
    let (all, missing) = (units.counts(), units.count(|unit| !outcome.is_known(unit)));
    let by_arm = |counts: &[Vec<f64>]| {
        (0..units.arms.len()).map(|arm| counts.iter().map(|stratum| stratum[arm]).sum::<f64>()).collect::<Vec<f64>>()
    };
    let groups: Vec<(f64, f64)> = by_arm(&missing).into_iter().zip(by_arm(&all)).collect();
    let test = homogeneity(&groups);
    let shares: Vec<String> = groups.iter().map(|(k, n)| format!("{:.1} %", 100.0 * k / n)).collect();
    (test.p < 0.001).then(|| {
        format!(
            "{:?} is missing more often in one arm than in another ({}): the missing units may bias the result",
            outcome.name,
            shares.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ab::experiment::Goal;

    #[test]
    fn a_mean_of_buyers_alone_is_told() {
        let told = |name: &str, y: &[f64]| of_buyers(&Outcome::new(name, Goal::Higher, y.to_vec()));
        let (none, some) = (f64::NAN, 12.5);
        let blank = told("latency", &[none, none, some, none, 3.0]).unwrap();
        assert!(blank.contains("3 of 5 units have none") && blank.ends_with("--missing-zero"), "{blank}");
        assert!(told("Order Amount", &[none, 7.0, some, 8.0, 3.0]).unwrap().contains("1 of 5 units"));
        assert!(told("total_revenue", &[7.0, some, 3.0]).unwrap().contains("only units that have one"));
        for (name, y) in [
            ("revenue", [0.0, some, 3.0]),
            ("revenue", [-1.0, none, 3.0]),
            ("latency", [none, some, 3.0]),
            ("latency", [7.0, some, 3.0]),
            ("spend", [none, none, none]),
        ] {
            assert_eq!(told(name, &y), None, "{name} {y:?}");
        }
    }
}
