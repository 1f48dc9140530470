//! Rows of a table, typed and as raw records.

use super::Table;
use super::parquet::stored::Stored;
use super::record::cells_of;
use std::borrow::Cow;

/// Some rows of a table and the records they were read from.
#[derive(Debug)]
pub struct Batch {
    /// The typed columns. Category levels are those of this batch.
    pub table: Table,
    /// One record per row; empty with [`ReadOptions::no_raw`](super::ReadOptions::no_raw).
    pub raw: RawRecords,
}

/// Records as bytes of CSV, without their line endings.
#[derive(Debug, Default)]
pub struct RawRecords {
    bytes: Vec<u8>,
    spans: Vec<(usize, usize)>,
    stored: Vec<Option<Stored>>,
}

impl RawRecords {
    pub(crate) fn new(bytes: Vec<u8>, spans: Vec<(usize, usize)>) -> Self {
        Self { bytes, spans, stored: Vec::new() }
    }

    /// The same, with the columns as the file stores them.
    #[cfg(feature = "parquet")]
    pub(crate) fn with_stored(self, stored: Vec<Option<Stored>>) -> Self {
        Self { stored, ..self }
    }

    /// A field of all records as the file stores it. Requires Parquet and
    /// [`ReadOptions::keep_stored`](super::ReadOptions::keep_stored).
    #[must_use]
    pub fn stored(&self, field: usize) -> Option<&Stored> {
        self.stored.get(field)?.as_ref()
    }

    /// The record at `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> &[u8] {
        let (start, end) = self.spans[row];
        &self.bytes[start..end]
    }

    /// The content of the fields of the record at `row`: trimmed and unquoted.
    #[must_use]
    pub fn cells(&self, row: usize, delimiter: u8) -> Vec<Cow<'_, str>> {
        // An accepted record is UTF-8.
        std::str::from_utf8(self.get(row)).map(|record| cells_of(record, delimiter)).unwrap_or_default()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}
