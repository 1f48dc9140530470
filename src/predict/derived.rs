//! Writes the derived columns of a table, for inspection.

use super::error::PredictError;
use super::options::{Format, PredictOptions, Told};
use crate::features::derive::{Derived, Past, Windows};
use crate::past::{self, Beside};
use crate::pipeline::PipelineError;
use crate::table::{
    Column, ColumnSpec, Ends, Input, JsonType, Kind, ParquetWriter, RawRecords, ReadOptions, Schema, Stored,
    StoredType, Stream, Table, Values, number_in, push_json_lines, stream, write_csv, write_rows,
};
use crate::workspace::Workspace;
use std::io::Write;

/// Writes the columns that `derived` computes for every row of `input`, after the row's id if there is one. Of
/// `options`, only reading and format apply; `columns` selects from the written columns.
///
/// # Errors
/// Errors in the table, or a missing column.
pub fn derived_columns(
    input: Input,
    derived: &Derived,
    schema: &Schema,
    options: &PredictOptions,
    out: &mut dyn Write,
) -> Result<Told, PredictError> {
    let (schema, read) = reading(derived, schema, options);
    let read = ReadOptions { keep_stored: options.format == Format::Parquet, ..read };
    let id = schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone());
    let mut rows = stream(input, &schema, &read)?;
    let written = written(derived, &schema, options, rows.delimiter());
    let mut sink = Sink::new(options.format, written, &rows, id.as_deref());
    let mut n_rows = 0;
    let mut windows = Beside::new(options.windows.clone());
    while let Some(batch) = rows.next().transpose()? {
        n_rows += batch.table.n_rows() as u64;
        let table = windows.fill(batch.table)?;
        sink.write(&computed(&table, derived, &schema, id.as_deref(), &options.columns)?, &batch.raw, out)?;
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
        let table = computed(&table, derived, &schema, id.as_deref(), &options.columns)?;
        sink.write(&table, &RawRecords::default(), out)?;
    }
    if let Some(parquet) = sink.parquet {
        parquet.finish(out)?;
    }
    Ok(Told { n_rows, rejects: rows.rejects().clone(), notes: Vec::new(), ..Told::default() })
}

/// The output for derived columns, after the id as in the input.
struct Sink {
    format: Format,
    written: Schema,
    ends: Ends,
    /// Whether nothing was written.
    first: bool,
    parquet: Option<ParquetWriter>,
    id: Option<PassedId>,
}

/// The id column of the input.
struct PassedId {
    name: String,
    field: usize,
    /// The type of the input, which is kept.
    stored: Option<StoredType>,
    /// Whether texts that read as numbers are numbers.
    has_literals: bool,
    /// Whether it is a number in JSON lines, and stays one.
    is_number: bool,
}

impl Sink {
    fn new(format: Format, written: Schema, rows: &Stream, id: Option<&str>) -> Self {
        let passed = |field: usize| PassedId {
            name: rows.names()[field].clone(),
            field,
            stored: rows.types().get(field).cloned().flatten(),
            has_literals: rows.has_literals(field),
            is_number: rows.json_type(field) == Some(JsonType::Number),
        };
        let id = id.and_then(|id| rows.names().iter().position(|name| name == id)).map(passed);
        Self { format, written, ends: rows.ends(), first: true, parquet: None, id }
    }

    /// Writes the derived columns of some rows, with their ids.
    fn write(&mut self, table: &Table, raw: &RawRecords, out: &mut dyn Write) -> Result<(), PredictError> {
        let is_first = std::mem::take(&mut self.first);
        let id = |column: &Column| self.id.as_ref().filter(|id| id.name == column.name);
        match self.format {
            Format::Csv | Format::Tsv => {
                let mut text = Vec::new();
                if is_first {
                    out.write_all(self.ends.begin())?;
                    write_csv(&mut text, table, &self.written)?;
                } else {
                    write_rows(&mut text, table, &self.written)?;
                }
                let delimiter = u8::try_from(self.written.dialect.delimiter).unwrap_or(b',');
                out.write_all(&self.ends.records(text, delimiter))?;
            }
            Format::JsonLines => {
                let literals: Vec<bool> =
                    table.columns().iter().map(|column| id(column).is_some_and(|id| id.has_literals)).collect();
                let mut lines = Vec::new();
                push_json_lines(&mut lines, table, &literals);
                out.write_all(&lines)?;
            }
            Format::Parquet => {
                let numbers = |column: &Column| match (&column.values, id(column)) {
                    (Values::Text(texts), Some(PassedId { is_number: true, .. })) => {
                        let number = |text: &str| number_in(text.as_bytes()).unwrap_or(f64::NAN);
                        Column::new(column.name.clone(), Values::Number(texts.iter().map(number).collect()))
                    }
                    _ => column.clone(),
                };
                let table = &Table::new(table.columns().iter().map(numbers).collect())?;
                let types: Vec<Option<StoredType>> =
                    table.columns().iter().map(|column| id(column)?.stored.clone()).collect();
                let stored: Vec<Option<&Stored>> =
                    table.columns().iter().map(|column| raw.stored(id(column)?.field)).collect();
                let parquet = match &mut self.parquet {
                    Some(parquet) => parquet,
                    None => self.parquet.insert(ParquetWriter::passing(table, &types)?),
                };
                if table.n_rows() > 0 {
                    parquet.push_passing(table, &stored)?;
                }
            }
        }
        Ok(())
    }
}

/// The values of the windows in `derived` for every row of a table, for [`PredictOptions::windows`].
///
/// # Errors
/// Errors in the table.
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

/// How to read a table whose columns are derived.
fn reading(derived: &Derived, schema: &Schema, options: &PredictOptions) -> (Schema, ReadOptions) {
    let mut schema = schema.clone();
    schema.dialect = options.read.dialect(&schema.dialect);
    let id = schema.columns.iter().find(|c| c.kind == Kind::Id).map(|c| c.name.clone());
    let reads = derived.reads().map(|(name, _)| name.to_owned());
    let read = ReadOptions {
        columns: Some(id.iter().cloned().chain(reads).collect()),
        optional: id.into_iter().filter(|id| derived.reads().all(|(name, _)| name != id)).collect(),
        skip_invalid: options.read.skip_invalid,
        no_raw: true,
        ..ReadOptions::default()
    };
    (schema, read)
}

/// The text format for columns written beside their table: its delimiter and decimal mark, and full times.
fn written(derived: &Derived, schema: &Schema, options: &PredictOptions, delimiter: u8) -> Schema {
    let number = Some(schema.notation()).filter(|notation| !notation.is_plain());
    let names = derived.kinds().filter(|(_, kind)| *kind == Kind::Number);
    let columns = names.map(|(name, kind)| ColumnSpec { number: number.clone(), ..ColumnSpec::new(name, kind) });
    let mut written = Schema { columns: columns.collect(), ..Schema::default() };
    written.dialect.delimiter = if options.format == Format::Tsv { '\t' } else { char::from(delimiter) };
    written
}

/// The columns to write for some rows.
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
