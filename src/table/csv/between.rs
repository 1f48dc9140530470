//! Summary rows between the data rows: `Subtotal Rome,,14779.07,2221`.
//!
//! ```text
//! Rome,Q1,10.5,3          rows of a group         ─┐ Rows: the sums of each field
//! Rome,Q2,2.25,4                                  ─┘
//! Rome,Total,12.75,7      a row with such a label   Mark: what its cells say
//! Oslo,Q1,…               the next group
//! ```
//! A summary row contains one of the words of [`totals`], and its numbers are the sums (or means) of the rows since the
//! previous summary row or the start of the file. If totals stand above their groups, they sum up the rows down to the
//! next summary row. The word alone is not enough: `total` may be a level. See [`proof`] for the criteria.

mod proof;

use super::index::Index;
use crate::table::number::NumberFormat;
use crate::table::{cell, totals};

/// The two ways to read a number: with a decimal point and with a decimal comma.
const READINGS: usize = 2;
/// With a larger share of such rows the label is a level, because each group has a data row besides its total.
const MOST_MARKED: f64 = 0.6;

/// The sums of a field over some rows, in one notation.
#[derive(Debug, Clone, Copy)]
struct Sum {
    total: f64,
    /// The sum of the absolute values, and of the squares.
    size: f64,
    squares: f64,
    n: u32,
    n_nonzero: u32,
    /// The power of ten of the last digit of the most precise value.
    grain: i8,
}

impl Default for Sum {
    fn default() -> Self {
        Self { total: 0.0, size: 0.0, squares: 0.0, n: 0, n_nonzero: 0, grain: i8::MAX }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.size += other.size;
        self.squares += other.squares;
        self.n += other.n;
        self.n_nonzero += other.n_nonzero;
        self.grain = self.grain.min(other.grain);
    }
}

/// The number in a cell in one notation.
#[derive(Debug, Clone, Copy)]
struct Value {
    value: f64,
    /// Digits after the decimal mark.
    decimals: u8,
    grain: i8,
}

impl Value {
    fn sum(self) -> Sum {
        let Self { value, grain, .. } = self;
        let is_zero = value == 0.0;
        let grain = if is_zero { i8::MAX } else { grain };
        Sum { total: value, size: value.abs(), squares: value * value, n: 1, n_nonzero: u32::from(!is_zero), grain }
    }
}

/// The sums of all fields over the rows of a group.
#[derive(Debug, Clone, Default)]
struct Rows {
    sums: Vec<[Sum; READINGS]>,
    n_rows: usize,
    /// Rows in which a field is blank.
    n_blank: Vec<usize>,
}

/// A row with the label of a sum.
#[derive(Debug)]
struct Mark {
    piece: usize,
    row: usize,
    /// The field of the label, and its text.
    field: usize,
    label: String,
    /// The other cells with numbers.
    cells: Vec<(usize, [Option<Value>; READINGS])>,
    /// The empty fields.
    blank: Vec<usize>,
}

/// A row that is not data, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) piece: usize,
    pub(super) row: usize,
    /// The field of its label.
    pub(super) field: usize,
    pub(super) why: Why,
}

/// What the numbers of a row are: sums or means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    Sums,
    Means,
    Both,
}

/// Why a row is not data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its numbers are computed from those of the rows above or below.
    Made { of_above: bool, numbers: Numbers },
    /// It has the label, and this field is blank, which other rows fill.
    Blank { field: usize },
    /// The first of N rows that are sums but belong to a level: they are kept.
    Level { n: usize },
}

/// Where a block is in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// Whether any row of a piece has the label of a sum in a field that is not `exempt`.
pub(super) fn any(index: &Index<'_>, exempt: &[bool]) -> bool {
    // Most long tables consist of numbers, and labels contain letters.
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    index.text.bytes().any(is_letter) && (0..index.n_rows()).any(|row| marker(index, row, exempt).is_some())
}

