//! Reads a current table whose numbers and times are in another notation than the reference: 1234.5 and 1.234,5 are the
//! same number. Without a workspace this is a note; a workspace has one notation, so there it is a finding.

use super::MonitorError;
use crate::table::time::TimeFormat;
use crate::table::{ColumnSpec, InferOptions, Kind, NumberFormat, ReadOptions, Schema, Spool, infer_head, stream};
use crate::wording::list;
use std::collections::BTreeMap;

/// The schema of a current table, and notes for the user.
pub(super) struct AsWritten {
    pub(super) schema: Schema,
    pub(super) notes: Vec<String>,
    /// Columns of a workspace's table in another notation than the workspace reads, each with its message.
    pub(super) otherwise: BTreeMap<String, String>,
}

/// Compares the beginning of `table` with the `reference` schema. If a number or time column has another notation, it
/// is read in that notation; a column that is text in one table and a number in the other is reported.
///
/// # Errors
/// When the table cannot be opened; errors in its rows are reported when they are read.
pub(super) fn as_written(
    reference: &Schema,
    table: &Spool,
    (infer, read): (&InferOptions, &ReadOptions),
) -> Result<AsWritten, MonitorError> {
    let mut told = AsWritten { schema: reference.clone(), notes: Vec::new(), otherwise: BTreeMap::new() };
    let Ok(own) = infer_head(table.open()?, infer) else { return Ok(told) };
    let unfit = unfit(reference, table, read)?;
    let mut otherwise: Vec<(Kind, String, [String; 2])> = Vec::new();
    for column in &mut told.schema.columns {
        let Some(own) = own.schema.column(&column.name) else { continue };
        let is_value = |spec: &ColumnSpec| matches!(spec.kind, Kind::Number | Kind::Time);
        let differs = (&own.number, &own.format) != (&column.number, &column.format);
        // Whole numbers fit every notation, so their inferred notation means nothing.
        if is_value(own) && own.kind == column.kind && differs && (own.number.is_some() || unfit.contains(&column.name))
        {
            otherwise.push((own.kind, column.name.clone(), [like(own), like(column)]));
            column.number.clone_from(&own.number);
            column.format.clone_from(&own.format);
        } else if is_value(own) && matches!(column.kind, Kind::Category | Kind::Text) {
            told.notes.push(format!(
                "column {:?} contains a {} in every current row, but not in the reference: it is compared as a {}",
                column.name, own.kind, column.kind
            ));
        }
    }
    for kind in [Kind::Number, Kind::Time] {
        let columns: Vec<_> = otherwise.iter().filter(|(of, ..)| *of == kind).collect();
        let Some((.., [here, there])) = columns.first() else { continue };
        let names = list(columns.iter().map(|(_, name, _)| name.as_str()));
        told.notes.push(format!(
            "{kind}s are written {here} in the current table and {there} in the reference; each is read in its own \
             format: {names}"
        ));
    }
    Ok(told)
}

/// Reads `misfit` columns in the table's own notation if every cell fits it; `None` if there is no such column. A table
/// saved with another country's number format is not drift, and its values can still be compared.
///
/// # Errors
/// If the table cannot be opened.
pub(super) fn written_otherwise(
    loop_: &Schema,
    table: &Spool,
    misfit: &[&str],
    (infer, read): (&InferOptions, &ReadOptions),
) -> Result<Option<AsWritten>, MonitorError> {
    let Ok(own) = infer_head(table.open()?, infer) else { return Ok(None) };
    let mut schema = loop_.clone();
    let mut otherwise = BTreeMap::new();
    for column in schema.columns.iter_mut().filter(|column| misfit.contains(&column.name.as_str())) {
        let same_kind = own.schema.column(&column.name).filter(|own| own.kind == column.kind);
        let Some(own) = same_kind.filter(|_| matches!(column.kind, Kind::Number | Kind::Time)) else { continue };
        otherwise.insert(column.name.clone(), spelled_otherwise(own, column));
        column.number.clone_from(&own.number);
        column.format.clone_from(&own.format);
    }
    let read = ReadOptions { columns: Some(otherwise.keys().cloned().collect()), ..again(read) };
    let mut rows = stream(table.open()?, &schema, &read)?;
    while rows.next().transpose()?.is_some() {}
    for name in rows.misfits().columns.keys() {
        otherwise.remove(name);
        let (column, own) = (schema.columns.iter_mut().find(|column| column.name == *name), loop_.column(name));
        if let (Some(column), Some(own)) = (column, own) {
            column.clone_from(own);
        }
    }
    Ok((!otherwise.is_empty()).then_some(AsWritten { schema, notes: Vec::new(), otherwise }))
}

/// The read options for another pass.
fn again(read: &ReadOptions) -> ReadOptions {
    ReadOptions {
        optional: read.optional.clone(),
        skip_invalid: read.skip_invalid,
        no_raw: true,
        blank_misfits: true,
        ..ReadOptions::default()
    }
}

/// How a column is written here, how the workspace reads it, and the remedy.
fn spelled_otherwise(here: &ColumnSpec, there: &ColumnSpec) -> String {
    let decimal = |spec: &ColumnSpec| spec.number.as_ref().map_or('.', |number| number.decimal);
    let example = |spec: &ColumnSpec| match (&spec.number, &spec.format) {
        (Some(number), _) => number.example(),
        (None, Some(format)) => time_example(format),
        (None, None) => NumberFormat::default().example(),
    };
    let mark = |spec: &ColumnSpec| if decimal(spec) == ',' { "a decimal comma" } else { "a decimal point" };
    let (here_like, there_like) = (example(here), example(there));
    match here.kind == Kind::Number && decimal(here) != decimal(there) {
        true => format!(
            "is written with {} ({here_like}); this loop reads {} ({there_like}): save the table in that notation, \
             because predict and retrain reject it as it is",
            mark(here),
            mark(there)
        ),
        false => format!(
            "is written like {here_like}; this loop reads {there_like}: save the table in that notation, because predict and \
             retrain reject it as it is"
        ),
    }
}

/// Columns with a cell at the beginning of the table that does not fit.
fn unfit(schema: &Schema, table: &Spool, read: &ReadOptions) -> Result<Vec<String>, MonitorError> {
    let mut rows = match stream(table.open()?, schema, read) {
        Ok(rows) => rows,
        Err(_) => return Ok(Vec::new()),
    };
    // Errors are reported when the table is read.
    let _ = rows.next();
    Ok(rows.misfits().columns.keys().cloned().collect())
}

/// The notation of numbers or times, in words.
fn like(spec: &ColumnSpec) -> String {
    match (&spec.number, &spec.format) {
        (Some(number), _) => format!("like {}", number.example()),
        (None, Some(format)) => format!("like {}", time_example(format)),
        (None, None) => "plainly".to_owned(),
    }
}

fn time_example(format: &str) -> String {
    TimeFormat::new(format).map_or_else(|_| format.to_owned(), |format| format.example())
}
