//! Typed columns, and their readers and writers.
//!
//! ```text
//! bytes ─input─▶ csv pieces (cut at record ends) ─▶ typed columns ─▶ Table ─▶ rows taken, split, written
//!        parquet row groups ──────────────────────▲
//! ```
//!
//! [`Schema`] defines how each column is stored; it comes from `mlloop.toml` or from [`infer`](fn@infer::infer), and
//! then an invalid value is an error with its place, never a silent conversion.

mod batch;
mod build;
mod cell;
pub mod column;
// Columns as named in `mlloop.toml`.
pub mod columns;
mod decimal;
mod csv;
mod dictionary;
mod ends;
pub mod error;
mod evidence;
mod id;
pub mod infer;
pub mod input;
mod json;
pub mod level;
mod line;
pub(crate) mod magic;
mod number;
pub mod options;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
pub mod place;
pub mod postgres;
pub mod read;
pub mod record;
mod records;
pub mod rejects;
pub mod request;
pub mod schema;
mod sniff;
mod strict;
pub mod split;
pub mod stream;
pub(crate) mod time;
mod totals;
pub(crate) mod words;
pub mod write;

pub use batch::{Batch, RawRecords};
pub(crate) use cell::number as number_in;
pub use column::{Categories, Column, MISSING_CODE, MISSING_TIME, Texts, Values};
pub(crate) use ends::BOM;
pub use ends::Ends;
pub use error::TableError;
pub use infer::{
    Doubt, Finding, Head, Inference, OneClass, Settled, TargetGuess, Why, infer, infer_fitting, infer_head,
    stays_category,
};
pub(crate) use infer::{ID_WORDS, has_word, names_key};
pub use input::{Input, Spool};
pub use json::{JsonType, push_json_lines};
pub(crate) use level::boolean;
pub use level::{LevelFinder, Same, Spelling};
pub use line::{from_one_line, one_line};
pub use number::{NumberFormat, label_value, misread_thousands, push_number};
pub use options::{InferOptions, Progress, ReadOptions, TableOptions};
pub use parquet::quiet_damage;
pub use parquet::stored::{Stored, StoredType};
pub use parquet::write::ParquetWriter;
pub use read::{ReadResult, read};
pub use rejects::{Misfits, Reject, Rejects};
pub use request::{Cell, CellReader};
pub use schema::{ColumnSpec, DEFAULT_MISSING, Dialect, Kind, Schema};
pub use stream::{Stream, stream};
pub(crate) use write::with_tabs;
pub use write::{push_field, push_record, write_csv, write_rows};

use std::borrow::Cow;
use std::collections::HashMap;

/// Named columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    n_rows: usize,
}

impl Table {
    /// Creates a table from columns.
    ///
    /// # Errors
    /// If lengths differ or a name is duplicated.
    pub fn new(columns: Vec<Column>) -> Result<Self, TableError> {
        let n_rows = columns.first().map_or(0, |c| c.values.len());
        let mut seen = HashMap::new();
        for (idx, column) in columns.iter().enumerate() {
            if column.values.len() != n_rows {
                return Err(TableError::Ragged {
                    column: column.name.clone(),
                    n_rows: column.values.len(),
                    expected: n_rows,
                });
            }
            if seen.insert(column.name.as_str(), idx).is_some() {
                return Err(TableError::DuplicateColumn { column: column.name.clone() });
            }
        }
        Ok(Self { columns, n_rows })
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The columns, in the table's order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The column of that name, or an error that lists the columns.
    ///
    /// # Errors
    /// [`TableError::NoColumn`].
    pub fn require(&self, name: &str) -> Result<&Column, TableError> {
        self.column(name).ok_or_else(|| TableError::NoColumn {
            column: name.to_owned(),
            have: self.columns.iter().map(|c| c.name.clone()).collect(),
        })
    }

    /// The given rows, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        Self { columns: self.columns.iter().map(|c| c.take(rows)).collect(), n_rows: rows.len() }
    }

    /// The given rows, in that order; the table is freed column by column, so that two whole copies are never in
    /// memory.
    #[must_use]
    pub fn into_rows(self, rows: &[u32]) -> Self {
        Self { columns: self.columns.into_iter().map(|c| c.take(rows)).collect(), n_rows: rows.len() }
    }

    /// Gives each level of a category one name; returns one sentence per column with several spellings of a level. See
    /// [`Spelling::unify`].
    pub fn unify_levels(&mut self, schema: &Schema) -> Vec<String> {
        let mut notes = Vec::new();
        for column in &mut self.columns {
            let Values::Category(categories) = &mut column.values else { continue };
            let unknown = Spelling::default();
            let spelling = schema.column(&column.name).map_or(&unknown, |spec| &spec.spelling);
            let merged = spelling.unify(categories);
            notes.extend(level::note(&column.name, &merged));
        }
        notes
    }

    /// The table with category levels renamed to the names in `schema`; the same table if nothing changes.
    #[must_use]
    pub fn spelled(&self, schema: &Schema) -> Cow<'_, Self> {
        let mut table = Cow::Borrowed(self);
        for (idx, column) in self.columns.iter().enumerate() {
            let Values::Category(categories) = &column.values else { continue };
            let Some(finder) = schema.column(&column.name).and_then(|spec| spec.spelling.finder()) else { continue };
            if let Some(renamed) = finder.rename(categories) {
                table.to_mut().columns[idx].values = Values::Category(renamed);
            }
        }
        table
    }

    /// Consumes the table and returns its columns.
    #[must_use]
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}
