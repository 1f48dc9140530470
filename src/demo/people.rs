//! Simulated people in the demo: annotators who label a batch, and visitors of a shop.

use crate::stats::random::rng;
use crate::table::{Categories, Column, Table, TableError, Texts, Values};
use rand::Rng;
use std::collections::HashMap;
use std::io::{Read, Write};

/// The column of [`payments`](super::payments) that names the row.
const ID: &str = "payment_id";
/// The column of [`payments`](super::payments) that the annotators know and the loop does not.
const TARGET: &str = "is_fraud";

/// The payments as they arrive, without the target.
///
/// # Errors
/// None for a table of [`payments`](super::payments).
pub fn without_target(payments: &Table) -> Result<Table, TableError> {
    Table::new(payments.columns().iter().filter(|column| column.name != TARGET).cloned().collect())
}

/// Fills in the true target in a batch that `label-export` wrote. Returns the number of answers.
///
/// # Errors
/// If `batch` is not a table with the id and the target, or reading or writing fails.
pub fn answer(batch: impl Read, truth: &Table, out: impl Write) -> Result<u64, csv::Error> {
    let known: HashMap<&str, &str> = match (&truth.column(ID).map(|c| &c.values), truth.column(TARGET)) {
        (Some(Values::Text(ids)), Some(Column { values: Values::Category(target), .. })) => {
            (0..truth.n_rows()).filter_map(|row| Some((ids.get(row), target.level(row)?))).collect()
        }
        _ => HashMap::new(),
    };
    let mut rows = csv::Reader::from_reader(batch);
    let header = rows.headers()?.clone();
    let mut answered = csv::Writer::from_writer(out);
    answered.write_record(&header)?;
    let mut n = 0;
    for row in rows.records() {
        let row = row?;
        let label = row.get(0).and_then(|id| known.get(id)).copied().unwrap_or_default();
        n += u64::from(!label.is_empty());
        answered.write_record(row.iter().zip(&header).map(|(cell, name)| if name == TARGET { label } else { cell }))?;
    }
    answered.flush()?;
    Ok(n)
}

/// Visitors of a shop that shows half of them a new page: 10 % buy from the old one, 12 % from the new one.
///
/// # Errors
/// None for any arguments.
pub fn visits(n_rows: usize, seed: u64) -> Result<Table, TableError> {
    let mut rng = rng(seed, "visits");
    let visits: Vec<(&str, f64)> = (0..n_rows)
        .map(|_| {
            let (page, share) = if rng.r#gen::<bool>() { ("new", 0.12) } else { ("old", 0.10) };
            (page, f64::from(rng.r#gen::<f64>() < share))
        })
        .collect();
    let ids: Vec<String> = (1..=n_rows).map(|n| format!("{n:06}")).collect();
    Table::new(vec![
        Column::new("visitor", Values::Text(ids.iter().map(String::as_str).collect::<Texts>())),
        Column::new("page", Values::Category(Categories::from_texts(visits.iter().map(|visit| visit.0)))),
        Column::new("bought", Values::Number(visits.iter().map(|visit| visit.1).collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::{Stream, payments};
    use super::*;

    #[test]
    fn answers_are_what_happened_and_the_rest_stays() {
        let truth = payments(Stream { n_rows: 400, first: 0, drift: 1.0, seed: 0 }).unwrap();
        let Values::Category(target) = &truth.column(TARGET).unwrap().values else { panic!("a category") };
        let fraud = (0..400).find(|&row| target.level(row) == Some("1")).unwrap();
        let batch = format!("id,is_fraud,note\n{:08},,seen\n99999999,,\n", fraud + 1);
        let mut out = Vec::new();
        assert_eq!(answer(batch.as_bytes(), &truth, &mut out).unwrap(), 1);
        assert_eq!(String::from_utf8(out).unwrap(), format!("id,is_fraud,note\n{:08},1,seen\n99999999,,\n", fraud + 1));
    }

    #[test]
    fn the_loop_does_not_see_what_people_know() {
        let truth = payments(Stream { n_rows: 10, first: 0, drift: 0.0, seed: 0 }).unwrap();
        let seen = without_target(&truth).unwrap();
        assert_eq!((seen.n_rows(), seen.columns().len()), (10, truth.columns().len() - 1));
        assert!(seen.column(TARGET).is_none());
    }

    #[test]
    fn one_visitor_in_nine_buys() {
        let table = visits(20_000, 0).unwrap();
        let Values::Number(bought) = &table.column("bought").unwrap().values else { panic!("a number") };
        let share = bought.iter().sum::<f64>() / 20_000.0;
        assert!((0.10..0.12).contains(&share), "{share}");
    }
}
