//! All fields of a CSV file without a schema, piece by piece on all cores.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use rayon::prelude::*;

use super::before::Head;
use super::block::{Block, Blocks, PieceBounds, Sizes};
use super::index::Index;
use super::tail::{Keep, Tail, TailWatch, endings};
use super::{
    COMMENT_OPTION, add_repeated, cell_fault, columns, emptied_note, header_names, no_records, record_fault,
    repeated_note,
};
use crate::table::build::plan::{self, Wanted};
use crate::table::cell::Markers;
use crate::table::evidence::Evidence;
use crate::table::input::Text;
use crate::table::rejects::{Fault, What};
use crate::table::{ColumnSpec, DEFAULT_MISSING, Dialect, InferOptions, Progress, Rejects, TableError, sniff};

/// The fields of one piece.
pub(crate) type Piece<'a> = Index<'a>;

/// A CSV file with its delimiter and names detected.
pub(crate) struct Scan {
    blocks: Blocks,
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    pub(crate) names: Vec<String>,
    pub(crate) notes: Vec<String>,
    /// Columns whose cells must be valid, and their missing markers.
    fitting: Vec<Wanted>,
    markers: Markers,
    /// The line of a second header, which is skipped.
    second: Option<u64>,
    /// Fields in which such words are levels, also `total`; and the option that says so.
    levels: Vec<bool>,
    keep: Keep,
}

/// The results and errors of one piece.
struct Scanned<R> {
    result: R,
    faults: Vec<Fault>,
    tail: Tail,
    repeated: Option<(u64, u64)>,
}

