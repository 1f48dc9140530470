//! Tables with a known difference.

use super::multivariate::{self, Asked, MAX_ROWS, MIN_ROWS, MultivariateError, domain_scores};
use super::report::Multivariate;
use crate::stats::{normal, random};
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
use rand::Rng;

/// a and b have the given `correlation`, c is irrelevant, level is one of `levels`; the target and an id differ.
fn table(n: usize, seed: u64, correlation: f64, levels: &[&str]) -> Table {
    let mut random = random::rng(seed, "multivariate tests");
    let mut gauss = || normal::quantile(random.gen_range(1e-9..1.0 - 1e-9));
    let a: Vec<f64> = (0..n).map(|_| gauss()).collect();
    let other = (1.0 - correlation * correlation).sqrt();
    let b = a.iter().map(|a| correlation * a + other * gauss()).collect();
    let c = (0..n).map(|row| if row % 10 == 0 { f64::NAN } else { gauss() }).collect();
    let level: Vec<&str> = (0..n).map(|_| levels[random.gen_range(0..levels.len())]).collect();
    let ids: Vec<String> = (0..n).map(|row| format!("{seed}-{row}")).collect();
    let columns = vec![
        Column::new("id", Values::Text(ids.iter().map(String::as_str).collect())),
        Column::new("a", Values::Number(a)),
        Column::new("b", Values::Number(b)),
        Column::new("c", Values::Number(c)),
        Column::new("level", Values::Category(Categories::from_texts(level))),
        Column::new("y", Values::Number(vec![seed as f64; n])),
        Column::new("at", Values::Time(vec![seed as i64; n])),
    ];
    Table::new(columns).unwrap()
}

fn multivariate(
    reference: &Table,
    current: &Table,
    schema: &Schema,
    ignore: &[String],
    (most, seed): (usize, u64),
) -> Result<Multivariate, MultivariateError> {
    multivariate::multivariate(reference, current, schema, &Asked { ignore, entity: None, most, seed })
}

fn schema() -> Schema {
    let spec = |(name, kind): (&str, Kind)| ColumnSpec::new(name, kind);
    let (id, number, category, time) = (Kind::Id, Kind::Number, Kind::Category, Kind::Time);
    let columns = [("id", id), ("a", number), ("b", number), ("c", number), ("level", category)];
    let columns = columns.into_iter().chain([("y", number), ("at", time)]).map(spec).collect();
    Schema { dialect: Dialect::default(), columns }
}

fn ignored() -> [String; 1] {
    ["y".to_owned()]
}

const LEVELS: [&str; 3] = ["p", "q", "r"];

#[test]
fn two_samples_of_one_world_are_not_told_apart() {
    for seed in 0..6 {
        let (old, new) = (table(1500, 2 * seed, 0.8, &LEVELS), table(1000, 2 * seed + 1, 0.8, &LEVELS));
        let found = multivariate(&old, &new, &schema(), &ignored(), (MAX_ROWS, seed)).unwrap();
        assert!(!found.drifted && (found.roc_auc - 0.5).abs() < 0.05, "{found:?}");
        assert!(found.lower <= found.roc_auc && found.roc_auc <= found.upper, "{found:?}");
        assert_eq!(found.n_rows, (1500, 1000));
    }
}

