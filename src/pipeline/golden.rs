//! Golden rows: a hundred rows with the scores they had when the version was stored.
//!
//! They are scored again whenever the version is loaded, so that a damaged file, another engine version or another
//! machine can never answer differently without being noticed.

use super::{Pipeline, PipelineError, Scores};
use crate::table::{self, Column, ColumnSpec, Dialect, Input, Kind, ReadOptions, Schema, Table, TableError, Values};
use std::io::Write;
use std::path::Path;

/// How many rows are kept.
pub(super) const N_GOLDEN: usize = 100;
/// Scores may differ by this much: the last bits of `exp` differ between machines.
const TOLERANCE: f64 = 1e-6;
const PREFIX: &str = "golden_score_";

/// The rows that are kept, with their scores as columns.
pub(super) fn table(pipeline: &Pipeline, rows: &Table) -> Result<Table, PipelineError> {
    let scores = pipeline.score(rows)?;
    let mut columns: Vec<Column> =
        pipeline.features.inputs().filter_map(|(name, _)| rows.column(name).cloned()).collect();
    columns.extend((0..scores.width).map(|k| score_column(&scores, k)));
    Ok(Table::new(columns)?)
}

fn score_column(scores: &Scores, k: usize) -> Column {
    let values = (0..scores.n_rows()).map(|row| scores.row(row)[k]).collect();
    Column::new(format!("{PREFIX}{k}"), Values::Number(values))
}

/// Writes the golden rows as CSV.
pub(super) fn write(pipeline: &Pipeline, rows: &Table, out: &mut dyn Write) -> Result<(), PipelineError> {
    table::write_csv(out, &table(pipeline, rows)?, &schema(pipeline))
        .map_err(|source| TableError::Io { file: "golden.csv".to_owned(), source }.into())
}

/// How the golden rows are written: times in full, whatever the training table looked like.
fn schema(pipeline: &Pipeline) -> Schema {
    let input = |(name, kind): (&str, Kind)| {
        let format = (kind == Kind::Time).then(|| "iso".to_owned());
        ColumnSpec { format, ..ColumnSpec::new(name, kind) }
    };
    let score = |k| ColumnSpec::new(format!("{PREFIX}{k}"), Kind::Number);
    let columns = pipeline.features.inputs().map(input).chain((0..pipeline.target.n_scores()).map(score)).collect();
    Schema { dialect: Dialect { missing: vec![String::new()], ..Default::default() }, columns }
}

/// Scores the golden rows in `path` again.
///
/// # Errors
/// When a score differs from the stored one.
pub(super) fn verify(pipeline: &Pipeline, path: &Path) -> Result<(), PipelineError> {
    let width = pipeline.target.n_scores();
    let golden = table::read(Input::open(path)?, &schema(pipeline), &ReadOptions::default())?.table;
    let scores = pipeline.score(&golden)?;
    for k in 0..width {
        let Values::Number(stored) = &golden.require(&format!("{PREFIX}{k}"))?.values else { continue };
        for (row, &expected) in stored.iter().enumerate() {
            let now = scores.row(row)[k];
            if (now - expected).abs() > TOLERANCE * expected.abs().max(1.0) {
                return Err(PipelineError::Version {
                    path: path.to_owned(),
                    what: format!(
                        "row {} scored {expected} when the version was stored and scores {now} now: a file of the \
                         version is damaged, or this mlloop computes differently; restore the version or train again",
                        row + 1
                    ),
                });
            }
        }
    }
    Ok(())
}