impl Scan {
    /// Detects what is not given.
    pub(crate) fn open(name: &str, text: Text, options: &InferOptions, sizes: Sizes) -> Result<Self, TableError> {
        let InferOptions { delimiter, header, skip_lines, comment, .. } = *options;
        let comment = comment.map(|mark| plan::check_comment(name, mark)).transpose()?;
        let mut blocks = Blocks::open(name.to_owned(), text, b',', comment, sizes)?;
        blocks.skip_lines(skip_lines.unwrap_or(0))?;
        let head = &blocks.ahead()[..blocks.ahead().len().min(1 << 20)];
        let delimiter = match (delimiter, blocks.separator) {
            (Some(delimiter), _) => plan::check_dialect(name, &Dialect { delimiter, ..Dialect::default() })?,
            (None, Some(separator)) => separator,
            (None, None) => sniff::delimiter(head),
        };
        let second = other_lines(name, head, delimiter, blocks.line(), options)?;
        let data = sniff::first_record_is_data(head, delimiter);
        blocks.delimiter = delimiter;
        let mut notes = Vec::new();
        let header = match (header, &data) {
            (Some(header), _) => header,
            (None, None) => true,
            (None, Some(cell)) => {
                notes.push(format!("no header: the first record holds data ({cell:?}), so columns are c1, c2, …"));
                false
            }
        };
        if header && let Some(cell) = &data {
            notes.push(format!("the first record looks like data ({cell:?}): if it is, add --no-header"));
        }
        let names = if header {
            let (record, line) = blocks.take_record()?.ok_or_else(|| no_records(name))?;
            plan::unique(header_names(name, &record, line, delimiter)?)?
        } else {
            let n_fields = blocks.first_width()?.ok_or_else(|| no_records(name))?;
            (1..=n_fields).map(|n| format!("c{n}")).collect()
        };
        let place = |spec: &ColumnSpec| names.iter().position(|own| *own == spec.name);
        let wanted = |spec: &ColumnSpec| plan::wanted(name, spec, place(spec)?).transpose();
        let fitting = options.fitting.iter().filter_map(wanted).collect::<Result<_, _>>()?;
        let markers =
            options.missing.as_deref().map_or_else(|| Markers::new(&DEFAULT_MISSING.map(str::to_owned)), Markers::new);
        let known = options.levels.as_deref().unwrap_or_default();
        let levels = names.iter().map(|name| known.contains(name)).collect();
        let keep = if options.levels.is_some() { Keep::Option } else { Keep::No };
        Ok(Self { blocks, delimiter, header, names, notes, fitting, markers, second, levels, keep })
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Passes every piece to `look`, in parallel, and the results of a block to `take`, in file order, until it has
    /// enough. The second result tells whether the file was read to its end.
    pub(crate) fn run<R: Send>(
        &mut self,
        skip: bool,
        progress: Option<&Progress>,
        look: impl Fn(&Piece<'_>) -> R + Sync,
        mut take: impl FnMut(Vec<R>) -> ControlFlow<()>,
    ) -> Result<(Rejects, bool), TableError> {
        let mut watch = TailWatch::new(self.names.len());
        let mut rejects = Rejects::default();
        let mut repeated = None;
        let mut block = self.blocks.next()?;
        while let Some(current) = block {
            let (mut scanned, next) = self.block(&current, &look);
            let is_new = watch.is_new();
            scanned.iter().for_each(|s| watch.add(&s.tail));
            scanned.iter().for_each(|s| add_repeated(&mut repeated, s.repeated));
            let n_bad: usize = scanned.iter().map(|s| s.faults.len()).sum();
            let n_good: u64 = scanned.iter().map(|s| s.tail.n_rows).sum();
            let notes = self.check_ends(&current, (is_new, &watch), &mut scanned, skip, &look);
            self.notes.extend(notes);
            for piece in &mut scanned {
                let faults = std::mem::take(&mut piece.faults);
                if skip {
                    rejects.add(faults);
                } else if let Some(first) = faults.into_iter().next() {
                    return Err(first.into_error_among(self.blocks.name(), n_bad as u64, n_good));
                }
            }
            let enough = take(scanned.into_iter().map(|s| s.result).collect()).is_break();
            if let Some(progress) = progress {
                progress(self.blocks.consumed());
            }
            if enough && !current.last {
                return Ok((rejects, false));
            }
            self.blocks.recycle(current);
            block = next?;
        }
        self.notes.extend(repeated.map(repeated_note).into_iter().chain(self.blocks.emptied().map(emptied_note)));
        Ok((rejects, true))
    }

    /// Looks at a block while the next is read.
    fn block<R: Send>(
        &mut self,
        block: &Block,
        look: &(impl Fn(&Piece<'_>) -> R + Sync),
    ) -> (Vec<Scanned<R>>, Result<Option<Block>, TableError>) {
        let Self { blocks, names, delimiter, header, fitting, markers, second, levels, .. } = self;
        let rows = Rows { names, delimiter: *delimiter, header: *header, fitting, markers, second: *second };
        let scan = |bounds: &PieceBounds| {
            let (index, repeated, faults) = rows.of_piece(&block.bytes[bounds.start..bounds.end], bounds.line);
            Scanned { result: look(&index), faults, tail: Tail::of(&index, levels), repeated }
        };
        rayon::join(
            || block.pieces.par_iter().map(scan).collect(),
            || if block.last { Ok(None) } else { blocks.next() },
        )
    }

    /// Reports totals, remarks and a last record that looks truncated, and with `skip` processes their pieces again
    /// without them. Returns notes on rows that are kept.
    fn check_ends<R: Send>(
        &self,
        block: &Block,
        (is_new, watch): (bool, &TailWatch),
        scanned: &mut [Scanned<R>],
        skip: bool,
        look: &(impl Fn(&Piece<'_>) -> R + Sync),
    ) -> Vec<String> {
        let mut notes = Vec::new();
        let last = block.last.then_some((watch, self.names.as_slice()));
        let index_of =
            |bounds: &PieceBounds| self.rows().of_piece(&block.bytes[bounds.start..bounds.end], bounds.line).0;
        for (at, endings) in
            endings(scanned.iter().map(|s| &s.tail), (&block.pieces, index_of), is_new, last, &self.levels)
        {
            let mut index = index_of(&block.pieces[at]);
            let mut rows = BTreeSet::new();
            notes.extend(endings.iter().flat_map(|ending| ending.notes(&index, &self.names)));
            for (its_rows, faults) in endings.iter().map(|ending| ending.of(&index, (&self.names, self.keep))) {
                rows.extend(its_rows);
                scanned[at].faults.extend(faults);
            }
            scanned[at].faults.sort_by_key(|fault| fault.line);
            scanned[at].faults.dedup_by_key(|fault| fault.line);
            if skip {
                index.remove(&rows.into_iter().collect::<Vec<usize>>());
                scanned[at].result = look(&index);
            }
        }
        notes
    }

    /// Distinguishes rows from other records.
    fn rows(&self) -> Rows<'_> {
        let Self { names, delimiter, header, fitting, markers, second, .. } = self;
        Rows { names, delimiter: *delimiter, header: *header, fitting, markers, second: *second }
    }
}

/// Distinguishes rows from other records.
struct Rows<'a> {
    names: &'a [String],
    delimiter: u8,
    header: bool,
    fitting: &'a [Wanted],
    markers: &'a Markers,
    second: Option<u64>,
}

impl Rows<'_> {
    /// The rows of a piece, the repeated headers among them, and the errors of other records.
    fn of_piece<'b>(&self, bytes: &'b [u8], line: u64) -> (Index<'b>, Option<(u64, u64)>, Vec<Fault>) {
        let (mut index, repeated) = Index::of_rows(bytes, line, self.delimiter, self.names, self.header);
        let yardstick = plan::yardstick(self.header);
        let mut faults: Vec<Fault> =
            index.bad.iter().map(|bad| record_fault(yardstick, COMMENT_OPTION, &index, bad)).collect();
        let unfit = self.unfit(&index);
        if !unfit.is_empty() {
            index.remove(&unfit.keys().copied().collect::<Vec<usize>>());
            faults.extend(unfit.into_values());
            faults.sort_by_key(|fault| fault.line);
        }
        (index, repeated, faults)
    }

    /// Rows that are a second header, or have an invalid cell, with the error of each.
    fn unfit(&self, index: &Index<'_>) -> BTreeMap<usize, Fault> {
        let mut unfit = BTreeMap::new();
        // It is the first row, so lines are counted only once.
        if let Some(line) = self.second.filter(|&line| index.n_rows() > 0 && index.line_at(index.span(0).0) == line) {
            let what = "a second header: texts above numbers".to_owned();
            unfit.insert(0, Fault { line, what: What::Record(what) });
        }
        for wanted in self.fitting {
            let parsed = columns::parse(index, wanted.field, index.n_rows(), &wanted.storage, self.markers, false);
            for row in parsed.bad {
                unfit.entry(row).or_insert_with(|| cell_fault(index, row, wanted));
            }
        }
        unfit
    }
}

/// Reports lines before the rows that are neither header nor row. A second header is skipped together with other
/// invalid rows: returns its line.
fn other_lines(
    name: &str,
    head: &[u8],
    delimiter: u8,
    line: u64,
    options: &InferOptions,
) -> Result<Option<u64>, TableError> {
    // Options given by the user for skipped lines or the header are trusted.
    let padded = options.skip_lines.is_none() && options.header != Some(false);
    if let Some(fault) = Head::new(head, delimiter, line).title(name, delimiter, padded) {
        return Err(fault);
    }
    if options.header == Some(false) {
        return Ok(None);
    }
    let Some(second) = sniff::second_header(head, delimiter) else { return Ok(None) };
    let at = line + second.after;
    if options.skip_invalid && second.above_numbers {
        return Ok(Some(at));
    }
    let (above, cells) =
        (if second.above_numbers { "texts above numbers" } else { "texts that no row below has" }, second.cells);
    let what = format!(
        "line {at} looks like a second header, {above} ({cells}): use it as the header with --skip-lines {}; if it lists \
         units or types, remove it",
        at - 1
    );
    Err(TableError::File { file: name.to_owned(), what })
}

/// The evidence of one column in one piece.
pub(crate) fn field_evidence(index: &Piece<'_>, field: usize, markers: &Markers, scratch: &mut String) -> Evidence {
    let mut seen = Evidence::default();
    for row in 0..index.n_rows() {
        let line = || index.line_at(index.span(row).0);
        seen.push(index.cell(row, field, scratch), markers, &line);
    }
    seen
}