#[test]
fn columns_that_stop_going_together_are_named() {
    let (old, new) = (table(1500, 1, 0.8, &LEVELS), table(1500, 2, -0.8, &LEVELS));
    let found = multivariate(&old, &new, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap();
    assert!(found.drifted && found.roc_auc > 0.8, "{found:?}");
    let named: Vec<&str> = found.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert!(matches!(named[..2], ["a", "b"] | ["b", "a"]), "{found:?}");
    assert!(found.columns[..2].iter().map(|(_, share)| share).sum::<f64>() > 0.8, "{found:?}");
    assert!((found.columns.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    let c = domain_scores(&old, &new, &schema(), &ignored(), 1).unwrap();
    assert!(c.len() == 1500 && c.iter().all(|c| (0.0..=1.0).contains(c)));
    assert!(c.iter().sum::<f64>() / 1500.0 > 0.6);
}

#[test]
fn new_levels_give_rows_away() {
    let (old, new) = (table(600, 1, 0.5, &LEVELS), table(600, 2, 0.5, &["p", "q", "new"]));
    let found = multivariate(&old, &new, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap();
    assert!(found.drifted && found.columns[0].0 == "level", "{found:?}");
}

#[test]
fn identical_files_are_not_told_apart() {
    let old = table(1000, 1, 0.5, &LEVELS);
    let found = multivariate(&old, &old, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap();
    assert!(!found.drifted && (found.roc_auc - 0.5).abs() < 0.01, "{found:?}");
}

#[test]
fn the_target_tells_when_nobody_ignores_it() {
    let (old, new) = (table(200, 1, 0.5, &LEVELS), table(200, 2, 0.5, &LEVELS));
    let found = multivariate(&old, &new, &schema(), &[], (MAX_ROWS, 1)).unwrap();
    assert!(found.drifted && found.columns[0].0 == "y", "{found:?}");
}

#[test]
fn tiny_tables_say_how_many_rows_would_do() {
    let (long, short) = (table(200, 1, 0.5, &LEVELS), table(30, 2, 0.5, &LEVELS));
    let error = multivariate(&long, &short, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap_err();
    assert!(matches!(error, MultivariateError::TooFewRows { side: "current", have: 30, need: MIN_ROWS }), "{error}");
    let error = multivariate(&short, &long, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap_err();
    assert!(matches!(error, MultivariateError::TooFewRows { side: "reference", .. }), "{error}");
    let all = ["a", "b", "c", "level", "y"].map(str::to_owned);
    let error = multivariate(&long, &long, &schema(), &all, (MAX_ROWS, 1)).unwrap_err();
    assert!(matches!(error, MultivariateError::NoColumns), "{error}");
}

#[test]
fn long_tables_are_thinned_and_every_row_is_scored() {
    let n = MAX_ROWS + 500;
    let (old, new) = (table(200, 1, 0.5, &LEVELS), table(n, 2, 0.5, &LEVELS));
    let only_level = ["a", "b", "c", "y"].map(str::to_owned);
    let found = multivariate(&old, &new, &schema(), &only_level, (MAX_ROWS, 1)).unwrap();
    assert_eq!(found.n_rows, (200, MAX_ROWS as u64));
    assert_eq!(found, multivariate(&old, &new, &schema(), &only_level, (MAX_ROWS, 1)).unwrap());
    let c = domain_scores(&old, &new, &schema(), &only_level, 1).unwrap();
    assert!(c.len() == n && c.iter().all(|c| c.is_finite()));
}

/// Coins a and b, and a third one with three sides; `same` of the coins are equal.
fn coins(n: usize, seed: u64, same: f64, n_sides: u32) -> Table {
    let mut random = random::rng(seed, "coins");
    let mut row = || {
        let a = random.gen_range(0..2);
        let b = if random.gen_bool(same) { a } else { 1 - a };
        [f64::from(a), f64::from(b), f64::from(random.gen_range(0..n_sides))]
    };
    let rows: Vec<[f64; 3]> = (0..n).map(|_| row()).collect();
    let column =
        |(at, name): (usize, &str)| Column::new(name, Values::Number(rows.iter().map(|row| row[at]).collect()));
    Table::new(["a", "b", "c"].into_iter().enumerate().map(column).collect()).unwrap()
}

#[test]
fn equal_rows_of_columns_with_few_values_are_no_copies() {
    let (mut n_drifted, seeds) = (0, 12);
    for seed in 0..seeds {
        for n_sides in [3, 40] {
            let [old, new, other] = [0.5, 0.5, 0.9].map(|same| (same * 10.0) as u64).map(|k| k + 100 * seed);
            let reference = coins(3000, old, 0.5, n_sides);
            let alike = multivariate(
                &reference,
                &coins(3000, new + 7, 0.5, n_sides),
                &schema_of_coins(),
                &[],
                (MAX_ROWS, seed),
            )
            .unwrap();
            n_drifted += u32::from(alike.drifted);
            assert!(alike.upper < 0.55, "{n_sides}: {alike:?}");
            let apart =
                multivariate(&reference, &coins(3000, other, 0.9, n_sides), &schema_of_coins(), &[], (MAX_ROWS, seed))
                    .unwrap();
            assert!(apart.drifted && apart.upper - apart.lower < 0.06, "{n_sides}: {apart:?}");
        }
    }
    assert_eq!(n_drifted, 0);
    // The same file on both sides gives no difference, whatever rows in it are equal.
    let old = coins(3000, 1, 0.5, 3);
    let found = multivariate(&old, &old, &schema_of_coins(), &[], (MAX_ROWS, 1)).unwrap();
    assert!(!found.drifted && (found.roc_auc - 0.5).abs() < 0.02, "{found:?}");
}

#[test]
fn a_row_that_half_of_a_table_is_equal_to_is_a_value_and_copies_are_none() {
    let old = table(1500, 1, 0.8, &LEVELS);
    let new = table(300, 2, 0.8, &LEVELS);
    let gone = new.columns().iter().map(|column| {
        let values = match &column.values {
            Values::Number(v) => Values::Number(vec![f64::NAN; v.len()]),
            Values::Category(_) => Values::missing(Kind::Category, 300),
            other => other.clone(),
        };
        Column::new(column.name.clone(), Values::stacked(&[&column.values, &values]).unwrap())
    });
    let half = Table::new(gone.collect()).unwrap();
    let found = multivariate(&old, &half, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap();
    assert!(found.drifted && found.roc_auc > 0.7, "{found:?}");
    // Ten copies of each row are not more rows than before: what was undecided stays undecided.
    let rows: Vec<u32> = (0..150).flat_map(|row| [row; 10]).collect();
    let (few, copied) = (new.take(&(0..150).collect::<Vec<u32>>()), new.take(&rows));
    let width = |table: &Table| {
        let found = multivariate(&old, table, &schema(), &ignored(), (MAX_ROWS, 1)).unwrap();
        found.upper - found.lower
    };
    assert!(width(&copied) > 0.8 * width(&few), "{} {}", width(&copied), width(&few));
}

fn schema_of_coins() -> Schema {
    let columns = ["a", "b", "c"].map(|name| ColumnSpec::new(name, Kind::Number)).to_vec();
    Schema { dialect: Dialect::default(), columns }
}
