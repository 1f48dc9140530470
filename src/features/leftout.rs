//! Columns that identify rows instead of describing them.
//!
//! A policy number repeated in three rows, or a comment that differs in nearly every row, is not a feature: trees and
//! statistics would memorise single rows, which the next table does not have.

use std::collections::HashSet;

use super::options::FeatureOptions;
use crate::stats::random::hash64;
use crate::table::{Column, ID_WORDS, MISSING_CODE, Table, Values, has_word};

/// With fewer rows nothing is excluded.
const MIN_ROWS: usize = 50;
/// A column of whole numbers named like an id counts as an id from this share of distinct values on.
const ID_SHARE: f64 = 0.95;
/// A category is near-unique from this share of distinct levels on.
const LEVEL_SHARE: f64 = 0.5;

/// An excluded column, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// A sentence for the user, with the way to keep it.
    pub note: String,
}

/// The columns of `table` that identify rows: whole numbers named like an id or numbering the rows, even if some
/// repeat, and categories with more levels than half of the rows. Columns in `[features.columns]` and `target` are
/// kept.
#[must_use]
pub fn near_unique(table: &Table, target: &str, options: &FeatureOptions) -> Vec<LeftOut> {
    if table.n_rows() < MIN_ROWS {
        return Vec::new();
    }
    let kept =
        |c: &&Column| c.name != target && !options.drop.contains(&c.name) && !options.columns.contains_key(&c.name);
    let columns = table.columns().iter().filter(kept);
    columns.filter_map(|c| Some(LeftOut { column: c.name.clone(), note: why(c)? })).collect()
}

fn why(column: &Column) -> Option<String> {
    let (n, distinct, what) = match &column.values {
        Values::Number(values) => {
            let distinct = running_or_id(&column.name, values)?;
            (values.len(), distinct, "whole numbers")
        }
        Values::Category(categories) => {
            let present = categories.codes.iter().filter(|code| **code != MISSING_CODE).count();
            let used: HashSet<u32> = categories.codes.iter().copied().filter(|code| *code != MISSING_CODE).collect();
            let many = present >= MIN_ROWS && used.len() as f64 > LEVEL_SHARE * present as f64;
            (present, many.then_some(used.len())?, "texts")
        }
        Values::Time(_) | Values::Text(_) => return None,
    };
    let name = &column.name;
    Some(format!(
        "column {name:?} is left out: {what}, {distinct} distinct in {n} rows, so they look like ids (to use it, add \
         [features.columns.{name:?}]; to keep its rows on one side of the split, use [split] by = \"column\")"
    ))
}

/// The number of distinct values, if they are whole numbers that are consecutive or named like an id.
fn running_or_id(name: &str, values: &[f64]) -> Option<usize> {
    if values.iter().any(|v| v.fract() != 0.0 || v.is_nan()) {
        return None;
    }
    let least = ID_SHARE * values.len() as f64;
    let named = has_word(name, &ID_WORDS);
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let runs = high - low + 1.0 <= values.len() as f64 && high - low + 1.0 >= least && !has_word(name, &["year"]);
    if !named && !runs {
        return None;
    }
    let distinct: HashSet<u64> = values.iter().map(|v| hash64(&(v + 0.0).to_bits().to_le_bytes(), 0)).collect();
    (distinct.len() as f64 >= least).then_some(distinct.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Categories;

    fn names(columns: Vec<Column>, options: &FeatureOptions) -> Vec<String> {
        let table = Table::new(columns).unwrap();
        near_unique(&table, "y", options).into_iter().map(|left| left.column).collect()
    }

    fn numbers(name: &str, value: impl Fn(usize) -> f64) -> Column {
        Column::new(name, Values::Number((0..500).map(value).collect()))
    }

    fn texts(name: &str, value: impl Fn(usize) -> String) -> Column {
        let texts: Vec<String> = (0..500).map(value).collect();
        Column::new(name, Values::Category(Categories::from_texts(texts.iter().map(String::as_str))))
    }

    #[test]
    fn ids_that_repeat_and_texts_that_hardly_do_are_left_out() {
        let columns = || {
            vec![
                // Three rows are duplicates.
                numbers("PolicyNumber", |r| ((r.min(496) * 7_919) % 100_003) as f64),
                numbers("row", |r| 100.0 + r.min(496) as f64),
                numbers("cents", |r| ((r * 7_919) % 100_003) as f64),
                numbers("policy number of sons", |r| (r % 4) as f64),
                numbers("y", |r| r as f64),
                texts("comment", |r| format!("text {}", r % 300)),
                texts("city", |r| format!("city {}", r % 200)),
            ]
        };
        assert_eq!(names(columns(), &FeatureOptions::default()), ["PolicyNumber", "row", "comment"]);
        let kept = FeatureOptions {
            columns: [("comment".to_owned(), Default::default())].into(),
            drop: vec!["row".to_owned()],
            ..Default::default()
        };
        assert_eq!(names(columns(), &kept), ["PolicyNumber"]);
    }
}
