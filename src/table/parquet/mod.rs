//! Parquet: flat columns of a file to typed columns, row groups and columns in parallel.
//!
//! A cell means the same as its text in a CSV, so one schema reads both: booleans are `true` and `false`, times are ISO
//! 8601, and missing markers apply to texts. Numbers and times are not converted to text in between.

mod cells;
mod guard;
pub(crate) mod infer;
pub(crate) mod stored;
pub(crate) mod stream;
pub(crate) mod write;
#[cfg(test)]
mod tests;

use crate::atomic::At;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::basic::{ConvertedType, Type};
use ::parquet::column::reader::{ColumnReader, get_column_reader};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use rayon::prelude::*;

use self::cells::{Cells, Meaning, NOT_UTF8};
use self::guard::{Guarded, Source};
use self::stored::{Stored, StoredType};
use crate::table::build::plan::{Plan, Wanted, unique};
use crate::table::build::{Builder, Part};
use crate::table::cell::{Markers, shorten};
use crate::table::rejects::{Fault, Rejects, What};
use crate::table::{Column, ReadOptions, ReadResult, Schema, Table, TableError};

/// Number of cells decoded at once.
const RUN_ROWS: usize = 16 << 10;

/// An opened file and its flat columns.
pub(crate) struct Parquet {
    name: String,
    reader: SerializedFileReader<Source>,
    fields: Vec<Field>,
    /// Columns that are not table cells: nested ones, intervals, bytes that are not text.
    skipped: Vec<String>,
}

/// A flat column.
struct Field {
    name: String,
    /// Its position among all leaves.
    leaf: usize,
    meaning: Meaning,
    max_def: i16,
}

/// One column of one row group, read run by run.
struct Cursor {
    field: usize,
    reader: ColumnReader,
    meaning: Meaning,
    max_def: i16,
}

impl Parquet {
    pub(crate) fn open(name: &str, file: File) -> Result<Self, TableError> {
        let source = Source::new(file).at(name)?;
        let reader = guarded(name, || SerializedFileReader::new(source))?;
        let mut fields = Vec::new();
        let mut skipped = Vec::new();
        for (leaf, column) in reader.metadata().file_metadata().schema_descr().columns().iter().enumerate() {
            let path = column.path().string();
            match Meaning::of(column).filter(|_| column.max_rep_level() == 0) {
                Some(meaning) => fields.push(Field { name: path, leaf, meaning, max_def: column.max_def_level() }),
                None => skipped.push(path),
            }
        }
        if reader.metadata().row_groups().iter().any(|g| g.num_rows() < 0) {
            return Err(damaged(name, "a row group has a negative number of rows"));
        }
        unique(fields.iter().map(|f| f.name.clone()).collect())?;
        let mut parquet = Self { name: name.to_owned(), reader, fields, skipped };
        let binary: Vec<String> = (0..parquet.fields.len())
            .filter(|&field| parquet.is_binary(field))
            .map(|at| parquet.fields[at].name.clone())
            .collect();
        parquet.fields.retain(|field| !binary.contains(&field.name));
        parquet.skipped.extend(binary);
        Ok(parquet)
    }

    /// Whether the first cells of a byte column without a declared text type are not text.
    fn is_binary(&self, field: usize) -> bool {
        /// Number of cells examined.
        const N: usize = 1000;
        let column = self.reader.metadata().file_metadata().schema_descr().column(self.fields[field].leaf);
        let is_told = column.logical_type_ref().is_some() || column.converted_type() != ConvertedType::NONE;
        if is_told || column.physical_type() != Type::BYTE_ARRAY || self.n_groups() == 0 {
            return false;
        }
        let first = self.cursor(0, field).and_then(|mut cursor| self.cells(&mut cursor, N.min(self.group_rows(0))));
        matches!(first, Err(TableError::File { what, .. }) if what.ends_with(NOT_UTF8))
    }

    fn names(&self) -> Vec<String> {
        self.fields.iter().map(|f| f.name.clone()).collect()
    }

    fn n_groups(&self) -> usize {
        self.reader.metadata().row_groups().len()
    }

    fn group_rows(&self, group: usize) -> usize {
        usize::try_from(self.reader.metadata().row_group(group).num_rows()).unwrap_or(0)
    }

    /// Matches the schema with the file's columns, by name.
    fn plan(&self, schema: &Schema, options: &ReadOptions) -> Result<Plan, TableError> {
        let mut plan = Plan::new(&self.name, Some(self.names()), self.fields.len(), schema, options)?;
        if !self.skipped.is_empty() {
            plan.notes.push(format!("ignored nested or unusual columns: {}", self.skipped.join(", ")));
        }
        Ok(plan)
    }

    fn cursor(&self, group: usize, field: usize) -> Result<Cursor, TableError> {
        let Field { leaf, meaning, max_def, .. } = self.fields[field];
        guarded(&self.name, || {
            let row_group = self.reader.get_row_group(group)?;
            let column = self.reader.metadata().file_metadata().schema_descr().column(leaf);
            let pages = Guarded {
                pages: row_group.get_column_page_reader(leaf)?,
                physical: column.physical_type(),
                n_rows: self.group_rows(group) as u64,
                nullable: max_def > 0,
            };
            Ok(Cursor { reader: get_column_reader(column, Box::new(pages)), meaning, max_def, field })
        })
    }

    /// The next `n` cells; an error if the column ends before.
    fn cells(&self, cursor: &mut Cursor, n: usize) -> Result<Cells, TableError> {
        self.cells_and_stored(cursor, n, false).map(|(cells, _)| cells)
    }

