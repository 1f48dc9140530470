//! Options and results of a prediction.

use crate::features::Unseen;
use crate::table::{Column, Rejects, TableOptions};

/// How scored rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// CSV, with each record unchanged.
    #[default]
    Csv,
    /// The same with tabs between fields.
    Tsv,
    /// One object per line.
    JsonLines,
    /// Parquet.
    Parquet,
}

/// The output, and how the table is read.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// How many contributions are added for each row.
    pub explain: usize,
    /// Print only these columns, in this order; all when empty.
    pub columns: Vec<String>,
    /// How the table is written, if it differs from the training table, and how strict to be.
    pub read: TableOptions,
    /// How the scored rows are written.
    pub format: Format,
    /// The probability that intervals or sets contain the true value, if requested.
    pub interval: Option<f64>,
    /// The values of windows in every row, if the version has any: see [`super::windows`].
    pub windows: Vec<Column>,
}

/// Findings of scoring.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Number of rows scored.
    pub n_rows: u64,
    /// Rows that were left out.
    pub rejects: Rejects,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// Outcomes by id, if requested.
    pub outcomes: Vec<(String, String)>,
    /// Values that training did not have, and the first numbers of each column.
    pub unseen: Unseen,
}
