//! How fast derived features are computed, for `make bench`: `derived` prints `{"cells_per_s": …, "row_us": …}`.
//!
//! 30 features of a ledger, on one thread: cells a second over a table of 200 000 rows, and the median time of one row as a
//! request has it.

use mlloop::features::derive::{Definition, Definitions, Derived};
use mlloop::table::{Categories, Column, Kind, Table, Values};
use std::io::Write;
use std::time::Instant;

const N_ROWS: usize = 200_000;

const FEATURES: [(&str, &str); 30] = [
    ("amount", "balance + 0"),
    ("amount_abs", "abs(balance)"),
    ("amount_log", "log1p(amount_abs)"),
    ("amount_normalised", "zscore(amount_log) by kind"),
    ("has_balance", "coalesce(balance, 0) != 0"),
    ("share", "amount_abs / max(size, 1)"),
    ("of_type", "balance - mean(balance) by kind"),
    ("is_large", "amount_abs > 1000 and share > 0.5"),
    ("level", "case when share > 0.9 then 'full' when share > 0.5 then 'half' else 'low' end"),
    ("is_full", "level == 'full'"),
    ("days", "days_between(opened, closed)"),
    ("recent", "days < 30"),
    ("quarter", "quarter(closed)"),
    ("month", "month(closed)"),
    ("weekday", "weekday(closed)"),
    ("hour", "hour(opened, '+02:00')"),
    ("is_month_end", "is_month_end(closed)"),
    ("is_year_end", "month == 12 and is_month_end == true"),
    ("length", "coalesce(length(kind), 0)"),
    ("lower", "lower(kind)"),
    ("is_asset", "contains(lower, 'asset')"),
    ("matches", "matches(kind, '^[a-l]')"),
    ("one_of", "kind in ('asset', 'debt')"),
    ("n", "count() by kind"),
    ("rounded", "round(balance, -2)"),
    ("clipped", "clip(balance, -1000, 1000)"),
    ("rest", "floor(size) % 7"),
    ("root", "sqrt(amount_abs)"),
    ("either", "if(is_missing(balance), size, balance)"),
    ("sum", "is_large + is_full + recent + is_asset"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let part = |row: usize, n: usize| (row * 7_919 % n) as f64;
    let number = |row: usize| if row.is_multiple_of(13) { f64::NAN } else { part(row, 100_003) - 40_000.0 };
    let kinds = ["asset", "debt", "equity", "revenue", "expense", ""];
    let time = |row: usize, n: usize| 1_700_000_000_000_000 + part(row, n) as i64 * 3_600_000_000;
    let table = Table::new(vec![
        Column::new("balance", Values::Number((0..N_ROWS).map(number).collect())),
        Column::new("size", Values::Number((0..N_ROWS).map(|row| part(row, 997)).collect())),
        Column::new("kind", Values::Category(Categories::from_texts((0..N_ROWS).map(|row| kinds[row % 6])))),
        Column::new("opened", Values::Time((0..N_ROWS).map(|row| time(row, 10_007)).collect())),
        Column::new("closed", Values::Time((0..N_ROWS).map(|row| time(row, 20_011)).collect())),
    ])?;
    let definition =
        |(name, expression): (&str, &str)| Definition { name: name.to_owned(), expression: expression.to_owned() };
    let (derived, _) = Derived::fit(&Definitions(FEATURES.map(definition).to_vec()), &table, None, "")?;
    let start = Instant::now();
    let n_cells: usize = derived.columns(&table)?.iter().map(|column| column.values.len()).sum();
    let cells_per_s = n_cells as f64 / start.elapsed().as_secs_f64();
    let mut times_us = Vec::new();
    for row in 0..4_000_u32 {
        let cell = |(name, _): (&str, Kind)| match table.column(name).map(|column| column.values.take(&[row])) {
            Some(Values::Category(cell)) => Values::Text(std::iter::once(cell.level(0).unwrap_or_default()).collect()),
            Some(values) => values,
            None => Values::Number(vec![f64::NAN]),
        };
        let cells: Vec<Values> = derived.reads().map(cell).collect();
        let start = Instant::now();
        std::hint::black_box(derived.of_cells(&cells, &[])?);
        times_us.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times_us.sort_by(f64::total_cmp);
    let row_us = times_us[times_us.len() / 2];
    writeln!(std::io::stdout(), "{{\"cells_per_s\": {cells_per_s:.0}, \"row_us\": {row_us:.2}}}")?;
    Ok(())
}
