//! Compares every method with Evidently and scipy on many tables, if their results are available.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{ColumnKind, Method};
use crate::drift::probes::probes;
use crate::drift::{ColumnPair, PairValues};
use crate::profile::Profile;
use crate::stats::sample::{Cannot, Measured, Sample};
use crate::stats::{distances, location};
use crate::table::{Categories, Column, Table, Values};

/// Texts that pandas reads as missing.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan",
];

/// The tables, or `None` if they are not available.
fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/oracle");
    path.join("expected.json").exists().then_some(path)
}

fn texts(path: &Path, column: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let Some(at) = reader.headers().unwrap().iter().position(|h| h == column) else { return Vec::new() };
    let cells = reader.records().map(|r| r.unwrap()[at].to_owned());
    cells.filter(|c| !MISSING.contains(&c.as_str()) && c != "null").collect()
}

fn sample(cells: &[String]) -> Sample {
    let number = |c: &String| {
        if c == "True" {
            1.0
        } else if c == "False" {
            0.0
        } else {
            c.parse().unwrap()
        }
    };
    Sample::from_values(cells.iter().map(number).collect())
}

/// Counts over the sorted levels; numbers are levels by value.
fn count(reference: &[String], current: &[String], numbers: bool) -> (Vec<String>, Vec<u64>, Vec<u64>) {
    if numbers {
        let (a, b) = (sample(reference), sample(current));
        let all = crate::stats::pooled::steps(&a, &b).map(|s| (s.value.to_string(), s.reference, s.current));
        let mut parts = (Vec::new(), Vec::new(), Vec::new());
        for (level, r, c) in all {
            parts.0.push(level);
            parts.1.push(r);
            parts.2.push(c);
        }
        return parts;
    }
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    reference.iter().for_each(|c| counts.entry(c).or_default().0 += 1);
    current.iter().for_each(|c| counts.entry(c).or_default().1 += 1);
    let levels = counts.keys().map(|&k| k.to_owned()).collect();
    let (r, c) = counts.into_values().unzip();
    (levels, r, c)
}

fn close(found: f64, expected: f64) -> bool {
    found == expected || (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

/// One column of one pair of tables.
struct Case<'a> {
    place: String,
    column: &'a Value,
    rows: [usize; 2],
    complaints: Vec<String>,
}

impl Case<'_> {
    fn complain(&mut self, about: &str, what: String) {
        self.complaints.push(format!("{} {about}: {what}", self.place));
    }

    /// Compares with the peer's score and flag, or with its error.
    fn peer(&mut self, method: Method, expected: &Value, found: &Result<Measured, Cannot>) {
        if differs(&self.place, method) {
            return;
        }
        let score = if expected.is_string() { expected } else { &expected["score"] };
        let told = score.as_str().unwrap_or_default();
        if told.starts_with("error") || told == "nan" {
            if found.is_ok() && !answers_anyway(method, told) {
                self.complain(method.name(), format!("{told}, found {found:?}"));
            }
            return;
        }
        let Ok(measured) = found else {
            if !told.starts_with("skipped") {
                self.complain(method.name(), format!("{score}, found {found:?}"));
            }
            return;
        };
        // The peer's p-values are drawn at random.
        let distance = match method {
            Method::Tvd => &expected["tvd"],
            Method::EmpiricalMmd => &expected["mmd"],
            _ => &Value::Null,
        };
        if matches!(method, Method::Tvd | Method::EmpiricalMmd) {
            if distance.as_f64().is_some_and(|d| !close(measured.statistic, d)) {
                self.complain(method.name(), format!("{distance}, found {measured:?}"));
            }
            return;
        }
        if method == Method::CramerVonMises && self.rows[0].max(self.rows[1]) <= 20 {
            // Evidently counts in 16- or 32-bit floats; scipy's exact result is checked instead.
            return;
        }
        let Some(score) = number(score) else { return };
        // The peer's rounding of Σ√(pq) is amplified by the root, and depends on the order of its levels.
        let equal = method == Method::Hellinger && (measured.statistic.powi(2) - score.powi(2)).abs() < 1e-14;
        if !equal && !close(method.score(measured), score) {
            self.complain(method.name(), format!("{score:?}, found {measured:?}"));
        }
        let threshold = expected["threshold"].as_f64().unwrap();
        assert_eq!(threshold, method.default_threshold());
        if Some(method.drifted(measured, threshold)) != expected["drift"].as_bool() {
            self.complain(method.name(), format!("drift {}, found {measured:?}", expected["drift"]));
        }
    }

    /// Compares with scipy's statistic and p-value.
    fn scipy(&mut self, kind: &str, name: &str, found: &Result<Measured, Cannot>) {
        let expected = &self.column[kind][name];
        let (statistic, p) = match expected {
            Value::Object(_) => (number(&expected["stat"]), number(&expected["p"])),
            other => (number(other), None),
        };
        // A single level has no test, and a W without variance is pure rounding error.
        if expected["p"] == "nan" || statistic.is_some_and(|s| s > 1e30) {
            return;
        }
        let Ok(found) = found else {
            // Without a statistic there is nothing to compare; with one, a result is required.
            if statistic.is_some_and(f64::is_finite) {
                self.complain(name, format!("{expected}, found {found:?}"));
            }
            return;
        };
        if statistic.is_some_and(|s| !close(found.statistic, s)) {
            self.complain(name, format!("{expected}, found {found:?}"));
        }
        if let (Some(expected), Some(p)) = (p, found.p)
            && !close(p, expected)
        {
            self.complain(name, format!("p {expected}, found {found:?}"));
        }
    }
}

