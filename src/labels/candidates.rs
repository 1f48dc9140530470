//! Candidate rows for labelling, from the log or a table: scored in one pass, fetched in another.
//!
//! ```text
//! log or table ─pass 1─▶ (hash of id, place, uncertainty) of each eligible row      about 40 bytes a row
//!                pass 2─▶ ids and cells of the few rows needed in full
//! ```

use super::LabelError;
use crate::atomic::At;
use crate::journal::{Journal, Layout, Window};
use crate::past::Beside;
use crate::stats::random::hash64;
use crate::table::{
    Column, ColumnSpec, Dialect, Input, Kind, ReadOptions, Schema, Spool, Table, Texts, Values, read, stream,
    write_csv, write_rows,
};
use std::io::Cursor;

/// Where candidates are.
pub(super) enum Source<'a> {
    /// The prediction log.
    Log {
        /// The log.
        journal: Journal,
        /// Which part of it.
        window: Window,
        /// What is logged.
        layout: &'a Layout,
        /// The values of windows.
        windows: Vec<Column>,
    },
    /// A table.
    Table {
        /// The file, or a spooled copy of a stream.
        table: &'a Spool,
        /// How it is written and typed.
        schema: Schema,
        /// Its id column.
        id: String,
        /// Columns that may be absent.
        optional: Vec<String>,
        /// The values of windows.
        windows: Vec<Column>,
    },
}

/// The callback that each pass calls for every batch, with the ids and the columns.
type Each<'a> = dyn FnMut(&Texts, &Table) -> Result<(), LabelError> + 'a;

impl Source<'_> {
    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Log { .. } => "predictions".to_owned(),
            Self::Table { table, .. } => table.path().display().to_string(),
        }
    }

    /// Calls `each` with every batch, in the same order each time.
    pub(super) fn pass(&self, each: &mut Each<'_>) -> Result<(), LabelError> {
        match self {
            Self::Log { journal, window, layout, windows } => {
                let mut windows = Beside::new(windows.clone());
                journal.scan(window, layout, true, |logged| match logged.features {
                    Some(table) => each(&logged.id, &windows.fill(table)?),
                    None => Ok(()),
                })?;
            }
            Self::Table { table, schema, id, optional, windows } => {
                let mut windows = Beside::new(windows.clone());
                for batch in stream(table.open()?, schema, &read_options(optional))? {
                    let table = windows.fill(batch?.table)?;
                    if let Values::Text(ids) = &table.require(id)?.values {
                        each(ids, &table)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The options for reading a table whose columns are `optional`.
pub(super) fn read_options(optional: &[String]) -> ReadOptions {
    ReadOptions { optional: optional.to_vec(), no_raw: true, ..ReadOptions::default() }
}

/// Rows that were fetched, in the order of their places.
pub(super) struct Fetched {
    /// Their ids.
    pub ids: Vec<String>,
    /// Their columns.
    pub table: Table,
}

/// Fetches the rows at `places`, ascending, whose ids have the given hashes.
///
/// # Errors
/// If the rows changed since the first pass.
pub(super) fn fetch(source: &Source, schema: &Schema, rows: &[(u32, u64)]) -> Result<Fetched, LabelError> {
    let mut gathered = Gathered::new(schema);
    let mut ids = Vec::with_capacity(rows.len());
    let (mut first, mut next) = (0_u32, 0);
    source.pass(&mut |batch_ids, table| {
        let end = first + batch_ids.len() as u32;
        let upto = next + rows[next..].partition_point(|(place, _)| *place < end);
        let chosen: Vec<u32> = rows[next..upto].iter().map(|(place, _)| place - first).collect();
        for (&row, (_, hash)) in chosen.iter().zip(&rows[next..upto]) {
            let id = batch_ids.get(row as usize);
            if hash64(id.as_bytes(), 0) != *hash {
                return Err(moved(source));
            }
            ids.push(id.to_owned());
        }
        (first, next) = (end, upto);
        gathered.add(&table.take(&chosen))
    })?;
    if ids.len() != rows.len() {
        return Err(moved(source));
    }
    Ok(Fetched { ids, table: gathered.table()? })
}

fn moved(source: &Source) -> LabelError {
    LabelError::File { file: source.name(), what: "changed while it was read: try again".to_owned() }
}

/// Joins parts of tables into one table. Parts are converted to text, which merges the levels of their categories.
pub(super) struct Gathered {
    schema: Schema,
    text: Vec<u8>,
    names: Option<Vec<String>>,
}

impl Gathered {
    /// The schema of the parts.
    pub(super) fn new(schema: &Schema) -> Self {
        let mut schema = schema.clone();
        schema.dialect = Dialect { delimiter: ',', header: true, ..schema.dialect.own() };
        Self { schema, text: Vec::new(), names: None }
    }

    /// Adds rows; every part has the same columns.
    pub(super) fn add(&mut self, part: &Table) -> Result<(), LabelError> {
        let written = match self.names {
            Some(_) => write_rows(&mut self.text, part, &self.schema),
            None => {
                // The values of windows are not in any schema.
                for column in part.columns() {
                    if matches!(column.values, Values::Number(_)) && self.schema.column(&column.name).is_none() {
                        self.schema.columns.push(ColumnSpec::new(column.name.clone(), Kind::Number));
                    }
                }
                self.names = Some(part.columns().iter().map(|c| c.name.clone()).collect());
                write_csv(&mut self.text, part, &self.schema)
            }
        };
        Ok(written.at("rows to label")?)
    }

    /// The joined table.
    pub(super) fn table(self) -> Result<Table, LabelError> {
        let Some(names) = self.names else { return Ok(Table::default()) };
        let options = ReadOptions { columns: Some(names), no_raw: true, ..ReadOptions::default() };
        Ok(read(Input::from_reader("rows to label", Cursor::new(self.text)), &self.schema, &options)?.table)
    }
}
