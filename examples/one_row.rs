//! How long one row takes in process, for `make bench`: `one_row WORKSPACE CSV` prints `{"row_us": …}`.
//!
//! The rows are read beforehand; what is timed is the whole path from a raw row to its score, one row at a time.

use mlloop::table::{Input, ReadOptions, read};
use mlloop::train;
use mlloop::workspace::Workspace;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const N_ROWS: u32 = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(csv)) = (args.next(), args.next()) else { return Err("usage: one_row WORKSPACE CSV".into()) };
    let (_, pipeline) = train::load(&Workspace::new(dir), None)?;
    let options = ReadOptions { optional: vec![pipeline.target.name.clone()], ..Default::default() };
    let table = read(Input::open(Path::new(&csv))?, &pipeline.schema, &options)?.table;
    let n_rows = N_ROWS.min(u32::try_from(table.n_rows())?);
    let rows: Vec<_> = (0..n_rows).map(|row| table.take(&[row])).collect();
    let mut times_us = Vec::new();
    for row in rows.iter().chain(&rows) {
        let start = Instant::now();
        std::hint::black_box(pipeline.score(row)?);
        times_us.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times_us.sort_by(f64::total_cmp);
    writeln!(std::io::stdout(), "{{\"row_us\": {:.2}}}", times_us[times_us.len() / 2])?;
    Ok(())
}
