//! The rows that production was trained on, and what a challenger adds to them.
//!
//! ```text
//! reference ──record──▶ models/vNNNN/added.csv has its id? ─yes─▶ the added record (a corrected label)
//!                                                          └no──▶ itself, byte for byte
//! and after the last: the added records whose ids are new
//! ```
//! A version is trained on the combined table; when it is promoted, the combined table becomes the reference
//! ([`settle`]). Combining is idempotent, so an interrupted promotion is completed by repeating it.

mod adopt;
mod content;
mod features;
mod gather;
mod plan;
mod names;
mod rows;
#[cfg(test)]
mod tests;

pub use adopt::{Adopted, adoptable, can_settle, settle};
pub use gather::{Gathered, Gathering};
pub use names::RowNames;
pub use plan::{FROM_CURRENT, Plan};

use crate::atomic::{At, AtPath};
use crate::digest::hex;
use crate::journal::JournalError;
use crate::labels::LabelError;
use crate::registry::{RegistryError, Version};
use crate::table::{Dialect, Input, ReadOptions, Schema, TableError, Values, push_record, stream};
use crate::workspace::{Config, Workspace, WorkspaceError};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use crate::workspace::ADDED;

/// Errors of the reference and of the rows added to it.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A table problem.
    #[error("{0}")]
    Table(#[from] TableError),
    /// A problem with the labels.
    #[error("{0}")]
    Labels(#[from] LabelError),
    /// A problem with the prediction log.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// A problem of the workspace.
    #[error("{0}")]
    Workspace(#[from] WorkspaceError),
    /// A problem of the registry.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The added rows do not fit the reference.
    #[error("{}: {what}", .path.display())]
    Apart {
        /// The file with the added rows.
        path: PathBuf,
        /// The mismatch.
        what: String,
    },
    /// Rows cannot be identified, or cannot be added.
    #[error("{0}")]
    Usage(String),
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] AtPath),
}

/// Rows that are added to a reference, or replace some of its rows.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// Their file, for errors.
    path: PathBuf,
    /// The names in the header, as in the reference.
    names: Vec<String>,
    /// (id, record without its line ending), in order.
    records: Vec<(String, Vec<u8>)>,
    places: HashMap<String, usize>,
    /// Ids of the reference that were seen, replaced or not.
    met: HashSet<String>,
    /// Whether invalid rows of the reference are skipped; otherwise they are an error.
    pub skip_invalid: bool,
}

/// The number of rows of a combined table, by origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Rows of the reference.
    pub n_base: u64,
    /// Number of these rows that were replaced.
    pub n_replaced: u64,
    /// Rows that were appended.
    pub n_added: u64,
    /// Invalid rows of the reference that were skipped.
    pub n_left_out: u64,
}

impl Counts {
    /// Rows of the combined table.
    #[must_use]
    pub fn n_rows(self) -> u64 {
        self.n_base + self.n_added
    }
}

/// A combined table, in an unnamed temporary file.
#[derive(Debug)]
pub struct Combined {
    file: File,
    name: String,
    /// The origin of its rows.
    pub counts: Counts,
    /// SHA-256 of its bytes; after a promotion, the reference has the same bytes.
    pub sha256: String,
}

impl Combined {
    /// The combined table, which can be read once.
    #[must_use]
    pub fn into_input(self) -> Input {
        Input::from_reader(&self.name, self.file)
    }
}

