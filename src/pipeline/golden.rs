//! Golden rows: a hundred rows with their scores and predictions at the time the version was stored.
//!
//! Each load of the version scores them again, to detect a damaged file, or different results on another engine version
//! or machine.

use super::{Pipeline, PipelineError, Scores};
use crate::atomic::At;
use crate::table::{self, Column, ColumnSpec, Dialect, Input, Kind, ReadOptions, Schema, Table, TableError, Values};
use std::io::Write;
use std::path::Path;

/// Number of golden rows.
pub(super) const N_GOLDEN: usize = 100;
/// Scores may differ by this share of their size: the last bits of `exp` differ between machines.
const TOLERANCE: f64 = 1e-6;
const PREFIX: &str = "golden_score_";
/// The predicted class; missing in versions stored before it was added.
const ANSWER: &str = "golden_prediction";

/// The golden rows, with their scores as columns.
pub(super) fn table(pipeline: &Pipeline, rows: &Table) -> Result<Table, PipelineError> {
    let scores = pipeline.score(rows)?;
    let mut columns: Vec<Column> = inputs(pipeline).filter_map(|(name, _)| rows.column(name).cloned()).collect();
    columns.extend((0..scores.width).map(|k| score_column(&scores, k)));
    if !pipeline.target.classes.is_empty() {
        columns.push(Column::new(
            ANSWER,
            Values::Text((0..scores.n_rows()).map(|row| answer(pipeline, &scores, row)).collect()),
        ));
    }
    Ok(Table::new(columns)?)
}

/// The raw columns, and those with the values of windows.
fn inputs(pipeline: &Pipeline) -> impl Iterator<Item = (&str, Kind)> {
    let windows = pipeline.features.derived().window_columns().iter().map(|name| (name.as_str(), Kind::Number));
    pipeline.features.inputs().chain(windows)
}

/// The class of a row.
fn answer<'a>(pipeline: &'a Pipeline, scores: &Scores, row: usize) -> &'a str {
    pipeline.class_of(scores.row(row)).map_or("", |class| &pipeline.target.classes[class])
}

fn score_column(scores: &Scores, k: usize) -> Column {
    let values = (0..scores.n_rows()).map(|row| scores.row(row)[k]).collect();
    Column::new(format!("{PREFIX}{k}"), Values::Number(values))
}

/// Writes the golden rows as CSV.
pub(super) fn write(pipeline: &Pipeline, rows: &Table, out: &mut dyn Write) -> Result<(), PipelineError> {
    table::write_csv(out, &table(pipeline, rows)?, &schema(pipeline))
        .at("golden.csv")
        .map_err(|err| TableError::from(err).into())
}

/// The schema of golden rows: times in full, whatever the training table's format.
fn schema(pipeline: &Pipeline) -> Schema {
    let input = |(name, kind): (&str, Kind)| {
        let format = (kind == Kind::Time).then(|| "iso".to_owned());
        ColumnSpec { format, ..ColumnSpec::new(name, kind) }
    };
    let score = |k| ColumnSpec::new(format!("{PREFIX}{k}"), Kind::Number);
    let answer = (!pipeline.target.classes.is_empty()).then(|| ColumnSpec::new(ANSWER, Kind::Text));
    let scores = (0..pipeline.target.n_scores()).map(score);
    let columns = inputs(pipeline).map(input).chain(scores).chain(answer).collect();
    Schema { dialect: Dialect { missing: vec![String::new()], ..Default::default() }, columns }
}

/// The golden rows in `path`.
///
/// # Errors
/// When the file cannot be read, or has no row.
pub(super) fn read(pipeline: &Pipeline, path: &Path) -> Result<Table, PipelineError> {
    let options = ReadOptions { optional: vec![ANSWER.to_owned()], ..ReadOptions::default() };
    let golden = table::read(Input::own(path)?, &schema(pipeline), &options)?.table;
    if golden.n_rows() == 0 {
        let what = "has no row to verify the version by: restore the file or train again".to_owned();
        return Err(PipelineError::Version { path: path.to_owned(), what });
    }
    Ok(golden)
}

/// Scores the golden rows in `path` again.
///
/// # Errors
/// If there are no rows, or a score or prediction differs from the stored one.
pub(super) fn verify(pipeline: &Pipeline, path: &Path) -> Result<(), PipelineError> {
    let damaged = |what: String| PipelineError::Version { path: path.to_owned(), what };
    let golden = read(pipeline, path)?;
    let scores = pipeline.score(&golden)?;
    for k in 0..scores.width {
        let Values::Number(stored) = &golden.require(&format!("{PREFIX}{k}"))?.values else { continue };
        for (row, &expected) in stored.iter().enumerate() {
            let now = scores.row(row)[k];
            // A missing score is `NaN`, which is not near any number.
            let is_near = pipeline.scale.is_near(now, expected, TOLERANCE);
            if !is_near {
                return Err(damaged(format!(
                    "row {} scored {expected} {}",
                    row + 1,
                    changed("scores", &now.to_string())
                )));
            }
        }
    }
    if let Some(Values::Text(stored)) = golden.column(ANSWER).map(|column| &column.values) {
        for (row, expected) in stored.iter().enumerate() {
            let now = answer(pipeline, &scores, row);
            // If the scores of two classes differ only in the last bits, either class may be predicted.
            if now.trim() != expected.trim() && is_decided(pipeline, scores.row(row)) {
                return Err(damaged(format!(
                    "row {} was {expected:?} {}",
                    row + 1,
                    changed("is", &format!("{now:?}"))
                )));
            }
        }
    }
    Ok(())
}

/// Whether differences between machines in the last bits cannot change the class.
fn is_decided(pipeline: &Pipeline, scores: &[f64]) -> bool {
    let mut sorted = match scores {
        [score] => return (score - pipeline.threshold.unwrap_or(0.5)).abs() > TOLERANCE,
        scores => scores.to_vec(),
    };
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    sorted.windows(2).next().is_none_or(|best| best[0] - best[1] > TOLERANCE)
}

fn changed(verb: &str, now: &str) -> String {
    format!(
        "when the version was stored, but {verb} {now} now: a file of the version is damaged, or this mlloop \
         computes differently; restore the version or train again"
    )
}
