//! Detects a last record that is not a row: truncated and then padded with empty fields, a total, a remark.

use std::collections::BTreeMap;

use super::between::{self, Found, Numbers, Place, Why};
use super::block::PieceBounds;
use super::index::Index;
use super::summary::{self, Side};
use crate::table::rejects::{Fault, What};
use crate::wording::list;

/// Minimum number of blank fields at the end of a record that make it suspicious.
const MIN_RUN: usize = 3;
/// Minimum number of records for "hardly any other": among 200 records, a single such record is the last one by chance
/// in one of 200 files.
const MIN_ROWS: u64 = 200;

/// The blank fields at record ends in one piece.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tail {
    /// Rows with the right number of fields, before any is rejected.
    pub(crate) n_rows: u64,
    /// Rows whose last three fields are blank.
    n_blank: u64,
    /// Blank fields at the end of the last row.
    last_run: usize,
    /// Summary rows at the end and at the beginning of the piece, see [`summary::run`].
    n_below: usize,
    n_above: usize,
    /// Whether any row has the label of a summary row, anywhere in the piece.
    is_marked: bool,
    /// Rows with only the first field filled; how many of them are followed only by such or empty rows; and how many
    /// rows these final rows are.
    n_alone: u64,
    n_last_alone: u64,
    alone_run: u64,
    /// Whether the piece has any record.
    any: bool,
}

/// The sum over all pieces so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TailWatch {
    n_fields: usize,
    n_rows: u64,
    n_blank: u64,
    last_run: usize,
    n_below: usize,
    n_alone: u64,
    n_last_alone: u64,
    alone_run: u64,
}

/// The error for the last records, or for the first.
#[derive(Debug)]
pub(crate) enum Ending {
    /// They sum up the others.
    Totals(Side, usize),
    /// These rows sum up groups of the others.
    Between(Vec<Found>),
    /// The last records are not data.
    Last {
        /// The error.
        what: String,
        /// How many there are.
        n: usize,
    },
}

impl Ending {
    /// The affected rows of their piece, and their faults.
    pub(crate) fn of(&self, index: &Index<'_>, (names, keep): (&[String], Keep)) -> (Vec<usize>, Vec<Fault>) {
        let n_rows = index.n_rows();
        let rows: Vec<usize> = match self {
            Self::Totals(Side::Above, n) => (0..(*n).min(n_rows)).collect(),
            Self::Between(found) => {
                let gone = || found.iter().filter(|found| !matches!(found.why, Why::Level { .. }));
                let fault = |found: &Found| sum_fault(index, found, names, keep);
                return (gone().map(|found| found.row).collect(), gone().map(fault).collect());
            }
            Self::Totals(Side::Below, n) | Self::Last { n, .. } => (n_rows.saturating_sub(*n)..n_rows).collect(),
        };
        let what = match self {
            Self::Last { what, .. } => what.clone(),
            // Returned above.
            Self::Between(_) => String::new(),
            Self::Totals(side, _) => {
                let others = if *side == Side::Above { "below" } else { "above" };
                let words = summary::words(index, &rows);
                match words.len() {
                    0 | 1 => format!("looks like a total of the rows {others}, not a data row"),
                    n => format!(
                        "is one of {n} lines that sum up the rows {others} ({}), not a row",
                        list(words.iter().map(String::as_str))
                    ),
                }
            }
        };
        let fault = |row: &usize| Fault { line: index.line_at(index.span(*row).0), what: What::Record(what.clone()) };
        // An empty row among remarks is not counted as a remark.
        let is_empty = |row: usize| (0..index.n_fields).all(|field| index.is_blank_field(row, field));
        let is_told = |row: &&usize| !matches!(self, Self::Last { .. }) || !is_empty(**row);
        let faults = rows.iter().filter(is_told).map(fault).collect();
        (rows, faults)
    }
}

impl Ending {
    /// A note for the user on rows that are kept.
    pub(crate) fn notes(&self, index: &Index<'_>, names: &[String]) -> Vec<String> {
        let Self::Between(found) = self else { return Vec::new() };
        let told = |found: &Found| {
            let Why::Level { n } = found.why else { return None };
            let mut scratch = String::new();
            let said = index.cell(found.row, found.field, &mut scratch).to_owned();
            let (line, column) = (index.line_at(index.span(found.row).0), names.get(found.field)?);
            Some(format!(
                "column {column:?}: the {n} rows with {said:?}, the first on line {line}, look like totals of the rows beside them, one \
                 for each group; they are kept as rows of a level. If they are totals, remove them"
            ))
        };
        found.iter().filter_map(told).collect()
    }
}