/// Cases where the peer's result is rounding error or chance, and ours differs on purpose.
fn differs(place: &str, method: Method) -> bool {
    match method {
        // Values of 1e9 and more: the peer's sums lose digits that ours keep.
        Method::TTest | Method::EppsSingleton if place == "extreme/bigoffset" => true,
        // Expanded squared distances cancel.
        Method::EmpiricalMmd => place == "const_small/tiny_std",
        // Two values: rounding decides whether the covariance has rank 1 or 2.
        Method::EppsSingleton => place.starts_with("ties_small/") && place.ends_with("_u2"),
        // Two levels on each side, but different ones: the peer drops one of the levels, whichever comes last in a set.
        Method::FisherExact => place.starts_with("num_n2/") || place == "num_n8/zero_infl",
        _ => false,
    }
}

/// Cases where our method has a result although the peer's does not.
fn answers_anyway(method: Method, told: &str) -> bool {
    match method {
        // The peer's table builder requires samples of equal size; the test does not, and scipy has a result.
        Method::FisherExact => told.contains("not of equal length"),
        // The peer's integers overflow in tiny samples; scipy has a result.
        Method::CramerVonMises => told.contains("Cannot cast ufunc"),
        _ => false,
    }
}

fn numbers(case: &mut Case<'_>, reference: &[String], current: &[String], integer: bool) {
    let (a, b) = (sample(reference), sample(current));
    case.rows = [a.n() as usize, b.n() as usize];
    for (name, expected) in case.column["evidently_num"].as_object().unwrap() {
        let method: Method = name.parse().unwrap();
        assert!(method.fits(ColumnKind::Number));
        if method == Method::EmpiricalMmd && expected["mmd"].is_null() && !expected.is_string() {
            continue;
        }
        if expected == "skipped: too slow" {
            continue;
        }
        let found = method.measure_numbers(&a, &b, integer, 0);
        case.peer(method, expected, &found);
        let scipy = match method {
            Method::Ks => "ks_2samp",
            Method::Energy => "energy_distance",
            Method::Anderson => "anderson_ksamp",
            Method::CramerVonMises => "cramervonmises_2samp",
            _ if differs(&case.place, method) => continue,
            Method::EppsSingleton => "epps_singleton",
            Method::TTest => "ttest_ind",
            _ => continue,
        };
        case.scipy("scipy_num", scipy, &found);
    }
    default_rule(case, &paired(Values::Number(a.evenly(usize::MAX)), Values::Number(b.evenly(usize::MAX))));
    let raw = distances::wasserstein_raw(&a, &b).map(|statistic| Measured { statistic, p: None });
    case.scipy("scipy_num", "wasserstein", &raw);
    case.scipy("scipy_num", "mannwhitneyu_less", &location::mann_whitney(&a, &b));
    if let Some(method) = case.column["evidently_num_default"]["method"].as_str() {
        let distinct = crate::stats::pooled::distinct(&a, &b);
        let chosen = Method::evidently_choice(ColumnKind::Number, a.n(), distinct);
        assert_eq!(chosen.name(), method, "{}", case.place);
    }
}

/// A column of both tables as in `monitor`, through profiles.
fn paired(reference: Values, current: Values) -> ColumnPair {
    let profile = |values| Profile::of_table(&Table::new(vec![Column::new("x", values)]).unwrap());
    ColumnPair::of("x", &profile(reference), &profile(current)).unwrap()
}

