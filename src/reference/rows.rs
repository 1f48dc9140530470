//! Rows of one place, by id.

use crate::table::record::fields_of;
use crate::table::{Table, TableError, Values};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of one place by id, as records of CSV.
pub(super) struct Rows {
    /// What the place is called.
    pub(super) from: &'static str,
    /// Its columns.
    pub(super) names: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) records: BTreeMap<String, Record>,
    /// Rows that were looked at.
    pub(super) n_rows: u64,
    /// Rows that stand there more than once, with labels that differ.
    pub(super) differ: BTreeSet<String>,
    /// Labelled rows without an id.
    pub(super) n_unnamed: u64,
    /// Labelled rows whose id an earlier labelled row has.
    pub(super) n_repeated: u64,
}

/// A record, and what its target's cell says.
pub(super) struct Record {
    pub(super) raw: Vec<u8>,
    pub(super) label: String,
}

impl Rows {
    pub(super) fn new(from: &'static str, names: Vec<String>, delimiter: u8) -> Self {
        let (records, differ) = (BTreeMap::new(), BTreeSet::new());
        Self { from, names, delimiter, records, n_rows: 0, differ, n_unnamed: 0, n_repeated: 0 }
    }

    /// Takes in a record; one that says nothing of the target leaves what an earlier one said.
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

    /// The cells of the row under `names`; empty where the place has no such column.
    pub(super) fn fields(&self, id: &str, names: &[String]) -> Result<Option<Vec<String>>, TableError> {
        let Some(record) = self.records.get(id) else { return Ok(None) };
        let fields = fields_of(&record.raw, self.delimiter);
        let place = |name: &String| self.names.iter().position(|own| own == name);
        let field = |name| place(name).and_then(|place| fields.get(place)).cloned().unwrap_or_default();
        Ok(Some(names.iter().map(field).collect()))
    }
}

/// The text of a cell as a label would write it; empty when it is missing, or the column is.
pub(super) fn cell(table: &Table, column: &str, row: usize) -> String {
    match table.column(column).map(|column| &column.values) {
        Some(Values::Category(levels)) => levels.level(row).unwrap_or_default().to_owned(),
        Some(Values::Text(texts)) => texts.get(row).to_owned(),
        Some(Values::Number(values)) if !values[row].is_nan() => values[row].to_string(),
        _ => String::new(),
    }
}
