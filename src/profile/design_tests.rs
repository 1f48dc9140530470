//! Effective numbers of similar rows, for tables of any length.

use super::{ROWS, entity_keys};
use crate::profile::{Limits, Profile, ProfileBuilder};
use crate::stats::{normal, random};
use crate::table::{Categories, Column, Table, Values};
use rand::Rng;

/// Rows of several customers: `same` is one number for all rows of a customer, `free` a different one for each row;
/// `level` and `gone` (half of the cells) depend on the customer.
fn table(n_customers: usize, n_each: usize, seed: u64) -> Table {
    let mut random = random::rng(seed, "design tests");
    let mut gauss = || normal::quantile(random.gen_range(1e-9..1.0 - 1e-9));
    let (mut keys, mut same, mut free, mut level, mut gone) = (vec![], vec![], vec![], vec![], vec![]);
    for customer in 0..n_customers {
        let own = gauss();
        for _ in 0..n_each {
            keys.push(format!("k{customer}"));
            same.push(own);
            free.push(gauss());
            level.push(if own > 0.0 { "high" } else { "low" });
            gone.push(if own > 0.0 { f64::NAN } else { gauss() });
        }
    }
    let columns = vec![
        Column::new("customer", Values::Text(keys.iter().map(String::as_str).collect())),
        Column::new("same", Values::Number(same)),
        Column::new("free", Values::Number(free)),
        Column::new("level", Values::Category(Categories::from_texts(level))),
        Column::new("gone", Values::Number(gone)),
    ];
    Table::new(columns).unwrap()
}

fn profiled(table: &Table, batches: usize) -> Profile {
    let mut builder = ProfileBuilder::of_table(table, Limits::default()).by_entity(Some("customer"));
    let rows: Vec<u32> = (0..table.n_rows() as u32).collect();
    for rows in rows.chunks(table.n_rows().div_ceil(batches)) {
        builder.push(&table.take(rows)).unwrap();
    }
    builder.finish()
}

fn effect(profile: &Profile, column: &str) -> f64 {
    profile.column(column).unwrap().design.unwrap().values.unwrap()
}

#[test]
fn rows_of_one_customer_count_once_where_they_are_equal_and_each_where_they_are_not() {
    let profile = profiled(&table(400, 20, 1), 1);
    assert_eq!(profile.entities.as_ref().unwrap().n, 400);
    // Twenty equal rows count as one, and with 400 customers the correction is small.
    for column in ["same", "level"] {
        let effect = effect(&profile, column);
        assert!((19.5..21.5).contains(&effect), "{column}: {effect}");
    }
    let missing = profile.column("gone").unwrap().design.unwrap().missing.unwrap();
    assert!((19.5..21.5).contains(&missing), "{missing}");
    let free = effect(&profile, "free");
    assert!((1.0..1.5).contains(&free), "{free}");
    // Each row is its own entity: no correction.
    let alone = profiled(&table(4000, 1, 2), 1);
    assert!(["same", "level", "free"].iter().all(|column| effect(&alone, column) < 1.02));
    // A variance over few customers is uncertain.
    let few = profiled(&table(5, 20, 3), 1);
    assert!(effect(&few, "same") > 100.0, "{}", effect(&few, "same"));
}

#[test]
fn long_tables_keep_some_of_the_customers_or_of_their_rows() {
    // If there are many customers, some are kept whole; if few, some of their rows.
    for (n_customers, n_each) in [(6 * ROWS / 20, 20), (100, 6 * ROWS / 100)] {
        let table = table(n_customers, n_each, 4);
        let profile = profiled(&table, 7);
        assert_eq!(profile.design(), profiled(&table, 1).design(), "batches make no difference");
        let n = profile.entities.as_ref().unwrap().n as f64;
        assert!((n / n_customers as f64 - 1.0).abs() < 0.1, "{n} of {n_customers}");
        let ratio = effect(&profile, "same") / n_each as f64;
        assert!((0.9..1.35).contains(&ratio), "{n_each}: {ratio}");
    }
}

#[test]
fn profiles_of_parts_are_taken_for_parts_of_the_same_customers() {
    let whole = table(200, 20, 5);
    let halves: Vec<Profile> = [0, 1]
        .map(|half| profiled(&whole.take(&(0..4000).filter(|row| row % 2 == half).collect::<Vec<u32>>()), 1))
        .into();
    let mut merged = halves[0].clone();
    merged.merge(&halves[1], Limits::default()).unwrap();
    let (together, whole) = (effect(&merged, "same"), effect(&profiled(&whole, 1), "same"));
    assert!((together / whole - 1.0).abs() < 0.02, "{together} {whole}");
    // If one part lacks it, so does the whole.
    let unknown = Profile::of_table(&table(200, 20, 6));
    merged.merge(&unknown, Limits::default()).unwrap();
    assert!(merged.entities.is_none() && merged.column("same").unwrap().design.is_none());
}

#[test]
fn what_is_missing_is_about_nothing_else() {
    let texts = Values::Text(["a", "", "a", ""].into_iter().collect());
    let keys = entity_keys(&texts);
    assert!(keys[0].is_some() && keys[0] == keys[2] && keys[1].is_none());
    let category = Values::Category(Categories::from_texts(["a", "b", "a", "b"]));
    assert_eq!(entity_keys(&category)[0], keys[0], "however a column is typed");
}

impl Profile {
    fn design(&self) -> Vec<Option<super::Design>> {
        self.columns.iter().map(|column| column.design).collect()
    }
}
