//! All fields of a CSV file of which nothing is known yet, piece by piece on all cores.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::before::Head;
use super::block::{Block, Blocks, PieceBounds, Sizes};
use super::index::Index;
use super::tail::{Tail, TailWatch};
use super::{COMMENT_OPTION, add_repeated, emptied_note, header_names, no_records, record_fault, repeated_note};
use crate::table::build::plan;
use crate::table::cell::Markers;
use crate::table::evidence::Evidence;
use crate::table::input::Text;
use crate::table::rejects::Fault;
use crate::table::{Dialect, InferOptions, Progress, Rejects, TableError, sniff};

/// The fields of one piece.
pub(crate) type Piece<'a> = Index<'a>;

/// A CSV file whose delimiter and names have been found out.
pub(crate) struct Scan {
    blocks: Blocks,
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    pub(crate) names: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// What one piece gave, and what is wrong in it.
struct Scanned<R> {
    result: R,
    faults: Vec<Fault>,
    tail: Tail,
    repeated: Option<(u64, u64)>,
}

impl Scan {
    /// Guesses what is not given.
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
        refuse_other_lines(name, head, delimiter, blocks.line(), options)?;
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
        Ok(Self { blocks, delimiter, header, names, notes })
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Gives every piece to `look`, in parallel, and the results of a block to `take`, in file order, until it has
    /// seen enough. Whether the file was seen to its end is the second answer.
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
            scanned.iter().for_each(|s| watch.add(&s.tail));
            scanned.iter().for_each(|s| add_repeated(&mut repeated, s.repeated));
            let n_bad: usize = scanned.iter().map(|s| s.faults.len()).sum();
            let n_good: u64 = scanned.iter().map(|s| s.tail.n_rows).sum();
            if current.last {
                self.check_end(&current, &watch, &mut scanned, skip, &look);
            }
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
        let (names, delimiter, header) = (&self.names, self.delimiter, self.header);
        let blocks = &mut self.blocks;
        let scan = |bounds: &PieceBounds| {
            let bytes = &block.bytes[bounds.start..bounds.end];
            let mut index = Index::new(bytes, bounds.line, delimiter, names.len());
            let repeated = if header { index.remove_headers(names) } else { None };
            let faults = index
                .bad
                .iter()
                .map(|bad| record_fault(plan::yardstick(header), COMMENT_OPTION, &index, bad))
                .collect();
            Scanned { result: look(&index), faults, tail: Tail::of(&index), repeated }
        };
        rayon::join(
            || block.pieces.par_iter().map(scan).collect(),
            || if block.last { Ok(None) } else { blocks.next() },
        )
    }

    /// Reports a last record that looks truncated, and with `skip` looks at its piece again without it.
    fn check_end<R: Send>(
        &self,
        block: &Block,
        watch: &TailWatch,
        scanned: &mut [Scanned<R>],
        skip: bool,
        look: &(impl Fn(&Piece<'_>) -> R + Sync),
    ) {
        let Some(ending) = watch.truncated(&self.names) else { return };
        let Some(at) = scanned.iter().rposition(|s| s.tail.n_rows > 0) else { return };
        let bounds = block.pieces[at];
        let mut index =
            Index::new(&block.bytes[bounds.start..bounds.end], bounds.line, self.delimiter, self.names.len());
        if self.header {
            index.remove_headers(&self.names);
        }
        let (rows, ends) = ending.of(&index);
        scanned[at].faults.extend(ends);
        if skip {
            index.remove(&rows);
            scanned[at].result = look(&index);
        }
    }
}

/// Names lines before the rows that are neither header nor row.
fn refuse_other_lines(
    name: &str,
    head: &[u8],
    delimiter: u8,
    line: u64,
    options: &InferOptions,
) -> Result<(), TableError> {
    // Whoever says how many lines to skip, or that there is no header, has looked.
    let padded = options.skip_lines.is_none() && options.header != Some(false);
    if let Some(fault) = Head::new(head, delimiter, line).title(name, delimiter, padded) {
        return Err(fault);
    }
    if options.header == Some(false) || options.skip_invalid {
        return Ok(());
    }
    let Some(cells) = sniff::second_header(head, delimiter) else { return Ok(()) };
    let what = format!(
        "line {} looks like a second header, texts above numbers ({cells}): use it as the header with --skip-lines \
         {line}; if it lists units or types, remove it",
        line + 1
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
