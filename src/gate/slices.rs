//! Slices that must not get worse: levels of categories, quarters of numbers.

use crate::stats::quantiles;
use crate::table::{Kind, MISSING_CODE, Table, Values};

/// A part of the rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slice {
    /// `contract = monthly`, `months ≤ 12`.
    pub(super) name: String,
    /// The indices of its rows, ascending.
    pub(super) rows: Vec<u32>,
}

/// Every slice of at least `least` rows: each level of a category, each quarter of a number, and missing cells.
pub(super) fn slices(table: &Table, columns: &[(&str, Kind)], least: usize) -> Vec<Slice> {
    let mut found = Vec::new();
    for (name, _) in columns {
        let Some(column) = table.column(name) else { continue };
        match &column.values {
            Values::Category(c) => {
                // One pass for all levels: there may be as many levels as rows.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Categories, Column};

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
        // Quarters with fewer rows are omitted.
        let found = slices(&table, &[("x", Kind::Number), ("c", Kind::Category)], 21);
        assert_eq!(found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["c = usual"]);
    }
}
