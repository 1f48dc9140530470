//! What writes rows where PostgreSQL was left out: nothing.

use super::Written;
use crate::table::{Table, TableError};
use std::path::Path;

/// Writes rows to a table of a database; it cannot be opened here.
pub struct RowWriter(());

fn absent(file: String) -> TableError {
    TableError::File { file, what: super::ABSENT.to_owned() }
}

impl RowWriter {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn open(path: &Path, _id: &str) -> Result<Self, TableError> {
        Err(absent(super::shown(path)))
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn push(&mut self, _table: &Table) -> Result<(), TableError> {
        Err(absent("a table".to_owned()))
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn finish(self) -> Result<Written, TableError> {
        Err(absent("a table".to_owned()))
    }
}