    /// The same, with the stored cells if requested.
    fn cells_and_stored(
        &self,
        cursor: &mut Cursor,
        n: usize,
        keep: bool,
    ) -> Result<(Cells, Option<Stored>), TableError> {
        let place = format!("{}: column {:?}", self.name, self.fields[cursor.field].name);
        let (found, stored) = guarded(&place, || {
            let stored = Stored::read(&mut cursor.reader, cursor.max_def, n)?;
            let kept = keep.then(|| stored.clone());
            Ok((cursor.meaning.cells(stored)?, kept))
        })?;
        if found.len() < n {
            return Err(damaged(&place, "a column is shorter than its row group"));
        }
        Ok((found, stored))
    }

    /// The type of each column, if a file can declare it again.
    fn types(&self) -> Vec<Option<StoredType>> {
        let columns = self.reader.metadata().file_metadata().schema_descr();
        self.fields.iter().map(|field| StoredType::of(&columns.column(field.leaf))).collect()
    }
}

thread_local! {
    /// Whether a panic on this thread means a damaged file, which is reported as such.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Silences panics while a file is decoded: they become an error that names the file. Call it once, at program start.
pub fn quiet_damage() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !DECODING.get() {
            others(panic);
        }
    }));
}

/// Runs the decoder; its errors and panics are reported as damage of the file.
fn guarded<T>(name: &str, decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, TableError> {
    let before = DECODING.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(before);
    match decoded {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(damaged(name, &error.to_string())),
        Err(_) => Err(damaged(name, "its pages contradict themselves")),
    }
}

fn damaged(name: &str, what: &str) -> TableError {
    TableError::File { file: name.to_owned(), what: format!("damaged or unusable Parquet file: {what}") }
}

/// A column of a row group as a part, and the rows that do not fit.
struct Piece {
    part: Part,
    faults: Vec<(usize, Fault)>,
}

/// Reads a whole Parquet file.
pub(crate) fn read(name: &str, file: File, schema: &Schema, options: &ReadOptions) -> Result<ReadResult, TableError> {
    let parquet = Parquet::open(name, file)?;
    let plan = parquet.plan(schema, options)?;
    let mut builders: Vec<Builder> = plan.columns.iter().map(|w| Builder::new(&w.storage, 0)).collect();
    let mut rejects = Rejects::default();
    let mut first_row = 1;
    for group in 0..parquet.n_groups() {
        let read_all = |without: &[usize]| -> Result<Vec<Piece>, TableError> {
            let one = |w: &Wanted| parquet.piece(group, w, &plan.markers, first_row, without);
            plan.columns.par_iter().map(one).collect()
        };
        let mut pieces = read_all(&[])?;
        let mut bad: BTreeMap<usize, Fault> = BTreeMap::new();
        for (row, fault) in pieces.iter_mut().flat_map(|p| std::mem::take(&mut p.faults)) {
            bad.entry(row).or_insert(fault);
        }
        if !bad.is_empty() && !options.blank_misfits {
            let rows: Vec<usize> = bad.keys().copied().collect();
            match bad.into_values().next() {
                Some(first) if !options.skip_invalid => return Err(first.into_error(name)),
                _ => {}
            }
            let mut all: BTreeMap<usize, Fault> = BTreeMap::new();
            pieces = read_all(&rows)?;
            for (row, fault) in pieces.iter_mut().flat_map(|p| std::mem::take(&mut p.faults)) {
                all.entry(row).or_insert(fault);
            }
            rejects.add(all.into_values());
        }
        builders.par_iter_mut().zip(&pieces).for_each(|(builder, piece)| builder.append(&piece.part));
        first_row += parquet.group_rows(group) as u64;
        if let Some(progress) = &options.progress {
            progress(parquet.bytes_through(group));
        }
    }
    let columns = plan.columns.into_iter().zip(builders).map(|(w, b)| Column::new(w.name, b.finish())).collect();
    Ok(ReadResult { table: Table::new(columns)?, rejects, notes: plan.notes })
}

impl Parquet {
    /// Decodes a column of a row group; leaves out the rows in `without` (ascending), but still reports their faults.
    fn piece(
        &self,
        group: usize,
        wanted: &Wanted,
        markers: &Markers,
        first_row: u64,
        without: &[usize],
    ) -> Result<Piece, TableError> {
        let n_rows = self.group_rows(group);
        let mut part = Part::new(&wanted.storage, 0);
        let mut dropped = Part::new(&wanted.storage, 0);
        let mut faults = Vec::new();
        let mut cursor = self.cursor(group, wanted.field)?;
        let mut scratch = String::new();
        for start in (0..n_rows).step_by(RUN_ROWS) {
            let n = RUN_ROWS.min(n_rows - start);
            let cells = self.cells(&mut cursor, n)?;
            for row in 0..n {
                let target = if without.binary_search(&(start + row)).is_ok() { &mut dropped } else { &mut part };
                if !cells.push_to(row, target, &wanted.storage, markers, &mut scratch) {
                    cells.render(row, &mut scratch);
                    faults.push((start + row, fault(first_row + (start + row) as u64, wanted, &scratch)));
                }
            }
        }
        Ok(Piece { part, faults })
    }

    /// Bytes of the file up to the end of a row group, for progress.
    fn bytes_through(&self, group: usize) -> u64 {
        let groups = &self.reader.metadata().row_groups()[..=group];
        groups.iter().map(|g| u64::try_from(g.compressed_size()).unwrap_or(0)).sum()
    }
}

fn fault(row: u64, wanted: &Wanted, value: &str) -> Fault {
    let (column, expected) = (wanted.name.clone(), wanted.storage.expected());
    Fault { line: row, what: What::Cell { column, value: shorten(value), expected } }
}
