//! The rows of one source, by id.

use crate::table::record::fields_of;
use crate::table::{Table, TableError, Values};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of one source by id, as CSV records.
pub(super) struct Rows {
    /// The name of the source.
    pub(super) from: &'static str,
    /// Its columns.
    pub(super) names: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) records: BTreeMap<String, Record>,
    /// Number of rows read.
    pub(super) n_rows: u64,
    /// Ids that occur more than once, with different labels.
    pub(super) differ: BTreeSet<String>,
    /// Labelled rows without an id.
    pub(super) n_unnamed: u64,
    /// Labelled rows whose id also occurs in an earlier labelled row.
    pub(super) n_repeated: u64,
}

/// A record, and the text of its target cell.
pub(super) struct Record {
    pub(super) raw: Vec<u8>,
    pub(super) label: String,
}

impl Rows {
    pub(super) fn new(from: &'static str, names: Vec<String>, delimiter: u8) -> Self {
        let (records, differ) = (BTreeMap::new(), BTreeSet::new());
        Self { from, names, delimiter, records, n_rows: 0, differ, n_unnamed: 0, n_repeated: 0 }
    }

    /// Adds a record; a record without a label keeps the label of an earlier one with the same id.
    pub(super) fn take(&mut self, id: String, mut record: Record) {
        self.n_unnamed += u64::from(id.is_empty() && !record.label.is_empty());
        if let Some(known) = self.records.get_mut(&id) {
            self.n_repeated += u64::from(!id.is_empty() && !record.label.is_empty() && !known.label.is_empty());
            if record.label.is_empty() {
                record.label = std::mem::take(&mut known.label);
            } else if !known.label.is_empty() && known.label != record.label {
                self.differ.insert(id.clone());
            }
        }
        self.records.insert(id, record);
    }

    /// The cells of the row under `names`; empty if the source has no such column.
    pub(super) fn fields(&self, id: &str, names: &[String]) -> Result<Option<Vec<String>>, TableError> {
        let Some(record) = self.records.get(id) else { return Ok(None) };
        let fields = fields_of(&record.raw, self.delimiter);
        let place = |name: &String| self.names.iter().position(|own| own == name);
        let field = |name| place(name).and_then(|place| fields.get(place)).cloned().unwrap_or_default();
        Ok(Some(names.iter().map(field).collect()))
    }
}

/// The text of a cell as a label would write it; empty if the cell or the column is missing.
pub(super) fn cell(table: &Table, column: &str, row: usize) -> String {
    match table.column(column).map(|column| &column.values) {
        Some(Values::Category(levels)) => levels.level(row).unwrap_or_default().to_owned(),
        Some(Values::Text(texts)) => texts.get(row).to_owned(),
        Some(Values::Number(values)) if !values[row].is_nan() => values[row].to_string(),
        _ => String::new(),
    }
}
