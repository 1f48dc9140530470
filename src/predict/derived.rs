//! The columns that are computed from those of a table, to be looked at.

use super::{Format, PredictError, PredictOptions, Told};
use crate::features::derive::{Derived, Past, Windows};
use crate::past::{self, Beside};
use crate::pipeline::PipelineError;
use crate::table::{
    Column, ColumnSpec, Input, Kind, ParquetWriter, ReadOptions, Schema, Table, Values, push_json_lines, stream,
    write_csv, write_rows,
};
use crate::workspace::Workspace;
use std::io::Write;

/// Writes what `derived` computes of every row of `input`, after the row's id where there is one; of `options`, those of
/// reading and the format count, and `columns` chooses among what is written.
///
/// # Errors
/// What is wrong with the table, or a column that is not there.
pub fn derived_columns(
    input: Input,
    derived: &Derived,
    schema: &Schema,
    options: &PredictOptions,
    out: &mut dyn Write,
) -> Result<Told, PredictError> {
    let (schema, read) = reading(derived, schema, options);
    let id = schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone());
    let mut rows = stream(input, &schema, &read)?;
    let written = written(derived, &schema, options, rows.delimiter());
    let mut parquet: Option<ParquetWriter> = None;
    let mut n_rows = 0;
    let mut first = true;
    let (ends, delimiter) = (rows.ends(), u8::try_from(written.dialect.delimiter).unwrap_or(b','));
    let mut write = |table: Table, out: &mut dyn Write| -> Result<(), PredictError> {
        match options.format {
            Format::Csv | Format::Tsv => {
                let mut text = Vec::new();
                if first {
                    out.write_all(ends.begin())?;
                    write_csv(&mut text, &table, &written)?;
                } else {
                    write_rows(&mut text, &table, &written)?;
                }
                out.write_all(&ends.records(text, delimiter))?;
            }
            Format::JsonLines => {
                let mut lines = Vec::new();
                push_json_lines(&mut lines, &table);
                out.write_all(&lines)?;
            }
            Format::Parquet => match &mut parquet {
                Some(parquet) => parquet.push(&table)?,
                None => parquet.insert(ParquetWriter::new(&table)?).push(&table)?,
            },
        }
        first = false;
        Ok(())
    };
    let mut windows = Beside::new(options.windows.clone());
    while let Some(batch) = rows.next().transpose()? {
        n_rows += batch.table.n_rows() as u64;
        write(computed(&windows.fill(batch.table)?, derived, &schema, id.as_deref(), &options.columns)?, out)?;
    }
    if n_rows == 0 {
        let empty = |(name, kind): (&str, Kind)| Column::new(name, Values::empty(kind));
        let columns = id
            .as_deref()
            .map(|id| (id, Kind::Id))
            .into_iter()
            .chain(derived.reads().filter(|(name, _)| Some(*name) != id.as_deref()))
            .chain(derived.window_columns().iter().map(|name| (name.as_str(), Kind::Number)));
        let table = Table::new(columns.map(empty).collect())?;
        write(computed(&table, derived, &schema, id.as_deref(), &options.columns)?, out)?;
    }
    if let Some(parquet) = parquet {
        parquet.finish(out)?;
    }
    Ok(Told { n_rows, rejects: rows.rejects().clone(), notes: Vec::new(), ..Told::default() })
}

/// The values of the windows among `derived` in every row of a table, for [`PredictOptions::windows`].
///
/// # Errors
/// What is wrong with the table.
pub fn derived_windows(
    workspace: &Workspace,
    input: Input,
    derived: &Derived,
    schema: &Schema,
    options: &PredictOptions,
    known: (&Windows, &Past),
) -> Result<Vec<Column>, PredictError> {
    let (schema, read) = reading(derived, schema, options);
    Ok(past::of_table(workspace, input, &schema, &read, known)?)
}

/// How a table is read of which columns are derived.
fn reading(derived: &Derived, schema: &Schema, options: &PredictOptions) -> (Schema, ReadOptions) {
    let mut schema = schema.clone();
    schema.dialect.delimiter = options.delimiter.unwrap_or(schema.dialect.delimiter);
    let id = schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone());
    let reads = derived.reads().map(|(name, _)| name.to_owned());
    let read = ReadOptions {
        columns: Some(id.iter().cloned().chain(reads).collect()),
        optional: id.into_iter().filter(|id| derived.reads().all(|(name, _)| name != id)).collect(),
        skip_invalid: options.skip_invalid,
        no_raw: true,
        ..ReadOptions::default()
    };
    (schema, read)
}

/// How text is written that stands beside the table it comes from: its delimiter and its decimal mark; times in full.
fn written(derived: &Derived, schema: &Schema, options: &PredictOptions, delimiter: u8) -> Schema {
    let number = Some(schema.notation()).filter(|notation| !notation.is_plain());
    let names = derived.kinds().filter(|(_, kind)| *kind == Kind::Number);
    let columns = names.map(|(name, kind)| ColumnSpec { number: number.clone(), ..ColumnSpec::new(name, kind) });
    let mut written = Schema { columns: columns.collect(), ..Schema::default() };
    written.dialect.delimiter = if options.format == Format::Tsv { '\t' } else { char::from(delimiter) };
    written
}

/// The columns that are written of some rows.
fn computed(
    table: &Table,
    derived: &Derived,
    schema: &Schema,
    id: Option<&str>,
    chosen: &[String],
) -> Result<Table, PredictError> {
    let computed = derived.columns(&table.spelled(schema)).map_err(PipelineError::from)?;
    let all: Vec<Column> = id.and_then(|id| table.column(id)).cloned().into_iter().chain(computed).collect();
    if chosen.is_empty() {
        return Ok(Table::new(all)?);
    }
    let find = |name: &String| {
        all.iter().find(|column| column.name == *name).cloned().ok_or_else(|| PredictError::NoColumn {
            column: name.clone(),
            have: all.iter().map(|column| column.name.clone()).collect(),
        })
    };
    Ok(Table::new(chosen.iter().map(find).collect::<Result<_, _>>()?)?)
}
