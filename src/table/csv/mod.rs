//! CSV: blocks of bytes to typed columns, on all cores.
//!
//! ```text
//! Blocks ─▶ Block ─┬▶ piece ─▶ Index ─▶ one Part per column ─┐
//!                  ├▶ piece ─▶ Index ─▶ …                     ├▶ Builder per column, in file order ─▶ Table
//!                  └▶ …       (pieces in parallel)            ┘
//! ```
//! While one block is parsed the next is read. Nothing that is reported or stored depends on where the cuts fall.

mod before;
pub(crate) mod block;
pub(crate) mod columns;
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
use self::index::{BadRecord, Index, Why};
use self::tail::{Tail, TailWatch, endings};
use crate::table::build::plan::{self, Plan, Wanted};
use crate::table::build::{Builder, Part};
use crate::table::cell::shorten;
use crate::table::evidence::Watched;
use crate::table::input::Text;
use crate::table::record::{TO_UTF8, fields_of, nameless};
use crate::table::rejects::{Fault, Misfits, Rejects, What};
use crate::table::sniff;
use crate::table::{Column, ReadOptions, ReadResult, Schema, Table, TableError};
use crate::wording::list;

/// A CSV file whose header has been matched with a schema.
pub(crate) struct Reader<'a> {
    blocks: Blocks,
    plan: Plan,
    options: &'a ReadOptions,
    watch: TailWatch,
    rejects: Rejects,
    misfits: Misfits,
    /// What the columns show whose kind is open.
    watched: Watched,
    /// Headers among the rows: how many, and the line of the first.
    repeated: Option<(u64, u64)>,
    /// The header record as it stands in the file; empty without a header.
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
    /// Where each row lies in its block, when the caller wants to see the bytes again.
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

/// A header without the schema's delimiter is written with another: the same columns came out of another program.
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

/// Leaves out the lines that the schema says stand before the table, unless the header stands where the file begins.
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
        // The first line is the header, or none is.
        None if n == 0 => Ok(()),
        None => Ok(()),
        Some(line) if n > 0 && line > n => {
            blocks.skip_lines(n)?;
            found(blocks).map_or(Ok(()), |line| Err(late_header(name, line)))
        }
        Some(line) => Err(late_header(name, line)),
    }
}

fn late_header(file: &str, line: u64) -> TableError {
    TableError::File {
        file: file.to_owned(),
        what: format!(
            "the header is on line {line}: give --skip-lines {n} (predict, features, monitor, retrain, run), set skip_lines = \
             {n} under [data] in mlloop.toml, or remove the lines before it",
            n = line - 1
        ),
    }
}

/// Adds how many headers stand among the rows of a piece, and where the first does.
fn add_repeated(all: &mut Option<(u64, u64)>, next: Option<(u64, u64)>) {
    *all = match (*all, next) {
        (Some((n, first)), Some((more, _))) => Some((n + more, first)),
        (all, next) => all.or(next),
    };
}

fn repeated_note((n, first): (u64, u64)) -> String {
    match n {
        1 => format!("line {first}: repeated header; left out"),
        n => format!("repeated header on {n} lines, first on line {first}; left out"),
    }
}