impl Added {
    /// An empty set of rows for a table with these column names.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self { names, path: PathBuf::from(ADDED), ..Self::default() }
    }

    /// Adds a row; `fields` has one entry per name. A second row with the same id replaces the first.
    pub fn push(&mut self, id: &str, fields: &[String], delimiter: u8) {
        let mut record = Vec::new();
        push_record(&mut record, fields, delimiter);
        record.pop();
        match self.places.get(id) {
            Some(&place) => self.records[place].1 = record,
            None => {
                self.places.insert(id.to_owned(), self.records.len());
                self.records.push((id.to_owned(), record));
            }
        }
    }

    /// Reads the rows that a version adds; `None` if it adds none.
    ///
    /// # Errors
    /// Errors in the file.
    pub fn of(workspace: &Workspace, config: &Config, version: Version) -> Result<Option<Self>, ReferenceError> {
        let path = workspace.registry().path(version)?.join(ADDED);
        workspace.registry().check(version, &[ADDED])?;
        if !path.exists() {
            return Ok(None);
        }
        let skip_invalid = workspace.registry().manifest(version)?.skip_invalid;
        let mut added = Self { path: path.clone(), skip_invalid, ..Self::default() };
        let schema = config.schema();
        let names = RowNames::of(&schema, &config.target.column);
        let mut schema = ids_only(&schema);
        schema.dialect = schema.dialect.own();
        let options = ReadOptions { whole: true, ..ReadOptions::default() };
        let mut rows = stream(Input::open(&path)?, &schema, &options)?;
        added.names = rows.names().to_vec();
        let delimiter = rows.delimiter();
        while let Some(batch) = rows.next().transpose()? {
            for (row, id) in names.of_batch(&batch, &added.names, delimiter)?.into_iter().enumerate() {
                added.places.insert(id.clone(), added.records.len());
                added.records.push((id, batch.raw.get(row).to_vec()));
            }
        }
        Ok(Some(added))
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Records that the reference has a row of this id.
    pub fn meet(&mut self, id: &str) {
        self.met.insert(id.to_owned());
    }

    /// Whether the reference is known to have a row of this id.
    #[must_use]
    pub fn has_met(&self, id: &str) -> bool {
        self.met.contains(id)
    }

    /// Whether there is a row of this id.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.places.contains_key(id)
    }

    /// (id, record without its line ending), in order.
    pub fn records(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.records.iter().map(|(id, record)| (id.as_str(), record.as_slice()))
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|(id, _)| id.as_str())
    }

    /// Writes them as `added.csv`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, dialect: &Dialect) -> io::Result<()> {
        if dialect.header {
            let mut line = Vec::new();
            push_record(&mut line, &self.names, u8::try_from(dialect.delimiter).unwrap_or(b','));
            out.write_all(&line)?;
        }
        for (_, record) in &self.records {
            out.write_all(record)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Combines into an unnamed temporary file.
///
/// # Errors
/// Errors in the reference, or rows that do not fit it.
pub fn combined(path: &Path, schema: &Schema, added: &Added) -> Result<Combined, ReferenceError> {
    let file = tempfile::tempfile().at(path)?;
    let mut hashed = Hashed { out: BufWriter::with_capacity(1 << 16, file), hasher: Sha256::new() };
    let counts = combine(Input::open(path)?, schema, added, &mut hashed)?;
    let Hashed { hasher, out } = hashed;
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error).at(path)?;
    let sha256 = hex(&hasher.finalize());
    file.seek(SeekFrom::Start(0)).at(path)?;
    let name = format!("{} with {} added and {} replaced rows", path.display(), counts.n_added, counts.n_replaced);
    Ok(Combined { file, name, counts, sha256 })
}

/// The table that `version` was trained on: the reference with the rows that the version adds, if any.
///
/// # Errors
/// As [`combined`].
pub fn input_of(workspace: &Workspace, config: &Config, version: Version) -> Result<Input, ReferenceError> {
    let path = workspace.path(&config.data.reference);
    let schema = config.schema();
    match Added::of(workspace, config, version)? {
        None => Ok(Input::open(&path)?),
        Some(added) => Ok(combined(&path, &schema, &added)?.into_input()),
    }
}

/// Writes the reference with its replaced and added records to `out`; if rows have no ids, none is replaced.
///
/// # Errors
/// Errors in the reference, rows that do not fit it, or errors of `out`.
pub fn combine(base: Input, schema: &Schema, added: &Added, out: &mut dyn Write) -> Result<Counts, ReferenceError> {
    let name = PathBuf::from(base.name());
    let options = ReadOptions { skip_invalid: added.skip_invalid, ..ReadOptions::default() };
    let (read, id) = (ids_only(schema), schema.id());
    let mut rows = stream(base, &read, &options)?;
    if rows.names() != added.names {
        let what =
            format!("has the columns {}, but the reference has {}", added.names.join(", "), rows.names().join(", "));
        return Err(ReferenceError::Apart { path: added.path.clone(), what });
    }
    let ends = rows.ends();
    out.write_all(ends.begin()).at(&name)?;
    let mut write = |record: &[u8]| {
        let written = out.write_all(record).and_then(|()| out.write_all(ends.end()));
        written.at(&name)
    };
    match rows.header() {
        Some(header) => write(header)?,
        // Without a header, only the number of lines before the table shows where it begins.
        None => (0..schema.dialect.skip_lines).try_for_each(|_| write(b""))?,
    }
    let mut counts = Counts::default();
    let mut seen = vec![false; added.records.len()];
    while let Some(batch) = rows.next().transpose()? {
        let ids = match id.map(|id| batch.table.require(id)).transpose()?.map(|column| &column.values) {
            Some(Values::Text(ids)) => Some(ids),
            _ => None,
        };
        for row in 0..batch.table.n_rows() {
            counts.n_base += 1;
            match ids.and_then(|ids| added.places.get(ids.get(row))) {
                Some(&place) => {
                    seen[place] = true;
                    counts.n_replaced += 1;
                    write(&added.records[place].1)?;
                }
                None => write(batch.raw.get(row))?,
            }
        }
    }
    for ((_, record), _) in added.records.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        counts.n_added += 1;
        write(record)?;
    }
    counts.n_left_out = rows.rejects().count;
    Ok(counts)
}

/// The same file with only the ids read, if rows have ids.
fn ids_only(schema: &Schema) -> Schema {
    let columns = match schema.id() {
        Some(id) if schema.dialect.header => schema.columns.iter().filter(|c| c.name == id).cloned().collect(),
        // Without a header columns are found by position, so all of them are named.
        _ => schema.columns.clone(),
    };
    Schema { dialect: schema.dialect.clone(), columns }
}

/// A writer that also hashes.
struct Hashed<W> {
    out: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
