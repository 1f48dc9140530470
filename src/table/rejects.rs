//! Rejected rows: as an error, or as a list if the caller wants to continue.

use std::collections::BTreeMap;
use std::fmt;

use crate::table::TableError;

/// Maximum number of rejected rows stored with their place; the rest is counted.
pub const MAX_REJECTS_KEPT: usize = 1000;

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// 1-based first line of the record (for Parquet: the row).
    pub line: u64,
    /// The column that did not fit, unless the record as a whole is wrong.
    pub column: Option<String>,
    /// The offending text, shortened.
    pub value: Option<String>,
    /// The error, as a clause: `is not a number`, `14 fields, but the header has 31`.
    pub reason: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        match &self.value {
            Some(value) => write!(f, ": {value:?} {}", self.reason),
            None => write!(f, ": {}", self.reason),
        }
    }
}

/// The rejected rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejects {
    /// How many there are.
    pub count: u64,
    /// The first of them in file order, at most [`MAX_REJECTS_KEPT`].
    pub first: Vec<Reject>,
}

impl Rejects {
    pub(crate) fn add(&mut self, faults: impl IntoIterator<Item = Fault>) {
        for fault in faults {
            self.count += 1;
            if self.first.len() < MAX_REJECTS_KEPT {
                self.first.push(fault.into_reject());
            }
        }
    }
}

/// Invalid cells in rows that are kept nevertheless ([`ReadOptions::blank_misfits`]).
///
/// [`ReadOptions::blank_misfits`]: crate::table::ReadOptions::blank_misfits
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfits {
    /// For each column with invalid cells: how many there are, and the first.
    pub columns: BTreeMap<String, (u64, Reject)>,
}

impl Misfits {
    /// Counts `n` cells of one column; `first` is the earliest. Called in file order.
    pub(crate) fn add(&mut self, n: u64, first: Fault) {
        let reject = first.into_reject();
        if let Some(column) = reject.column.clone() {
            self.columns.entry(column).or_insert((0, reject)).0 += n;
        }
    }
}

/// One fault of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u64,
    pub(crate) what: What,
}

/// Which part of the record is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A cell that does not fit its column.
    Cell { column: String, value: String, expected: String },
    /// The record as a whole.
    Record(String),
    /// The record sums up others, unless its label is a level: how to keep such records.
    Sum { what: String, unless: String },
}

/// Minimum number of bad records for the message that most records are bad.
const MANY: u64 = 15;

impl Fault {
    pub(crate) fn into_error(self, file: &str) -> TableError {
        let (file, line) = (file.to_owned(), self.line);
        match self.what {
            What::Cell { column, value, expected } => TableError::Cell { file, line, column, value, expected },
            What::Record(what) => TableError::Record { file, line, what },
            What::Sum { what, unless } => TableError::Record { file, line, what: format!("{what}{unless}") },
        }
    }

    /// The error if most of the records read are bad: skipping them is then no solution.
    pub(crate) fn into_error_among(self, file: &str, n_bad: u64, n_good: u64) -> TableError {
        match self {
            Self { line, what: What::Record(what) } if n_bad >= MANY && n_bad > n_good => TableError::File {
                file: file.to_owned(),
                what: format!("line {line}: {what}, like most records: check that the first line is the header"),
            },
            fault => fault.into_error(file),
        }
    }

    fn into_reject(self) -> Reject {
        match self.what {
            What::Cell { column, value, expected } => Reject {
                line: self.line,
                column: Some(column),
                value: Some(value),
                reason: format!("is not {expected}"),
            },
            What::Record(reason) | What::Sum { what: reason, .. } => {
                Reject { line: self.line, column: None, value: None, reason }
            }
        }
    }
}
