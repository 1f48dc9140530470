//! Options of callers: how a table is written, what to read and how strict to be.

use super::{ColumnSpec, Dialect};
use std::fmt;

/// Called occasionally with the bytes read so far (compressed, as in [`Input::size`](crate::table::Input::size)).
pub type Progress = Box<dyn Fn(u64) + Send + Sync>;

/// The user's description of a table; `None` is detected, or taken from the loop's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Field separator.
    pub delimiter: Option<char>,
    /// The decimal mark, `.` or `,`, if the cells of a column do not determine it.
    pub decimal: Option<char>,
    /// Lines before the header that are not part of the table.
    pub skip_lines: Option<u64>,
    /// The first character of lines that are not part of the table.
    pub comment: Option<char>,
    /// Skip invalid rows, and list them.
    pub skip_invalid: bool,
}

impl TableOptions {
    /// A dialect with these options.
    #[must_use]
    pub fn dialect(&self, usual: &Dialect) -> Dialect {
        Dialect {
            delimiter: self.delimiter.unwrap_or(usual.delimiter),
            skip_lines: self.skip_lines.unwrap_or(usual.skip_lines),
            comment: self.comment.or(usual.comment),
            ..usual.clone()
        }
    }
}

impl From<TableOptions> for InferOptions {
    fn from(said: TableOptions) -> Self {
        let TableOptions { delimiter, decimal, skip_lines, comment, skip_invalid } = said;
        Self { delimiter, decimal, skip_lines, comment, skip_invalid, ..Self::default() }
    }
}

/// The columns to read and the strictness.
#[derive(Default)]
pub struct ReadOptions {
    /// Only these columns of the schema; all of them when `None`.
    pub columns: Option<Vec<String>>,
    /// Columns that may be absent from the file (the target, when rows are scored); they are then omitted.
    pub optional: Vec<String>,
    /// Skip invalid rows, and list them, instead of stopping at the first.
    pub skip_invalid: bool,
    /// Cells that do not fit their column become missing and are counted ([`Misfits`](crate::table::Misfits)), instead
    /// of making their row invalid.
    pub blank_misfits: bool,
    /// For [`stream`](fn@crate::table::stream): omit the raw records, which cost time and memory.
    pub no_raw: bool,
    /// For [`stream`](fn@crate::table::stream): also keep the cells of Parquet as they are stored, to pass them on.
    pub keep_stored: bool,
    /// The file is known to end with a whole record: blank fields at its end do not count as truncation.
    pub whole: bool,
    /// For [`stream`](fn@crate::table::stream): columns whose kind [`Head`](crate::table::Head) left undecided.
    pub watch: Vec<String>,
    /// Progress callback.
    pub progress: Option<Progress>,
}

impl fmt::Debug for ReadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions")
            .field("columns", &self.columns)
            .field("optional", &self.optional)
            .field("skip_invalid", &self.skip_invalid)
            .field("blank_misfits", &self.blank_misfits)
            .field("no_raw", &self.no_raw)
            .field("keep_stored", &self.keep_stored)
            .field("whole", &self.whole)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

/// Prior knowledge about a table.
#[derive(Default)]
pub struct InferOptions {
    /// The delimiter; guessed when `None`.
    pub delimiter: Option<char>,
    /// Whether the first record names the columns; guessed when `None`.
    pub header: Option<bool>,
    /// The texts that mean "missing"; by default [`DEFAULT_MISSING`](super::DEFAULT_MISSING).
    pub missing: Option<Vec<String>>,
    /// The column to predict; guessed when `None`.
    pub target: Option<String>,
    /// Skip invalid records, and list them, instead of stopping at the first.
    pub skip_invalid: bool,
    /// With `skip_invalid`: columns whose cells must be valid. Rows with an invalid one are skipped and listed.
    pub fitting: Vec<ColumnSpec>,
    /// The decimal mark, `.` or `,`, if the cells of a column do not determine it.
    pub decimal: Option<char>,
    /// Lines before the header that are not part of the table.
    pub skip_lines: Option<u64>,
    /// The first character of lines that are not part of the table.
    pub comment: Option<char>,
    /// Columns that the user declared as categories, so that a word such as `total` is a level there; `None` if the
    /// user cannot declare any.
    pub levels: Option<Vec<String>>,
    /// Treat a constant number as a number: in the table compared with it, it may vary.
    pub numbers_vary: bool,
    /// Progress callback.
    pub progress: Option<Progress>,
}

impl InferOptions {
    /// The same without a progress callback.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            missing: self.missing.clone(),
            target: self.target.clone(),
            fitting: self.fitting.clone(),
            levels: self.levels.clone(),
            progress: None,
            ..*self
        }
    }

    /// The same for JSON lines, whose names and cells are explicit.
    pub(crate) fn of_json(&self) -> Self {
        Self { delimiter: Some(','), header: Some(true), skip_lines: None, comment: None, ..self.again() }
    }
}

impl fmt::Debug for InferOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InferOptions")
            .field("delimiter", &self.delimiter)
            .field("header", &self.header)
            .field("missing", &self.missing)
            .field("target", &self.target)
            .field("skip_invalid", &self.skip_invalid)
            .field("fitting", &self.fitting)
            .field("decimal", &self.decimal)
            .field("skip_lines", &self.skip_lines)
            .field("comment", &self.comment)
            .field("levels", &self.levels)
            .field("numbers_vary", &self.numbers_vary)
            .finish_non_exhaustive()
    }
}