/// The summary rows of a block. In `exempt` fields such words are levels.
pub(super) fn sums(pieces: &[Index<'_>], place: Place, exempt: &[bool]) -> Vec<Found> {
    let Some(n_fields) = pieces.first().map(|index| index.n_fields) else { return Vec::new() };
    let mut rows = vec![Rows::new(n_fields)];
    let mut marks: Vec<Mark> = Vec::new();
    let n_all: usize = pieces.iter().map(Index::n_rows).sum();
    for (piece, index) in pieces.iter().enumerate() {
        for row in 0..index.n_rows() {
            match marker(index, row, exempt) {
                Some((field, label)) => {
                    marks.push(Mark::new(index, (piece, row), field, label));
                    rows.push(Rows::new(n_fields));
                }
                None => rows.iter_mut().next_back().into_iter().for_each(|rows| rows.add(index, row)),
            }
        }
        if marks.len() as f64 > MOST_MARKED * n_all as f64 {
            return Vec::new();
        }
    }
    proof::found(&rows, &marks, place)
}

/// The field of the label, if the row has one and a number as well.
fn marker(index: &Index<'_>, row: usize, exempt: &[bool]) -> Option<(usize, String)> {
    let bytes = index.text.as_bytes();
    let edges = &index.edges[row * index.stride()..(row + 1) * index.stride()];
    let raw = |pair: &[u32]| {
        let raw = cell::trim(&bytes[pair[0] as usize..pair[1] as usize - 1]);
        raw.strip_prefix(b"\"").map_or(raw, |raw| raw.strip_suffix(b"\"").unwrap_or(raw))
    };
    let is_exempt = |field: usize| exempt.get(field).copied().unwrap_or(false);
    let mut scratch = String::new();
    let says = |(field, pair): (usize, &[u32])| {
        let raw = raw(pair);
        let likely = !raw.is_empty() && !is_number(raw) && !is_exempt(field) && totals::may_be_label(raw);
        likely.then(|| totals::label(index.cell(row, field, &mut scratch))).flatten().map(|label| (field, label))
    };
    let (field, label) = edges.windows(2).enumerate().find_map(says)?;
    let others = edges.windows(2).enumerate().filter(|(other, _)| *other != field);
    others.map(|(_, pair)| raw(pair)).any(is_number).then_some((field, label))
}

/// Whether the trimmed bytes of a cell look like a number, with or without a currency or a unit.
fn is_number(raw: &[u8]) -> bool {
    match raw.first() {
        Some(b'0'..=b'9') => true,
        Some(b'+' | b'-' | b'.' | b'(' | b'$') => {
            raw.get(1).is_some_and(|&byte| byte.is_ascii_digit() || b".$".contains(&byte))
        }
        // A currency stands before a number; other letters begin a word.
        Some(first) if !first.is_ascii_alphabetic() => {
            raw.last().is_some_and(|last| last.is_ascii_digit())
                && raw.iter().filter(|byte| byte.is_ascii_alphabetic()).count() <= 3
        }
        _ => false,
    }
}

/// The number in a cell, in both notations.
fn readings(text: &str) -> [Option<Value>; READINGS] {
    let text = text.trim_matches(|c: char| !c.is_ascii_digit() && !"+-\u{2212}.,()".contains(c));
    let format = |decimal, thousands| NumberFormat { decimal, thousands: Some(thousands), unit: None };
    let values = [cell::number(text.as_bytes()).or_else(|| format('.', ',').parse(text)), format(',', '.').parse(text)];
    [('.', values[0]), (',', values[1])].map(|(mark, value)| {
        let value = value.filter(|value| value.is_finite())?;
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        let decimals = text.rsplit_once(mark).map_or(0, |(_, behind)| digits(behind).min(15));
        let zeros = text.bytes().rev().filter(|byte| byte.is_ascii_digit()).take_while(|&byte| byte == b'0').count();
        let grain = zeros.min(30) as i8 - decimals as i8;
        Some(Value { value, decimals: decimals as u8, grain })
    })
}

impl Rows {
    fn new(n_fields: usize) -> Self {
        Self { sums: vec![Default::default(); n_fields], n_rows: 0, n_blank: vec![0; n_fields] }
    }

    fn add(&mut self, index: &Index<'_>, row: usize) {
        let mut scratch = String::new();
        self.n_rows += 1;
        for (field, (sums, n_blank)) in self.sums.iter_mut().zip(&mut self.n_blank).enumerate() {
            let cell = index.cell(row, field, &mut scratch);
            *n_blank += usize::from(cell.is_empty());
            for (sum, value) in sums.iter_mut().zip(readings(cell)) {
                if let Some(value) = value {
                    sum.add(&value.sum());
                }
            }
        }
    }
}

impl Mark {
    fn new(index: &Index<'_>, (piece, row): (usize, usize), field: usize, label: String) -> Self {
        let mut scratch = String::new();
        let others = (0..index.n_fields).filter(|&other| other != field);
        let cells = others.map(|other| (other, readings(index.cell(row, other, &mut scratch))));
        let cells = cells.filter(|(_, values)| values.iter().any(Option::is_some)).collect();
        let blank = (0..index.n_fields).filter(|&field| index.is_blank_field(row, field)).collect();
        Self { piece, row, field, label, cells, blank }
    }
}

#[cfg(test)]
mod tests;