/// How to keep a word such as `total` as a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// By an option.
    Option,
    /// By the schema.
    Schema,
    /// Not possible.
    No,
}

/// The error for a row that sums up a group of others.
fn sum_fault(index: &Index<'_>, found: &Found, names: &[String], keep: Keep) -> Fault {
    let mut scratch = String::new();
    let said = index.cell(found.row, found.field, &mut scratch).to_owned();
    let column = names.get(found.field).map_or("", String::as_str);
    let what = match found.why {
        Why::Made { of_above, numbers } => {
            let side = if of_above { "above" } else { "below" };
            let (name, are) = match numbers {
                Numbers::Sums => ("a total", "their sums"),
                Numbers::Means => ("an average", "their means"),
                Numbers::Both => ("a total", "their sums and means"),
            };
            format!("looks like {name} of rows {side} it, not a data row: its numbers are {are}")
        }
        // Such a row is kept.
        Why::Level { .. } => String::new(),
        Why::Blank { field } => format!(
            "{said:?} in column {column:?} reads like a total, and {:?} is empty, which the other rows fill; but its \
             numbers are not the sums of rows beside it",
            names.get(field).map_or("", String::as_str)
        ),
    };
    let unless = match keep {
        Keep::Option => format!("; if {said:?} is a level, keep such rows with --kind {column}=category"),
        Keep::Schema => format!("; if {said:?} is a level, list it in the `levels` of {column:?} in mlloop.toml"),
        Keep::No => String::new(),
    };
    Fault { line: index.line_at(index.span(found.row).0), what: What::Sum { what, unless } }
}

impl Tail {
    /// In `exempt` fields, words such as `total` are levels.
    pub(crate) fn of(index: &Index<'_>, exempt: &[bool]) -> Self {
        let (n_rows, n_fields) = (index.n_rows(), index.n_fields);
        let any = n_rows > 0 || !index.bad.is_empty();
        let is_alone = |row: usize| {
            n_fields >= MIN_FIELDS
                && (1..n_fields).rev().all(|field| index.is_blank_field(row, field))
                && !index.is_blank_field(row, 0)
        };
        let is_empty = |row: usize| (0..n_fields).all(|field| index.is_blank_field(row, field));
        let n_alone = (0..n_rows).filter(|&row| is_alone(row)).count() as u64;
        // A bad record after the last row ends the file, and is a separate error.
        let whole = n_rows > 0 && index.bad.last().is_none_or(|b| b.at < index.span(n_rows - 1).0);
        let run = || (0..n_rows).rev().take_while(|&row| whole && (is_alone(row) || is_empty(row)));
        let (alone_run, n_last_alone) = (run().count() as u64, run().filter(|&row| is_alone(row)).count() as u64);
        let n_below = if whole { summary::run(index, Side::Below, exempt) } else { 0 };
        let n_above = summary::run(index, Side::Above, exempt);
        let is_marked = between::any(index, exempt);
        let n_rows_told = n_rows as u64;
        let told = Self {
            n_rows: n_rows_told,
            n_below,
            n_above,
            is_marked,
            n_alone,
            n_last_alone,
            alone_run,
            any,
            ..Self::default()
        };
        if n_fields <= MIN_RUN {
            return told;
        }
        let blank = |row: usize| (n_fields - MIN_RUN..n_fields).rev().all(|field| index.is_blank_field(row, field));
        let n_blank = (0..n_rows).filter(|&row| blank(row)).count() as u64;
        let last_run = if whole {
            (0..n_fields).rev().take_while(|&field| index.is_blank_field(n_rows - 1, field)).count()
        } else {
            0
        };
        Self { n_blank, last_run, ..told }
    }
}

