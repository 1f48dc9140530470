//! The outcomes of past units, for planning an experiment.

use super::AbError;
use super::values::texts_to_numbers;
use crate::table::Kind as Cells;
use crate::table::{ColumnSpec, InferOptions, ReadOptions, Schema, Spool, Values, infer, read};
use std::path::Path;

/// Past units, for planning an experiment.
#[derive(Debug)]
pub struct History {
    /// The outcome of each row; `NaN` if unknown.
    pub values: Vec<f64>,
    /// Rows per day, if there is a time column.
    pub per_day: Option<f64>,
}

/// Reads the outcome of past units, one per row, for [`super::power`].
///
/// # Errors
/// If the table or its columns are invalid.
pub fn history(
    table: &Path,
    outcome: &str,
    time: Option<&str>,
    positive: Option<&str>,
    options: &InferOptions,
) -> Result<History, AbError> {
    let table = Spool::new(table)?;
    let inferred = infer(table.open()?, options)?.schema;
    let mut columns = Vec::new();
    for name in std::iter::once(outcome).chain(time) {
        let found = inferred.column(name).ok_or_else(|| crate::table::TableError::NoColumn {
            column: name.to_owned(),
            have: inferred.columns.iter().map(|c| c.name.clone()).collect(),
        })?;
        let kind = match found.kind {
            Cells::Number | Cells::Time => found.kind,
            _ => Cells::Category,
        };
        columns.push(ColumnSpec {
            format: found.format.clone(),
            number: found.number.clone(),
            ..ColumnSpec::new(name, kind)
        });
    }
    let schema = Schema { dialect: inferred.dialect.clone(), columns };
    let skip_invalid = options.skip_invalid;
    let read = read(table.open()?, &schema, &ReadOptions { skip_invalid, ..ReadOptions::default() })?.table;
    let values = match &read.require(outcome)?.values {
        Values::Number(values) => values.clone(),
        Values::Category(texts) => texts_to_numbers(outcome, texts, positive, &mut Vec::new())?,
        _ => return Err(AbError::Usage(format!("column {outcome:?} contains no outcome"))),
    };
    let per_day = match time.map(|time| read.require(time)).transpose()?.map(|column| &column.values) {
        Some(Values::Time(at)) => {
            let ends = at.iter().fold((i64::MAX, i64::MIN), |(a, b), at| (a.min(*at), b.max(*at)));
            let days = (ends.1 as f64 - ends.0 as f64) / 86_400e6;
            (days > 0.0).then(|| values.len() as f64 / days)
        }
        Some(_) => return Err(AbError::Usage("--time: a plan needs times to count the units per day".to_owned())),
        None => None,
    };
    Ok(History { values, per_day })
}
