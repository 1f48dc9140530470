//! CSV: blocks of bytes to typed columns, on all cores.
//!
//! ```text
//! Blocks ─▶ Block ─┬▶ piece ─▶ Index ─▶ one Part per column ─┐
//!                  ├▶ piece ─▶ Index ─▶ …                     ├▶ Builder per column, in file order ─▶ Table
//!                  └▶ …       (pieces in parallel)            ┘
//! ```
//! While one block is parsed the next is read. Results and errors do not depend on the block boundaries.

mod before;
mod between;
pub(crate) mod block;
pub(crate) mod columns;
mod faults;
pub(crate) mod index;
pub(crate) mod scan;
pub(crate) mod stream;
mod printed;
mod summary;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use self::before::Head;
use self::block::{Block, Blocks, PieceBounds, Sizes};
use self::faults::{
    COMMENT_KEY, COMMENT_OPTION, cell_fault, doubled, emptied_note, late_header, no_records, record_fault,
    repeated_note,
};
use self::index::Index;
use self::tail::{Keep, Tail, TailWatch, endings};
use crate::table::build::plan::{self, Plan, Wanted};
use crate::table::build::{Builder, Part};
use crate::table::evidence::Watched;
use crate::table::input::Text;
use crate::table::record::{TO_UTF8, fields_of, nameless};
use crate::table::rejects::{Fault, Misfits, Rejects};
use crate::table::sniff;
use crate::table::{Column, ReadOptions, ReadResult, Schema, Table, TableError};

/// A CSV file whose header has been matched with a schema.
pub(crate) struct Reader<'a> {
    blocks: Blocks,
    plan: Plan,
    options: &'a ReadOptions,
    watch: TailWatch,
    rejects: Rejects,
    misfits: Misfits,
    /// The evidence on columns of undecided kind.
    watched: Watched,
    /// Headers among the rows: how many, and the line of the first.
    repeated: Option<(u64, u64)>,
    /// The header record as in the file; empty without a header.
    header: Vec<u8>,
}

/// The result of one piece.
pub(crate) struct Parsed {
    parts: Vec<Part>,
    n_rows: usize,
    faults: Vec<Fault>,
    /// With [`ReadOptions::blank_misfits`]: how many cells of a column do not fit, and the first.
    misfits: Vec<(u64, Fault)>,
    watched: Watched,
    tail: Tail,
    /// Headers among its rows.
    repeated: Option<(u64, u64)>,
    /// The position of each row in its block, if the caller needs the bytes.
    spans: Vec<(usize, usize)>,
}

/// Reads a whole CSV file.
pub(crate) fn read(
    name: &str,
    text: Text,
    schema: &Schema,
    options: &ReadOptions,
    sizes: Sizes,
) -> Result<ReadResult, TableError> {
    let mut reader = Reader::open(name, text, schema, options, sizes)?;
    let mut builders: Option<Vec<Builder>> = None;
    let mut block = reader.blocks.next()?;
    while let Some(current) = block {
        let (parsed, next) = reader.parse_and_read_on(&current, false)?;
        let builders = builders.get_or_insert_with(|| reader.builders(&current, &parsed));
        builders.par_iter_mut().enumerate().for_each(|(column, builder)| {
            for piece in &parsed {
                builder.append(&piece.parts[column]);
            }
        });
        reader.blocks.recycle(current);
        block = next;
    }
    let builders =
        builders.unwrap_or_else(|| reader.plan.columns.iter().map(|w| Builder::new(&w.storage, 0)).collect());
    let Reader { plan, rejects, .. } = reader;
    let columns = plan.columns.into_iter().zip(builders).map(|(w, b)| Column::new(w.name, b.finish())).collect();
    Ok(ReadResult { table: Table::new(columns)?, rejects, notes: plan.notes })
}