/// Minimum number of fields for a row with only the first field to be a remark, and minimum number of other rows.
const MIN_FIELDS: usize = 3;
const MIN_OTHERS: u64 = 20;
/// The errors at the ends of a table and between its rows, by piece. `tails` are the `pieces` of a block; `first` says
/// whether it is the first block with rows; `watch` describes the end if it is the last.
pub(crate) fn endings<'t, 'b>(
    tails: impl Iterator<Item = &'t Tail> + Clone,
    pieces: (&[PieceBounds], impl Fn(&PieceBounds) -> Index<'b>),
    first: bool,
    last: Option<(&TailWatch, &[String])>,
    exempt: &[bool],
) -> BTreeMap<usize, Vec<Ending>> {
    let with_rows = || tails.clone().enumerate().filter(|(_, tail)| tail.n_rows > 0);
    let mut found: BTreeMap<usize, Vec<Ending>> = BTreeMap::new();
    if let Some((at, tail)) = with_rows().next().filter(|(_, tail)| first && tail.n_above > 0) {
        found.entry(at).or_default().push(Ending::Totals(Side::Above, tail.n_above));
    }
    if let (Some((at, _)), Some(ending)) = (with_rows().last(), last.and_then(|(watch, names)| watch.truncated(names)))
    {
        found.entry(at).or_default().push(ending);
    }
    if tails.clone().any(|tail| tail.is_marked) {
        let (bounds, index) = pieces;
        let pieces: Vec<Index<'_>> = bounds.iter().map(index).collect();
        let mut sums: BTreeMap<usize, Vec<Found>> = BTreeMap::new();
        for sum in between::sums(&pieces, Place { is_first: first, is_last: last.is_some() }, exempt) {
            sums.entry(sum.piece).or_default().push(sum);
        }
        for (at, rows) in sums {
            found.entry(at).or_default().push(Ending::Between(rows));
        }
    }
    found
}

impl TailWatch {
    pub(crate) fn new(n_fields: usize) -> Self {
        Self { n_fields, n_rows: 0, n_blank: 0, last_run: 0, n_below: 0, n_alone: 0, n_last_alone: 0, alone_run: 0 }
    }

    /// Whether there has been no row yet.
    pub(crate) fn is_new(&self) -> bool {
        self.n_rows == 0
    }

    /// Adds the next piece in file order.
    pub(crate) fn add(&mut self, tail: &Tail) {
        self.n_rows += tail.n_rows;
        self.n_blank += tail.n_blank;
        self.n_alone += tail.n_alone;
        if tail.any {
            (self.last_run, self.n_below) = (tail.last_run, tail.n_below);
            // A piece with only such rows continues the previous run.
            let before = if tail.alone_run == tail.n_rows { (self.n_last_alone, self.alone_run) } else { (0, 0) };
            (self.n_last_alone, self.alone_run) = (before.0 + tail.n_last_alone, before.1 + tail.alone_run);
        }
    }

    /// After the last piece: the error, if the last record is a total or looks truncated.
    ///
    /// It looks truncated if at least three fields and a third of the record are blank up to its end, some field is
    /// not, and at most one record in a thousand ends like that elsewhere.
    pub(crate) fn truncated(&self, names: &[String]) -> Option<Ending> {
        if self.n_below > 0 {
            return Some(Ending::Totals(Side::Below, self.n_below));
        }
        if self.n_last_alone > 0 && self.n_last_alone == self.n_alone && self.n_rows > MIN_OTHERS + self.alone_run {
            let what = match self.n_alone {
                1 => "has only its first field, unlike all other rows: it looks like a remark below the table, not a \
                      data row"
                    .to_owned(),
                n => format!(
                    "has only its first field, like {n} of the last {} rows and no others: they look like remarks \
                     below the table, not data rows",
                    self.alone_run
                ),
            };
            return Some(Ending::Last { what, n: usize::try_from(self.alone_run).unwrap_or(1) });
        }
        let run = self.last_run;
        let suspicious = run >= MIN_RUN && 3 * run >= self.n_fields && run < self.n_fields && self.n_rows >= MIN_ROWS;
        let elsewhere = self.n_blank.saturating_sub(1);
        if !suspicious || elsewhere * 1000 > self.n_rows {
            return None;
        }
        let (first, last) = (&names[self.n_fields - run], &names[self.n_fields - 1]);
        let what = format!(
            "the last record looks truncated: its last {run} fields ({first} to {last}) are blank, which is rare in \
             this file"
        );
        Some(Ending::Last { what, n: 1 })
    }
}