/// The default rule's own p, and the summaries of a report.
fn default_rule(case: &mut Case<'_>, pair: &ColumnPair) {
    let largest = case.rows[0].max(case.rows[1]);
    for probe in probes(pair).unwrap_or_default() {
        let found = Ok(Measured { statistic: probe.statistic, p: Some(probe.p) });
        match probe.method {
            "ks" if largest > 1000 => case.scipy("scipy_num", "ks_2samp_asymp", &found),
            "ks" => case.scipy("scipy_num", "ks_2samp", &found),
            "homogeneity" => {
                // The peer does not group rare levels.
                let PairValues::Category { reference, current, .. } = &pair.values else { unreachable!() };
                let smaller = case.rows[0].min(case.rows[1]) as f64 / (case.rows[0] + case.rows[1]) as f64;
                if reference.len() <= 50 && reference.iter().zip(current).all(|(r, c)| (r + c) as f64 * smaller >= 5.0)
                {
                    case.scipy("scipy_cat", "chi2_contingency_nocorr", &found);
                }
            }
            _ => {}
        }
    }
    for (side, told) in [(&pair.summaries.0, "describe_ref"), (&pair.summaries.1, "describe_cur")] {
        for (what, found) in [("mean", side.mean), ("min", side.min), ("median", side.median), ("max", side.max)] {
            let expected = case.column["scipy_num"][told][what].as_f64();
            if let (Some(expected), Some(found)) = (expected, found)
                && !close(found, expected)
            {
                case.complain(&format!("{told}.{what}"), format!("{expected}, found {found}"));
            }
        }
    }
}

fn categories(case: &mut Case<'_>, reference: &[String], current: &[String], numeric: bool) {
    let (levels, r, c) = count(reference, current, numeric);
    case.rows = [r.iter().sum::<u64>() as usize, c.iter().sum::<u64>() as usize];
    let values = |counts: &[u64]| {
        let codes = (0..).zip(counts).flat_map(|(code, &n)| std::iter::repeat_n(code, n as usize)).collect();
        Values::Category(Categories { codes, levels: levels.iter().cloned().collect() })
    };
    default_rule(case, &paired(values(&r), values(&c)));
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    for (name, expected) in case.column["evidently_cat"].as_object().unwrap() {
        let method: Method = name.parse().unwrap();
        assert!(method.fits(ColumnKind::Category));
        let found = method.measure_categories(&levels, &r, &c, 0);
        case.peer(method, expected, &found);
        let scipy = match method {
            Method::Chisquare => "chisquare_cur_vs_scaled_ref",
            Method::JensenShannon => "jensenshannon_e",
            Method::Tvd => "tvd",
            _ => continue,
        };
        if r.iter().any(|&n| n > 0) && c.iter().any(|&n| n > 0) {
            case.scipy("scipy_cat", scipy, &found);
        }
    }
    if let (Some(p), Ok(found)) = (
        case.column["scipy_cat"]["fisher_exact_p"].as_f64(),
        Method::FisherExact.measure_categories(&levels, &r, &c, 0),
    ) && !close(found.p.unwrap(), p)
    {
        case.complain("fisher_exact", format!("{p}, found {found:?}"));
    }
    if let Some(method) = case.column["evidently_cat_default"]["method"].as_str() {
        let chosen = Method::evidently_choice(ColumnKind::Category, r.iter().sum(), levels.len());
        assert_eq!(chosen.name(), method, "{}", case.place);
    }
}

#[test]
fn answers_are_the_peers() {
    let Some(folder) = folder() else {
        return crate::skipped::skipped("the tables of reference values are not here");
    };
    let doc: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut complaints = Vec::new();
    for (pair, tables) in doc["pairs"].as_object().unwrap() {
        for (name, column) in tables["columns"].as_object().unwrap() {
            let read = |file| texts(&folder.join(pair).join(file), name);
            let (reference, current) = (read("ref.csv"), read("cur.csv"));
            let types: Vec<&str> = [0, 1].map(|i| column["dtype"][i].as_str().unwrap_or("")).to_vec();
            let filled = types.iter().zip([&reference, &current]).filter(|(_, cells)| !cells.is_empty());
            let numeric: HashSet<bool> = filled.map(|(t, _)| t.starts_with("float") || t.starts_with("int")).collect();
            if numeric.len() > 1 || format!("{pair}/{name}") == "cat_row1/numstr" {
                // One file has numbers and the other texts, or another notation: the peer finds no common level, we do.
                continue;
            }
            let mut case = Case { place: format!("{pair}/{name}"), column, rows: [0; 2], complaints: Vec::new() };
            if column["evidently_num"].is_object() {
                let integer = types.iter().all(|t| t.starts_with("int"));
                numbers(&mut case, &reference, &current, integer);
            }
            if column["evidently_cat"].is_object() {
                categories(&mut case, &reference, &current, numeric.contains(&true));
            }
            complaints.append(&mut case.complaints);
        }
    }
    assert!(complaints.is_empty(), "{} differences:\n{}", complaints.len(), complaints.join("\n"));
}
