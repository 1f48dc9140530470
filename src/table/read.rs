//! Whole tables by schema, whatever the file's format.

use std::fmt;

use crate::table::csv::block::Sizes;
use crate::table::input::Unpacked;
use crate::table::{Input, Rejects, Schema, Table, TableError, csv, parquet};

/// Called now and then with the bytes taken from the file so far (before unpacking, as in [`Input::size`]).
pub type Progress = Box<dyn Fn(u64) + Send + Sync>;

/// What to read and how strict to be.
#[derive(Default)]
pub struct ReadOptions {
    /// Only these columns of the schema; all of them when `None`.
    pub columns: Option<Vec<String>>,
    /// Columns that may be absent from the file (the target, when rows are to be scored); they are then left out.
    pub optional: Vec<String>,
    /// Leave out rows that do not fit, and list them, instead of stopping at the first.
    pub skip_invalid: bool,
    /// For [`stream`](fn@crate::table::stream): leave out the raw records, which cost time and memory.
    pub no_raw: bool,
    /// The file is known to end with a whole record: blank fields at its end are not taken for a cut.
    pub whole: bool,
    /// For [`stream`](fn@crate::table::stream): columns whose kind [`Head`](crate::table::Head) left open.
    pub watch: Vec<String>,
    /// Told how far reading has come.
    pub progress: Option<Progress>,
}

impl fmt::Debug for ReadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions")
            .field("columns", &self.columns)
            .field("optional", &self.optional)
            .field("skip_invalid", &self.skip_invalid)
            .field("no_raw", &self.no_raw)
            .field("whole", &self.whole)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

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
        Unpacked::Parquet(file) => parquet::read(&name, file, schema, options),
    }
    .map_err(|err| err.in_file(&name))
}
