//! The evidence of a Parquet file's columns, taken from their cells as text.

use std::fs::File;

use rayon::prelude::*;

use super::{Parquet, RUN_ROWS};
use crate::table::cell::Markers;
use crate::table::evidence::Evidence;
use crate::table::{Progress, TableError};

/// The evidence from the cells of every flat column.
pub(crate) struct Scanned {
    pub(crate) names: Vec<String>,
    pub(crate) seen: Vec<Evidence>,
    pub(crate) n_rows: u64,
    pub(crate) notes: Vec<String>,
}

/// Reads every cell.
pub(crate) fn scan(
    name: &str,
    file: File,
    markers: &Markers,
    progress: Option<&Progress>,
) -> Result<Scanned, TableError> {
    let parquet = Parquet::open(name, file)?;
    let names = parquet.names();
    let mut seen = vec![Evidence::default(); names.len()];
    let mut n_rows = 0;
    for group in 0..parquet.n_groups() {
        let look = |(field, seen): (usize, &mut Evidence)| -> Result<(), TableError> {
            seen.merge(parquet.evidence(group, field, markers, n_rows + 1)?);
            Ok(())
        };
        seen.par_iter_mut().enumerate().map(look).collect::<Result<Vec<()>, _>>()?;
        n_rows += parquet.group_rows(group) as u64;
        if let Some(progress) = progress {
            progress(parquet.bytes_through(group));
        }
    }
    let notes = match parquet.skipped.as_slice() {
        [] => Vec::new(),
        skipped => vec![format!("ignored nested or unusual columns: {}", skipped.join(", "))],
    };
    Ok(Scanned { names, seen, n_rows, notes })
}

impl Parquet {
    fn evidence(&self, group: usize, field: usize, markers: &Markers, first_row: u64) -> Result<Evidence, TableError> {
        let mut seen = Evidence::default();
        let mut cursor = self.cursor(group, field)?;
        let mut text = String::new();
        let n_rows = self.group_rows(group);
        for start in (0..n_rows).step_by(RUN_ROWS) {
            let n = RUN_ROWS.min(n_rows - start);
            let cells = self.cells(&mut cursor, n)?;
            for row in 0..n {
                cells.render(row, &mut text);
                seen.push(&text, markers, &|| first_row + (start + row) as u64);
            }
        }
        Ok(seen)
    }
}
