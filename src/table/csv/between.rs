//! Rows between the others that sum up a group of them: `Subtotal Rome,,14779.07,2221`.
//!
//! A row says so with one of the words of [`summary`], and its numbers are the sums (or means) of the rows since an earlier
//! such row, or since the first row of the file. Words alone decide nothing: `total` may be a level.

use std::collections::BTreeMap;

use super::index::Index;
use super::summary;
use crate::table::cell;
use crate::table::number::NumberFormat;

/// So many of ten rows with such a word must be true sums.
const OF_TEN: usize = 9;
/// Significant digits of all sums together from which a coincidence is ruled out.
const DIGITS: usize = 4;
/// Earlier boundaries that a sum may count from, besides the first row.
const LOOK_BACK: usize = 20;

/// The ways to read a number: with a decimal point, and with a decimal comma.
const READINGS: usize = 2;

/// The sums of a field up to a row, for each reading.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    size: f64,
    n: u64,
    n_nonzero: u64,
}

/// The sums of all fields up to a row.
type Sums = Vec<[Sum; READINGS]>;

/// A row that says that it is a sum, and what its numbers show.
#[derive(Debug)]
struct Found {
    piece: usize,
    row: usize,
    /// Significant digits of the sums that are true; `None` where it cannot be told, since its group began before.
    digits: Option<usize>,
    /// Rows since the one before, or since the beginning.
    n_rows: usize,
    /// The word, where no cell of the row is blank.
    level: Option<String>,
}

/// So many totals of equally many rows may be a level.
const REPEATED: usize = 3;

/// Whether the rows are of a level, such as the total that a table gives for each patient: all say the same word, after equally
/// many rows, and have all cells that other rows have.
fn are_a_level(found: &[Found]) -> bool {
    let first = &found[0];
    let is_like_it = |other: &Found| other.level == first.level && other.n_rows == first.n_rows;
    found.len() >= REPEATED && first.level.is_some() && found[1..].iter().all(is_like_it)
}

/// Whether any row of a piece says that it is a sum.
pub(super) fn any(index: &Index<'_>) -> bool {
    // Most long tables are numbers, and words have letters.
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    index.text.bytes().any(is_letter) && (0..index.n_rows()).any(|row| marker(index, row).is_some())
}

/// The rows of each piece of a block that sum up the rows before them; `is_first` if the file begins with the block.
pub(super) fn sums(pieces: &[Index<'_>], is_first: bool) -> BTreeMap<usize, Vec<usize>> {
    let n_fields = pieces.first().map_or(0, |index| index.n_fields);
    let mut now: Sums = vec![Default::default(); n_fields];
    let mut bounds: Vec<Sums> = if is_first { vec![now.clone()] } else { Vec::new() };
    let mut found: Vec<Found> = Vec::new();
    let (mut n_marked, mut n_rows) = (0, 0);
    for (piece, index) in pieces.iter().enumerate() {
        for row in 0..index.n_rows() {
            n_rows += 1;
            let Some(field) = marker(index, row) else {
                add(&mut now, index, row);
                continue;
            };
            let is_known = !bounds.is_empty();
            n_marked += usize::from(is_known);
            let digits = if is_known { true_digits(index, row, field, &now, &bounds) } else { None };
            if is_known && digits.is_none() {
                add(&mut now, index, row);
                continue;
            }
            let is_full = (0..n_fields).all(|field| !index.is_blank_field(row, field));
            let mut scratch = String::new();
            let level = is_full.then(|| index.cell(row, field, &mut scratch).to_owned());
            found.push(Found { piece, row, digits, n_rows: std::mem::take(&mut n_rows), level });
            bounds.push(now.clone());
            // The first row of the file stays.
            if bounds.len() > LOOK_BACK + 1 {
                bounds.remove(1);
            }
        }
    }
    let known = || found.iter().filter_map(|found| found.digits);
    let is_sure = 10 * known().count() >= OF_TEN * n_marked && known().sum::<usize>() >= DIGITS && !are_a_level(&found);
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for Found { piece, row, .. } in found.iter().filter(|_| is_sure) {
        rows.entry(*piece).or_default().push(*row);
    }
    rows
}

/// The field of the word, if it is the only text of the row and there are numbers beside it.
fn marker(index: &Index<'_>, row: usize) -> Option<usize> {
    let bytes = index.text.as_bytes();
    let edges = &index.edges[row * index.stride()..(row + 1) * index.stride()];
    let (mut text, mut n_numbers) = (None, 0);
    for (field, pair) in edges.windows(2).enumerate() {
        let raw = cell::trim(&bytes[pair[0] as usize..pair[1] as usize - 1]);
        let raw = raw.strip_prefix(b"\"").unwrap_or(raw);
        match raw.first() {
            None | Some(b'"') => {}
            Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'(' | b'$') => n_numbers += 1,
            // A currency stands before a number, and letters before words.
            Some(_) if raw.last().is_some_and(|last| last.is_ascii_digit() || *last == b')') => n_numbers += 1,
            Some(first) if text.is_some() || !summary::may_begin_or_end(*first, raw) => return None,
            Some(_) => text = Some(field),
        }
    }
    let field = text.filter(|_| n_numbers > 0)?;
    let mut scratch = String::new();
    summary::says_sum(index.cell(row, field, &mut scratch)).then_some(field)
}

