//! Reads whole tables with a schema, in any file format.

use crate::table::csv::block::Sizes;
use crate::table::input::Unpacked;
use crate::table::json::JsonLines;
#[cfg(feature = "parquet")]
use crate::table::parquet;
use crate::table::{Input, ReadOptions, Rejects, Schema, Table, TableError, csv, records};

/// A table and its rejected rows.
#[derive(Debug)]
pub struct ReadResult {
    /// The columns, in the schema's order.
    pub table: Table,
    /// Rows that did not fit; empty unless `skip_invalid` was set.
    pub rejects: Rejects,
    /// Remarks for the user, such as ignored columns.
    pub notes: Vec<String>,
}

/// Reads a whole table.
///
/// Columns are matched with the header by name, in any order; columns that are not in the schema are ignored with a
/// note. Without a header they are matched by position. Blank lines are skipped. The result is the same for any number
/// of threads.
///
/// # Errors
/// The first error in the file, with its place (unless `skip_invalid`); missing or duplicate columns; an unreadable
/// file.
pub fn read(input: Input, schema: &Schema, options: &ReadOptions) -> Result<ReadResult, TableError> {
    let name = input.name().to_owned();
    match input.unpack()? {
        Unpacked::Text(text) => csv::read(&name, text, schema, options, Sizes::default()),
        Unpacked::Records(text) => {
            let text = records::as_written(&name, text, schema)?;
            csv::read(&name, text, &records::schema(schema), options, Sizes::default())
        }
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(file) => parquet::read(&name, file, schema, options),
        Unpacked::Json(text) => {
            let text = JsonLines::read(&name, text.reader)?.completed(schema, options).into_text(Some(schema));
            csv::read(&name, text, &JsonLines::schema(schema), options, Sizes::default())
        }
    }
    .map_err(|err| err.in_file(&name))
}