/// A header without the schema's delimiter was written with another one: the columns come from another program.
fn own_delimiter(blocks: &mut Blocks, schema: &Schema) -> u8 {
    let head = blocks.ahead();
    let first_line = head.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    if blocks.separator.is_none()
        && schema.dialect.header
        && schema.columns.len() > 1
        && !first_line.contains(&blocks.delimiter)
    {
        blocks.delimiter = sniff::delimiter(head);
    }
    blocks.delimiter
}

/// Skips the lines before the table as given in the schema, unless the file begins with the header.
fn skip_lines(blocks: &mut Blocks, name: &str, schema: &Schema) -> Result<(), TableError> {
    let n = schema.dialect.skip_lines;
    if !schema.dialect.header {
        return blocks.skip_lines(n);
    }
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    let found = |blocks: &Blocks| {
        let head = &blocks.ahead()[..blocks.ahead().len().min(1 << 16)];
        Head::new(head, blocks.delimiter, blocks.line()).header(&names, blocks.delimiter)
    };
    match found(blocks) {
        // The first line is the header, or there is none.
        None if n == 0 => Ok(()),
        None => Ok(()),
        Some(line) if n > 0 && line > n => {
            blocks.skip_lines(n)?;
            found(blocks).map_or(Ok(()), |line| Err(late_header(name, line)))
        }
        Some(line) => Err(late_header(name, line)),
    }
}

