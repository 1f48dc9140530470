//! How a current table is read that is compared without a loop: as the reference, but for the way in which numbers and times are
//! written. One program writes 1234.5 and another 1.234,5, and both are the same.

use super::MonitorError;
use crate::table::{ColumnSpec, InferOptions, Kind, ReadOptions, Schema, Spool, infer_head, stream};
use crate::wording::list;

/// The schema of a current table, and what a person should know of it.
pub(super) struct AsWritten {
    pub(super) schema: Schema,
    pub(super) notes: Vec<String>,
}

/// Holds the beginning of `table` against the `reference` schema. A column of numbers or times is read as the table writes it
/// where that is another way; a column that is text in one and a number in the other is told.
///
/// # Errors
/// When the table cannot be opened; what is wrong with its rows is told by whoever reads them.
pub(super) fn as_written(
    reference: &Schema,
    table: &Spool,
    (infer, read): (&InferOptions, &ReadOptions),
) -> Result<AsWritten, MonitorError> {
    let mut told = AsWritten { schema: reference.clone(), notes: Vec::new() };
    let Ok(own) = infer_head(table.open()?, infer) else { return Ok(told) };
    let unfit = unfit(reference, table, read)?;
    let mut otherwise: Vec<(Kind, String, [String; 2])> = Vec::new();
    for column in &mut told.schema.columns {
        let Some(own) = own.schema.column(&column.name) else { continue };
        let is_value = |spec: &ColumnSpec| matches!(spec.kind, Kind::Number | Kind::Time);
        let differs = (&own.number, &own.format) != (&column.number, &column.format);
        // Whole numbers fit every way of writing them: what they could be says nothing.
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

/// Columns of which a cell at the beginning of the table does not fit.
fn unfit(schema: &Schema, table: &Spool, read: &ReadOptions) -> Result<Vec<String>, MonitorError> {
    let mut rows = match stream(table.open()?, schema, read) {
        Ok(rows) => rows,
        Err(_) => return Ok(Vec::new()),
    };
    // What is wrong is told when the table is read.
    let _ = rows.next();
    Ok(rows.misfits().columns.keys().cloned().collect())
}

/// How numbers or times are written.
fn like(spec: &ColumnSpec) -> String {
    match (&spec.number, &spec.format) {
        (Some(number), _) => format!("like {}", number.example()),
        (None, Some(format)) => format!("like {format}"),
        (None, None) => "plainly".to_owned(),
    }
}