/// The value of a cell in both readings.
fn readings(text: &str) -> [Option<f64>; READINGS] {
    let text = text.trim_matches(|c: char| !c.is_ascii_digit() && !"+-\u{2212}.,()".contains(c));
    let format = |decimal, thousands| NumberFormat { decimal, thousands: Some(thousands), unit: None };
    [cell::number(text.as_bytes()).or_else(|| format('.', ',').parse(text)), format(',', '.').parse(text)]
}

fn add(sums: &mut Sums, index: &Index<'_>, row: usize) {
    let mut scratch = String::new();
    for (field, sums) in sums.iter_mut().enumerate() {
        for (sum, value) in sums.iter_mut().zip(readings(index.cell(row, field, &mut scratch))) {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                sum.total += value;
                sum.size += value.abs();
                sum.n += 1;
                sum.n_nonzero += u64::from(value != 0.0);
            }
        }
    }
}

/// The significant digits of a row's numbers, if since one of the `bounds` each of them is the sum or the mean of its field.
fn true_digits(index: &Index<'_>, row: usize, marker: usize, now: &Sums, bounds: &[Sums]) -> Option<usize> {
    let mut scratch = String::new();
    let others = (0..index.n_fields).filter(|&field| field != marker && !index.is_blank_field(row, field));
    let cells: Vec<(usize, String)> =
        others.map(|field| (field, index.cell(row, field, &mut scratch).to_owned())).collect();
    let since = |bound: &Sums, reading: usize| {
        let digits = cells.iter().map(|(field, cell)| {
            let (now, then) = (now[*field][reading], bound[*field][reading]);
            is_sum_or_mean(readings(cell)[reading]?, cell, reading, now, then).map(|is_news| (is_news, cell))
        });
        let digits: Option<Vec<(bool, &String)>> = digits.collect();
        let of = |cell: &str| cell.trim_start_matches(['-', '0', '.', ',']).bytes().filter(u8::is_ascii_digit).count();
        let n = digits?.into_iter().filter(|(is_news, _)| *is_news).map(|(_, cell)| of(cell)).sum();
        (n > 0).then_some(n)
    };
    (0..READINGS).flat_map(|reading| bounds.iter().filter_map(move |bound| since(bound, reading))).max()
}

/// Whether a value is the sum or the mean of its field between two rows, to the digits that are written; and whether that says
/// anything: a sum of one number is that number.
fn is_sum_or_mean(value: f64, cell: &str, reading: usize, now: Sum, then: Sum) -> Option<bool> {
    let n = now.n - then.n;
    let mark = if reading == 0 { '.' } else { ',' };
    let n_decimals = cell.rsplit_once(mark).map_or(0, |(_, after)| after.bytes().filter(u8::is_ascii_digit).count());
    let total = now.total - then.total;
    let near = |found: f64, error: f64| (found - value).abs() <= error;
    let rounding = 0.5 * 10_f64.powi(-(n_decimals.min(15) as i32)) * (1.0 + 1e-9);
    let is_sum = near(total, rounding.min(0.006) + 1e-12 * now.size);
    let is_mean = n_decimals > 0 && n > 0 && near(total / n as f64, rounding);
    (n > 0 && (is_sum || is_mean)).then_some(now.n_nonzero - then.n_nonzero >= 2)
}

#[cfg(test)]
mod tests;
