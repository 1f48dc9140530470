//! A Parquet file in batches, each row also as a record of CSV.

use std::collections::BTreeMap;
use std::fs::File;

use rayon::prelude::*;

use super::stored::{Stored, StoredType};
use super::{Cells, Cursor, Parquet, fault};
use crate::table::batch::{Batch, RawRecords};
use crate::table::build::plan::{Plan, Wanted};
use crate::table::build::{Builder, Part};
use crate::table::rejects::{Fault, Misfits, Rejects};
use crate::table::stream::Batches;
use crate::table::time::TimeFormat;
use crate::table::write::{push_field, push_record, push_written};
use crate::table::{Column, NumberFormat, ReadOptions, Schema, Table, TableError};

/// Rows of a batch.
const BATCH_ROWS: usize = 32 << 10;

/// The batches of a Parquet file.
pub(crate) struct ParquetStream {
    parquet: Parquet,
    plan: Plan,
    skip: bool,
    no_raw: bool,
    /// The types of the columns, if rows are passed on as they are stored.
    types: Vec<Option<StoredType>>,
    blank: bool,
    rejects: Rejects,
    misfits: Misfits,
    header: Vec<u8>,
    delimiter: u8,
    /// How numbers are written in the records, by field.
    numbers: Vec<Option<NumberFormat>>,
    /// How times are written, if not as ISO 8601.
    times: Vec<Option<TimeFormat>>,
    group: usize,
    /// The current row group: a cursor per column of the file, and the number of rows already read.
    cursors: Vec<Cursor>,
    taken: usize,
    n_rows: u64,
}

impl ParquetStream {
    pub(crate) fn open(name: &str, file: File, schema: &Schema, options: &ReadOptions) -> Result<Self, TableError> {
        let parquet = Parquet::open(name, file)?;
        let plan = parquet.plan(schema, options)?;
        let delimiter = u8::try_from(schema.dialect.delimiter).unwrap_or(b',');
        let mut header = Vec::new();
        push_record(&mut header, &parquet.names(), delimiter);
        header.pop();
        let number = |name: &String| schema.number_format(name).cloned();
        let numbers = parquet.names().iter().map(number).collect();
        let time = |name: &String| TimeFormat::new(schema.column(name)?.format.as_deref()?).ok();
        let times = parquet.names().iter().map(time).collect();
        let (skip, blank, no_raw) = (options.skip_invalid, options.blank_misfits, options.no_raw);
        let types = if options.keep_stored { parquet.types() } else { Vec::new() };
        let (rejects, misfits) = (Rejects::default(), Misfits::default());
        let (group, taken, n_rows, cursors) = (0, 0, 0, Vec::new());
        Ok(Self {
            parquet,
            plan,
            skip,
            no_raw,
            types,
            blank,
            rejects,
            misfits,
            header,
            delimiter,
            numbers,
            times,
            group,
            cursors,
            taken,
            n_rows,
        })
    }

    fn batch(&mut self, cells: &[Cells], stored: &[Option<Stored>], n: usize) -> Result<Batch, TableError> {
        let mut bad: BTreeMap<usize, Vec<Fault>> = BTreeMap::new();
        let mut columns = self.columns(cells, &(0..n).collect::<Vec<_>>(), &mut bad);
        if self.blank {
            for fault in std::mem::take(&mut bad).into_values().flatten() {
                self.misfits.add(1, fault);
            }
        }
        let mut rows: Vec<usize> = (0..n).collect();
        if !bad.is_empty() {
            rows.retain(|row| !bad.contains_key(row));
            let mut faults = bad.into_values().filter_map(|faults| faults.into_iter().next());
            match faults.next() {
                Some(first) if !self.skip => return Err(first.into_error(&self.parquet.name)),
                first => self.rejects.add(first.into_iter().chain(faults)),
            }
            columns = self.columns(cells, &rows, &mut BTreeMap::new());
        }
        let table = Table::new(columns)?;
        let raw = if self.no_raw { RawRecords::default() } else { self.raw(cells, &rows) };
        let stored = stored.par_iter().map(|column| column.as_ref().map(|column| column.take(&rows))).collect();
        Ok(Batch { table, raw: raw.with_stored(stored) })
    }

