//! Slices that may get worse: levels of categories, quarters of numbers.

use crate::stats::quantiles;
use crate::table::{Kind, MISSING_CODE, Table, Values};

/// A part of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    /// `contract = monthly`, `months ≤ 12`.
    pub(super) name: String,
    /// Its rows, ascending.
    pub(super) rows: Vec<u32>,
}

/// Every slice of at least `least` rows: each level of a category, each quarter of a number, and missing cells.
pub(super) fn slices(table: &Table, columns: &[(&str, Kind)], least: usize) -> Vec<Slice> {
    let mut found = Vec::new();
    for (name, _) in columns {
        let Some(column) = table.column(name) else { continue };
        match &column.values {
            Values::Category(c) => {
                // One walk for all levels: there may be as many levels as rows.
                let mut of: Vec<Vec<u32>> = vec![Vec::new(); c.levels.len() + 1];
                for (row, &code) in (0..).zip(&c.codes) {
                    of[if code == MISSING_CODE { c.levels.len() } else { code as usize }].push(row);
                }
                for (code, rows) in of.into_iter().enumerate().filter(|(_, rows)| rows.len() >= least) {
                    let name =
                        c.levels.get(code).map_or(format!("{name} is missing"), |level| format!("{name} = {level}"));
                    found.push(Slice { name, rows });
                }
            }
            Values::Number(values) => {
                let cuts = [0.25, 0.5, 0.75].map(|share| quantiles::quantile(values, share));
                let part = |value: f64| cuts.iter().filter(|cut| value > **cut).count();
                let [a, b, c] = cuts;
                let names = [
                    format!("{name} ≤ {a}"),
                    format!("{a} < {name} ≤ {b}"),
                    format!("{b} < {name} ≤ {c}"),
                    format!("{name} > {c}"),
                ];
                for (quarter, text) in names.into_iter().enumerate() {
                    found.push(where_(text, table, |row| !values[row].is_nan() && part(values[row]) == quarter));
                }
                found.push(where_(format!("{name} is missing"), table, |row| values[row].is_nan()));
            }
            Values::Time(_) | Values::Text(_) => {}
        }
    }
    found.retain(|slice| slice.rows.len() >= least);
    found
}

fn where_(name: String, table: &Table, keep: impl Fn(usize) -> bool) -> Slice {
    Slice { name, rows: (0..table.n_rows() as u32).filter(|&row| keep(row as usize)).collect() }
}

/// P-values adjusted after Holm ("A Simple Sequentially Rejective Multiple Test Procedure", 1979), in the given order.
///
/// ```text
/// statsmodels.stats.multitest.multipletests([.01, .04, .03], method="holm")[1] = [.03, .06, .06]
/// ```
pub(super) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (place, &at) in order.iter().enumerate() {
        largest = largest.max((p[at] * (p.len() - place) as f64).min(1.0));
        adjusted[at] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Categories, Column};

    #[test]
    fn holm_is_that_of_statsmodels() {
        // multipletests([.01, .04, .03, .005], method="holm")[1]
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn levels_and_quarters_of_enough_rows_are_slices() {
        let numbers: Vec<f64> = (0..100).map(|i| if i < 20 { f64::NAN } else { f64::from(i) }).collect();
        let texts: Vec<&str> = (0..100).map(|i| if i % 10 == 0 { "rare" } else { "usual" }).collect();
        let table = Table::new(vec![
            Column::new("x", Values::Number(numbers)),
            Column::new("c", Values::Category(Categories::from_texts(texts.iter().copied()))),
        ])
        .unwrap();
        let found = slices(&table, &[("x", Kind::Number), ("c", Kind::Category), ("gone", Kind::Number)], 15);
        let names: Vec<(&str, usize)> = found.iter().map(|s| (s.name.as_str(), s.rows.len())).collect();
        assert_eq!(
            names,
            [
                ("x ≤ 39.75", 20),
                ("39.75 < x ≤ 59.5", 20),
                ("59.5 < x ≤ 79.25", 20),
                ("x > 79.25", 20),
                ("x is missing", 20),
                ("c = usual", 90)
            ]
        );
    }
}