/// Adds the number of headers among the rows of a piece, and the position of the first.
fn add_repeated(all: &mut Option<(u64, u64)>, next: Option<(u64, u64)>) {
    *all = match (*all, next) {
        (Some((n, first)), Some((more, _))) => Some((n + more, first)),
        (all, next) => all.or(next),
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn open(
        name: &str,
        text: Text,
        schema: &Schema,
        options: &'a ReadOptions,
        sizes: Sizes,
    ) -> Result<Self, TableError> {
        let delimiter = plan::check_dialect(name, &schema.dialect)?;
        let comment = schema.dialect.comment.map(|mark| plan::check_comment(name, mark)).transpose()?;
        let mut text = text;
        let notes = std::mem::take(&mut text.notes);
        let mut blocks = Blocks::open(name.to_owned(), text, delimiter, comment, sizes)?;
        skip_lines(&mut blocks, name, schema)?;
        let delimiter = own_delimiter(&mut blocks, schema);
        let (header, names, n_fields) = if schema.dialect.header {
            let (record, line) = blocks.take_record()?.ok_or_else(|| no_records(name))?;
            let names = header_names(name, &record, line, delimiter)?;
            let n_fields = names.len();
            (record, Some(names), n_fields)
        } else {
            (Vec::new(), None, blocks.first_width()?.ok_or_else(|| no_records(name))?)
        };
        let mut plan = Plan::new(name, names, n_fields, schema, options)?;
        plan.notes.extend(notes);
        let watch = TailWatch::new(n_fields);
        let watched = Watched::empty(plan.watched.len());
        Ok(Self {
            blocks,
            plan,
            options,
            watch,
            rejects: Rejects::default(),
            misfits: Misfits::default(),
            watched,
            repeated: None,
            header,
        })
    }

    /// Parses a block while the next one is read. With `spans`, keeps the position of each row.
    pub(crate) fn parse_and_read_on(
        &mut self,
        block: &Block,
        spans: bool,
    ) -> Result<(Vec<Parsed>, Option<Block>), TableError> {
        let (plan, options, delimiter) = (&self.plan, self.options, self.blocks.delimiter);
        let headed = !self.header.is_empty();
        let blocks = &mut self.blocks;
        let (mut parsed, next) = rayon::join(
            || -> Vec<Parsed> {
                let parse = |bounds: &PieceBounds| {
                    let bytes = &block.bytes[bounds.start..bounds.end];
                    let (index, repeated) = Index::of_rows(bytes, bounds.line, delimiter, &plan.names, headed);
                    Parsed { repeated, ..parse_piece(plan, index, options, spans.then_some(bounds.start)) }
                };
                block.pieces.par_iter().map(parse).collect()
            },
            || if block.last { Ok(None) } else { blocks.next() },
        );
        if let Some(progress) = &self.options.progress {
            progress(self.blocks.consumed());
        }
        let is_new = self.watch.is_new();
        for piece in &parsed {
            self.watch.add(&piece.tail);
            add_repeated(&mut self.repeated, piece.repeated);
        }
        if !self.options.whole {
            self.check_ends(block, is_new, &mut parsed);
        }
        let n_bad: usize = parsed.iter().map(|piece| piece.faults.len()).sum();
        let n_good: u64 = parsed.iter().map(|piece| piece.tail.n_rows).sum();
        if block.last {
            let left_out = self.left_out();
            self.plan.notes.extend(left_out);
        }
        for piece in &mut parsed {
            let faults = std::mem::take(&mut piece.faults);
            if options.skip_invalid {
                self.rejects.add(faults);
            } else if let Some(first) = faults.into_iter().next() {
                return Err(first.into_error_among(self.blocks.name(), n_bad as u64, n_good));
            }
            std::mem::take(&mut piece.misfits).into_iter().for_each(|(n, first)| self.misfits.add(n, first));
            self.watched.merge(std::mem::take(&mut piece.watched));
        }
        Ok((parsed, next?))
    }

    /// Lines among and below the rows that are not data.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.repeated.map(repeated_note).into_iter().chain(self.blocks.emptied().map(emptied_note)).collect()
    }

    /// Totals, remarks, and a last record whose trailing columns are unusually blank are not rows.
    fn check_ends(&self, block: &Block, is_new: bool, parsed: &mut [Parsed]) {
        let last = block.last.then_some((&self.watch, self.plan.names.as_slice()));
        let index_of = |bounds: &PieceBounds| {
            let bytes = &block.bytes[bounds.start..bounds.end];
            let headed = !self.header.is_empty();
            Index::of_rows(bytes, bounds.line, self.blocks.delimiter, &self.plan.names, headed).0
        };
        let pieces = (block.pieces.as_slice(), index_of);
        for (at, endings) in endings(parsed.iter().map(|piece| &piece.tail), pieces, is_new, last, &self.plan.levels) {
            let bounds = block.pieces[at];
            let mut index = index_of(&bounds);
            let (mut rows, mut faults) = (BTreeSet::new(), Vec::new());
            let told = (self.plan.names.as_slice(), Keep::Schema);
            for (its_rows, its_faults) in endings.iter().map(|ending| ending.of(&index, told)) {
                rows.extend(its_rows);
                faults.extend(its_faults);
            }
            if self.options.skip_invalid {
                index.remove(&rows.into_iter().collect::<Vec<usize>>());
                let spans = parsed[at].spans.first().map(|_| bounds.start);
                let repeated = parsed[at].repeated;
                parsed[at] = Parsed { repeated, ..parse_piece(&self.plan, index, self.options, spans) };
            }
            let all = &mut parsed[at].faults;
            all.retain(|fault| faults.iter().all(|end| fault.line != end.line));
            all.extend(faults);
            all.sort_by_key(|fault| fault.line);
            all.dedup_by_key(|fault| fault.line);
        }
    }

    /// Builders with room for the rows that the file is likely to have.
    fn builders(&self, block: &Block, parsed: &[Parsed]) -> Vec<Builder> {
        let n_rows: usize = parsed.iter().map(|p| p.n_rows).sum();
        let expected = match self.blocks.size {
            Some(size) if !block.last && !block.bytes.is_empty() => {
                let ratio = size as f64 / block.bytes.len() as f64;
                (n_rows as f64 * ratio * 1.02) as usize
            }
            _ => n_rows,
        };
        self.plan.columns.iter().map(|w| Builder::new(&w.storage, expected)).collect()
    }
}