    /// The wanted columns of the given rows, and the errors of each row that does not fit.
    fn columns(&self, cells: &[Cells], rows: &[usize], bad: &mut BTreeMap<usize, Vec<Fault>>) -> Vec<Column> {
        let (markers, n_before) = (&self.plan.markers, self.n_rows);
        let column = |wanted: &Wanted| {
            let mut part = Part::new(&wanted.storage, rows.len());
            let mut scratch = String::new();
            let mut faults = Vec::new();
            let cells = &cells[wanted.field];
            for &row in rows {
                if !cells.push_to(row, &mut part, &wanted.storage, markers, &mut scratch) {
                    cells.render(row, &mut scratch);
                    faults.push((row, fault(n_before + row as u64 + 1, wanted, &scratch)));
                }
            }
            let mut builder = Builder::new(&wanted.storage, rows.len());
            builder.append(&part);
            (Column::new(wanted.name.clone(), builder.finish()), faults)
        };
        let found: Vec<(Column, Vec<(usize, Fault)>)> = self.plan.columns.par_iter().map(column).collect();
        let mut columns = Vec::with_capacity(found.len());
        for (column, faults) in found {
            columns.push(column);
            for (row, fault) in faults {
                bad.entry(row).or_default().push(fault);
            }
        }
        columns
    }

    /// The rows as records of CSV.
    fn raw(&self, cells: &[Cells], rows: &[usize]) -> RawRecords {
        let mut bytes = Vec::new();
        let mut spans = Vec::with_capacity(rows.len());
        let mut text = String::new();
        for &row in rows {
            let start = bytes.len();
            for (field, cells) in cells.iter().enumerate() {
                if field > 0 {
                    bytes.push(self.delimiter);
                }
                match &self.numbers[field] {
                    Some(format) if cells.number(row).is_some() => {
                        push_written(&mut bytes, cells.number(row).unwrap_or(f64::NAN), format, self.delimiter);
                    }
                    _ => {
                        match (&self.times[field], cells.time(row)) {
                            (Some(format), Some(micros)) => {
                                text.clear();
                                format.write(micros, &mut text);
                            }
                            _ => cells.render(row, &mut text),
                        }
                        push_field(&mut bytes, &text, self.delimiter);
                    }
                }
            }
            spans.push((start, bytes.len()));
        }
        RawRecords::new(bytes, spans)
    }
}

impl Batches for ParquetStream {
    fn header(&self) -> Option<&[u8]> {
        Some(&self.header)
    }

    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn names(&self) -> &[String] {
        &self.plan.names
    }

    fn notes(&self) -> &[String] {
        &self.plan.notes
    }

    fn types(&self) -> &[Option<StoredType>] {
        &self.types
    }

    fn has_literals(&self, field: usize) -> bool {
        self.parquet.fields.get(field).is_some_and(|field| field.meaning.is_literal())
    }

    fn misfits(&self) -> &Misfits {
        &self.misfits
    }

    fn rejects(&self) -> &Rejects {
        &self.rejects
    }

    fn next(&mut self) -> Result<Option<Batch>, TableError> {
        while self.group < self.parquet.n_groups() {
            let left = self.parquet.group_rows(self.group) - self.taken;
            if left == 0 {
                self.group += 1;
                (self.taken, self.cursors) = (0, Vec::new());
                continue;
            }
            if self.cursors.is_empty() {
                let all = 0..self.parquet.fields.len();
                self.cursors = all.map(|f| self.parquet.cursor(self.group, f)).collect::<Result<_, _>>()?;
            }
            let n = left.min(BATCH_ROWS);
            let parquet = &self.parquet;
            let types = &self.types;
            let keep = |field: usize| types.get(field).is_some_and(Option::is_some);
            let next = |c: &mut Cursor| parquet.cells_and_stored(c, n, keep(c.field));
            let found: Vec<(Cells, Option<Stored>)> =
                self.cursors.par_iter_mut().map(next).collect::<Result<_, _>>()?;
            let (cells, stored): (Vec<Cells>, Vec<Option<Stored>>) = found.into_iter().unzip();
            self.taken += n;
            let batch = self.batch(&cells, &stored, n)?;
            self.n_rows += n as u64;
            if batch.table.n_rows() > 0 || self.plan.columns.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}
