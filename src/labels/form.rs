//! How the tables are written that people fill in: as the loop's table, since one spreadsheet opens both.

use super::LabelError;
use crate::table::{Ends, push_record};
use crate::workspace::Workspace;

/// Delimiters of tables that people fill in.
pub(super) const DELIMITERS: [u8; 4] = *b",;\t|";

/// What stands between fields, and around records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// What stands between fields.
    pub delimiter: u8,
    /// How a file begins and its records end.
    pub ends: Ends,
}

impl Form {
    /// That of the loop's table; a delimiter that no spreadsheet knows becomes a comma.
    ///
    /// # Errors
    /// When `mlloop.toml` cannot be read.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, LabelError> {
        let data = workspace.config()?.data;
        let delimiter = DELIMITERS.into_iter().find(|byte| char::from(*byte) == data.delimiter).unwrap_or(b',');
        Ok(Self { delimiter, ends: Ends::of_file(&workspace.path(&data.reference), delimiter) })
    }

    /// The bytes of a file with these records.
    pub(super) fn file<'r, T: AsRef<str> + 'r>(self, records: impl IntoIterator<Item = &'r [T]>) -> Vec<u8> {
        let mut text = Vec::new();
        records.into_iter().for_each(|record| push_record(&mut text, record, self.delimiter));
        self.ends.file(text, self.delimiter)
    }
}
