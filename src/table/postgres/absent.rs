//! What writes rows where PostgreSQL was left out: nothing.

use super::Written;
use crate::table::{Table, TableError};
use std::path::Path;

/// Writes rows to a table of a database; there is none here.
pub enum RowWriter {}

impl RowWriter {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn open(path: &Path, _id: &str) -> Result<Self, TableError> {
        Err(TableError::File { file: super::shown(path), what: super::ABSENT.to_owned() })
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn push(&mut self, _table: &Table) -> Result<(), TableError> {
        match *self {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn finish(self) -> Result<Written, TableError> {
        match self {}
    }
}
