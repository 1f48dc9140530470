//! Copies with slight noise, and rows that are not copies.

use crate::features::Task;
use crate::pipeline::{Examples, Recipe, SplitBy, SplitSpec, TargetSpec};
use crate::stats::random;
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
use rand::Rng;
use std::collections::BTreeSet;

/// A table of 300 people, each `copies` times: numbers with slight noise, and with `stamp` a column of noise.
fn noisy(copies: usize, jitter: f64, stamp: bool) -> (Table, Schema) {
    let mut random = random::rng(3, "near copies");
    let (mut a, mut b, mut c, mut level, mut y, mut at) = (vec![], vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..3000 / copies {
        let row: Vec<f64> = (0..3).map(|_| random.r#gen::<f64>()).collect();
        let (kind, outcome) = (["p", "q"][random.gen_range(0..2)], f64::from(random.gen_range(0..2_u8)));
        for _ in 0..copies {
            for (all, value) in [&mut a, &mut b, &mut c].into_iter().zip(&row) {
                all.push(value + jitter * random.r#gen::<f64>());
            }
            level.push(kind);
            y.push(outcome);
            at.push(random.r#gen::<f64>());
        }
    }
    let mut columns: Vec<Column> = [("a", a), ("b", b), ("c", c), ("y", y)]
        .into_iter()
        .map(|(name, v)| Column::new(name, Values::Number(v)))
        .collect();
    columns.push(Column::new("level", Values::Category(Categories::from_texts(level))));
    if stamp {
        columns.push(Column::new("stamp", Values::Number(at)));
    }
    let kind = |column: &Column| match column.values {
        Values::Category(_) => Kind::Category,
        _ => Kind::Number,
    };
    let specs = columns.iter().map(|column| ColumnSpec::new(column.name.clone(), kind(column))).collect();
    (Table::new(columns).unwrap(), Schema { dialect: Dialect::default(), columns: specs })
}

#[test]
fn copies_with_a_little_noise_or_one_column_of_their_own_are_found() {
    let found = |copies: usize, jitter: f64, stamp: bool| {
        let (table, schema) = noisy(copies, jitter, stamp);
        let recipe = Recipe {
            target: TargetSpec { column: "y".to_owned(), task: Some(Task::Regression), ..Default::default() },
            split: SplitSpec { by: SplitBy::Row, ..SplitSpec::default() },
            features: Default::default(),
            model: Default::default(),
            decision: Default::default(),
            quality: Default::default(),
            search: Default::default(),
            weight: None,
        };
        let examples = Examples::new(table, &schema, &recipe).unwrap();
        // As a hash of unique ids would split them.
        let side = |row: &u32| random::unit_hash(&row.to_le_bytes(), 1) < 0.2;
        let (judged, learned): (Vec<u32>, Vec<u32>) = (0..examples.y.len() as u32).partition(side);
        examples.copied(&learned, &judged, &schema, &recipe).unwrap()
    };
    for (jitter, stamp) in [(0.0, false), (0.0, true), (1e-6, false), (1e-6, true)] {
        let copied = found(10, jitter, stamp);
        let n_units = copied.contents.iter().collect::<BTreeSet<_>>().len();
        assert!(copied.n_of_learned() as f64 > 0.9 * copied.contents.len() as f64, "{jitter} {stamp}: {copied:?}");
        assert!((250..330).contains(&n_units), "{jitter} {stamp}: {n_units}");
        let told = copied.told().unwrap();
        assert_eq!(told.contains("but \"stamp\""), stamp, "{told}");
        // Different rows are not copies.
        assert_eq!(found(1, jitter, stamp).told(), None, "{jitter} {stamp}");
    }
}
