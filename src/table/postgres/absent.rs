//! Replaces reading and writing in a build without PostgreSQL.

use super::address::{Address, Relation};
use super::{NumberedLine, Refused, Written};
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

/// A table of lines, not available in this build.
#[derive(Debug, Clone)]
pub struct Lines(Address);

impl Lines {
    /// The table at an address.
    ///
    /// # Errors
    /// Errors in the address.
    pub fn at(path: &Path) -> Result<Self, String> {
        let address = Address::of_database(path)?;
        match address.relation {
            Relation::Table { .. } => Ok(Self(address)),
            Relation::Query(_) => Err("rows cannot be written to a query: name a table".to_owned()),
        }
    }

    /// Its address, without secrets.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.shown()
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn add(&self, _lines: &[String]) -> Result<(), Refused> {
        Err(Refused { what: super::ABSENT.to_owned(), may_be_there: false })
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn after(
        &self,
        _last: Option<(i64, &str)>,
        _take: impl FnMut(NumberedLine) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        Err(super::ABSENT.to_owned())
    }
}