/// Parses the wanted columns of one piece. Without `skip` the first fault in file order comes first in `faults`
/// and the parts may end there; with it rejected rows are not in the parts. Invalid cells may also be set
/// to missing.
fn parse_piece(plan: &Plan, mut index: Index<'_>, options: &ReadOptions, spans_from: Option<usize>) -> Parsed {
    let ReadOptions { skip_invalid: skip, blank_misfits: blank, .. } = *options;
    let tail = Tail::of(&index, &plan.levels);
    let mut faults: BTreeMap<usize, Fault> =
        index.bad.iter().map(|bad| (bad.at, record_fault(plan.yardstick, COMMENT_KEY, &index, bad))).collect();
    let mut limit = match faults.keys().next() {
        Some(&first) if !skip => index.n_rows_before(first),
        _ => index.n_rows(),
    };
    let mut parts = Vec::with_capacity(plan.columns.len());
    let mut bad_rows: BTreeMap<usize, Fault> = BTreeMap::new();
    let (mut leading_zero, mut misfits) = (false, Vec::new());
    let mut by_field: Vec<&Wanted> = plan.columns.iter().collect();
    by_field.sort_by_key(|w| w.field);
    for wanted in by_field {
        let parsed = columns::parse(&index, wanted.field, limit, &wanted.storage, &plan.markers, !skip && !blank);
        leading_zero |= parsed.leading_zero;
        if let Some(&first) = parsed.bad.first().filter(|_| blank) {
            misfits.push((parsed.bad.len() as u64, cell_fault(&index, first, wanted)));
        }
        for row in parsed.bad.into_iter().filter(|_| !blank) {
            bad_rows.entry(row).or_insert_with(|| cell_fault(&index, row, wanted));
            limit = if skip { limit } else { row };
        }
        parts.push((wanted.field, parsed.part));
    }
    if bad_rows.is_empty() || !skip {
        // Parts are in the order of the file; the plan's order is that of the schema.
        let position: Vec<usize> = plan.columns.iter().map(|w| w.field).collect();
        parts.sort_by_key(|(field, _)| position.iter().position(|p| p == field));
    } else {
        let rows: Vec<usize> = bad_rows.keys().copied().collect();
        faults.extend(bad_rows.iter().map(|(&row, fault)| (index.span(row).0, fault.clone())));
        bad_rows.clear();
        index.remove(&rows);
        let n_rows = index.n_rows();
        parts = plan
            .columns
            .iter()
            .map(|w| (w.field, columns::parse(&index, w.field, n_rows, &w.storage, &plan.markers, false).part))
            .collect();
    }
    faults.extend(bad_rows.into_iter().map(|(row, fault)| (index.span(row).0, fault)));
    let n_rows = index.n_rows();
    let spans = spans_from.map_or_else(Vec::new, |from| {
        (0..n_rows).map(|row| index.span(row)).map(|(start, end)| (from + start, from + end)).collect()
    });
    Parsed {
        parts: parts.into_iter().map(|(_, p)| p).collect(),
        n_rows,
        faults: faults.into_values().collect(),
        misfits,
        watched: watched(&index, plan, leading_zero),
        tail,
        repeated: None,
        spans,
    }
}

/// The evidence from the watched fields of a piece.
fn watched(index: &Index<'_>, plan: &Plan, leading_zero: bool) -> Watched {
    let mut scratch = String::new();
    let seen = plan.watched.iter().map(|&field| scan::field_evidence(index, field, &plan.markers, &mut scratch));
    Watched::new(seen.collect(), leading_zero)
}

/// The names in a header record; a field without a name is called after its position, `c3`.
pub(crate) fn header_names(file: &str, record: &[u8], line: u64, delimiter: u8) -> Result<Vec<String>, TableError> {
    if std::str::from_utf8(record).is_err() {
        return Err(TableError::File {
            file: file.to_owned(),
            what: format!("line {line}: the header is not UTF-8: {TO_UTF8}"),
        });
    }
    let names = fields_of(record, delimiter);
    if let Some(what) = doubled(&names) {
        return Err(TableError::File { file: file.to_owned(), what: format!("line {line}: {what}") });
    }
    Ok(names.into_iter().zip(0..).map(|(name, n)| if name.is_empty() { nameless(n) } else { name }).collect())
}
