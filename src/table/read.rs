//! Whole tables by schema, whatever the file's format.

use crate::table::csv::block::Sizes;
use crate::table::input::Unpacked;
use crate::table::json::JsonLines;
#[cfg(feature = "parquet")]
use crate::table::parquet;
use crate::table::{Input, ReadOptions, Rejects, Schema, Table, TableError, csv, records};

/// A table and what was left out of it.
#[derive(Debug)]
pub struct ReadResult {
    /// The columns, in the schema's order.
    pub table: Table,
    /// Rows that did not fit; empty unless `skip_invalid` was set.
    pub rejects: Rejects,
    /// Remarks for a person, such as columns that were ignored.
    pub notes: Vec<String>,
}

/// Reads a whole table.
///
/// Columns are matched with the header by name, in any order; columns that the schema does not have are ignored with a
/// note. Without a header they are matched by position. Blank lines are skipped. The result is the same for any number
/// of threads.
///
/// # Errors
/// The first thing in the file that does not fit, with its place (unless `skip_invalid`); missing or doubled columns;
/// a file that cannot be read at all.
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
            let text = JsonLines::read(&name, text.reader)?.into_text(Some(schema));
            csv::read(&name, text, &JsonLines::schema(schema), options, Sizes::default())
        }
    }
    .map_err(|err| err.in_file(&name))
}