/// What is said of lines without any cell below the table.
fn emptied_note((n, first): (u64, u64)) -> String {
    match n {
        1 => format!("line {first}, the last one, has no cells; left out"),
        n => format!("the last {n} lines, from line {first} on, have no cells; left out"),
    }
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
        let plan = Plan::new(name, names, n_fields, schema, options)?;
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

    /// Parses a block while the next one is read. With `spans`, keeps where each row lies.
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

    /// What stands among the rows and below them and is none.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.repeated.map(repeated_note).into_iter().chain(self.blocks.emptied().map(emptied_note)).collect()
    }

    /// Totals, remarks, and a last record whose trailing columns are blank as nowhere else are no rows.
    fn check_ends(&self, block: &Block, is_new: bool, parsed: &mut [Parsed]) {
        let last = block.last.then_some((&self.watch, self.plan.names.as_slice()));
        for (at, endings) in endings(parsed.iter().map(|piece| &piece.tail), is_new, last) {
            let bounds = block.pieces[at];
            let bytes = &block.bytes[bounds.start..bounds.end];
            let names = &self.plan.names;
            let (mut index, _) =
                Index::of_rows(bytes, bounds.line, self.blocks.delimiter, names, !self.header.is_empty());
            let (mut rows, mut faults) = (BTreeSet::new(), Vec::new());
            for (its_rows, its_faults) in endings.iter().map(|ending| ending.of(&index)) {
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
/// and the parts may end there; with it the rejected rows leave no trace in the parts. Cells may also be left blank
/// where they do not fit.
fn parse_piece(plan: &Plan, mut index: Index<'_>, options: &ReadOptions, spans_from: Option<usize>) -> Parsed {
    let ReadOptions { skip_invalid: skip, blank_misfits: blank, .. } = *options;
    let tail = Tail::of(&index);
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
        // Parts were made in the file's order; the plan's order is the schema's.
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

/// What the watched fields of a piece show.
fn watched(index: &Index<'_>, plan: &Plan, leading_zero: bool) -> Watched {
    let mut scratch = String::new();
    let seen = plan.watched.iter().map(|&field| scan::field_evidence(index, field, &plan.markers, &mut scratch));
    Watched::new(seen.collect(), leading_zero)
}

/// How comments are left out, where `mlloop.toml` says how the table is written, and where nothing does.
const COMMENT_KEY: &str = "comment = \"#\" under [data] in mlloop.toml";
const COMMENT_OPTION: &str = "--comment '#'";

/// What is wrong with a line that printing left among the rows.
const PAGE: &str = "is a line of a printed page, not a row";
const RULE: &str = "is a ruled line, as around tables that are drawn with characters, not a row";

fn record_fault(yardstick: &str, comment: &str, index: &Index<'_>, bad: &BadRecord) -> Fault {
    let what = match bad.why {
        Why::Fields { n: 1, .. } if printed::says_page(index.line_text(bad.at)) => PAGE.to_owned(),
        Why::Page => PAGE.to_owned(),
        Why::Fields { .. } if printed::is_ruled(index.line_text(bad.at)) => RULE.to_owned(),
        Why::Rule => RULE.to_owned(),
        Why::Fields { n, cut } => {
            let s = if n == 1 { "" } else { "s" };
            let end = if cut { "; the file ends in the middle of this record" } else { "" };
            let comment = match index.text.as_bytes().get(bad.at) {
                Some(b'#') => format!("; if lines with # are comments, skip them with {comment}"),
                _ => String::new(),
            };
            format!("{n} field{s}, but {yardstick} {}{end}{comment}", index.n_fields)
        }
        Why::OtherOrder => {
            "repeats the header with the columns in another order: the rows from here on follow that order".to_owned()
        }
        Why::OpenQuote => "the quote that opens here is never closed".to_owned(),
        Why::NotUtf8(byte) => {
            format!("byte 0x{byte:02x} is not UTF-8: {TO_UTF8}")
        }
    };
    Fault { line: index.line_at(bad.at), what: What::Record(what) }
}

fn cell_fault(index: &Index<'_>, row: usize, wanted: &Wanted) -> Fault {
    let mut scratch = String::new();
    let value = shorten(index.cell(row, wanted.field, &mut scratch));
    let what = What::Cell { column: wanted.name.clone(), value, expected: wanted.storage.expected() };
    Fault { line: index.line_at(index.span(row).0), what }
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

/// What is wrong with a header in which a name stands again, as where a program writes a list as one field for each entry.
fn doubled(names: &[String]) -> Option<String> {
    let is_again = |name: &&String| !name.is_empty() && names.iter().filter(|other| other == name).count() > 1;
    // Names are compared pairwise only where one stands again.
    let mut sorted: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return None;
    }
    let name = names.iter().find(is_again)?;
    let fields: Vec<String> =
        names.iter().zip(1..).filter(|(other, _)| *other == name).map(|(_, n): (_, u32)| n.to_string()).collect();
    Some(format!(
        "the header has the name {name:?} {} times, in fields {}: name each anew",
        fields.len(),
        list(fields.iter().map(String::as_str))
    ))
}

fn no_records(file: &str) -> TableError {
    TableError::File { file: file.to_owned(), what: "contains no records".to_owned() }
}
